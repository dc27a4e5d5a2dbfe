"""Incidents of the tenants, and the cases made of them."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from ircase.api.auth import person
from ircase.api.cases import require_playbook
from ircase.api.paging import Page, Window, page_of
from ircase.api.schemas import CaseDetail
from ircase.models import Case, IncomingIncident, Tlp
from ircase.models.intake import IncomingIncidentQuerySet
from ircase.services import intake

router = Router(tags=["Incidents"])


class IncidentOut(Schema):
    id: int
    incident_id: str
    connection: str
    title: str
    severity: str
    status: str
    alert_count: int
    devices: list[str]
    accounts: list[str]
    url: str
    created_at: datetime | None
    updated_at: datetime | None
    dismissed_at: datetime | None

    @staticmethod
    def resolve_connection(incident: IncomingIncident) -> str:
        return incident.connection.name


class Accept(Schema):
    playbook: str = Field("", description="Empty: the one that fits what the alerts are about.")
    title: str = Field("", max_length=200)
    tlp: Tlp = Tlp.AMBER
    confidential: bool = False


@router.get("/incidents", response=Page[IncidentOut], summary="Incidents that wait, newest first")
def list_incidents(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    intake.require_inbox(person(request))
    waiting = IncomingIncidentQuerySet(IncomingIncident).waiting().without_raw()
    return page_of(waiting.select_related("connection"), window)


@router.post(
    "/incidents/{pk}/accept",
    response={200: CaseDetail, 201: CaseDetail},
    summary="Open a case of it; 200 where you can see one",
)
def accept(request: HttpRequest, pk: int, body: Accept) -> Status[Case]:
    user = person(request)
    intake.require_inbox(user)
    require_playbook(body.playbook)
    incident = get_object_or_404(IncomingIncident.objects.select_related("connection"), pk=pk)
    values = body.dict()
    values["playbook"] = body.playbook or intake.suggest_playbook(incident)
    case, new = intake.accept(incident=incident, actor=user, **values)
    return Status(201 if new else 200, case)
