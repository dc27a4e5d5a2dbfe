"""What the organisation knows to be harmless, and where a case's indicators stand in its tables."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import CaseTable
from ircase.models.findings import Indicator
from ircase.models.jobs import Job, JobQuerySet


class FalsePositive(models.Model):
    """A value, a network or a domain with all below it that the organisation knows to be its own or harmless.

    Indicators that match are marked with the reason; nothing is hidden or refused because of it. An entry ends on
    `expires_at` or when somebody withdraws it; it is kept either way.
    """

    class Match(models.TextChoices):
        VALUE = "value", "Exactly this value"
        CIDR = "cidr", "A network (CIDR)"
        SUFFIX = "suffix", "A domain and all below it"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    match = models.CharField(max_length=8, choices=Match.choices)
    value = models.CharField(max_length=2048)
    value_digest = models.CharField(max_length=64, editable=False, db_index=True)
    reason = models.CharField(max_length=500)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["match", "value"]
        constraints = [
            models.UniqueConstraint(
                fields=["match", "value_digest"], condition=Q(withdrawn_at=None), name="false_positive_once"
            )
        ]

    def __str__(self) -> str:
        return self.value

    @property
    def is_active(self) -> bool:
        return self.withdrawn_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class IndicatorLook(Job):
    """A look for indicators of a case through all of its tables. `wanted`: the indicators' uuids; `problems`:
    (table, sentence) of tables that could not be searched."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="indicator_looks")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    wanted = models.JSONField(default=list)
    problems = models.JSONField(default=list, blank=True)
    found = models.PositiveIntegerField(default=0, help_text="How many indicators stand in some table.")

    objects = JobQuerySet["IndicatorLook"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"look for {len(self.wanted)} indicators: {self.state}"


class Sighting(models.Model):
    """So many rows of a table have the indicator in this column, when it was looked for."""

    indicator = models.ForeignKey(Indicator, on_delete=models.CASCADE, related_name="sightings")
    table = models.ForeignKey(CaseTable, on_delete=models.CASCADE, related_name="sightings")
    column = models.CharField(max_length=255)
    operator = models.CharField(max_length=16, help_text="What the grid calls the condition.")
    rows = models.PositiveBigIntegerField()
    looked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-rows", "pk"]
        constraints = [models.UniqueConstraint(fields=["indicator", "table", "column"], name="sighting_once")]

    def __str__(self) -> str:
        return f"{self.rows} rows in {self.column}"
