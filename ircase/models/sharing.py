"""A case handed out in the format of another system."""

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models

from ircase.models.activity import Activity
from ircase.models.cases import Case, Tlp
from ircase.models.findings import Pap
from ircase.models.jobs import Job, JobQuerySet


class CaseShare(Job):
    """One file being made for others, or made: it lies in EXPORTS_DIR/shared/<uuid> until `removed_at`.

    `tlp` and `pap` are the most that may leave, `redaction` what is masked (`ircase.redaction`), `parts` what is in it.
    `grave`: TLP:RED may leave, or the case is confidential; a lead asked for it, and only leads take it. `manifest`
    says what left and what stayed: {"counts", "left_out", "left", "highest", "exhibits"}.
    """

    class Part(models.TextChoices):
        INDICATORS = "indicators", "Indicators"
        UNJUDGED = "unjudged", "Indicators that nobody judged yet"
        EVENTS = "events", "Events of the timeline, with their techniques"
        ASSETS = "assets", "Devices and accounts"
        WORDS = "words", "Title and summary of the case"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="shares")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    format = models.CharField(max_length=24, help_text="A key of ircase.exchange.formats.")
    tlp = models.CharField(max_length=16, choices=Tlp.choices)
    pap = models.CharField(max_length=8, choices=Pap.choices)
    redaction = models.JSONField(default=dict, blank=True)
    parts = models.JSONField(default=list)
    sender = models.CharField(max_length=120, help_text="In whose name it leaves.")
    receiver = models.CharField(max_length=200)
    purpose = models.CharField(max_length=500)
    grave = models.BooleanField(default=False)
    name = models.CharField(max_length=120, blank=True, help_text="Of the file.")
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    manifest = models.JSONField(default=dict, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    # Set by services.sharing.judge: whether the reader may have the file.
    takes = False

    objects = JobQuerySet["CaseShare"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.format} of {self.case_id}: {self.state}"

    def clean(self) -> None:
        self.parts = [part for part in self.Part.values if part in self.parts]

    @property
    def path(self) -> Path:
        return Path(settings.EXPORTS_DIR) / "shared" / str(self.uuid)

    @property
    def left_out(self) -> list[dict[str, Any]]:
        """The first of what stayed here; `manifest["left"]` counts all."""
        found: list[dict[str, Any]] = self.manifest.get("left_out", [])
        return found
