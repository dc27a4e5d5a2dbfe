"""What was brought in from elsewhere: the import, and each thing that it found."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q

from hunting.models.library import HuntVersion, PackVersion
from ircase.models import Job, JobQuerySet, JobState


class HuntImportQuerySet(JobQuerySet["HuntImport"]):
    def with_counts(self) -> Self:
        """With who did it, the latest first: `found` can be kept as it is or changed, `wanted` is ticked, `kept` is in
        the library."""
        is_kept = ~Q(items__kept_hunt=None) | ~Q(items__kept_pack=None)
        return (
            self.order_by("-queued_at", "-pk")
            .select_related("requested_by", "kept_by")
            .annotate(
                kept=Count("items", filter=is_kept),
                found=Count("items", filter=Q(items__outcome__in=("kept", "changed"))),
                wanted=Count("items", filter=Q(items__is_wanted=True) & ~is_kept),
            )
        )


class HuntImport(Job):
    """
    QUEUED -> RUNNING -> DONE | FAILED (reason)
       ^         |        |
       +---------+--------+   with stage KEEP, when a person has chosen what to keep

    `files` are what was uploaded: name, sha256 and size of each, the bytes in the store. Where `path` is set, a folder
    of the server is read instead. `counts` are the members by outcome; `source`, `kind`, `commit` and `address` are the
    importer's (hunting.importing.model.Preview). The owner and heartbeat are those of any job.
    """

    class Stage(models.TextChoices):
        READ = "read", "Reading"
        KEEP = "keep", "Keeping"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.CharField(max_length=300)
    kind = models.CharField(max_length=10, blank=True)
    files = models.JSONField(default=list, blank=True)
    path = models.CharField(max_length=1024, blank=True)
    said_licence = models.CharField(max_length=100, blank=True, help_text="What the person says of the licence.")
    licence = models.CharField(max_length=100, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=500, blank=True)
    notes = models.JSONField(default=list, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    stage = models.CharField(max_length=8, choices=Stage.choices, default=Stage.READ)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="hunt_imports")
    kept_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = HuntImportQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        indexes = [models.Index(fields=["state", "not_before"], name="hunt_import_to_do")]

    def __str__(self) -> str:
        return f"import {self.source}: {self.state}"

    @property
    def is_ready(self) -> bool:
        """Whether there is a preview to choose from."""
        return self.state == JobState.DONE


class ImportItem(models.Model):
    """A query or a pack of an import, or a member that holds none, and what becomes of it.

    `content` is what the library would keep (as HuntVersion.content), empty where there is nothing to keep. `facts` are
    for people: changes, notes, the text as it was, what else the member said. `becomes`: a new hunt, a new version of
    `target`, or nothing, because `target` is the same.
    """

    class Kind(models.TextChoices):
        HUNT = "hunt", "Hunt"
        PACK = "pack", "Pack"
        NONE = "none", "No query"

    class Outcome(models.TextChoices):
        KEPT = "kept", "As it is"
        CHANGED = "changed", "Changed"
        DUPLICATE = "duplicate", "Duplicate"
        REFUSED = "refused", "Refused"

    class Becomes(models.TextChoices):
        NEW = "new", "New"
        VERSION = "version", "New version"
        SAME = "same", "Already there"

    of = models.ForeignKey(HuntImport, on_delete=models.CASCADE, related_name="items")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=4, choices=Kind.choices)
    member = models.CharField(max_length=300)
    format = models.CharField(max_length=40)
    place = models.CharField(max_length=200, blank=True)
    line = models.PositiveIntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the member's bytes.")
    slug = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=300, blank=True)
    content = models.JSONField(default=dict, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    origin = models.JSONField(default=dict, blank=True)
    licence = models.CharField(max_length=100, blank=True)
    content_hash = models.CharField(max_length=64, blank=True)
    becomes = models.CharField(max_length=8, choices=Becomes.choices, blank=True)
    target = models.CharField(max_length=64, blank=True)
    is_wanted = models.BooleanField(default=False)
    problem = models.CharField(max_length=500, blank=True, help_text="Why it could not be kept.")
    kept_hunt = models.ForeignKey(HuntVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    kept_pack = models.ForeignKey(PackVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["of_id", "number"]
        indexes = [models.Index(fields=["of", "outcome"], name="import_item_outcome")]
        constraints = [
            models.UniqueConstraint(fields=["of", "number"], name="import_item_once"),
            models.CheckConstraint(condition=Q(is_wanted=False) | ~Q(slug=""), name="import_item_wanted_is_something"),
        ]

    def __str__(self) -> str:
        return f"{self.member} {self.place}: {self.outcome}"

    @property
    def may_be_kept(self) -> bool:
        return bool(self.slug)

    @property
    def is_kept(self) -> bool:
        return self.kept_hunt_id is not None or self.kept_pack_id is not None
