"""Decisions, closing, hand-overs and improvements."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner import etags
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import CaseDetail
from ircase.models import Case, Decision, Evidence, HandOver, Improvement, User
from ircase.services.casework import closing, decisions, handovers, improvements

router = Router(tags=["Decisions, hand-over, close"])
etags.guard("/improvements/{uuid}", lambda uuid: Improvement.objects.filter(uuid=uuid), acts=("state",))


class DecisionIn(Schema):
    what: str = Field(min_length=1, max_length=300)
    why: str = Field(min_length=1, max_length=20_000)
    alternatives: str = Field("", max_length=20_000)
    decided_by: str = Field("", max_length=200, description="Left out: you.")
    decided_at: AwareDatetime | None = None
    told: str = Field("", max_length=20_000)
    supersedes: UUID | None = None
    items: list[str] = Field(default_factory=list, max_length=200, description="Keys of checklist items it proves.")
    evidence: list[UUID] = Field(default_factory=list, max_length=200)


class DecisionOut(Schema):
    uuid: UUID
    label: str
    what: str
    why: str
    alternatives: str
    decided_by: str
    decided_at: datetime
    told: str
    supersedes: UUID | None
    superseded_by: UUID | None
    written_by: str
    written_at: datetime

    @staticmethod
    def resolve_supersedes(decision: Decision) -> UUID | None:
        return decision.supersedes.uuid if decision.supersedes else None

    @staticmethod
    def resolve_superseded_by(decision: Decision) -> UUID | None:
        later = getattr(decision, "superseded_by", None)
        return later.uuid if later else None

    @staticmethod
    def resolve_written_by(decision: Decision) -> str:
        return decision.written_by.username


class FindingOut(Schema):
    code: str
    holds: bool
    text: str
    names: list[str]


class ClosingOut(Schema):
    """What the check found; `asked` is the approval that waits for a second lead."""

    findings: list[FindingOut]
    needs_review: bool
    asked: UUID | None


class CloseIn(Schema):
    reason: str = Field("", max_length=2000)


class HandOverIn(Schema):
    receiver: str = Field(description="A username.")
    situation: str = Field(min_length=1, max_length=20_000)
    next_steps: str = Field(min_length=1, max_length=20_000)
    moves_lead: bool = False
    moves_items: bool = False


class HandOverOut(Schema):
    uuid: UUID
    giver: str
    receiver: str
    state: str
    situation: str
    next_steps: str
    moves_lead: bool
    moves_items: bool
    snapshot_sha256: str
    offered_at: datetime
    answered_at: datetime | None
    answer: str
    moved: str
    evidence: UUID | None

    @staticmethod
    def resolve_giver(row: HandOver) -> str:
        return row.giver.username

    @staticmethod
    def resolve_receiver(row: HandOver) -> str:
        return row.receiver.username

    @staticmethod
    def resolve_evidence(row: HandOver) -> UUID | None:
        return row.evidence.uuid if row.evidence else None


class HandOverDetail(HandOverOut):
    snapshot: dict[str, Any]


class HandOverAnswer(Schema):
    act: Literal["confirm", "refuse", "withdraw"]
    words: str = Field("", max_length=5000)


class ImprovementIn(Schema):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=20_000)
    outcome: str = "ID.IM-03"
    owner: str | None = Field(None, description="A username.")
    due_on: date | None = None


class ImprovementOut(Schema):
    uuid: UUID
    case: str
    title: str
    description: str
    outcome: str
    owner: str | None
    due_on: date | None
    state: str
    result: str
    late: bool = Field(alias="is_late")

    @staticmethod
    def resolve_case(item: Improvement) -> str:
        return item.case.reference

    @staticmethod
    def resolve_owner(item: Improvement) -> str | None:
        return item.owner.username if item.owner else None


class ImprovementState(Schema):
    state: Literal["open", "doing", "done", "dropped"]
    result: str = Field("", max_length=20_000)


@router.get("/cases/{reference}/decisions", response=Page[DecisionOut], summary="The decision log")
def list_decisions(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(decisions.of_case(case_of(request, reference)), window)


@router.get("/cases/{reference}/decisions/{uuid}", response=DecisionOut, summary="One decision")
def get_decision(request: HttpRequest, reference: str, uuid: UUID) -> Decision:
    return get_object_or_404(decisions.of_case(case_of(request, reference)), uuid=uuid)


@router.post("/cases/{reference}/decisions", response={201: DecisionOut}, summary="Record a decision")
def record_decision(request: HttpRequest, reference: str, body: DecisionIn) -> Status[Decision]:
    case = open_case_of(request, reference)
    values = body.dict(exclude={"supersedes", "items", "evidence"})
    made = decisions.record(
        case=case,
        actor=person(request),
        supersedes=get_object_or_404(decisions.of_case(case), uuid=body.supersedes) if body.supersedes else None,
        items=[get_object_or_404(case.checklist, key=key) for key in body.items],
        evidence=[get_object_or_404(Evidence, case=case, uuid=one) for one in body.evidence],
        **values,
    )
    return Status(201, made)


@router.get("/cases/{reference}/closing", response=ClosingOut, summary="What holds the close, and what is advised")
def look_over(request: HttpRequest, reference: str) -> dict[str, Any]:
    case = case_of(request, reference)
    asked = closing.waiting(case)
    found = closing.look_over(case) if case.is_open else []
    return {"findings": found, "needs_review": closing.needs_review(case), "asked": asked.uuid if asked else None}


@router.post(
    "/cases/{reference}/close", response={200: CaseDetail, 202: CaseDetail},
    summary="Close; 202 where a second lead was asked to review it first",
)  # fmt: skip
def close_case(request: HttpRequest, reference: str, body: CloseIn) -> Status[Case]:
    case = case_of(request, reference, access.LEAD)
    asked = closing.close(case=case, actor=person(request), reason=body.reason)
    return Status(202 if asked else 200, case_of(request, reference))


@router.get("/cases/{reference}/hand-overs", response=Page[HandOverOut], summary="The hand-overs of a case")
def list_handovers(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(handovers.of_case(case_of(request, reference)), window)


@router.post("/cases/{reference}/hand-overs", response={201: HandOverOut}, summary="Offer the case to a colleague")
def offer_handover(request: HttpRequest, reference: str, body: HandOverIn) -> Status[HandOver]:
    case = open_case_of(request, reference)
    receiver = get_object_or_404(User, username=body.receiver, is_active=True)
    values = body.dict(exclude={"receiver"})
    return Status(201, handovers.offer(case=case, actor=person(request), receiver=receiver, **values))


@router.get("/cases/{reference}/hand-overs/{uuid}", response=HandOverDetail, summary="One hand-over with its state")
def get_handover(request: HttpRequest, reference: str, uuid: UUID) -> HandOver:
    rows = HandOver.objects.filter(case=case_of(request, reference)).select_related("giver", "receiver", "evidence")
    return get_object_or_404(rows, uuid=uuid)


@router.post(
    "/cases/{reference}/hand-overs/{uuid}/answer", response=HandOverOut, summary="Take it, refuse it, take back"
)
def answer_handover(request: HttpRequest, reference: str, uuid: UUID, body: HandOverAnswer) -> HandOver:
    case, actor = case_of(request, reference, access.ANALYST), person(request)
    rows = HandOver.objects.filter(case=case).select_related("case", "giver", "receiver")
    found = get_object_or_404(rows, uuid=uuid)
    if body.act == "withdraw":
        return handovers.withdraw(handover=found, actor=actor)
    act = handovers.confirm if body.act == "confirm" else handovers.refuse
    return act(handover=found, actor=actor, words=body.words)


@router.get("/improvements", response=Page[ImprovementOut], summary="Improvements of the cases you may see")
def list_improvements(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    return page_of(improvements.seen_by(person(request)), window)


@router.get("/cases/{reference}/improvements", response=Page[ImprovementOut], summary="Improvements of a case")
def list_case_improvements(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    found = Improvement.objects.filter(case=case_of(request, reference))
    return page_of(found.select_related("case", "owner"), window)


@router.post("/cases/{reference}/improvements", response={201: ImprovementOut}, summary="Write one down")
def add_improvement(request: HttpRequest, reference: str, body: ImprovementIn) -> Status[Improvement]:
    case = case_of(request, reference, access.ANALYST)
    values = body.dict() | {"owner": _owner(body.owner)}
    return Status(201, improvements.add(case=case, actor=person(request), **values))


@router.get("/improvements/{uuid}", response=ImprovementOut, summary="One improvement")
def get_improvement(request: HttpRequest, uuid: UUID) -> Improvement:
    return get_object_or_404(improvements.seen_by(person(request)), uuid=uuid)


@router.put("/improvements/{uuid}", response=ImprovementOut, summary="Change what it says, whose it is, by when")
def change_improvement(request: HttpRequest, uuid: UUID, body: ImprovementIn) -> Improvement:
    item = get_object_or_404(improvements.seen_by(person(request)), uuid=uuid)
    return improvements.change(item=item, actor=person(request), **(body.dict() | {"owner": _owner(body.owner)}))


@router.post("/improvements/{uuid}/state", response=ImprovementOut, summary="What becomes of it")
def move_improvement(request: HttpRequest, uuid: UUID, body: ImprovementState) -> Improvement:
    item = get_object_or_404(improvements.seen_by(person(request)), uuid=uuid)
    return improvements.move(item=item, actor=person(request), state=body.state, result=body.result)


def _owner(username: str | None) -> User | None:
    return get_object_or_404(User, username=username, is_active=True) if username else None
