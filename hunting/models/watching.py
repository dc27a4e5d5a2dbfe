"""Watches: a question asked again and again, and what each time was new."""

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from hunting.models.runs import HuntRun
from ircase.models import Case, Job, JobQuerySet, User

MOST_HOURS = 168


class WatchQuerySet(models.QuerySet["Watch"]):
    def due(self) -> Self:
        return self.filter(state=Watch.State.ACTIVE, next_at__lte=timezone.now())

    def with_people(self) -> Self:
        """What a list or a page shows beside the row, in the same query."""
        return self.select_related("case", "run", "requested_by", "stopped_by")

    def with_last(self) -> Self:
        """Each with its last turn: `last_state`, `last_new`, `last_reason`, `last_at`, `last_run`, `last_truncated`."""
        last = WatchTurn.objects.filter(watch=OuterRef("pk")).order_by("-number")
        fields = {"state": "state", "new": "new_rows", "reason": "reason", "at": "queued_at", "run": "run__uuid"}
        fields["truncated"] = "truncated"
        return self.annotate(**{f"last_{name}": Subquery(last.values(field)[:1]) for name, field in fields.items()})

    def going_of(self, person: User) -> Self:
        """What somebody watches, on cases that they may see."""
        visible = Case.objects.visible_to(person).values("pk")
        return self.filter(requested_by=person, case__in=visible).exclude(state=Watch.State.STOPPED)


class Watch(models.Model):
    """
    ACTIVE <-> PAUSED
       |        |
       +--------+--> STOPPED (why) --> ACTIVE, where a person resumes it

    The question of `run` again every `every_hours`, with a window that ends now. Rows are told apart by the columns
    `key`, by the whole row where there are none. What was seen lies in a derived file named `seen_file`; lost, it is
    made anew from the runs.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Watching"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped"

    class Stop(models.TextChoices):
        PERSON = "person", "A person stopped it"
        CLOSED = "closed", "The case was closed"
        UNTIL = "until", "Its last day is over"
        RIGHT = "right", "Its person lost the right"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="watches")
    run = models.ForeignKey(HuntRun, on_delete=models.PROTECT, related_name="watches")
    title = models.CharField(max_length=300)
    key = models.JSONField(default=list, blank=True)
    every_hours = models.PositiveSmallIntegerField(
        default=24, validators=[MinValueValidator(1), MaxValueValidator(MOST_HOURS)]
    )
    until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    next_at = models.DateTimeField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="watches")
    created_at = models.DateTimeField(default=timezone.now)
    stop = models.CharField(max_length=8, choices=Stop.choices, blank=True)
    stopped_why = models.CharField(max_length=500, blank=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    stopped_at = models.DateTimeField(null=True, blank=True)
    turn_count = models.PositiveIntegerField(default=0)
    new_total = models.PositiveBigIntegerField(default=0)
    seen_file = models.CharField(max_length=120, blank=True, editable=False)
    asked_until = models.DateTimeField(help_text="The end of the last window that was answered whole.")

    objects = WatchQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["state", "next_at"], name="watch_due")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(every_hours__gte=1, every_hours__lte=MOST_HOURS), name="watch_every_1_to_168_hours"
            )
        ]

    def __str__(self) -> str:
        return f"watch {self.title}: {self.state}"

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def interval(self) -> timedelta:
        return timedelta(hours=self.every_hours)


class WatchTurnQuerySet(JobQuerySet["WatchTurn"]):
    def ready(self) -> Self:
        """Turns whose run has ended, waiting to be compared."""
        return self.due().filter(run__state__in=("done", "failed", "cancelled"))


class WatchTurn(Job):
    """One time that a watch asked. QUEUED while its run is under way, RUNNING while a worker compares; DONE with
    `new_rows`, or FAILED with the reason, and then nothing is known about new rows. `truncated`: what was compared is
    not all that there is. `first` are the first new rows for people: a list of texts `Column: value`."""

    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    run = models.OneToOneField(HuntRun, null=True, blank=True, on_delete=models.PROTECT, related_name="watch_turn")
    new_rows = models.PositiveBigIntegerField(null=True, blank=True)
    truncated = models.BooleanField(default=False)
    first = models.JSONField(default=list, blank=True)

    objects = WatchTurnQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["watch", "number"], name="watch_turn_once")]

    def __str__(self) -> str:
        return f"turn {self.number} of watch {self.watch_id}: {self.state}"
