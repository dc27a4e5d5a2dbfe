"""Reports of a case: what was built, who read it over, who signed it off, and how the organisation's look."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.activity import Activity
from ircase.models.cases import Case
from ircase.models.custody import SigningKey
from ircase.models.evidence import Evidence
from ircase.models.jobs import Job, JobQuerySet, JobState


class ReportKind(models.TextChoices):
    TECHNICAL = "technical", "Technical report"
    EXECUTIVE = "executive", "Executive summary (one page)"
    NOTIFICATION = "notification", "Notification of an authority"
    LESSONS = "lessons", "Lessons learned"
    HANDOVER = "handover", "Hand-over"
    REGISTER = "register", "Evidence register"


class ReportLook(models.Model):
    """What the organisation gives its reports, one row for each time it was saved; the newest holds.

    `logo` is a PNG as we drew it anew, empty for none. Texts may name fields of a report (ircase.report.fields)."""

    number = models.PositiveIntegerField(unique=True, editable=False)
    organisation = models.CharField(max_length=120, blank=True)
    accent = models.CharField("colour", max_length=7, default="#1d4ed8", help_text="Of headings, as in #1d4ed8.")
    cover = models.TextField("text of the cover", blank=True)
    footer = models.CharField(max_length=200, blank=True)
    disclaimer = models.TextField(blank=True)
    contact = models.TextField(blank=True)
    logo = models.BinaryField(blank=True, default=b"", editable=False)
    logo_name = models.CharField(max_length=120, blank=True, editable=False)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"look {self.number}"


class ReportBuild(Job):
    """One report being made. The files lie in REPORTS_DIR/<uuid>/; `evidence` is set when it was sealed.

    Every build is a draft but one that signs off another: `final_of` is the draft whose data set it prints again,
    without the watermark, sealed and signed. `number` counts the builds of a case. `log_sequence` is the case's log at
    the moment it was read: entries beyond it that change the case make the report superseded.
    """

    superseded: bool = False  # set by who lists builds, from the case's log

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reports")
    number = models.PositiveIntegerField(default=0, editable=False)
    kind = models.CharField(max_length=16, choices=ReportKind.choices, default=ReportKind.TECHNICAL)
    regime = models.CharField(max_length=16, blank=True, help_text="The law of a notification: nis2, gdpr, dora.")
    stage = models.CharField(max_length=16, blank=True, help_text="Of a notification: initial, update, final.")
    language = models.CharField(max_length=8, default="en")
    redaction = models.JSONField(default=dict, blank=True)
    look = models.ForeignKey(ReportLook, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    missing = models.JSONField(default=list, blank=True, help_text="What it lacked when it was asked for.")
    log_sequence = models.PositiveBigIntegerField(default=0)
    final_of = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="final")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    seal = models.BooleanField(default=False, help_text="Keep the PDF as evidence.")
    evidence = models.ForeignKey(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    notebooks = models.JSONField(default=list, blank=True, help_text="The uuids of those that it prints.")
    comments = models.BooleanField(default=False, help_text="Print what people said beside things, as an appendix.")
    files = models.JSONField(default=list, blank=True, help_text='[{"format": "pdf", "size": 1, "sha256": "…"}, …]')

    objects = JobQuerySet["ReportBuild"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], condition=~Q(number=0), name="report_number_once")
        ]

    def __str__(self) -> str:
        return f"report {self.uuid}"

    @property
    def label(self) -> str:
        return f"R{self.number:02d}"

    @property
    def is_final_version(self) -> bool:
        return self.final_of_id is not None

    @property
    def downloads(self) -> list[dict[str, object]]:
        """The files that people take; the data set beside them is for a signed version alone."""
        return [file for file in self.files if file["format"] != "data"]

    @property
    def is_done(self) -> bool:
        return self.state == JobState.DONE


class ReportReview(models.Model):
    """A second person's answer to a draft. The last one counts."""

    class Answer(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        CHANGES = "changes", "Changes wanted"

    build = models.ForeignKey(ReportBuild, on_delete=models.PROTECT, related_name="reviews")
    answer = models.CharField(max_length=8, choices=Answer.choices)
    words = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.build_id}: {self.answer}"


class ReportSignature(models.Model):
    """A lead's signature (Ed25519) of a final version: `signature` is over the canonical JSON of `statement`."""

    build = models.OneToOneField(ReportBuild, on_delete=models.PROTECT, related_name="signed")
    statement = models.JSONField(default=dict)
    signature = models.CharField(max_length=128)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"signature of {self.build_id}"


class NotificationFact(models.Model):
    """What people wrote for a field of a notification that the case itself does not know (ircase.report.regimes)."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="notification_facts")
    field = models.CharField(max_length=64)
    text = models.TextField(blank=True)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["field"]
        constraints = [models.UniqueConstraint(fields=["case", "field"], name="notification_fact_once")]

    def __str__(self) -> str:
        return self.field
