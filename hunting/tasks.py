"""Doors for the worker: claim, call the runner, nothing else."""

from celery import shared_task

from hunting import runner, watcher
from hunting.line import next_runs
from hunting.models import HuntRun, WatchTurn
from hunting.services import schemas, turns
from hunting.services.notebooks import batches
from hunting.spool import clear_abandoned
from ircase.services import sweep
from ircase.work import new_owner


@shared_task(name="hunting.run_hunt")
def run_hunt(pk: int) -> None:
    for run in next_runs(pk):
        runner.run_hunt(run)
        batches.after(run)


@shared_task(name="hunting.step_notebook")
def step_notebook(pk: int) -> None:
    batches.step(pk)


@shared_task(name="hunting.read_schema")
def read_schema(pk: int) -> None:
    schemas.read(pk)


@shared_task(name="hunting.sweep")
def sweep_runs() -> None:
    """Beat's tick: runs whose worker died, whose message was lost or whose wait is over go on."""
    sweep.sweep(HuntRun.objects.all(), "hunting.run_hunt")
    schemas.keep_fresh()
    turns.tick()
    batches.sweep()
    clear_abandoned()


@shared_task(name="hunting.compare_turn")
def compare_turn(pk: int) -> None:
    turn = WatchTurn.objects.ready().filter(pk=pk).exists() and WatchTurn.objects.claim(pk, new_owner())
    if turn:
        watcher.compare(turn)
