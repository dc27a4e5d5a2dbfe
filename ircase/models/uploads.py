"""Files on their way in, part by part, until a worker seals them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.custody import CaseImport
from ircase.models.evidence import Evidence
from ircase.models.jobs import FINAL_STATES, Job, JobQuerySet


class UploadState(models.TextChoices):
    RECEIVING = "receiving", "Receiving"
    QUEUED = "queued", "Waiting to be sealed"
    RUNNING = "running", "Sealing"
    DONE = "done", "Sealed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Discarded"


class Upload(Job):
    """
    RECEIVING -> QUEUED -> RUNNING -> DONE | FAILED
        \\-> CANCELLED  (discarded by its owner, or no byte came until `expires_at`)

    How far it is says the file `ircase.incoming.path_of(uuid)` by its length, and nothing else does. `fingerprint` is
    the client's mark of the file that is chosen, by which the same file is recognised after a reload.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=12, choices=UploadState.choices, default=UploadState.RECEIVING)
    case = models.ForeignKey(
        Case, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads",
        help_text="Whose evidence it becomes; none: it is an export of another IRCase, to be brought in.",
    )  # fmt: skip
    owner_user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="uploads")
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=100, blank=True)
    size = models.PositiveBigIntegerField(help_text="Bytes that are to come in all.")
    description = models.TextField(blank=True)
    read = models.BooleanField(default=True, help_text="Read it into tables once it is sealed.")
    fingerprint = models.CharField(max_length=128, blank=True)
    begun_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(help_text="When it is given up unless another byte comes.")
    evidence = models.ForeignKey(Evidence, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    wish = models.JSONField(default=dict, blank=True, help_text="Of an export: how it shall be brought in.")
    came_in = models.ForeignKey(CaseImport, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    arrived = 0  # bytes; the file says it, services.resumable.unfinished fills it in

    objects = JobQuerySet["Upload"].as_manager()

    class Meta:
        ordering = ["begun_at", "pk"]
        indexes = [models.Index(fields=["case", "owner_user", "state"], name="upload_of_person")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=UploadState.DONE) | Q(evidence__isnull=False) | Q(came_in__isnull=False),
                name="upload_done_became_something",
            )
        ]

    def __str__(self) -> str:
        return f"upload {self.name}: {self.state}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES
