"""Windows events into tables: the raw log, and the Device tables of advanced hunting by the rules in ``mappings``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from artifacts.clock import WallClocks, shift
from artifacts.mapping import Rule, Rules, load_rules
from artifacts.rawrows import event, is_security, security_event, windows_event
from artifacts.records import Record, from_json
from artifacts.scriptblocks import ScriptBlocks
from artifacts.spool import Spools
from artifacts.text import dump_line

_PENDING_IN_MEMORY = 2_000
_PROCESSES = 50_000
_STARTS = "DeviceProcessEvents"  # read even where it is not asked for: other rows are completed from it
# From a process's own start to the rows of what it then does, by its Sysmon GUID.
_INHERITED = (
    ("ProcessCommandLine", "InitiatingProcessCommandLine"),
    ("ProcessCreationTime", "InitiatingProcessCreationTime"),
    ("ProcessIntegrityLevel", "InitiatingProcessIntegrityLevel"),
    ("AccountName", "InitiatingProcessAccountName"),
    ("AccountDomain", "InitiatingProcessAccountDomain"),
    ("SHA1", "InitiatingProcessSHA1"),
    ("SHA256", "InitiatingProcessSHA256"),
    ("MD5", "InitiatingProcessMD5"),
    ("ProcessVersionInfoCompanyName", "InitiatingProcessVersionInfoCompanyName"),
    ("ProcessVersionInfoProductName", "InitiatingProcessVersionInfoProductName"),
    ("ProcessVersionInfoProductVersion", "InitiatingProcessVersionInfoProductVersion"),
    ("ProcessVersionInfoOriginalFileName", "InitiatingProcessVersionInfoOriginalFileName"),
    ("ProcessVersionInfoFileDescription", "InitiatingProcessVersionInfoFileDescription"),
    ("InitiatingProcessId", "InitiatingProcessParentId"),
    ("InitiatingProcessFileName", "InitiatingProcessParentFileName"),
    ("InitiatingProcessCreationTime", "InitiatingProcessParentCreationTime"),
)


@lru_cache(maxsize=4096)
def device(computer: str) -> tuple[str, str]:
    """DeviceName, the lower-case FQDN, and the DeviceId of a device that Defender never named: the SHA-1 of it."""
    name = computer.strip().rstrip(".").lower()
    return name, hashlib.sha1(name.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _origin(record: Record, source_file: str) -> dict[str, str]:
    return {
        "TimeSource": record.time_source,
        "SourceEvent": f"{record.provider} {record.event_id}",
        "SourceFile": source_file,
    }


class Processes:
    """Process starts seen so far, newest 50,000, by Sysmon's process GUID."""

    def __init__(self) -> None:
        self._starts: dict[str, dict[str, Any]] = {}

    def remember(self, row: Mapping[str, Any]) -> None:
        guid = _guid(row.get("ProcessUniqueId"))
        if guid is None:
            return
        if len(self._starts) >= _PROCESSES:
            del self._starts[next(iter(self._starts))]
        self._starts[guid] = {new: row[old] for old, new in _INHERITED if old in row}

    def complete(self, row: dict[str, Any]) -> None:
        """Fill what the row does not say about the process that acted from that process's start."""
        start = self._starts.get(_guid(row.get("InitiatingProcessUniqueId")) or "")
        if start is not None:
            for column, value in start.items():
                row.setdefault(column, value)


def _guid(text: Any) -> str | None:
    return text.strip("{}").lower() if isinstance(text, str) and text else None


@dataclass
class EventTables:
    """Where events go. One per load; ``for_file`` gives what one file of events is written through."""

    spools: Spools
    scratch: Path
    rules: Rules
    processes: Processes
    hosts: dict[str, str] = field(default_factory=dict)
    blocks: ScriptBlocks = field(default_factory=ScriptBlocks)

    @classmethod
    def of(cls, spools: Spools, scratch: Path) -> EventTables:
        return cls(spools, scratch, load_rules(), Processes())

    def for_file(self, name: str) -> FileEvents:
        return FileEvents(self, name)

    def full_name(self, host: str) -> str:
        """The name that events gave a device of this short name, else the short name."""
        return self.hosts.get(host.lower(), host)

    def write(self, record: Record, source_file: str) -> None:
        """All rows of one event whose time is settled."""
        name, _ = device(record.computer)
        if "." in name:
            self.hosts.setdefault(name.partition(".")[0], name)
        origin = _origin(record, source_file)
        spools = self.spools
        table, raw = ("SecurityEvent", security_event) if is_security(record) else ("Event", event)
        if spools.wanted(table):
            spools.catalogue(table, "events").add_known(raw(record) | origin)
        if spools.wanted("WindowsEvent"):
            windows = spools.catalogue("WindowsEvent", "events", wildcard=False)
            windows.add_known(windows_event(record) | origin)
        rules = self.rules.get((record.provider.casefold(), record.event_id), ())
        written = 2
        if rules:
            for whole in self.blocks.take(record):
                written += self._write_mapped(whole, rules, origin)
        spools.count(written)

    def rest(self, source_file: str) -> None:
        """What waited for more events of a file that has ended."""
        for record in self.blocks.rest():
            rules = self.rules.get((record.provider.casefold(), record.event_id), ())
            self.spools.count(self._write_mapped(record, rules, _origin(record, source_file)))

    def _write_mapped(self, record: Record, rules: Iterable[Rule], origin: Mapping[str, str]) -> int:
        name, identity = device(record.computer)
        written = 0
        for rule in rules:
            if rule.table != _STARTS and not self.spools.wanted(rule.table):
                continue
            cells = rule.row(record)
            if cells is None:
                continue
            row = {
                "Timestamp": record.time,
                "TimeGenerated": record.time,
                "DeviceId": identity,
                "DeviceName": name,
                **cells,
                "ReportId": record.record_id,
                "Type": rule.table,
                **origin,
            }
            self.processes.complete(row)
            if "ProcessUniqueId" in row:
                self.processes.remember(row)
            self.spools.catalogue(rule.table, "mapping").add_known(row)
            written += 1
        return written


class FileEvents:
    """The events of one file. Those whose clock is not known yet wait until the file's end."""

    def __init__(self, tables: EventTables, name: str) -> None:
        self._tables = tables
        self._name = name
        self._clocks = WallClocks()
        self._waiting: list[Mapping[str, Any]] = []
        self._waiting_file = tables.scratch / "waiting.ndjson"
        self.records = 0
        self.timeless = 0
        self.unzoned = 0

    def add(self, row: Mapping[str, Any], record: Record) -> None:
        """``row`` is what the record was made from: it is what waits, on disk if there are many."""
        self.records += 1
        if self._settle(record, final=False):
            self._tables.write(record, self._name)
            return
        self._waiting.append(row)
        if len(self._waiting) >= _PENDING_IN_MEMORY:
            with self._waiting_file.open("a", encoding="ascii") as out:
                out.writelines(dump_line(dict(waiting)) for waiting in self._waiting)
            self._waiting.clear()

    def finish(self) -> None:
        """Write what waited, now that every host of the file that could tell its clock has told it."""
        self._clocks.final()
        if self._waiting_file.exists():
            try:
                with self._waiting_file.open("r", encoding="ascii") as stream:
                    for line in stream:
                        self._write_final(json.loads(line))
            finally:  # the next file's begin it anew
                self._waiting_file.unlink()
        for row in self._waiting:
            self._write_final(row)
        self._waiting.clear()
        self._tables.rest(self._name)

    def _write_final(self, row: Mapping[str, Any]) -> None:
        record = from_json(row)
        if record is not None:
            self._settle(record, final=True)
            self._tables.write(record, self._name)

    def _settle(self, record: Record, *, final: bool) -> bool:
        """Decide the event's time and name its source; False where the wall clock's offset is still to be learned."""
        host = record.computer.lower()
        if record.utc is not None:
            if record.wall is not None:
                self._clocks.observe(host, record.utc, record.wall)
            record.time, record.time_source = record.utc, "UtcTime"
        elif record.created is not None:
            record.time, record.time_source = record.created, "TimeCreated"
        elif record.wall is not None:
            return self._settle_wall(record, host, record.wall, final=final)
        else:
            record.time, record.time_source = record.arrived, "@timestamp" if record.arrived else "none"
            self.timeless += record.arrived is None
        return True

    def _settle_wall(self, record: Record, host: str, wall: str, *, final: bool) -> bool:
        offset = self._clocks.offset(host)
        moved = shift(wall, offset) if offset is not None else None
        if moved is not None:
            record.time, record.time_source = moved, f"{record.wall_name}+offset"
        elif not final:
            return False
        elif record.wall_name == "TimeCreated":
            record.time, record.time_source = wall, "TimeCreated"
        elif record.arrived is not None:
            record.time, record.time_source = record.arrived, "@timestamp"
        else:
            record.time, record.time_source = wall, f"{record.wall_name} (offset unknown)"
            self.unzoned += 1
        return True
