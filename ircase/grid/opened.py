"""Parquet files opened alone, in a DuckDB that reads nothing else, and their columns as SQL."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from ircase.grid.model import (
    CELL_CHARACTERS,
    MAX_FILTER_TEXT,
    MAX_FILTERS,
    OPERATORS,
    Among,
    Condition,
    Filter,
    GridError,
    GridRow,
)
from kql.parquet import StoredColumn, stored_columns
from kql.sql import quote_name, quote_text, sandbox
from kql.types import Column, Json, KqlType, Value, decode_value, encode_value

SECONDS: Final = 20.0
NUMBER: Final = "file_row_number"
MICROSECOND: Final = decode_value("timespan", "00:00:00.000001")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MEMORY_MB: Final = 512
_BATCH: Final = 2000
# A timespan, kept as microseconds, as KQL writes it: [-][d.]hh:mm:ss[.fffffff].
_SPAN_TEXT: Final = (
    "(CASE WHEN {0} < 0 THEN '-' ELSE '' END"
    " || CASE WHEN abs({0}) >= 86400000000 THEN (abs({0}) // 86400000000)::VARCHAR || '.' ELSE '' END"
    " || printf('%02d:%02d:%02d', abs({0}) // 3600000000 % 24, abs({0}) // 60000000 % 60, abs({0}) // 1000000 % 60)"
    " || CASE WHEN {0} % 1000000 <> 0 THEN printf('.%06d0', abs({0}) % 1000000) ELSE '' END)"
)


class Opened:
    """One file, with the columns by which the case knows it. SQL made here names nothing that a person typed: a column
    is one of the file's, a value a bound parameter."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, parquet: Path, columns: Sequence[Column]) -> None:
        self.connection = connection
        self.parquet = parquet
        self.columns = tuple(columns)
        self.by_name = {column.name: column for column in columns}
        self.stored = {found.column.name: found for found in self._file_columns(parquet)}
        self.source = f"read_parquet({quote_text(str(parquet))}, {NUMBER} = true)"

    def _file_columns(self, parquet: Path) -> tuple[StoredColumn, ...]:
        with errors():
            return stored_columns(self.connection, parquet)

    def column(self, name: str) -> Column:
        if name not in self.by_name:
            raise GridError(f"There is no column {name[:80]!r} in this table.")
        return self.by_name[name]

    def cells(self, columns: Sequence[Column] | None = None, *, cut: bool = False) -> str:
        """A select list: the row's number, then the cells as `row` reads them."""
        wanted = self.columns if columns is None else columns
        return ", ".join([NUMBER, *(f"{self._cell(column, cut)} AS c{place}" for place, column in enumerate(wanted))])

    def _cell(self, column: Column, cut: bool) -> str:
        value = self.value(column)
        if column.type in ("string", "dynamic"):
            value = f"({value})::VARCHAR"
            return f"left({value}, {CELL_CHARACTERS})" if cut and column.type == "string" else value
        return value

    def value(self, column: Column) -> str:
        """The column as SQL; a timespan as whole microseconds."""
        stored = self.stored.get(column.name)
        if stored is None:
            return "NULL"
        name = quote_name(stored.stored)
        if column.type == "timespan" and not stored.microseconds:
            return f"epoch_us({name})"
        return name

    def text(self, column: Column) -> str:
        """The column as the text a person sees."""
        value = self.value(column)
        if column.type == "datetime":
            return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f0Z')"
        if column.type == "timespan":
            return _SPAN_TEXT.format(value)
        return f"({value})::VARCHAR"

    def key(self, sort: str) -> tuple[str, bool]:
        """What to sort by as SQL, empty for the order of the file, and whether it is descending."""
        descending = sort.startswith("-")
        name = sort[1:] if descending else sort
        if not sort:
            return "", False
        column = self.column(name)
        if column.name not in self.stored:
            return "", False
        return (self.text(column) if column.type == "dynamic" else self.value(column)), descending

    def order(self, sort: str) -> str:
        key, descending = self.key(sort)
        return (
            f" ORDER BY {key} {'DESC' if descending else 'ASC'} NULLS LAST, {NUMBER}" if key else f" ORDER BY {NUMBER}"
        )

    def where(self, filters: Sequence[Condition]) -> tuple[str, list[Any]]:
        if len(filters) > MAX_FILTERS:
            raise GridError(f"At most {MAX_FILTERS} conditions at a time.")
        conditions, values = [], []
        for wanted in filters:
            condition, bound = _among(wanted) if isinstance(wanted, Among) else self._condition(wanted)
            conditions.append(condition)
            values += bound
        return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values

    def _condition(self, wanted: Filter) -> tuple[str, list[Any]]:
        column = self.column(wanted.column)
        if len(wanted.text) > MAX_FILTER_TEXT:
            raise GridError(f"A condition is at most {MAX_FILTER_TEXT} characters long.")
        if wanted.operator in ("empty", "present"):
            empty = f"coalesce({self.text(column)}, '') = ''"
            return (empty if wanted.operator == "empty" else f"NOT ({empty})"), []
        if wanted.operator == "contains":
            return f"contains(lower({self.text(column)}), lower(?))", [bindable(wanted.text)]
        if wanted.operator not in OPERATORS:
            raise GridError(f"{str(wanted.operator)[:40]!r} is no condition; use one of {', '.join(OPERATORS)}.")
        left, right, value = self.sides(column, wanted.text)
        if wanted.operator in ("least", "below"):
            return f"{left} {'>=' if wanted.operator == 'least' else '<'} {right}", [value]
        same = f"{left} = {right}"
        return (same if wanted.operator == "equals" else f"({same}) IS NOT TRUE"), [value]

    def sides(self, column: Column, text: str) -> tuple[str, str, Any]:
        """Both sides of a comparison by meaning, and the value to bind: `1` and `1.0` are the same real, two spellings
        of a moment the same datetime."""
        if column.type in ("string", "dynamic"):
            return self.text(column), "?", bindable(text)
        try:
            value = decode_value(column.type, _plain(column.type, text.strip()))
        except ValueError:
            raise GridError(f"{text[:80]!r} is no {column.type}, which the column {column.name} holds.") from None
        if column.type == "timespan":
            return self.value(column), "?", value // MICROSECOND
        if column.type == "datetime":
            return self.value(column), "?::TIMESTAMP", value.replace(tzinfo=None)
        if column.type == "guid":
            return f"lower({self.text(column)})", "?", bindable(str(value).lower())
        return self.value(column), "?", value

    def row(self, found: Sequence[Any], columns: Sequence[Column] | None = None) -> GridRow:
        wanted = self.columns if columns is None else columns
        cells = (json_cell(c.type, value) for c, value in zip(wanted, found[1:], strict=True))
        return GridRow(int(found[0]) + 1, tuple(cells))

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        with errors():
            self.connection.execute(sql, list(values))

    def next_rows(self) -> list[tuple[Any, ...]]:
        with errors():
            found: list[tuple[Any, ...]] = self.connection.fetchmany(_BATCH)
        return found

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.run(sql, values)
        with errors():
            found: list[tuple[Any, ...]] = self.connection.fetchall()
        return found

    def scalar(self, sql: str, values: Sequence[Any] = ()) -> int:
        return int(self.fetch(sql, values)[0][0])


def _among(wanted: Among) -> tuple[str, list[Any]]:
    if wanted.listed is not None:
        return f"{NUMBER} IN (SELECT hit FROM read_parquet({quote_text(str(wanted.listed))}))", []
    return f"{NUMBER} IN (SELECT unnest(?::BIGINT[]))", [[number - 1 for number in wanted.numbers]]


def _plain(kind: KqlType, text: str) -> Json:
    """What a person typed, as the JSON that `decode_value` reads."""
    if kind == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def bindable(text: str) -> str:
    """A lone surrogate cannot be UTF-8, which is what DuckDB compares; no stored text holds one either."""
    return text.encode("utf-8", "replace").decode()


def json_cell(kind: KqlType, value: Value) -> Json:
    """A fetched value as KQL's JSON."""
    if value is None:
        return None
    if kind == "timespan":
        return encode_value(kind, MICROSECOND * int(value))
    if kind == "dynamic":
        try:
            return json.loads(value)
        except ValueError:
            return str(value)
    return encode_value(kind, value)


@contextmanager
def opened(
    parquet: Path,
    columns: Sequence[Column],
    seconds: float = SECONDS,
    *,
    out: Path | None = None,
    spill: Path | None = None,
    filters: Sequence[Condition] = (),
) -> Iterator[Opened]:
    """The file, for at most so many seconds; `out` is a file that may be written, `spill` a folder for what does not
    fit into memory, `filters` what will be asked, for the lists of rows that they name. Raises GridError."""
    lists = [one.listed for one in filters if isinstance(one, Among) and one.listed is not None]
    with connected([parquet, *lists], seconds, out=[out] if out else (), spill=spill) as connection:
        yield Opened(connection, parquet, columns)


@contextmanager
def connected(
    parquets: Sequence[Path], seconds: float, *, out: Sequence[Path] = (), spill: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads these files, may write those of `out`, and that the clock stops. Raises GridError."""
    if not all(parquet.is_file() for parquet in parquets):
        raise GridError("The rows are not there any more. Read the evidence into tables again: they are made from it.")
    paths = [*parquets, *out]
    with sandbox(memory_mb=_MEMORY_MB, threads=2, temp=spill, paths=paths) as connection:
        clock = threading.Timer(seconds, connection.interrupt)
        clock.daemon = True
        clock.start()
        try:
            yield connection
        finally:
            clock.cancel()


@contextmanager
def errors() -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise GridError("This took too long and was stopped. Narrow it with a condition, or ask in KQL.") from None
    except duckdb.OutOfMemoryException:
        raise GridError("This needs more memory than a page may use. Narrow it with a condition first.") from None
    except duckdb.Error as error:
        raise GridError("The rows cannot be read. Read the evidence into tables again.") from error
