"""Copies of a case's tables on a cluster."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from ircase.models import Activity, Case, Connection, Job, JobQuerySet, JobState


class TablePushQuerySet(JobQuerySet["TablePush"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)

    def begun(self) -> Self:
        """Copies of which something may stand on the cluster."""
        return self.filter(act=TablePush.Act.COPY, removed_at=None, started_at__isnull=False)

    def there(self) -> Self:
        """The copies that stand on the cluster, as far as we know."""
        return self.filter(act=TablePush.Act.COPY, state=JobState.DONE, removed_at=None)


class TablePush(Job):
    """
    QUEUED -> RUNNING -> DONE (the rows are on the cluster, or gone from it) | FAILED (reason) | CANCELLED
       ^         |
       +---------+  a silent worker, or a cluster that is not well: the same row goes on where it was

    One table of a case, over all evidence that has rows of it, copied to `target` in `database`; or the removal of that
    table. Every row on the cluster says of which copy of which evidence it is, so that none is sent twice.
    """

    class Act(models.TextChoices):
        COPY = "copy", "Copy"
        REMOVE = "remove", "Remove"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="pushes")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="pushes")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="pushes")
    act = models.CharField(max_length=8, choices=Act.choices, default=Act.COPY)
    name = models.CharField(max_length=128, help_text="The table's name in the case.")
    cluster = models.CharField(max_length=300)
    database = models.CharField(max_length=260)
    target = models.CharField(max_length=260, help_text="The table's name on the cluster.")
    columns = models.JSONField(default=list, blank=True, help_text='[["Timestamp", "datetime"], …] as on the cluster.')
    renamed = models.JSONField(default=dict, blank=True, help_text="The case's name of a column by the cluster's.")
    row_count = models.PositiveBigIntegerField(default=0)
    sent = models.PositiveBigIntegerField(default=0, help_text="Rows that went this time.")
    duplicates = models.PositiveBigIntegerField(default=0, help_text="Rows that arrived twice; hunts read them once.")
    tries = models.PositiveSmallIntegerField(default=0)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = TablePushQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        indexes = [models.Index(fields=["case", "name"], name="push_of_case")]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "database", "target"],
                condition=Q(state__in=(JobState.QUEUED, JobState.RUNNING)),
                name="push_of_a_table_one_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.target}: {self.state}"
