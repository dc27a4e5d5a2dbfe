"""Doors for the worker: claim, call the runner, map errors."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown

from ircase import access, intake, runner, taker, timeliner
from ircase.models import (
    Connection,
    Evidence,
    ParseJob,
    ReportBuild,
    RowTake,
    TimelineBuild,
    TimelineExport,
    Upload,
    User,
)
from ircase.report import build
from ircase.services import approvals, evidence, health, preflights, resumable, supertimeline, sweep
from ircase.work import new_owner

logger = logging.getLogger(__name__)
pulse = health.Pulse()


@worker_ready.connect
def start_pulse(**_: Any) -> None:
    pulse.start()


@worker_shutdown.connect
def stop_pulse(**_: Any) -> None:
    pulse.stop()


@shared_task(name="ircase.parse_evidence")
def parse_evidence(pk: int) -> None:
    job = ParseJob.objects.claim(pk, new_owner())
    if job is not None:
        runner.parse_evidence(job)


@shared_task(name="ircase.seal_upload")
def seal_upload(pk: int) -> None:
    upload = Upload.objects.claim(pk, new_owner())
    if upload is not None:
        runner.seal_upload(upload)


@shared_task(name="ircase.build_report")
def build_report(pk: int) -> None:
    job = ReportBuild.objects.claim(pk, new_owner())
    if job is not None:
        build.build(job)


@shared_task(name="ircase.take_rows")
def take_rows(pk: int) -> None:
    job = RowTake.objects.select_related("case", "evidence", "requested_by", "activity").claim(pk, new_owner())
    if job is not None:
        taker.take_rows(job)


@shared_task(name="ircase.build_timeline")
def build_timeline(pk: int) -> None:
    job = TimelineBuild.objects.select_related("case").claim(pk, new_owner())
    if job is not None:
        timeliner.build_timeline(job)


@shared_task(name="ircase.export_timeline")
def export_timeline(pk: int) -> None:
    job = TimelineExport.objects.select_related("case", "requested_by").claim(pk, new_owner())
    if job is not None:
        timeliner.export_timeline(job)


@shared_task(name="ircase.verify_evidence")
def verify_evidence(pk: int, user_id: int) -> None:
    """Hash one exhibit again, for a person who may still write on its case."""
    item = Evidence.objects.select_related("case").filter(pk=pk).first()
    person = User.objects.filter(pk=user_id).first()
    if item is not None and person is not None and access.still_may(person, item.case, access.ANALYST):
        evidence.verify(item, actor=person)


@shared_task(name="ircase.preflight")
def preflight(pk: int) -> None:
    connection = Connection.objects.filter(pk=pk).first()
    if connection is not None:
        preflights.run(connection)


@shared_task(name="ircase.sweep")
def sweep_all() -> None:
    """Beat's tick: lost imports, uploads and reports go on, old questions end, incidents are read."""
    sweep.sweep(ParseJob.objects.all(), "ircase.parse_evidence")
    sweep.sweep(ReportBuild.objects.all(), "ircase.build_report")
    resumable.tidy()
    sweep.sweep(RowTake.objects.all(), "ircase.take_rows")
    supertimeline.tidy()
    approvals.expire_old()
    intake.nudge()
    health.note_sweep()


@shared_task(name="ircase.sync_incidents")
def sync_incidents(pk: int) -> None:
    """Read one connection's incidents into the inbox, unless another worker is at it."""
    feed = intake.claim(pk)
    if feed is not None:
        intake.sync(feed)
