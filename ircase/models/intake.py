"""Incidents as they arrive, before anybody has made a case of them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.connections import Connection
from ircase.models.incidentdoors import IncidentSource

# Graph's status values after which nobody has to look: https://learn.microsoft.com/graph/api/resources/security-incident
ENDED = ("resolved", "redirected")


class IncomingIncidentQuerySet(models.QuerySet["IncomingIncident"]):
    def waiting(self) -> "IncomingIncidentQuerySet":
        """Neither ended where they came from nor dismissed here. Whether there is a case depends on who asks."""
        return self.exclude(status__in=ENDED).filter(dismissed_at=None)

    def without_raw(self) -> "IncomingIncidentQuerySet":
        """For lists: the raw JSON may be megabytes."""
        return self.defer("raw")


class IncomingIncident(models.Model):
    """One incident of one tenant, or of one other source, in its newest known version.

    `raw` is Graph's object, alerts included; what another source sends is written in that form, its own text whole
    under "original". Whether a case was made of it is `CaseIncident`'s, and asked only through `Case.visible_to`: a
    case that is confidential must not be betrayed by the incident it came from.
    """

    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.CASCADE, related_name="incidents"
    )
    source = models.ForeignKey(
        IncidentSource, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents"
    )
    incident_id = models.CharField(max_length=64)
    title = models.CharField(max_length=500)
    severity = models.CharField(max_length=32, help_text="As Graph spells it, 'unknown' included.")
    status = models.CharField(max_length=32)
    redirect_id = models.CharField(max_length=64, blank=True, help_text="The incident that this one was merged into.")
    url = models.CharField(max_length=1000, blank=True)
    alert_count = models.PositiveIntegerField(default=0)
    entity_count = models.PositiveIntegerField(default=0)
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
    returned = models.CharField(max_length=300, blank=True, help_text="Why it waits again, although it was done with.")
    gone_at = models.DateTimeField(null=True, blank=True, help_text="Since when the tenant no longer has it.")

    objects: ClassVar[models.Manager["IncomingIncident"]] = IncomingIncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "incident_id"], name="incident_once"),
            models.UniqueConstraint(fields=["source", "incident_id"], name="incident_of_source_once"),
            models.CheckConstraint(
                condition=Q(connection=None, source__isnull=False) | Q(connection__isnull=False, source=None),
                name="incident_comes_from_one",
            ),
        ]
        indexes = [models.Index(fields=["status", "-created_at"], name="incident_inbox")]

    def __str__(self) -> str:
        return f"Incident {self.incident_id} {self.title}"

    @property
    def origin(self) -> str:
        """The tenant's connection or the source, by name."""
        return self.source.name if self.source else self.connection.name if self.connection else ""

    @property
    def tenant(self) -> Connection | None:
        """The tenant that a case made of it is about."""
        return self.source.connection if self.source else self.connection

    def fits(self, case: Case) -> bool:
        """Whether the case can hold it: both are of one tenant, or one of them is of none."""
        return self.tenant is None or case.connection_id in (None, self.tenant.pk)


class IncidentEntity(models.Model):
    """One thing that an incident names, in the spelling of assets and indicators: by it, alike ones find each other."""

    incident = models.ForeignKey(IncomingIncident, on_delete=models.CASCADE, related_name="entities")
    kind = models.CharField(max_length=16, help_text="A kind of asset or of indicator.")
    value = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "kind", "value"], name="incident_entity_once")]
        indexes = [models.Index(fields=["kind", "value"], name="incident_entity_value")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class IncidentFeed(models.Model):
    """How far a connection's incidents have been read.

    `claimed_at` is set while a worker reads, so that two do not; a claim older than `polling.CLAIM_LASTS` is a dead
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
