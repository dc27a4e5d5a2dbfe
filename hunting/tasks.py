"""Doors for the worker: claim, call the runner, nothing else."""

from celery import shared_task

from hunting import importer, runner
from hunting.line import next_runs
from hunting.models import HuntImport, HuntRun
from hunting.services import importing, packs, steps
from hunting.spool import clear_abandoned
from ircase.services import sweep
from ircase.work import new_owner


@shared_task(name="hunting.run_hunt")
def run_hunt(pk: int) -> None:
    for run in next_runs(pk):
        runner.run_hunt(run)


@shared_task(name="hunting.advance_pack")
def advance_pack(pk: int) -> None:
    """Steps of a pack whose condition is known by now are queued, or left with the reason."""
    packs.advance(pk)


@shared_task(name="hunting.bring_in")
def bring_in(pk: int) -> None:
    found = HuntImport.objects.claim(pk, new_owner())
    if found is not None:
        importer.bring_in(found)


@shared_task(name="hunting.sweep")
def sweep_runs() -> None:
    """Beat's tick: runs whose worker died, whose message was lost or whose wait is over go on."""
    sweep.sweep(HuntRun.objects.all(), "hunting.run_hunt")
    steps.nudge_due()
    importing.sweep()
    clear_abandoned()
