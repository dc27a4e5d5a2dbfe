"""Doors for the worker: claim, call the runner, nothing else."""

from celery import shared_task

from hunting import importer, pushing, runner, watcher
from hunting.line import next_runs
from hunting.models import HuntImport, HuntRun, TablePush, WatchTurn
from hunting.services import feeds, importing, packs, schemas, steps, tablechecks, turns
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


@shared_task(name="hunting.push_table")
def push_table(pk: int) -> None:
    push = TablePush.objects.claim(pk, new_owner())
    if push is not None:
        pushing.push_table(push)


@shared_task(name="hunting.read_schema")
def read_schema(pk: int) -> None:
    schemas.read(pk)


@shared_task(name="hunting.check_tables")
def check_tables(pk: int) -> None:
    """Tables of a tenant that are due are asked for rows."""
    tablechecks.run(pk)


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
    sweep.sweep(TablePush.objects.all(), "hunting.push_table")
    schemas.keep_fresh()
    tablechecks.tick()
    turns.tick()
    batches.sweep()
    steps.nudge_due()
    importing.sweep()
    clear_abandoned()
    feeds.remind()


@shared_task(name="hunting.compare_turn")
def compare_turn(pk: int) -> None:
    turn = WatchTurn.objects.ready().filter(pk=pk).exists() and WatchTurn.objects.claim(pk, new_owner())
    if turn:
        watcher.compare(turn)


@shared_task(name="hunting.fetch_feeds")
def fetch_feeds() -> None:
    """Feeds that people asked to have fetched now; the tick above sends it again where this message is lost."""
    feeds.fetch_asked()
