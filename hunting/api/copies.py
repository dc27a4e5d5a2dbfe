"""Copies of a case's tables on the cluster, over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from hunting.models import TablePush
from hunting.services import pushes
from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of

router = Router(tags=["Hunts"])
_CASE = "/cases/{reference}/hunts"


class CopyNew(Schema):
    """`cluster` and `database` must be those of the case's connection: whoever asks says where the data goes."""

    table: str = Field(min_length=1, max_length=128)
    cluster: str = Field(max_length=300)
    database: str = Field(max_length=260)
    remove: bool = False


class CopyOut(Schema):
    uuid: UUID
    act: str
    table: str = Field(alias="name")
    cluster: str
    database: str
    target: str
    state: str
    reason: str
    outcome: str
    progress: dict[str, Any]
    attempt: int
    row_count: int
    sent: int
    duplicates: int
    requested_by: str
    queued_at: datetime
    finished_at: datetime | None
    removed_at: datetime | None

    @staticmethod
    def resolve_requested_by(push: TablePush) -> str:
        return push.requested_by.username

    @staticmethod
    def resolve_outcome(push: TablePush) -> str:
        return push.activity.outcome


@router.get(f"{_CASE}/copies", response=Page[CopyOut], summary="Copies of tables on the cluster, latest first")
def list_copies(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    case = case_of(request, reference)
    return page_of(TablePush.objects.for_case(case).select_related("activity", "requested_by"), window)


@router.post(f"{_CASE}/copies", response={202: CopyOut}, summary="Copy a table to the cluster, or remove its copy")
def queue_copy(request: HttpRequest, reference: str, body: CopyNew) -> Status[TablePush]:
    case = open_case_of(request, reference, access.LEAD)
    act = pushes.request_removal if body.remove else pushes.request_push
    given = {"name": body.table, "cluster": body.cluster, "database": body.database}
    return Status(202, act(case=case, actor=person(request), **given))


@router.get(f"{_CASE}/copies/{{uuid}}", response=CopyOut, summary="One copy or removal")
def get_copy(request: HttpRequest, reference: str, uuid: UUID) -> TablePush:
    rows = TablePush.objects.for_case(case_of(request, reference)).select_related("activity", "requested_by")
    found: TablePush = get_object_or_404(rows, uuid=uuid)
    return found
