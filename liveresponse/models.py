"""Collections, one row per device, and the scripts they run."""

import uuid
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ircase.models import Activity, Case, Connection, Evidence


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


def lease() -> timedelta:
    """How long a worker that gives no sign of life keeps a collection: as long as with every other job."""
    return timedelta(seconds=settings.STALE_SECONDS)


class CollectionQuerySet(models.QuerySet["Collection"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)

    def unfinished(self) -> Self:
        return self.exclude(state__in=FINAL_COLLECTION_STATES)

    def due(self) -> Self:
        """Unfinished ones whose next look is due and that no worker holds. A lease that ran out is a dead worker's."""
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        return self.unfinished().exclude(state=CollectionState.REQUESTED).filter(free, next_poll_at__lte=now)

    def take(self, pk: int, owner: str) -> "Collection | None":
        """Lease the row for one step; None if it is not due, is final or is held by another."""
        taken = (
            self.due()
            .filter(pk=pk)
            .update(lease_owner=owner, lease_until=timezone.now() + lease(), polls=F("polls") + 1)
        )
        return self.select_related("case", "connection", "activity", "requested_by").get(pk=pk) if taken == 1 else None

    def change(self, pk: int, owner: str, **fields: Any) -> bool:
        """Write what a step found, if `owner` still holds the lease. False: another has it, so nothing was changed."""
        return self.filter(pk=pk, lease_owner=owner).update(**fields) == 1


class Collection(models.Model):
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

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="collections")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    definition = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    parameters = models.JSONField(default=dict)
    found = models.JSONField(default=dict, help_text="What earlier steps found in their transcripts, by name.")
    device = models.CharField(max_length=255, help_text="The device's DNS name.")
    machine_id = models.CharField(max_length=40, blank=True, help_text="Defender's DeviceId, once it is known.")
    script_name = models.CharField(max_length=255, blank=True)
    script_sha256 = models.CharField(max_length=64, blank=True, help_text="What the approval is bound to.")
    reason = models.TextField(blank=True, help_text="Why it was asked for.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    approved_by = models.CharField(
        max_length=200, blank=True, help_text="Who said yes, or which standing approval did."
    )

    state = models.CharField(max_length=12, choices=CollectionState.choices, default=CollectionState.REQUESTED)
    step = models.PositiveSmallIntegerField(default=0)
    action_id = models.CharField(max_length=64, blank=True, help_text="The current step's machine action.")
    status_text = models.CharField(max_length=300, blank=True, help_text="What it waits for now, in a sentence.")
    failure = models.TextField(blank=True)
    turn = models.CharField(max_length=64, blank=True, editable=False, help_text="The quota lease of the session.")
    submitted_at = models.DateTimeField(null=True, blank=True)
    transcript = models.JSONField(
        default=dict, blank=True, help_text="How the script ended: exit code, errors, complete."
    )
    deadline = models.DateTimeField(help_text="When it is given up: an offline device is waited for until then.")
    next_poll_at = models.DateTimeField(default=timezone.now, db_index=True)
    polls = models.PositiveIntegerField(default=0)
    trouble = models.PositiveSmallIntegerField(default=0, help_text="Temporary errors in a row.")
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)
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
        return f"{self.marker} step {self.step + 1}"


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
