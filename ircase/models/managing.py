"""What managers measure against, and the dashboards that were made into files."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from ircase.models.cases import Severity
from ircase.models.jobs import Job, JobQuerySet


class Target(models.Model):
    """How long a phase or one of MTTD, MTTA, MTTC, MTTR should take at most, for cases of one severity, or of every one
    that has no target of its own (empty)."""

    class Measure(models.TextChoices):
        MTTD = "MTTD", "Time to detect"
        MTTA = "MTTA", "Time to acknowledge"
        MTTC = "MTTC", "Time to contain"
        MTTR = "MTTR", "Time to recover"
        DETECTION = "detection", "In Detection and Analysis"
        CONTAINMENT = "containment", "In Containment, Eradication and Recovery"
        POST_INCIDENT = "post_incident", "In Post-Incident Activity"

    measure = models.CharField(max_length=16, choices=Measure.choices)
    severity = models.CharField(max_length=16, choices=Severity.choices, blank=True)
    hours = models.FloatField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["measure", "severity"], name="target_once"),
            models.CheckConstraint(condition=Q(hours__gt=0), name="target_is_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.measure} {self.severity or 'every severity'}: {self.hours} h"


class Assumption(models.Model):
    """How many minutes of a person's work a finished hunt saves. One row at most; without it nothing is counted."""

    minutes = models.PositiveIntegerField(help_text="Per finished run.")
    reason = models.CharField(max_length=300, help_text="Where the figure is from; it stands beside every sum.")
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.minutes} minutes a run"


class DashboardFile(Job):
    """
    QUEUED -> RUNNING -> DONE | FAILED

    The dashboard as a PDF, for the one who asked: it counts what they may see when it is made. `asked` is the address's
    query. The file lies in REPORTS_DIR/dashboard-<uuid>/. One that is `mailed` counts no confidential case that may
    not be named outside; `seen` is a digest of the cases that its reader saw when it was made.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked = models.CharField(max_length=2000, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    mailed = models.BooleanField(default=False)
    monthly = models.ForeignKey(
        "ircase.MonthlyMail", null=True, blank=True, on_delete=models.SET_NULL, related_name="files"
    )
    seen = models.CharField(max_length=64, blank=True, editable=False)

    objects = JobQuerySet["DashboardFile"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        indexes = [models.Index(fields=["state", "not_before"], name="dashboard_file_to_do")]

    def __str__(self) -> str:
        return f"dashboard {self.uuid}"
