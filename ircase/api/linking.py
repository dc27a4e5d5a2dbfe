"""Linked cases, merging a duplicate, and a case after the pattern of another."""

from typing import Annotated, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.api.schemas import CaseDetail, inline
from ircase.models import Case, CaseLink, Severity, User
from ircase.services import templating
from ircase.services.casework import casemerging, casesplitting, linking, opening

router = Router(tags=["Linked cases"])
LinkKind = Annotated[CaseLink.Kind, inline(CaseLink.Kind)]
Many = Annotated[list[UUID], Field(default_factory=list, max_length=casesplitting.MOST)]


class LinkIn(Schema):
    other: str = Field(max_length=20, description="The reference of the other case.")
    kind: LinkKind
    reason: str = Field(min_length=1, max_length=2000)


class SplitExhibit(Schema):
    uuid: UUID
    number: int
    name: str


class LinkOut(Schema):
    """`words` says what this case is to `other`; `exhibits` of a split stay with the case that it was split from."""

    uuid: UUID
    words: str
    other: str
    other_title: str
    reason: str
    merged: bool
    split: bool
    exhibits: list[SplitExhibit]


class MergeWanted(Schema):
    into: str = Field("", max_length=20, description="The reference of the case that stays.")


class MergeIn(Schema):
    into: str = Field(max_length=20, description="The reference of the case that stays.")
    reason: str = Field(min_length=1, max_length=2000)


class PlanOut(Schema):
    new_assets: int
    joined_assets: int
    new_indicators: int
    joined_indicators: int
    new_events: int
    joined_events: int
    exhibits: int
    open_items: int
    notes: int
    new_notes: int
    new_items: int
    new_incidents: int
    staying_incidents: int
    told: int
    people: list[str]
    hold: list[str]


class UndoIn(Schema):
    reason: str = Field(min_length=1, max_length=2000)


class UndoOut(Schema):
    """How many of each stayed because somebody had worked on them."""

    assets: int
    indicators: int
    events: int


class SplitIn(Schema):
    """By uuid what is copied (`items` by key); the assets and indicators that an event names go along with it.
    `evidence` stays, and is named by the link."""

    title: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)
    severity: Severity | None = None
    confidential: bool = False
    events: Many
    indicators: Many
    assets: Many
    evidence: Many
    notes: Many
    items: Annotated[list[str], Field(default_factory=list, max_length=casesplitting.MOST)]


class LikeIn(Schema):
    title: str = Field(min_length=1, max_length=200)
    severity: Severity | None = None
    confidential: bool = False


def _out(seen: linking.Seen) -> dict[str, Any]:
    return {
        "uuid": seen.link.uuid, "words": seen.words, "other": seen.other.reference, "other_title": seen.other.title,
        "reason": seen.link.reason, "merged": seen.link.merge is not None,
        "split": seen.link.split is not None, "exhibits": (seen.link.split or {}).get("exhibits", []),
    }  # fmt: skip


def _visible(user: User, reference: str) -> Case:
    found = Case.objects.visible_to(user).filter(reference=reference.strip().upper()).first()
    if found is None:
        raise ValidationError("There is no such case, or you may not see it.")
    return found


def _seen(user: User, case: Case, uuid: UUID) -> linking.Seen:
    found = next((one for one in linking.seen_by(case, user) if one.link.uuid == uuid), None)
    if found is None:
        raise Http404("No such link.")
    return found


@router.get("/cases/{reference}/links", response=list[LinkOut], summary="Linked cases that you may see")
def list_links(request: HttpRequest, reference: str) -> list[dict[str, Any]]:
    return [_out(one) for one in linking.seen_by(case_of(request, reference), person(request))]


@router.post("/cases/{reference}/links", response={201: LinkOut}, summary="Link a case")
def add_link(request: HttpRequest, reference: str, body: LinkIn) -> Status[dict[str, Any]]:
    case, actor = open_case_of(request, reference), person(request)
    other = _visible(actor, body.other)
    made = linking.link(case=case, actor=actor, other=other, kind=body.kind, reason=body.reason)
    return Status(201, _out(_seen(actor, case, made.uuid)))


@router.delete("/cases/{reference}/links/{uuid}", response={204: None}, summary="Remove a link")
def remove_link(request: HttpRequest, reference: str, uuid: UUID) -> Status[None]:
    case, actor = open_case_of(request, reference), person(request)
    linking.unlink(made=_seen(actor, case, uuid).link, actor=actor, case=case)
    return Status(204, None)


@router.get("/cases/{reference}/merge", response=PlanOut, summary="What a merge into another case would do")
def plan_merge(request: HttpRequest, reference: str, wanted: Query[MergeWanted]) -> casemerging.Plan:
    case, actor = case_of(request, reference, access.LEAD), person(request)
    return casemerging.plan(case, _visible(actor, wanted.into), actor)


@router.post("/cases/{reference}/merge", response={201: LinkOut}, summary="Merge into another case, and close")
def merge(request: HttpRequest, reference: str, body: MergeIn) -> Status[dict[str, Any]]:
    case, actor = open_case_of(request, reference, access.LEAD), person(request)
    made = casemerging.merge(case=case, into=_visible(actor, body.into), actor=actor, reason=body.reason)
    return Status(201, _out(_seen(actor, case, made.uuid)))


@router.post("/cases/{reference}/links/{uuid}/undo", response=UndoOut, summary="Take a merge apart again")
def undo_merge(request: HttpRequest, reference: str, uuid: UUID, body: UndoIn) -> dict[str, int]:
    case, actor = case_of(request, reference, access.LEAD), person(request)
    return casemerging.undo(made=_seen(actor, case, uuid).link, actor=actor, reason=body.reason)


@router.post("/cases/{reference}/split", response={201: CaseDetail}, summary="Split a new case off, with copies")
def split(request: HttpRequest, reference: str, body: SplitIn) -> Status[Case]:
    case, actor = open_case_of(request, reference, access.LEAD), person(request)
    kinds = ("events", "indicators", "assets", "evidence", "notes", "items")
    chosen = casesplitting.Chosen(**{name: tuple(getattr(body, name)) for name in kinds})
    made = casesplitting.split(
        case=case, actor=actor, chosen=chosen, title=body.title, reason=body.reason, severity=body.severity or "",
        confidential=body.confidential,
    )  # fmt: skip
    return Status(201, access.get_case(actor, made.case.reference))


@router.post("/cases/{reference}/like", response={201: CaseDetail}, summary="Open a case after the pattern of this one")
def open_like(request: HttpRequest, reference: str, body: LikeIn) -> Status[Case]:
    source, actor = case_of(request, reference), person(request)
    opening.require_opener(actor)
    made = templating.open_from(
        source=source, actor=actor, title=body.title, severity=body.severity or "", confidential=body.confidential
    )
    return Status(201, access.get_case(actor, made.reference))
