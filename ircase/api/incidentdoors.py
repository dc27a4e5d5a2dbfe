"""Sources of incidents, and files of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import person
from ircase.intake import csvfile
from ircase.models import Connection, IncidentFile, IncidentSource, User
from ircase.services import incidentdoors, incidentfiles
from ircase.services.intake import require_inbox

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


class FileNew(Schema):
    source: str = Field(min_length=1, max_length=100, description="Made where there is none of that name.")
    name: str = Field("incidents.csv", max_length=255)
    content: str = Field(max_length=csvfile.MOST_BYTES, description="The CSV as text.")


class FileOut(Schema):
    uuid: UUID
    source: str
    name: str
    sha256: str
    state: str
    asked_at: datetime | None
    taken: int
    same: int
    reason: str
    problems: list[dict[str, Any]]
    mapping: dict[str, Any]

    @staticmethod
    def resolve_source(file: IncidentFile) -> str:
        return file.source.name

    @staticmethod
    def resolve_mapping(file: IncidentFile) -> dict[str, Any]:
        return dict(file.source.mapping)


class Mapping(Schema):
    mapping: dict[str, Any]


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


def _analyst(request: HttpRequest) -> User:
    user = person(request)
    require_inbox(user)
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


def _file(uuid: UUID) -> IncidentFile:
    return get_object_or_404(IncidentFile.objects.select_related("source"), uuid=uuid)


@router.post("/incident-files", response={201: FileOut}, summary="Hand in a CSV of incidents")
def new_file(request: HttpRequest, body: FileNew) -> Status[IncidentFile]:
    user = _analyst(request)
    source = incidentdoors.csv_source(name=body.source, actor=user)
    content = body.content.encode("utf-8", "replace")
    return Status(201, incidentfiles.keep_file(actor=user, source=source, name=body.name, content=content))


@router.get("/incident-files/{uuid}", response=FileOut, summary="How far it is, and what could not be taken")
def get_file(request: HttpRequest, uuid: UUID) -> IncidentFile:
    _analyst(request)
    return _file(uuid)


@router.put("/incident-files/{uuid}/mapping", response=FileOut, summary="Say which column is which")
def map_file(request: HttpRequest, uuid: UUID, body: Mapping) -> IncidentFile:
    user = _analyst(request)
    incidentfiles.map_columns(file=_file(uuid), actor=user, mapping=body.mapping)
    return _file(uuid)


@router.post("/incident-files/{uuid}/reading", response={202: FileOut}, summary="Have a worker read it")
def read_file(request: HttpRequest, uuid: UUID) -> Status[IncidentFile]:
    user = _analyst(request)
    incidentfiles.ask(file=_file(uuid), actor=user)
    return Status(202, _file(uuid))
