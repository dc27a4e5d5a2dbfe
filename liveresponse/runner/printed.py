"""What a script printed as its output: JSON between two lines, as rows of tables (`artifacts.printed` finds it)."""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from artifacts import printed, snapshots

_TABLE: Final = re.compile(r"[A-Z][A-Za-z0-9_]{1,63}")
_MOST_TABLES: Final = 50


class PrintedError(ValueError):
    """There is nothing to read between the lines. The message says why."""


@dataclass(frozen=True)
class Printed:
    """Rows by the name of their table, and what went wrong: on the device, as the script says, or in what it printed.
    `snapshot` is the JSON of a snapshot as it was printed, "" for anything else."""

    tables: Mapping[str, list[dict[str, Any]]]
    problems: tuple[str, ...]
    snapshot: str = ""

    @property
    def row_count(self) -> int:
        return sum(len(rows) for rows in self.tables.values())


def read_printed(text: str, table: str) -> Printed:
    """The JSON of a transcript. An array is rows of `table`; so is an object, as one row, unless it has `tables`, an
    object of arrays by table name. Its `errors` are told as problems. A snapshot says itself what its tables are.
    Raises PrintedError."""
    found = printed.read(text)
    faults = tuple(fault.message for fault in found.faults)
    if not isinstance(found.value, list | dict):
        raise PrintedError(" ".join(faults) or "The script printed neither a JSON object nor an array.")
    if snapshots.is_snapshot(found.value):
        rows = snapshots.tables_of(found.value)
        return Printed(rows.rows, (*faults, *(fault.message for fault in rows.faults)), found.text)
    tables, problems = _tables(found.value, table)
    return Printed(tables, faults + problems)


def _tables(
    document: list[Any] | dict[str, Any], table: str
) -> tuple[dict[str, list[dict[str, Any]]], tuple[str, ...]]:
    if isinstance(document, list):
        return {table: _rows(document)}, ()
    problems = tuple(str(problem)[:500] for problem in _listed(document.get("errors"))[:100])
    given = document.get("tables")
    if not isinstance(given, dict):
        return {table: [document]}, problems
    wrong = tuple(
        f"{str(name)[:80]!r} is no name of a table; its rows are left out." for name in given if not _ok(name)
    )
    tables = {name: _rows(_listed(rows)) for name, rows in list(given.items())[:_MOST_TABLES] if _ok(name)}
    return tables, problems + wrong


def write_printed(found: Printed, folder: Path) -> Path:
    """What was printed as a file that an import reads: a snapshot as it is, else newline-delimited JSON named as the
    table, several of them in a zip."""
    if found.snapshot:
        path = folder / "snapshot.json"
        path.write_text(_plain(found.snapshot), encoding="utf-8", newline="\n")
        return path
    if len(found.tables) == 1:
        [(name, rows)] = found.tables.items()
        path = folder / f"{name}.ndjson"
        path.write_text(_lines(rows), encoding="utf-8", newline="\n")
        return path
    path = folder / "tables.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in found.tables.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.ndjson"), _lines(rows), zipfile.ZIP_DEFLATED)
    return path


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _rows(items: list[Any]) -> list[dict[str, Any]]:
    return [item if isinstance(item, dict) else {"Value": item} for item in items]


def _ok(name: object) -> bool:
    return isinstance(name, str) and _TABLE.fullmatch(name) is not None


def _lines(rows: list[dict[str, Any]]) -> str:
    return _plain("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _plain(text: str) -> str:
    """Lone halves of characters cannot be written as UTF-8; they stand as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
