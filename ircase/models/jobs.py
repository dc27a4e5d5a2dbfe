"""A row that a worker takes, keeps alive and ends: the truth behind every background job."""

from datetime import timedelta
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

JobT = TypeVar("JobT", bound="Job")


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


FINAL_STATES = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class JobQuerySet(models.QuerySet[JobT]):
    """Every step is one conditional update, so that of two workers exactly one wins and a late one changes nothing."""

    def unfinished(self) -> Self:
        return self.exclude(state__in=FINAL_STATES)

    def claim(self, pk: int, owner: str) -> JobT | None:
        """QUEUED -> RUNNING for `owner`; None if it was taken, ended or asked to stop meanwhile."""
        now = timezone.now()
        taken = self.filter(pk=pk, state=JobState.QUEUED).filter(Q(not_before=None) | Q(not_before__lte=now))
        changed = taken.update(
            state=JobState.RUNNING, owner=owner, heartbeat_at=now, started_at=now, attempt=F("attempt") + 1, reason=""
        )
        return self.get(pk=pk) if changed == 1 else None

    def beat(self, pk: int, owner: str, progress: dict[str, Any] | None = None) -> bool:
        """Say that `owner` is still at work. False: the row was taken away or a person asked to stop; end quietly."""
        fields: dict[str, Any] = {"heartbeat_at": timezone.now()}
        if progress is not None:
            fields["progress"] = progress
        mine = self.filter(pk=pk, owner=owner, state=JobState.RUNNING)
        return mine.update(**fields) == 1 and not self.filter(pk=pk, cancel_requested=True).exists()

    def end(self, pk: int, owner: str, state: JobState, **fields: Any) -> bool:
        """RUNNING -> a final state, if `owner` still holds the row. False: it does not, so nothing was changed."""
        mine = self.filter(pk=pk, owner=owner, state=JobState.RUNNING)
        return mine.update(state=state, finished_at=timezone.now(), owner="", **fields) == 1

    def hand_back(self, pk: int, owner: str, *, reason: str = "", wait: float = 0) -> bool:
        """RUNNING -> QUEUED, to be tried again after `wait` seconds."""
        later = timezone.now() + timedelta(seconds=wait) if wait else None
        mine = self.filter(pk=pk, owner=owner, state=JobState.RUNNING)
        return mine.update(state=JobState.QUEUED, owner="", reason=reason, not_before=later) == 1

    def silent(self) -> Self:
        """RUNNING rows whose worker has not been heard of for `STALE_SECONDS`."""
        limit = timezone.now() - timedelta(seconds=settings.STALE_SECONDS)
        return self.filter(state=JobState.RUNNING, heartbeat_at__lt=limit)

    def due(self) -> Self:
        """QUEUED rows that a worker may take now."""
        return self.filter(state=JobState.QUEUED).filter(Q(not_before=None) | Q(not_before__lte=timezone.now()))


class Job(models.Model):
    """
    QUEUED -> RUNNING -> DONE | FAILED
       ^         |  \\-> CANCELLED  (only when a person asked)
       +---------+  worker silent, or a wait that is longer than a worker should sit through
    """

    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    owner = models.CharField(max_length=64, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    queued_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    reason = models.TextField(blank=True, help_text="Why it waits, failed or was cancelled, in a sentence for people.")
    progress = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES
