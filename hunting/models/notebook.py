"""The case notebook: cells of markdown and KQL, every text that a cell ever had, and what its runs gave."""

import hashlib
import uuid
from typing import Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hunting.models.runs import HuntRun, Source
from ircase.models import Case

GAP: Final = 1024
"""Between the positions of two cells, so that one can be put between them without touching others."""


class Notebook(models.Model):
    """Cells in an order. A case may have several notebooks."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="notebooks")
    title = models.CharField(max_length=200)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.title


class CellQuerySet(models.QuerySet["Cell"]):
    def there(self) -> Self:
        """Those that nobody has deleted, from top to bottom."""
        return self.filter(deleted_at=None).order_by("position", "pk")

    def with_results(self) -> Self:
        """What a page shows of each cell's last result, in the same query."""
        found = self.select_related(
            "updated_by", "last__run__activity", "last__run__evidence", "last__run__table", "last__run__connection"
        )
        return found.defer("last__run__evidence__manifest", "last__run__activity__detail")


class Cell(models.Model):
    """A piece of markdown, or a question in KQL with where and over which time it is asked.

    A save names the version it was written against; a later one is never overwritten, and the text that came late is
    kept as a revision. `deleted_at` hides the cell: its text and its results stay.
    """

    class Kind(models.TextChoices):
        MARKDOWN = "markdown", "Markdown"
        KQL = "kql", "KQL"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    notebook = models.ForeignKey(Notebook, on_delete=models.CASCADE, related_name="cells")
    position = models.BigIntegerField(default=0)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=64, blank=True, help_text="The table that its result is, for later cells.")
    text = models.TextField(blank=True)
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.CASE)
    span = models.CharField(max_length=30, default="30d")
    as_of = models.CharField(max_length=40, default="now")
    version = models.PositiveIntegerField(default=1)
    last = models.ForeignKey("hunting.CellRun", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = CellQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        indexes = [models.Index(fields=["notebook", "position"], name="cell_in_order")]
        constraints = [
            models.UniqueConstraint(
                fields=["notebook", "name"],
                condition=~Q(name="") & Q(deleted_at=None),
                name="cell_name_once_per_notebook",
            )
        ]

    def __str__(self) -> str:
        return self.name or f"{self.get_kind_display()} cell"

    @property
    def is_kql(self) -> bool:
        return self.kind == self.Kind.KQL

    @property
    def asks(self) -> str:
        """The digest of the question as it stands: text, source and window."""
        parts = "\0".join((self.text, self.source, self.span, self.as_of))
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def is_stale(self) -> bool:
        """The question has changed since its last result was asked for."""
        return self.last is not None and self.last.asked != self.asks


class CellRevision(models.Model):
    """A text of a cell as it was saved; `rejected` where it came too late."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=64, blank=True)
    text = models.TextField(blank=True)
    source = models.CharField(max_length=16)
    span = models.CharField(max_length=30)
    as_of = models.CharField(max_length=40)
    saved_at = models.DateTimeField(default=timezone.now)
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    rejected = models.BooleanField(default=False)

    class Meta:
        ordering = ["-saved_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.cell_id} v{self.version}"


class NotebookRun(models.Model):
    """
    RUNNING -> DONE | FAILED (reason) | CANCELLED (a person asked)

    All KQL cells, one after the other. `plan` holds their ids as they stood when it began, `at` how many of them are
    behind it, `notes` what there is to say of each that did not simply run. It holds no worker: the end of a run and
    the clock step it on, each step in one transaction, so that a step taken twice changes nothing.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    notebook = models.ForeignKey(Notebook, on_delete=models.CASCADE, related_name="runs")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    go_on = models.BooleanField(default=False, help_text="Go on after a cell that failed.")
    again = models.BooleanField(default=False, help_text="Also run what has not changed since its last result.")
    plan = models.JSONField(default=list)
    at = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=list)
    cancel_requested = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["notebook"], condition=Q(state="running"), name="notebook_runs_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"run of {self.notebook_id}: {self.state}"

    @property
    def is_final(self) -> bool:
        return self.state != self.State.RUNNING


class CellRun(models.Model):
    """One run of a cell: `asked` is the digest of its question then, `tables` of the case's tables that it read.

    `inputs` are the results of other cells that stood behind a name: `name`, `run`, `exhibit`, `sha256`, `rows`,
    `truncated`. They are frozen when the run is queued, as its text is.
    """

    run = models.OneToOneField(HuntRun, on_delete=models.PROTECT, related_name="cell_run")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="results")
    version = models.PositiveIntegerField()
    asked = models.CharField(max_length=64)
    tables = models.CharField(max_length=64, blank=True)
    inputs = models.JSONField(default=list)
    batch = models.ForeignKey(NotebookRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="cells")

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["batch", "cell"], name="cell_once_per_batch")]

    def __str__(self) -> str:
        return f"run {self.run_id} of cell {self.cell_id}"
