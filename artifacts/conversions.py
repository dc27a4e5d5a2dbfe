"""The typed conversions that a mapping may name. Each takes one field's value and gives a cell, None if it has none."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from artifacts.clock import utc_text

Conversion = Callable[[Any], Any]

_EMPTY = frozenset(("", "-", "N/A", "S-1-0-0"))
_HASH = re.compile(r"(SHA1|SHA256|MD5)=([0-9A-Fa-f]+)")
# Hives by their short and their kernel names. Defender shows a user's hive as HKEY_CURRENT_USER\<sid>: see
# ``registry`` in mappings/sources.yaml.
_HIVES = (
    ("\\REGISTRY\\MACHINE", "HKEY_LOCAL_MACHINE"),
    ("\\REGISTRY\\USER", "HKU"),
    ("HKLM", "HKEY_LOCAL_MACHINE"),
    ("HKCR", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes"),
    ("HKEY_CLASSES_ROOT", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes"),
    ("HKEY_USERS", "HKU"),
)
# https://learn.microsoft.com/en-us/windows/win32/sysinfo/registry-value-types; Sysmon shows numbers in this form
_REGISTRY_NUMBER = re.compile(r"(DWORD|QWORD) \((0x[0-9a-fA-F]+)(?:-(0x[0-9a-fA-F]+))?\)\Z")
# https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4657
_VALUE_TYPES = {"%%1873": "String", "%%1874": "ExpandString", "%%1875": "Binary", "%%1876": "Dword"}
_VALUE_TYPES.update({"%%1879": "MultiString", "%%1883": "Qword"})
# https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4624
LOGON_TYPES: Mapping[int, str] = {
    0: "System",
    2: "Interactive",
    3: "Network",
    4: "Batch",
    5: "Service",
    7: "Unlock",
    8: "NetworkCleartext",
    9: "NewCredentials",
    10: "RemoteInteractive",
    11: "CachedInteractive",
    12: "CachedRemoteInteractive",
    13: "CachedUnlock",
}
# https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4688
_ELEVATION = {
    "%%1936": "TokenElevationTypeDefault",
    "%%1937": "TokenElevationTypeFull",
    "%%1938": "TokenElevationTypeLimited",
}
_INTEGRITY = {
    "S-1-16-0": "Untrusted",
    "S-1-16-4096": "Low",
    "S-1-16-8192": "Medium",
    "S-1-16-8448": "MediumPlus",
    "S-1-16-12288": "High",
    "S-1-16-16384": "System",
    "S-1-16-20480": "ProtectedProcess",
}
# https://www.rfc-editor.org/rfc/rfc1918, https://www.rfc-editor.org/rfc/rfc4193; narrower than Python's is_private
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
# https://www.iana.org/assignments/protocol-numbers
_PROTOCOLS = {"1": "Icmp", "6": "Tcp", "17": "Udp", "58": "IcmpV6", "tcp": "Tcp", "udp": "Udp"}
# Sub status codes of a failed logon, as Defender's FailureReason words them where it has a word.
# https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4625
_FAILURES = {
    "0xc0000064": "UnknownUser",
    "0xc000006a": "InvalidUserNameOrPassword",
    "0xc000006d": "InvalidUserNameOrPassword",
    "0xc000006f": "InvalidLogonHours",
    "0xc0000070": "InvalidWorkstation",
    "0xc0000071": "PasswordExpired",
    "0xc0000072": "AccountDisabled",
    "0xc000015b": "LogonTypeNotGranted",
    "0xc0000193": "AccountExpired",
    "0xc0000224": "PasswordMustChange",
    "0xc0000234": "AccountLockedOut",
}


def text(value: Any) -> str | None:
    if isinstance(value, str):
        stripped = value.strip()
        return None if stripped in _EMPTY else stripped
    return None if value is None else str(value)


def raw(value: Any) -> Any:
    """The value as it is: for script blocks, where blanks matter."""
    return value if value not in (None, "") else None


def integer(value: Any) -> int | None:
    """Decimal or, with ``0x``, hexadecimal; None beyond 64 bits."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = value if isinstance(value, int) else int(str(value), 16 if str(value)[:2] in ("0x", "0X") else 10)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 else None


def port(value: Any) -> int | None:
    number = integer(value)
    return number if number is not None and 0 < number < 65536 else None


def boolean(value: Any) -> bool | None:
    return {"true": True, "false": False, "1": True, "0": False, "%%1842": True, "%%1843": False}.get(
        str(value).lower()
    )


def moment(value: Any) -> str | None:
    return utc_text(value)


def lower(value: Any) -> str | None:
    found = text(value)
    return found.lower() if found else None


@lru_cache(maxsize=8192)
def _file_name(path: str) -> str:
    return path.rstrip("\\/").replace("/", "\\").rpartition("\\")[2]


def file_name(value: Any) -> str | None:
    found = text(value)
    return _file_name(found) if found else None


def file_name_lower(value: Any) -> str | None:
    found = text(value)
    return _file_name(found).lower() if found else None


def _hash(kind: str) -> Conversion:
    def pick(value: Any) -> str | None:
        """One hash of Sysmon's ``Hashes`` list, lower case as Defender shows it; all zeros is no hash."""
        for name, digits in _HASH.findall(value) if isinstance(value, str) else ():
            if name == kind and digits.strip("0"):
                return str(digits).lower()
        return None

    return pick


def account_name(value: Any) -> str | None:
    found = text(value)
    return (found.rpartition("\\")[2].lower() or None) if found else None


def account_domain(value: Any) -> str | None:
    found = text(value)
    return (found.rpartition("\\")[0].lower() or None) if found else None


@lru_cache(maxsize=16384)
def _registry_path(path: str) -> str:
    for short, full in _HIVES:
        if path[: len(short)].upper() == short and path[len(short) : len(short) + 1] in ("", "\\"):
            path = full + path[len(short) :]
            break
    if path.startswith("HKU\\S-1-"):
        return "HKEY_CURRENT_USER" + path[3:]
    return "HKEY_USERS" + path[3:] if path.startswith("HKU") else path


def registry_key(value: Any) -> str | None:
    """A whole key in Defender's notation."""
    found = text(value)
    return _registry_path(found) if found else None


def registry_parent(value: Any) -> str | None:
    """The key of a path that ends in a value's name."""
    found = text(value)
    return _registry_path(found).rpartition("\\")[0] if found else None


def registry_value(value: Any) -> str | None:
    """The value's name at the end of a path; Sysmon writes ``(Default)`` where Defender leaves the name empty."""
    found = text(value)
    name = found.rpartition("\\")[2] if found else None
    return None if name == "(Default)" else name


def registry_data(value: Any) -> str | None:
    """A value's data; Sysmon's ``DWORD (0x...)`` and ``QWORD (0xhigh-0xlow)`` become the decimal number."""
    found = raw(value)
    match = _REGISTRY_NUMBER.match(found) if isinstance(found, str) else None
    if match is None:
        return None if found is None else str(found)
    high = int(match.group(2), 16)
    return str(high << 32 | int(match.group(3), 16)) if match.group(3) else str(high)


def registry_data_type(value: Any) -> str | None:
    """The value's type as far as Sysmon's text tells it."""
    match = _REGISTRY_NUMBER.match(value) if isinstance(value, str) else None
    if match is not None:
        return match.group(1).capitalize()
    return "Binary" if value == "Binary Data" else None


def ip(value: Any) -> str | None:
    """An address; IPv4 in IPv6 clothes (``::ffff:``) is undressed, text that is no address is dropped."""
    found = text(value)
    return _ip(found)[0] if found else None


def ip_type(value: Any) -> str | None:
    found = text(value)
    return _ip(found)[1] if found else None


@lru_cache(maxsize=8192)
def _ip(value: str) -> tuple[str | None, str | None]:
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return None, None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address), _kind(address)


def _kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """RemoteIPType's words: https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-devicenetworkevents-table"""
    checks = (
        ("Loopback", address.is_loopback),
        ("Unspecified", address.is_unspecified),
        ("Broadcast", str(address) == "255.255.255.255"),
        ("Multicast", address.is_multicast),
        ("LinkLocal", address.is_link_local),
        ("Private", any(address in network for network in _PRIVATE if network.version == address.version)),
        ("Reserved", address.is_reserved),
    )
    return next((word for word, holds in checks if holds), "Public")


def _word(words: Mapping[str, str], *, otherwise: bool = False) -> Conversion:
    def pick(value: Any) -> str | None:
        found = text(value)
        if found is None:
            return None
        return words.get(found) or words.get(found.lower()) or (found if otherwise else None)

    return pick


def logon_type(value: Any) -> str | None:
    number = integer(value)
    return None if number is None else LOGON_TYPES.get(number, f"Unknown ({number})")


def session_logon_type(value: Any) -> str | None:
    """The logon type of a session by the address that its event names: LOCAL is the console."""
    found = text(value)
    if found is None:
        return None
    return "Interactive" if found.upper() == "LOCAL" else "RemoteInteractive"


def failure(value: Any) -> str | None:
    """Why a logon failed; a sub status of zero says nothing, as where an account is locked: then the status does."""
    return None if integer(value) == 0 else _failure(value)


_failure = _word(_FAILURES, otherwise=True)

CONVERSIONS: Mapping[str, Conversion] = {
    "text": text,
    "raw": raw,
    "int": integer,
    "port": port,
    "bool": boolean,
    "time": moment,
    "lower": lower,
    "file_name": file_name,
    "file_name_lower": file_name_lower,
    "sha1": _hash("SHA1"),
    "sha256": _hash("SHA256"),
    "md5": _hash("MD5"),
    "account_name": account_name,
    "account_domain": account_domain,
    "registry_key": registry_key,
    "registry_parent": registry_parent,
    "registry_value": registry_value,
    "registry_data": registry_data,
    "registry_data_type": registry_data_type,
    "registry_value_type": _word(_VALUE_TYPES, otherwise=True),
    "ip": ip,
    "ip_type": ip_type,
    "protocol": _word(_PROTOCOLS, otherwise=True),
    "logon_type": logon_type,
    "session_logon_type": session_logon_type,
    "failure": failure,
    "elevation": _word(_ELEVATION, otherwise=True),
    "integrity": _word(_INTEGRITY, otherwise=True),
}
