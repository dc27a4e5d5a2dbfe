"""What people say about a thing of the case, beside it."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case


class Comment(models.Model):
    """`kind` and `subject` name what it is about: a uuid, a number, a hash or a device's name, as the kind has it. The
    last text is `body`; those before it are its revisions."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="comments")
    kind = models.CharField(max_length=24)
    subject = models.CharField(max_length=255)
    body = models.TextField()
    version = models.PositiveIntegerField(default=1)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    edited_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["case", "kind", "subject", "at"], name="comment_of")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.body[:60]}"


class CommentRevision(models.Model):
    """A text that a comment had before it was edited."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    body = models.TextField()
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["version"]
        constraints = [models.UniqueConstraint(fields=["comment", "version"], name="comment_version_once")]

    def __str__(self) -> str:
        return f"{self.comment_id} v{self.version}"
