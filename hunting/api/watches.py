"""Watches over HTTP."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from hunting.models import MOST_HOURS, Watch, WatchTurn
from hunting.services import watching
from hunting.views.doors import run_of
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner import etags
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case

router = Router(tags=["Watches"])
_WATCH = "/cases/{reference}/hunts/watches/{uuid}"
etags.guard(_WATCH, lambda reference, uuid: Watch.objects.filter(case__reference=reference, uuid=uuid), acts=("act",))


class WatchNew(Schema):
    run: UUID = Field(description="A run that is done; its rows are what was seen.")
    every_hours: int = Field(24, ge=1, le=MOST_HOURS)
    key: list[str] | None = Field(
        None, max_length=1000, description="Columns that tell rows apart; [] for the whole row, null to let us choose."
    )
    until: AwareDatetime | None = Field(None, description="Null: until the case closes.")


class WatchEdit(Schema):
    every_hours: int = Field(ge=1, le=MOST_HOURS)
    until: AwareDatetime | None = None


class WatchAct(Schema):
    act: Literal["pause", "resume", "stop"]
    reason: str = Field("", max_length=500)


class WatchOut(Schema):
    uuid: UUID
    title: str
    run: UUID
    key: list[str]
    every_hours: int
    until: datetime | None
    state: str
    stop: str
    stopped_why: str
    next_at: datetime
    requested_by: str
    created_at: datetime
    turn_count: int
    new_total: int

    @staticmethod
    def resolve_run(watch: Watch) -> UUID:
        return watch.run.uuid

    @staticmethod
    def resolve_requested_by(watch: Watch) -> str:
        return watch.requested_by.username


class TurnOut(Schema):
    """One time that it asked. `new_rows` null: not compared yet, or, where `state` is failed, not known (`reason`)."""

    number: int
    state: str
    reason: str
    at: datetime = Field(alias="queued_at")
    run: UUID | None
    new_rows: int | None
    truncated: bool
    first: list[str]

    @staticmethod
    def resolve_run(turn: WatchTurn) -> UUID | None:
        return turn.run.uuid if turn.run else None


def _find(case: Case, uuid: UUID) -> Watch:
    found: Watch = get_object_or_404(Watch.objects.with_people(), case=case, uuid=uuid)
    found.case = found.run.case = case
    return found


@router.get("/cases/{reference}/hunts/watches", response=Page[WatchOut], summary="The watches of a case")
def list_watches(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Watch.objects.with_people().filter(case=case_of(request, reference)), window)


@router.post("/cases/{reference}/hunts/watches", response={201: WatchOut}, summary="Watch a run's question")
def add_watch(request: HttpRequest, reference: str, body: WatchNew) -> Status[Watch]:
    case = open_case_of(request, reference)
    run = run_of(case, body.run)
    more = body.dict(exclude={"run"})
    return Status(201, watching.watch_run(run=run, actor=person(request), **more))


@router.get(_WATCH, response=WatchOut, summary="One watch")
def get_watch(request: HttpRequest, reference: str, uuid: UUID) -> Watch:
    return _find(case_of(request, reference), uuid)


@router.put(_WATCH, response=WatchOut, summary="How often and how long")
def change_watch(request: HttpRequest, reference: str, uuid: UUID, body: WatchEdit) -> Watch:
    case = open_case_of(request, reference)
    watching.change(watch=_find(case, uuid), actor=person(request), **body.dict())
    return _find(case, uuid)


@router.post(f"{_WATCH}/act", response=WatchOut, summary="Pause, resume or stop")
def act_on_watch(request: HttpRequest, reference: str, uuid: UUID, body: WatchAct) -> Watch:
    case, actor = open_case_of(request, reference), person(request)
    found = _find(case, uuid)
    if body.act == "pause":
        watching.pause(watch=found, actor=actor)
    elif body.act == "resume":
        watching.resume(watch=found, actor=actor)
    else:
        watching.stop(watch=found, actor=actor, reason=body.reason)
    return _find(case, uuid)


@router.get(f"{_WATCH}/turns", response=Page[TurnOut], summary="The times it asked, latest first")
def list_turns(request: HttpRequest, reference: str, uuid: UUID, window: Query[Window]) -> dict[str, Any]:
    return page_of(_find(case_of(request, reference), uuid).turns.select_related("run"), window)
