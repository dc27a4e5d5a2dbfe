"""Events as Timesketch reads them: JSONL and CSV with message, datetime and timestamp_desc, and what leads back.

https://timesketch.org/guides/user/import-from-json-csv/ Timesketch takes a cell as it stands, so its CSV is raw; for
spreadsheets there is another one, whose cells are no formulas.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from ircase.services.transfer.exports import safe_cell
from ircase.supertimeline.model import TimelineEvent

FIELDS: Final = (
    "message", "datetime", "timestamp", "timestamp_desc", "device", "account", "techniques", "tag",
    "case", "evidence", "evidence_sha256", "table", "row",
)  # fmt: skip
_BATCH: Final = 1_000

Origin = Callable[[TimelineEvent], dict[str, Any]]
Tags = Callable[[Sequence[TimelineEvent]], dict[tuple[str, int], list[str]]]


def lines(kind: str, events: Iterable[TimelineEvent], origin: Origin, tags: Tags) -> Iterator[tuple[bytes, int]]:
    """The file piece by piece, each with how many events are in it. Tags are asked for by the batch."""
    found = iter(events)
    if kind != "jsonl":
        yield _csv([FIELDS], safe=False), 0
    while batch := list(islice(found, _BATCH)):
        known = tags(batch)
        records = [_record(one, origin(one), known.get((one.table, one.row), [])) for one in batch]
        if kind == "jsonl":
            text = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in records)
            yield text.encode("utf-8", "replace"), len(batch)
        else:
            rows = [[_cell(one[name]) for name in FIELDS] for one in records]
            yield _csv(rows, safe=kind == "csv-safe"), len(batch)


def _record(event: TimelineEvent, origin: dict[str, Any], tags: list[str]) -> dict[str, Any]:
    return {
        "message": event.message,
        "datetime": event.at.isoformat(timespec="microseconds"),
        "timestamp": event.place.at,
        "timestamp_desc": event.what_time,
        "device": event.device,
        "account": event.account,
        "techniques": list(event.techniques),
        "tag": tags,
        **origin,
    }


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _csv(rows: Iterable[Sequence[str]], *, safe: bool) -> bytes:
    text = io.StringIO()
    cells = ([safe_cell(cell) for cell in row] for row in rows) if safe else rows
    csv.writer(text, lineterminator="\r\n").writerows(cells)
    return text.getvalue().encode("utf-8", "replace")
