"""Collections, one row per device, and what was sent to each."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models import Activity, Case, Connection, Evidence
from liveresponse.models.batches import Batch
from liveresponse.models.polled import Polled, PolledQuerySet


class CollectionState(models.TextChoices):
    REQUESTED = "requested", "Waiting for approval"
    APPROVED = "approved", "Approved"
    QUEUED = "queued", "Queued"
    SUBMITTED = "submitted", "Submitted"
    RUNNING = "running", "Running on the device"
    FETCHING = "fetching", "Fetching the result"
    DONE = "done", "Done"
    PARTIAL = "partial", "Partly done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"
    REFUSED = "refused", "Refused"


FINAL_COLLECTION_STATES = (
    CollectionState.DONE,
    CollectionState.PARTIAL,
    CollectionState.FAILED,
    CollectionState.CANCELLED,
    CollectionState.EXPIRED,
    CollectionState.REFUSED,
)


class CollectionQuerySet(PolledQuerySet["Collection"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)


class Collection(Polled):
    """
    REQUESTED -> APPROVED -> QUEUED -> SUBMITTED -> RUNNING -> FETCHING -> DONE | PARTIAL
         |                      ^                                  |
         |                      +----------- next step ------------+
         +-> REFUSED (not approved)     any -> CANCELLED (a person) | EXPIRED (past `deadline`) | FAILED | REFUSED

    One job on one device. Each step of its definition is one machine action in Defender. A move of the machine is one
    poll: a worker leases the row, does one thing, writes what it found and when to look again. SUBMITTED is written
    before the call that submits, so that after a crash the action's twin is looked for (by `marker` in its comment)
    before anything is sent again.
    """

    FINAL = FINAL_COLLECTION_STATES
    TASK = "liveresponse.step"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="collections")
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="collections")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    definition = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    plan = models.JSONField(default=dict, help_text="The definition as it was when this was asked for, whole.")
    parameters = models.JSONField(default=dict)
    found = models.JSONField(default=dict, help_text="What earlier steps found in their transcripts, by name.")
    device = models.CharField(max_length=255, help_text="The device's DNS name.")
    machine_id = models.CharField(max_length=40, blank=True, help_text="Defender's DeviceId, once it is known.")
    script_name = models.CharField(max_length=255, blank=True)
    script_sha256 = models.CharField(max_length=64, blank=True, help_text="What the approval is bound to.")
    files = models.JSONField(
        default=list, blank=True, help_text="Every library file of the plan: {name, sha256}, as approved."
    )
    reason = models.TextField(blank=True, help_text="Why it was asked for.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    approved_by = models.CharField(
        max_length=200, blank=True, help_text="Who said yes, or which standing approval did."
    )

    state = models.CharField(max_length=12, choices=CollectionState.choices, default=CollectionState.REQUESTED)
    step = models.PositiveSmallIntegerField(default=0)
    action_id = models.CharField(max_length=64, blank=True, help_text="The current step's machine action.")
    attempt = models.PositiveSmallIntegerField(
        default=1, help_text="Of the step: one more each time an offline device gave its session to others."
    )
    waits_for_device = models.BooleanField(default=False, help_text="Defender has it; the device has not answered.")
    turn = models.CharField(max_length=64, blank=True, editable=False, help_text="The quota lease of the session.")
    submitted_at = models.DateTimeField(null=True, blank=True)
    transcript = models.JSONField(
        default=dict, blank=True, help_text="How the script ended: exit code, errors, complete."
    )
    evidence = models.ManyToManyField(Evidence, blank=True, related_name="+")
    output = models.ForeignKey(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="retries")

    objects = CollectionQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=CollectionState.DONE) | Q(output__isnull=False), name="collection_done_has_output"
            )
        ]
        indexes = [models.Index(fields=["batch", "state"], name="collection_of_batch")]

    def __str__(self) -> str:
        return f"{self.definition} on {self.device}: {self.state}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_COLLECTION_STATES

    @property
    def marker(self) -> str:
        """What stands in every comment sent to Defender: by it a twin is found."""
        return f"IRCase {self.uuid}"

    @property
    def step_marker(self) -> str:
        """Of the very submission: a session that was given up and the one after it are two."""
        again = f" attempt {self.attempt}" if self.attempt > 1 else ""
        return f"{self.marker} step {self.step + 1}{again}"


class CommandLog(models.Model):
    """What was sent to the device and what came back, in order: the device's command log. Rows are only added."""

    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="commands")
    at = models.DateTimeField(default=timezone.now)
    step = models.PositiveSmallIntegerField()
    what = models.CharField(max_length=32, help_text="submitted, status, transcript, fetched, error, cancelled, …")
    text = models.TextField(blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.what}"
