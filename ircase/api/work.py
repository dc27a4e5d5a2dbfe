"""Work across cases, and the organisation's preparation."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access, worklist
from ircase.api.auth import person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case, ChecklistItem, PreparationItem, User
from ircase.services.phases import checklist, preparation

router = Router(tags=["Work"])


class WorkOut(Schema):
    case: str
    key: str
    title: str
    phase: str
    state: str
    required: bool
    owner: str | None
    reviewer: str | None
    waiting_for: str
    due_at: datetime | None
    exercise: bool = Field(description="Of a case that is played, not in earnest.")

    @staticmethod
    def resolve_case(item: ChecklistItem) -> str:
        return item.case.reference

    @staticmethod
    def resolve_exercise(item: ChecklistItem) -> bool:
        return item.case.exercise

    @staticmethod
    def resolve_owner(item: ChecklistItem) -> str | None:
        return item.owner.username if item.owner else None

    @staticmethod
    def resolve_reviewer(item: ChecklistItem) -> str | None:
        return item.reviewer.username if item.reviewer else None


class WorkFilters(Window):
    whose: str = Field("mine", pattern="^(mine|nobody|review|cases)$")
    due: str = Field("", pattern="^(|late|today|week|none)$")
    state: str = Field("", max_length=8)
    severity: str = Field("", max_length=16)
    phase: str = Field("", max_length=16)
    q: str = Field("", max_length=200)


class ItemRef(Schema):
    case: str = Field(max_length=20)
    key: str = Field(max_length=80)


class PlanMany(Schema):
    """What is left out stays as it is."""

    items: list[ItemRef] = Field(min_length=1, max_length=200)
    owner: str = Field("", max_length=150)
    due_at: AwareDatetime | None = None


class Planned(Schema):
    planned: int
    refused: list[str]


class PreparationOut(Schema):
    """`review_at`: when what is done has to be looked at again."""

    key: str
    title: str
    csf_outcome: str
    owner: str | None
    due_at: datetime | None
    done_at: datetime | None
    review_days: int | None
    review_at: datetime | None
    result: str

    @staticmethod
    def resolve_owner(item: PreparationItem) -> str | None:
        return item.owner.username if item.owner else None


class PreparationNew(Schema):
    title: str = Field(min_length=4, max_length=300)
    csf_outcome: str = Field("", max_length=16)
    review_days: int | None = Field(None, ge=1, le=3650)


class PreparationIn(PreparationNew):
    owner: str = Field("", max_length=150)
    due_at: AwareDatetime | None = None
    done_at: AwareDatetime | None = None
    result: str = Field("", max_length=20_000)


class PreparationRemoval(Schema):
    reason: str = Field(min_length=1, max_length=2000)


@router.get("/work", response=Page[WorkOut], summary="Checklist items across cases, what is due first at the top")
def list_work(request: HttpRequest, filters: Query[WorkFilters]) -> dict[str, Any]:
    wanted = worklist.Filters(**filters.dict(exclude={"limit", "offset"}))
    return page_of(worklist.find(person(request), wanted), filters)


@router.post("/work/plan", response=Planned, summary="An owner or a date for many items")
def plan_work(request: HttpRequest, body: PlanMany) -> dict[str, Any]:
    user = person(request)
    owner = get_object_or_404(User, username=body.owner, is_active=True) if body.owner else None
    pairs = {(one.case, one.key) for one in body.items}
    seen = Case.objects.visible_to(user).filter(reference__in={case for case, _ in pairs}).values("pk")
    rows = ChecklistItem.objects.live().filter(case__in=seen, key__in={key for _, key in pairs})
    items = [row for row in rows.select_related("case", "owner") if (row.case.reference, row.key) in pairs]
    planned, refused = checklist.plan_many(items=items, actor=user, owner=owner, due_at=body.due_at)
    return {"planned": planned, "refused": refused}


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


@router.get("/preparation", response=list[PreparationOut], summary="What the organisation prepares")
def list_preparation(request: HttpRequest) -> list[PreparationItem]:
    _administrator(request)
    return list(PreparationItem.objects.select_related("owner"))


@router.post("/preparation", response={201: PreparationOut}, summary="An item more")
def add_preparation(request: HttpRequest, body: PreparationNew) -> Status[PreparationItem]:
    return Status(201, preparation.add(actor=_administrator(request), **body.dict()))


@router.put("/preparation/{key}", response=PreparationOut, summary="Who sees to it, until when, since when it is done")
def plan_preparation(request: HttpRequest, key: str, body: PreparationIn) -> PreparationItem:
    user = _administrator(request)
    item = get_object_or_404(PreparationItem, key=key)
    owner = get_object_or_404(User, username=body.owner, is_active=True) if body.owner else None
    return preparation.plan(item=item, actor=user, owner=owner, **body.dict(exclude={"owner"}))


@router.post("/preparation/{key}/removal", response={204: None}, summary="Off the list")
def remove_preparation(request: HttpRequest, key: str, body: PreparationRemoval) -> Status[None]:
    user = _administrator(request)
    preparation.remove(item=get_object_or_404(PreparationItem, key=key), actor=user, reason=body.reason)
    return Status(204, None)
