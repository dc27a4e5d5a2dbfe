"""Response actions, one row per target, and what was said between us and Defender about each."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ircase.models import Activity, Case, Connection, Evidence
from liveresponse.models.polled import Polled, PolledQuerySet


class ActionKind(models.TextChoices):
    ISOLATE = "isolate", "Isolate from the network"
    RELEASE = "release", "Release from isolation"
    RESTRICT = "restrict", "Restrict app execution"
    UNRESTRICT = "unrestrict", "Lift the app restriction"
    SCAN = "scan", "Antivirus scan"
    QUARANTINE = "quarantine", "Stop and quarantine a file"
    BLOCK = "block", "Block an indicator"
    UNBLOCK = "unblock", "Remove a block"


class ActionState(models.TextChoices):
    REQUESTED = "requested", "Waiting for approval"
    APPROVED = "approved", "Approved"
    SUBMITTED = "submitted", "Submitted"
    RUNNING = "running", "Running"
    CONFIRMING = "confirming", "Confirming the effect"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"
    REFUSED = "refused", "Refused"


FINAL_ACTION_STATES = (
    ActionState.DONE,
    ActionState.FAILED,
    ActionState.CANCELLED,
    ActionState.EXPIRED,
    ActionState.REFUSED,
)
UNSENT_STATES = (ActionState.REQUESTED, ActionState.APPROVED)
"""Nothing has been sent for a row in one of these."""
OPEN_STATES = (*UNSENT_STATES, ActionState.SUBMITTED, ActionState.RUNNING)


class Effect(models.TextChoices):
    NONE = "", "Not looked at yet"
    CONFIRMED = "confirmed", "Confirmed"
    REPORTED = "reported", "Reported by Defender"
    UNCONFIRMED = "unconfirmed", "Not confirmed"
    REVERSED = "reversed", "Reversed since"


class ActionQuerySet(PolledQuerySet["ResponseAction"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)

    def unreviewed(self) -> Self:
        """Taken without approval, and not yet looked at by a second person."""
        return self.filter(break_glass=True, reviewed_at=None)


class ResponseAction(Polled):
    """
    REQUESTED -> APPROVED -> SUBMITTED -> RUNNING -> CONFIRMING -> DONE
         |           ^           |
         |           +-----------+ Defender never took it
         +-> REFUSED             any -> CANCELLED (a person) | EXPIRED (past `deadline`) | FAILED | REFUSED

    One act on one target: a device, or for a block an indicator's value. Rows asked for together share `batch`, which
    is the subject of their one approval. SUBMITTED is written before the call that changes something; a worker that
    finds it without `action_id` looks for the action's twin before anything is sent again.
    """

    FINAL = FINAL_ACTION_STATES

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    batch = models.UUIDField(db_index=True, help_text="Shared by what was asked for together; the approval's subject.")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="response_actions")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=ActionKind.choices)
    target = models.CharField(max_length=2048, help_text="The device's DNS name, or the indicator's value.")
    device_id = models.CharField(max_length=40, blank=True, help_text="Defender's DeviceId as the case knew it.")
    machine_id = models.CharField(max_length=40, blank=True, help_text="Defender's DeviceId as the worker found it.")
    parameters = models.JSONField(default=dict)
    reason = models.TextField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    approved_by = models.CharField(max_length=200, blank=True)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by")

    break_glass = models.BooleanField(default=False)
    glass_reason = models.TextField(blank=True)
    binding = models.CharField(max_length=64, blank=True, help_text="Of a break-glass act: what was typed, as digest.")
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = models.TextField(blank=True)

    state = models.CharField(max_length=12, choices=ActionState.choices, default=ActionState.REQUESTED)
    action_id = models.CharField(max_length=64, blank=True, help_text="The machine action, or the tenant's indicator.")
    submitted_at = models.DateTimeField(null=True, blank=True)
    confirm_until = models.DateTimeField(null=True, blank=True)
    effect = models.CharField(max_length=12, choices=Effect.choices, default=Effect.NONE, blank=True)
    effect_text = models.TextField(blank=True)
    effect_at = models.DateTimeField(null=True, blank=True, help_text="Since when, as Defender says.")
    looked_at = models.DateTimeField(null=True, blank=True)
    record = models.ForeignKey(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = ActionQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            # Whoever presses twice asks once. Of files there may be several on a device: `services.actions` looks.
            models.UniqueConstraint(
                fields=["case", "kind", "target"],
                condition=Q(state__in=OPEN_STATES) & ~Q(kind=ActionKind.QUARANTINE),
                name="action_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(break_glass=False) | ~Q(glass_reason=""), name="break_glass_has_its_reason"
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by=None) | ~Q(reviewed_by=F("requested_by")),
                name="break_glass_reviewed_by_a_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}: {self.state}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_ACTION_STATES

    @property
    def marker(self) -> str:
        """What stands in the comment sent to Defender: by it a twin is found."""
        return f"IRCase {self.uuid}"

    @property
    def comment(self) -> str:
        return f"{self.marker} {self.case.reference}: {self.reason}"[:1000]


class ActionLog(models.Model):
    """What was sent and what came back, in order. Rows are only added."""

    action = models.ForeignKey(ResponseAction, on_delete=models.PROTECT, related_name="log")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=32)
    text = models.TextField(blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.what}"
