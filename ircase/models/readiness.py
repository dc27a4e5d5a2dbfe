"""Whether the team could answer an incident today: what is tried, asked and answered per tenant, and whom to call."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.connections import Connection


class ReadinessPlan(models.Model):
    """Who keeps a connection ready, and by what. `case` is an exercise case of the system's own: what is tried on the
    test device is a real collection in it, under the usual rules, and notices of this connection are told on it."""

    class Probe(models.TextChoices):
        FILE = "get-file", "Fetch a small file (needs no approval)"
        SCRIPT = "snapshot-connections", "Run a script that only reads (needs approval)"

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="readiness")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_test = models.BooleanField(default=False, help_text="No tenant that matters: exercises may run on it.")
    probe_device = models.CharField(max_length=255, blank=True, help_text="The only device that is ever tried.")
    probe = models.CharField(max_length=32, choices=Probe.choices, default=Probe.FILE)
    probe_days = models.PositiveSmallIntegerField(default=30, help_text="How long a try of Live Response holds.")
    hunt_days = models.PositiveSmallIntegerField(default=30, help_text="How long a clean run of a hunt holds.")
    gap_days = models.PositiveSmallIntegerField(default=7, help_text="A table without rows in so many days is a gap.")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reminded_at = models.DateTimeField(null=True, blank=True, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"readiness of {self.connection_id}"


class SettingAnswer(models.Model):
    """What was found of one Defender setting (ircase/readiness/settings.yaml). `answered_by` None: the API told it."""

    class Answer(models.TextChoices):
        YES = "yes", "As it should be"
        NO = "no", "Not as it should be"
        UNUSED = "unused", "Does not apply here"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="setting_answers")
    key = models.CharField(max_length=64)
    answer = models.CharField(max_length=8, choices=Answer.choices)
    note = models.CharField(max_length=500, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    answered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="setting_answered_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.answer}"


class Contact(models.Model):
    """Somebody to call. Telephone and e-mail are private persons' data, often their own numbers: encrypted at rest, so
    that a copy of the database tells nobody. Name, role and hours stay readable: they are what the list is sorted by.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=120, help_text="As in 'Incident lead, on call' or 'Hosting provider'.")
    phone_encrypted = models.TextField(blank=True, editable=False)
    email_encrypted = models.TextField(blank=True, editable=False)
    hours = models.CharField(max_length=120, blank=True, help_text="When they answer, with the zone.")
    note = models.CharField(max_length=300, blank=True)
    position = models.PositiveIntegerField(default=0)
    confirmed_at = models.DateTimeField(default=timezone.now, help_text="When somebody last made sure that it is true.")
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return f"{self.name}, {self.role}"
