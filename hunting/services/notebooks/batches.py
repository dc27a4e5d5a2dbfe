"""Running a whole notebook: the next cell is queued when the one before has ended, by whoever notices first."""

import logging
from typing import Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from hunting.models import Cell, CellRun, HuntRun, Notebook, NotebookRun
from hunting.services import runs
from hunting.services.notebooks.editing import note_down
from hunting.services.notebooks.running import Unchanged, run_cell
from ircase import access, jobs
from ircase.models import JobState, User

logger = logging.getLogger(__name__)
State = NotebookRun.State


@transaction.atomic
def start(*, notebook: Notebook, actor: User, go_on: bool = False, again: bool = False) -> NotebookRun:
    """Run every query from top to bottom. `go_on`: also after one that failed; `again`: also what has not changed.

    Raises ValidationError where there is nothing to run, or the notebook is being run.
    """
    if not notebook.case.is_open:
        raise ValidationError("The case is closed. Reopen it before you hunt.")
    cells = notebook.cells.there().filter(kind=Cell.Kind.KQL).exclude(text="")
    plan = list(cells.values_list("pk", flat=True))
    if not plan:
        raise ValidationError("This notebook has no query to run.")
    try:
        with transaction.atomic():
            batch = NotebookRun.objects.create(
                notebook=notebook, requested_by=actor, go_on=go_on, again=again, plan=plan
            )
    except IntegrityError:
        raise ValidationError("This notebook is being run. Wait for its end, or cancel it.") from None
    note_down(batch.notebook, actor, "run_all", cells=len(plan))
    jobs.enqueue("hunting.step_notebook", batch.pk)
    return batch


@transaction.atomic
def cancel(*, batch: NotebookRun, actor: User) -> None:
    """Stop after nothing more: the run under way is cancelled, and no other is queued."""
    if NotebookRun.objects.filter(pk=batch.pk, state=State.RUNNING).update(cancel_requested=True):
        for one in CellRun.objects.filter(batch=batch).exclude(run__state__in=_FINAL).select_related("run__case"):
            runs.cancel(run=one.run, actor=actor)
        jobs.enqueue("hunting.step_notebook", batch.pk)


_FINAL: Final = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


def after(run: HuntRun) -> None:
    """A run has been worked on: if it was a notebook's, that goes on."""
    batch = NotebookRun.objects.filter(cells__run=run, state=State.RUNNING).values_list("pk", flat=True).first()
    if batch is not None:
        step(batch)


def sweep() -> None:
    """Beat's tick: what a killed worker or a lost message has left standing goes on."""
    for pk in NotebookRun.objects.filter(state=State.RUNNING).values_list("pk", flat=True):
        step(pk)


def step(pk: int) -> None:
    """As far as it goes without waiting. Taken twice, at once or later, it queues nothing twice."""
    try:
        with transaction.atomic():
            batch = NotebookRun.objects.select_for_update(of=("self",)).filter(pk=pk, state=State.RUNNING).first()
            if batch is not None:
                _go(batch)
    except IntegrityError:
        # Another worker queued the same cell in this moment; its step stands.
        logger.info("notebook.step_lost", extra={"batch": pk})


def _go(batch: NotebookRun) -> None:
    while batch.at < len(batch.plan):
        if not _pass(batch):
            batch.save(update_fields=["at", "failures", "notes"])
            return
        if batch.is_final:
            return
    failed = f"{batch.failures} of {len(batch.plan)} cells failed." if batch.failures else ""
    _end(batch, State.FAILED if failed else State.DONE, failed)


def _pass(batch: NotebookRun) -> bool:
    """Deal with the cell whose turn it is; False where it has to be waited for."""
    pk = batch.plan[batch.at]
    made = CellRun.objects.filter(batch=batch, cell_id=pk).select_related("run").first()
    if made is None:
        return _begin(batch, pk)
    if not made.run.is_final:
        return False
    if made.run.state == JobState.CANCELLED:
        _end(batch, State.CANCELLED, made.run.reason)
    elif made.run.state == JobState.FAILED:
        _failed(batch, pk, made.run.reason)
    else:
        batch.at += 1
    return True


def _begin(batch: NotebookRun, pk: int) -> bool:
    """Queue the cell; True where there is nothing to wait for."""
    if why := _why_stop(batch):
        _end(batch, State.CANCELLED if batch.cancel_requested else State.FAILED, why)
        return True
    cell = Cell.objects.there().filter(pk=pk).first()
    if cell is None:
        return _note(batch, pk, "deleted meanwhile")
    try:
        run_cell(cell=cell, actor=batch.requested_by, again=batch.again, batch=batch)
    except Unchanged:
        return _note(batch, pk, "unchanged: its result still holds")
    except ValidationError as error:
        _failed(batch, pk, " ".join(error.messages))
        return True
    return False


def _why_stop(batch: NotebookRun) -> str:
    case = batch.notebook.case
    if batch.cancel_requested:
        return "Cancelled"
    if not case.is_open:
        return "The case was closed meanwhile."
    if not access.still_may(batch.requested_by, case, access.ANALYST):
        return f"{batch.requested_by.name} may no longer run hunts on this case."
    return ""


def _note(batch: NotebookRun, pk: int, text: str) -> bool:
    batch.notes = [*batch.notes, {"cell": pk, "text": text[:500]}]
    batch.at += 1
    return True


def _failed(batch: NotebookRun, pk: int, reason: str) -> None:
    batch.failures += 1
    _note(batch, pk, reason)
    if not batch.go_on:
        _end(batch, State.FAILED, f"Stopped at cell {_number(batch, pk)}: {reason}")


def _number(batch: NotebookRun, pk: int) -> int:
    """A cell's number as the page counts them, markdown included."""
    order = list(batch.notebook.cells.there().values_list("pk", flat=True))
    return order.index(pk) + 1 if pk in order else batch.at


def _end(batch: NotebookRun, state: State, reason: str) -> None:
    batch.state, batch.reason, batch.finished_at = state, reason, timezone.now()
    batch.save(update_fields=["state", "reason", "finished_at", "at", "failures", "notes"])
    actor = batch.requested_by if state == State.CANCELLED else None
    note_down(batch.notebook, actor, f"run_all_{state}", reason=reason)
