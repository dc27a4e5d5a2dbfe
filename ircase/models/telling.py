"""What people want to be told outside the app, the hooks that are told, and what is on its way to them."""

import uuid
from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.notices import Notice, NoticeCode

MONTHLY: Final = "monthly"
"""The code of a delivery that is a dashboard's file."""


class Channel(models.TextChoices):
    MAIL = "mail", "E-mail"
    TEAMS = "teams", "Teams"
    WEBHOOK = "webhook", "Webhook"


class Timing(models.TextChoices):
    """When a person is told of one kind of news by one channel. Empty: as is usual for people like them."""

    USUAL = "", "As usual"
    NOW = "now", "At once"
    DIGEST = "digest", "In the digest"
    OFF = "off", "Not"


class NoticeSettings(models.Model):
    """How a person wants to be told. Without a row everything is as usual.

    `choices` is {code: {channel: timing}}, only what differs from the usual. `days` are weekdays of the digest, 0 is
    Monday; times are in the person's zone. `teams_encrypted` is the address of a workflow of theirs: who has it can
    post there, so it is a secret."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_settings")
    choices = models.JSONField(default=dict, blank=True)
    teams_encrypted = models.TextField(blank=True, editable=False)
    digest_hour = models.PositiveSmallIntegerField(default=8)
    digest_days = models.JSONField(default=list, blank=True)
    quiet = models.BooleanField(default=False)
    quiet_from = models.TimeField(default="20:00")
    quiet_until = models.TimeField(default="07:00")
    alarm_passes = models.BooleanField(default=True)
    clock_passes = models.BooleanField(default=False)
    every_run = models.BooleanField(default=False, help_text="Also of what ended within two minutes.")
    every_case = models.BooleanField(default=False, help_text="Phases of every case that they may read.")
    tried = models.JSONField(default=dict, blank=True, help_text="Channel -> how its last test ended.")
    mail_waits = models.EmailField(blank=True, editable=False, help_text="The person's address, not confirmed yet.")
    mail_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"how {self.person_id} is told"

    @property
    def waits_for_address(self) -> bool:
        """Whether an address that the person typed is to be confirmed."""
        return bool(self.mail_waits)

    def may_mail(self, address: str) -> bool:
        """Whether news may go to this address of theirs."""
        return bool(address) and address.lower() != self.mail_waits.lower()


class CaseMute(models.Model):
    """A person is told of this case in the app alone. An alarm is told all the same."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "case"], name="mute_once")]

    def __str__(self) -> str:
        return f"{self.person_id} mutes {self.case_id}"


class CaseTelling(models.Model):
    """A lead lets messages that leave IRCase name what a confidential case is about. Without a row they do not."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="telling")
    names = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.case_id}: {'named' if self.names else 'not named'}"


class Hook(models.Model):
    """An address of another system that is told of a case, or of every ordinary case where it is the site's.

    `secret_before_encrypted` signs too until `secret_before_until`: the other side changes over in its own time."""

    class Kind(models.TextChoices):
        TEAMS = Channel.TEAMS.value, "Teams workflow"
        WEBHOOK = Channel.WEBHOOK.value, "Signed webhook"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.WEBHOOK)
    name = models.CharField(max_length=100)
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.CASCADE, related_name="hooks")
    codes = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    url_encrypted = models.TextField(editable=False)
    secret_encrypted = models.TextField(blank=True, editable=False)
    secret_before_encrypted = models.TextField(blank=True, editable=False)
    secret_before_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """
    WAITING -> SENT
       |  \\-> DROPPED  who was to be told may not, or does not want to, any more
       +----> DEAD     the last try failed; a person may put it back to WAITING

    One piece of news on its way to one person by one channel, or to one hook; or a dashboard's file on its way to its
    reader, which is of no case. What is waiting for the same digest is
    sent as one message. A worker that writes itself into `owner` has it until `next_at`."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        DROPPED = "dropped", "Not sent"
        DEAD = "dead", "Given up"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    notice = models.ForeignKey(Notice, null=True, on_delete=models.CASCADE, related_name="deliveries")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    hook = models.ForeignKey(Hook, null=True, on_delete=models.CASCADE, related_name="deliveries")
    case = models.ForeignKey(Case, null=True, on_delete=models.CASCADE, related_name="+")
    file = models.ForeignKey("ircase.DashboardFile", null=True, on_delete=models.CASCADE, related_name="deliveries")
    code = models.CharField(max_length=12, choices=[*NoticeCode.choices, (MONTHLY, "Monthly dashboard")])
    subject = models.UUIDField()
    title = models.CharField(max_length=300)
    path = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)
    digest = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    owner = models.CharField(max_length=64, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    FINAL: ClassVar = (State.SENT, State.DROPPED, State.DEAD)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=["state", "-at"], name="delivery_listed"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(person=None, hook__isnull=False, notice=None) | Q(person__isnull=False, hook=None),
                name="delivery_to_one",
            ),
            models.CheckConstraint(
                condition=Q(case__isnull=False, file=None) | Q(case=None, file__isnull=False, hook=None),
                name="delivery_of_one",
            ),
            models.UniqueConstraint(fields=["person", "channel", "subject"], name="delivery_to_person_once"),
            models.UniqueConstraint(fields=["hook", "case", "subject"], name="delivery_to_hook_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.code} {self.state}"
