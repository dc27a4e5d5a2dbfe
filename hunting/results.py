"""Reading the rows of a run that is done: pages of them, one of them as it was recorded, all of them as CSV."""

import csv
import io
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hunting.models import HuntRun
from ircase import grid
from ircase.grid import Filter, GridError, GridPage
from ircase.models import Evidence, User
from ircase.services import log, previews, tables
from kql import Column

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_BATCH: Final = 500


def has_rows(run: HuntRun) -> bool:
    return run.evidence is not None and run.table is not None


def look(run: HuntRun, actor: User) -> None:
    """Custody hears of it before the rows are shown, once an hour per person."""
    previews.note(_evidence(run), actor=actor, what=f"rows of hunt {run.uuid}")


def columns_of(run: HuntRun) -> tuple[Column, ...]:
    return tables.columns_of(run.table) if run.table is not None else ()


def page(run: HuntRun, *, offset: int, limit: int, sort: str = "", filters: Sequence[Filter] = ()) -> GridPage:
    """A page of the rows. Raises GridError with what to do."""
    if run.table is None:
        raise GridError("There is no table of these rows. The evidence holds them; download it.")
    return grid.page(run.table.path, columns_of(run), offset=offset, limit=limit, sort=sort, filters=filters)


def record(run: HuntRun, number: int) -> dict[str, Any] | None:
    """Row `number` (from 1) as the evidence has it, with every digit; None where there is no such row or no file."""
    if number < 1 or number > (run.row_count or 0):
        return None
    try:
        with _evidence(run).path.open("rb") as file:
            line = next(itertools.islice(file, number - 1, None), b"")
        found = json.loads(line)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def as_csv(run: HuntRun, *, actor: User, sort: str = "", filters: Sequence[Filter] = ()) -> Iterator[bytes]:
    """The rows that pass, as CSV that no spreadsheet takes for formulas; custody hears of it first. Raises GridError
    before the first byte."""
    if run.table is None:
        raise GridError("There is no table of these rows. The evidence holds them; download it.")
    columns = columns_of(run)
    rows = grid.stream(run.table.path, columns, sort=sort, filters=filters)
    first = list(itertools.islice(rows, 1))
    log.record_custody(_evidence(run), "exported", actor=actor, format="csv", conditions=len(filters))
    return _lines(columns, itertools.chain(first, rows))


def _lines(columns: Sequence[Column], rows: Iterator[grid.GridRow]) -> Iterator[bytes]:
    # The mark lets spreadsheets see that it is UTF-8.
    yield b"\xef\xbb\xbf" + _written([[column.name for column in columns]])
    while batch := list(itertools.islice(rows, _BATCH)):
        yield _written([["" if text is None else text for text in row.texts] for row in batch])


def _written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[safe_cell(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8", "replace")


def safe_cell(text: str) -> str:
    """A text that a spreadsheet would read as a formula gets an apostrophe before it; a plain number stays one.
    https://owasp.org/www-community/attacks/CSV_Injection"""
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _evidence(run: HuntRun) -> Evidence:
    if run.evidence is None:
        raise GridError("This run has no evidence.")
    # The case is at hand already; without this every touch would fetch it again.
    run.evidence.case = run.case
    return run.evidence
