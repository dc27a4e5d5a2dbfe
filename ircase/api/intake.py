"""Incidents that wait: found, opened as a case, merged into one, dismissed."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access, jobs
from ircase.api.auth import open_case_of, person
from ircase.api.cases import require_playbook
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import CaseDetail
from ircase.intake import queue, similar
from ircase.models import Case, Connection, IncomingIncident, Tlp, User
from ircase.services.incidents import intake, merging

router = Router(tags=["Incidents"])
_MOST = 200


class IncidentOut(Schema):
    id: int
    incident_id: str
    connection: str = Field(description="The tenant's connection or the source, by name.", alias="origin")
    title: str
    severity: str
    status: str
    alert_count: int
    entity_count: int
    devices: list[str]
    accounts: list[str]
    url: str
    created_at: datetime | None
    updated_at: datetime | None
    dismissed_at: datetime | None
    redirect_id: str
    returned: str


class SharedOut(Schema):
    kind: str
    value: str
    cases: int


class SimilarOut(Schema):
    case: str
    percent: int = Field(description="Of what the incident names, weighed by rarity over the cases that you see.")
    probable: bool
    shared: list[SharedOut]

    @staticmethod
    def resolve_case(found: similar.Similar) -> str:
        return found.case.reference


class IncidentDetail(IncidentOut):
    cases: list[str]
    entities: list[tuple[str, str]]
    similar: list[SimilarOut]
    alike: list[int] = Field(description="Other waiting incidents that share most of it.")


class IncidentFilter(Window):
    q: str = Field("", max_length=200)
    show: Literal["waiting", "case", "dismissed", "ended", "all"] = "waiting"
    severity: str = Field("", max_length=32)
    status: str = Field("", max_length=32)
    origin: str = Field("", max_length=20, description="c<connection> or s<source>.")
    age: Literal["", "day", "week", "month"] = ""
    sort: str = Field("", max_length=20, description="severity, age, updated, alerts, entities; with - downwards.")


class Accept(Schema):
    playbook: str = Field("", description="Empty: the one that fits what the alerts are about.")
    title: str = Field("", max_length=200)
    tlp: Tlp = Tlp.AMBER
    confidential: bool = False


class Merge(Schema):
    case: str = Field(max_length=40, description="The reference of an open case that you may write in.")


class Why(Schema):
    reason: str = Field(min_length=1, max_length=2000)


class DismissMany(Why):
    incidents: list[int] = Field(max_length=_MOST)


class Number(Schema):
    number: int


def _analyst(request: HttpRequest) -> User:
    user = person(request)
    intake.require_inbox(user)
    return user


def _find(pk: int) -> IncomingIncident:
    found = IncomingIncident.objects.select_related("connection", "source__connection")
    return get_object_or_404(found, pk=pk)


@router.get("/incidents", response=Page[IncidentOut], summary="Incidents, the worst that wait first")
def list_incidents(request: HttpRequest, filters: Query[IncidentFilter]) -> dict[str, Any]:
    wanted = queue.Filters(filters.q, filters.show, filters.severity, filters.status, filters.origin, filters.age)
    return page_of(queue.find(_analyst(request), wanted, filters.sort), filters)


@router.post("/incidents/sync", response={202: Number}, summary="Read every connection's incidents now")
def read_now(request: HttpRequest) -> Status[dict[str, int]]:
    _analyst(request)
    ids = list(Connection.objects.filter(enabled=True).values_list("pk", flat=True))
    for pk in ids:
        jobs.enqueue("ircase.sync_incidents", pk)
    return Status(202, {"number": len(ids)})


@router.post("/incidents/dismissal", response=Number, summary="Dismiss several with one reason")
def dismiss_many(request: HttpRequest, body: DismissMany) -> dict[str, int]:
    user = _analyst(request)
    rows = IncomingIncident.objects.filter(pk__in=body.incidents).defer("raw")
    return {"number": intake.dismiss_many(incidents=rows, actor=user, reason=body.reason)}


@router.get("/incidents/{pk}", response=IncidentDetail, summary="One, with what it shares with cases")
def get_incident(request: HttpRequest, pk: int) -> dict[str, Any]:
    user = _analyst(request)
    found = _find(pk)
    cases = list(intake.cases_of(user, found))
    keys = similar.keys_of(found)
    return {
        **{name: getattr(found, name) for name in IncidentOut.model_fields if name not in ("connection",)},
        "origin": found.origin,
        "cases": [case.reference for case in cases],
        "entities": keys,
        "similar": similar.similar_cases(user, keys, leave_out=[case.pk for case in cases]),
        "alike": [one.incident.pk for one in similar.alike_incidents(found, keys)],
    }


@router.post(
    "/incidents/{pk}/accept",
    response={200: CaseDetail, 201: CaseDetail},
    summary="Open a case of it; 200 where you can see one",
)
def accept(request: HttpRequest, pk: int, body: Accept) -> Status[Case]:
    user = _analyst(request)
    require_playbook(body.playbook)
    incident = _find(pk)
    values = body.dict()
    values["playbook"] = body.playbook or intake.suggest_playbook(incident)
    case, new = intake.accept(incident=incident, actor=user, **values)
    return Status(201 if new else 200, case)


@router.post("/incidents/{pk}/merge", response=CaseDetail, summary="Merge it into a case, or its newer version")
def merge(request: HttpRequest, pk: int, body: Merge) -> Case:
    user = _analyst(request)
    incident = _find(pk)
    case = open_case_of(request, body.case, access.ANALYST)
    merging.merge(case=case, incident=incident, actor=user)
    return case


@router.post("/incidents/{pk}/dismissal", response=IncidentOut, summary="It needs no case, for this reason")
def dismiss(request: HttpRequest, pk: int, body: Why) -> IncomingIncident:
    user = _analyst(request)
    return intake.dismiss(incident=_find(pk), actor=user, reason=body.reason)


@router.delete("/incidents/{pk}/dismissal", response=IncidentOut, summary="Take the dismissal back")
def take_back(request: HttpRequest, pk: int) -> IncomingIncident:
    user = _analyst(request)
    return intake.take_back(incident=_find(pk), actor=user)
