"""Where KQL runs, and the runs: one execution of one query, from the click to the evidence."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Max, Q
from django.utils import timezone

from ircase.models import Activity, Case, CaseTable, Connection, Evidence, Job, JobQuerySet, JobState, User


class Source(models.TextChoices):
    """Where KQL runs."""

    DEFENDER = "defender", "Defender XDR"
    LOG_ANALYTICS = "loganalytics", "Log Analytics"
    KUSTO = "kusto", "Azure Data Explorer"
    CASE = "case", "The case's own tables"
    KUSTO_CASE = "kusto_case", "The case's tables on the cluster"

    @property
    def is_tenant(self) -> bool:
        return self is not Source.CASE

    @property
    def on_cluster(self) -> bool:
        return self in (Source.KUSTO, Source.KUSTO_CASE)


class Sweep(models.Model):
    """One hunt over many entities: in few runs where it could be packed, else in one run for each.

    `column` and `match` say which rows of a packed run are whose (hunting.sweeping). Both are empty where `why_not`
    says what kept the hunt from being packed.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="sweeps")
    hunt_id = models.CharField(max_length=64)
    title = models.CharField(max_length=300)
    parameter = models.CharField(max_length=64)
    column = models.CharField(max_length=1024, blank=True)
    match = models.CharField(max_length=8, blank=True)
    why_not = models.CharField(max_length=500, blank=True)
    entities = models.JSONField(default=list)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sweeps")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"sweep {self.title} over {len(self.entities)}"

    @property
    def is_packed(self) -> bool:
        return bool(self.column)


@dataclass(frozen=True)
class Usage:
    """How a hunt was used: runs, distinct people and cases, the last time; of the `done` runs, `hits` gave rows."""

    runs: int = 0
    people: int = 0
    cases: int = 0
    last: datetime | None = None
    done: int = 0
    hits: int = 0

    @property
    def rate(self) -> int | None:
        """Hits in a hundred done runs; None where none is done."""
        return round(100 * self.hits / self.done) if self.done else None


class HuntRunQuerySet(JobQuerySet["HuntRun"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)

    def latest_first(self) -> Self:
        return self.order_by("-queued_at", "-pk")

    def before(self, pk: int) -> int | None:
        """The oldest of the most urgent runs that are due, where it is more urgent than run `pk`."""
        mine = self.filter(pk=pk).values("priority")[:1]
        more = self.due().filter(priority__lt=models.Subquery(mine)).order_by("priority", "queued_at", "pk")
        return more.values_list("pk", flat=True).first()

    def seen_by(self, user: User) -> Self:
        """Those of cases that the person may see."""
        return self.filter(case__in=Case.objects.visible_to(user).values("pk"))

    def usage(self) -> dict[str, Usage]:
        """By hunt, in one query."""
        done = Q(state=JobState.DONE)
        found = self.exclude(hunt_id="").order_by().values_list("hunt_id").annotate(
            Count("pk"), Count("requested_by", distinct=True), Count("case", distinct=True), Max("queued_at"),
            done=Count("pk", filter=done), hits=Count("pk", filter=done & Q(row_count__gt=0)),
        )  # fmt: skip
        return {hunt_id: Usage(*numbers) for hunt_id, *numbers in found}

    def with_people(self) -> Self:
        """What a list or a page shows beside the row, in the same query."""
        return self.select_related("activity__judged_by", "requested_by", "connection", "evidence", "table")


class HuntRun(Job):
    """
    QUEUED -> RUNNING -> DONE (evidence) | FAILED (reason) | CANCELLED (a person asked)
       ^         |
       +---------+  quota, an ill service or a silent worker: the same row waits and goes on

    `final_kql` is `prelude` + `kql`, frozen with its SHA-256 when the run is queued, and so is the window. A person's
    retry is a new run with `retry_of`. Truncated is a property of DONE, never a state.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="runs")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    hunt_id = models.CharField(max_length=64, blank=True, help_text="Empty for a person's own KQL.")
    hunt_version = models.PositiveIntegerField(default=0)
    hunt_review = models.CharField(
        max_length=10, blank=True, help_text="Where the hunt stood when this was queued: shipped, approved or draft."
    )
    pack = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=300)
    kql = models.TextField(help_text="The text as the library or the person has it.")
    prelude = models.TextField(blank=True, help_text="The generated let statements that bind the parameters.")
    final_kql = models.TextField()
    kql_sha256 = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict, blank=True)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source.choices)
    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.PROTECT, related_name="hunt_runs"
    )
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="hunt_runs")
    priority = models.PositiveSmallIntegerField(default=2, help_text="0 goes first; from the case's severity.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Answers of the service that were not a result.")
    row_count = models.PositiveBigIntegerField(null=True, blank=True)
    truncated = models.BooleanField(default=False)
    truncated_by = models.CharField(max_length=300, blank=True, help_text="rows, bytes, or the service's own words.")
    slices = models.PositiveIntegerField(
        default=0, help_text="Of how many time slices the result is made; 0 where it came at once."
    )
    evidence = models.OneToOneField(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="hunt_run")
    table = models.ForeignKey(CaseTable, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    request_ids = models.JSONField(default=list, blank=True)
    identity = models.CharField(max_length=100, blank=True, help_text="The app registration the query ran as.")
    sweep = models.ForeignKey(Sweep, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    batch = models.UUIDField(
        null=True, blank=True, editable=False, help_text="Shared by the runs of one question on several sources."
    )
    subjects = models.JSONField(default=list, blank=True, help_text="The entities of the sweep that this run is about.")
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="retries")
    limits = models.JSONField(default=dict, blank=True)

    objects = HuntRunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        indexes = [
            models.Index(fields=["case", "-queued_at"], name="run_of_case"),
            models.Index(fields=["state", "not_before"], name="run_to_do"),
            models.Index(fields=["batch"], name="run_of_batch", condition=Q(batch__isnull=False)),
            models.Index(fields=["state", "priority", "queued_at"], name="run_most_urgent"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=JobState.DONE) | Q(evidence__isnull=False), name="run_done_has_evidence"
            ),
            models.CheckConstraint(
                condition=Q(source=Source.CASE) | Q(connection__isnull=False), name="run_on_a_tenant_has_connection"
            ),
            models.CheckConstraint(condition=Q(window_end__gt=models.F("window_start")), name="run_window_is_a_span"),
        ]

    def __str__(self) -> str:
        return f"hunt {self.title}: {self.state}"

    @property
    def is_draft(self) -> bool:
        """Whether its hunt had been read by nobody but its author when this was queued."""
        return self.hunt_review == "draft"

    @property
    def is_own_kql(self) -> bool:
        return not self.hunt_id

    @property
    def may_be_retried(self) -> bool:
        return self.is_final
