"""What a script printed as its output: JSON between two lines, as rows of tables.

The text is a device's, so hostile: cut off, wrapped at the width of a console, mixed with a transcript's own lines.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BEGIN: Final = "-----BEGIN IRCASE JSON-----"
END: Final = "-----END IRCASE JSON-----"
_TABLE: Final = re.compile(r"[A-Z][A-Za-z0-9_]{1,63}")
_MOST_TABLES: Final = 50
_CONTROLS: Final = re.compile(r"[\x00-\x1f]+")


class PrintedError(ValueError):
    """There is nothing to read between the lines. The message says why."""


@dataclass(frozen=True)
class Printed:
    """Rows by the name of their table, and what the script says went wrong on the device."""

    tables: Mapping[str, list[dict[str, Any]]]
    problems: tuple[str, ...]

    @property
    def row_count(self) -> int:
        return sum(len(rows) for rows in self.tables.values())


def read_printed(text: str, table: str) -> Printed:
    """The JSON of a transcript. An array is rows of `table`; so is an object, as one row, unless it has `tables`, an
    object of arrays by table name. Its `errors` are told as problems. Raises PrintedError."""
    document = _document(_between(text))
    if isinstance(document, list):
        return Printed({table: _rows(document)}, ())
    if not isinstance(document, dict):
        raise PrintedError("The script printed neither a JSON object nor an array.")
    problems = tuple(str(problem)[:500] for problem in _listed(document.get("errors"))[:100])
    given = document.get("tables")
    if not isinstance(given, dict):
        return Printed({table: [document]}, problems)
    wrong = tuple(
        f"{str(name)[:80]!r} is no name of a table; its rows are left out." for name in given if not _ok(name)
    )
    tables = {name: _rows(_listed(rows)) for name, rows in list(given.items())[:_MOST_TABLES] if _ok(name)}
    return Printed(tables, problems + wrong)


def write_printed(printed: Printed, folder: Path) -> Path:
    """The rows as a file that an import reads: newline-delimited JSON named as the table, several of them in a zip."""
    if len(printed.tables) == 1:
        [(name, rows)] = printed.tables.items()
        path = folder / f"{name}.ndjson"
        path.write_text(_lines(rows), encoding="utf-8", newline="\n")
        return path
    path = folder / "tables.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in printed.tables.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.ndjson"), _lines(rows), zipfile.ZIP_DEFLATED)
    return path


def _between(text: str) -> str:
    start = text.rfind(BEGIN)
    if start < 0:
        raise PrintedError(f"The script printed no line “{BEGIN}”.")
    end = text.find(END, start)
    if end < 0:
        raise PrintedError(f"What the script printed breaks off: there is no line “{END}”.")
    return text[start + len(BEGIN) : end]


def _document(written: str) -> Any:
    """The JSON, also where a console wrapped its lines inside a text."""
    for attempt in (written, _CONTROLS.sub("", written)):
        try:
            return json.loads(attempt, strict=False, parse_constant=str)
        except RecursionError:
            raise PrintedError("The JSON that the script printed is nested too deep.") from None
        except ValueError as error:
            fault = str(error)
    raise PrintedError(f"What the script printed is no JSON ({fault[:120]}).")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _rows(items: list[Any]) -> list[dict[str, Any]]:
    return [item if isinstance(item, dict) else {"Value": item} for item in items]


def _ok(name: object) -> bool:
    return isinstance(name, str) and _TABLE.fullmatch(name) is not None


def _lines(rows: list[dict[str, Any]]) -> str:
    """Lone halves of characters cannot be written as UTF-8; they stand as question marks."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return text.encode("utf-8", "replace").decode("utf-8")
