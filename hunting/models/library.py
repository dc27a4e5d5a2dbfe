"""The team's own hunts and packs, each with every version that it ever had."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class _Saved(models.Model):
    """A thing of the library that people change. Its text is in its versions; nothing of it is deleted, only retired.

    `origin` and `licence` are of an import: where it came from (hunting.importing.model.Origin, as JSON) and under
    which licence (SPDX, or the importer's words). Both are empty for what was written here.
    """

    slug = models.SlugField(max_length=64, unique=True, help_text="Its id, shared with what IRCase ships.")
    origin = models.JSONField(default=dict, blank=True)
    licence = models.CharField(max_length=100, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class _Version(models.Model):
    """One wording. `content` is what a library file holds (hunting.catalogue), without `id` and `version`.

    A version is a draft until another person approves it; a later version is a draft again.
    """

    number = models.PositiveIntegerField()
    content = models.JSONField()
    change = models.CharField(max_length=500, blank=True, help_text="What is different, in a sentence.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-number"]


class SavedHunt(_Saved):
    class Meta(_Saved.Meta):
        pass


class HuntVersion(_Version):
    """`content_hash` is hunting.importing.fingerprint of the text and its parameters: how a duplicate is found."""

    saved = models.ForeignKey(SavedHunt, on_delete=models.CASCADE, related_name="versions")
    content_hash = models.CharField(max_length=64, db_index=True)

    class Meta(_Version.Meta):
        constraints = [models.UniqueConstraint(fields=["saved", "number"], name="hunt_version_once")]

    def __str__(self) -> str:
        return f"{self.saved} version {self.number}"


class SavedPack(_Saved):
    class Meta(_Saved.Meta):
        pass


class PackVersion(_Version):
    saved = models.ForeignKey(SavedPack, on_delete=models.CASCADE, related_name="versions")

    class Meta(_Version.Meta):
        constraints = [models.UniqueConstraint(fields=["saved", "number"], name="pack_version_once")]

    def __str__(self) -> str:
        return f"{self.saved} version {self.number}"
