"""Collections over HTTP, under /api/v1/cases/{reference}/collections."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.models import StandingApproval
from ircase.services import approvals
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


class StandingIn(Schema):
    script: str = Field(max_length=255, description="Its name in the tenant's library.")
    reason: str = Field(min_length=1, max_length=2000)
    days: int = Field(ge=1, le=90)


class StandingOut(Schema):
    id: int = Field(alias="pk")
    script_name: str
    script_sha256: str
    reason: str
    granted_by: str
    expires_at: datetime

    @staticmethod
    def resolve_granted_by(row: StandingApproval) -> str:
        return row.granted_by.username


@router.get("/cases/{reference}/collections", response=list[CollectionOut], summary="The collections of the case")
def list_collections(request: HttpRequest, reference: str) -> Any:
    case = case_of(request, reference)
    return Collection.objects.for_case(case).select_related("output")[:500]


@router.post("/cases/{reference}/collections", response={202: CollectionOut}, summary="Collect from a device")
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


@router.get("/cases/{reference}/collections/{uuid}", response=CollectionDetail, summary="One, with what was said")
def get_collection(request: HttpRequest, reference: str, uuid: UUID) -> Collection:
    return get_object_or_404(Collection.objects.for_case(case_of(request, reference)), uuid=uuid)


@router.post("/cases/{reference}/collections/{uuid}/cancel", response={202: CollectionOut}, summary="Cancel it")
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


@router.get("/cases/{reference}/library-scripts", response=list[ScriptOut], summary="Scripts of the tenant's library")
def list_scripts(request: HttpRequest, reference: str) -> Any:
    case = case_of(request, reference)
    return LibraryScript.objects.filter(connection=case.connection)


@router.post("/cases/{reference}/collections/{uuid}/retry", response={202: CollectionOut}, summary="Once more, anew")
def retry_collection(request: HttpRequest, reference: str, uuid: UUID) -> Status[Collection]:
    case = case_of(request, reference, access.ANALYST)
    row = get_object_or_404(Collection.objects.for_case(case), uuid=uuid)
    return Status(202, collections.retry(collection=row, actor=person(request)))


@router.get("/cases/{reference}/standing-approvals", response=list[StandingOut], summary="Scripts approved in advance")
def list_standing(request: HttpRequest, reference: str) -> Any:
    case = case_of(request, reference)
    rows = StandingApproval.objects.filter(connection=case.connection, revoked_at=None)
    return rows.select_related("granted_by").order_by("pk")


@router.post(
    "/cases/{reference}/standing-approvals", response={201: StandingOut}, summary="Approve a script in advance"
)
def grant_standing(request: HttpRequest, reference: str, body: StandingIn) -> Status[StandingApproval]:
    """The script at the hash that the tenant's library has now; for 90 days at most."""
    case = case_of(request, reference, access.LEAD)
    script = get_object_or_404(
        LibraryScript.objects.select_related("connection"), name=body.script, connection=case.connection
    )
    made = approvals.grant_standing(
        case=case, actor=person(request), connection=script.connection, script_name=script.name,
        script_sha256=script.sha256, reason=body.reason, days=body.days,
    )  # fmt: skip
    return Status(201, made)


@router.delete("/cases/{reference}/standing-approvals/{pk}", response={204: None}, summary="Revoke one, at once")
def revoke_standing(request: HttpRequest, reference: str, pk: int) -> Status[None]:
    case = case_of(request, reference, access.LEAD)
    standing = get_object_or_404(StandingApproval, pk=pk, connection=case.connection)
    approvals.revoke_standing(case=case, actor=person(request), standing=standing)
    return Status(204, None)
