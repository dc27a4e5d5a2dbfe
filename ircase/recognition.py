"""What a text from outside is, by its shape and its column: an address, a hash, a device, an ATT&CK technique."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ircase import attack
from ircase.models import Asset, Indicator
from ircase.services.analysis.findings import normalise

TECHNIQUE: Final = "technique"
MOST: Final = 12
"""So many entities of one cell are offered."""
_LONGEST: Final = 2048
_TECHNIQUE: Final = re.compile(r"T\d{4}(\.\d{3})?")
# Columns of Microsoft's tables, and of the library's hunts, that name a person or a machine.
_DEVICE_COLUMN: Final = re.compile(
    r"(?i).*(device_?names?|devices?|computer(_?name)?|host_?name|workstation(_?name)?)|DestinationDevice|ReachedDevice"
)
_UPN_COLUMN: Final = re.compile(r"(?i).*(upn|user_?principal_?name|userid)")
_ACCOUNT_COLUMN: Final = re.compile(r"(?i).*(account_?names?|accounts?|user_?name|sam_?account.*|setbyaccount)")
_MAILBOX_COLUMN: Final = re.compile(r"(?i)(mailbox.*|recipient.*address|.*mailboxowner.*)")
_PROCESS_COLUMN: Final = re.compile(r"(?i).*(command_?line|command)")
_DEVICE: Final = re.compile(r"(?i)[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?\$?")
# Accounts of Windows itself: in every row, and nobody's.
_NOBODY: Final = frozenset({"system", "local service", "network service", "anonymous logon", "dwm-1", "umfd-0", "-"})

# https://www.rfc-editor.org/rfc/rfc1918, 6598 (shared by carriers) and 4193 (IPv6).
_INSIDE: Final = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)

_THING_COLUMN: Final = re.compile(
    r"(?i).*(ip|ip_?address|url|domain|sha256|sha1|md5|file_?name|folder_?path|path|registry_?(key|value_?name)|key"
    r"|service_?name|task_?name|device_?id|object_?id|sid|port|message_?id|alert_?id|title)"
)
_NAMING: Final = (_DEVICE_COLUMN, _UPN_COLUMN, _ACCOUNT_COLUMN, _MAILBOX_COLUMN, _PROCESS_COLUMN, _THING_COLUMN)


def names_something(column: str) -> bool:
    """Whether a column of this name tells things apart: a device, an account, a file, an address, a key."""
    return any(pattern.fullmatch(column) for pattern in _NAMING)


@dataclass(frozen=True)
class Entity:
    """What a value is. `role` says what it can become: an `asset`, an `indicator`, or a `technique` of an event."""

    role: str
    kind: str
    value: str

    @property
    def label(self) -> str:
        if self.role == TECHNIQUE:
            return "ATT&CK technique"
        return str((Asset.Kind if self.role == "asset" else Indicator.Kind)(self.kind).label)


def entities(column: str, cell: Any) -> tuple[Entity, ...]:
    """What a cell of the column `column` names, each once, the likeliest first; nothing for what is too long or plain.

    A list is looked at item by item.
    """
    items = cell if isinstance(cell, list) else [cell]
    texts = [item.strip() for item in items[:200] if isinstance(item, str) and 0 < len(item.strip()) <= _LONGEST]
    return tuple(dict.fromkeys(found for text in texts for found in _of(column, text)))[:MOST]


def _of(column: str, text: str) -> Iterator[Entity]:
    shape = recognise(text)
    if _TECHNIQUE.fullmatch(text):
        if text in attack.techniques():
            yield Entity(TECHNIQUE, TECHNIQUE, text)
        return
    yield from _asset(column, text, shape)
    if _PROCESS_COLUMN.fullmatch(column):
        yield Entity("indicator", Indicator.Kind.PROCESS, text)
    elif shape == Indicator.Kind.IP:
        if is_elsewhere(normalise(Indicator.Kind.IP, text)):
            yield Entity("indicator", shape, normalise(Indicator.Kind.IP, text))
    elif shape != Indicator.Kind.OTHER and not _is_machine(column, shape):
        yield Entity("indicator", shape, normalise(shape, text))


def _is_machine(column: str, shape: str) -> bool:
    """A device's name has a domain's shape, and a file's (`ws-07.local`)."""
    names = (Indicator.Kind.DOMAIN, Indicator.Kind.FILE_NAME)
    return shape in names and bool(_DEVICE_COLUMN.fullmatch(column) or _ACCOUNT_COLUMN.fullmatch(column))


def _asset(column: str, text: str, shape: str) -> Iterator[Entity]:
    name, mail = text[:255].lower(), shape == Indicator.Kind.EMAIL
    if _MAILBOX_COLUMN.fullmatch(column) and mail:
        yield Entity("asset", Asset.Kind.MAILBOX, name)
    elif _DEVICE_COLUMN.fullmatch(column) and _DEVICE.fullmatch(text) and shape != Indicator.Kind.IP:
        yield Entity("asset", Asset.Kind.DEVICE, name)
    elif mail or _is_account(column, text):
        yield Entity("asset", Asset.Kind.ACCOUNT, name)


def _is_account(column: str, text: str) -> bool:
    if _UPN_COLUMN.fullmatch(column):
        return "@" in text
    return bool(_ACCOUNT_COLUMN.fullmatch(column)) and text.lower() not in _NOBODY and not text.endswith("$")


def is_private(address: str) -> bool:
    """An address of networks inside, which says nothing outside of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in _INSIDE)


def is_elsewhere(value: str) -> bool:
    """An address that means something beyond the device itself."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast)


_SHAPES = (
    (re.compile(r"[0-9a-fA-F]{64}"), Indicator.Kind.SHA256),
    (re.compile(r"[0-9a-fA-F]{40}"), Indicator.Kind.SHA1),
    (re.compile(r"[0-9a-fA-F]{32}"), Indicator.Kind.MD5),
    (re.compile(r"(?i)(https?|hxxps?|ftp)(\[:\]|:)//.+"), Indicator.Kind.URL),
    (re.compile(r"(?i)(HKEY_[A-Z_]+|HKLM|HKCU|HKU|HKCR)[\\:].*"), Indicator.Kind.REGISTRY),
    (re.compile(r"(?i)([a-z]:\\|\\\\|%[a-z0-9_()]+%\\|/(?!/)).+"), Indicator.Kind.FILE_PATH),
)
_EMAIL = re.compile(r"[^@\s:]{1,64}@[^@\s:/]{1,255}\.[^@\s.:/]{2,63}")
_DOMAIN = re.compile(r"(?i)([a-z0-9_](-*[a-z0-9_])*\.)+([a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_FILE = re.compile(r"[^\\/:*?\"<>|]{1,240}\.[A-Za-z0-9]{1,10}")
# Endings that are a file's alone, or rarely a top-level domain's too: in an incident they are nearly always files.
_FILE_ENDINGS = frozenset(
    {
        *("exe", "dll", "sys", "ps1", "psm1", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk"),
        *("zip", "rar", "7z", "iso", "img", "msi", "scr", "docx", "docm", "xlsx", "xlsm", "pptx", "pdf", "txt"),
        *("log", "csv", "xml", "json", "evtx", "dat", "bin", "tmp", "dmp", "py", "jar"),
        *("doc", "dotm", "xls", "xlsb", "xll", "ppt", "rtf", "html", "htm", "php", "asp", "aspx", "jsp", "eml"),
        *("msg", "cab", "chm", "vhd", "vhdx", "ini", "cfg", "conf", "reg", "inf", "cpl", "ocx", "pif", "gz", "tar"),
    }
)


def recognise(text: str) -> str:
    """The kind of indicator that `text` is, by its shape alone; OTHER where nothing fits."""
    text = text.strip()
    for pattern, kind in _SHAPES:
        if pattern.fullmatch(text):
            return kind
    plain = normalise(Indicator.Kind.URL, text)
    if _is_address(plain):
        return Indicator.Kind.IP
    if _EMAIL.fullmatch(plain):
        return Indicator.Kind.EMAIL
    ending = plain.rsplit(".", 1)[-1].lower()
    if ending not in _FILE_ENDINGS and len(plain) <= 253 and _DOMAIN.fullmatch(plain):
        return Indicator.Kind.DOMAIN
    return Indicator.Kind.FILE_NAME if _FILE.fullmatch(text) else Indicator.Kind.OTHER


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
