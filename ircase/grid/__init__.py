"""Rows of a Parquet file for people: paged, sorted, filtered, counted and compared by DuckDB in a locked connection.

Nothing that a person types becomes SQL: a column is one of the columns given, an operator one of `OPERATORS`, and a
value is bound as a parameter.
"""

from ircase.grid.comparing import Change, Comparison, compare
from ircase.grid.finding import Sighting, find
from ircase.grid.joining import Joined, Part, join, plan
from ircase.grid.model import (
    CELL_CHARACTERS,
    MAX_FILTER_TEXT,
    MAX_FILTERS,
    MAX_PAGE,
    OPERATORS,
    Among,
    Condition,
    Filter,
    GridError,
    GridPage,
    GridRow,
    Operator,
    cell_text,
)
from ircase.grid.newness import Fresh, fresh
from ircase.grid.pages import page, row, rows, stream, write
from ircase.grid.statistics import Bin, Statistics, Top, statistics

__all__ = [
    "CELL_CHARACTERS",
    "MAX_FILTERS",
    "MAX_FILTER_TEXT",
    "MAX_PAGE",
    "OPERATORS",
    "Among",
    "Bin",
    "Change",
    "Comparison",
    "Condition",
    "Filter",
    "Fresh",
    "GridError",
    "GridPage",
    "GridRow",
    "Joined",
    "Operator",
    "Part",
    "Sighting",
    "Statistics",
    "Top",
    "cell_text",
    "compare",
    "find",
    "fresh",
    "join",
    "page",
    "plan",
    "row",
    "rows",
    "statistics",
    "stream",
    "write",
]
