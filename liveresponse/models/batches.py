"""One definition on many devices."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models import Case, Connection


class BatchState(models.TextChoices):
    RESOLVING = "resolving", "Looking the devices up"
    DRAFT = "draft", "Ready to be asked for"
    REQUESTED = "requested", "Waiting for approval"
    STARTED = "started", "Started"
    REFUSED = "refused", "Refused"
    CANCELLED = "cancelled", "Cancelled"


class Batch(models.Model):
    """
    RESOLVING -> DRAFT -> REQUESTED -> STARTED
        |          |          +-> REFUSED (not approved)
        +----------+----------+-> CANCELLED (a person; of a started one the devices are)

    A worker looks the devices up in Defender; a person sees who is in and asks; each device that is in then is a
    Collection, which the worker moves as it moves any other. One approval covers the whole: it is bound to the sorted
    devices, the definition, the hash of every file it uses, and the parameters.
    """

    class Origin(models.TextChoices):
        ASSETS = "assets", "The case's devices"
        TAG = "tag", "A tag in Defender"
        TABLE = "table", "Rows of the case"
        NAMES = "names", "Names or ids"
        RETRY = "retry", "Those that did not succeed before"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="collection_batches")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    definition = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    parameters = models.JSONField(default=dict)
    plan = models.JSONField(default=dict, help_text="The definition as it was when this was asked for, whole.")
    files = models.JSONField(
        default=list, blank=True, help_text="Every library file of the plan: {name, sha256}, as approved."
    )
    origin = models.CharField(max_length=8, choices=Origin.choices)
    asked = models.JSONField(
        default=dict,
        help_text='Where the devices come from: {"names": […]}, {"tag": "…"} or {"table": uuid, "column"}.',
    )
    devices = models.JSONField(
        default=list, help_text='[{"name", "id", "platform", "health", "asked", "verdict", "why"}, …] once looked up.'
    )
    problem = models.TextField(blank=True, help_text="Why the devices could not be looked up.")
    starts_itself = models.BooleanField(default=False, help_text="Asked for as soon as the devices are known.")
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=BatchState.choices, default=BatchState.RESOLVING)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(help_text="Until when its offline devices are waited for.")
    approved_by = models.CharField(max_length=200, blank=True)
    looks = models.PositiveSmallIntegerField(default=0, editable=False, help_text="How often the look-up was begun.")
    look_until = models.DateTimeField(null=True, blank=True, editable=False)
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="retries")

    class Meta:
        ordering = ["-requested_at", "-pk"]
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return f"{self.title}: {self.state}"

    @property
    def included(self) -> list[dict[str, Any]]:
        """The devices that are in, by name."""
        return sorted((one for one in self.devices if one["verdict"] == "in"), key=lambda one: (one["name"], one["id"]))

    @property
    def left_out(self) -> list[dict[str, Any]]:
        return [one for one in self.devices if one["verdict"] != "in"]
