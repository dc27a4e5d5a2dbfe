"""Defender's own log of what was done on devices, as it was last read, whoever did it."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from ircase.models import Case, Connection
from msapi.machines import FINAL, MachineAction, read_action


class ActionRecord(models.Model):
    """A machine action of a tenant. Written by reading only; what it says of the device is Defender's word.

    https://learn.microsoft.com/defender-endpoint/api/machineaction
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="machine_actions")
    action_id = models.CharField(max_length=64)
    type = models.CharField(max_length=64)
    status = models.CharField(max_length=32)
    machine_id = models.CharField(max_length=40)
    device = models.CharField(max_length=255, blank=True)
    host = models.CharField(max_length=255, blank=True, db_index=True, help_text="The device's first label.")
    requestor = models.CharField(max_length=255, blank=True)
    comment = models.TextField(blank=True)
    scope = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=64, blank=True, help_text="Defender's requestSource: Portal, PublicApi, …")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=255, blank=True)
    cancel_comment = models.TextField(blank=True)
    failure = models.TextField(blank=True)
    case = models.ForeignKey(
        Case, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="Whose job of ours it is."
    )
    ours = models.BooleanField(default=False)
    raw = models.JSONField(default=dict)
    first_seen = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When a list last held it.")

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["connection", "action_id"], name="action_once_per_connection")]
        indexes = [models.Index(fields=["connection", "created_at"], name="action_by_time")]

    def __str__(self) -> str:
        return f"{self.type} on {self.device}: {self.status}"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    def as_action(self) -> MachineAction:
        return read_action(self.raw)


class ActionInCase(models.Model):
    """An action on a device of a case, put there once."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="machine_actions")
    record = models.ForeignKey(ActionRecord, on_delete=models.CASCADE, related_name="in_cases")
    found_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "record"], name="action_once_per_case")]

    def __str__(self) -> str:
        return f"{self.record_id} in {self.case_id}"


class ActionWatch(models.Model):
    """How far a connection's actions have been read. One worker at a time: whoever moves `next_at` on."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="action_watch")
    next_at = models.DateTimeField(default=timezone.now)
    whole_at = models.DateTimeField(default=timezone.now, help_text="When everything not ended is next read again.")
    since = models.DateTimeField(null=True, blank=True, help_text="The newest action read: the moving boundary.")
    read_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text="Why the last reading failed.")

    def __str__(self) -> str:
        return f"{self.connection_id}: {self.next_at:%H:%M:%S}"

    @classmethod
    def claim(cls, connection: Connection, pace: timedelta) -> "ActionWatch | None":
        """The watch, if a reading is due and nobody else has begun it."""
        cls.objects.get_or_create(connection=connection)
        now = timezone.now()
        taken = cls.objects.filter(connection=connection, next_at__lte=now).update(next_at=now + pace)
        return cls.objects.get(connection=connection) if taken else None
