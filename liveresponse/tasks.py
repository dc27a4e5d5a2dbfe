"""Doors for the worker: one look at the clock, one move of one collection."""

import logging
import uuid
from datetime import timedelta

from celery import shared_task
from django.db.models import Max, Q
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection
from ircase.services import sweep
from ircase.work import new_owner
from liveresponse import runner
from liveresponse.models import Collection, FileAnalysis, Lookup
from liveresponse.services import collections, library
from msapi.errors import ApiError

logger = logging.getLogger(__name__)
LIBRARY_AGE = timedelta(minutes=15)


@shared_task(name="liveresponse.poll")
def poll() -> None:
    """Beat's tick: every collection that is due gets a worker; a library not read for a while is read again."""
    for pk in list(Collection.objects.all().due().values_list("pk", flat=True)):
        jobs.send("liveresponse.step", pk)
    for pk in library.waiting(timezone.now()):
        jobs.send("liveresponse.change_library", pk)
    for pk in list(Lookup.objects.all().due().values_list("pk", flat=True)):
        jobs.send("liveresponse.look_up", pk)
    sweep.sweep(FileAnalysis.objects.all(), "liveresponse.read_analysis")
    old = timezone.now() - LIBRARY_AGE
    seen = Connection.objects.filter(enabled=True).annotate(read=Max("library_scripts__seen_at"))
    for connection in seen.filter(Q(read=None) | Q(read__lte=old)):
        jobs.send("liveresponse.sync_library", connection.pk)


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
    collections.approval_decided(uuid.UUID(subject))


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
