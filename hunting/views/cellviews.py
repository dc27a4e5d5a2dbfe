"""A cell as its template shows it: the text in colours, the last result's first rows, what is out of date."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse

from hunting import results
from hunting.models import Cell, CellRun, HuntRun, NotebookRun
from hunting.rendering import Chart, chart_of
from hunting.runner import cut_words
from hunting.services.notebooks.running import is_behind
from hunting.views.highlighting import pieces
from ircase.grid import GridError
from ircase.models import Case, User
from ircase.views.grids import Row

ROWS: Final = 10
AT_ONCE: Final = 12
"""So many results come with the page; the ones below come when they are scrolled to."""


@dataclass(frozen=True)
class Result:
    """`rows` are the first of the run's; `problem` says why there are none to show."""

    run: HuntRun
    columns: list[dict[str, str]]
    rows: list[Row]
    total: int = 0
    chart: Chart | None = None
    cut: str = ""
    problem: str = ""

    @property
    def label(self) -> str:
        exhibit = f", {self.run.evidence.exhibit}" if self.run.evidence else ""
        return f"Rows of {self.run.title}{exhibit}"


@dataclass(frozen=True)
class CellView:
    """`number` is the cell's place on the page, 0 where the page counts by itself; `later`: the result is fetched when
    it is scrolled to; `offer`: nothing has changed since the result; `problem`: why it was not run."""

    cell: Cell
    code: list[tuple[str, str]]
    result: Result | None = None
    behind: bool = False
    later: bool = False
    offer: bool = False
    problem: str = ""
    read: str = ""


def view_of(case: Case, cell: Cell, user: User, *, later: bool = False, **more: Any) -> CellView:
    """The cell and its result; custody hears of the rows before they are shown."""
    if not cell.is_kql:
        return CellView(cell, [], **more)
    result = None if cell.last is None or later else result_of(case, cell.last.run, user)
    names = ", ".join(f"{one['name']} ({one['exhibit']})" for one in cell.last.inputs) if cell.last else ""
    return CellView(
        cell,
        pieces(cell.text),
        result,
        behind=is_behind(cell),
        later=later and cell.last is not None,
        read=names,
        **more,
    )


def result_of(case: Case, run: HuntRun, user: User) -> Result:
    run.case = run.activity.case = case
    if run.table is None or run.evidence is None:
        unread = "The rows cannot be shown as a table; the sealed record holds them." if run.row_count else ""
        return Result(run, [], [], cut=cut_words(run.truncated_by), problem=unread if run.evidence else "")
    results.look(run, user)
    try:
        page = results.page(run, offset=0, limit=ROWS)
    except GridError as error:
        return Result(run, [], [], problem=str(error))
    every = reverse("hunting:run_rows", args=[case.reference, run.uuid])
    return Result(
        run,
        [{"name": column.name, "type": column.type} for column in page.columns],
        [Row(row.number, row.texts, f"{every}{row.number}/") for row in page.rows],
        total=page.total,
        chart=chart_of(run) if "render" in run.kql else None,
        cut=cut_words(run.truncated_by),
    )


def views_of(request: HttpRequest, case: Case, cells: list[Cell], user: User) -> list[CellView]:
    """All cells of a page, the results beyond the first few later."""
    found, shown = [], 0
    for cell in cells:
        has = cell.last is not None
        shown += has
        found.append(view_of(case, cell, user, later=has and shown > AT_ONCE))
    return found


@dataclass(frozen=True)
class BatchView:
    """How far a run of all cells is: `done` are behind it, `begun` have begun; `current` is the cell under way, `notes`
    say what did not simply run."""

    batch: NotebookRun
    done: int
    begun: int
    total: int
    current: Cell | None
    notes: list[tuple[Cell, str]]


def batch_view(batch: NotebookRun | None, cells: list[Cell]) -> BatchView | None:
    if batch is None:
        return None
    by_pk = {cell.pk: cell for cell in cells}
    current = by_pk.get(batch.plan[batch.at]) if not batch.is_final and batch.at < len(batch.plan) else None
    notes = [(by_pk[one["cell"]], one["text"]) for one in batch.notes if one["cell"] in by_pk]
    begun = batch.at + (current is not None and CellRun.objects.filter(batch=batch, cell=current).exists())
    return BatchView(batch, batch.at, begun, len(batch.plan), current, notes)
