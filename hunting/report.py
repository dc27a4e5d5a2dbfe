"""The case's notebooks as chapters of its report."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.db.models import Count, Q

from hunting.models import Cell, Notebook, Source
from hunting.services.notebooks.previews import Preview, preview
from hunting.services.notebooks.running import is_behind
from ircase.models import Case, User
from ircase.report.chapters import Choice
from ircase.report.prose import prose
from ircase.report.shape import NotebookCell, NotebookEntry
from ircase.report.words import LONGEST_QUERY, clip, when
from ircase.wording import counted

ROWS: Final = 15
COLUMNS: Final = 7
"""What fits across a page that is read on paper."""

LONGEST_CELL: Final = 160
MOST: Final = 20


class Chapters:
    """See ircase.report.chapters.Notebooks."""

    def choices(self, case: Case) -> list[Choice]:
        there = Q(cells__deleted_at=None)
        found = Notebook.objects.filter(case=case).annotate(count=Count("cells", filter=there))
        return [Choice(str(one.uuid), one.title, counted(one.count, "cell")) for one in found]

    def read(self, case: Case, uuids: Sequence[str], actor: User) -> tuple[NotebookEntry, ...]:
        wanted = list(dict.fromkeys(uuids))[:MOST]
        found = {str(one.uuid): one for one in Notebook.objects.filter(case=case, uuid__in=wanted)}
        books = [found[uuid] for uuid in wanted if uuid in found]
        return tuple(NotebookEntry(one.title, tuple(_cells(case, one, actor))) for one in books)


def _cells(case: Case, notebook: Notebook, actor: User) -> Iterator[NotebookCell]:
    for number, cell in enumerate(notebook.cells.there().with_results(), 1):
        if cell.is_kql:
            yield _query(case, number, cell, actor)
        elif cell.text.strip():
            yield NotebookCell(number, cell.kind, prose(cell.text))


def _query(case: Case, number: int, cell: Cell, actor: User) -> NotebookCell:
    source, query = Source(cell.source).label, clip(cell.text, LONGEST_QUERY)
    if cell.last is None:
        return NotebookCell(number, cell.kind, prose(""), cell.name, query, source, outcome="It has not run.")
    run = cell.last.run
    run.case = run.activity.case = case
    shown: Preview = preview(run, actor, ROWS)
    return NotebookCell(
        number=number,
        kind=cell.kind,
        prose=prose(""),
        name=cell.name,
        query=query,
        source=source,
        window_start=when(run.window_start),
        window_end=when(run.window_end),
        state=run.state,
        outcome=clip(shown.problem or run.activity.outcome or run.reason),
        stale=cell.is_stale or is_behind(cell),
        truncated=run.truncated,
        run=str(run.uuid),
        exhibit=run.evidence.exhibit if run.evidence else "",
        sha256=run.evidence.sha256 if run.evidence else "",
        read=", ".join(f"{one['name']} ({one['exhibit']})" for one in cell.last.inputs),
        columns=tuple(column.name for column in shown.columns[:COLUMNS]),
        rows=tuple(tuple(clip(text or "", LONGEST_CELL) for text in row[:COLUMNS]) for row in shown.rows),
        total=shown.total,
        columns_left_out=max(0, len(shown.columns) - COLUMNS) + shown.left_out,
    )
