"""Where incidents come from beside a connection: systems that post them, and files that people bring."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.connections import Connection
from ircase.models.jobs import Job, JobQuerySet


class IncidentSource(models.Model):
    """A system that posts signed incidents (webhook), or a kind of file (CSV), with how its fields are read.

    `mapping` is data: {"fields": {"title": "alert.name", …}, "severities": {"5": "high"}, "items": "records"};
    `ircase.intake.mapped` reads it. `connection` is the tenant that cases made of its incidents are about, if any.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Signed webhook"
        CSV = "csv", "CSV file"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.PROTECT, related_name="incident_sources"
    )
    secret_encrypted = models.TextField(blank=True, editable=False)
    mapping = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True, blank=True, editable=False)
    refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    problem = models.TextField(blank=True, editable=False, help_text="Why the last delivery was refused.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SeenDelivery(models.Model):
    """A signature that was accepted once, kept as long as its timestamp would still be: a second one is a replay."""

    source = models.ForeignKey(IncidentSource, on_delete=models.CASCADE, related_name="+")
    signature = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "signature"], name="delivery_once")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.signature[:12]}"


class IncidentFile(Job):
    """
    uploaded (`asked_at` None) -> QUEUED -> RUNNING -> DONE | FAILED

    A CSV of incidents as it was uploaded. No worker takes it until a person has seen the preview and asked for it.
    `problems` are the rows that could not be taken, each whole with its reason.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(IncidentSource, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField(null=True, blank=True)
    taken = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0, help_text="Rows of incidents that were there already, as they are.")
    problems = models.JSONField(default=list, blank=True)

    objects = JobQuerySet["IncidentFile"].as_manager()

    class Meta:
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self) -> str:
        return self.name
