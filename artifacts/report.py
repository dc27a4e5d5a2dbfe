"""What a load did: tables made, files read, and everything that could not be read, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artifacts.shapes import Shape
from kql.types import Column


@dataclass(frozen=True)
class Problem:
    """Something that could not be read or was left out.

    ``member`` names the file, with ``!`` between an archive and what is in it; ``code`` is stable and dotted
    (``evtx.chunk``, ``archive.name``); ``message`` says what is missing and what to do.
    """

    member: str
    code: str
    message: str


@dataclass(frozen=True)
class FileReport:
    """One file that was looked at. ``kind`` ``other``: not of a kind that is read."""

    name: str
    kind: str
    records: int
    skipped: int


@dataclass(frozen=True)
class LoadedTable:
    """One table of the result, in ``path`` as Parquet.

    ``first_time`` and ``last_time`` are ISO 8601 in UTC, None where the table has no time. ``origin`` says what made
    the rows: ``events`` (Windows events under Microsoft's raw table names), ``mapping`` (rows derived from events),
    ``rows`` (rows that already were in a Microsoft table), ``file`` (named by the file), ``dfir`` (a DFIR zip),
    ``collection`` (logs, histories and packages that a device gave).
    ``wildcard`` is False for a second view of rows that another table holds: leave it out of wildcards.
    """

    name: str
    path: Path
    columns: tuple[Column, ...]
    rows: int
    first_time: str | None
    last_time: str | None
    origin: str
    wildcard: bool = True


@dataclass(frozen=True)
class LoadReport:
    """The outcome of one load.

    ``complete`` is False where a cap or a cancellation cut the whole load short. ``not_made`` names tables that the
    data holds rows of and that were not asked for. ``shapes``: what each file of rows looks like, where that was asked.
    ``notes`` are assumptions that the reading rests on, for example how dates were read, file by file.
    """

    tables: tuple[LoadedTable, ...]
    problems: tuple[Problem, ...]
    files: tuple[FileReport, ...]
    complete: bool = True
    not_made: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    notes: tuple[Problem, ...] = ()

    def table(self, name: str) -> LoadedTable:
        """The table of that name; raises KeyError."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; paths as text. ``from_json`` gives the same report back."""
        document = asdict(self)
        for table in document["tables"]:
            table["path"] = str(table["path"])
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> LoadReport:
        return cls(
            tables=tuple(_table(table) for table in document["tables"]),
            problems=tuple(Problem(**problem) for problem in document["problems"]),
            files=tuple(FileReport(**file) for file in document["files"]),
            complete=document["complete"],
            not_made=tuple(document["not_made"]),
            shapes=tuple(Shape.from_json(shape) for shape in document["shapes"]),
            notes=tuple(Problem(**note) for note in document["notes"]),
        )


def _table(document: Mapping[str, Any]) -> LoadedTable:
    columns = tuple(Column(**column) for column in document["columns"])
    return LoadedTable(**{**document, "path": Path(document["path"]), "columns": columns})
