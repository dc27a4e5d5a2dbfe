"""Reading the rows of a run that is done: pages of them, one of them as it was recorded."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import duckdb

from hunting.models import HuntRun
from ircase import grid
from ircase.grid import Condition, GridError, GridPage
from ircase.models import Evidence, User
from ircase.services import evidence
from ircase.services.analysis import tables
from ircase.services.vault import previews
from kql import Column
from kql.parquet import stored_columns
from kql.sql import quote_name, quote_text, sandbox


def has_rows(run: HuntRun) -> bool:
    return run.evidence is not None and run.table is not None


def look(run: HuntRun, actor: User) -> None:
    """Custody hears of it before the rows are shown, once an hour per person."""
    previews.note(_evidence(run), actor=actor, what=f"rows of hunt {run.uuid}")


def columns_of(run: HuntRun) -> tuple[Column, ...]:
    return tables.columns_of(run.table) if run.table is not None else ()


def page(run: HuntRun, *, offset: int, limit: int, sort: str = "", filters: Sequence[Condition] = ()) -> GridPage:
    """A page of the rows. Raises GridError with what to do."""
    if run.table is None:
        raise GridError("There is no table of these rows. The evidence holds them; download it.")
    return grid.page(run.table.path, columns_of(run), offset=offset, limit=limit, sort=sort, filters=filters)


def counts(run: HuntRun, column: str) -> dict[str, int]:
    """How many rows have each value of a column, by its text. Raises GridError."""
    if run.table is None:
        raise GridError("There is no table of these rows. The evidence holds them; download it.")
    path = run.table.path
    try:
        with sandbox(memory_mb=512, threads=1, paths=[path]) as connection:
            stored = next(one.stored for one in stored_columns(connection, path) if one.column.name == column)
            value = f"coalesce({quote_name(stored)}::VARCHAR, '')"
            sql = f"SELECT {value}, count(*) FROM read_parquet({quote_text(str(path))}) GROUP BY 1"
            return {str(text): int(rows) for text, rows in connection.execute(sql).fetchall()}
    except (duckdb.Error, StopIteration) as error:
        raise GridError("The table of these rows cannot be read. Rebuild it from the evidence.") from error


def record(run: HuntRun, number: int) -> dict[str, Any] | None:
    """Row `number` (from 1) as the evidence has it, with every digit; None where there is no such row or no file."""
    if number < 1 or number > (run.row_count or 0):
        return None
    try:
        with evidence.opened(_evidence(run)) as file:
            line = next(itertools.islice(file, number - 1, None), b"")
        found = json.loads(line)
    except (evidence.StoreError, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _evidence(run: HuntRun) -> Evidence:
    if run.evidence is None:
        raise GridError("This run has no evidence.")
    # The case is at hand already; without this every touch would fetch it again.
    run.evidence.case = run.case
    return run.evidence
