"""ATT&CK data that an administrator brought."""

import uuid

from django.conf import settings
from django.db import models

from ircase.models.jobs import Job, JobQuerySet


class AttackRelease(Job):
    """An enterprise-attack.json that was uploaded. DONE: it was read and is what IRCase uses, unless a later one is, or
    it was withdrawn."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    version = models.CharField(max_length=40, blank=True)
    techniques = models.PositiveIntegerField(default=0)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet["AttackRelease"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return self.name
