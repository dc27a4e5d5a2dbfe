"""The records of an event log, each readable alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from artifacts.evtxfiles import EvtxFile
from artifacts.looks.shown import visible
from artifacts.looks.texts import Say

MOST_RECORDS: Final = 50_000
MOST_BYTES: Final = 512 << 20
_LONGEST_RECORD: Final = 1 << 20


def events(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """Into ``index.ndjson`` a line per record: [id, time, event id, level, provider, channel, computer, offset, bytes],
    into ``records.ndjson`` the records themselves, at that offset. Raises EvtxBroken."""
    log = EvtxFile(path, out)
    count = at = 0
    cut = False
    with (out / "index.ndjson").open("w", encoding="utf-8") as index, (out / "records.ndjson").open("wb") as records:
        for row in log.rows():
            if count >= MOST_RECORDS or at >= MOST_BYTES:
                cut = True
                break
            data = json.dumps(row, ensure_ascii=True).encode() + b"\n"
            if len(data) > _LONGEST_RECORD:
                data = json.dumps({"Event": {"too_long": f"{len(data):,} bytes, not shown"}}).encode() + b"\n"
            records.write(data)
            index.write(json.dumps([*_summary(row["Event"]), at, len(data)]) + "\n")
            count, at = count + 1, at + len(data)
            if count % 2_000 == 0:
                say({"records": count})
    return {
        "count": count,
        "cut": cut,
        "bad_records": log.records_bad,
        "bad_chunks": log.chunks_bad,
        "missing_chunks": log.missing_chunks,
        "cut_short": log.cut,
        "examples": [visible(one, 300) for one in log.examples],
    }


def _summary(event: dict[str, Any]) -> list[Any]:
    system = event.get("System")
    system = system if isinstance(system, dict) else {}
    return [
        _number(system.get("EventRecordID")),
        _attribute(system.get("TimeCreated"), "SystemTime")[:40],
        _number(system.get("EventID")),
        _number(system.get("Level")),
        _attribute(system.get("Provider"), "Name"),
        _said(system.get("Channel")),
        _said(system.get("Computer")),
    ]


def _number(value: Any) -> int | None:
    value = value.get("#text") if isinstance(value, dict) else value
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if 0 <= found < 2**63 else None


def _attribute(value: Any, name: str) -> str:
    attributes = value.get("#attributes") if isinstance(value, dict) else None
    return _said(attributes.get(name)) if isinstance(attributes, dict) else ""


def _said(value: Any) -> str:
    return visible(str(value), 200) if isinstance(value, str | int) else ""
