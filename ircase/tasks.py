"""Doors for the worker: claim, call the runner, map errors."""

import logging

from celery import shared_task

from ircase import runner
from ircase.models import Connection, ParseJob
from ircase.services import approvals, connections, sweep
from ircase.work import new_owner
from msapi.preflight import check

logger = logging.getLogger(__name__)


@shared_task(name="ircase.parse_evidence")
def parse_evidence(pk: int) -> None:
    job = ParseJob.objects.claim(pk, new_owner())
    if job is not None:
        runner.parse_evidence(job)


@shared_task(name="ircase.preflight")
def preflight(pk: int) -> None:
    connection = Connection.objects.filter(pk=pk).first()
    if connection is not None:
        connections.keep_preflight(connection, check(connections.endpoint(connection)).to_json())


@shared_task(name="ircase.sweep")
def sweep_all() -> None:
    """Beat's tick: lost imports and reports go on, old questions end."""
    sweep.sweep(ParseJob.objects.all(), "ircase.parse_evidence")
    approvals.expire_old()
