"""The curated timeline as Timesketch reads it: message, datetime and timestamp_desc, and what explains them.

https://timesketch.org/guides/user/import-from-json-csv/
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ircase.exchange.model import Product, ShareData, SharedEvent
from ircase.exchange.texts import plain
from ircase.models import Event

FIELDS: Final = (
    "message", "datetime", "timestamp", "timestamp_desc", "tag", "techniques", "lane", "description", "source",
    "devices_and_accounts", "indicators", "precision", "until", "case", "event_uuid",
)  # fmt: skip
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


def make_jsonl(data: ShareData) -> Product:
    text = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in _records(data))
    return Product(text.encode("utf-8", "replace"), ".jsonl", (("events", len(data.events)),))


def make_csv(data: ShareData) -> Product:
    """Timesketch takes a cell as it stands, so nothing is put before a cell that a spreadsheet would take for more."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(FIELDS)
    writer.writerows([_cell(one[name]) for name in FIELDS] for one in _records(data))
    return Product(text.getvalue().encode("utf-8", "replace"), ".csv", (("events", len(data.events)),))


def _records(data: ShareData) -> list[dict[str, Any]]:
    assets = {one.uuid: f"{one.kind}:{plain(one.name)}" for one in data.assets}
    indicators = {one.uuid: f"{one.kind}:{plain(one.value)}" for one in data.indicators}
    return [
        _record(event, data.case.reference)
        | {
            "devices_and_accounts": [assets[uuid] for uuid in event.assets if uuid in assets],
            "indicators": [indicators[uuid] for uuid in event.indicators if uuid in indicators],
        }
        for event in data.events
    ]


def _record(event: SharedEvent, reference: str) -> dict[str, Any]:
    at = event.at.astimezone(UTC)
    exact = event.precision == Event.Precision.EXACT
    return {
        "message": plain(event.title) or "(no words)",
        "datetime": at.isoformat(timespec="microseconds"),
        "timestamp": (at - _START) // timedelta(microseconds=1),
        "timestamp_desc": "Event time" if exact else str(Event.Precision(event.precision).label),
        "tag": [plain(tag) for tag in event.tags],
        "techniques": [f"{technique} {tactic}".strip() for technique, tactic in event.uses],
        "lane": event.lane,
        "description": plain(event.words),
        "source": plain(event.source),
        "precision": event.precision,
        "until": event.until.astimezone(UTC).isoformat() if event.until else "",
        "case": plain(reference),
        "event_uuid": str(event.uuid),
    }


def _cell(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) and value else str(value or "")
