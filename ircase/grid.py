"""Pages of a Parquet file for people: paged, sorted and filtered by DuckDB in a locked connection.

Nothing that a person types becomes SQL: a column is one of the columns given, an operator one of `OPERATORS`, and a
value is bound as a parameter.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import duckdb

from kql.parquet import StoredColumn, stored_columns
from kql.sql import quote_name, quote_text, sandbox
from kql.types import Column, Json, KqlType, Value, decode_value, encode_value

Operator = Literal["contains", "equals", "not", "empty", "present"]
OPERATORS: Final = get_args(Operator)
MAX_PAGE: Final = 1000
MAX_FILTERS: Final = 20
MAX_FILTER_TEXT: Final = 2000
CELL_CHARACTERS: Final = 2000
"""A longer cell is cut on a page; `row` has all of it."""

_MEMORY_MB: Final = 512
_SECONDS: Final = 20.0
_BATCH: Final = 2000
_NUMBER: Final = "file_row_number"


class GridError(ValueError):
    """The page cannot be made as asked: a column that is not there, a value that does not fit, a file that is gone."""


@dataclass(frozen=True)
class Filter:
    """One condition on one column. `text` is what a person typed; `empty` and `present` need none."""

    column: str
    text: str = ""
    operator: Operator = "contains"


@dataclass(frozen=True)
class GridRow:
    """One row: its number in the file, from 1 and the same however the page is sorted, and its cells as KQL's JSON."""

    number: int
    cells: tuple[Json, ...]

    @property
    def texts(self) -> tuple[str | None, ...]:
        """The cells as they are shown; None for null."""
        return tuple(cell_text(cell) for cell in self.cells)


@dataclass(frozen=True)
class GridPage:
    """`rows` from `offset`; `matched` rows pass the filters, of `total` in the file."""

    columns: tuple[Column, ...]
    rows: tuple[GridRow, ...]
    total: int
    matched: int
    offset: int
    limit: int


def page(
    parquet: Path,
    columns: Sequence[Column],
    *,
    offset: int = 0,
    limit: int = 50,
    sort: str = "",
    filters: Sequence[Filter] = (),
) -> GridPage:
    """Rows `offset` to `offset + limit` of a table. `sort` is a column's name, with a minus before it for descending;
    nulls come last either way, equal values in the order of the file. Raises GridError."""
    offset, limit = max(0, offset), min(max(1, limit), MAX_PAGE)
    with _opened(parquet, columns) as grid:
        where, values = grid.where(filters)
        order = grid.order(sort)
        total = grid.scalar(f"SELECT count(*) FROM {grid.source}", [])
        matched = grid.scalar(f"SELECT count(*) FROM {grid.source}{where}", values) if where else total
        sql = f"SELECT {grid.cells(cut=True)} FROM {grid.source}{where}{order} LIMIT {limit} OFFSET {offset}"
        rows = tuple(grid.row(found) for found in grid.fetch(sql, values))
    return GridPage(tuple(columns), rows, total, matched, offset, limit)


def row(parquet: Path, columns: Sequence[Column], number: int) -> dict[str, Json] | None:
    """One whole row by its number, as the record has it; None where there is no such row. Raises GridError."""
    with _opened(parquet, columns) as grid:
        sql = f"SELECT {grid.cells()} FROM {grid.source} WHERE {_NUMBER} = ?"
        found = grid.fetch(sql, [number - 1]) if 0 < number < 2**62 else []
        cells = [grid.row(item).cells for item in found]
    return {c.name: cell for c, cell in zip(columns, cells[0], strict=True)} if cells else None


def stream(
    parquet: Path,
    columns: Sequence[Column],
    *,
    sort: str = "",
    filters: Sequence[Filter] = (),
    seconds: float = 600.0,
) -> Iterator[GridRow]:
    """Every row that passes, for an export: read as it is taken, never all in memory. Raises GridError."""
    with _opened(parquet, columns, seconds) as grid:
        where, values = grid.where(filters)
        grid.run(f"SELECT {grid.cells()} FROM {grid.source}{where}{grid.order(sort)}", values)
        while found := grid.next_rows():
            yield from (grid.row(item) for item in found)


def cell_text(cell: Json) -> str | None:
    """A cell as it is shown, searched and exported: texts as they are, the rest as JSON writes it."""
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False, separators=(",", ":"))


class _Grid:
    """One file, opened alone."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, parquet: Path, columns: Sequence[Column]) -> None:
        self.connection = connection
        self.columns = tuple(columns)
        self.by_name = {column.name: column for column in columns}
        self.stored = {found.column.name: found for found in self._file_columns(parquet)}
        self.source = f"read_parquet({quote_text(str(parquet))}, {_NUMBER} = true)"

    def _file_columns(self, parquet: Path) -> tuple[StoredColumn, ...]:
        with _errors():
            return stored_columns(self.connection, parquet)

    def column(self, name: str) -> Column:
        if name not in self.by_name:
            raise GridError(f"There is no column {name[:80]!r} in this table.")
        return self.by_name[name]

    def cells(self, *, cut: bool = False) -> str:
        named = (f"{self._cell(column, cut)} AS c{place}" for place, column in enumerate(self.columns))
        return ", ".join([_NUMBER, *named])

    def _cell(self, column: Column, cut: bool) -> str:
        value = self._value(column)
        if column.type in ("string", "dynamic"):
            value = f"({value})::VARCHAR"
            return f"left({value}, {CELL_CHARACTERS})" if cut and column.type == "string" else value
        return value

    def _value(self, column: Column) -> str:
        """The column as SQL; a timespan as whole microseconds."""
        stored = self.stored.get(column.name)
        if stored is None:
            return "NULL"
        name = quote_name(stored.stored)
        if column.type == "timespan" and not stored.microseconds:
            return f"epoch_us({name})"
        return name

    def _text(self, column: Column) -> str:
        """The column as the text a person sees."""
        value = self._value(column)
        if column.type == "datetime":
            return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f0Z')"
        if column.type == "timespan":
            return _SPAN_TEXT.format(value)
        return f"({value})::VARCHAR"

    def order(self, sort: str) -> str:
        if not sort:
            return f" ORDER BY {_NUMBER}"
        descending = sort.startswith("-")
        column = self.column(sort[1:] if descending else sort)
        if column.name not in self.stored:
            return f" ORDER BY {_NUMBER}"
        value = self._text(column) if column.type == "dynamic" else self._value(column)
        return f" ORDER BY {value} {'DESC' if descending else 'ASC'} NULLS LAST, {_NUMBER}"

    def where(self, filters: Sequence[Filter]) -> tuple[str, list[Any]]:
        if len(filters) > MAX_FILTERS:
            raise GridError(f"At most {MAX_FILTERS} conditions at a time.")
        conditions, values = [], []
        for wanted in filters:
            condition, bound = self._condition(wanted)
            conditions.append(condition)
            values += bound
        return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values

    def _condition(self, wanted: Filter) -> tuple[str, list[Any]]:
        column = self.column(wanted.column)
        if len(wanted.text) > MAX_FILTER_TEXT:
            raise GridError(f"A condition is at most {MAX_FILTER_TEXT} characters long.")
        if wanted.operator in ("empty", "present"):
            empty = f"coalesce({self._text(column)}, '') = ''"
            return (empty if wanted.operator == "empty" else f"NOT ({empty})"), []
        if wanted.operator == "contains":
            return f"contains(lower({self._text(column)}), lower(?))", [_bindable(wanted.text)]
        if wanted.operator not in OPERATORS:
            raise GridError(f"{str(wanted.operator)[:40]!r} is no condition; use one of {', '.join(OPERATORS)}.")
        same, value = self._same(column, wanted.text)
        return (same if wanted.operator == "equals" else f"({same}) IS NOT TRUE"), [value]

    def _same(self, column: Column, text: str) -> tuple[str, Any]:
        """Equality by meaning: `1` and `1.0` are the same real, two spellings of a moment the same datetime."""
        if column.type in ("string", "dynamic"):
            return f"{self._text(column)} = ?", _bindable(text)
        try:
            value = decode_value(column.type, _plain(column.type, text.strip()))
        except ValueError:
            raise GridError(f"{text[:80]!r} is no {column.type}, which the column {column.name} holds.") from None
        if column.type == "timespan":
            return f"{self._value(column)} = ?", value // _MICROSECOND
        if column.type == "datetime":
            return f"{self._value(column)} = ?::TIMESTAMP", value.replace(tzinfo=None)
        if column.type == "guid":
            return f"lower({self._text(column)}) = ?", str(value).lower()
        return f"{self._value(column)} = ?", value

    def row(self, found: Sequence[Any]) -> GridRow:
        cells = (_json_cell(c.type, value) for c, value in zip(self.columns, found[1:], strict=True))
        return GridRow(int(found[0]) + 1, tuple(cells))

    def run(self, sql: str, values: list[Any]) -> None:
        with _errors():
            self.connection.execute(sql, values)

    def next_rows(self) -> list[tuple[Any, ...]]:
        with _errors():
            found: list[tuple[Any, ...]] = self.connection.fetchmany(_BATCH)
        return found

    def fetch(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        self.run(sql, values)
        with _errors():
            found: list[tuple[Any, ...]] = self.connection.fetchall()
        return found

    def scalar(self, sql: str, values: list[Any]) -> int:
        return int(self.fetch(sql, values)[0][0])


# A timespan, kept as microseconds, as KQL writes it: [-][d.]hh:mm:ss[.fffffff].
_SPAN_TEXT: Final = (
    "(CASE WHEN {0} < 0 THEN '-' ELSE '' END"
    " || CASE WHEN abs({0}) >= 86400000000 THEN (abs({0}) // 86400000000)::VARCHAR || '.' ELSE '' END"
    " || printf('%02d:%02d:%02d', abs({0}) // 3600000000 % 24, abs({0}) // 60000000 % 60, abs({0}) // 1000000 % 60)"
    " || CASE WHEN {0} % 1000000 <> 0 THEN printf('.%06d0', abs({0}) % 1000000) ELSE '' END)"
)
_MICROSECOND: Final = decode_value("timespan", "00:00:00.000001")


def _plain(kind: KqlType, text: str) -> Json:
    """What a person typed, as the JSON that `decode_value` reads."""
    if kind == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def _bindable(text: str) -> str:
    """A lone surrogate cannot be UTF-8, which is what DuckDB compares; no stored text holds one either."""
    return text.encode("utf-8", "replace").decode()


def _json_cell(kind: KqlType, value: Value) -> Json:
    if value is None:
        return None
    if kind == "timespan":
        return encode_value(kind, _MICROSECOND * int(value))
    if kind == "dynamic":
        try:
            return json.loads(value)
        except ValueError:
            return str(value)
    return encode_value(kind, value)


@contextmanager
def _opened(parquet: Path, columns: Sequence[Column], seconds: float = _SECONDS) -> Iterator[_Grid]:
    if not parquet.is_file():
        raise GridError("The rows are not there any more. Read the evidence into tables again: they are made from it.")
    with sandbox(memory_mb=_MEMORY_MB, threads=2, paths=[parquet]) as connection:
        clock = threading.Timer(seconds, connection.interrupt)
        clock.daemon = True
        clock.start()
        try:
            yield _Grid(connection, parquet, columns)
        finally:
            clock.cancel()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise GridError("This took too long and was stopped. Narrow it with a condition, or ask in KQL.") from None
    except duckdb.OutOfMemoryException:
        raise GridError("This needs more memory than a page may use. Narrow it with a condition first.") from None
    except duckdb.Error as error:
        raise GridError("The rows cannot be read. Read the evidence into tables again.") from error
