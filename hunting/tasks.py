"""Doors for the worker: claim, call the runner, nothing else."""

from celery import shared_task

from hunting import pushing, runner
from hunting.line import next_runs
from hunting.models import HuntRun, TablePush
from hunting.services import schemas
from hunting.spool import clear_abandoned
from ircase.services import sweep
from ircase.work import new_owner


@shared_task(name="hunting.run_hunt")
def run_hunt(pk: int) -> None:
    for run in next_runs(pk):
        runner.run_hunt(run)


@shared_task(name="hunting.push_table")
def push_table(pk: int) -> None:
    push = TablePush.objects.claim(pk, new_owner())
    if push is not None:
        pushing.push_table(push)


@shared_task(name="hunting.read_schema")
def read_schema(pk: int) -> None:
    schemas.read(pk)


@shared_task(name="hunting.sweep")
def sweep_runs() -> None:
    """Beat's tick: runs whose worker died, whose message was lost or whose wait is over go on."""
    sweep.sweep(HuntRun.objects.all(), "hunting.run_hunt")
    sweep.sweep(TablePush.objects.all(), "hunting.push_table")
    schemas.keep_fresh()
    clear_abandoned()
