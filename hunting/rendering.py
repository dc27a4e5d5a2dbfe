"""What a query's `render` asks for, over the rows that its run gave.

https://learn.microsoft.com/en-us/kusto/query/render-operator
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hunting import results
from hunting.models import HuntRun
from ircase import grid, plots
from ircase.grid import GridRow
from kql import Column
from kql.errors import KqlError
from kql.syntax import tree
from kql.syntax.parser import parse
from kql.types import KqlType, parse_datetime, parse_timespan

MOST_ROWS: Final = 5000
"""So many rows are drawn; the grid has all."""
_NUMBERS: Final[tuple[KqlType, ...]] = ("int", "long", "real", "decimal", "timespan")
_KINDS: Final[dict[str, plots.Kind]] = {
    "timechart": "line",
    "linechart": "line",
    "areachart": "area",
    "stackedareachart": "area",
    "columnchart": "column",
    "barchart": "bar",
    "scatterchart": "scatter",
    "piechart": "pie",
}


@dataclass(frozen=True)
class Asked:
    """The `render` at a query's end: the kind as written, and its properties."""

    kind: str
    properties: dict[str, Any]

    def names(self, key: str) -> list[str]:
        """A property that names columns."""
        value = self.properties.get(key, [])
        return [str(one) for one in (value if isinstance(value, list) else [value])]


@dataclass(frozen=True)
class Chart:
    """What stands above the grid: a plot, or why there is none."""

    kind: str
    title: str
    plot: plots.Plot | None = None
    problem: str = ""


def asked(text: str) -> Asked | None:
    """The `render` that ends a query; None without one, for a text that cannot be read, and for `render table`."""
    try:
        body = parse(text).body
    except KqlError:
        return None
    last = body.operators[-1] if isinstance(body, tree.Pipeline) and body.operators else None
    if not isinstance(last, tree.Render) or last.kind == "table":
        return None
    return Asked(last.kind, {name.lower(): value for name, value in last.properties})


def chart_of(run: HuntRun) -> Chart | None:
    """The chart that the run's query asked for; None where it asked for none or has no rows."""
    wanted = asked(run.final_kql)
    if wanted is None or run.table is None or not run.row_count:
        return None
    title = str(wanted.properties.get("title") or run.title)
    kind = _KINDS.get(wanted.kind)
    if kind is None:
        known = ", ".join(sorted(_KINDS))
        return Chart(wanted.kind, title, problem=f"There is no drawing of a {wanted.kind} here; of {known} there is.")
    columns = results.columns_of(run)
    try:
        rows = grid.page(run.table.path, columns, limit=grid.MAX_PAGE)
        every = list(rows.rows)
        while len(every) < min(rows.total, MOST_ROWS):
            every += grid.page(run.table.path, columns, offset=len(every), limit=grid.MAX_PAGE).rows
        axis, series = _series(wanted, columns, every)
    except (grid.GridError, ValueError) as error:
        return Chart(wanted.kind, title, problem=str(error))
    stacked = wanted.kind == "stackedareachart" or str(wanted.properties.get("kind", "")).startswith("stacked")
    drawn = plots.plot(kind, f"{title}, {wanted.kind}", series, axis, stacked=stacked)
    if rows.total > MOST_ROWS:
        note = f"The first {MOST_ROWS:,} of {rows.total:,} rows are drawn; the grid has all."
        drawn = plots.Plot(drawn.drawing, drawn.legend, (*drawn.notes, note))
    return Chart(wanted.kind, title, drawn)


def _series(wanted: Asked, columns: Sequence[Column], rows: Sequence[GridRow]) -> tuple[str, list[plots.Series]]:
    """The name of the axis, and the series: one for each column of values and each value of the columns that split
    them, as Kusto chooses the columns where the query names none. Raises ValueError with what is missing."""
    by_name = {column.name: at for at, column in enumerate(columns)}
    for name in (*wanted.names("xcolumn"), *wanted.names("ycolumns"), *wanted.names("series")):
        if name not in by_name:
            raise ValueError(f"render names the column {name}, which the result does not have.")
    axis = _axis(wanted, columns)
    values = wanted.names("ycolumns") or [c.name for c in columns if c.type in _NUMBERS and c.name != axis]
    if not values:
        raise ValueError("The result has no column of numbers to draw.")
    words = [c.name for c in columns if c.type in ("string", "bool", "guid") and c.name != axis]
    split = wanted.names("series") or words
    found: dict[str, list[tuple[plots.Place, float]]] = {}
    for row in rows:
        place = _place(columns[by_name[axis]].type, row.cells[by_name[axis]])
        of = ", ".join(grid.cell_text(row.cells[by_name[name]]) or "(empty)" for name in split)
        for name in values:
            value = _value(columns[by_name[name]].type, row.cells[by_name[name]])
            if place is not None and value is not None:
                label = f"{of}: {name}" if of and len(values) > 1 else of or name
                found.setdefault(label, []).append((place, value))
    return axis, [plots.Series(name, tuple(points)) for name, points in found.items()]


def _axis(wanted: Asked, columns: Sequence[Column]) -> str:
    """`xcolumn`; for a chart over time the first moment, else the first column."""
    named = wanted.names("xcolumn")
    moments = [column.name for column in columns if column.type == "datetime"]
    if named:
        return named[0]
    if wanted.kind == "timechart":
        if not moments:
            raise ValueError("A timechart needs a datetime column; the result has none.")
        return moments[0]
    return columns[0].name


def _place(kind: KqlType, cell: Any) -> plots.Place | None:
    if cell is None:
        return None
    if kind == "datetime":
        moment: datetime = parse_datetime(cell)
        return moment
    number = _value(kind, cell) if kind in _NUMBERS else None
    return number if number is not None else (grid.cell_text(cell) or "(empty)")


def _value(kind: KqlType, cell: Any) -> float | None:
    """A number; a span in seconds. Nothing for null, NaN and what is infinite."""
    if cell is None or cell in ("NaN", "Infinity", "-Infinity"):
        return None
    return parse_timespan(cell).total_seconds() if kind == "timespan" else float(cell)
