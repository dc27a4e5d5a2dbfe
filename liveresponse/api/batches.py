"""Collections on many devices, and Defender's log of the case's devices, over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case
from liveresponse.api.collections import CollectionOut
from liveresponse.models import Batch
from liveresponse.services import batches, board, machine_actions

router = Router(tags=["Live Response"])


class BatchIn(Schema):
    """Devices come from one of: `devices`, `tag`, `table` (with `column` where it is not the usual one), or, with none
    of them, the case's device assets."""

    definition: str
    devices: list[str] = Field([], max_length=1000)
    tag: str = ""
    table: UUID | None = None
    column: str = ""
    parameters: dict[str, Any] = {}
    reason: str = ""
    start: bool = Field(True, description="Ask as soon as the devices are known; else by /start.")


class BatchDeviceOut(Schema):
    """A device as it was looked up: `verdict` is in, unknown, not_onboarded, platform, twice or left_out."""

    asked: str
    name: str
    id: str
    platform: str
    verdict: str
    why: str


class CollectionBatchOut(Schema):
    uuid: UUID
    definition: str
    title: str
    state: str
    problem: str
    origin: str
    parameters: dict[str, Any]
    files: list[dict[str, str]]
    approved_by: str
    requested_at: datetime
    deadline: datetime


class BatchDetail(CollectionBatchOut):
    devices: list[BatchDeviceOut]
    counts: dict[str, int]
    total: int
    ended: int
    over: bool
    eta_seconds: float | None
    eta_how: str


class DeviceActionOut(Schema):
    action_id: str
    type: str
    status: str
    device: str
    machine_id: str
    requestor: str
    comment: str
    source: str
    ours: bool
    created_at: datetime
    updated_at: datetime | None
    cancelled_by: str
    failure: str


def _source(payload: BatchIn) -> dict[str, Any]:
    if payload.devices:
        return {"origin": Batch.Origin.NAMES, "names": payload.devices}
    if payload.tag:
        return {"origin": Batch.Origin.TAG, "tag": payload.tag}
    if payload.table:
        return {"origin": Batch.Origin.TABLE, "table": str(payload.table), "column": payload.column}
    return {"origin": Batch.Origin.ASSETS}


def _detail(batch: Batch) -> dict[str, Any]:
    counts, eta = board.counts_of(batch), board.eta_of(batch)
    return {name: getattr(batch, name) for name in (*CollectionBatchOut.model_fields, "devices")} | {
        "counts": {name: number for name, _, number in counts.by_state},
        "total": counts.total,
        "ended": counts.ended,
        "over": board.is_over(batch, counts),
        "eta_seconds": eta.left.total_seconds() if eta else None,
        "eta_how": eta.how if eta else "",
    }


def _batch(case: Case, uuid: UUID) -> Batch:
    return get_object_or_404(Batch.objects.filter(case=case).select_related("case", "connection"), uuid=uuid)


@router.get(
    "/cases/{reference}/collection-batches",
    response=Page[CollectionBatchOut],
    summary="The batches of the case, newest first",
)
def list_batches(request: HttpRequest, reference: str, window: Query[Window]) -> Any:
    return page_of(board.batches_of(case_of(request, reference)), window)


@router.post(
    "/cases/{reference}/collection-batches", response={202: CollectionBatchOut}, summary="Collect from many devices"
)
def request_batch(request: HttpRequest, reference: str, payload: BatchIn) -> Status[Batch]:
    case = open_case_of(request, reference)
    batch = batches.request_batch(
        case=case,
        actor=person(request),
        definition=payload.definition,
        parameters=payload.parameters,
        reason=payload.reason,
        starts_itself=payload.start,
        **_source(payload),
    )
    return Status(202, batch)


@router.get(
    "/cases/{reference}/collection-batches/{uuid}",
    response=BatchDetail,
    summary="One batch: how many stand where, and until when",
)
def get_batch(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    return _detail(_batch(case_of(request, reference), uuid))


@router.get(
    "/cases/{reference}/collection-batches/{uuid}/collections",
    response=Page[CollectionOut],
    summary="The devices of a batch",
)
def list_rows(request: HttpRequest, reference: str, uuid: UUID, window: Query[Window], state: str = "") -> Any:
    return page_of(board.rows_of(_batch(case_of(request, reference), uuid), state), window)


@router.post(
    "/cases/{reference}/collection-batches/{uuid}/start", response={202: CollectionBatchOut}, summary="Let it begin"
)
def start_batch(request: HttpRequest, reference: str, uuid: UUID) -> Status[Batch]:
    batch = _batch(open_case_of(request, reference), uuid)
    return Status(202, batches.start(batch=batch, actor=person(request)))


@router.post(
    "/cases/{reference}/collection-batches/{uuid}/cancel",
    response={202: CollectionBatchOut},
    summary="Stop what has not ended",
)
def cancel_batch(request: HttpRequest, reference: str, uuid: UUID) -> Status[Batch]:
    batch = _batch(case_of(request, reference, access.ANALYST), uuid)
    batches.cancel(batch=batch, actor=person(request))
    batch.refresh_from_db()
    return Status(202, batch)


@router.post(
    "/cases/{reference}/collection-batches/{uuid}/retry",
    response={202: CollectionBatchOut},
    summary="Once more where it failed",
)
def retry_batch(request: HttpRequest, reference: str, uuid: UUID) -> Status[Batch]:
    batch = _batch(open_case_of(request, reference), uuid)
    return Status(202, batches.retry(batch=batch, actor=person(request)))


@router.get(
    "/cases/{reference}/machine-actions",
    response=Page[DeviceActionOut],
    summary="Defender's log about the case's devices",
)
def list_machine_actions(request: HttpRequest, reference: str, window: Query[Window], device: str = "") -> Any:
    """What Defender did on the case's devices, newest first; `ours` where IRCase began it."""
    case = case_of(request, reference)
    return page_of(machine_actions.of_device(case, device) if device else machine_actions.of_case(case), window)
