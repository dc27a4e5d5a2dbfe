"""What was decided on a case: written once, never changed; a later decision may take its place."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.chain import AppendOnlyQuerySet, refuse
from ircase.models.checklist import ChecklistItem
from ircase.models.evidence import Evidence


class Decision(models.Model):
    """A row is added and never changed: who learns better writes another that `supersedes` it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="decisions")
    number = models.PositiveIntegerField(editable=False, help_text="Within the case, from 1.")
    what = models.CharField(max_length=300)
    why = models.TextField()
    alternatives = models.TextField(blank=True)
    decided_by = models.CharField(max_length=200, help_text="As text: who decides may have no account here.")
    decided_at = models.DateTimeField()
    told = models.TextField(blank=True, help_text="Who was told, and how.")
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    items = models.ManyToManyField(ChecklistItem, blank=True, related_name="decisions")
    evidence = models.ManyToManyField(Evidence, blank=True, related_name="decisions")
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["case", "number"], name="decision_number_once")]

    def __str__(self) -> str:
        return f"D{self.number:02d} {self.what}"

    def save(self, *args: object, **kwargs: object) -> None:
        if self.pk is not None:
            refuse("save() of a decision that stands")
        super().save(*args, **kwargs)

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        refuse("delete() of a decision")

    @property
    def label(self) -> str:
        return f"D{self.number:02d}"
