"""Sources of incidents beside the tenants, and what a tenant and its cases keep the same, as administrators set it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.models import Connection, IncidentSource, IncidentSync, SyncField, User
from ircase.services.incidents import incidentdoors, incidentsync

router = Router(tags=["Sources of incidents"])


class SourceOut(Schema):
    id: int
    uuid: UUID = Field(description="Deliveries are posted to /hooks/incidents/<uuid>/.")
    kind: str
    name: str
    enabled: bool
    connection: int | None = Field(alias="connection_id")
    mapping: dict[str, Any]
    taken_at: datetime | None
    problem: str


class SourceMade(SourceOut):
    secret: str = Field(description="Told this once.")


class SourceBody(Schema):
    name: str = Field(min_length=1, max_length=100)
    enabled: bool = True
    connection: int | None = None
    mapping: dict[str, Any]


class SecretOut(Schema):
    secret: str


class SyncSettings(Schema):
    enabled: bool
    fields: list[Literal["status", "assigned_to", "classification", "determination", "severity", "tags"]]
    comments: bool


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


def _filled(source: IncidentSource, body: SourceBody) -> IncidentSource:
    source.connection = get_object_or_404(Connection, pk=body.connection) if body.connection else None
    source.name, source.enabled, source.mapping = body.name, body.enabled, body.mapping
    return source


@router.get("/incident-sources", response=list[SourceOut], summary="The sources beside the tenants")
def list_sources(request: HttpRequest) -> Any:
    _administrator(request)
    return IncidentSource.objects.all()


@router.post("/incident-sources", response={201: SourceMade}, summary="A new system that posts incidents")
def make_source(request: HttpRequest, body: SourceBody) -> Status[IncidentSource]:
    user = _administrator(request)
    made = _filled(IncidentSource(kind=IncidentSource.Kind.WEBHOOK), body)
    source: Any = incidentdoors.save_source(source=made, actor=user)
    source.secret = incidentdoors.new_secret(source=source, actor=user)
    return Status(201, source)


@router.put("/incident-sources/{pk}", response=SourceOut, summary="Change a source")
def change_source(request: HttpRequest, pk: int, body: SourceBody) -> IncidentSource:
    user = _administrator(request)
    return incidentdoors.save_source(source=_filled(get_object_or_404(IncidentSource, pk=pk), body), actor=user)


@router.post("/incident-sources/{pk}/secret", response=SecretOut, summary="A new secret; the one before ends")
def renew_secret(request: HttpRequest, pk: int) -> dict[str, str]:
    user = _administrator(request)
    source = get_object_or_404(IncidentSource, pk=pk, kind=IncidentSource.Kind.WEBHOOK)
    return {"secret": incidentdoors.new_secret(source=source, actor=user)}


def _connection(request: HttpRequest, pk: int) -> Connection:
    access.require_administrator(person(request))
    return get_object_or_404(Connection, pk=pk)


@router.get("/connections/{pk}/incident-sync", response=SyncSettings, summary="What a connection keeps the same")
def get_sync(request: HttpRequest, pk: int) -> Any:
    found = _connection(request, pk)
    return IncidentSync.objects.filter(connection=found).first() or IncidentSync(connection=found)


@router.put("/connections/{pk}/incident-sync", response=SyncSettings, summary="Set what it keeps the same")
def set_sync(request: HttpRequest, pk: int, body: SyncSettings) -> Any:
    found, fields = _connection(request, pk), [SyncField(field) for field in body.fields]
    return incidentsync.set_sync(
        connection=found, actor=person(request), enabled=body.enabled, fields=fields, comments=body.comments
    )
