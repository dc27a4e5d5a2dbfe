"""What was done on a case, and what it takes to be allowed to do it."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import Evidence
from ircase.models.jobs import FINAL_STATES, JobState


class Activity(models.Model):
    """One row per run, collection, action, import or report: what the report, my work, hand-over and dashboards read.

    The app that owns the work writes it through `ircase.services.activity`, in the same transaction as its own row.
    `subject` is the uuid of that row; `url_name` is its page, reversed with the case's reference and `subject`.
    """

    class Kind(models.TextChoices):
        HUNT = "hunt", "Hunt"
        COLLECTION = "collection", "Collection"
        ACTION = "action", "Response action"
        IMPORT = "import", "Import"
        REPORT = "report", "Report"
        PUSH = "push", "Copy on a cluster"
        EXPORT = "export", "Export"

    class Verdict(models.TextChoices):
        NONE = "", "Not judged"
        CONFIRMED = "confirmed", "Confirmed"
        BENIGN = "benign", "Benign"
        INCONCLUSIVE = "inconclusive", "Inconclusive"
        NO_DATA = "no_data", "No data"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="activities")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.CharField(max_length=300)
    subject = models.UUIDField(unique=True)
    url_name = models.CharField(max_length=64)
    state = models.CharField(max_length=12, default=JobState.QUEUED, db_index=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="activities")
    requested_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True, help_text="A sentence: '12 rows', 'The device is offline'.")
    row_count = models.PositiveBigIntegerField(null=True, blank=True)
    partial = models.BooleanField(default=False, help_text="Truncated or incomplete.")
    verdict = models.CharField(max_length=12, choices=Verdict.choices, default=Verdict.NONE, blank=True)
    sentence = models.TextField(blank=True, help_text="What it means for the case, in a person's words.")
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    evidence = models.ManyToManyField(Evidence, blank=True, related_name="activities")
    detail = models.JSONField(default=dict, blank=True, help_text="For the report: query, window, device, steps.")

    class Meta:
        ordering = ["-requested_at", "-pk"]
        indexes = [models.Index(fields=["case", "kind", "-requested_at"], name="activity_of_case")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES or self.state in ("partial", "expired", "refused")


class Approval(models.Model):
    """
    REQUESTED -> APPROVED | REJECTED | EXPIRED | WITHDRAWN

    A second person's yes to one act. `binding` is the SHA-256 of what was asked (action, device, script hash,
    parameters): the worker computes it again from what it is about to do, and does nothing where the two differ.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        EXPIRED = "expired", "Expired"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="approvals")
    kind = models.CharField(max_length=32, help_text="'liveresponse.script', 'liveresponse.isolate', …")
    subject = models.UUIDField(db_index=True, help_text="The uuid of what waits for it.")
    title = models.CharField(max_length=300)
    detail = models.JSONField(default=dict, help_text="What is asked, as the approver is shown it.")
    binding = models.CharField(max_length=64)
    task = models.CharField(max_length=64, blank=True, help_text="The task to wake when it is decided.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.REQUESTED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    comment = models.TextField(blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decided_by=None) | ~models.Q(decided_by=models.F("requested_by")),
                name="approval_by_a_second_person",
            )
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.state}"


class StandingApproval(models.Model):
    """A lead's yes in advance to one script, by its hash, for 90 days at most."""

    script_name = models.CharField(max_length=255)
    script_sha256 = models.CharField(max_length=64, db_index=True)
    reason = models.TextField()
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    connection = models.ForeignKey("ircase.Connection", on_delete=models.PROTECT, related_name="standing_approvals")

    class Meta:
        ordering = ["-granted_at"]

    def __str__(self) -> str:
        return f"{self.script_name} until {self.expires_at:%Y-%m-%d}"
