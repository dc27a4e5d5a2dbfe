"""Writing a notebook: nothing typed is ever lost, and of two people who save, the later one is told."""

from dataclasses import dataclass, replace
from typing import Final, Self

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from hunting.binding import MAX_KQL, attach_kql
from hunting.models import Cell, CellRevision, Notebook, Source
from hunting.models.notebook import GAP
from hunting.services.notebooks.naming import check_name
from ircase.models import Case, User
from ircase.services import log

MAX_CELLS: Final = 500
MAX_NOTEBOOKS: Final = 200


class CellConflict(Exception):
    """Somebody saved the cell meanwhile. Theirs is the cell, `revision` holds the late text."""

    def __init__(self, cell: Cell, revision: CellRevision) -> None:
        super().__init__(
            f"{cell.updated_by.name} saved this cell meanwhile. Your text is kept beside theirs; merge and save again."
        )
        self.cell, self.revision = cell, revision


@dataclass(frozen=True)
class Draft:
    """What a person writes in a cell. `source`, `span` and `as_of` are for KQL alone."""

    text: str = ""
    name: str = ""
    source: str = Source.CASE.value
    span: str = "30d"
    as_of: str = "now"

    @classmethod
    def of(cls, cell: Cell) -> Self:
        return cls(cell.text, cell.name, cell.source, cell.span, cell.as_of)

    def cleaned(self) -> "Draft":
        """Without the spaces and line ends that mean nothing."""
        text = self.text.replace("\r\n", "\n").replace("\r", "\n")
        return replace(
            self,
            text=text,
            name=self.name.strip(),
            span=self.span.strip() or "30d",
            as_of=self.as_of.strip() or "now",
        )


@transaction.atomic
def create_notebook(*, case: Case, actor: User, title: str, code: str = "notebook.created", cells: int = 0) -> Notebook:
    """An empty notebook. Raises ValidationError."""
    if Notebook.objects.filter(case=case).count() >= MAX_NOTEBOOKS:
        raise ValidationError(f"A case has at most {MAX_NOTEBOOKS} notebooks.")
    notebook = Notebook(case=case, title=title.strip(), created_by=actor)
    notebook.full_clean(exclude=["case", "created_by"])
    notebook.save()
    log.record(code, case=case, actor=actor, title=notebook.title, notebook=str(notebook.uuid), cells=cells)
    return notebook


@transaction.atomic
def rename_notebook(*, notebook: Notebook, actor: User, title: str) -> Notebook:
    before, notebook.title = notebook.title, title.strip()
    notebook.full_clean(exclude=["case", "created_by"])
    if notebook.title != before:
        notebook.save(update_fields=["title"])
        note_down(notebook, actor, "renamed", before=before)
    return notebook


def lock(notebook: Notebook) -> None:
    """The order of its cells is changed by one person at a time."""
    Notebook.objects.select_for_update().get(pk=notebook.pk)


@transaction.atomic
def add_cell(
    *,
    notebook: Notebook,
    actor: User,
    kind: str,
    draft: Draft | None = None,
    beside: Cell | None = None,
    above: bool = False,
) -> Cell:
    """A new cell at the end, or below (`above`: above) the cell `beside`. Raises ValidationError."""
    lock(notebook)
    if notebook.cells.filter(deleted_at=None).count() >= MAX_CELLS:
        raise ValidationError(f"A notebook has at most {MAX_CELLS} cells. Begin another one.")
    draft = (draft or Draft()).cleaned()
    cell = Cell(notebook=notebook, kind=kind, updated_by=actor)
    _check(cell, draft)
    _take(cell, draft)
    cell.position = _place(notebook, beside, above=above)
    cell.full_clean(exclude=["notebook", "updated_by", "last"], validate_constraints=False)
    cell.save()
    _keep_revision(cell, draft, cell.version, actor)
    note_down(notebook, actor, "cell_added", cell=str(cell.uuid), kind=cell.get_kind_display())
    return cell


def save_cell(*, cell: Cell, actor: User, draft: Draft, version: int) -> Cell:
    """Save what was written against `version`. Raises CellConflict when the cell has moved on, with both texts kept,
    and ValidationError."""
    draft = draft.cleaned()
    with transaction.atomic():
        now = Cell.objects.select_for_update(of=("self",)).select_related("notebook", "updated_by").get(pk=cell.pk)
        if draft == Draft.of(now):
            return now
        _check(now, draft)
        if now.version == version and now.deleted_at is None:
            _take(now, draft)
            now.version, now.updated_by = version + 1, actor
            now.full_clean(exclude=["notebook", "updated_by", "last"], validate_constraints=False)
            now.save(update_fields=["text", "name", "source", "span", "as_of", "version", "updated_by", "updated_at"])
            _keep_revision(now, draft, now.version, actor)
            note_down(now.notebook, actor, "cell_saved", cell=str(now.uuid), version=now.version)
            return now
        late = _keep_revision(now, draft, version, actor, rejected=True)
        note_down(now.notebook, actor, "cell_conflict", cell=str(now.uuid), version=version, current=now.version)
    raise CellConflict(now, late)


def _check(cell: Cell, draft: Draft) -> None:
    if len(draft.text) > MAX_KQL or "\x00" in draft.text:
        raise ValidationError({"text": f"A cell is text of at most {MAX_KQL:,} characters, without NUL."})
    if not cell.is_kql:
        return
    if draft.source not in Source.values:
        raise ValidationError({"source": "Choose where it runs."})
    # Only the window is of interest here: an empty cell can be kept.
    attach_kql(kql="print 1", span=draft.span, as_of=draft.as_of)
    if draft.name and draft.name != cell.name:
        check_name(cell.notebook, draft.name, of=cell)


def _take(cell: Cell, draft: Draft) -> None:
    cell.text = draft.text
    if cell.is_kql:
        cell.name, cell.source, cell.span, cell.as_of = draft.name, draft.source, draft.span, draft.as_of


def _keep_revision(cell: Cell, draft: Draft, version: int, actor: User, *, rejected: bool = False) -> CellRevision:
    return CellRevision.objects.create(
        cell=cell,
        version=version,
        name=draft.name,
        text=draft.text,
        source=draft.source,
        span=draft.span,
        as_of=draft.as_of,
        saved_by=actor,
        rejected=rejected,
    )


def _place(notebook: Notebook, beside: Cell | None, *, above: bool) -> int:
    """A position at the end, or between `beside` and its neighbour; all are dealt out anew where there is none left."""
    if beside is None:
        last: int | None = notebook.cells.aggregate(last=Max("position"))["last"]
        return (last or 0) + GAP
    for _ in range(2):
        there = list(notebook.cells.order_by("position", "pk").only("pk", "position"))
        at = next(place for place, cell in enumerate(there) if cell.pk == beside.pk) + (0 if above else 1)
        low = there[at - 1].position if at else (there[0].position - 2 * GAP if there else 0)
        high = there[at].position if at < len(there) else low + 2 * GAP
        if high - low > 1:
            return low + (high - low) // 2
        _deal_out(there)
    raise AssertionError("positions were dealt out anew, and yet there is no place between two of them")


def _deal_out(cells: list[Cell]) -> None:
    for number, cell in enumerate(cells, 1):
        cell.position = number * GAP
    Cell.objects.bulk_update(cells, ["position"])


@transaction.atomic
def move_cell(*, cell: Cell, actor: User, up: bool) -> None:
    """One place up or down; at the end of the notebook it stays where it is."""
    lock(cell.notebook)
    there = list(cell.notebook.cells.there().only("pk", "position"))
    at = next((place for place, one in enumerate(there) if one.pk == cell.pk), None)
    to = None if at is None else at + (-1 if up else 1)
    if to is None or not 0 <= to < len(there):
        return
    cell.position = _place(cell.notebook, there[to], above=up)
    cell.save(update_fields=["position"])
    note_down(cell.notebook, actor, "cell_moved", cell=str(cell.uuid), up=up)


@transaction.atomic
def remove_cell(*, cell: Cell, actor: User) -> None:
    """Take the cell out of sight; its texts and results stay, and it can be brought back."""
    if Cell.objects.filter(pk=cell.pk, deleted_at=None).update(deleted_at=timezone.now()):
        note_down(cell.notebook, actor, "cell_removed", cell=str(cell.uuid))


@transaction.atomic
def restore_cell(*, cell: Cell, actor: User) -> Cell:
    """Where it was. A name that another cell has taken meanwhile is not brought back."""
    lock(cell.notebook)
    now = Cell.objects.select_related("notebook", "updated_by").get(pk=cell.pk)
    if now.deleted_at is None:
        return now
    if now.name and Cell.objects.filter(notebook=now.notebook, name__iexact=now.name).there().exists():
        now.name = ""
    now.deleted_at = None
    now.save(update_fields=["deleted_at", "name"])
    note_down(now.notebook, actor, "cell_restored", cell=str(now.uuid))
    return now


def note_down(notebook: Notebook, actor: User | None, what: str, **detail: object) -> None:
    """A line in the case's log about a notebook; `actor` is None where a worker did it."""
    log.record(
        f"notebook.{what}",
        case=notebook.case,
        actor=actor,
        title=notebook.title,
        notebook=str(notebook.uuid),
        **detail,
    )
