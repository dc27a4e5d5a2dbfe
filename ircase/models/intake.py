"""Incidents of the tenant as they arrive, before anybody has made a case of them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.connections import Connection

# Graph's status values after which nobody has to look: https://learn.microsoft.com/graph/api/resources/security-incident
ENDED = ("resolved", "redirected")


class IncomingIncidentQuerySet(models.QuerySet["IncomingIncident"]):
    def waiting(self) -> "IncomingIncidentQuerySet":
        """Neither ended in Defender nor dismissed here. Whether there is a case depends on who asks."""
        return self.exclude(status__in=ENDED).filter(dismissed_at=None)

    def without_raw(self) -> "IncomingIncidentQuerySet":
        """For lists: the raw JSON may be megabytes."""
        return self.defer("raw")


class IncomingIncident(models.Model):
    """One incident of one tenant in its newest known version. `raw` is Graph's object, alerts included.

    It holds no link to a case: a case that is confidential must not be betrayed by the incident it came from. Who may
    see the case finds it by connection and incident id through `Case.objects.visible_to`.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="incidents")
    incident_id = models.CharField(max_length=64)
    title = models.CharField(max_length=500)
    severity = models.CharField(max_length=32, help_text="As Graph spells it, 'unknown' included.")
    status = models.CharField(max_length=32)
    redirect_id = models.CharField(max_length=64, blank=True, help_text="The incident that this one was merged into.")
    url = models.CharField(max_length=1000, blank=True)
    alert_count = models.PositiveIntegerField(default=0)
    devices = models.JSONField(default=list, blank=True)
    accounts = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(null=True, blank=True)
    fetched_at = models.DateTimeField(default=timezone.now)
    raw = models.JSONField(default=dict)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    dismissed_reason = models.TextField(blank=True)

    objects: ClassVar[models.Manager["IncomingIncident"]] = IncomingIncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["connection", "incident_id"], name="incident_once")]
        indexes = [models.Index(fields=["status", "-created_at"], name="incident_inbox")]

    def __str__(self) -> str:
        return f"Incident {self.incident_id} {self.title}"


class IncidentFeed(models.Model):
    """How far a connection's incidents have been read.

    `claimed_at` is set while a worker reads, so that two do not; a claim older than `intake.CLAIM_LASTS` is a dead
    worker's and is taken over. `watermark` is Graph's own text of the newest update read.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="incident_feed")
    watermark = models.CharField(max_length=40, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    reconciled_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text="Why the last read failed, in a sentence for people.")

    def __str__(self) -> str:
        return f"incidents of {self.connection_id}"
