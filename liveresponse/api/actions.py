"""Response actions over HTTP, under /api/v1/cases/{reference}/actions, and the kill switch under /api/v1/freezes."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner.errors import problem
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Connection
from liveresponse.kinds import KINDS
from liveresponse.models import Freeze, ResponseAction
from liveresponse.services import actions, already, freezing
from liveresponse.services.wanted import MOST_TARGETS, Glass

router = Router(tags=["Response actions"])


class ActionKindOut(Schema):
    id: str
    title: str
    target: str
    does: str
    notices: str
    undo: str
    role: str


class BreakGlass(Schema):
    """Act without approval: why this cannot wait (20 characters at least), and the target's name once more."""

    reason: str
    name: str


class ActionIn(Schema):
    kind: str
    targets: list[str] = Field(max_length=MOST_TARGETS)
    reason: str
    parameters: dict[str, Any] = {}
    break_glass: BreakGlass | None = None
    anyway: bool = Field(False, description="Ask although it is so already, or the same waits.")


class AlreadyAsked(Schema):
    kind: str = Field("", max_length=32)
    target: list[str] = Field(default_factory=list, max_length=MOST_TARGETS)


class AlreadyOut(Schema):
    """`waits`: it is under way, and not yet so."""

    device: str
    text: str
    at: datetime
    waits: bool


class SaidOut(Schema):
    at: datetime
    what: str
    text: str


class ActionOut(Schema):
    uuid: UUID
    batch: UUID
    kind: str
    target: str
    machine_id: str
    parameters: dict[str, Any]
    reason: str
    requested_by: str
    requested_at: datetime
    approved_by: str
    break_glass: bool
    glass_reason: str
    reviewed_at: datetime | None
    review: str
    state: str
    status_text: str
    failure: str
    action_id: str
    effect: str
    effect_text: str
    effect_at: datetime | None
    looked_at: datetime | None
    deadline: datetime
    ended_at: datetime | None
    record: UUID | None

    @staticmethod
    def resolve_requested_by(row: ResponseAction) -> str:
        return row.requested_by.username

    @staticmethod
    def resolve_record(row: ResponseAction) -> UUID | None:
        return row.record.uuid if row.record else None


class ActionDetail(ActionOut):
    log: list[SaidOut]

    @staticmethod
    def resolve_log(row: ResponseAction) -> list[Any]:
        return list(row.log.all()[:500])


class ReviewIn(Schema):
    sentence: str


class FreezeIn(Schema):
    """`connection` is a connection's id; without it everything is frozen."""

    connection: int | None = None
    reason: str = ""


class ThawIn(Schema):
    reason: str


class FreezeOut(Schema):
    id: int
    what: str
    reason: str
    frozen_by: str
    frozen_at: datetime
    thaw_asked_by: str
    thawed_at: datetime | None

    @staticmethod
    def resolve_frozen_by(row: Freeze) -> str:
        return row.frozen_by.name

    @staticmethod
    def resolve_thaw_asked_by(row: Freeze) -> str:
        return row.thaw_asked_by.name if row.thaw_asked_by else ""


@router.get("/response-actions", response=list[ActionKindOut], summary="What each kind does, and how to undo it")
def list_kinds(request: HttpRequest) -> list[dict[str, Any]]:
    person(request)
    return [
        {"id": kind.id.value, "title": kind.title, "target": kind.target, "does": kind.does, "notices": kind.notices,
         "undo": kind.undo, "role": kind.role}
        for kind in KINDS.values()
    ]  # fmt: skip


@router.get(
    "/cases/{reference}/actions", response=Page[ActionOut], summary="The response actions of the case, newest first"
)
def list_actions(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    rows = ResponseAction.objects.for_case(case_of(request, reference)).select_related("requested_by", "record")
    return page_of(rows, window)


@router.get("/cases/{reference}/actions/already", response=list[AlreadyOut], summary="What of it is so already")
def list_already(request: HttpRequest, reference: str, asked: Query[AlreadyAsked]) -> list[already.Already]:
    """What was read before; Defender is not asked."""
    case, plan = case_of(request, reference), KINDS.get(asked.kind)
    if plan is None:
        raise ValidationError(f"There is no such kind. There are: {', '.join(KINDS)}.")
    return already.known(case, plan, asked.target)


@router.post("/cases/{reference}/actions", response={202: list[ActionOut]}, summary="Ask; a second person approves")
def request_action(request: HttpRequest, reference: str, payload: ActionIn) -> Any:
    """409 with `already` where it is so already, or the same waits in Defender, unless `anyway` says to ask."""
    glass, case = payload.break_glass, open_case_of(request, reference)
    plan = KINDS.get(payload.kind)
    if plan and not payload.anyway and (known := already.known(case, plan, payload.targets)):
        said = [AlreadyOut(**asdict(one)).dict() for one in known]
        detail = " ".join(f"{one.device}: {one.text}." for one in known[:5])
        return problem(request, 409, f"{detail} To ask all the same, send `anyway`.", already=said)
    rows = actions.request_actions(
        case=case,
        actor=person(request),
        kind=payload.kind,
        targets=payload.targets,
        parameters=payload.parameters,
        reason=payload.reason[:2000],
        glass=Glass(glass.reason, glass.name) if glass else None,
    )
    return Status(202, rows)


def _row(request: HttpRequest, reference: str, uuid: UUID, needs: Any = access.VIEWER) -> ResponseAction:
    rows = ResponseAction.objects.for_case(case_of(request, reference, needs))
    return get_object_or_404(rows.select_related("requested_by", "record", "activity", "case"), uuid=uuid)


@router.get(
    "/cases/{reference}/actions/{uuid}", response=ActionDetail, summary="One, with what was said to and by Defender"
)
def get_action(request: HttpRequest, reference: str, uuid: UUID) -> ResponseAction:
    return _row(request, reference, uuid)


@router.post("/cases/{reference}/actions/{uuid}/cancel", response={202: ActionOut}, summary="Cancel it")
def cancel_action(request: HttpRequest, reference: str, uuid: UUID) -> Status[ResponseAction]:
    actions.cancel(row=_row(request, reference, uuid, access.ANALYST), actor=person(request))
    return Status(202, _row(request, reference, uuid))


@router.post("/cases/{reference}/actions/{uuid}/review", response=ActionOut, summary="Review a break-glass act")
def review_action(request: HttpRequest, reference: str, uuid: UUID, payload: ReviewIn) -> ResponseAction:
    row = _row(request, reference, uuid, access.LEAD)
    actions.review(row=row, actor=person(request), sentence=payload.sentence)
    return _row(request, reference, uuid)


@router.get("/freezes", response=list[FreezeOut], summary="What the kill switch holds now")
def list_freezes(request: HttpRequest) -> list[Freeze]:
    person(request)
    return freezing.standing()


@router.post("/freezes", response={201: FreezeOut}, summary="Freeze every outgoing action, or those of a connection")
def freeze(request: HttpRequest, payload: FreezeIn) -> Status[Freeze]:
    user = person(request)
    connection = get_object_or_404(Connection, pk=payload.connection) if payload.connection is not None else None
    return Status(201, freezing.freeze(actor=user, connection=connection, reason=payload.reason[:1000]))


@router.post("/freezes/{pk}/thaw", response=FreezeOut, summary="Thaw: an administrator, or two leads")
def thaw(request: HttpRequest, pk: int, payload: ThawIn) -> Freeze:
    row = get_object_or_404(Freeze.objects.select_related("connection", "frozen_by", "thaw_asked_by"), pk=pk)
    freezing.thaw(frozen=row, actor=person(request), reason=payload.reason[:1000])
    row.refresh_from_db()
    return row
