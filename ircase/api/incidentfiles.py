"""Files of incidents: handed in as CSV, mapped, and read by a worker."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.intake import csvfile
from ircase.models import IncidentFile, User
from ircase.services.incidents import incidentdoors, incidentfiles
from ircase.services.incidents.intake import require_inbox

router = Router(tags=["Sources of incidents"])


class FileNew(Schema):
    source: str = Field(min_length=1, max_length=100, description="Made where there is none of that name.")
    name: str = Field("incidents.csv", max_length=255)
    content: str = Field(max_length=csvfile.MOST_BYTES, description="The CSV as text.")


class IncidentFileOut(Schema):
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


def _analyst(request: HttpRequest) -> User:
    user = person(request)
    require_inbox(user)
    return user


def _file(uuid: UUID) -> IncidentFile:
    return get_object_or_404(IncidentFile.objects.select_related("source"), uuid=uuid)


@router.post("/incident-files", response={201: IncidentFileOut}, summary="Hand in a CSV of incidents")
def new_file(request: HttpRequest, body: FileNew) -> Status[IncidentFile]:
    user = _analyst(request)
    source = incidentdoors.csv_source(name=body.source, actor=user)
    content = body.content.encode("utf-8", "replace")
    return Status(201, incidentfiles.keep_file(actor=user, source=source, name=body.name, content=content))


@router.get("/incident-files/{uuid}", response=IncidentFileOut, summary="How far it is, and what could not be taken")
def get_file(request: HttpRequest, uuid: UUID) -> IncidentFile:
    _analyst(request)
    return _file(uuid)


@router.put("/incident-files/{uuid}/mapping", response=IncidentFileOut, summary="Say which column is which")
def map_file(request: HttpRequest, uuid: UUID, body: Mapping) -> IncidentFile:
    user = _analyst(request)
    incidentfiles.map_columns(file=_file(uuid), actor=user, mapping=body.mapping)
    return _file(uuid)


@router.post("/incident-files/{uuid}/reading", response={202: IncidentFileOut}, summary="Have a worker read it")
def read_file(request: HttpRequest, uuid: UUID) -> Status[IncidentFile]:
    user = _analyst(request)
    incidentfiles.ask(file=_file(uuid), actor=user)
    return Status(202, _file(uuid))
