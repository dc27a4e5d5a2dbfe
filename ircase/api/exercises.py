"""Exercises: scenarios, begun, steered, ended, and their debrief."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.exercises.debrief import as_json, debrief_of
from ircase.exercises.scenarios import scenarios
from ircase.models import Case, Connection, Exercise, User
from ircase.readiness import rights
from ircase.services.casework import opening
from ircase.services.exercises import playing

router = Router(tags=["Exercises"])


class ScenarioOut(Schema):
    id: str
    version: int
    title: str
    summary: str
    minutes: int
    needs_tenant: bool


class ExerciseOut(Schema):
    uuid: UUID
    case: str
    scenario: str
    title: str
    by_clock: bool
    started_at: datetime
    ended_at: datetime | None

    @staticmethod
    def resolve_case(row: Exercise) -> str:
        return row.case.reference


class ExerciseBeginIn(Schema):
    scenario: str = Field(max_length=64)
    connection: int | None = None
    players: list[str] = Field(default_factory=list, max_length=50, description="Usernames.")
    by_clock: bool = False


class ExerciseSteerIn(Schema):
    """`release` and `judge` name the `key` of an inject or of what is expected; `met` null takes a judgement back."""

    act: Literal["release", "clock", "hand", "judge", "debrief", "end"]
    key: str = Field("", max_length=64)
    met: bool | None = None
    note: str = Field("", max_length=300)
    went_well: str = Field("", max_length=20_000)
    to_improve: str = Field("", max_length=20_000)


@router.get("/scenarios", response=list[ScenarioOut], summary="What can be played")
def list_scenarios(request: HttpRequest) -> list[dict[str, Any]]:
    rights.require_reader(person(request))
    return [dict(one.content) | {"needs_tenant": one.needs_tenant} for one in scenarios().values()]


@router.get("/exercises", response=Page[ExerciseOut], summary="Exercises of the cases you may see")
def list_exercises(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    rights.require_reader(person(request))
    return page_of(playing.seen_by(person(request)), window)


@router.post("/exercises", response={201: ExerciseOut}, summary="Begin one, on a case of its own")
def begin_exercise(request: HttpRequest, body: ExerciseBeginIn) -> Status[Exercise]:
    user = person(request)
    opening.require_opener(user)
    connection = get_object_or_404(Connection, pk=body.connection) if body.connection else None
    players = [get_object_or_404(User, username=name, is_active=True) for name in body.players]
    made = playing.begin(
        actor=user, scenario=body.scenario, connection=connection, players=players, by_clock=body.by_clock
    )  # fmt: skip
    return Status(201, made)


def _of(case: Case) -> Exercise:
    found = Exercise.objects.filter(case=case).select_related("case", "started_by").first()
    if found is None:
        raise Http404("No scenario is played on this case.")
    return found


@router.get("/cases/{reference}/exercise", response=ExerciseOut, summary="What is played on a case")
def get_exercise(request: HttpRequest, reference: str) -> Exercise:
    return _of(case_of(request, reference))


@router.get("/cases/{reference}/exercise/debrief", response=dict[str, Any], summary="How it went")
def get_debrief(request: HttpRequest, reference: str) -> dict[str, Any]:
    case = case_of(request, reference)
    found = _of(case)
    if found.is_running and not access.may(case, access.LEAD):
        raise PermissionDenied("The debrief is there when the exercise has ended.")
    return as_json(debrief_of(found))


@router.post("/cases/{reference}/exercise/steering", response=ExerciseOut, summary="Release, judge, end")
def steer_exercise(request: HttpRequest, reference: str, body: ExerciseSteerIn) -> Exercise:
    found, actor = _of(open_case_of(request, reference, access.LEAD)), person(request)
    if body.act == "release":
        playing.release(exercise=found, key=body.key, actor=actor)
    elif body.act in ("clock", "hand"):
        playing.set_clock(exercise=found, actor=actor, on=body.act == "clock")
    elif body.act == "judge":
        playing.judge(exercise=found, actor=actor, key=body.key, met=body.met, note=body.note)
    elif body.act == "debrief":
        playing.debrief(exercise=found, actor=actor, went_well=body.went_well, to_improve=body.to_improve)
    else:
        playing.end(exercise=found, actor=actor)
    return _of(found.case)
