"""A row that is moved on one poll at a time: leased, one thing done, what was found written, the next look set."""

from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

PolledT = TypeVar("PolledT", bound="Polled")
REQUESTED = "requested"
"""The state in which every such row waits for a person, so that no worker may take it."""


def lease() -> timedelta:
    """How long a worker that gives no sign of life keeps a row: as long as with every other job."""
    return timedelta(seconds=settings.STALE_SECONDS)


class PolledQuerySet(models.QuerySet[PolledT]):
    """Every step is one conditional update, so that of two workers exactly one wins and a late one changes nothing."""

    def unfinished(self) -> Self:
        return self.exclude(state__in=self.model.FINAL)

    def due(self) -> Self:
        """Unfinished ones whose next look is due and that no worker holds. A lease that ran out is a dead worker's."""
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        return self.unfinished().exclude(state=REQUESTED).filter(free, next_poll_at__lte=now)

    def take(self, pk: int, owner: str) -> PolledT | None:
        """Lease the row for one move; None if it is not due, is final or is held by another."""
        taken = (
            self.due()
            .filter(pk=pk)
            .update(lease_owner=owner, lease_until=timezone.now() + lease(), polls=F("polls") + 1)
        )
        return self.select_related(*self.model.BESIDE).get(pk=pk) if taken == 1 else None

    def change(self, pk: int, owner: str, **fields: Any) -> bool:
        """Write what a move found, if `owner` still holds the lease. False: another has it, so nothing was changed."""
        if set(fields) - {"lease_owner", "lease_until"}:
            fields.setdefault("changed_at", timezone.now())
        return self.filter(pk=pk, lease_owner=owner).update(**fields) == 1


class Polled(models.Model):
    """What the poller needs of a row. A subclass adds `uuid`, `state`, `case`, `connection`, `requested_by`, mostly an
    `activity`, and says which of its states are `FINAL` and which rows are read with it (`BESIDE`)."""

    FINAL: ClassVar[tuple[str, ...]] = ()
    BESIDE: ClassVar[tuple[str, ...]] = ("case", "connection", "activity", "requested_by")
    TASK: ClassVar[str] = ""
    """The task that moves one row by its primary key."""

    status_text = models.CharField(max_length=300, blank=True, help_text="What it waits for now, in a sentence.")
    failure = models.TextField(blank=True)
    deadline = models.DateTimeField(help_text="When it is given up: an offline device is waited for until then.")
    next_poll_at = models.DateTimeField(default=timezone.now, db_index=True)
    changed_at = models.DateTimeField(default=timezone.now, help_text="For pages that show only what changed.")
    polls = models.PositiveIntegerField(default=0)
    trouble = models.PositiveSmallIntegerField(default=0, help_text="Temporary errors in a row.")
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
