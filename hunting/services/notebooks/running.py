"""Running one cell: a hunt run like any other, that knows its cell and what it read."""

import hashlib
import re
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

import kql
from hunting.binding import Frozen, attach_kql
from hunting.models import Cell, CellRun, NotebookRun, Source
from hunting.services import runs, sources
from hunting.services.notebooks.naming import inputs_of, tables_above
from ircase.models import Case, CaseTable, JobState, User
from kql.errors import KqlError
from kql.syntax.names import tables_in
from kql.syntax.parser import parse

# What makes the same words over the same tables give another answer: the clock, chance, and what lies outside the case.
_RESTLESS: Final = re.compile(
    r"(?i)\b(?:now|ago|rand|new_guid|fileprofile|ingestion_time)\s*\(|\b(?:sample|sample-distinct|externaldata)\b"
)


class Unchanged(Exception):
    """Neither the question nor the case's tables have changed since `run`; its result still holds."""

    def __init__(self, run: CellRun) -> None:
        super().__init__("Neither the question nor the tables have changed since this result.")
        self.run = run


@transaction.atomic
def run_cell(*, cell: Cell, actor: User, again: bool = False, batch: NotebookRun | None = None) -> CellRun:
    """Queue the cell's question as it is saved. `again`: also where nothing has changed.

    Raises ValidationError with what is in the way, and Unchanged.
    """
    # Two clicks at once: the second finds the first one's run.
    cell = Cell.objects.select_for_update(of=("self",)).select_related("notebook__case", "last__run").get(pk=cell.pk)
    case = cell.notebook.case
    if not cell.is_kql or cell.deleted_at is not None:
        raise ValidationError("Only a cell of KQL can be run.")
    if cell.last is not None and not cell.last.run.is_final:
        raise ValidationError("This cell is still running. Wait, or cancel its run.")
    frozen = attach_kql(kql=cell.text, span=cell.span, as_of=cell.as_of, title=cell.name)
    inputs, tables = inputs_of(cell), tables_digest(case, cell)
    if not again and cell.last is not None and _still_holds(cell, cell.last, inputs, tables):
        raise Unchanged(cell.last)
    _check(case, cell)
    run = runs.queue_run(case=case, actor=actor, frozen=_titled(cell, frozen), source=Source(cell.source))
    run.activity.detail |= {"notebook": cell.notebook.title, "cell": cell.name or f"version {cell.version}"}
    run.activity.save(update_fields=["detail"])
    made = CellRun.objects.create(
        run=run, cell=cell, version=cell.version, asked=cell.asks, tables=tables, inputs=inputs, batch=batch
    )
    Cell.objects.filter(pk=cell.pk).update(last=made)
    return made


def _titled(cell: Cell, frozen: Frozen) -> Frozen:
    title = f"{cell.notebook.title}: {frozen.title}"[:300]
    return Frozen(frozen.title if cell.name else title, frozen.kql, frozen.window, at=frozen.at)


def _check(case: Case, cell: Cell) -> None:
    """What the local engine would refuse is said at once. A tenant judges for itself."""
    if cell.source != Source.CASE:
        return
    given, _ = sources.tables_for(case, None)
    found = [one for one in kql.validate(cell.text, (*given, *tables_above(cell))) if one.severity == "error"]
    if found:
        one = found[0]
        raise ValidationError(f"Line {one.line}, column {one.column}: {one.message} {one.hint}".strip())


def _still_holds(cell: Cell, last: CellRun, inputs: list[dict[str, Any]], tables: str) -> bool:
    """Whether asking again could give nothing else. A tenant's rows change by themselves."""
    return (
        cell.source == Source.CASE
        and last.run.state == JobState.DONE
        and last.asked == cell.asks
        and last.inputs == inputs
        and last.tables == tables
        and not _RESTLESS.search(cell.text)
    )


def is_behind(cell: Cell) -> bool:
    """Whether a result that the cell's last run read has been replaced since."""
    if cell.last is None or not cell.last.inputs:
        return False
    read = {item["name"]: item["run"] for item in cell.last.inputs}
    now = Cell.objects.filter(notebook_id=cell.notebook_id, name__in=read).there().select_related("last__run")
    return any(one.last is not None and str(one.last.run.uuid) != read[one.name] for one in now)


def tables_digest(case: Case, cell: Cell) -> str:
    """The case's tables that the query names, as they are: all of them where it takes them by a pattern."""
    if cell.source != Source.CASE:
        return ""
    rows = CaseTable.objects.filter(case=case, queryable=True).order_by("uuid")
    try:
        names, patterns = tables_in(parse(cell.text))
    except KqlError:
        names, patterns = set[str](), {"*"}
    rows = rows if patterns else rows.filter(name__in=names)
    return hashlib.sha256("\n".join(str(uuid) for uuid in rows.values_list("uuid", flat=True)).encode()).hexdigest()


def since(run: CellRun) -> datetime:
    """When the result came home."""
    return run.run.finished_at or run.run.queued_at
