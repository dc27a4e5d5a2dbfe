"""File analyses: what Defender's sandbox said of a file, read from an exhibit."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models

from ircase.models import Activity, Case, Evidence
from ircase.models.jobs import Job, JobQuerySet


class FileAnalysisQuerySet(JobQuerySet["FileAnalysis"]):
    def for_case(self, case: Case) -> Self:
        return self.filter(case=case)


class FileAnalysis(Job):
    """One exhibit that holds the JSON of a file analysis. `document` is `artifacts.analysis.Analysis` as JSON, made by
    the worker and made anew by every reading; the exhibit is the record."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="file_analyses")
    evidence = models.OneToOneField(Evidence, on_delete=models.PROTECT, related_name="file_analysis")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    file_hash = models.CharField(max_length=64, blank=True, help_text="The file it is about, as the person says.")
    document = models.JSONField(default=dict, blank=True, editable=False)

    objects = FileAnalysisQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"analysis {self.uuid}: {self.state}"
