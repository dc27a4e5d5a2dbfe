"""Keeping a case and its Defender incident the same: what was agreed, what is to be sent, where the two differ."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.caseincidents import CaseIncident
from ircase.models.cases import Case
from ircase.models.connections import Connection
from ircase.models.jobs import Job, JobQuerySet


class SyncField(models.TextChoices):
    STATUS = "status", "Status"
    ASSIGNED = "assigned_to", "Assigned to"
    CLASSIFICATION = "classification", "Classification"
    DETERMINATION = "determination", "Determination"
    SEVERITY = "severity", "Severity"
    TAGS = "tags", "Tags"


class IncidentSync(models.Model):
    """What is kept the same between the cases of one connection and Defender's incidents. Nothing, until switched on.

    `fields` are values of `SyncField`; `comments` is apart, for they are added and never differ.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="incident_sync")
    enabled = models.BooleanField(default=False)
    fields = models.JSONField(default=list, blank=True)
    comments = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"sync of {self.connection_id}"


class CaseSync(models.Model):
    """A lead's yes that a confidential case's state may be told to Defender."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="incident_sync")
    allowed = models.BooleanField(default=False)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"sync of case {self.case_id}: {self.allowed}"


class SyncState(models.Model):
    """What an incident of a case and Defender last agreed on, by field. `ours` holds what the case itself has no place
    for: whom the incident is assigned to, and its tags."""

    link = models.OneToOneField(CaseIncident, on_delete=models.CASCADE, related_name="sync")
    agreed = models.JSONField(default=dict, blank=True)
    ours = models.JSONField(default=dict, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"agreed on {self.link_id}"


class SyncConflict(models.Model):
    """Both sides changed one field since they agreed. Nothing is sent or taken until a person has chosen."""

    class Choice(models.TextChoices):
        OURS = "ours", "Ours"
        THEIRS = "theirs", "Theirs"
        SAME = "same", "They became the same"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    link = models.ForeignKey(CaseIncident, on_delete=models.CASCADE, related_name="conflicts")
    field = models.CharField(max_length=16, choices=SyncField.choices)
    base = models.JSONField(null=True, blank=True)
    ours = models.JSONField(null=True, blank=True)
    theirs = models.JSONField(null=True, blank=True)
    found_at = models.DateTimeField(default=timezone.now)
    choice = models.CharField(max_length=8, choices=Choice.choices, blank=True)
    chosen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    chosen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-found_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["link", "field"], condition=Q(choice=""), name="sync_conflict_one_open")
        ]

    def __str__(self) -> str:
        return f"{self.link_id} {self.field}"


class SyncChange(Job):
    """
    QUEUED -> RUNNING -> DONE | FAILED (reason) | CANCELLED (no longer wanted, or not allowed)

    One value to be set on the incident. `base` is what Defender had when it was queued: the worker reads again, and
    where something else is there now, nothing is written and a conflict is kept instead.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    link = models.ForeignKey(CaseIncident, on_delete=models.CASCADE, related_name="changes")
    field = models.CharField(max_length=16, choices=SyncField.choices)
    base = models.JSONField(null=True, blank=True)
    value = models.JSONField(null=True, blank=True)

    objects = JobQuerySet["SyncChange"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["link", "field"], condition=Q(state__in=["queued", "running"]), name="sync_change_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.link_id} {self.field}: {self.state}"


class IncidentComment(Job):
    """A comment on a Defender incident: written here and sent by a worker, or read from there (DONE at once).

    A sent one begins with a mark of its own, by which it is known again: after a doubtful outcome the worker looks for
    it before it sends a second time.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    link = models.ForeignKey(CaseIncident, on_delete=models.CASCADE, related_name="comments")
    from_defender = models.BooleanField(default=False)
    author = models.CharField(max_length=200)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)
    key = models.CharField(max_length=64, help_text="What it is known again by: of text, author and time, or its uuid.")

    objects = JobQuerySet["IncidentComment"].as_manager()

    class Meta:
        ordering = ["written_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["link", "key"], name="incident_comment_once")]

    def __str__(self) -> str:
        return f"{self.link_id} {self.author}"
