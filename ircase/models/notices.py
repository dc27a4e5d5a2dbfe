"""News for one person: something came home to a case while nobody was looking."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.people import User


class NoticeCode(models.TextChoices):
    """What a notice is about: what a person chooses by when they say what they want to be told, and how."""

    MENTION = "mention", "Somebody names you"
    COMMENT = "comment", "A comment where you are concerned"
    ASSIGNMENT = "assignment", "Something is given to you"
    DUE = "due", "Something of yours is due"
    APPROVAL = "approval", "An approval or a review is wanted"
    DECIDED = "decided", "What you asked for is decided"
    FINISHED = "finished", "What you started has ended"
    ROWS = "rows", "New rows in a watch"
    PHASE = "phase", "A case changes its phase, closes or opens again"
    CLOCK = "clock", "A deadline comes near or has passed"
    INCIDENT = "incident", "A new incident waits"
    CUSTODY = "custody", "An exhibit is handed to you"
    ALARM = "alarm", "Break-glass, and what else must not be missed"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def of(self, person: User) -> Self:
        """Theirs, on cases that they may see now. What they lost sight of is not there."""
        visible = Case.objects.visible_to(person).values("pk")
        return self.filter(person=person, case__in=visible).select_related("case")

    def unread(self) -> Self:
        return self.filter(read_at=None)


class Notice(models.Model):
    """Told once: `subject` is the uuid of what it is about, or one made of it by `services.notices.about` where a thing
    has several things to tell. `lines` are texts from outside, to be shown as text. `path` is an address of ours."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="notices")
    code = models.CharField(max_length=12, choices=NoticeCode.choices)
    subject = models.UUIDField()
    title = models.CharField(max_length=300)
    lines = models.JSONField(default=list, blank=True)
    path = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["person", "read_at", "-at"], name="notice_unread")]
        constraints = [models.UniqueConstraint(fields=["person", "subject"], name="notice_once")]

    def __str__(self) -> str:
        return self.title
