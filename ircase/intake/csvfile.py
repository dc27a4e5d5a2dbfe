"""A CSV of incidents: its columns and rows, and what each row becomes under a mapping."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ircase.intake import mapped

MOST_BYTES: Final = 4 * 2**20
MOST_ROWS: Final = 5000
MOST_COLUMNS: Final = 200
_GUESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("incident id", "incidentid", "id", "number", "case id"),
    "title": ("incident name", "title", "name", "subject", "summary", "alert"),
    "description": ("description", "details"),
    "severity": ("severity", "priority"),
    "status": ("status", "state"),
    "created": ("created", "created at", "creation time", "first activity", "created time", "time", "date"),
    "updated": ("updated", "last update time", "last activity", "modified"),
    "url": ("url", "link"),
    "devices": ("devices", "device", "host", "hostname", "impacted assets", "computer"),
    "accounts": ("accounts", "account", "user", "users", "upn"),
    "addresses": ("ip", "ip address", "addresses", "source ip"),
    "domains": ("domain", "domains"),
    "urls": ("urls",),
    "hashes": ("sha256", "hash", "hashes", "sha1", "md5"),
    "techniques": ("techniques", "mitre techniques"),
}


class BadFile(ValueError):
    """The file is no CSV that can be read, for the reason that the message tells."""


@dataclass(frozen=True)
class Row:
    """A row of the file by its line number, as it would be taken; `problem` where it cannot."""

    line: int
    cells: dict[str, str]
    raw: dict[str, Any] | None
    problem: str


def columns_of(content: bytes) -> list[str]:
    """The header. Raises BadFile."""
    header = next(lines_of(content), None)
    names = [name.strip() for name in header[1]] if header else []
    if not names or not any(names):
        raise BadFile("The file has no header: its first line names the columns.")
    if len(names) > MOST_COLUMNS:
        raise BadFile(f"The file has {len(names)} columns; {MOST_COLUMNS} may come.")
    if len(set(names)) != len(names):
        raise BadFile("Two columns have the same name. Rename one.")
    return names


def guess(columns: list[str]) -> dict[str, Any]:
    """A mapping by the columns' names, to begin with."""
    lower = {name.lower().replace("_", " "): name for name in columns}
    fields = {field: next((lower[word] for word in words if word in lower), "") for field, words in _GUESSES.items()}
    return {"fields": {field: name for field, name in fields.items() if name}}


def rows_of(content: bytes, mapping: Mapping[str, Any], *, name: str, at: datetime) -> Iterator[Row]:
    """Every row, mapped. Raises BadFile where the file itself cannot be read to its end."""
    columns = columns_of(content)
    origin = mapped.Origin(name, at, plain=True)
    lines = lines_of(content)
    next(lines)
    for count, (line, cells) in enumerate(lines, 1):
        if count > MOST_ROWS:
            raise BadFile(f"The file has more than {MOST_ROWS} rows. Split it.")
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(columns, cells, strict=False))
        if len(cells) > len(columns):
            problem = (
                f"It has {len(cells)} cells, the header {len(columns)}: a cell with the separator in it needs quotes."
            )
            yield Row(line, {**row, "…": "; ".join(cells[len(columns) :])}, None, problem)
            continue
        try:
            yield Row(line, row, mapped.incident_of(row, mapping, origin), "")
        except mapped.Unmappable as error:
            yield Row(line, row, None, str(error))


def lines_of(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV as people save it (comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252), by number.
    Raises BadFile."""
    text = _text(content)
    head = text[:4096].splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t|", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise BadFile(f"Line {reader.line_num} cannot be read: {error}.") from error


def _text(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        # Excel on Windows, saved as plain CSV.
        text = content.decode("cp1252", "replace")
    if "\x00" in text:
        raise BadFile("This is no text file.")
    return text
