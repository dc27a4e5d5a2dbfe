"""How long evidence is kept: holds, policies, what a person decided, and destruction by two persons."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case, Classification, Tlp
from ircase.models.evidence import SHA256, Evidence
from ircase.models.jobs import FINAL_STATES, Job, JobQuerySet


class LegalHold(models.Model):
    """Nothing of it is destroyed while the hold stands: of one exhibit, or of the whole case where there is none."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="holds")
    evidence = models.ForeignKey(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="holds")
    reason = models.TextField()
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField(default=timezone.now)
    lift_reason = models.TextField(blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-placed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case"], condition=Q(lifted_at=None, evidence=None), name="hold_once_per_case"
            ),
            models.UniqueConstraint(
                fields=["evidence"], condition=Q(lifted_at=None, evidence__isnull=False), name="hold_once_per_exhibit"
            ),
        ]

    def __str__(self) -> str:
        return f"hold on {self.subject}"

    @property
    def subject(self) -> str:
        return self.evidence.exhibit if self.evidence else "the whole case"


class RetentionPolicy(models.Model):
    """Evidence of closed cases that fits is due for review after so many days. Empty fields fit everything; where
    several fit, the longest counts."""

    name = models.CharField(max_length=100, unique=True)
    tlp = models.CharField("TLP", max_length=16, choices=Tlp.choices, blank=True)
    classification = models.CharField(max_length=40, choices=Classification.choices, blank=True)
    kind = models.CharField("kind of evidence", max_length=12, choices=Evidence.Kind.choices, blank=True)
    days = models.PositiveIntegerField(
        "days after the case was closed", validators=[MinValueValidator(1), MaxValueValidator(36500)]
    )
    why = models.TextField("why", max_length=1000, help_text="The rule or contract that it follows.")
    enabled = models.BooleanField("in force", default=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "retention policies"

    def __str__(self) -> str:
        return self.name


class RetentionReview(models.Model):
    """A person looked at an exhibit that was due, and keeps it until then."""

    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="reviews")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    keep_until = models.DateTimeField(db_index=True)
    reason = models.TextField()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"kept until {self.keep_until:%Y-%m-%d}"


class DestructionState(models.TextChoices):
    REQUESTED = "requested", "Waits for a second person"
    QUEUED = "queued", "Approved"
    RUNNING = "running", "Under way"
    DONE = "done", "Destroyed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Not done"


class Destruction(Job):
    """
    REQUESTED -> QUEUED -> RUNNING -> DONE | FAILED
        \\-> CANCELLED  (rejected, withdrawn or expired)

    Some exhibits of one case, for good. `certificate` is what was done, in the form that docs/evidence.md describes;
    its digest is that of its canonical JSON, and `sealed` the exhibit that holds it as a PDF.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=12, choices=DestructionState.choices, default=DestructionState.REQUESTED)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="destructions")
    exhibits = models.ManyToManyField(Evidence, related_name="destructions")
    why = models.TextField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True, blank=True, help_text="From here on it is carried through.")
    certificate = models.JSONField(default=dict, editable=False)
    certificate_sha256 = models.CharField(max_length=64, blank=True, validators=[SHA256], editable=False)
    sealed = models.OneToOneField(
        Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="certificate_of"
    )

    objects: ClassVar[JobQuerySet["Destruction"]] = JobQuerySet["Destruction"].as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-requested_at", "-pk"]

    def __str__(self) -> str:
        return f"destruction {self.uuid}: {self.state}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    def facts(self) -> dict[str, Any]:
        """What an approval is bound to."""
        rows = self.exhibits.order_by("number").values_list("uuid", "sha256")
        return {
            "destruction": str(self.uuid),
            "exhibits": [[str(one), sha256] for one, sha256 in rows],
            "why": self.why,
        }
