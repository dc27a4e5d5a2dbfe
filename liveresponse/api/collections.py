"""Collections over HTTP, under /api/v1/cases/{reference}/collections."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from liveresponse.models import Collection, LibraryScript
from liveresponse.services import collections, going_on

router = Router(tags=["Live Response"])


class CollectionIn(Schema):
    definition: str
    device: str
    parameters: dict[str, Any] = {}
    reason: str = ""


class CommandOut(Schema):
    at: datetime
    step: int
    what: str
    text: str


class CollectionOut(Schema):
    uuid: UUID
    definition: str
    version: int
    device: str
    machine_id: str
    parameters: dict[str, Any]
    state: str
    status_text: str
    failure: str
    step: int
    action_id: str
    script_name: str
    script_sha256: str
    files: list[dict[str, str]]
    approved_by: str
    requested_at: datetime
    deadline: datetime
    ended_at: datetime | None
    output: UUID | None

    @staticmethod
    def resolve_output(row: Collection) -> UUID | None:
        return row.output.uuid if row.output else None


class CollectionDetail(CollectionOut):
    evidence: list[UUID]
    log: list[CommandOut]

    @staticmethod
    def resolve_evidence(row: Collection) -> list[UUID]:
        return list(row.evidence.values_list("uuid", flat=True))

    @staticmethod
    def resolve_log(row: Collection) -> list[Any]:
        return list(row.commands.all()[:500])


class ScriptOut(Schema):
    name: str
    sha256: str
    description: str
    parameters: str
    seen_at: datetime


@router.get("/cases/{reference}/collections", response=list[CollectionOut])
def list_collections(request: HttpRequest, reference: str) -> Any:
    case = case_of(request, reference)
    return Collection.objects.for_case(case).select_related("output")[:500]


@router.post("/cases/{reference}/collections", response={202: CollectionOut})
def request_collection(request: HttpRequest, reference: str, payload: CollectionIn) -> Status[Collection]:
    case = open_case_of(request, reference)
    row = collections.request_collection(
        case=case,
        actor=person(request),
        definition=payload.definition,
        device=payload.device,
        parameters=payload.parameters,
        reason=payload.reason,
    )
    return Status(202, row)


@router.get("/cases/{reference}/collections/{uuid}", response=CollectionDetail)
def get_collection(request: HttpRequest, reference: str, uuid: UUID) -> Collection:
    return get_object_or_404(Collection.objects.for_case(case_of(request, reference)), uuid=uuid)


@router.post("/cases/{reference}/collections/{uuid}/cancel", response={202: CollectionOut})
def cancel_collection(request: HttpRequest, reference: str, uuid: UUID) -> Status[Collection]:
    case = case_of(request, reference, access.ANALYST)
    row = get_object_or_404(Collection.objects.for_case(case), uuid=uuid)
    collections.cancel(collection=row, actor=person(request))
    row.refresh_from_db()
    return Status(202, row)


@router.post(
    "/cases/{reference}/collections/{uuid}/go-on",
    response={202: CollectionOut},
    summary="Follow to its end what failed while Defender had it; nothing is run a second time",
)
def go_on_with_collection(request: HttpRequest, reference: str, uuid: UUID) -> Status[Collection]:
    case = open_case_of(request, reference)
    row = get_object_or_404(Collection.objects.for_case(case), uuid=uuid)
    return Status(202, going_on.go_on(collection=row, actor=person(request)))


@router.get("/cases/{reference}/library-scripts", response=list[ScriptOut])
def list_scripts(request: HttpRequest, reference: str) -> Any:
    case = case_of(request, reference)
    return LibraryScript.objects.filter(connection=case.connection)
