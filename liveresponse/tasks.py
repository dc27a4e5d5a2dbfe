"""Doors for the worker: one look at the clock, one move of one collection."""

import logging
import uuid

from celery import shared_task
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection
from ircase.services import sweep
from ircase.work import new_owner
from liveresponse import runner
from liveresponse.models import Batch, BatchState, Collection, FileAnalysis, Lookup, ResponseAction
from liveresponse.services import actions, batches, collections, library, machine_actions, requests
from msapi.errors import ApiError

logger = logging.getLogger(__name__)
AT_ONCE = 200


@shared_task(name="liveresponse.poll")
def poll() -> None:
    """Beat's tick: every collection and response action that is due gets a worker; a library not read for a while is
    read again, and so are the actions of a tenant in which something is going on. What was decided and has not heard of
    it, because the message was lost, is told again."""
    for pk in list(ResponseAction.objects.all().due().order_by("next_poll_at").values_list("pk", flat=True)[:AT_ONCE]):
        jobs.send("liveresponse.act", pk)
    for task, subject in requests.unheard():
        jobs.send(task, subject)
    for pk in list(Collection.objects.all().due().order_by("next_poll_at").values_list("pk", flat=True)[:AT_ONCE]):
        jobs.send("liveresponse.step", pk)
    for pk in library.waiting(timezone.now()):
        jobs.send("liveresponse.change_library", pk)
    for pk in list(Lookup.objects.all().due().values_list("pk", flat=True)):
        jobs.send("liveresponse.look_up", pk)
    sweep.sweep(FileAnalysis.objects.all(), "liveresponse.read_analysis")
    for pk in machine_actions.due():
        jobs.send("liveresponse.watch_actions", pk)
    for pk in Batch.objects.filter(state=BatchState.RESOLVING).values_list("pk", flat=True):
        jobs.send("liveresponse.find_devices", pk)
    for pk in library.due(timezone.now()):
        jobs.send("liveresponse.sync_library", pk)


@shared_task(name="liveresponse.step")
def step(pk: int) -> None:
    runner.advance(pk, new_owner())


@shared_task(name="liveresponse.look_up")
def look_up(pk: int) -> None:
    runner.look_up(pk, new_owner())


@shared_task(name="liveresponse.read_analysis")
def read_analysis(pk: int) -> None:
    job = FileAnalysis.objects.claim(pk, new_owner())
    if job is not None:
        runner.read_analysis(job)


@shared_task(name="liveresponse.approval_decided")
def approval_decided(subject: str) -> None:
    if not batches.approval_decided(uuid.UUID(subject)):
        collections.approval_decided(uuid.UUID(subject))


@shared_task(name="liveresponse.find_devices")
def find_devices(pk: int) -> None:
    runner.find_devices(pk)


@shared_task(name="liveresponse.watch_actions")
def watch_actions(pk: int) -> None:
    connection = Connection.objects.filter(pk=pk, enabled=True).first()
    if connection is not None:
        runner.watch(connection)


@shared_task(name="liveresponse.act")
def act(pk: int) -> None:
    runner.act(pk, new_owner())


@shared_task(name="liveresponse.action_decided")
def action_decided(batch: str) -> None:
    actions.decided(uuid.UUID(batch))


@shared_task(name="liveresponse.wake")
def wake() -> None:
    """After a thaw: whatever waited looks again now, not at its own next time."""
    now = timezone.now()
    for rows, task in (
        (ResponseAction.objects.all(), "liveresponse.act"),
        (Collection.objects.all(), "liveresponse.step"),
    ):
        waiting = rows.unfinished().filter(status_text__startswith="Frozen:")
        for pk in list(waiting.values_list("pk", flat=True)):
            waiting.filter(pk=pk).update(next_poll_at=now)
            jobs.send(task, pk)


@shared_task(name="liveresponse.sync_library")
def sync_library(pk: int) -> None:
    connection = Connection.objects.filter(pk=pk, enabled=True).first()
    if connection is None:
        return
    try:
        runner.sync_library(connection)
    except ApiError as error:
        logger.warning("library.unread", extra={"connection": connection.name, "error": str(error)})


@shared_task(name="liveresponse.change_library")
def change_library(pk: int) -> None:
    runner.change_library(pk)
