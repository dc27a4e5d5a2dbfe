"""Rows that are no Windows events: into the Microsoft table they belong to, else into a table named by their file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from artifacts.choices import Dialect
from artifacts.clock import utc_text
from artifacts.limits import ArtifactError
from artifacts.naming import table_name
from artifacts.reading import Reading
from artifacts.shapes import Shape
from artifacts.spool import Spools, TableSpool, parsed_json
from kql.catalogue import TABLES, recognise
from kql.sql import sandbox
from kql.types import Column, KqlType

_SUFFIX = re.compile(r"(.+)_(?:string|long|int|real|double|bool|datetime|guid|dynamic)\Z")
_BY_FOLDED = {name.casefold(): name for name in TABLES}
_COLUMNS: dict[str, dict[str, Column]] = {
    table: {column.name.casefold(): column for column in columns} for table, columns in TABLES.items()
}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_TWINS = (("Timestamp", "TimeGenerated"), ("TimeGenerated", "Timestamp"))
_PARQUET_BATCH = 1_000


class ParquetBroken(ArtifactError):
    """The Parquet file cannot be read further."""

    code = "parquet.broken"


class FileRows:
    """The rows of one file. ``tables`` counts them by the table they went into.

    ``reading`` says how they are to be read and is told what they look like; without one, texts stay texts.
    """

    def __init__(
        self, spools: Spools, member: str, *, reading: Reading | None = None, name: str = "", origin: str = "file"
    ) -> None:
        self._spools = spools
        self._member = member
        self._reading = reading or Reading()
        chosen = self._reading.table
        self._hint = _BY_FOLDED.get(chosen.casefold()) if chosen else _hinted(member)
        self._name = chosen or (table_name(name) if name else self._own_name(member))
        self._origin = origin
        self._own: TableSpool | None = None
        self.records = 0
        self.tables: dict[str, int] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        self.records += 1
        row = self._reading.take(row)
        table = self._hint or _typed(row) or recognise(row)
        if table is None:
            spool = self._own_spool()
            spool.wildcard = True  # it now holds rows that stand nowhere else
            spool.add(dict(row), self._spools.limits.columns)
        else:
            cells = _cells(table, row)
            cells["SourceFile"] = self._member
            self._spools.catalogue(table, "rows").add(cells, self._spools.limits.columns)
            if self._name != table:
                self._own_spool().add(dict(row), self._spools.limits.columns)
        self._spools.count(1)
        self.tables[table or self._name] = self.tables.get(table or self._name, 0) + 1

    def finish(self, kind: str, dialect: Dialect) -> Shape | None:
        """Make the types of the columns those that the file's values, or a person, say; what the file looks like."""
        if self._own is not None:
            for name, said in self._reading.types().items():
                self._own.declare(name, said)
        survey = self._reading.survey
        if survey is None:
            return None
        own = self._own
        otherwise = {name: own.guessed(name) for name in survey.names} if own is not None else {}
        known = tuple(sorted(table for table in self.tables if table in TABLES))
        table = self._reading.table or self._name
        return Shape(
            self._member, kind, table, self.records, dialect, survey.columns(otherwise), survey.sample(), known
        )

    def declare(self, columns: Mapping[str, KqlType]) -> None:
        """What the format declares of its columns: taken for those that no value tells otherwise."""
        if self.records:
            own = self._own_spool()
            own.expect(columns, self._spools.limits.columns)
            for name, kind in columns.items():
                if own.empty(name):
                    own.declare(name, kind)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Code and sentence of what did not fit."""
        yield from self._reading.problems()

    def _own_spool(self) -> TableSpool:
        """The table named by the file: a second view until a row comes that stands nowhere else."""
        if self._own is None:
            self._own = self._spools.named(self._name, self._origin, wildcard=False)
            self._own.expect(self._reading.expected(), self._spools.limits.columns)
        return self._own

    def _own_name(self, member: str) -> str:
        name = self._hint or table_name(member)
        return f"{name}_file" if name.casefold() in _BY_FOLDED and self._hint is None else name


def _hinted(member: str) -> str | None:
    """The catalogue table that the file's name, or its folder's, says outright."""
    path = PurePosixPath(member.replace("!", "/"))
    named = _BY_FOLDED.get(table_name(member).casefold())
    return named or (_BY_FOLDED.get(path.parent.name.casefold()) if len(path.parts) > 1 else None)


def _typed(row: Mapping[str, Any]) -> str | None:
    """The table that a Log Analytics row names in its Type column."""
    kind = row.get("Type")
    return kind if isinstance(kind, str) and kind in TABLES and "TimeGenerated" in row else None


def _cells(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row under the table's own column names, its values in the table's types; other columns stay beside them."""
    columns = _COLUMNS[table]
    cells: dict[str, Any] = {}
    for name, value in row.items():
        column = columns.get(name.casefold())
        if column is None and (suffixed := _SUFFIX.match(name)):
            column = columns.get(suffixed.group(1).casefold())
        if column is None:
            if value not in (None, ""):
                cells[name] = value
        elif value not in (None, "") or column.name not in cells:
            cells[column.name] = fitted(value, column.type)
    for have, lack in _TWINS:
        if cells.get(have) and not cells.get(lack) and lack.casefold() in columns:
            cells[lack] = cells[have]
    return cells


def fitted(value: Any, kind: KqlType) -> Any:
    """A value as its column's type has it, where it plainly means that; else as it is."""
    if value is None or value == "":
        return None
    if kind == "string":
        return value if isinstance(value, str) else _as_text(value)
    if not isinstance(value, str):
        return value
    if kind == "dynamic":
        return parsed_json(value)
    if kind == "datetime":
        return utc_text(value) or value
    if kind == "bool":
        return _BOOLEANS.get(value.strip().lower(), value)
    if kind in ("int", "long") and re.fullmatch(r"\s*-?\d{1,19}\s*", value):
        return int(value)
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, values as JSON has them. Raises ParquetBroken."""
    connection = sandbox(memory_mb=512, threads=1, paths=[path])
    try:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [str(entry[0]) for entry in result.description or ()]
        while batch := result.fetchmany(_PARQUET_BATCH):
            for values in batch:
                yield {name: _plain(value) for name, value in zip(names, values, strict=True)}
    except Exception as error:  # duckdb raises its own family, and MemoryError or ValueError on hostile pages
        raise ParquetBroken(f"not readable as Parquet: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return str(value) if isinstance(value, float) and value != value else value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, Decimal):
        return str(value)
    if hasattr(value, "isoformat"):
        return utc_text(str(value)) or value.isoformat()
    return str(value)
