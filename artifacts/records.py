"""One Windows event, whatever carried it: an EVTX record, NXLog, Winlogbeat, or Get-WinEvent written as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from artifacts.clock import utc_text

Data = dict[str, Any]

# https://learn.microsoft.com/en-us/windows/win32/wes/eventmanifestschema-leveltype-complextype
LEVELS = {0: "LogAlways", 1: "Critical", 2: "Error", 3: "Warning", 4: "Information", 5: "Verbose"}
_LEVEL_BY_NAME = {
    **{name.casefold(): number for number, name in LEVELS.items()},
    "info": 4,
    "audit_success": 0,
    "audit_failure": 0,
}
# What NXLog adds beside the event's own data: https://docs.nxlog.co/refman/current/im/msvistalog.html, and what the
# collector behind it added.
_NXLOG_FRAME = frozenset(
    [
        "SourceModuleType",
        "SourceModuleName",
        "Message",
        "AccountType",
        "tags",
        "Domain",
        "Opcode",
        "OpcodeValue",
        "UserID",
        "SourceName",
        "Hostname",
        "ThreadID",
        "RecordNumber",
        "SeverityValue",
        "Severity",
        "Keywords",
        "AccountName",
        "host",
        "EventID",
        "port",
        "@version",
        "@timestamp",
        "Category",
        "EventReceivedTime",
        "Task",
        "EventTime",
        "Channel",
        "EventTypeOrignal",
        "ProviderGuid",
        "ExecutionProcessID",
        "ActivityID",
        "Version",
        "Level",
        "TimeCreated",
        "RelatedActivityID",
        "ERROR_EVT_UNRESOLVED",
    ]
)
_UNNAMED = frozenset(("Data", "#text"))
_MESSAGE_EVENT_TYPE = re.compile(r"(?m)^EventType: *(\w+)")


@dataclass(slots=True)
class Record:
    """One event. Times are canonical UTC text (``clock.utc_text``); ``wall`` is the sender's own clock.

    ``data`` is EventData or UserData by name; unnamed values are ``Data1``, ``Data2``...
    """

    provider: str
    event_id: int
    channel: str
    computer: str
    data: Data
    utc: str | None = None  # Sysmon's UtcTime
    created: str | None = None  # System/TimeCreated of an EVTX record, which is UTC
    wall: str | None = None
    wall_name: str = "EventTime"
    arrived: str | None = None
    level: int | None = None
    task: int | None = None
    opcode: str = ""
    keywords: str = ""
    version: int | None = None
    record_id: int | None = None
    process_id: int | None = None
    thread_id: int | None = None
    user_sid: str = ""
    user_name: str = ""
    correlation: str = ""
    message: str = ""
    category: str = ""
    # what the loader works out
    time: str | None = field(default=None)
    time_source: str = ""


def from_json(row: Mapping[str, Any]) -> Record | None:
    """The event that a JSON object is, or None: then it is a row of something else."""
    if "Event" in row and isinstance(row["Event"], dict) and "System" in row["Event"]:
        return from_evtx(row)
    if "winlog" in row and isinstance(row["winlog"], dict):
        return _from_winlogbeat(row["winlog"], row)
    if "event_id" in row and "log_name" in row:
        return _from_winlogbeat(row, row)
    if "EventID" in row and "Hostname" in row and ("Channel" in row or "SourceName" in row):
        return _from_nxlog(row)
    return None


def _from_nxlog(row: Mapping[str, Any]) -> Record | None:
    event_id = _int(row["EventID"])
    if event_id is None:
        return None
    data = {name: value for name, value in row.items() if name not in _NXLOG_FRAME and value is not None}
    if data.get("EventType") in ("INFO", "AUDIT_SUCCESS", "AUDIT_FAILURE", "WARNING", "ERROR", "CRITICAL", "VERBOSE"):
        del data["EventType"]  # NXLog's own, there unless the event has a field of that name
    wall_name = "EventTime" if "EventTime" in row else "TimeCreated"
    record = Record(
        provider=_text(row.get("SourceName")),
        event_id=event_id,
        channel=_text(row.get("Channel")),
        computer=_text(row["Hostname"]),
        data=data,
        wall=utc_text(row.get(wall_name)),
        wall_name=wall_name,
        arrived=utc_text(row.get("@timestamp")),
        level=_nxlog_level(row),
        task=_int(row.get("Task")),
        opcode=_text(row.get("Opcode")),
        keywords=_text(row.get("Keywords")),
        version=_int(row.get("Version")),
        record_id=_int(row.get("RecordNumber")),
        process_id=_int(row.get("ExecutionProcessID")),
        thread_id=_int(row.get("ThreadID")),
        user_sid=_text(row.get("UserID")),
        user_name=_joined(row.get("Domain"), row.get("AccountName")),
        correlation=_text(row.get("ActivityID")),
        message=_text(row.get("Message")),
        category=_text(row.get("Category")),
    )
    return _with_sysmon_time(record)


def _nxlog_level(row: Mapping[str, Any]) -> int | None:
    if "Level" in row:
        return _int(row["Level"])
    return _LEVEL_BY_NAME.get(_text(row.get("Severity")).casefold())


def _from_winlogbeat(event: Mapping[str, Any], row: Mapping[str, Any]) -> Record | None:
    """``event`` is the row itself up to version 6, its ``winlog`` object from 7 on."""
    event_id = _int(event.get("event_id"))
    if event_id is None:
        return None
    user = event.get("user") if isinstance(event.get("user"), dict) else {}
    process = event.get("process") if isinstance(event.get("process"), dict) else {}
    log = row.get("log") if isinstance(row.get("log"), dict) else {}
    level = _text(event.get("level") or (log or {}).get("level"))
    data = _object(event.get("event_data")) or _object(event.get("user_data"))
    record = Record(
        provider=_text(event.get("source_name") or event.get("provider_name")),
        event_id=event_id,
        channel=_text(event.get("log_name") or event.get("channel")),
        computer=_text(event.get("computer_name")),
        data=data,
        arrived=utc_text(row.get("@timestamp")),
        level=_LEVEL_BY_NAME.get(level.casefold()),
        opcode=_text(event.get("opcode")),
        keywords=_listed(event.get("keywords")),
        version=_int(event.get("version")),
        record_id=_int(event.get("record_number") or event.get("record_id")),
        process_id=_int(event.get("process_id") or (process or {}).get("pid")),
        thread_id=_int(event.get("thread_id")),
        user_sid=_text((user or {}).get("identifier")),
        user_name=_joined((user or {}).get("domain"), (user or {}).get("name")),
        correlation=_text(event.get("activity_id")),
        message=_text(row.get("message")),
        category=_text(event.get("task")),
    )
    return _with_sysmon_time(record)


def from_evtx(document: Mapping[str, Any]) -> Record | None:
    """An event as the ``evtx`` library writes it: ``{"Event": {"System": ..., "EventData": ...}}``."""
    event = document["Event"]
    system = event.get("System")
    if not isinstance(system, dict):
        return None
    event_id = _int(_plain(system.get("EventID")))
    if event_id is None:
        return None
    execution = _attributes(system.get("Execution"))
    created = utc_text(_attributes(system.get("TimeCreated")).get("SystemTime"))
    record = Record(
        provider=_text(_attributes(system.get("Provider")).get("Name")),
        event_id=event_id,
        channel=_text(system.get("Channel")),
        computer=_text(_plain(system.get("Computer"))),
        data=_evtx_data(event),
        created=created,
        level=_int(_plain(system.get("Level"))),
        task=_int(_plain(system.get("Task"))),
        opcode=_text(_plain(system.get("Opcode"))),
        keywords=_text(_plain(system.get("Keywords"))),
        version=_int(_plain(system.get("Version"))),
        record_id=_int(_plain(system.get("EventRecordID"))),
        process_id=_int(execution.get("ProcessID")),
        thread_id=_int(execution.get("ThreadID")),
        user_sid=_text(_attributes(system.get("Security")).get("UserID")),
        correlation=_text(_attributes(system.get("Correlation")).get("ActivityID")),
    )
    return _with_sysmon_time(record)


def _evtx_data(event: Mapping[str, Any]) -> Data:
    data: Data = {}
    for name in ("EventData", "ProcessingErrorData", "DebugData"):
        data.update(_fields(event.get(name)))
    user_data = event.get("UserData")
    if isinstance(user_data, dict):
        for key, inner in user_data.items():
            if key != "#attributes":
                data.update(_fields(inner) if isinstance(inner, dict) else {key: inner})
    return data


def _fields(block: Any) -> Data:
    """Named fields of one data block; unnamed values are numbered, attributes of the block are left out."""
    if not isinstance(block, dict):
        return {"Data1": block} if block not in (None, "") else {}
    data: Data = {}
    for name, value in block.items():
        if isinstance(value, str) and name not in _UNNAMED:  # nearly every field of every event
            data[name] = value
            continue
        if name == "#attributes":
            continue
        plain = _plain(value)
        if name in _UNNAMED and isinstance(plain, list):
            data.update({f"Data{n}": item for n, item in enumerate(plain, 1)})
        elif name in _UNNAMED:
            data["Data1"] = plain
        elif plain is not None:
            data[name] = plain
    return data


def _with_sysmon_time(record: Record) -> Record:
    data = record.data
    if "UtcTime" in data:
        record.utc = utc_text(data["UtcTime"])
    if record.provider == "Microsoft-Windows-Sysmon" and record.message and "EventType" not in data:
        found = _MESSAGE_EVENT_TYPE.search(record.message)
        if found:  # some exporters drop the field whose name is also one of theirs
            data["EventType"] = found.group(1)
    return record


def _plain(value: Any) -> Any:
    """An element's text, its attributes aside."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, dict) and ("#text" in value or "#attributes" in value):
        return value.get("#text", {key: item for key, item in value.items() if key != "#attributes"} or None)
    return value


def _attributes(value: Any) -> Mapping[str, Any]:
    found = value.get("#attributes") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _object(value: Any) -> Data:
    """A named-field object, fields without a value left out."""
    if not isinstance(value, dict):
        return {}
    return {name: item for name, item in value.items() if item is not None}


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else _text(value)


def _joined(domain: Any, name: Any) -> str:
    return f"{domain}\\{name}" if domain and name else _text(name)


def _int(value: Any) -> int | None:
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, str) and len(value) < 21:
        try:
            return int(value, 16) if value.lower().startswith("0x") else int(value)
        except ValueError:
            return None
    return None
