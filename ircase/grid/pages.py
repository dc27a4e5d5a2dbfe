"""Pages, single rows and streams of a table."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ircase.grid.model import MAX_PAGE, Condition, GridPage, GridRow
from ircase.grid.opened import NUMBER, Opened, opened
from kql.sql import quote_name, quote_text
from kql.types import Column, Json

EXPORT_SECONDS: Final = 600.0
_GROUP: Final = 20_480
"""Rows of a group in a written file: DuckDB holds whole groups in memory until they are written."""


def page(
    parquet: Path,
    columns: Sequence[Column],
    *,
    offset: int = 0,
    limit: int = 50,
    sort: str = "",
    filters: Sequence[Condition] = (),
    only: Sequence[Column] = (),
) -> GridPage:
    """Rows `offset` to `offset + limit` of a table, with the columns `only` where they are given. `sort` is a column's
    name, with a minus before it for descending; nulls come last either way, equal values in the order of the file.
    Raises GridError."""
    offset, limit = max(0, offset), min(max(1, limit), MAX_PAGE)
    with opened(parquet, columns, filters=filters) as table:
        total = table.scalar(f"SELECT count(*) FROM {table.source}")
        matched = hits(table, filters) if filters else total
        shown = tuple(only or columns)
        rows = tuple(_rows(table, _wanted(table, sort, filters, matched, offset, limit), shown, cut=True))
    return GridPage(shown, rows, total, matched, offset, limit)


def hits(table: Opened, filters: Sequence[Condition]) -> int:
    """Put the numbers of the rows that pass into the table `hits`; returns how many there are."""
    where, values = table.where(filters)
    table.run(f"CREATE OR REPLACE TEMP TABLE hits AS SELECT {NUMBER} AS hit FROM {table.source}{where}", values)
    return table.scalar("SELECT count(*) FROM hits")


def _wanted(
    table: Opened, sort: str, filters: Sequence[Condition], matched: int, offset: int, limit: int
) -> Sequence[int]:
    """The numbers of the page's rows in the file, from 0, in order. Sorting the rows themselves would take their width
    in memory for every row before the page."""
    key, descending = table.key(sort)
    last = min(offset + limit, matched)
    if offset >= matched:
        return ()
    if not key and not filters:
        return range(offset, last)
    source = f"hits JOIN {table.source} ON hit = {NUMBER}" if filters and key else table.source
    number = "hit" if filters else NUMBER
    source = "hits" if filters and not key else source
    # From the nearer end: the last page is as quick as the first. Nulls stay last, equal values in the file's order.
    backwards = offset > matched - last
    keys = (
        [f"{key} {'DESC' if descending != backwards else 'ASC'} NULLS {'FIRST' if backwards else 'LAST'}"]
        if key
        else []
    )
    order = ", ".join([*keys, f"{number} {'DESC' if backwards else 'ASC'}"])
    start = matched - last if backwards else offset
    found = table.fetch(f"SELECT {number} FROM {source} ORDER BY {order} LIMIT {last - offset} OFFSET {start}")
    return [int(one) for (one,) in (reversed(found) if backwards else found)]


def _rows(table: Opened, numbers: Sequence[int], columns: Sequence[Column], *, cut: bool) -> list[GridRow]:
    """The rows of these numbers (from 0), in that order."""
    if not numbers:
        return []
    if isinstance(numbers, range):
        where = f"{NUMBER} >= {numbers.start} AND {NUMBER} < {numbers.stop}"
        values: list[list[int]] = []
    else:
        where, values = f"{NUMBER} IN (SELECT unnest(?::BIGINT[]))", [list(numbers)]
    place = {number + 1: at for at, number in enumerate(numbers)}
    found = table.fetch(f"SELECT {table.cells(columns, cut=cut)} FROM {table.source} WHERE {where}", values)
    return sorted((table.row(one, columns) for one in found), key=lambda one: place[one.number])


def row(parquet: Path, columns: Sequence[Column], number: int) -> dict[str, Json] | None:
    """One whole row by its number, as the record has it; None where there is no such row. Raises GridError."""
    found = rows(parquet, columns, [number])
    return {c.name: cell for c, cell in zip(columns, found[0].cells, strict=True)} if found else None


def rows(parquet: Path, columns: Sequence[Column], numbers: Sequence[int]) -> list[GridRow]:
    """Whole rows by their numbers from 1, in that order; numbers that are none are left out. Raises GridError."""
    wanted = [number - 1 for number in dict.fromkeys(numbers) if 0 < number < 2**62][:MAX_PAGE]
    with opened(parquet, columns) as table:
        return _rows(table, wanted, columns, cut=False)


def stream(
    parquet: Path,
    columns: Sequence[Column],
    *,
    sort: str = "",
    filters: Sequence[Condition] = (),
    only: Sequence[Column] = (),
    seconds: float = EXPORT_SECONDS,
    spill: Path | None = None,
) -> Iterator[GridRow]:
    """Every row that passes, with the columns `only` where they are given: read as it is taken, never all in memory.
    Sorting more than fits into memory needs `spill`, a folder. Raises GridError."""
    with opened(parquet, columns, seconds, spill=spill, filters=filters) as table:
        where, values = table.where(filters)
        shown = only or columns
        # DuckDB keeps the order of the file by itself, and without holding the rows.
        order = table.order(sort) if sort else ""
        table.run(f"SELECT {table.cells(shown)} FROM {table.source}{where}{order}", values)
        while found := table.next_rows():
            yield from (table.row(item, shown) for item in found)


def write(
    parquet: Path,
    columns: Sequence[Column],
    out: Path,
    *,
    sort: str = "",
    filters: Sequence[Condition] = (),
    only: Sequence[Column] = (),
    seconds: float = EXPORT_SECONDS,
    spill: Path | None = None,
) -> None:
    """The rows that pass as a Parquet file with the same columns (or those of `only`) and KQL types, at `out`. Raises
    GridError."""
    with opened(parquet, columns, seconds, out=out, spill=spill, filters=filters) as table:
        where, values = table.where(filters)
        kept = [found for found in (table.stored.get(column.name) for column in only or columns) if found is not None]
        names = ", ".join(quote_name(found.stored) for found in kept)
        order = table.order(sort) if sort else ""
        table.run(
            f"COPY (SELECT {names} FROM {table.source}{where}{order}) TO {quote_text(str(out))}"
            f" (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, ROW_GROUP_SIZE {_GROUP}, KV_METADATA"
            f" {{'kql.columns': {quote_text(json.dumps([[f.column.name, f.column.type, f.stored] for f in kept]))}}})",
            values,
        )
