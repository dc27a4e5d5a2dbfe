"""What the API shows of each thing, field by field: nothing is shown because a model happens to have it."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from django.db.models import TextChoices
from ninja import Schema
from pydantic import Field, WithJsonSchema

from ircase.models import (
    Activity,
    Approval,
    Asset,
    Case,
    CaseMember,
    CaseTable,
    Evidence,
    Indicator,
    Milestone,
    ParseJob,
    Proof,
)
from ircase.models.chain import ChainedRow


def inline(choices: type[TextChoices]) -> WithJsonSchema:
    """The choices written out where they are used: the description knows one `Kind`, and we have several."""
    return WithJsonSchema({"type": "string", "enum": choices.values})


AssetKind = Annotated[Asset.Kind, inline(Asset.Kind)]
IndicatorKind = Annotated[Indicator.Kind, inline(Indicator.Kind)]
IndicatorVerdict = Annotated[Indicator.Verdict, inline(Indicator.Verdict)]
ActivityVerdict = Annotated[Activity.Verdict, inline(Activity.Verdict)]
MilestoneKind = Annotated[Milestone.Kind, inline(Milestone.Kind)]


class CaseOut(Schema):
    reference: str
    title: str
    description: str
    severity: str
    tlp: str
    classification: str
    determination: str
    confidential: bool
    exercise: bool
    phase: str
    playbook: str
    incident_id: str
    incident_url: str
    opened_at: datetime
    closed_at: datetime | None
    updated_at: datetime
    role: str = Field(description="Your role on the case.")

    @staticmethod
    def resolve_role(case: Case) -> str:
        return str(case.my_role)


class CaseDetail(CaseOut):
    summary: str
    lessons: str
    opened_by: str
    connection: str | None

    @staticmethod
    def resolve_opened_by(case: Case) -> str:
        return case.opened_by.username

    @staticmethod
    def resolve_connection(case: Case) -> str | None:
        return case.connection.name if case.connection else None


class MilestoneOut(Schema):
    kind: str
    at: datetime
    note: str


class MemberOut(Schema):
    username: str
    name: str
    role: str
    duty: str

    @staticmethod
    def resolve_username(member: CaseMember) -> str:
        return member.user.username

    @staticmethod
    def resolve_name(member: CaseMember) -> str:
        return member.user.name


class ActivityOut(Schema):
    """One run, collection, action, import or report. `subject` is the uuid of its own row."""

    uuid: UUID
    kind: str
    title: str
    subject: UUID
    state: str
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str
    row_count: int | None
    partial: bool
    verdict: str
    sentence: str
    evidence: list[UUID]

    @staticmethod
    def resolve_requested_by(activity: Activity) -> str:
        return activity.requested_by.username

    @staticmethod
    def resolve_evidence(activity: Activity) -> list[UUID]:
        return [item.uuid for item in activity.evidence.all()]


class LogOut(Schema):
    """An entry of a chain. From these fields its digest can be computed; docs/evidence.md shows how."""

    sequence: int
    at: str = Field(description="UTC with six digits of a second, exactly as the digest was made over it.")
    action: str
    actor: str = Field(alias="actor_name")
    detail: dict[str, Any]
    previous: str
    digest: str

    @staticmethod
    def resolve_at(entry: ChainedRow) -> str:
        return entry.at.astimezone(UTC).isoformat(timespec="microseconds")


class CustodyOut(LogOut):
    """A touch of one exhibit."""


class EvidenceOut(Schema):
    uuid: UUID
    exhibit: str
    kind: str
    name: str
    description: str
    sha256: str
    record: bool = Field(
        alias="is_record",
        description="The thing lies elsewhere: sha256, size and integrity are those of the record of it.",
    )
    stated_sha256: str = Field(description="Of a thing kept elsewhere, as somebody stated it. It was never checked.")
    size: int
    media_type: str
    partial: bool
    integrity: str
    checked_at: datetime | None
    sealed_at: datetime
    sealed_by: str

    @staticmethod
    def resolve_sealed_by(item: Evidence) -> str:
        return item.sealed_by.username


class EvidenceDetail(EvidenceOut):
    manifest: dict[str, Any]
    manifest_sha256: str


class TableOut(Schema):
    uuid: UUID
    name: str
    columns: list[list[str]]
    row_count: int
    first_time: datetime | None
    last_time: datetime | None
    origin: str
    queryable: bool
    evidence: UUID

    @staticmethod
    def resolve_evidence(table: CaseTable) -> UUID:
        return table.evidence.uuid


class ImportOut(Schema):
    """The reading of an exhibit into tables; `problems` names what could not be read."""

    uuid: UUID
    evidence: UUID
    state: str
    reason: str
    attempt: int
    progress: dict[str, Any]
    problems: list[dict[str, Any]]
    queued_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_evidence(job: ParseJob) -> UUID:
        return job.evidence.uuid


class ProofOut(Schema):
    """Exactly one of the four is given."""

    evidence: UUID | None
    activity: UUID | None
    event: UUID | None
    decision: str
    added_at: datetime

    @staticmethod
    def resolve_evidence(proof: Proof) -> UUID | None:
        return proof.evidence.uuid if proof.evidence else None

    @staticmethod
    def resolve_activity(proof: Proof) -> UUID | None:
        return proof.activity.uuid if proof.activity else None

    @staticmethod
    def resolve_event(proof: Proof) -> UUID | None:
        return proof.event.uuid if proof.event else None


class ApprovalOut(Schema):
    uuid: UUID
    case: str
    kind: str
    subject: UUID
    title: str
    detail: dict[str, Any]
    binding: str
    reason: str
    state: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str

    @staticmethod
    def resolve_case(approval: Approval) -> str:
        return approval.case.reference

    @staticmethod
    def resolve_requested_by(approval: Approval) -> str:
        return approval.requested_by.username

    @staticmethod
    def resolve_decided_by(approval: Approval) -> str | None:
        return approval.decided_by.username if approval.decided_by else None
