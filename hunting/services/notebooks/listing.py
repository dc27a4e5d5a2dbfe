"""The tables that a notebook's queries can read: the case's own by name, and the results of named cells."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hunting.models import Cell, Notebook
from ircase.models import Case, CaseTable, JobState
from ircase.services.analysis.tables import columns_of
from ircase.wording import origin_words
from kql import Column


@dataclass(frozen=True)
class Part:
    """One piece of evidence that a table was made from."""

    table: CaseTable
    origin: str


@dataclass(frozen=True)
class TableLine:
    """A table as KQL sees it, over all evidence that has rows of it. `cell` is set for a named result."""

    name: str
    rows: int
    first: datetime | None
    last: datetime | None
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    cell: Cell | None = None


def tables_of(case: Case) -> list[TableLine]:
    """The case's own tables, by name."""
    found: dict[str, list[CaseTable]] = defaultdict(list)
    rows = CaseTable.objects.filter(case=case, queryable=True).select_related("evidence").defer("evidence__manifest")
    for row in rows.order_by("name", "pk"):
        found[row.name].append(row)
    return [_line(name, parts) for name, parts in found.items()]


def results_of(notebook: Notebook) -> list[TableLine]:
    """The results that go by a name in the notebook, from top to bottom."""
    cells = notebook.cells.there().filter(kind=Cell.Kind.KQL).exclude(name="").with_results()
    return [
        _line(cell.name, [cell.last.run.table], cell)
        for cell in cells
        if cell.last is not None and cell.last.run.state == JobState.DONE and cell.last.run.table is not None
    ]


def _line(name: str, parts: list[CaseTable], cell: Cell | None = None) -> TableLine:
    columns = {column.name: column for part in parts for column in columns_of(part)}
    return TableLine(
        name=name,
        rows=sum(part.row_count for part in parts),
        first=min(_set(part.first_time for part in parts), default=None),
        last=max(_set(part.last_time for part in parts), default=None),
        columns=tuple(columns.values()),
        parts=tuple(Part(part, origin_words(part.origin)) for part in parts),
        cell=cell,
    )


def _set(moments: Iterable[datetime | None]) -> Iterable[datetime]:
    return (moment for moment in moments if moment is not None)
