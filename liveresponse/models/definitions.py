"""The team's own collections, each with every version that it ever had."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class SavedCollection(models.Model):
    """A collection that people change. Its text is in its versions; nothing of it is deleted, only retired."""

    slug = models.SlugField(max_length=64, unique=True, help_text="Its id, shared with what IRCase ships.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class CollectionVersion(models.Model):
    """One wording. `content` is what a file holds (liveresponse.catalogue), without `id` and `version`.

    A version that uses files of the tenant's library is a draft, which nobody can run, until another person approves
    it; one that runs nothing may be used at once.
    """

    saved = models.ForeignKey(SavedCollection, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    needs_review = models.BooleanField(default=True, help_text="It runs a script or puts a file on a device.")
    change = models.CharField(max_length=500, blank=True, help_text="What is different, in a sentence.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["saved", "number"], name="collection_version_once")]

    def __str__(self) -> str:
        return f"{self.saved} version {self.number}"

    @property
    def is_usable(self) -> bool:
        return self.approved_at is not None or not self.needs_review

    @property
    def data(self) -> dict[str, object]:
        """The definition whole, as a file has it."""
        return {**self.content, "id": self.saved.slug, "version": self.number}
