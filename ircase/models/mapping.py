"""Many rows taken into the case at once, by a mapping of their columns."""

import uuid

from django.conf import settings
from django.db import models

from ircase.models.cases import Case
from ircase.models.evidence import Evidence
from ircase.models.jobs import Job, JobQuerySet


class RowTake(Job):
    """Rows `numbers` (from 1) of the table `table_name` made from `evidence`, by `plan` (services.analysis.mapping).
    All of it is done in one transaction, so that a worker that dies has done nothing. `counts` says what came of it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="row_takes")
    activity = models.OneToOneField("ircase.Activity", on_delete=models.PROTECT, related_name="+")
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="+")
    table_name = models.CharField(max_length=128)
    numbers = models.JSONField(default=list)
    plan = models.JSONField(default=dict)
    counts = models.JSONField(default=list, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    objects = JobQuerySet["RowTake"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"rows of {self.table_name}: {self.state}"
