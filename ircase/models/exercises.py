"""An exercise: a scenario that is played on a case, what is released to its players, and what was expected of them."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.findings import Event
from ircase.models.readiness import ReadinessPlan


class Exercise(models.Model):
    """RUNNING -> ENDED. `plan` is the scenario as it was when it began, whole: what the library says later changes
    nothing. `result` is the count at the end; until then it is made of the case as it stands."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="played")
    scenario = models.CharField(max_length=64)
    version = models.PositiveIntegerField(default=1)
    plan = models.JSONField(default=dict)
    by_clock = models.BooleanField(default=False, help_text="Injects are released at their minute.")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    went_well = models.TextField(blank=True)
    to_improve = models.TextField(blank=True)
    result = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.scenario} on {self.case_id}"

    @property
    def title(self) -> str:
        return str(self.plan.get("title", self.scenario))

    @property
    def is_running(self) -> bool:
        return self.ended_at is None


class Inject(models.Model):
    """Something that happens to the players: `minute` after the start by the clock, or when a person releases it.
    `released_by` None is the clock."""

    exercise = models.ForeignKey(Exercise, on_delete=models.CASCADE, related_name="injects")
    key = models.CharField(max_length=64)
    position = models.PositiveSmallIntegerField(default=0)
    minute = models.PositiveSmallIntegerField(default=0)
    ago = models.PositiveSmallIntegerField(default=0, help_text="Minutes by which it happened before it is told.")
    sender = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    text = models.TextField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["exercise", "key"], name="inject_once")]
        indexes = [models.Index(fields=["exercise", "minute"], condition=Q(released_at=None), name="inject_waiting")]

    def __str__(self) -> str:
        return self.title

    @property
    def due_at(self) -> datetime:
        """When the clock releases it."""
        return self.exercise.started_at + timedelta(minutes=self.minute)


class Mark(models.Model):
    """A facilitator's own judgement of one expectation, which counts instead of what the case shows."""

    exercise = models.ForeignKey(Exercise, on_delete=models.CASCADE, related_name="marks")
    key = models.CharField(max_length=64)
    met = models.BooleanField()
    note = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["exercise", "key"], name="mark_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.met}"


def stays_exercise(case: Case) -> bool:
    """Whether the case can never become a real one: a scenario is played on it, or it is a connection's own."""
    return Exercise.objects.filter(case=case).exists() or ReadinessPlan.objects.filter(case=case).exists()
