"""Rows on their way into tables: one file of newline-delimited JSON per table, then one Parquet each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from artifacts.limits import Budget, Limits, LoadStopped
from artifacts.naming import column_name
from artifacts.report import LoadedTable
from artifacts.text import dump_line
from kql.catalogue import TABLES
from kql.errors import KqlResourceError
from kql.parquet import LINE_BYTES
from kql.tables import write_parquet
from kql.types import Column, KqlType

_BUFFER = 4000
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)\Z")
_OVERFLOW = "MoreColumns"
_MEMORY_MB = (224, 768)
"""What DuckDB may hold while it writes a table: the first keeps the parser of a 2 GB file below 300 MB over its idle
memory (`python -m bench --only memory`), the second is for rows that the first cannot hold."""
# Extra columns that IRCase adds to a row made from a Windows event.
PROVENANCE = (
    Column("TimeSource", "string"),  # which of the event's times it is: artifacts.clock
    Column("SourceEvent", "string"),  # provider and event id
    Column("SourceFile", "string"),  # the file it stood in
)

NoteProblem = Callable[[str, str, str], None]


@dataclass
class _Guess:
    """What a column of a table outside the catalogue may still be, from the values seen."""

    kinds: set[KqlType] = field(default_factory=set)

    def see(self, value: Any) -> None:
        kind = _kind(value)
        if kind is not None:
            self.kinds.add(kind)

    def result(self) -> KqlType:
        if self.kinds == {"long", "real"}:
            return "real"
        if len(self.kinds) == 1:
            return next(iter(self.kinds))
        return "dynamic" if "dynamic" in self.kinds else "string"


def _kind(value: Any) -> KqlType | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return "datetime" if len(value) < 40 and _TIME.match(value) else "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "long" if -(2**63) <= value < 2**63 else "string"
    return "real" if isinstance(value, float) else "dynamic"


@dataclass
class TableSpool:
    """One table being collected. ``known`` columns keep their types, others are guessed from their values."""

    name: str
    path: Path
    origin: str
    known: tuple[Column, ...]
    wildcard: bool = True
    rows: int = 0
    lines: list[str] = field(default_factory=list)
    extra: dict[str, _Guess] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    overflowed: bool = False
    declared: dict[str, set[KqlType]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    muted: bool = False  # nobody asked for this table: rows are let go

    def __post_init__(self) -> None:
        for column in self.known:
            self.names[column.name] = column.name
            self.folded[column.name.casefold()] = column.name

    def add_known(self, row: dict[str, Any]) -> None:
        """A row whose every name is a known column, with values that fit: the fast way in."""
        if not self.muted:
            self.used.update(row)
            self._append(row)

    def add(self, row: dict[str, Any], max_columns: int) -> None:
        """A row from outside: names are cleaned, told apart without case, and their types guessed."""
        if self.muted:
            return
        out: dict[str, Any] = {}
        for name, value in row.items():
            column = self.names.get(name) or self._place(name, max_columns)
            if column is not None and column in out:
                if value in (None, "") or out[column] == value:
                    continue
                column = self._beside(column, out, max_columns)
            if column is None:
                out.setdefault(_OVERFLOW, {})[name[:120]] = value
                continue
            out[column] = value
            self.used.add(column)
            guess = self.extra.get(column)
            if guess is not None:
                guess.see(value)
        self._append(out)

    def _beside(self, column: str, row: Mapping[str, Any], max_columns: int) -> str | None:
        """Where a second value of one name goes: the first of ``<name>_2``... that the row has nothing in."""
        free: str | None = column
        number = 2
        while free is not None and row.get(free) not in (None, ""):
            free, number = self._place(f"{column}_{number}", max_columns), number + 1
        return free

    def expect(self, names: Iterable[str], max_columns: int) -> None:
        """Columns that are there, in this order, even where no row has a value for them."""
        for name in names:
            self._place(name, max_columns)

    def declare(self, name: str, kind: KqlType) -> None:
        """What a file says, or a person, of the type of a column under the name that the file gives it: it holds
        where all files of the table agree, for their texts alone would make strings of all."""
        column = self.names.get(name)
        if column in self.extra:
            self.declared.setdefault(column, set()).add(kind)

    def empty(self, name: str) -> bool:
        """Whether no value of a column, by the file's name of it, has come yet."""
        column = self.names.get(name, "")
        return column in self.extra and not self.extra[column].kinds

    def _type(self, column: str, guess: _Guess) -> KqlType:
        said = self.declared.get(column, set())
        return next(iter(said)) if len(said) == 1 else guess.result()

    def guessed(self, name: str) -> KqlType:
        """The type of a column, by the file's name of it, as far as rows have come."""
        column = self.names.get(name, "")
        return self.extra[column].result() if column in self.extra else "string"

    def _place(self, name: str, max_columns: int) -> str | None:
        """The column for a name seen for the first time; None where the table is full."""
        clean = column_name(name, len(self.names) + 1)
        column = self.folded.get(clean.casefold())
        if column is None:
            if len(self.folded) >= max_columns:
                self.overflowed = True
                return None
            column = clean
            self.folded[clean.casefold()] = column
            self.extra[column] = _Guess()
        if len(self.names) < 4 * max_columns:
            self.names[name] = column
        return column

    def _append(self, row: dict[str, Any]) -> None:
        self.lines.append(dump_line(row))
        self.rows += 1
        if len(self.lines) >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        if self.lines:
            with self.path.open("a", encoding="ascii") as out:
                out.writelines(self.lines)
            self.lines.clear()

    def columns(self) -> tuple[Column, ...]:
        extra = tuple(Column(name, self._type(name, guess)) for name, guess in self.extra.items())
        return (*self.known, *extra, *((Column(_OVERFLOW, "dynamic"),) if self.overflowed else ()))


class Spools:
    """All tables of one load, or those of ``only`` (without case)."""

    def __init__(self, folder: Path, budget: Budget, only: Collection[str] | None = None) -> None:
        self._only = None if only is None else frozenset(name.casefold() for name in only)
        self.not_made: set[str] = set()
        self._folder = folder
        self._budget = budget
        self._tables: dict[str, TableSpool] = {}
        self._folded: dict[str, str] = {}

    @property
    def limits(self) -> Limits:
        return self._budget.limits

    def wanted(self, name: str) -> bool:
        """Whether rows of this table are kept; one that is not is remembered by name."""
        if self._only is None or name.casefold() in self._only:
            return True
        self.not_made.add(name)
        return False

    def catalogue(self, name: str, origin: str, *, wildcard: bool = True) -> TableSpool:
        """A table of the catalogue, with all its columns and those that say where a row comes from."""
        found = self._tables.get(name)
        return found if found is not None else self._spool(name, origin, (*TABLES[name], *PROVENANCE), wildcard)

    def named(self, name: str, origin: str, known: tuple[Column, ...] = (), *, wildcard: bool = True) -> TableSpool:
        """A table of its own; names that differ only by case are one table."""
        return self._spool(name, origin, known, wildcard)

    def _spool(self, name: str, origin: str, known: tuple[Column, ...], wildcard: bool) -> TableSpool:
        found = self._tables.get(name) or self._tables.get(self._folded.get(name.casefold(), ""))
        if found is None:
            if len(self._tables) >= self.limits.tables:
                raise LoadStopped(
                    f"more than {self.limits.tables:,} tables: the rest is left out; load the files in parts",
                    code="limit.tables",
                )
            path = self._folder / f"{len(self._tables):04d}.ndjson"
            found = self._tables[name] = TableSpool(name, path, origin, known, wildcard, muted=not self.wanted(name))
            self._folded[name.casefold()] = name
        return found

    def count(self, rows: int) -> None:
        self._budget.take_rows(rows)

    def finish(self, out: Path, problem: NoteProblem, progress: Callable[[str], None]) -> tuple[LoadedTable, ...]:
        """Write every table that has rows as ``<name>.parquet``; the spool files are deleted one by one."""
        tables = []
        for spool in sorted(self._tables.values(), key=lambda table: table.name):
            spool.flush()
            if spool.rows and not spool.columns():
                problem(spool.name, "table.empty", f"{spool.rows:,} rows hold no value: there is no table of them")
            elif spool.rows:
                progress(spool.name)
                tables.append(_written(spool, out, problem))
            spool.path.unlink(missing_ok=True)
        return tuple(tables)


def _written(spool: TableSpool, out: Path, problem: NoteProblem) -> LoadedTable:
    path = out / f"{spool.name}.parquet"
    filled = spool.used | {_OVERFLOW}
    try:
        info = write_parquet(spool.path, spool.columns(), path, memory_mb=_MEMORY_MB[0], filled=filled)
    except KqlResourceError:
        info = write_parquet(spool.path, spool.columns(), path, memory_mb=_MEMORY_MB[1], filled=filled)
    if info.misfits:
        problem(
            spool.name,
            "table.misfits",
            f"{info.misfits:,} values did not fit their column's type and are empty in the table",
        )
    if info.skipped:
        problem(
            spool.name,
            "table.long",
            f"{info.skipped:,} rows of over {LINE_BYTES >> 20} MiB each were left out of the table",
        )
    if spool.overflowed:
        problem(
            spool.name,
            "table.columns",
            f"more columns than the cap: the values of the later ones stand in {_OVERFLOW}, by name",
        )
    return LoadedTable(
        name=spool.name,
        path=path,
        columns=tuple(info.columns),
        rows=info.rows,
        first_time=_iso(info.first_time),
        last_time=_iso(info.last_time),
        origin=spool.origin,
        wildcard=spool.wildcard,
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def parsed_json(text: Any) -> Any:
    """The object or list that a text holds, or the text itself."""
    if isinstance(text, str) and text[:1] in ("{", "[") and text[-1:] in ("}", "]"):
        try:
            return json.loads(text, parse_constant=str)
        except (ValueError, RecursionError):
            return text
    return text
