"""Where a value stands in a table: in which columns, in how many rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ircase.grid.model import MAX_FILTER_TEXT, GridError, Operator
from ircase.grid.opened import Opened, bindable, opened
from kql.types import Column, KqlType

SECONDS: Final = 10.0
_EXACT: Final[tuple[KqlType, ...]] = ("guid", "int", "long")
"""Types in which a value is there or not: nobody looks for a part of a number."""


@dataclass(frozen=True)
class Sighting:
    """So many rows have the value in this column; as a condition of the grid it is `operator`."""

    column: str
    rows: int
    operator: Operator


def find(parquet: Path, columns: Sequence[Column], text: str, *, seconds: float = SECONDS) -> list[Sighting]:
    """The columns whose text contains `text`, whatever the case of its letters, the most rows first; one query over the
    file. Whole numbers and guids are compared as such; other types are not searched. Raises GridError."""
    if not text or len(text) > MAX_FILTER_TEXT:
        raise GridError(f"Give a text of 1 to {MAX_FILTER_TEXT} characters.")
    with opened(parquet, columns, seconds) as table:
        tests = {c.name: test for c in columns if c.name in table.stored and (test := _test(table, c, text))}
        if not tests:
            return []
        counts = ", ".join(f"count(*) FILTER ({test})" for test, _, _ in tests.values())
        found = table.fetch(f"SELECT {counts} FROM {table.source}", [value for _, value, _ in tests.values()])[0]
    seen = [Sighting(name, int(rows), tests[name][2]) for name, rows in zip(tests, found, strict=True) if rows]
    return sorted(seen, key=lambda one: -one.rows)


def _test(table: Opened, column: Column, text: str) -> tuple[str, Any, Operator] | None:
    """The condition on one column, its value, and what the grid calls it; None where the text can be none of it."""
    if column.type in ("string", "dynamic"):
        # Lower case costs more than the search; where the text has no letters, the column needs none either.
        cased = text.lower() != text.upper()
        side = f"lower({table.text(column)})" if cased else table.text(column)
        value = bindable(text.lower() if cased else text)
        return f"contains({side}, ?)", value, "contains"
    if column.type not in _EXACT:
        return None
    try:
        left, right, value = table.sides(column, text)
    except GridError:
        return None
    return f"{left} = {right}", value, "equals"
