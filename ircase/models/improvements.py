"""What is to be better next time: learnt on a case, living on after it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case


class Improvement(models.Model):
    """OPEN -> DOING -> DONE | DROPPED, each with words; and back to OPEN. `outcome` is one of CSF 2.0's ID.IM."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DOING = "doing", "Being done"
        DONE = "done", "Done"
        DROPPED = "dropped", "Dropped"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="improvements")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    outcome = models.CharField(max_length=16, default="ID.IM-03")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="improvements"
    )
    due_on = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    result = models.TextField(blank=True)
    reminded_for = models.DateField(null=True, blank=True, editable=False, help_text="The due date already told of.")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["due_on", "pk"]
        indexes = [
            models.Index(fields=["due_on"], condition=Q(state__in=["open", "doing"]), name="improvement_due"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.OPEN, self.State.DOING)

    @property
    def is_late(self) -> bool:
        return self.is_open and self.due_on is not None and self.due_on < timezone.localdate()
