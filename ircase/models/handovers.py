"""A case handed from one person to another at the end of a shift."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import Evidence


class HandOver(models.Model):
    """
    OFFERED -> CONFIRMED (sealed as an exhibit) | REFUSED (with words) | WITHDRAWN

    `snapshot` is what the case held at the moment it was offered; nothing of it is changed afterwards.
    """

    class State(models.TextChoices):
        OFFERED = "offered", "Offered"
        CONFIRMED = "confirmed", "Confirmed"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="handovers")
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    receiver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    situation = models.TextField(help_text="Where things stand, in the giver's words.")
    next_steps = models.TextField()
    moves_lead = models.BooleanField(default=False)
    moves_items = models.BooleanField(default=False)
    snapshot = models.JSONField(default=dict, editable=False)
    snapshot_sha256 = models.CharField(max_length=64, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OFFERED)
    offered_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, help_text="What the receiver wrote.")
    moved = models.TextField(blank=True, help_text="What went over with it, in words.")
    evidence = models.OneToOneField(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="handover")

    class Meta:
        ordering = ["-offered_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "giver"], condition=models.Q(state="offered"), name="handover_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"hand-over of {self.case_id} to {self.receiver_id}: {self.state}"
