"""The first rows of a cell's result, for a page, a file and a report; custody hears of each look before it."""

from dataclasses import dataclass
from typing import Final

from hunting import results
from hunting.models import HuntRun
from ircase.grid import GridError
from ircase.models import User
from kql import Column

PRINTED: Final = 20
"""Rows of each result that a file or a report shows; the evidence has all."""

COLUMNS: Final = 40


@dataclass(frozen=True)
class Preview:
    """`rows` are the first of `total`, cells as text (None for null); `problem` says why there are none."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    total: int = 0
    left_out: int = 0
    problem: str = ""


def preview(run: HuntRun, actor: User, rows: int = PRINTED) -> Preview:
    """The first rows, of at most `COLUMNS` columns; `left_out` counts the columns beyond. Never raises for a result
    that cannot be read."""
    total = run.row_count or 0
    if run.evidence is None:
        return Preview()
    if run.table is None:
        return Preview(total=total, problem="" if not total else "The rows cannot be shown; the evidence holds them.")
    results.look(run, actor)
    try:
        page = results.page(run, offset=0, limit=rows)
    except GridError as error:
        return Preview(total=total, problem=str(error))
    shown = [row.texts[:COLUMNS] for row in page.rows]
    return Preview(page.columns[:COLUMNS], tuple(shown), page.total, max(0, len(page.columns) - COLUMNS))
