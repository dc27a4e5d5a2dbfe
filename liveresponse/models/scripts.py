"""The files of a tenant's Live Response library, and what was done to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models import Connection


class LibraryScript(models.Model):
    """A file of a tenant's Live Response library as it was last read. Approval binds to `sha256`."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="library_scripts")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, blank=True)
    description = models.TextField(blank=True)
    parameters = models.TextField(blank=True)
    created_by = models.CharField(max_length=255, blank=True)
    updated_in_tenant = models.CharField(max_length=40, blank=True, help_text="As the tenant writes it, in UTC.")
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="script_once_per_connection")]

    def __str__(self) -> str:
        return self.name


class LibraryWatch(models.Model):
    """When a tenant's library is read again by itself. An empty library leaves no row that says when it was read."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="library_watch")
    next_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.connection_id}: {self.next_at:%H:%M:%S}"


class LibraryChange(models.Model):
    """
    WAITING -> DONE | FAILED     asked for here: a worker does it in the tenant
    SEEN                         found by reading the library: done elsewhere

    The history of a file of the library. `content` holds the bytes of an upload until the worker has sent them.
    """

    class Kind(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        REPLACED = "replaced", "Replaced"
        DELETED = "deleted", "Deleted"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        SEEN = "seen", "Seen in the tenant"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="library_changes")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    before_sha256 = models.CharField(max_length=64, blank=True)
    after_sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveIntegerField(null=True, blank=True, help_text="In bytes, of an upload.")
    description = models.TextField(blank=True)
    parameters = models.TextField(blank=True, help_text="What its arguments are, in words.")
    content = models.BinaryField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    failure = models.TextField(blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "name"], condition=Q(state="waiting"), name="library_one_change_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.kind}"
