"""Notebooks over HTTP: read, written cell by cell, run as a whole; rows are read through the runs of the cells."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Schema, Status
from pydantic import Field

from hunting.api.runs import RunOut
from hunting.binding import MAX_KQL
from hunting.models import Cell, HuntRun, Notebook, NotebookRun, Source
from hunting.services.notebooks import batches, editing, exchange
from hunting.services.notebooks.editing import CellConflict, Draft
from hunting.services.notebooks.running import Unchanged, is_behind, run_cell
from hunting.views.doors import cell_of, notebook_of
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.services.vault import delivery

router = Router(tags=["Notebooks"])
_BOOKS = "/cases/{reference}/notebooks"
_BOOK = f"{_BOOKS}/{{uuid}}"
_CELL = f"{_BOOK}/cells/{{cell}}"


class CellOut(Schema):
    """A cell. `run` is its last run; `stale`: the question, or a result that it read, has changed since."""

    uuid: UUID
    kind: Cell.Kind
    name: str
    text: str
    source: str
    span: str
    as_of: str
    version: int
    updated_by: str
    updated_at: datetime
    run: UUID | None
    state: str
    row_count: int | None
    stale: bool

    @staticmethod
    def resolve_updated_by(cell: Cell) -> str:
        return cell.updated_by.username

    @staticmethod
    def resolve_run(cell: Cell) -> UUID | None:
        return cell.last.run.uuid if cell.last else None

    @staticmethod
    def resolve_state(cell: Cell) -> str:
        return cell.last.run.state if cell.last else ""

    @staticmethod
    def resolve_row_count(cell: Cell) -> int | None:
        return cell.last.run.row_count if cell.last else None

    @staticmethod
    def resolve_stale(cell: Cell) -> bool:
        return cell.is_stale or is_behind(cell)


class NotebookOut(Schema):
    uuid: UUID
    title: str
    created_by: str
    created_at: datetime

    @staticmethod
    def resolve_created_by(notebook: Notebook) -> str:
        return notebook.created_by.username


class NotebookBatchOut(Schema):
    """Running all of it. `at` of `total` cells are behind it; `reason` says why it stopped."""

    uuid: UUID
    state: NotebookRun.State
    at: int
    total: int
    failures: int
    reason: str
    started_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_total(batch: NotebookRun) -> int:
        return len(batch.plan)


class NotebookWhole(NotebookOut):
    """`last_run_of_all` is None where it was never run as a whole."""

    cells: list[CellOut]
    last_run_of_all: NotebookBatchOut | None

    @staticmethod
    def resolve_cells(notebook: Notebook) -> list[Cell]:
        return list(notebook.cells.there().with_results())

    @staticmethod
    def resolve_last_run_of_all(notebook: Notebook) -> NotebookRun | None:
        return NotebookRun.objects.filter(notebook=notebook).first()


class NotebookNew(Schema):
    """`markdown`: its fences of kql become queries, the rest text."""

    title: str = Field("", max_length=200)
    markdown: str = Field("", max_length=exchange.MAX_FILE)


class CellText(Schema):
    """`source`, `span`, `as_of` and `name` are for KQL."""

    text: str = Field("", max_length=MAX_KQL)
    name: str = Field("", max_length=64)
    source: Source = Source.CASE
    span: str = Field("30d", max_length=30)
    as_of: str = Field("now", max_length=40)

    @property
    def draft(self) -> Draft:
        return Draft(self.text, self.name, self.source.value, self.span, self.as_of)


class CellNew(CellText):
    kind: Cell.Kind
    below: UUID | None = Field(None, description="The cell above it; at the end, where it is not given.")


class CellSave(CellText):
    version: int = Field(ge=1, description="The version it was written against. 422 when the cell has moved on.")


class Renaming(Schema):
    title: str = Field(min_length=1, max_length=200)


class Moving(Schema):
    to: Literal["up", "down"]


class CellAsk(Schema):
    again: bool = Field(False, description="Also where neither the question nor the case's tables have changed.")


class RunAll(CellAsk):
    go_on: bool = Field(False, description="Go on after a cell that failed.")


@router.get(_BOOKS, response=Page[NotebookOut], summary="The notebooks of a case")
def list_notebooks(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Notebook.objects.filter(case=case_of(request, reference)).select_related("created_by"), window)


@router.post(_BOOKS, response={201: NotebookWhole}, summary="A new notebook, empty or of Markdown")
def create_notebook(request: HttpRequest, reference: str, body: NotebookNew) -> Status[Notebook]:
    case, actor = open_case_of(request, reference), person(request)
    if body.markdown:
        made = exchange.import_markdown(case=case, actor=actor, title=body.title, text=body.markdown)
    else:
        made = editing.create_notebook(case=case, actor=actor, title=body.title or "Notebook")
    return Status(201, made)


@router.get(_BOOK, response=NotebookWhole, summary="One notebook with its cells")
def get_notebook(request: HttpRequest, reference: str, uuid: UUID) -> Notebook:
    return notebook_of(case_of(request, reference), uuid)


@router.get(f"{_BOOK}/markdown", response={200: bytes}, summary="As Markdown, with the first rows of each result")
def export_notebook(request: HttpRequest, reference: str, uuid: UUID) -> StreamingHttpResponse:
    notebook = notebook_of(case_of(request, reference), uuid)
    lines = exchange.to_markdown(notebook, person(request))
    chunks = (f"{line}\n".encode("utf-8", "backslashreplace") for line in lines)
    return delivery.attachment(chunks, name=f"{reference}_{delivery.safe_text(notebook.title)}.md")


@router.post(f"{_BOOK}/cells", response={201: CellOut}, summary="A new cell")
def create_cell(request: HttpRequest, reference: str, uuid: UUID, body: CellNew) -> Status[Cell]:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    made = editing.add_cell(
        notebook=notebook,
        actor=person(request),
        kind=body.kind,
        draft=body.draft,
        beside=cell_of(notebook, body.below) if body.below else None,
    )
    return Status(201, cell_of(notebook, made.uuid))


@router.put(_CELL, response=CellOut, summary="Save a cell against a version")
def save_cell(request: HttpRequest, reference: str, uuid: UUID, cell: UUID, body: CellSave) -> Cell:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    found = cell_of(notebook, cell)
    try:
        editing.save_cell(cell=found, actor=person(request), draft=body.draft, version=body.version)
    except CellConflict as conflict:
        raise ValidationError({"version": f"{conflict} The version is {conflict.cell.version} now."}) from None
    return cell_of(notebook, cell)


@router.post(f"{_CELL}/run", response={202: RunOut, 200: RunOut}, summary="Run one cell, in the background")
def run_one(request: HttpRequest, reference: str, uuid: UUID, cell: UUID, body: CellAsk) -> Status[HuntRun]:
    """202 with the new run; 200 with the last one, where nothing has changed since."""
    notebook = notebook_of(open_case_of(request, reference), uuid)
    try:
        made = run_cell(cell=cell_of(notebook, cell), actor=person(request), again=body.again)
    except Unchanged as same:
        return Status(200, HuntRun.objects.with_people().get(pk=same.run.run_id))
    return Status(202, HuntRun.objects.with_people().get(pk=made.run_id))


@router.get(f"{_CELL}/results", response=Page[RunOut], summary="Every run of a cell, newest first")
def list_results(request: HttpRequest, reference: str, uuid: UUID, cell: UUID, window: Query[Window]) -> dict[str, Any]:
    """The rows of each are at `/cases/{reference}/hunts/runs/{uuid}/rows`."""
    case = case_of(request, reference)
    found = cell_of(notebook_of(case, uuid), cell)
    runs = HuntRun.objects.for_case(case).filter(cell_run__cell=found)
    return page_of(runs.with_people().select_related("retry_of").latest_first(), window)


@router.post(f"{_BOOK}/run", response={202: NotebookBatchOut}, summary="Run all queries from top to bottom")
def run_all(request: HttpRequest, reference: str, uuid: UUID, body: RunAll) -> Status[NotebookRun]:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    made = batches.start(notebook=notebook, actor=person(request), go_on=body.go_on, again=body.again)
    return Status(202, made)


@router.post(f"{_BOOK}/cancel", response=NotebookBatchOut, summary="Stop running all queries")
def cancel_all(request: HttpRequest, reference: str, uuid: UUID) -> NotebookRun:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    batch = NotebookRun.objects.filter(notebook=notebook).first()
    if batch is None:
        raise ValidationError("It was never run.")
    batches.cancel(batch=batch, actor=person(request))
    batch.refresh_from_db()
    return batch


@router.patch(_BOOK, response=NotebookOut, summary="Another title")
def rename(request: HttpRequest, reference: str, uuid: UUID, body: Renaming) -> Notebook:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    return editing.rename_notebook(notebook=notebook, actor=person(request), title=body.title)


@router.post(f"{_CELL}/move", response=NotebookWhole, summary="One place up or down")
def move_cell(request: HttpRequest, reference: str, uuid: UUID, cell: UUID, body: Moving) -> Notebook:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    editing.move_cell(cell=cell_of(notebook, cell), actor=person(request), up=body.to == "up")
    return notebook


@router.delete(_CELL, response={204: None}, summary="Delete a cell; it can be brought back")
def remove_cell(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> Status[None]:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    editing.remove_cell(cell=cell_of(notebook, cell), actor=person(request))
    return Status(204, None)


@router.post(f"{_CELL}/restoration", response=CellOut, summary="Bring a deleted cell back")
def restore_cell(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> Cell:
    notebook = notebook_of(open_case_of(request, reference), uuid)
    editing.restore_cell(cell=cell_of(notebook, cell), actor=person(request))
    return cell_of(notebook, cell)
