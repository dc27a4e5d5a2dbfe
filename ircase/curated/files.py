"""Events of a file that Timesketch reads, for the timeline. What `ircase.exchange.timeline` makes comes back.

https://timesketch.org/guides/user/import-from-json-csv/ The same event is never there twice: it is known by its uuid,
else by its time and its words.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ircase.services.transfer.exports import safe_cell

MOST_BYTES: Final = 20 * 1024 * 1024
MOST_EVENTS: Final = 5_000
MOST_PROBLEMS: Final = 20


class FileError(Exception):
    """The file cannot be read as a timeline. The text is a sentence for people."""


@dataclass(frozen=True)
class Record:
    """One event of a file: `line` from 1, its texts by name. Lists are texts in one another's order."""

    line: int
    texts: Mapping[str, str]
    lists: Mapping[str, list[str]] = field(default_factory=dict)


def read(data: bytes) -> list[Record]:
    """The events of a JSONL or CSV file, whichever it is. Raises FileError."""
    if len(data) > MOST_BYTES:
        raise FileError(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError("The file is not UTF-8 text. Save it as “CSV UTF-8” or as JSONL.") from None
    if not text.strip():
        raise FileError("The file is empty.")
    found = list(_of_json(text) if text.lstrip()[:1] == "{" else _of_csv(text))
    if not found:
        raise FileError("The file has a header and no event.")
    return found


def _of_json(text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        _counted(number)
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            one = None
        if not isinstance(one, dict):
            raise FileError(f"Line {number} is no JSON object. JSONL has one object a line.")
        lists = {name: [str(v)[:2100] for v in value[:100]] for name, value in one.items() if isinstance(value, list)}
        texts = {name: str(v) for name, v in one.items() if isinstance(v, str | int | float | bool)}
        yield Record(number, texts, lists)


def _of_csv(text: str) -> Iterator[Record]:
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        for row in rows:
            _counted(rows.line_num)
            texts = {str(name).strip(): _plain(value) for name, value in row.items() if name and isinstance(value, str)}
            lists = {name: _listed(texts.get(name, "")) for name in ("tag", "techniques", "indicators")}
            lists["devices_and_accounts"] = _listed(texts.get("devices_and_accounts", ""))
            yield Record(rows.line_num, texts, lists)
    except csv.Error as error:
        raise FileError(f"The CSV cannot be read: {error}.") from None


def _plain(cell: str) -> str:
    """A cell as it was before an apostrophe kept spreadsheets from reading it as a formula."""
    return cell[1:] if cell[:1] == "'" and safe_cell(cell[1:]) == cell else cell


def _listed(cell: str) -> list[str]:
    if not cell.startswith("["):
        return cell.replace(",", " ").split()[:100]
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return []
    return [str(one)[:2100] for one in found[:100]] if isinstance(found, list) else []


def _counted(number: int) -> None:
    if number > MOST_EVENTS * 20:
        raise FileError(f"The file has more than {MOST_EVENTS:,} events. Cut it into parts.")
