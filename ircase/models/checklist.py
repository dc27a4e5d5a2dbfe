"""What has to be done, by phase, and what proves that it was."""

from django.conf import settings
from django.db import models

from ircase.models.cases import Case, Phase


class ChecklistItem(models.Model):
    """
    OPEN -> DONE | SKIPPED (with a reason), and back to OPEN.

    `r2_step` is the step of NIST SP 800-61r2 Table 3-5, `csf_outcome` the CSF 2.0 outcome of SP 800-61r3: the same item
    can be viewed either way. A Preparation item is the case's snapshot of the organisation's own.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="checklist")
    key = models.CharField(max_length=64)
    position = models.PositiveIntegerField(default=0)
    phase = models.CharField(max_length=16, choices=Phase.choices)
    title = models.CharField(max_length=300)
    guidance = models.TextField(blank=True)
    r2_step = models.CharField(max_length=8, blank=True)
    csf_outcome = models.CharField(max_length=16, blank=True)
    required = models.BooleanField(default=False)
    depends_on = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="unlocks")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="checklist_items"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    result = models.TextField(blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    suggested_hunts = models.JSONField(default=list, blank=True)
    suggested_collections = models.JSONField(default=list, blank=True)
    suggested_actions = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["case", "key"], name="checklist_key_once")]
        indexes = [
            models.Index(fields=["owner", "state", "due_at"], name="checklist_my_work"),
            # What is due next of each case of a list.
            models.Index(
                fields=["case", "due_at"],
                name="checklist_next_due",
                condition=models.Q(state="open", due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class Proof(models.Model):
    """What shows that an item is done: exactly one of evidence, activity (run, collection), event or decision."""

    item = models.ForeignKey(ChecklistItem, on_delete=models.CASCADE, related_name="proofs")
    evidence = models.ForeignKey("ircase.Evidence", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    activity = models.ForeignKey(
        "ircase.Activity", null=True, blank=True, on_delete=models.PROTECT, related_name="proofs"
    )
    event = models.ForeignKey("ircase.Event", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    decision = models.TextField(blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at", "pk"]

    def __str__(self) -> str:
        return str(self.evidence or self.activity or self.event or self.decision)


class PreparationItem(models.Model):
    """What the organisation prepares before any incident (NIST SP 800-61r2, 3.1). Each new case keeps a snapshot."""

    key = models.CharField(max_length=64, unique=True)
    position = models.PositiveIntegerField(default=0)
    title = models.CharField(max_length=300)
    csf_outcome = models.CharField(max_length=16, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    result = models.TextField(blank=True)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title
