"""Pages of markdown, every text that they ever had, and what is being typed."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case


class NoteQuerySet(models.QuerySet["Note"]):
    def there(self) -> Self:
        return self.filter(archived_at=None)


class Note(models.Model):
    """A page of markdown. A save names the version it was written against; a later one is never overwritten.

    `folder` is a path of names with slashes, "" for the top. Nothing is deleted: a lead archives a page, and brings it
    back.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="notes")
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    folder = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0, help_text="Its place in its folder.")
    pinned = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = NoteQuerySet.as_manager()

    class Meta:
        ordering = ["folder", "-pinned", "position", "title", "pk"]

    def __str__(self) -> str:
        return self.title


class NoteRevision(models.Model):
    """A text of a note. One that is `rejected` was written against `version` and came too late; it waits to be merged
    until `settled_at`."""

    note = models.ForeignKey(Note, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    saved_at = models.DateTimeField(default=timezone.now)
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    author = models.CharField(
        max_length=310, blank=True, help_text="As text, where it was written in another IRCase; else empty."
    )
    rejected = models.BooleanField(default=False, help_text="A text that came too late: kept, not shown as the page.")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-saved_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(settled_at=None) | Q(rejected=True), name="note_only_late_is_settled")
        ]

    def __str__(self) -> str:
        return f"{self.note_id} v{self.version}"

    @property
    def author_name(self) -> str:
        return self.author or self.saved_by.name


class Draft(models.Model):
    """What one person is typing, for nobody's eyes but theirs. `place` names the form by ids, never by words of the
    case; `fields` holds its texts by name, written against `version`."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="+")
    place = models.CharField(max_length=120)
    version = models.PositiveIntegerField(default=0)
    fields = models.JSONField(default=dict)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-saved_at"]
        constraints = [models.UniqueConstraint(fields=["person", "case", "place"], name="draft_once")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.place}"
