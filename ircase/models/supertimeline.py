"""The super-timeline's work and what people put on it. The events themselves lie in a derived store."""

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import Evidence
from ircase.models.findings import TAG
from ircase.models.jobs import Job, JobQuerySet


def store_folder(case_id: int) -> Path:
    """Below the case's tables, and gone with them."""
    return Path(settings.TABLES_DIR) / str(case_id) / "super-timeline"


class TimelineBuild(Job):
    """One row per case: QUEUED whenever its tables have changed, DONE when the store shows them. `again`: they changed
    while a worker was at it, so it looks once more before it ends. `problems`: (table, sentence)."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="timeline_build")
    again = models.BooleanField(default=False)
    problems = models.JSONField(default=list, blank=True)

    objects = JobQuerySet["TimelineBuild"].as_manager()

    def __str__(self) -> str:
        return f"super-timeline of {self.case_id}: {self.state}"


class TimelineExport(Job):
    """The events of a filter as a file. `asked` is the filter as the page's address has it; the file lies in the store
    until `expires_at`. `manifest` says what is in it."""

    class Format(models.TextChoices):
        JSONL = "jsonl", "Timesketch JSONL"
        CSV = "csv", "Timesketch CSV"
        SAFE_CSV = "csv-safe", "CSV for spreadsheets"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="timeline_exports")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Format.choices)
    asked = models.TextField(blank=True)
    manifest = models.JSONField(default=dict, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet["TimelineExport"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"super-timeline as {self.kind}: {self.state}"

    @property
    def path(self) -> Path:
        return store_folder(self.case_id) / "exports" / f"{self.uuid}.{self.kind}"


class TimelineView(models.Model):
    """A filter under a name, for everybody on the case. `asked` is the address's query."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="timeline_views")
    name = models.CharField(max_length=80)
    asked = models.TextField(blank=True)
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["case", "name"], name="timeline_view_once")]

    def __str__(self) -> str:
        return self.name


class RowTag(models.Model):
    """A word on row `number` (from 1) of the table `table_name` made from `evidence`, as a star is. The log holds who
    put it there and who took it off."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="row_tags")
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="row_tags")
    table_name = models.CharField(max_length=128)
    number = models.PositiveBigIntegerField()
    name = models.CharField(max_length=40, validators=[TAG])
    tagged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    tagged_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["evidence", "table_name", "number", "name"], name="row_tag_once")
        ]
        indexes = [models.Index(fields=["case", "name"], name="row_tag_of_case")]

    def __str__(self) -> str:
        return self.name
