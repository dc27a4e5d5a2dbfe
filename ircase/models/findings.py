"""Who and what was touched, what to look for, and what happened when."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case, Tlp


class Finding(models.Model):
    """What assets, indicators and events share. `provenance` leads back to where the fact was read:
    {"run": uuid, "row": 17} or {"evidence": uuid} or {"incident": id, "alert": id} or {"by": "hand"}."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    description = models.TextField(blank=True)
    provenance = models.JSONField(default=dict, blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True


class Asset(Finding):
    class Kind(models.TextChoices):
        DEVICE = "device", "Device"
        ACCOUNT = "account", "Account"
        MAILBOX = "mailbox", "Mailbox"
        APPLICATION = "application", "Application"
        OTHER = "other", "Other"

    class Compromise(models.TextChoices):
        UNKNOWN = "unknown", "Not known"
        SUSPECTED = "suspected", "Suspected"
        CONFIRMED = "confirmed", "Confirmed"
        CLEAN = "clean", "Clean"
        RECOVERED = "recovered", "Recovered"

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="assets")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=255, help_text="A device's DNS name, an account's user principal name.")
    identifier = models.CharField(
        max_length=255, blank=True, help_text="Defender's DeviceId, Entra's object id, a SID."
    )
    compromise = models.CharField(max_length=12, choices=Compromise.choices, default=Compromise.UNKNOWN)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [models.UniqueConstraint(fields=["case", "kind", "name"], name="asset_once")]

    def __str__(self) -> str:
        return self.name


class Indicator(Finding):
    """Something to look for. Kinds follow STIX 2.1's observables."""

    class Kind(models.TextChoices):
        SHA256 = "sha256", "SHA-256"
        SHA1 = "sha1", "SHA-1"
        MD5 = "md5", "MD5"
        IP = "ip", "IP address"
        DOMAIN = "domain", "Domain name"
        URL = "url", "URL"
        EMAIL = "email", "E-mail address"
        FILE_NAME = "file_name", "File name"
        FILE_PATH = "file_path", "File path"
        REGISTRY = "registry", "Registry key"
        PROCESS = "process", "Process"
        OTHER = "other", "Other"

    class Verdict(models.TextChoices):
        UNKNOWN = "unknown", "Not known"
        SUSPICIOUS = "suspicious", "Suspicious"
        MALICIOUS = "malicious", "Malicious"
        BENIGN = "benign", "Benign"

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="indicators")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    value = models.CharField(max_length=2048)
    value_digest = models.CharField(
        max_length=64, editable=False, help_text="SHA-256 of the value, so that it can be unique."
    )
    tlp = models.CharField(max_length=16, choices=Tlp.choices, default=Tlp.AMBER)
    verdict = models.CharField(max_length=12, choices=Verdict.choices, default=Verdict.UNKNOWN)
    first_seen = models.DateTimeField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "value"]
        constraints = [models.UniqueConstraint(fields=["case", "kind", "value_digest"], name="indicator_once")]

    def __str__(self) -> str:
        return self.value


class Event(Finding):
    """Something that happened, on the case's curated timeline."""

    class Lane(models.TextChoices):
        ATTACKER = "attacker", "Attacker"
        DEFENDER = "defender", "Defender"
        OTHER = "other", "Other"

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_index=True)
    title = models.CharField(max_length=300)
    technique = models.CharField(max_length=16, blank=True, help_text="An ATT&CK technique id, as in T1547.001.")
    lane = models.CharField(max_length=10, choices=Lane.choices, default=Lane.ATTACKER)
    source = models.CharField(max_length=64, blank=True, help_text="The table, log or person it was learnt from.")
    row = models.JSONField(default=dict, blank=True, help_text="The source row, as it was.")
    in_report = models.BooleanField(default=True)
    assets = models.ManyToManyField(Asset, blank=True, related_name="events")

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.title
