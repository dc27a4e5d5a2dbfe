"""How an exhibit may leave the house, and the looks that workers made of it."""

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models

from ircase.models.evidence import Evidence
from ircase.models.jobs import Job, JobQuerySet


class Handling(models.Model):
    """What an exhibit's bytes were recognised as, and a lead's mark.

    `danger` is a word of `artifacts.looks.shapes`, empty where nothing was recognised; `version` is that of the
    recognition, 0 where it was never looked at. `covers` are the reasons that stood when it was marked as safe: a
    reason that comes later is not covered.
    """

    class Mark(models.TextChoices):
        NONE = "", "Not marked"
        MALICIOUS = "malicious", "Malicious"
        SAFE = "safe", "Safe"

    evidence = models.OneToOneField(Evidence, on_delete=models.CASCADE, related_name="handling")
    form = models.CharField(max_length=100, blank=True)
    danger = models.CharField(max_length=20, blank=True)
    looks = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=0)
    mark = models.CharField(max_length=10, choices=Mark.choices, default=Mark.NONE, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    covers = models.JSONField(default=list, blank=True)
    marked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    marked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.evidence_id}: {self.mark or self.danger or 'plain'}"


class Preview(Job):
    """
    QUEUED -> RUNNING -> DONE | FAILED (reason)
       ^                           |
       +-------- asked again ------+

    One look at one exhibit. Its files lie in `path` and are derived: made once for the bytes and the maker's version,
    gone with the exhibit's destruction.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    evidence = models.ForeignKey(Evidence, on_delete=models.CASCADE, related_name="previews")
    kind = models.CharField(max_length=12)
    version = models.PositiveIntegerField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    objects = JobQuerySet["Preview"].as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evidence", "kind", "version"], name="preview_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.evidence_id}: {self.state}"

    @property
    def path(self) -> Path:
        return previews_of(self.evidence.uuid) / f"{self.kind}-{self.version}"


def previews_of(evidence: uuid.UUID) -> Path:
    """The folder of all looks at one exhibit."""
    return Path(settings.PREVIEWS_DIR) / str(evidence)
