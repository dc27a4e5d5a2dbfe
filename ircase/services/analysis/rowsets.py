"""Named parts of a table that an address can ask for: the starred rows, and those that were new when it was made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ircase.grid import Among, Condition, GridError
from ircase.models import CaseTable, Star

STARRED: Final = "starred"
NEW: Final = "new"
LABELS: Final = {STARRED: "Starred rows", NEW: "New rows"}


@dataclass(frozen=True)
class RowSet:
    """A part of a table; `count` None where it has not been counted."""

    name: str
    label: str
    rows: Among
    count: int | None = None


def new_rows_path(table: CaseTable) -> Path:
    """Where the numbers of a table's new rows lie (from 0, column `hit`), if it was compared with what was seen before
    it. Derived, as the table is."""
    return table.path.with_suffix(".new.parquet")


def of(table: CaseTable) -> dict[str, RowSet]:
    """The parts that this table has, by name."""
    found = {}
    numbers = starred(table)
    if numbers:
        found[STARRED] = RowSet(STARRED, LABELS[STARRED], Among(tuple(numbers)), len(numbers))
    path = new_rows_path(table)
    if path.is_file():
        found[NEW] = RowSet(NEW, LABELS[NEW], Among(listed=path))
    return found


def starred(table: CaseTable) -> list[int]:
    rows = Star.objects.filter(evidence=table.evidence_id, table_name=table.name)
    return list(rows.order_by("number").values_list("number", flat=True))


def conditions(table: CaseTable, name: str) -> list[Condition]:
    """What keeps the rows of that part alone; nothing where no part is asked for. Raises GridError."""
    if not name:
        return []
    part = of(table).get(name)
    if part is not None:
        return [part.rows]
    if name == STARRED:
        return [Among()]
    raise GridError("This table has no list of new rows: it was not compared, or its files were cleared.")
