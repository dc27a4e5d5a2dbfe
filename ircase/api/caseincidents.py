"""The incidents of a case, and what is kept the same with Defender."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.models import (
    Case,
    CaseIncident,
    IncidentComment,
    SyncConflict,
)
from ircase.services.incidents import incidentsync, merging

router = Router(tags=["Incidents of a case"])


class IncidentLinkOut(Schema):
    uuid: UUID
    number: str
    title: str
    origin: str
    via: str
    url: str
    added_at: datetime
    added_by: str
    evidence: UUID | None
    rows: int
    removed_at: datetime | None
    removed_reason: str

    @staticmethod
    def resolve_added_by(link: CaseIncident) -> str:
        return link.added_by.username

    @staticmethod
    def resolve_evidence(link: CaseIncident) -> UUID | None:
        return link.evidence.uuid if link.evidence else None

    @staticmethod
    def resolve_rows(link: CaseIncident) -> int:
        return len(link.brought)


class StayedOut(Schema):
    row: str
    why: str


class UnmergedOut(Schema):
    left: int
    stayed: list[StayedOut]


class IncidentWhy(Schema):
    reason: str = Field(min_length=1, max_length=2000)


class IncidentCommentNew(Schema):
    text: str = Field(min_length=1, max_length=incidentsync.LONGEST_COMMENT)


class IncidentCommentOut(Schema):
    uuid: UUID
    author: str
    text: str
    from_defender: bool
    written_at: datetime
    state: str
    reason: str


class Assignment(Schema):
    to: str = Field(max_length=255, description="A sign-in name as Defender knows it; empty for nobody.")


class ConflictOut(Schema):
    uuid: UUID
    incident: str
    field: str
    base: Any
    ours: Any
    theirs: Any
    found_at: datetime

    @staticmethod
    def resolve_incident(conflict: SyncConflict) -> str:
        return conflict.link.number


class Choice(Schema):
    choice: Literal["ours", "theirs"]


class Telling(Schema):
    allowed: bool


def _links(case: Case) -> Any:
    found = CaseIncident.objects.filter(case=case).select_related("case", "incoming", "added_by", "evidence")
    return found.defer("incoming__raw", "evidence__manifest")


def _link(case: Case, uuid: UUID) -> CaseIncident:
    found: CaseIncident = get_object_or_404(_links(case), uuid=uuid)
    return found


@router.get(
    "/cases/{reference}/incidents", response=list[IncidentLinkOut], summary="Those it holds, and those taken out"
)
def list_links(request: HttpRequest, reference: str) -> Any:
    return _links(case_of(request, reference))


@router.post(
    "/cases/{reference}/incidents/{uuid}/version", response=IncidentLinkOut, summary="Take over what is new in it"
)
def take_version(request: HttpRequest, reference: str, uuid: UUID) -> CaseIncident:
    case = open_case_of(request, reference)
    link = _link(case, uuid)
    if link.incoming is None:
        return link
    return merging.merge(case=case, incident=link.incoming, actor=person(request))


@router.post("/cases/{reference}/incidents/{uuid}/unmerge", response=UnmergedOut, summary="Take it out of the case")
def unmerge(request: HttpRequest, reference: str, uuid: UUID, body: IncidentWhy) -> dict[str, Any]:
    case = open_case_of(request, reference)
    taken = merging.unmerge(link=_link(case, uuid), actor=person(request), reason=body.reason)
    return {"left": taken.left, "stayed": [{"row": str(one.row), "why": one.why} for one in taken.stayed]}


@router.get(
    "/cases/{reference}/incidents/{uuid}/comments", response=list[IncidentCommentOut], summary="Both sides' comments"
)
def list_comments(request: HttpRequest, reference: str, uuid: UUID) -> Any:
    return _link(case_of(request, reference), uuid).comments.all()[:1000]


@router.post(
    "/cases/{reference}/incidents/{uuid}/comments", response=IncidentCommentOut, summary="Write one in Defender"
)
def add_comment(request: HttpRequest, reference: str, uuid: UUID, body: IncidentCommentNew) -> IncidentComment:
    link = _link(case_of(request, reference, access.ANALYST), uuid)
    return incidentsync.comment(link=link, actor=person(request), text=body.text)


@router.put("/cases/{reference}/incidents/{uuid}/assignment", response=IncidentLinkOut, summary="Assign it in Defender")
def assign(request: HttpRequest, reference: str, uuid: UUID, body: Assignment) -> CaseIncident:
    link = _link(case_of(request, reference, access.ANALYST), uuid)
    incidentsync.assign(link=link, actor=person(request), to=body.to)
    return link


@router.get("/cases/{reference}/conflicts", response=list[ConflictOut], summary="Values that both sides changed")
def list_conflicts(request: HttpRequest, reference: str) -> Any:
    return SyncConflict.objects.filter(link__case=case_of(request, reference), choice="").select_related("link")


@router.post("/cases/{reference}/conflicts/{uuid}", response=ConflictOut, summary="Choose ours or theirs")
def choose(request: HttpRequest, reference: str, uuid: UUID, body: Choice) -> SyncConflict:
    case = case_of(request, reference, access.ANALYST)
    conflict = get_object_or_404(SyncConflict.objects.filter(link__case=case), uuid=uuid)
    return incidentsync.choose(conflict=conflict, actor=person(request), choice=body.choice)


@router.put("/cases/{reference}/telling", response=Telling, summary="Whether a confidential case is told to Defender")
def set_telling(request: HttpRequest, reference: str, body: Telling) -> Any:
    case = case_of(request, reference, access.LEAD)
    return incidentsync.allow(case=case, actor=person(request), allowed=body.allowed)
