"""Events under Microsoft's raw table names: ``SecurityEvent``, ``Event`` and ``WindowsEvent``.

The Security channel becomes SecurityEvent, every other Event; WindowsEvent is a second view of both, with EventData
as an object. https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables/securityevent
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import yaml

from artifacts.conversions import LOGON_TYPES, file_name, integer
from artifacts.mapping import FOLDER
from artifacts.records import LEVELS, Data, Record
from kql.catalogue import TABLES

_XMLNS = "http://schemas.microsoft.com/win/2004/08/events/event"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile(r"[^&<>\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]*")
# Events whose Account is the account acted on, not the one that acted: the logon family.
_ABOUT_TARGET = frozenset((4624, 4625, 4634, 4647, 4768, 4769, 4771, 4776, 4778, 4779))
_FRAME = frozenset(
    [
        "TimeGenerated",
        "Computer",
        "EventID",
        "Channel",
        "EventData",
        "Activity",
        "Account",
        "AccountType",
        "Type",
        "Level",
        "EventLevelName",
        "Task",
        "EventSourceName",
        "EventRecordId",
        "SystemUserId",
        "SystemProcessId",
        "SystemThreadId",
        "Correlation",
        "Keywords",
        "Opcode",
        "Version",
        "TargetAccount",
        "SubjectAccount",
        "Process",
        "LogonTypeName",
    ]
)


def is_security(record: Record) -> bool:
    return record.channel.casefold() == "security"


def security_event(record: Record) -> dict[str, Any]:
    data = record.data
    subject = _account(data, "SubjectDomainName", "SubjectUserName")
    target = _account(data, "TargetDomainName", "TargetUserName")
    account = (target or subject) if record.event_id in _ABOUT_TARGET else (subject or target)
    row: dict[str, Any] = {
        "TimeGenerated": record.time,
        "Computer": record.computer,
        "EventID": record.event_id,
        "Channel": record.channel,
        "EventSourceName": record.provider,
        "Activity": _activity(record),
        "Account": account,
        "AccountType": _account_type(account),
        "SubjectAccount": subject,
        "TargetAccount": target,
        "EventData": event_data_xml(data),
        "Type": "SecurityEvent",
        **_system(record),
    }
    if record.level is not None:
        row["Level"] = str(record.level)
    for name, convert in _matching(frozenset(data)).items():
        value = convert[1](data[name])
        if value is not None:
            row[convert[0]] = value
    logon = integer(data.get("LogonType"))
    if logon is not None:
        row["LogonTypeName"] = f"{logon} - {LOGON_TYPES.get(logon, 'Unknown')}"
    program = file_name(data.get("NewProcessName") or data.get("ProcessName"))
    if program:
        row["Process"] = program
    return row


def event(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {
        "TimeGenerated": record.time,
        "Computer": record.computer,
        "EventID": record.event_id,
        "EventLog": record.channel,
        "Source": record.provider,
        "RenderedDescription": record.message,
        "EventData": f'<DataItem type="System.XmlData">{event_data_xml(record.data)}</DataItem>',
        "UserName": record.user_name or record.user_sid,
        "Type": "Event",
    }
    if record.level is not None:
        row["EventLevel"] = record.level
        row["EventLevelName"] = LEVELS.get(record.level, "")
    if record.task is not None:
        row["EventCategory"] = record.task
    return row


def windows_event(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {
        "TimeGenerated": record.time,
        "Computer": record.computer,
        "EventID": record.event_id,
        "Channel": record.channel,
        "Provider": record.provider,
        "EventData": record.data,
        "Type": "WindowsEvent",
        **_system(record),
    }
    if record.level is not None:
        row["EventLevel"] = record.level
    return row


def event_data_xml(data: Data) -> str:
    """EventData as the agent stores it; characters that XML cannot hold are dropped."""
    texts = [value if isinstance(value, str) else str(value) for value in data.values()]
    if not _PLAIN.fullmatch("".join(texts)):  # asked once for all values: nearly no event needs escaping
        texts = [_NOT_XML.sub("", escape(text)) for text in texts]
    pairs = zip(data, texts, strict=True)
    items = "".join([f"<Data Name={_quoted(name)}>{text}</Data>" for name, text in pairs])
    return f'<EventData xmlns="{_XMLNS}">{items}</EventData>'


@cache
def _quoted(name: str) -> str:
    return quoteattr(_NOT_XML.sub("", name))


def _system(record: Record) -> dict[str, Any]:
    pairs = (
        ("EventLevelName", LEVELS.get(record.level, "") if record.level is not None else None),
        ("Task", record.task),
        ("EventRecordId", None if record.record_id is None else str(record.record_id)),
        ("SystemUserId", record.user_sid or None),
        ("SystemProcessId", record.process_id),
        ("SystemThreadId", record.thread_id),
        ("Correlation", record.correlation or None),
        ("Keywords", record.keywords or None),
        ("Opcode", record.opcode or None),
        ("Version", record.version),
    )
    return {name: value for name, value in pairs if value is not None}


def _account(data: Data, domain: str, name: str) -> str | None:
    user = data.get(name)
    if not user or user == "-":
        return None
    where = data.get(domain)
    return f"{where}\\{user}" if where and where != "-" else str(user)


def _account_type(account: str | None) -> str | None:
    if account is None:
        return None
    return "Machine" if account.endswith("$") else "User"


def _activity(record: Record) -> str:
    title = _activities().get(record.event_id) or record.message.partition("\n")[0].strip()[:200]
    return f"{record.event_id} - {title}" if title else str(record.event_id)


@cache
def _activities() -> Mapping[int, str]:
    document = yaml.safe_load((FOLDER / "activities.yaml").read_text(encoding="utf-8"))
    return {int(number): str(title) for number, title in document["activities"].items()}


_Place = tuple[str, Callable[[Any], Any]]


@cache
def _security_columns() -> Mapping[str, _Place]:
    return {
        column.name.casefold(): (column.name, integer if column.type in ("int", "long") else _plain)
        for column in TABLES["SecurityEvent"]
        if column.name not in _FRAME
    }


_seen: dict[frozenset[str], Mapping[str, _Place]] = {}


def _matching(names: frozenset[str]) -> Mapping[str, _Place]:
    """Which fields of an event have a SecurityEvent column of their name; the same few sets of names come again."""
    found = _seen.get(names)
    if found is None:
        known = _security_columns()
        found = {name: known[name.casefold()] for name in names if name.casefold() in known}
        if len(_seen) < 5_000:
            _seen[names] = found
    return found


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return str(value)
