"""Doors for the worker: one look at the clock, one move of one collection."""

import logging
import uuid
from datetime import timedelta

from celery import shared_task
from django.db.models import Max, Q
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection
from ircase.work import new_owner
from liveresponse import runner
from liveresponse.models import Collection, ResponseAction
from liveresponse.services import actions, collections
from msapi.errors import ApiError

logger = logging.getLogger(__name__)
LIBRARY_AGE = timedelta(minutes=15)


@shared_task(name="liveresponse.poll")
def poll() -> None:
    """Beat's tick: every collection that is due gets a worker; a library not read for a while is read again."""
    for pk in list(ResponseAction.objects.all().due().values_list("pk", flat=True)):
        jobs.send("liveresponse.act", pk)
    for pk in list(Collection.objects.all().due().values_list("pk", flat=True)):
        jobs.send("liveresponse.step", pk)
    old = timezone.now() - LIBRARY_AGE
    seen = Connection.objects.filter(enabled=True).annotate(read=Max("library_scripts__seen_at"))
    for connection in seen.filter(Q(read=None) | Q(read__lte=old)):
        jobs.send("liveresponse.sync_library", connection.pk)


@shared_task(name="liveresponse.step")
def step(pk: int) -> None:
    runner.advance(pk, new_owner())


@shared_task(name="liveresponse.approval_decided")
def approval_decided(subject: str) -> None:
    collections.approval_decided(uuid.UUID(subject))


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
