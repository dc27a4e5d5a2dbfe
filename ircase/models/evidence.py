"""Sealed bytes, the hands they went through, and the tables made from them."""

import re
import uuid
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.chain import ChainedRow
from ircase.models.jobs import Job, JobQuerySet

SHA256 = RegexValidator(r"^[0-9a-f]{64}$", "A SHA-256 is 64 lower-case hexadecimal digits.")


class Evidence(models.Model):
    """Bytes that are never edited. The file is stored under its SHA-256; `name` is what the outside called it, and is
    never part of a path. `manifest` says where the bytes came from; its digest is in the first custody entry."""

    class Kind(models.TextChoices):
        HUNT = "hunt", "Hunt result"
        COLLECTION = "collection", "Live Response collection"
        ACTION = "action", "Response action"
        UPLOAD = "upload", "Upload"
        REPORT = "report", "Report"
        INCIDENT = "incident", "Incident as received"
        PHYSICAL = "physical", "Physical item"
        ELSEWHERE = "elsewhere", "File kept elsewhere"
        ANSWER = "answer", "Answer of Defender"
        HANDOVER = "handover", "Hand-over record"

    class Integrity(models.TextChoices):
        UNCHECKED = "unchecked", "Not checked since it was sealed"
        VERIFIED = "verified", "Verified"
        ALTERED = "altered", "ALTERED"
        MISSING = "missing", "MISSING"
        DESTROYED = "destroyed", "Destroyed, as certified"

    # Things whose own bytes are not held here: what is sealed of them is a record, the words that describe them.
    RECORDS: ClassVar = (Kind.PHYSICAL, Kind.ELSEWHERE)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="evidence")
    number = models.PositiveIntegerField(editable=False, help_text="The exhibit's number within the case, from 1.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, validators=[SHA256], editable=False)
    size = models.PositiveBigIntegerField(editable=False, help_text="Bytes.")
    media_type = models.CharField(max_length=100, default="application/octet-stream")
    manifest = models.JSONField(default=dict, editable=False)
    manifest_sha256 = models.CharField(max_length=64, editable=False)
    partial = models.BooleanField(
        default=False, editable=False, help_text="Truncated or incomplete; the manifest says how."
    )
    sealed_at = models.DateTimeField(default=timezone.now, editable=False)
    sealed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    integrity = models.CharField(max_length=10, choices=Integrity.choices, default=Integrity.UNCHECKED)
    checked_at = models.DateTimeField(null=True, blank=True)
    locked_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until when the store that took it keeps it, whoever asks."
    )
    destroyed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["case", "number"], name="exhibit_number_once")]
        indexes = [
            models.Index(fields=["sha256"], name="evidence_by_hash"),
            models.Index(fields=["checked_at", "sealed_at"], name="evidence_by_look"),
        ]

    def __str__(self) -> str:
        return f"{self.exhibit} {self.name}"

    @property
    def exhibit(self) -> str:
        return f"E{self.number:03d}"

    @property
    def path(self) -> Path:
        """Where a store on a plain disk has the bytes. What must work with every store asks `ircase.store`."""
        return settings.EVIDENCE_DIR / self.sha256[:2] / self.sha256[2:4] / self.sha256

    @property
    def is_destroyed(self) -> bool:
        return self.integrity == self.Integrity.DESTROYED

    @property
    def is_sound(self) -> bool:
        return self.integrity not in (self.Integrity.ALTERED, self.Integrity.MISSING)

    @property
    def is_record(self) -> bool:
        """The thing itself lies elsewhere: `sha256`, `size` and `integrity` are those of the record of it."""
        return self.kind in self.RECORDS

    @property
    def stated_sha256(self) -> str:
        """What somebody said that the hash of a thing kept elsewhere is. Nothing here has ever computed it."""
        return stated_digest(self.manifest.get("stated_sha256")) if self.is_record else ""


def stated_digest(value: object) -> str:
    """A SHA-256 of a manifest, which may have come with an import and be anything; empty where it is none."""
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) else ""


class CustodyEntry(ChainedRow):
    """Sealed, viewed, downloaded, verified, exported, taken, transferred, returned: every touch of one exhibit."""

    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="custody")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["sequence"]
        constraints = [models.UniqueConstraint(fields=["evidence", "sequence"], name="custody_sequence_once")]
        indexes = [
            models.Index(fields=["-at", "-id"], name="custody_newest"),
            models.Index(fields=["actor", "-at"], name="custody_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} #{self.sequence} {self.action}"


class ParseJob(Job):
    """Turns one piece of evidence into case tables. `problems` names what could not be read; the rest is kept. Entries
    whose code begins with `note.` are assumptions that the reading rests on: see `faults` and `notes`.

    `shapes` is what the last reading found of each file that is rows (`artifacts.shapes.Shape`), `choices` how people
    want such files read (`artifacts.choices.Choice`), by file: they are kept with the evidence, for every reading.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    evidence = models.OneToOneField(Evidence, on_delete=models.PROTECT, related_name="parse_job")
    activity = models.OneToOneField("ircase.Activity", on_delete=models.PROTECT, related_name="+")
    problems = models.JSONField(default=list, blank=True)
    shapes = models.JSONField(default=list, blank=True, editable=False)
    choices = models.JSONField(default=dict, blank=True, editable=False)

    objects = JobQuerySet["ParseJob"].as_manager()

    def __str__(self) -> str:
        return f"parse {self.evidence_id}: {self.state}"

    @property
    def faults(self) -> list[dict[str, str]]:
        """What could not be read, with `member`, `code` and `message`."""
        return [entry for entry in self.problems if not entry["code"].startswith("note.")]

    @property
    def notes(self) -> list[dict[str, str]]:
        """What was assumed while reading, file by file."""
        return [entry for entry in self.problems if entry["code"].startswith("note.")]


class CaseTable(models.Model):
    """Rows made from evidence, queryable in KQL under `name`. Several pieces of evidence may hold rows of one table."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="tables")
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="tables")
    name = models.CharField(max_length=128)
    columns = models.JSONField(default=list, help_text='[["Timestamp", "datetime"], …], in order.')
    version = models.PositiveIntegerField(default=1, help_text="How often the evidence has been read into it.")
    row_count = models.PositiveBigIntegerField(default=0)
    first_time = models.DateTimeField(null=True, blank=True)
    last_time = models.DateTimeField(null=True, blank=True)
    origin = models.CharField(max_length=200, blank=True, help_text="'hunt', 'evtx', 'nxlog', 'dfir', …")
    queryable = models.BooleanField(default=True, help_text="Off for hunt results: a hunt must not find itself.")
    wildcard = models.BooleanField(default=True, help_text="Off where the rows stand in another table too.")

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["evidence", "name"], name="table_once_per_evidence"),
            models.CheckConstraint(condition=~Q(name=""), name="table_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return settings.TABLES_DIR / str(self.case_id) / f"{self.uuid}.parquet"
