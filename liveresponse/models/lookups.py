"""What Defender was asked about a file or a device, and what it answered."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models import Case, Connection, Evidence
from liveresponse.models.polled import Polled, PolledQuerySet


class LookupState(models.TextChoices):
    QUEUED = "queued", "Asking Defender"
    DONE = "done", "Answered"
    PARTIAL = "partial", "Partly answered"
    FAILED = "failed", "Not answered"
    REFUSED = "refused", "Refused"


class LookupQuerySet(PolledQuerySet["Lookup"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)


class Lookup(Polled):
    """
    QUEUED -> DONE | PARTIAL | FAILED | REFUSED
       ^                 |
       +--- asked again -+

    One file or device of a case, and what its tenant's Defender said of it. `pending` are the questions still to be
    asked, `answers` what came of each, by its name: an answer of an earlier time stays until the new one is there.
    Answers are kept by case, so that asking in one tells nobody in another.
    """

    class Kind(models.TextChoices):
        FILE = "file", "File"
        DEVICE = "device", "Device"

    FINAL: ClassVar[tuple[str, ...]] = (
        LookupState.DONE,
        LookupState.PARTIAL,
        LookupState.FAILED,
        LookupState.REFUSED,
    )
    BESIDE: ClassVar[tuple[str, ...]] = ("case", "connection", "requested_by")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="lookups")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    key = models.CharField(max_length=255, help_text="A hash in lower case; a device's DNS name or DeviceId.")
    state = models.CharField(max_length=12, choices=LookupState.choices, default=LookupState.QUEUED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    pending = models.JSONField(default=list, blank=True)
    answers = models.JSONField(default=dict, blank=True)
    evidence = models.ForeignKey(
        Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="These answers, sealed."
    )

    objects = LookupQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["case", "kind", "key"], name="lookup_once_per_case")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.state}"

    @property
    def is_final(self) -> bool:
        return self.state in self.FINAL
