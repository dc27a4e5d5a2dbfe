"""What has to be done, by phase, and what proves that it was."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case, Phase


class ChecklistItemQuerySet(models.QuerySet["ChecklistItem"]):
    def live(self) -> Self:
        """Neither done nor skipped."""
        return self.filter(state__in=ChecklistItem.LIVE)


class ChecklistItem(models.Model):
    """
    OPEN <-> IN_WORK <-> WAITING (on whom) <-> REVIEW (by whom), each -> DONE | SKIPPED (with a reason), back to OPEN.

    `r2_step` is the step of NIST SP 800-61r2 Table 3-5, `csf_outcome` the CSF 2.0 outcome of SP 800-61r3: the same item
    can be viewed either way. A Preparation item is the case's snapshot of the organisation's own. What the playbook
    says of an item (`proof_rule`, `role`, `due_after`, `due_within`) is kept here as it was when the item was made. One
    that repeats per asset has the playbook's key in `repeat_of`, and the asset's name, which outlives the asset.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_WORK = "in_work", "In work"
        WAITING = "waiting", "Waiting"
        REVIEW = "review", "In review"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"

    class ProofRule(models.TextChoices):
        """What a required item closes with."""

        LINK = "link", "Evidence, a run, an event or a decision"
        RESULT = "result", "A result in words is enough"

    LIVE: ClassVar[tuple[State, ...]] = (State.OPEN, State.IN_WORK, State.WAITING, State.REVIEW)

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="checklist")
    key = models.CharField(max_length=80)
    position = models.PositiveIntegerField(default=0)
    phase = models.CharField(max_length=16, choices=Phase.choices)
    title = models.CharField(max_length=600)
    guidance = models.TextField(blank=True)
    r2_step = models.CharField(max_length=8, blank=True)
    csf_outcome = models.CharField(max_length=16, blank=True)
    required = models.BooleanField(default=False)
    proof_rule = models.CharField(max_length=8, choices=ProofRule.choices, default=ProofRule.LINK)
    depends_on = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="unlocks")
    repeat_of = models.CharField(max_length=64, blank=True)
    asset = models.ForeignKey(
        "ircase.Asset", null=True, blank=True, on_delete=models.SET_NULL, related_name="checklist_items"
    )
    asset_name = models.CharField(max_length=255, blank=True)
    role = models.CharField(max_length=64, blank=True, help_text="Whose duty it is, as the playbook names duties.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="checklist_items"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    due_after = models.CharField(max_length=16, blank=True, help_text='"opened", or the milestone that starts it.')
    due_within = models.DurationField(null=True, blank=True)
    due_by_hand = models.BooleanField(default=False, help_text="A person has set it: milestones leave it alone.")
    reminded_at = models.DateTimeField(null=True, blank=True, help_text="Up to when reminders were sent.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    state_at = models.DateTimeField(default=timezone.now)
    waiting_for = models.CharField(max_length=200, blank=True, help_text="On whom it waits.")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    result = models.TextField(blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    suggested_hunts = models.JSONField(default=list, blank=True)
    suggested_collections = models.JSONField(default=list, blank=True)
    suggested_actions = models.JSONField(default=list, blank=True)

    objects = ChecklistItemQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["case", "key"], name="checklist_key_once")]
        indexes = [
            models.Index(fields=["owner", "state", "due_at"], name="checklist_my_work"),
            # What is due next, of each case of a list and of all.
            models.Index(
                fields=["case", "due_at"],
                name="checklist_next_due",
                condition=models.Q(due_at__isnull=False) & ~models.Q(state__in=["done", "skipped"]),
            ),
            models.Index(fields=["state", "due_at"], name="checklist_due"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.state in self.LIVE

    @property
    def short_title(self) -> str:
        """Without the asset, for where the asset stands above it."""
        return self.title.removesuffix(f" ({self.asset_name})")


class ItemChange(models.Model):
    """An item went from one state to another. The rows of an item, in order, say how long it stood in each."""

    item = models.ForeignKey(ChecklistItem, on_delete=models.CASCADE, related_name="changes")
    before = models.CharField(max_length=8, choices=ChecklistItem.State.choices)
    state = models.CharField(max_length=8, choices=ChecklistItem.State.choices)
    note = models.CharField(max_length=400, blank=True)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.before} -> {self.state}"


class Proof(models.Model):
    """What shows that an item is done: exactly one of evidence, activity (run, collection), event or decision."""

    item = models.ForeignKey(ChecklistItem, on_delete=models.CASCADE, related_name="proofs")
    evidence = models.ForeignKey("ircase.Evidence", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    activity = models.ForeignKey(
        "ircase.Activity", null=True, blank=True, on_delete=models.PROTECT, related_name="proofs"
    )
    event = models.ForeignKey("ircase.Event", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    decision = models.TextField(blank=True)
    decided = models.ForeignKey(
        "ircase.Decision", null=True, blank=True, on_delete=models.PROTECT, related_name="proofs"
    )
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at", "pk"]

    def __str__(self) -> str:
        return str(self.evidence or self.activity or self.event or self.decided or self.decision)


class PreparationItem(models.Model):
    """What the organisation prepares before any incident (NIST SP 800-61r2, 3.1). Each new case keeps a snapshot.

    Done is not for ever: where `review_days` is set, the item has to be looked at again so many days after `done_at`.
    """

    key = models.CharField(max_length=64, unique=True)
    position = models.PositiveIntegerField(default=0)
    title = models.CharField(max_length=300)
    csf_outcome = models.CharField(max_length=16, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    review_days = models.PositiveIntegerField(null=True, blank=True)
    result = models.TextField(blank=True)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title

    @property
    def review_at(self) -> datetime | None:
        """When what is done has to be looked at again; None where it never has to, or is not done."""
        return self.done_at + timedelta(days=self.review_days) if self.done_at and self.review_days else None

    def standing(self, now: datetime) -> str:
        """ "done", "expired" (done, but its review is due), "overdue" or "open"."""
        if self.done_at:
            return "expired" if self.review_at and self.review_at <= now else "done"
        return "overdue" if self.due_at and self.due_at <= now else "open"
