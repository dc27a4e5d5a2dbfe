"""Which incidents a case holds: the one it was opened from, and those merged into it since."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import Evidence
from ircase.models.intake import IncomingIncident


class CaseIncidentQuerySet(models.QuerySet["CaseIncident"]):
    def held(self) -> "CaseIncidentQuerySet":
        """Those that were not taken out again."""
        return self.filter(removed_at=None)


class CaseIncident(models.Model):
    """An incident in a case. It is never deleted: one that is taken out keeps its row, with who, when and why.

    `brought` holds, by its uuid, every asset, indicator and event that came with it: the digest it came with ("" once
    somebody is known to have touched it), a colon, and an event's key. `named` holds those that it names too, but that
    were in the case already. Title, number, address and origin are copies, so that the row stands alone.
    """

    class Via(models.TextChoices):
        OPENED = "opened", "The case was opened from it"
        MERGED = "merged", "Merged into the case"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="incidents")
    incoming = models.ForeignKey(
        IncomingIncident, null=True, blank=True, on_delete=models.SET_NULL, related_name="links"
    )
    number = models.CharField(max_length=64, help_text="The incident's id where it came from.")
    title = models.CharField(max_length=500)
    url = models.CharField(max_length=1000, blank=True)
    origin = models.CharField(max_length=100, help_text="The connection or the source, by name.")
    via = models.CharField(max_length=8, choices=Via.choices)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    taken_version = models.DateTimeField(null=True, blank=True, help_text="The incident's last update, as taken over.")
    taken_at = models.DateTimeField(default=timezone.now, help_text="When its rows were last taken over.")
    evidence = models.ForeignKey(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    brought = models.JSONField(default=dict, blank=True)
    named = models.JSONField(default=list, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    removed_reason = models.TextField(blank=True)

    objects: ClassVar[models.Manager["CaseIncident"]] = CaseIncidentQuerySet.as_manager()

    class Meta:
        ordering = ["added_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "incoming"], condition=Q(removed_at=None), name="case_incident_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.case_id}: incident {self.number}"
