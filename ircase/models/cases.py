"""The case, who is on it, and when it moved."""

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from ircase.models.people import User


class Phase(models.TextChoices):
    """The four phases of NIST SP 800-61r2, https://doi.org/10.6028/NIST.SP.800-61r2, section 3."""

    PREPARATION = "preparation", "Preparation"
    DETECTION = "detection", "Detection and Analysis"
    CONTAINMENT = "containment", "Containment, Eradication and Recovery"
    POST_INCIDENT = "post_incident", "Post-Incident Activity"


class Severity(models.TextChoices):
    INFORMATIONAL = "informational", "Informational"
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class Tlp(models.TextChoices):
    """Traffic Light Protocol 2.0, https://www.first.org/tlp/."""

    RED = "red", "TLP:RED"
    AMBER_STRICT = "amber+strict", "TLP:AMBER+STRICT"
    AMBER = "amber", "TLP:AMBER"
    GREEN = "green", "TLP:GREEN"
    CLEAR = "clear", "TLP:CLEAR"


class Classification(models.TextChoices):
    """Graph's incident classification,
    https://learn.microsoft.com/graph/api/resources/security-incident."""

    UNKNOWN = "unknown", "Not set"
    TRUE_POSITIVE = "truePositive", "True positive"
    FALSE_POSITIVE = "falsePositive", "False positive"
    EXPECTED = "informationalExpectedActivity", "Informational, expected activity"


class Determination(models.TextChoices):
    """Graph's incident determination, same page as `Classification`."""

    UNKNOWN = "unknown", "Not set"
    APT = "apt", "Advanced persistent threat"
    MALWARE = "malware", "Malware"
    SECURITY_PERSONNEL = "securityPersonnel", "Security personnel"
    SECURITY_TESTING = "securityTesting", "Security testing"
    UNWANTED_SOFTWARE = "unwantedSoftware", "Unwanted software"
    MULTI_STAGED = "multiStagedAttack", "Multi-staged attack"
    COMPROMISED_ACCOUNT = "compromisedAccount", "Compromised account"
    PHISHING = "phishing", "Phishing"
    MALICIOUS_USER = "maliciousUserActivity", "Malicious user activity"
    NOT_MALICIOUS = "notMalicious", "Not malicious"
    INSUFFICIENT_DATA = "notEnoughDataToValidate", "Not enough data to validate"
    CONFIRMED_ACTIVITY = "confirmedActivity", "Confirmed activity"
    LINE_OF_BUSINESS = "lineOfBusinessApplication", "Line-of-business application"
    OTHER = "other", "Other"


class CaseRole(models.TextChoices):
    """What a member may do. Each role includes the ones above it in this list."""

    VIEWER = "viewer", "Viewer"  # reads and downloads
    ANALYST = "analyst", "Analyst"  # also writes, runs hunts, requests collections
    LEAD = "lead", "Lead"  # also members, phases, confidentiality, approvals, close, sign

    @classmethod
    def at_least(cls, role: str, needed: str) -> bool:
        order = list(cls.values)
        return role in order and order.index(role) >= order.index(needed)


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, user: User | AnonymousUser) -> "CaseQuerySet":
        """The one door. Everything that names, counts, draws or exports cases starts here.

        Each row carries `my_role`, the role that `user` has on it.
        """
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        mine = CaseMember.objects.filter(case=OuterRef("pk"), user=user)
        sees = Exists(mine)
        found = self.filter(Q(confidential=False) | sees) if user.reads_ordinary_cases else self.filter(sees)
        role = Coalesce(Subquery(mine.values("role")[:1]), Value(CaseRole.VIEWER.value))
        return found.annotate(my_role=role)  # type: ignore[no-redef]

    def open(self) -> "CaseQuerySet":
        return self.filter(closed_at=None)

    def most_urgent_first(self) -> "CaseQuerySet":
        ranks = [When(severity=value, then=Value(rank)) for rank, value in enumerate(reversed(Severity.values))]
        return self.annotate(_rank=models.Case(*ranks, output_field=models.IntegerField())).order_by(
            F("closed_at").desc(nulls_first=True), "_rank", "-opened_at"
        )


class Case(models.Model):
    """The record of one incident.

    It starts in Detection and Analysis, moves between phases either way with a logged reason, and is open until
    `closed_at` is set; closed is a state, not a phase. `summary` is the executive summary, written by people.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reference = models.CharField(max_length=20, unique=True, editable=False)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    summary = models.TextField(blank=True)
    lessons = models.TextField(blank=True)
    severity = models.CharField(max_length=16, choices=Severity.choices, default=Severity.MEDIUM)
    tlp = models.CharField(max_length=16, choices=Tlp.choices, default=Tlp.AMBER)
    classification = models.CharField(max_length=40, choices=Classification.choices, default=Classification.UNKNOWN)
    determination = models.CharField(max_length=40, choices=Determination.choices, default=Determination.UNKNOWN)
    confidential = models.BooleanField(default=False)
    exercise = models.BooleanField(default=False, help_text="Training; left out of every metric.")
    phase = models.CharField(max_length=16, choices=Phase.choices, default=Phase.DETECTION)
    playbook = models.CharField(max_length=64, blank=True)
    playbook_version = models.PositiveIntegerField(default=0)
    connection = models.ForeignKey(
        "ircase.Connection", null=True, blank=True, on_delete=models.PROTECT, related_name="cases"
    )
    incident_id = models.CharField(max_length=64, blank=True, help_text="The Defender incident this case came from.")
    incident_url = models.URLField(max_length=500, blank=True)
    opened_at = models.DateTimeField(default=timezone.now, db_index=True)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["Case"]] = CaseQuerySet.as_manager()

    if TYPE_CHECKING:
        my_role: str  # only on rows that came through `visible_to`

    class Meta:
        indexes = [
            models.Index(fields=["closed_at", "phase", "severity"], name="case_board"),
            models.Index(fields=["opened_at"], name="case_by_opening"),
            # Which playbooks there are, of the cases that a person may see, without a look at the cases.
            models.Index(fields=["playbook", "exercise", "confidential", "id"], name="case_by_playbook"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class CaseSequence(models.Model):
    """The last number given in a year: references are without gaps, because the row is locked while a case is made."""

    year = models.PositiveIntegerField(primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class CaseMember(models.Model):
    """Who is on a case. `role` is what they may do, the one thing that access asks: the highest of `own_role` (given
    to themselves; empty where they are here only through a team) and of their teams' roles. `services.teams` keeps it.
    """

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=16, choices=CaseRole.choices)
    own_role = models.CharField(max_length=16, choices=CaseRole.choices, blank=True)
    duty = models.CharField(max_length=64, blank=True, help_text="The playbook's role, as in 'Scribe'.")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "user"], name="member_once")]

    def __str__(self) -> str:
        return f"{self.user} on {self.case_id}: {self.role}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new row is a person's own unless `services.teams` makes it, which saves many at once."""
        if self._state.adding and not self.own_role:
            self.own_role = self.role
        super().save(*args, **kwargs)


class PhaseEntry(models.Model):
    """One stay of a case in a phase. The open one (`left_at` null) is the current phase; a closed case has none, so
    that the time between closing and reopening is in no phase."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="phase_entries")
    phase = models.CharField(max_length=16, choices=Phase.choices)
    entered_at = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True, blank=True)
    moved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    passed_open = models.JSONField(
        default=list, blank=True, help_text="Titles of the required items that were open when the gate was passed."
    )
    despite = models.TextField(blank=True, help_text="Why it was passed in spite of them.")

    class Meta:
        ordering = ["entered_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=Q(left_at=None), name="phase_one_current"),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} {self.phase}"


class Milestone(models.Model):
    """A moment the metrics are made of. MTTD = detected - occurred; MTTA = acknowledged - detected;
    MTTC = contained - detected; MTTR = recovered - detected."""

    class Kind(models.TextChoices):
        OCCURRED = "occurred", "Occurred"
        DETECTED = "detected", "Detected"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        DECLARED = "declared", "Declared"
        # What laws count from: docs/clocks.md.
        AWARE = "aware", "Became aware"
        MATERIAL = "material", "Found material"
        MAJOR = "major", "Classified as major"
        CONTAINED = "contained", "Contained"
        ERADICATED = "eradicated", "Eradicated"
        RECOVERED = "recovered", "Recovered"
        CLOSED = "closed", "Closed"

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="milestones")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["case", "kind"], name="milestone_once")]
        # The cases that were detected in a period.
        indexes = [models.Index(fields=["kind", "at", "case"], name="milestone_by_time")]

    def __str__(self) -> str:
        return f"{self.case_id} {self.kind} {self.at:%Y-%m-%d %H:%M}"
