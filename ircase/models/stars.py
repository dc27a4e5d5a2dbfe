"""Starred rows: what a person marked in a table, and what they say of it."""

import uuid

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import SHA256, Evidence

NOTE_LENGTH = 5_000


class Star(models.Model):
    """Row `number` (from 1) of the table `table_name` made from `evidence`: a table may be made anew, its evidence and
    name stay. `row_sha256` is the digest of the row's canonical JSON at that moment, `row` the row itself, and
    `provenance` what an event made of it would carry. The log holds every change."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="stars")
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="stars")
    table_name = models.CharField(max_length=128)
    number = models.PositiveBigIntegerField()
    row_sha256 = models.CharField(max_length=64, validators=[SHA256])
    row = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True, validators=[MaxLengthValidator(NOTE_LENGTH)])
    provenance = models.JSONField(default=dict, blank=True)
    starred_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    starred_at = models.DateTimeField(default=timezone.now)
    noted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    noted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["evidence__number", "table_name", "number"]
        constraints = [models.UniqueConstraint(fields=["evidence", "table_name", "number"], name="star_once")]

    def __str__(self) -> str:
        return f"row {self.number} of {self.table_name}"
