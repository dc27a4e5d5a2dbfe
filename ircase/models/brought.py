"""What stays of a case's time in another IRCase: the people who worked on it there, and its records as they came."""

import json
from typing import Any

from django.conf import settings
from django.db import models

from ircase.models.cases import Case
from ircase.models.custody import AppendOnly, CaseImport


class PersonElsewhere(models.Model):
    """Somebody who worked on a case where it was before it was imported. `user` stands for them in the rows of that
    case: an account that nobody can sign in to. That it has a name as somebody here has says nothing of that person."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="elsewhere")
    brought_in = models.ForeignKey(CaseImport, on_delete=models.PROTECT, related_name="people")
    username = models.CharField(max_length=150, blank=True)
    name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.username})"


class RecordBefore(AppendOnly):
    """One row of the case as its export had it, never changed: an entry of its log, an approval, a hunt's run.

    `area` is the file of the export it stood in, `sequence` its place there from 1, `key` how rows of this case name
    it (`dossier.recalling.scene.new_uuid` of its own name there). With a `reason` it was to become a row of this case
    and could not.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="records_before", editable=False)
    area = models.CharField(max_length=40, editable=False)
    sequence = models.PositiveBigIntegerField(editable=False)
    key = models.UUIDField(null=True, editable=False)
    line = models.TextField(editable=False)
    reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        ordering = ["area", "sequence"]
        constraints = [models.UniqueConstraint(fields=["case", "area", "sequence"], name="record_before_once")]
        indexes = [models.Index(fields=["case", "key"], name="record_before_key")]

    def __str__(self) -> str:
        return f"{self.case_id} {self.area} #{self.sequence}"

    @property
    def entry(self) -> dict[str, Any]:
        """The line as data; {} where it is none."""
        try:
            found = json.loads(self.line)
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {}
