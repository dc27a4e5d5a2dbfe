"""Files of what a library script printed: its transcript, the result file of Live Response, or the JSON alone."""

from __future__ import annotations

import json
from collections.abc import Mapping

from artifacts import printed, snapshots
from artifacts.snapshots import FORMAT, Tables
from artifacts.text import TextSource

_HEAD = 65_536


def is_printed_file(source: TextSource) -> bool:
    """Whether the file begins as one of them."""
    head = _text(source, _HEAD)
    return printed.is_printed(head) or (f'"{FORMAT}"' in head and head.lstrip("\ufeff \t\r\n").startswith("{"))


def tables_in(source: TextSource, table: str) -> Tables:
    """The rows that were printed, by table; `table` is for JSON that names none. Never raises for what a file holds."""
    text = _text(source, printed.MOST_CHARACTERS + 1)
    document = _document(text)
    if snapshots.is_snapshot(document):
        return snapshots.tables_of(document, table)
    if isinstance(document, Mapping) and isinstance(document.get("script_output"), str):
        text = document["script_output"]
    found = printed.read(text)
    rows = Tables() if found.value is None else snapshots.tables_of(found.value, table)
    return Tables(rows.rows, (*found.faults, *rows.faults))


def _document(text: str) -> object:
    """The JSON that the whole file is; None for anything else."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    try:
        # The result file of a script holds raw line ends within its text.
        found: object = json.loads(text.lstrip("\ufeff"), strict=False, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return found


def _text(source: TextSource, characters: int) -> str:
    with source.path.open("r", encoding=source.encoding, errors="replace", newline="") as stream:
        return stream.read(characters)
