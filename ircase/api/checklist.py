"""The checklist: what is to be done, done, and what proves it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import AwareDatetime, Field

from ircase import profile
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner import etags
from ircase.api.paging import Router
from ircase.api.schemas import ProofOut
from ircase.models import Case, ChecklistItem, ItemChange, Phase, Proof, User
from ircase.services.phases import checklist, gate

router = Router(tags=["Checklist"])
_ITEM = "/cases/{reference}/checklist/{key}"
etags.guard(
    _ITEM,
    lambda reference, key: ChecklistItem.objects.filter(case__reference=reference, key=key),
    acts=("start", "wait", "review", "finish", "skip", "reopen", "plan", "proofs"),
)


class ItemOut(Schema):
    key: str
    phase: str
    title: str
    guidance: str
    r2_step: str
    csf_outcome: str
    required: bool
    proof_rule: str
    state: str
    state_at: datetime
    waiting_for: str
    reviewer: str | None
    asset: str = Field("", alias="asset_name")
    role: str
    owner: str | None
    due_at: datetime | None
    depends_on: list[str]
    result: str
    ended_at: datetime | None
    ended_by: str | None
    suggested_hunts: list[str]
    suggested_collections: list[str]
    suggested_actions: list[str]
    proofs: list[ProofOut]

    @staticmethod
    def resolve_owner(item: ChecklistItem) -> str | None:
        return item.owner.username if item.owner else None

    @staticmethod
    def resolve_reviewer(item: ChecklistItem) -> str | None:
        return item.reviewer.username if item.reviewer else None

    @staticmethod
    def resolve_ended_by(item: ChecklistItem) -> str | None:
        return item.ended_by.username if item.ended_by else None

    @staticmethod
    def resolve_depends_on(item: ChecklistItem) -> list[str]:
        return [other.key for other in item.depends_on.all()]


class ItemNew(Schema):
    title: str = Field(min_length=1, max_length=300)
    phase: Phase
    required: bool = False
    due_at: AwareDatetime | None = None
    owner: str = ""
    proof_rule: ChecklistItem.ProofRule = ChecklistItem.ProofRule.LINK


class Wait(Schema):
    waiting_for: str = Field(min_length=1, max_length=200, description="On whom or on what.")


class AskReview(Schema):
    reviewer: str = Field("", description="A user name; empty asks the leads.")
    result: str = Field("", max_length=20_000)


class ItemChangeOut(Schema):
    before: str
    state: str
    note: str
    at: datetime
    by: str | None

    @staticmethod
    def resolve_by(change: ItemChange) -> str | None:
        return change.by.username if change.by else None


class HeldOut(Schema):
    """A required item that holds the way: what it lacks to be closed, and what it waits for itself."""

    key: str
    title: str
    phase: str
    lacks: str
    waits_for: list[str]


class OutcomeOut(Schema):
    """`state`: done, open, skipped, or none where no item serves it."""

    outcome: str
    words: str
    state: str
    items: list[str]


class Finish(Schema):
    result: str = Field("", max_length=20_000)


class Skip(Schema):
    reason: str = Field(min_length=1, max_length=2000)


class Plan(Schema):
    owner: str | None = Field(None, description="A user name; null for nobody.")
    due_at: AwareDatetime | None = None


class ProofIn(Schema):
    """Exactly one of the four, and of the same case."""

    evidence: UUID | None = None
    activity: UUID | None = None
    event: UUID | None = None
    decision: str = Field("", max_length=20_000)


def _items(case: Case) -> models.QuerySet[ChecklistItem]:
    found = ChecklistItem.objects.filter(case=case).select_related("owner", "ended_by", "reviewer")
    return found.prefetch_related("depends_on", "proofs__evidence", "proofs__activity", "proofs__event")


def _changing(request: HttpRequest, reference: str, key: str) -> ChecklistItem:
    return get_object_or_404(_items(open_case_of(request, reference)), key=key)


def _again(item: ChecklistItem) -> ChecklistItem:
    """The item as it is now, relations included."""
    return _items(item.case).get(pk=item.pk)


def _owner(case: Case, username: str | None) -> User | None:
    """Somebody on the case. Raises ValidationError for anybody else, known or not."""
    if not username:
        return None
    member = case.members.select_related("user").filter(user__username=username, user__is_active=True).first()
    if member is None:
        raise ValidationError(f"{username[:150]} is not on this case. Add them as a member first.")
    return member.user


@router.get("/cases/{reference}/checklist", response=list[ItemOut], summary="All items, in order")
def list_items(request: HttpRequest, reference: str) -> list[ChecklistItem]:
    return list(_items(case_of(request, reference)))


@router.post("/cases/{reference}/checklist", response={201: ItemOut}, summary="Add an item of one's own")
def add_item(request: HttpRequest, reference: str, body: ItemNew) -> Status[ChecklistItem]:
    case = open_case_of(request, reference)
    values: dict[str, Any] = body.dict(exclude={"owner"})
    item = checklist.add_item(case=case, actor=person(request), owner=_owner(case, body.owner), **values)
    return Status(201, _again(item))


@router.get(_ITEM, response=ItemOut, summary="One item")
def get_item(request: HttpRequest, reference: str, key: str) -> ChecklistItem:
    return get_object_or_404(_items(case_of(request, reference)), key=key)


@router.get(f"{_ITEM}/changes", response=list[ItemChangeOut], summary="Its states, each with its time")
def list_changes(request: HttpRequest, reference: str, key: str) -> list[ItemChange]:
    item = get_object_or_404(_items(case_of(request, reference)), key=key)
    return list(item.changes.select_related("by"))


@router.post(f"{_ITEM}/start", response=ItemOut, summary="In work")
def start_item(request: HttpRequest, reference: str, key: str) -> ChecklistItem:
    return _again(checklist.start_item(item=_changing(request, reference, key), actor=person(request)))


@router.post(f"{_ITEM}/wait", response=ItemOut, summary="It waits, and for whom")
def wait_item(request: HttpRequest, reference: str, key: str, body: Wait) -> ChecklistItem:
    item = _changing(request, reference, key)
    return _again(checklist.wait_item(item=item, actor=person(request), waiting_for=body.waiting_for))


@router.post(f"{_ITEM}/review", response=ItemOut, summary="Ask a second person to look at it")
def ask_review(request: HttpRequest, reference: str, key: str, body: AskReview) -> ChecklistItem:
    item = _changing(request, reference, key)
    reviewer = _owner(item.case, body.reviewer)
    return _again(checklist.ask_review(item=item, actor=person(request), reviewer=reviewer, result=body.result))


@router.get("/cases/{reference}/gate", response=list[HeldOut], summary="What holds the way to a phase")
def get_gate(request: HttpRequest, reference: str, phase: Phase | None = None) -> list[dict[str, Any]]:
    """Without `phase`: the way to the last one."""
    held = gate.held_by(case_of(request, reference), phase or Phase.POST_INCIDENT)
    return [
        {
            "key": one.item.key,
            "title": one.item.title,
            "phase": one.item.phase,
            "lacks": one.lacks,
            "waits_for": list(one.waits_for),
        }
        for one in held
    ]


@router.get("/cases/{reference}/gaps", response=list[OutcomeOut], summary="Outcomes of SP 800-61r3's profile")
def get_gaps(request: HttpRequest, reference: str) -> list[dict[str, Any]]:
    found = profile.coverage(ChecklistItem.objects.filter(case=case_of(request, reference)))
    return [
        {"outcome": one.number, "words": one.words, "state": one.state, "items": [item.key for item in one.items]}
        for one in found
    ]


@router.post(f"{_ITEM}/finish", response=ItemOut, summary="Done, with a result")
def finish_item(request: HttpRequest, reference: str, key: str, body: Finish) -> ChecklistItem:
    item = _changing(request, reference, key)
    return _again(checklist.finish_item(item=item, actor=person(request), result=body.result))


@router.post(f"{_ITEM}/skip", response=ItemOut, summary="Skipped, with a reason")
def skip_item(request: HttpRequest, reference: str, key: str, body: Skip) -> ChecklistItem:
    item = _changing(request, reference, key)
    return _again(checklist.skip_item(item=item, actor=person(request), reason=body.reason))


@router.post(f"{_ITEM}/reopen", response=ItemOut, summary="Open again")
def reopen_item(request: HttpRequest, reference: str, key: str) -> ChecklistItem:
    return _again(checklist.reopen_item(item=_changing(request, reference, key), actor=person(request)))


@router.post(f"{_ITEM}/plan", response=ItemOut, summary="Who does it, and by when")
def plan_item(request: HttpRequest, reference: str, key: str, body: Plan) -> ChecklistItem:
    item = _changing(request, reference, key)
    owner = _owner(item.case, body.owner)
    return _again(checklist.plan_item(item=item, actor=person(request), owner=owner, due_at=body.due_at))


@router.post(f"{_ITEM}/proofs", response={201: ProofOut}, summary="Link what proves it")
def add_proof(request: HttpRequest, reference: str, key: str, body: ProofIn) -> Status[Proof]:
    item = _changing(request, reference, key)
    case = item.case
    proof = checklist.add_proof(
        item=item,
        actor=person(request),
        evidence=get_object_or_404(case.evidence, uuid=body.evidence) if body.evidence else None,
        activity=get_object_or_404(case.activities, uuid=body.activity) if body.activity else None,
        event=get_object_or_404(case.events, uuid=body.event) if body.event else None,
        decision=body.decision,
    )
    return Status(201, proof)
