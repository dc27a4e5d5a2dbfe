"""Picking up what a dead worker or a lost message left behind."""

import logging
from typing import Any

from django.conf import settings
from django.db import transaction

from ircase import jobs
from ircase.models import Activity, JobQuerySet, JobState
from ircase.services import activity

logger = logging.getLogger(__name__)


def sweep(rows: JobQuerySet[Any], task: str) -> int:
    """Hand silent RUNNING rows back to the queue and send every due QUEUED row again; the number of rows nudged.

    Sending twice is harmless: the claim lets one worker through. A row that has outlived `MAX_ATTEMPTS` workers fails
    with that reason, for it is likely what kills them.
    """
    for job in rows.silent().select_related("activity"):
        _revive(rows, job)
    due = list(rows.due().values_list("pk", flat=True))
    for pk in due:
        jobs.send(task, pk)
    return len(due)


def take_up(rows: JobQuerySet[Any], task: str, most: int | None = None) -> None:
    """The same for rows that are no activity of a case: hand back what a dead worker held, and send every due row
    again, or the first `most`. A row that has outlived its attempts fails with that reason."""
    for job in rows.silent():
        if job.attempt >= settings.MAX_ATTEMPTS:
            rows.end(job.pk, job.owner, JobState.FAILED, reason=f"Given up: {job.attempt} workers died over it.")
        else:
            rows.hand_back(job.pk, job.owner, reason="The worker stopped answering; another takes it up.")
    for pk in rows.due().values_list("pk", flat=True)[:most]:
        jobs.send(task, pk)


def _revive(rows: JobQuerySet[Any], job: Any) -> None:
    logger.warning("sweep.silent", extra={"row": str(job), "attempt": job.attempt, "owner": job.owner})
    with transaction.atomic():
        if job.cancel_requested:
            _finish(rows, job, JobState.CANCELLED, "Cancelled")
        elif job.attempt >= settings.MAX_ATTEMPTS:
            _finish(
                rows, job, JobState.FAILED, f"Given up: {job.attempt} workers died or fell silent while working on it."
            )
        elif rows.hand_back(job.pk, job.owner, reason="The worker stopped answering; queued again."):
            Activity.objects.filter(pk=job.activity_id).update(state=JobState.QUEUED)


def _finish(rows: JobQuerySet[Any], job: Any, state: JobState, reason: str) -> None:
    if rows.end(job.pk, job.owner, state, reason=reason):
        activity.end(job.activity, state=state, outcome=reason)
