"""Functions and tables that live in a tenant, and the way round each where a query runs over the tables at hand.

Sentinel's watchlists: https://learn.microsoft.com/en-us/azure/sentinel/watchlists-queries; its normalizing parsers:
https://learn.microsoft.com/en-us/azure/sentinel/normalization-about-parsers; Defender's own functions:
https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-schema-tables
"""

from __future__ import annotations

import re

_PARSER = re.compile(r"_?(?:im|vim|asim)_?(?P<schema>[A-Z][A-Za-z]*).*", re.IGNORECASE)
_SCHEMAS = {
    "dns": "DnsEvents, or DeviceNetworkEvents",
    "networksession": "CommonSecurityLog, or DeviceNetworkEvents",
    "websession": "CommonSecurityLog",
    "process": "DeviceProcessEvents, or SecurityEvent",
    "file": "DeviceFileEvents, or OfficeActivity",
    "registry": "DeviceRegistryEvents",
    "authentication": "SigninLogs, or DeviceLogonEvents",
    "audit": "AuditLogs, or OfficeActivity",
    "usermanagement": "SecurityEvent, or AuditLogs",
    "alert": "SecurityAlert",
    "dhcp": "DeviceNetworkInfo",
}
"""A schema of ASIM by the beginning of its name, and tables whose rows its parsers read."""

_KNOWN = {
    "_getwatchlist": (
        "A watchlist lives in the workspace: upload its CSV to the case, and put let _GetWatchlist = (Name: string)"
        " { table(Name) }; before the query."
    ),
    "_getwatchlistalias": "Watchlists live in the workspace: upload those you need to the case, as CSV.",
    "seenby": "Only Defender knows which devices saw another: leave this line out, or run the query in the tenant.",
    "assignedipaddresses": (
        "Use DeviceNetworkInfo | where DeviceName == ... | mv-expand IPAddresses, which lists them."
    ),
    "devicefromip": (
        "Use DeviceNetworkInfo | mv-expand IPAddresses | where tostring(IPAddresses.IPAddress) == ..., which lists"
        " them."
    ),
    "fileprofile": "It follows a pipe: T | invoke FileProfile(SHA1).",
    "arg": "Azure Resource Graph is asked in the tenant: export the rows and upload them as evidence.",
}


def way_round(name: str) -> str | None:
    """What to do instead of a function or table of a tenant; None for a name that is not known as one."""
    known = _KNOWN.get(name.lower())
    parser = _PARSER.fullmatch(name) if known is None else None
    if parser is None:
        return known
    schema = parser["schema"].lower()
    tables = next((found for begins, found in _SCHEMAS.items() if schema.startswith(begins)), None)
    if tables is None:
        return None
    return (
        f"ASIM's parsers are functions of the workspace: query the table itself ({tables}), with its own columns, or"
        f" define {name} with let."
    )
