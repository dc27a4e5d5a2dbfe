"""What one column holds, over the rows that pass: counts, ends, the values that come most, how they are spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ircase.grid.model import CELL_CHARACTERS, Condition, cell_text
from ircase.grid.opened import EPOCH, MICROSECOND, Opened, json_cell, opened
from kql.types import Column, KqlType, encode_value

TOP: Final = 20
BINS: Final = 24
_SPREAD: Final[tuple[KqlType, ...]] = ("int", "long", "real", "decimal", "datetime", "timespan")


@dataclass(frozen=True)
class Top:
    """A value as it is shown (None for null), how many rows have it, and whether it was cut."""

    text: str | None
    count: int
    cut: bool = False


@dataclass(frozen=True)
class Bin:
    """Rows from `low`, inclusive, to `high`, exclusive; the last bin's `high` is above the largest value."""

    low: str
    high: str
    count: int


@dataclass(frozen=True)
class Statistics:
    """`rows` pass; `nulls` of them have no value, `empty` an empty text, `distinct` different values stand in the rest.
    All exact. `bins` only for numbers, moments and spans that differ; `unbound` values (NaN, infinite) are in none."""

    column: Column
    rows: int
    nulls: int
    empty: int
    distinct: int
    least: str | None
    most: str | None
    top: tuple[Top, ...]
    bins: tuple[Bin, ...]
    unbound: int = 0


def statistics(parquet: Path, columns: Sequence[Column], name: str, *, filters: Sequence[Condition] = ()) -> Statistics:
    """What the column `name` holds in the rows that pass. Raises GridError."""
    with opened(parquet, columns, filters=filters) as table:
        column = table.column(name)
        where, values = table.where(filters)
        kept = table.text(column) if column.type == "dynamic" else table.value(column)
        table.run(
            f"CREATE TEMP TABLE counted AS SELECT {kept} AS v, count(*) AS n FROM {table.source}{where} GROUP BY v",
            values,
        )
        empty = "v = ''" if column.type in ("string", "dynamic") else "false"
        rows, nulls, blank, distinct, least, most = table.fetch(
            "SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (v IS NULL), 0),"
            f" coalesce(sum(n) FILTER ({empty}), 0), count(v), min(v), max(v) FROM counted"
        )[0]
        bins, unbound = _bins(table, column.type) if column.type in _SPREAD and distinct > 1 else ((), 0)
        ends = (None, None) if column.type in ("dynamic", "bool") else (_text(column, least), _text(column, most))
        counts = int(rows), int(nulls), int(blank), int(distinct)
        return Statistics(column, *counts, *ends, _top(table, column), bins, unbound)


def _text(column: Column, value: Any) -> str | None:
    text = cell_text(json_cell(column.type, value)) if column.type != "dynamic" else value
    return text if text is None else text[:CELL_CHARACTERS]


def _top(table: Opened, column: Column) -> tuple[Top, ...]:
    found = table.fetch(f"SELECT v, n FROM counted ORDER BY n DESC, v NULLS LAST LIMIT {TOP}")
    return tuple(
        Top(_text(column, value), int(count), isinstance(value, str) and len(value) > CELL_CHARACTERS)
        for value, count in found
    )


def _bins(table: Opened, kind: KqlType) -> tuple[tuple[Bin, ...], int]:
    """Bins of equal width between the least and the largest value; whole numbers get whole ends."""
    value = "epoch_us(v)" if kind == "datetime" else "v::DOUBLE" if kind in ("real", "decimal") else "v::HUGEINT"
    finite = "isfinite(v)" if kind in ("real", "datetime") else "v IS NOT NULL"
    low, high, unbound = table.fetch(
        f"SELECT min({value}) FILTER ({finite}), max({value}) FILTER ({finite}),"
        f" coalesce(sum(n) FILTER (v IS NOT NULL AND NOT {finite}), 0) FROM counted"
    )[0]
    if low is None or low == high:
        return (), int(unbound)
    whole = kind not in ("real", "decimal")
    step = -(-(int(high) - int(low) + 1) // BINS) if whole else (high - low) / BINS
    count = -(-(int(high) - int(low) + 1) // step) if whole else BINS
    place = f"least(floor(({value} - ?) / ?)::BIGINT, {count - 1})"
    found = table.fetch(f"SELECT {place} AS b, sum(n) FROM counted WHERE {finite} GROUP BY b", [low, step])
    by_place = {int(at): int(rows) for at, rows in found}
    ends = [low + step * at for at in range(count + 1)]
    if not whole:
        ends[-1] = high + max(abs(high), 1.0) * 1e-9
    texts = [_end(kind, end) for end in ends]
    return tuple(Bin(texts[at], texts[at + 1], by_place.get(at, 0)) for at in range(count)), int(unbound)


def _end(kind: KqlType, value: Any) -> str:
    """An end of a bin as the grid's conditions read it."""
    if kind == "datetime":
        return str(encode_value(kind, EPOCH + MICROSECOND * int(value)))
    if kind == "timespan":
        return str(encode_value(kind, MICROSECOND * int(value)))
    return str(int(value)) if kind in ("int", "long") else f"{float(value):.12g}"
