"""What is asked of a table's rows, and what comes back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from kql.types import Column, Json

Operator = Literal["contains", "equals", "not", "empty", "present", "least", "below"]
OPERATORS: Final = get_args(Operator)
MAX_PAGE: Final = 1000
MAX_FILTERS: Final = 20
MAX_FILTER_TEXT: Final = 2000
CELL_CHARACTERS: Final = 2000
"""A longer cell is cut on a page; `row` has all of it."""


# An export writes millions of cells: an encoder for each of them, as `json.dumps` makes, costs more than the reading.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PLAIN: Final = repr


class GridError(ValueError):
    """The page cannot be made as asked: a column that is not there, a value that does not fit, a file that is gone."""


@dataclass(frozen=True)
class Filter:
    """One condition on one column. `text` is what a person typed; `empty` and `present` need none. `least` is at or
    above the value, `below` under it: with both, a half-open range."""

    column: str
    text: str = ""
    operator: Operator = "contains"


@dataclass(frozen=True)
class Among:
    """Only these rows: by their numbers, from 1; or those that the Parquet file `listed` names, from 0, in its column
    `hit`."""

    numbers: tuple[int, ...] = ()
    listed: Path | None = None


Condition: TypeAlias = Filter | Among


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


def cell_text(cell: Json) -> str | None:
    """A cell as it is shown, searched and exported: texts as they are, the rest as JSON writes it."""
    if cell is None or isinstance(cell, str):
        return cell
    return _PLAIN(cell) if type(cell) is int or type(cell) is float else _JSON.encode(cell)
