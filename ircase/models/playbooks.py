"""The team's own playbooks, each with every version that it ever had; and the one that a case was given, as it was."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ircase.models.cases import Case


class Versioned(models.Model):
    """A thing that a team keeps together. Its text is in its versions; nothing of it is deleted, only retired."""

    slug = models.SlugField(max_length=64, unique=True, help_text="Its id, shared with what IRCase ships.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class ReviewedVersion(models.Model):
    """
    DRAFT -> REVIEWED (by a second person) -> APPROVED (by who answers for others' work, not its author).

    One wording: a later change is a later version, a draft again, while the newest approved one stays in use. `content`
    is what a library file holds, without `id` and `version`.
    """

    number = models.PositiveIntegerField()
    content = models.JSONField()
    change = models.CharField(max_length=500, blank=True, help_text="What is different, in a sentence.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = models.TextField(blank=True, help_text="What the reviewer said.")
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-number"]

    @property
    def stage(self) -> str:
        """ "draft", "reviewed" or "approved"."""
        return "approved" if self.approved_at else "reviewed" if self.reviewed_at else "draft"


class SavedPlaybook(Versioned):
    class Meta(Versioned.Meta):
        pass


class PlaybookVersion(ReviewedVersion):
    saved = models.ForeignKey(SavedPlaybook, on_delete=models.CASCADE, related_name="versions")

    class Meta(ReviewedVersion.Meta):
        constraints = [
            models.UniqueConstraint(fields=["saved", "number"], name="playbook_version_once"),
            models.CheckConstraint(
                condition=Q(reviewed_by=None) | ~Q(reviewed_by=F("author")), name="playbook_reviewed_by_another"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("author")), name="playbook_approved_by_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.saved} version {self.number}"


class CasePlaybook(models.Model):
    """The playbook of a case, frozen: what it said when the case was given it, whatever became of it since."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="plan")
    slug = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    content = models.JSONField()
    given_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.slug} version {self.number}"
