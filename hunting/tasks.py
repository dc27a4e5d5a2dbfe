"""Doors for the worker: claim, call the runner, nothing else."""

from celery import shared_task

from hunting import runner
from hunting.line import next_runs
from hunting.models import HuntRun
from hunting.services import feeds
from hunting.spool import clear_abandoned
from ircase.services import sweep


@shared_task(name="hunting.run_hunt")
def run_hunt(pk: int) -> None:
    for run in next_runs(pk):
        runner.run_hunt(run)


@shared_task(name="hunting.sweep")
def sweep_runs() -> None:
    """Beat's tick: runs whose worker died, whose message was lost or whose wait is over go on."""
    sweep.sweep(HuntRun.objects.all(), "hunting.run_hunt")
    clear_abandoned()
    feeds.remind()


@shared_task(name="hunting.fetch_feeds")
def fetch_feeds() -> None:
    """Feeds that people asked to have fetched now; the tick above sends it again where this message is lost."""
    feeds.fetch_asked()
