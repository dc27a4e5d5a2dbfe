"""Who and what was touched, what to look for, and what happened when."""

import uuid

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ircase.models.cases import Case, Tlp

TAG = RegexValidator(r"^[a-z0-9][a-z0-9_.:-]{0,39}$", "A tag is 1 to 40 small letters, digits, and _ . : - inside.")


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


class FindingTag(models.Model):
    """A word that events and indicators of one case are sorted by."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="finding_tags")
    name = models.CharField(max_length=40, validators=[TAG])

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["case", "name"], name="finding_tag_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """How an export names it."""
        return self.name


class Pap(models.TextChoices):
    """Permissible Actions Protocol: what may be done with it, by whom it could be noticed.
    https://www.misp-project.org/taxonomies.html#_pap"""

    RED = "red", "PAP:RED"
    AMBER = "amber", "PAP:AMBER"
    GREEN = "green", "PAP:GREEN"
    CLEAR = "clear", "PAP:CLEAR"


class Indicator(Finding):
    """Something to look for. Kinds follow STIX 2.1's observables; an IP address is of either version.

    The verdict has its reason in `verdict_reason` and who gave it, None where it came with an alert or an import."""

    class Kind(models.TextChoices):
        SHA256 = "sha256", "SHA-256"
        SHA1 = "sha1", "SHA-1"
        MD5 = "md5", "MD5"
        IP = "ip", "IP address"
        DOMAIN = "domain", "Domain name"
        URL = "url", "URL"
        EMAIL = "email", "E-mail address"
        EMAIL_SUBJECT = "email_subject", "E-mail subject"
        FILE_NAME = "file_name", "File name"
        FILE_PATH = "file_path", "File path"
        REGISTRY = "registry", "Registry key"
        PROCESS = "process", "Process command line"
        MUTEX = "mutex", "Mutex"
        USER_AGENT = "user_agent", "User agent"
        CERTIFICATE = "certificate", "Certificate thumbprint"
        ASN = "asn", "AS number"
        ACCOUNT = "account", "Account"
        SERVICE = "service", "Windows service"
        TASK = "task", "Scheduled task"
        MAILBOX_RULE = "mailbox_rule", "Mailbox rule"
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
    pap = models.CharField(max_length=8, choices=Pap.choices, default=Pap.AMBER)
    verdict = models.CharField(max_length=12, choices=Verdict.choices, default=Verdict.UNKNOWN)
    verdict_reason = models.TextField(blank=True)
    verdict_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    verdict_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on it is not handed out for blocking."
    )
    tags = models.ManyToManyField(FindingTag, blank=True, related_name="indicators")
    first_seen = models.DateTimeField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "value"]
        constraints = [models.UniqueConstraint(fields=["case", "kind", "value_digest"], name="indicator_once")]

    def __str__(self) -> str:
        return self.value


class Event(Finding):
    """Something that happened, on the case's curated timeline.

    `at` is UTC and the place in the list. What is known of it says `precision`: the minute, hour or day that begins at
    `at` in `zone`; sometime before or after `at`; or between `at` and `until`. `zone` and `given` are the zone and the
    text that a person wrote. `technique` is the first of `techniques`, which hold all of them."""

    class Lane(models.TextChoices):
        ATTACKER = "attacker", "Attacker"
        DEFENDER = "defender", "Defender"
        SYSTEM = "system", "System"
        OTHER = "other", "Other"

    class Precision(models.TextChoices):
        EXACT = "exact", "To the second or finer"
        MINUTE = "minute", "To the minute"
        HOUR = "hour", "To the hour"
        DAY = "day", "To the day"
        BEFORE = "before", "Sometime before"
        AFTER = "after", "Sometime after"
        BETWEEN = "between", "Sometime between two times"

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_index=True)
    until = models.DateTimeField(null=True, blank=True, help_text="The later end of `between`.")
    precision = models.CharField(max_length=8, choices=Precision.choices, default=Precision.EXACT)
    zone = models.CharField(max_length=64, blank=True, help_text="The IANA zone or offset that the time was given in.")
    given = models.CharField(max_length=120, blank=True, help_text="The time as it was written.")
    discovered_at = models.DateTimeField(
        null=True, blank=True, help_text="When the team learnt of it; else when it was added."
    )
    title = models.CharField(max_length=300)
    technique = models.CharField(max_length=16, blank=True, help_text="An ATT&CK technique id, as in T1547.001.")
    lane = models.CharField(max_length=10, choices=Lane.choices, default=Lane.ATTACKER)
    source = models.CharField(max_length=64, blank=True, help_text="The table, log or person it was learnt from.")
    row = models.JSONField(default=dict, blank=True, help_text="The source row, as it was.")
    in_report = models.BooleanField(default=True)
    assets = models.ManyToManyField(Asset, blank=True, related_name="events")
    indicators = models.ManyToManyField(Indicator, blank=True, related_name="events")
    tags = models.ManyToManyField(FindingTag, blank=True, related_name="events")

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(precision="between", until__gt=F("at")) | (~Q(precision="between") & Q(until=None)),
                name="event_until_only_between",
            )
        ]

    def __str__(self) -> str:
        return self.title


class EventTechnique(models.Model):
    """One technique of an event. `tactic` is what it served here, empty where nobody said; `version` the ATT&CK data
    that named it."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="techniques")
    technique = models.CharField(max_length=16)
    tactic = models.CharField(max_length=40, blank=True)
    version = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["event", "technique", "tactic"], name="event_technique_once")]
        indexes = [models.Index(fields=["technique"], name="event_technique_id")]

    def __str__(self) -> str:
        return f"{self.technique} {self.tactic}".strip()
