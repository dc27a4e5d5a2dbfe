"""Packs at work: one pack run on one case, step by step."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hunting.models.runs import HuntRun, Source
from ircase.models import Case


class PackRun(models.Model):
    """One pack, run once. All its steps are frozen when it is queued, with one window for all, so that a step that has
    to wait for another asks the same question as if it had not waited."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="pack_runs")
    pack_id = models.CharField(max_length=64)
    pack_version = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    source = models.CharField(max_length=16, choices=Source.choices)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="pack_runs")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"pack {self.title}"


class PackStep(models.Model):
    """
    WAITING -> STARTED (run) | NOT_RUN (cause, why)
       ^                          |
       +--------------------------+  the run that it waited for was run again

    `question` is hunting.binding.Frozen as JSON. After a retry of the run, `run` is the newest.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        STARTED = "started", "Started"
        NOT_RUN = "not_run", "Not run"

    class Cause(models.TextChoices):
        """Why a step was not run. The last three end with a retry of what it waited for."""

        LEFT_OUT = "left_out", "The source cannot answer it"
        REFUSED = "refused", "It could not be queued"
        STOPPED = "stopped", "A person stopped the pack"
        NO_HITS = "no_hits", "What it waits for had no hits"
        UNANSWERED = "unanswered", "What it waits for failed or was cancelled"
        BEFORE = "before", "What it waits for was not run"

    pack_run = models.ForeignKey(PackRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    hunt_id = models.CharField(max_length=64)
    hunt_version = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    only_if = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="dependents")
    question = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    cause = models.CharField(max_length=12, choices=Cause.choices, blank=True)
    why = models.CharField(max_length=500, blank=True)
    run = models.OneToOneField(HuntRun, null=True, blank=True, on_delete=models.PROTECT, related_name="pack_step")

    class Meta:
        ordering = ["pack_run_id", "position"]
        indexes = [models.Index(fields=["state"], name="pack_step_waiting")]
        constraints = [
            models.UniqueConstraint(fields=["pack_run", "position"], name="pack_step_once"),
            models.CheckConstraint(condition=~Q(state="started") | Q(run__isnull=False), name="pack_step_has_run"),
            models.CheckConstraint(condition=~Q(state="not_run") | ~Q(why=""), name="pack_step_says_why"),
        ]

    def __str__(self) -> str:
        return f"step {self.position} {self.hunt_id}: {self.state}"
