"""Named tables over files, and the relations a query sees in their place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from kql.parquet import (
    TIME_COLUMNS,
    ParquetInfo,
    StoredColumn,
    cells_sql,
    json_path,
    lines_sql,
    read_columns,
    stored_columns,
    write_parquet,
)
from kql.sql import SQL_TYPES, quote_name, quote_text, stored_names
from kql.types import Column, KqlType

__all__ = ["TIME_COLUMNS", "ParquetInfo", "Table", "read_columns", "relation", "write_parquet"]

_SAMPLE_LINES = 20_000
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)"
_JSON_TYPES: dict[str, KqlType] = {
    "BOOLEAN": "bool",
    "BIGINT": "long",
    "UBIGINT": "long",
    "DOUBLE": "real",
    "VARCHAR": "string",
    "NULL": "string",
}


@dataclass(frozen=True)
class Table:
    """A table for a query: its name, the files that hold its rows, and its columns.

    ``columns`` None: they are read from the files (Parquet written by ``write_parquet`` knows its KQL types; for any
    other file they are derived). Several files of one table may have different columns; what one lacks is null, for
    a string empty. No paths: an empty table, which then needs ``columns``. ``wildcard`` False: the rows stand in
    another table too, and ``union *`` would count them twice; patterns leave it out unless they fit nothing else.
    """

    name: str
    paths: tuple[Path, ...]
    format: Literal["parquet", "ndjson"] = "parquet"
    columns: tuple[Column, ...] | None = None
    wildcard: bool = True


@dataclass(frozen=True)
class Relation:
    """What a query sees of a table: a SELECT, its columns, and the name that each has in the SELECT.

    Cells are in the form that ``kql.translate.values`` describes.
    """

    sql: str
    columns: tuple[Column, ...]
    stored: tuple[str, ...]


def relation(connection: duckdb.DuckDBPyConnection, table: Table) -> Relation:
    """A table's files as one SELECT. Raises ValueError where nothing says the columns, duckdb.Error for a bad file."""
    if not table.paths:
        if not table.columns:
            raise ValueError(f"table {table.name} has neither files nor columns")
        return empty_relation(table.columns)
    if table.format == "ndjson":
        columns = table.columns or _ndjson_columns(connection, table.paths)
        return _relation(cells_sql(lines_sql(table.paths), columns), columns)
    files = [(path, stored_columns(connection, path)) for path in table.paths]
    columns = table.columns or _merged(stored for _, stored in files)
    arms = [_parquet_arm(path, {s.column.name: s for s in stored}, columns) for path, stored in files]
    return _relation(" UNION ALL ".join(arms), columns)


def empty_relation(columns: Sequence[Column]) -> Relation:
    """A relation of these columns without rows, for checking a query against a schema alone."""
    cells = (
        f"NULL::{SQL_TYPES[c.type]} AS {quote_name(name)}"
        for c, name in zip(columns, stored_names(columns), strict=True)
    )
    return _relation(f"SELECT {', '.join(cells)} WHERE false", columns)


def _relation(sql: str, columns: Sequence[Column]) -> Relation:
    return Relation(sql, tuple(columns), tuple(map(quote_name, stored_names(columns))))


def _merged(files: Iterable[Sequence[StoredColumn]]) -> tuple[Column, ...]:
    """All columns of the files in order of first appearance; where types differ, dynamic, else the first one's."""
    merged: dict[str, Column] = {}
    for stored in files:
        for column in (s.column for s in stored):
            known = merged.setdefault(column.name, column)
            if known.type != column.type and "dynamic" in (known.type, column.type):
                merged[column.name] = Column(column.name, "dynamic")
    return tuple(merged.values())


def _parquet_arm(path: Path, stored: dict[str, StoredColumn], columns: Sequence[Column]) -> str:
    cells = (
        f"{_parquet_cell(column, stored.get(column.name))} AS {quote_name(name)}"
        for column, name in zip(columns, stored_names(columns), strict=True)
    )
    return f"SELECT {', '.join(cells)} FROM read_parquet({quote_text(str(path))})"


def _parquet_cell(column: Column, stored: StoredColumn | None) -> str:
    kind = SQL_TYPES[column.type]
    if stored is None:
        return "''" if column.type == "string" else f"NULL::{kind}"
    name = quote_name(stored.stored)
    if column.type == "dynamic" and stored.column.type != "dynamic":
        return f"to_json({name})"
    if stored.column.type != column.type:
        return f"TRY_CAST({name} AS {kind})"
    return name if stored.exact else _foreign_cell(column, name)


def _foreign_cell(column: Column, name: str) -> str:
    """A cell of a file that ``write_parquet`` did not write: other physical types, and null strings."""
    if column.type == "string":
        return f"coalesce({name}::VARCHAR, '')"
    if column.type == "dynamic":
        return f"to_json({name})"
    if column.type == "timespan":
        return f"epoch_us(TRY_CAST({name} AS INTERVAL))"
    return f"TRY_CAST({name} AS {SQL_TYPES[column.type]})"


def _ndjson_columns(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> tuple[Column, ...]:
    """Columns from the keys of the first lines; texts that all are ISO 8601 moments make a datetime."""
    sample = f"SELECT j FROM ({lines_sql(paths)}) WHERE json_type(j) = 'OBJECT' LIMIT {_SAMPLE_LINES}"
    row = connection.execute(f"SELECT json_group_structure(j)::VARCHAR FROM ({sample})").fetchone()
    structure = json.loads(row[0]) if row and row[0] else {}
    if not structure:
        raise ValueError("no line is a JSON object")
    texts = [name for name, kind in structure.items() if kind == "VARCHAR"]
    moments = _moments(connection, sample, texts)
    return tuple(Column(name, "datetime" if name in moments else _json_type(kind)) for name, kind in structure.items())


def _json_type(kind: object) -> KqlType:
    """The KQL type of a type in ``json_group_structure``'s words."""
    return _JSON_TYPES.get(kind, "dynamic") if isinstance(kind, str) else "dynamic"


def _moments(connection: duckdb.DuckDBPyConnection, sample: str, names: Sequence[str]) -> set[str]:
    if not names:
        return set()
    tests = ", ".join(
        f"bool_and(regexp_full_match(nullif({cell}, ''), {quote_text(_MOMENT)}))"
        for cell in (f"json_extract_string(j, {quote_text(json_path(name))})" for name in names)
    )
    row = connection.execute(f"SELECT {tests} FROM ({sample})").fetchone()
    assert row is not None
    return {name for name, all_match in zip(names, row, strict=True) if all_match}
