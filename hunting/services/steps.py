"""The steps of a pack at work: what each waits for, and what becomes of it. Below the runs, which tell it of theirs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from hunting.models import HuntRun, PackRun, PackStep
from ircase import jobs
from ircase.models import FINAL_STATES, JobState

_AGAIN: Final = (PackStep.Cause.NO_HITS, PackStep.Cause.UNANSWERED, PackStep.Cause.BEFORE)


@dataclass(frozen=True)
class Verdict:
    """What a waiting step does: it starts, or it is not run for this cause."""

    starts: bool
    cause: str = ""
    why: str = ""


def verdict_of(step: PackStep) -> Verdict | None:
    """Of a waiting step; None while what it waits for is open. Hits are rows: DONE with `row_count` over 0."""
    before = step.only_if
    if before is None:
        return Verdict(True)
    if before.state == PackStep.State.WAITING:
        return None
    if before.state == PackStep.State.NOT_RUN:
        return Verdict(False, PackStep.Cause.BEFORE, f"{before.title} was not run")
    run = before.run
    assert run is not None  # the row's own constraint
    if not run.is_final:
        return None
    if run.state != JobState.DONE:
        said = "was cancelled" if run.state == JobState.CANCELLED else "failed"
        return Verdict(False, PackStep.Cause.UNANSWERED, f"{before.title} {said}")
    if not run.row_count:
        return Verdict(False, PackStep.Cause.NO_HITS, f"{before.title} had no hits")
    return Verdict(True)


def waiting(pack_run: PackRun) -> list[PackStep]:
    """The steps that still wait, in order, with what they wait for."""
    found = pack_run.steps.filter(state=PackStep.State.WAITING).order_by("position")
    return list(found.select_related("only_if__run"))


def ended(run: HuntRun) -> None:
    """A run has ended: have a worker look whether a step waited for it. Call it where the run ends; the message goes
    out on commit, and one that is lost is sent again by the clock."""
    step = PackStep.objects.filter(run=run, dependents__state=PackStep.State.WAITING).only("pack_run_id").first()
    if step is not None:
        jobs.enqueue("hunting.advance_pack", step.pack_run_id)


def nudge_due() -> int:
    """Beat's part: packs with a step that waits for something that has ended. Their number."""
    open_steps = PackStep.objects.filter(state=PackStep.State.WAITING)
    due = open_steps.filter(only_if__run__state__in=FINAL_STATES, only_if__state=PackStep.State.STARTED)
    due = due | open_steps.filter(only_if__state=PackStep.State.NOT_RUN) | open_steps.filter(only_if=None)
    packs = list(due.order_by().values_list("pack_run", flat=True).distinct())
    for pk in packs:
        jobs.send("hunting.advance_pack", pk)
    return len(packs)


@transaction.atomic
def follow(old: HuntRun, new: HuntRun) -> None:
    """`new` repeats `old`: it stands for the step from here on, and what was not run because of `old` waits again."""
    step = PackStep.objects.select_for_update().filter(run=old).first()
    if step is None:
        return
    step.run = new
    step.save(update_fields=["run"])
    _wait_again([step.pk])


def _wait_again(before: Iterable[int]) -> None:
    """What was not run because of these steps, and what was not run because of that."""
    again = PackStep.objects.filter(only_if__in=list(before), state=PackStep.State.NOT_RUN, cause__in=_AGAIN)
    found = list(again.values_list("pk", flat=True))
    if found:
        PackStep.objects.filter(pk__in=found).update(state=PackStep.State.WAITING, cause="", why="")
        _wait_again(found)
