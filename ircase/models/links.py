"""How cases belong together."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ircase.models.cases import Case


class CaseLink(models.Model):
    """`case` is … of `other`: a related one, a duplicate, the consequence, the child, what was split off. Each side is
    shown the link only to people who may see the other."""

    class Kind(models.TextChoices):
        RELATED = "related", "Related to"
        DUPLICATE = "duplicate", "Duplicate of"
        CAUSED_BY = "caused_by", "Caused by"
        CHILD = "child", "Part of"
        SPLIT = "split", "Split from"

    # What a person may say by hand; a split is made by splitting.
    BY_HAND: ClassVar = (Kind.RELATED, Kind.DUPLICATE, Kind.CAUSED_BY, Kind.CHILD)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="links_out")
    other = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="links_in")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reason = models.TextField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    merge = models.JSONField(null=True, blank=True, help_text="Of a merge: what was joined, so that it can be undone.")
    split = models.JSONField(null=True, blank=True, help_text="Of a split: the exhibits that stay with the other case.")

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "other", "kind"], condition=Q(removed_at=None), name="case_link_once"
            ),
            models.CheckConstraint(condition=~Q(case=F("other")), name="case_link_to_another"),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} {self.kind} {self.other_id}"
