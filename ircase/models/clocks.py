"""Deadlines that the law, a contract or the organisation sets for a case."""

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case, Milestone, Severity
from ircase.models.decisions import Decision
from ircase.models.people import User


class SpanUnit(models.TextChoices):
    HOURS = "hours", "hours"
    DAYS = "days", "calendar days"
    MONTHS = "months", "months"
    BUSINESS_DAYS = "business_days", "business days"


class ClockQuerySet(models.QuerySet["Clock"]):
    def running(self) -> Self:
        return self.filter(state=Clock.State.RUNNING)

    def seen_by(self, user: User) -> Self:
        """Those of cases that the person may see."""
        return self.filter(case__in=Case.objects.visible_to(user).values("pk"))

    def ends_next(self) -> Self:
        return self.order_by("due_at", "pk")


class Clock(models.Model):
    """
    RUNNING -> DELIVERED (with its proof) | NOT_APPLICABLE (with the reason)

    It is never paused. What the rule said when it began is kept in the row: a rule that changes later changes nothing
    here. `due_at` follows the milestone that started it, as long as it runs.
    """

    class Kind(models.TextChoices):
        LAW = "law", "Law"
        SERVICE_LEVEL = "sla", "Service level"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DELIVERED = "delivered", "Delivered"
        NOT_APPLICABLE = "not_applicable", "Does not apply"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="clocks")
    kind = models.CharField(max_length=4, choices=Kind.choices, default=Kind.LAW)
    rule = models.CharField(max_length=64, help_text="The rule's id; `sla:` and a number for a service level.")
    title = models.CharField(max_length=200)
    law = models.CharField(max_length=200, blank=True)
    article = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=500, blank=True, help_text="Where the law can be read.")
    deliver = models.TextField(help_text="What has to be delivered, and to whom.")
    counted = models.CharField(max_length=300, help_text="How it is counted, in words.")
    starts_from = models.CharField(max_length=16, blank=True, help_text="The milestone whose time it starts at.")
    basis = models.TextField(help_text="Why it runs: the milestone, or what a lead wrote.")
    decision = models.ForeignKey(Decision, null=True, blank=True, on_delete=models.PROTECT, related_name="clocks")
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    due_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.RUNNING)
    delivered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    end_words = models.TextField(blank=True, help_text="The proof in words, or why it does not apply.")
    evidence = models.ForeignKey("ircase.Evidence", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    report = models.ForeignKey("ircase.ReportBuild", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    end_decision = models.ForeignKey(
        Decision, null=True, blank=True, on_delete=models.PROTECT, related_name="ended_clocks"
    )
    told = models.PositiveSmallIntegerField(
        default=0, help_text="The last stage that people were told of: 50, 90, 100."
    )

    objects = ClockQuerySet.as_manager()

    class Meta:
        ordering = ["due_at", "pk"]
        indexes = [models.Index(fields=["state", "due_at"], name="clock_ends_next")]
        constraints = [
            models.UniqueConstraint(fields=["case", "rule"], condition=Q(state="running"), name="clock_runs_once")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_running(self) -> bool:
        return self.state == self.State.RUNNING

    @property
    def is_late(self) -> bool:
        """Past its time while it runs, or delivered after it."""
        if self.state == self.State.NOT_APPLICABLE:
            return False
        return self.due_at < (self.delivered_at or timezone.now())

    @property
    def percent(self) -> int:
        return share(self.started_at, self.due_at, self.delivered_at or self.ended_at or timezone.now())


def share(start: datetime, due: datetime, now: datetime) -> int:
    """How much of the time is over, 0 to 100."""
    whole = (due - start).total_seconds()
    return 100 if whole <= 0 else max(0, min(100, int(100 * (now - start).total_seconds() / whole)))


class ServiceLevel(models.Model):
    """A promise of the organisation: so much time for cases of a severity, from one milestone to another."""

    name = models.CharField(max_length=120, unique=True)
    severity = models.CharField(max_length=16, choices=Severity.choices, blank=True, help_text="Empty: every case.")
    starts_from = models.CharField(
        max_length=16, choices=Milestone.Kind.choices, default=Milestone.Kind.DETECTED, verbose_name="Starts with"
    )
    met_by = models.CharField(
        max_length=16, choices=Milestone.Kind.choices, blank=True, help_text="The milestone that ends it by itself."
    )
    amount = models.PositiveIntegerField(verbose_name="Time allowed")
    unit = models.CharField(max_length=16, choices=SpanUnit.choices, default=SpanUnit.HOURS)
    calendar = models.CharField(max_length=40, blank=True, help_text="For business days.")
    contract = models.CharField(max_length=200, blank=True, help_text="Which contract or policy says so.")
    deliver = models.CharField(max_length=300, help_text="What has to be done.")
    active = models.BooleanField(default=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RegimePolicy(models.Model):
    """A law whose clocks start by themselves with their milestone, because the organisation falls under it."""

    regime = models.CharField(max_length=40, unique=True)
    automatic = models.BooleanField(default=False)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.regime}: {'automatic' if self.automatic else 'by hand'}"


class WindowTold(models.Model):
    """How far people were told of a window that is computed and has no row of its own."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=80)
    told = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "key"], name="window_told_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.told}"
