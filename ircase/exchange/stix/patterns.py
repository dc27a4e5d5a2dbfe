"""STIX patterns: one comparison per indicator, quoted so that no value can end it.

https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html#_e8slinrhxcc9
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from ircase.exchange.texts import plain
from ircase.models import Indicator

Kind = Indicator.Kind


def quoted(value: str) -> str:
    """A string literal: backslash and apostrophe are the two letters that need escaping (section 9.2)."""
    return "'" + plain(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def pattern_of(kind: str, value: str) -> str:
    """The pattern that finds the value; empty where STIX has no object that could hold it."""
    make = _MAKERS.get(Kind(kind))
    return make(value) if make else ""


def _one(path: str) -> Callable[[str], str]:
    return lambda value: f"[{path} = {quoted(value)}]"


def _address(value: str) -> str:
    try:
        version = ipaddress.ip_address(value).version
    except ValueError:
        return ""
    return f"[ipv{version}-addr:value = {quoted(value)}]"


def split_path(value: str) -> tuple[str, str]:
    """The folder and the name of a path of Windows or of Unix."""
    cut = max(value.rfind("\\"), value.rfind("/"))
    folder, name = value[:cut], value[cut + 1 :]
    return (f"{folder}{value[cut]}" if folder.endswith(":") or not folder else folder, name) if cut >= 0 else ("", name)


def _path(value: str) -> str:
    folder, name = split_path(value)
    if not name:
        return f"[directory:path = {quoted(folder)}]" if folder else ""
    if not folder:
        return f"[file:name = {quoted(name)}]"
    return f"[file:name = {quoted(name)} AND file:parent_directory_ref.path = {quoted(folder)}]"


def _thumbprint(value: str) -> str:
    return f"[x509-certificate:hashes.'{thumbprint_hash(value)}' = {quoted(value)}]"


def thumbprint_hash(value: str) -> str:
    return "SHA-256" if len(value) == 64 else "SHA-1"


_HIVES: Final = {
    "HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}  # fmt: skip


def full_key(value: str) -> str:
    """A registry key with its hive written out, as section 6.17 asks."""
    hive, slash, rest = value.partition("\\")
    return f"{_HIVES.get(hive.rstrip(':').upper(), hive)}{slash}{rest}"


def as_number(value: str) -> int:
    return int(value[2:])


_MAKERS: Final[Mapping[str, Callable[[str], str]]] = {
    Kind.SHA256: _one("file:hashes.'SHA-256'"),
    Kind.SHA1: _one("file:hashes.'SHA-1'"),
    Kind.MD5: _one("file:hashes.MD5"),
    Kind.IP: _address,
    Kind.DOMAIN: _one("domain-name:value"),
    Kind.URL: _one("url:value"),
    Kind.EMAIL: _one("email-addr:value"),
    Kind.EMAIL_SUBJECT: _one("email-message:subject"),
    Kind.FILE_NAME: _one("file:name"),
    Kind.FILE_PATH: _path,
    Kind.REGISTRY: lambda value: f"[windows-registry-key:key = {quoted(full_key(value))}]",
    Kind.PROCESS: _one("process:command_line"),
    Kind.MUTEX: _one("mutex:name"),
    Kind.USER_AGENT: _one("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"),
    Kind.CERTIFICATE: _thumbprint,
    Kind.ASN: lambda value: f"[autonomous-system:number = {as_number(value)}]",
    Kind.ACCOUNT: _one("user-account:account_login"),
    Kind.SERVICE: _one("process:extensions.'windows-service-ext'.service_name"),
}
