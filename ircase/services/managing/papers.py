"""Dashboards as PDF files: asked for by a person, made by a worker with that person's eyes, handed to nobody else."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import DashboardFile, User
from ircase.services import log, sweep
from ircase.store import chunks_of, digest_of

KEPT_DAYS: Final = 30
MOST: Final = 20
"""Of one person in a day: each takes a worker some seconds."""


class PaperGone(Exception):
    """The file is not there, or no longer what was made. The message says what to do."""


def folder_of(row: DashboardFile) -> Path:
    return settings.REPORTS_DIR / f"dashboard-{row.uuid}"


@transaction.atomic
def ask(*, actor: User, asked: str) -> DashboardFile:
    """Have the dashboard made into a PDF; `asked` is the address's query. Raises ValidationError."""
    # The person's row is the lock: two clicks are one file.
    User.objects.select_for_update().get(pk=actor.pk)
    mine = DashboardFile.objects.filter(requested_by=actor)
    if mine.filter(mailed=False).unfinished().exists():
        raise ValidationError("A dashboard is being made for you. Wait for it.")
    if mine.filter(queued_at__gt=timezone.now() - timedelta(days=1)).count() >= MOST:
        raise ValidationError(f"You have had {MOST} dashboards made within a day. Use one of them, or wait.")
    row = DashboardFile.objects.create(requested_by=actor, asked=asked[:2000])
    log.record("dashboard.asked", actor=actor, title=row.asked)
    jobs.enqueue("ircase.make_dashboard_file", row.pk)
    return row


def open_file(*, row: DashboardFile, actor: User) -> tuple[Iterator[bytes], str]:
    """The bytes and the file's name; the log entry is written first. Raises PaperGone."""
    path = folder_of(row) / "dashboard.pdf"
    if not row.sha256 or not path.is_file() or digest_of(path) != row.sha256:
        raise PaperGone("The file is no longer what was made. Have it made again.")
    log.record("dashboard.downloaded", actor=actor, title=row.asked, sha256=row.sha256)
    return chunks_of(path), f"ircase_dashboard_{row.queued_at:%Y%m%d-%H%M}.pdf"


def tick() -> None:
    """Beat's tick: what a dead worker held goes on, and what is older than KEPT_DAYS goes."""
    sweep.take_up(DashboardFile.objects.all(), "ircase.make_dashboard_file")
    old = DashboardFile.objects.filter(queued_at__lt=timezone.now() - timedelta(days=KEPT_DAYS))
    for row in old.exclude(state="running")[:100]:
        shutil.rmtree(folder_of(row), ignore_errors=True)
        row.delete()
