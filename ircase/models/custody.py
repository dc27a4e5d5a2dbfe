"""Hands that evidence goes through, what leaves the house with it, and the signed statements that outlive both."""

import json
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.activity import Activity
from ircase.models.cases import Case
from ircase.models.chain import AppendOnlyQuerySet, refuse
from ircase.models.evidence import Evidence
from ircase.models.jobs import Job, JobQuerySet


class SigningKey(models.Model):
    """An Ed25519 key. The newest that is not retired signs; retired ones stay, so that old signatures can be checked.

    `key_id` is the first 16 hexadecimal digits of the public key's SHA-256. `private_encrypted` is empty where the
    private key is given by the settings.
    """

    key_id = models.CharField(max_length=16, unique=True, editable=False)
    public_key = models.CharField(max_length=64, editable=False, help_text="32 bytes, hexadecimal.")
    private_encrypted = models.TextField(blank=True, editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return self.key_id


class AppendOnly(models.Model):
    objects: ClassVar[models.Manager[Any]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None and not self._state.adding:
            refuse("save() of an existing row")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        refuse("delete()")


class Statement(AppendOnly):
    """What all chains ended in at one moment, as the root of a Merkle tree, signed. It names no chain and says not how
    many there are, so that it can be shown to anybody. `body` is the canonical JSON that is signed."""

    number = models.PositiveBigIntegerField(unique=True, editable=False)
    at = models.DateTimeField(editable=False)
    body = models.TextField(editable=False)
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the body.")
    signature = models.CharField(max_length=128, editable=False)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="statements", editable=False)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"statement {self.number}"


class StatedHead(AppendOnly):
    """The end of one chain as a statement had it. Written where it differs from the statement before, so that the
    leaves of statement N are each chain's newest row up to N."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="heads", editable=False)
    chain = models.CharField(max_length=80, editable=False)
    sequence = models.PositiveBigIntegerField(editable=False)
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "statement"], name="stated_once")]

    def __str__(self) -> str:
        return f"{self.chain} #{self.sequence}"


class StatementPost(models.Model):
    """One statement on its way to one address outside. WAITING until `sent_at`; a dead letter once `given_up_at`."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="posts")
    url = models.CharField(max_length=500)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, db_index=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-statement_id", "url"]
        constraints = [models.UniqueConstraint(fields=["statement", "url"], name="statement_posted_once")]

    def __str__(self) -> str:
        return f"{self.statement_id} to {self.url}"


class StatementStamp(models.Model):
    """
    WAITING -> STAMPED, or given up after many tries and WAITING again when a person asks

    A time-stamping authority's word that it saw a statement's digest (RFC 3161). Kept only once it was verified; until
    then the statement has no stamp. `answer` is the DER of the authority's answer as it came, which `openssl ts` reads.
    """

    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="stamp")
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, db_index=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    url = models.CharField(max_length=500, blank=True, editable=False, help_text="Who was asked.")
    answer = models.BinaryField(null=True, blank=True, editable=False)
    at = models.DateTimeField(null=True, blank=True, editable=False, help_text="The authority's time.")
    authority = models.CharField(max_length=300, blank=True, editable=False, help_text="Who signed it.")
    serial = models.CharField(max_length=100, blank=True, editable=False)
    policy = models.CharField(max_length=100, blank=True, editable=False)

    class Meta:
        ordering = ["-statement_id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(at=None, answer=None) | models.Q(at__isnull=False, answer__isnull=False),
                name="stamp_whole_or_not_at_all",
            )
        ]

    def __str__(self) -> str:
        return f"stamp of statement {self.statement_id}"

    @property
    def is_stamped(self) -> bool:
        return self.at is not None


class Transfer(models.Model):
    """
    OFFERED -> CONFIRMED | REFUSED (by the receiver) | WITHDRAWN (by the giver)

    An exhibit handed on to a person of this site, who confirms by signing in. What was handed to somebody outside is
    CONFIRMED at once: the giver types that they saw it received, and keeps the signed form.
    """

    class State(models.TextChoices):
        OFFERED = "offered", "Waits for the receiver"
        CONFIRMED = "confirmed", "Received"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="transfers")
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    receiver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    receiver_name = models.CharField(max_length=200, help_text="As text; for outsiders with their organisation.")
    purpose = models.CharField(max_length=500)
    place = models.CharField(max_length=200)
    seal = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OFFERED)
    offered_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-offered_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["evidence"], condition=models.Q(state="offered"), name="transfer_one_open_per_exhibit"
            )
        ]

    def __str__(self) -> str:
        return f"{self.evidence_id} to {self.receiver_name}: {self.state}"


class CaseExport(Job):
    """One export being made, or made: the zip lies in EXPORTS_DIR/<uuid>.zip until `removed_at`.

    `numbers` are the chosen exhibits; empty stands for the whole case with its log and content.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="exports")
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    numbers = models.JSONField(default=list, blank=True)
    purpose = models.CharField(max_length=500)
    receiver = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the zip.")
    files_sha256 = models.CharField(max_length=64, blank=True, help_text="Of files.json, which is signed.")
    problems = models.JSONField(default=list, blank=True, help_text="Exhibits whose bytes were altered or missing.")
    removed_at = models.DateTimeField(null=True, blank=True)
    # Set by services.caseexports.judge: what it leaves in an encrypted zip for.
    harmful: Sequence[Evidence] = ()

    objects = JobQuerySet["CaseExport"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"export {self.uuid}"


class CaseImport(Job):
    """
    QUEUED -> RUNNING -> DONE (case) | FAILED (reason)
       ^         |          |
       +---------+----------+  again with `accepted`, when a person takes the faults over with a reason,
                               or with another `password`, where the one it had does not open it

    An export of another IRCase, coming in. What came in an encrypted zip is unlocked first. Then it is verified; with
    faults it ends FAILED and `faults` says them.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=255, help_text="What the file was called.")
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    confidential = models.BooleanField(default=True)
    expected_key = models.CharField(max_length=64, blank=True, help_text="The public key it must be signed with.")
    password = models.TextField(blank=True, help_text="Of the zip around it, encrypted; empty once that is open.")
    locked = models.BooleanField(default=False, help_text="The password it had does not open it.")
    public_key = models.CharField(max_length=64, blank=True)
    faults = models.JSONField(default=list, blank=True)
    notes = models.JSONField(default=list, blank=True)
    accepted = models.CharField(max_length=500, blank=True, help_text="Why it is taken over in spite of its faults.")
    reference = models.CharField(max_length=40, blank=True, help_text="What the case was called where it came from.")
    origin = models.UUIDField(null=True, blank=True, editable=False, help_text="The case's uuid where it came from.")
    case = models.OneToOneField(
        Case, null=True, blank=True, on_delete=models.PROTECT, related_name="brought_in", editable=False
    )

    objects = JobQuerySet["CaseImport"].as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]

    def __str__(self) -> str:
        return f"import {self.name}: {self.state}"


class CustodyBefore(AppendOnly):
    """One entry of an exhibit's custody where it was before it was imported: the line as it came, never changed."""

    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="custody_before", editable=False)
    sequence = models.PositiveBigIntegerField(editable=False)
    line = models.TextField(editable=False)

    class Meta:
        ordering = ["sequence"]
        constraints = [models.UniqueConstraint(fields=["evidence", "sequence"], name="custody_before_once")]

    def __str__(self) -> str:
        return f"{self.evidence_id} before #{self.sequence}"

    @property
    def entry(self) -> dict[str, Any]:
        """The line as data."""
        found: dict[str, Any] = json.loads(self.line)
        return found
