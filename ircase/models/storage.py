"""What is known of the evidence store beside its files: removals under way, looks at it, and whose turn it is."""

from django.db import models
from django.utils import timezone

from ircase.models.evidence import SHA256


class StoredBytes(models.Model):
    """One file of the store, whoever's it is: the lock under which it is sealed and removed.

    `removing_at`: no record holds it any more, and it is to go. `busy_until`: a worker is removing it at this moment.
    """

    sha256 = models.CharField(max_length=64, primary_key=True, validators=[SHA256])
    key_id = models.CharField(max_length=32, blank=True, help_text="Which key wraps its own; empty: not encrypted.")
    removing_at = models.DateTimeField(null=True, blank=True, db_index=True)
    busy_until = models.DateTimeField(null=True, blank=True)
    try_after = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.sha256


class StoreSurvey(models.Model):
    """One look at everything that the store lists. `keys`: id -> how many files' keys it wraps."""

    asked_at = models.DateTimeField(default=timezone.now)
    at = models.DateTimeField(null=True, blank=True, help_text="When it was done; empty while it waits.")
    files = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes, as they lie in the store.")
    encrypted = models.PositiveBigIntegerField(default=0)
    keys = models.JSONField(default=dict)
    orphans = models.PositiveBigIntegerField(default=0)
    orphan_size = models.PositiveBigIntegerField(default=0)
    altered = models.PositiveBigIntegerField(default=0, help_text="Files that were set aside.")
    leftovers = models.PositiveBigIntegerField(default=0, help_text="Half-written files of workers that died.")
    removed = models.PositiveBigIntegerField(default=0, help_text="Orphans that this look removed.")
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]

    def __str__(self) -> str:
        return f"survey {self.asked_at:%Y-%m-%d %H:%M}"


class Turn(models.Model):
    """Work that one worker does at a time: it is that worker's until `until`."""

    name = models.CharField(max_length=40, primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} until {self.until}"
