"""What a row of a result speaks of: when, who, what. Proposals for a person to take over, from the columns' names."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hunting.catalogue import Hunt
from ircase.models import Asset, Indicator
from ircase.recognition import is_elsewhere
from kql.types import parse_datetime

_DEVICES: Final = (
    "DeviceName", "ReachedDevice", "RemoteDeviceName", "FromDevice", "DeviceNames", "Devices", "Computer",
)  # fmt: skip
_UPNS: Final = ("AccountUpn", "Upn", "UserPrincipalName", "By", "UserId", "InitiatingProcessAccountUpn")
_ACCOUNTS: Final = ("AccountName", "Account", "Accounts", "InitiatingProcessAccountName", "SetByAccount")
_MAILBOXES: Final = ("Mailbox", "MailboxOwnerUPN", "RecipientEmailAddress")
_INDICATORS: Final[tuple[tuple[str, Indicator.Kind], ...]] = (
    (r"(.*SHA256|Hashes)", Indicator.Kind.SHA256),
    (r".*SHA1", Indicator.Kind.SHA1),
    (r".*MD5", Indicator.Kind.MD5),
    (r"(RemoteIP|FromIP|Peer|Address|Addresses|IPAddress|ClientIP|FileOriginIP)", Indicator.Kind.IP),
    (r"(RemoteUrl|Url|Urls|FileOriginUrl|Origins)", Indicator.Kind.URL),
    (r"(FileName|Names|Files)", Indicator.Kind.FILE_NAME),
    (r"(FolderPath|Program|Folders)", Indicator.Kind.FILE_PATH),
    (r"(RegistryKey|Key)", Indicator.Kind.REGISTRY),
    (r"(ProcessCommandLine|CommandLine|Command|ValueData)", Indicator.Kind.PROCESS),
)
_HASH: Final = {Indicator.Kind.SHA256: 64, Indicator.Kind.SHA1: 40, Indicator.Kind.MD5: 32}
_WHAT: Final = ("ActionType", "Action", "Protection", "How")
_WHICH: Final = (
    "Finding", "ValueName", "FileName", "ServiceName", "TaskName", "Process", "Title", "RemoteIP", "Address",
)  # fmt: skip
_MOST: Final = 12
# Accounts of Windows itself: in every row, and nobody's.
_NOBODY: Final = frozenset({"system", "local service", "network service", "anonymous logon", "dwm-1", "umfd-0", "-"})


@dataclass(frozen=True)
class Proposal:
    """`assets` and `indicators` are (kind, value) pairs, each once, the likeliest first."""

    at: datetime | None
    title: str
    technique: str
    assets: tuple[tuple[str, str], ...] = ()
    indicators: tuple[tuple[str, str], ...] = field(default=())


def propose(record: Mapping[str, Any], hunt: Hunt | None) -> Proposal:
    return Proposal(
        at=_moment(record, hunt.time_column if hunt else ""),
        title=_title(record, hunt),
        technique=hunt.techniques[0] if hunt and hunt.techniques else "",
        assets=tuple(dict.fromkeys(_assets(record)))[:_MOST],
        indicators=tuple(dict.fromkeys(_indicators(record)))[:_MOST],
    )


def _moment(record: Mapping[str, Any], time_column: str) -> datetime | None:
    for name in (time_column, "Timestamp", "TimeGenerated", "FirstSeen"):
        value = record.get(name)
        if isinstance(value, str):
            try:
                return parse_datetime(value)
            except ValueError:
                continue
    return None


def _title(record: Mapping[str, Any], hunt: Hunt | None) -> str:
    """What happened, to what, where, as far as the row says."""
    what = next(_texts(record, _WHAT), hunt.title if hunt else "Row")
    which = next((text for text in _texts(record, _WHICH) if text != what), "")
    where = next(_texts(record, _DEVICES), "")
    return f"{what}{f': {which}' if which else ''}{f' on {where}' if where else ''}"[:300]


def _texts(record: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = record.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and 0 < len(item.strip()) <= 2048:
                yield item.strip()


def _assets(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _texts(record, _DEVICES):
        yield Asset.Kind.DEVICE.value, name[:255].lower()
    for name in _texts(record, _UPNS):
        if "@" in name:
            yield Asset.Kind.ACCOUNT.value, name[:255].lower()
    for name in _texts(record, _ACCOUNTS):
        if name.lower() not in _NOBODY and not name.endswith("$"):
            yield Asset.Kind.ACCOUNT.value, name[:255].lower()
    for name in _texts(record, _MAILBOXES):
        if "@" in name:
            yield Asset.Kind.MAILBOX.value, name[:255].lower()


def _indicators(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for pattern, kind in _INDICATORS:
        for name in record:
            if re.fullmatch(pattern, name):
                for value in _texts(record, (name,)):
                    yield from _indicator(kind, value)


def _indicator(kind: Indicator.Kind, value: str) -> Iterator[tuple[str, str]]:
    if kind in _HASH:
        if re.fullmatch(rf"[0-9a-fA-F]{{{_HASH[kind]}}}", value):
            yield kind.value, value.lower()
    elif kind == Indicator.Kind.IP:
        if is_elsewhere(value):
            yield kind.value, value
    elif kind == Indicator.Kind.URL and "/" not in value:
        yield Indicator.Kind.DOMAIN.value, value.lower()
    else:
        yield kind.value, value
