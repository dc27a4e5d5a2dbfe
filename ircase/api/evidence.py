"""Evidence in and out, its custody, and the tables made from it."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access, grid
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import CustodyOut, EvidenceDetail, EvidenceOut, ImportOut, TableOut
from ircase.models import CaseRole, CaseTable, CustodyEntry, Evidence, ParseJob
from ircase.services import evidence
from ircase.services.analysis import rowsets, tables
from ircase.services.transfer import uploads
from ircase.services.vault import delivery, handling, previews

router = Router(tags=["Evidence"])
_ITEM = "/cases/{reference}/evidence/{uuid}"
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "description": {"type": "string"},
                        "read": {"type": "boolean", "description": "Read into tables."},
                    },
                }
            }
        },
    }
}


class Uploaded(Schema):
    """The exhibits, and a sentence for each file that could not be sealed."""

    sealed: list[EvidenceOut]
    problems: list[str]


class Password(Schema):
    """Of the zip that is asked for; empty: the usual one."""

    password: str = Field("", max_length=128)


class HandlingOut(Schema):
    """How an exhibit leaves: `packed` is only in an AES-256 zip, for the reasons `whys`; `mark` is a lead's."""

    packed: bool
    whys: list[str]
    form: str
    mark: str
    reason: str


class MarkIn(Schema):
    mark: str = Field("", max_length=10, description="malicious, safe, or empty to take the mark back.")
    reason: str = Field(max_length=500)


class Verified(Schema):
    exhibit: str
    integrity: str
    sha256: str


class RowWindow(Window):
    sort: str = Field("", max_length=200, description="A column; with a minus before it, descending.")
    column: list[str] = Field(default_factory=list, description="Conditions: column, operator and value in step.")
    operator: list[str] = Field(default_factory=list, description=", ".join(grid.OPERATORS))
    value: list[str] = Field(default_factory=list)
    only: str = Field("", max_length=20, description="A part of the table: starred, or new (to the watch that asked).")


class Rows(Schema):
    """Rows of a table. `matched` of `total` pass the conditions; `number` is a row's place in the file, from 1."""

    columns: list[list[str]]
    rows: list[dict[str, Any]]
    numbers: list[int]
    total: int
    matched: int
    limit: int
    offset: int


class ColumnAsked(Schema):
    name: str = Field("", max_length=200, description="The column.")
    column: list[str] = Field(default_factory=list, description="Conditions, as for the rows.")
    operator: list[str] = Field(default_factory=list)
    value: list[str] = Field(default_factory=list)


class TopOut(Schema):
    value: str | None = Field(alias="text")
    count: int


class ColumnFacts(Schema):
    """`nulls` of `rows` have no value, `empty` an empty text, `distinct` different values stand in the rest."""

    rows: int
    nulls: int
    empty: int
    distinct: int
    least: str | None
    most: str | None
    top: list[TopOut]
    unbound: int = Field(description="Numbers that are not finite.")


def _find(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> Evidence:
    case = case_of(request, reference, needs)
    item: Evidence = get_object_or_404(Evidence.objects.select_related("sealed_by", "case"), case=case, uuid=uuid)
    return item


@router.get("/cases/{reference}/evidence", response=Page[EvidenceOut], summary="The exhibits")
def list_evidence(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    case = case_of(request, reference)
    return page_of(Evidence.objects.filter(case=case).select_related("sealed_by"), window)


@router.post("/cases/{reference}/evidence", response={201: Uploaded}, openapi_extra=_UPLOAD, summary="Upload and seal")
def upload(request: HttpRequest, reference: str) -> Status[uploads.Outcome]:
    """Files of the field `file`, as multipart/form-data. No byte is read before the access check."""
    case = open_case_of(request, reference)
    files = uploads.receive(request, case)
    outcome = uploads.seal_all(
        case=case,
        actor=person(request),
        files=files,
        description=request.POST.get("description", "")[:2000],
        read=request.POST.get("read", "true").lower() not in ("false", "0", "no"),
    )
    if not outcome.sealed:
        raise evidence.StoreError(" ".join(outcome.problems))
    return Status(201, outcome)


@router.get(_ITEM, response=EvidenceDetail, summary="One exhibit with its manifest")
def get_evidence(request: HttpRequest, reference: str, uuid: UUID) -> Evidence:
    return _find(request, reference, uuid)


@router.get(f"{_ITEM}/custody", response=Page[CustodyOut], summary="Every touch, as a chain")
def list_custody(request: HttpRequest, reference: str, uuid: UUID, window: Query[Window]) -> dict[str, Any]:
    item = _find(request, reference, uuid)
    return page_of(CustodyEntry.objects.filter(evidence=item).order_by("sequence"), window)


@router.get(f"{_ITEM}/download", response={200: bytes}, summary="The bytes, or a zip of what could do harm")
def download(request: HttpRequest, reference: str, uuid: UUID) -> StreamingHttpResponse:
    """A zip says so in the header `X-IRCase-Packed: aes-256-zip`; its password is `infected`."""
    return delivery.response(_find(request, reference, uuid), actor=person(request), by="api")


@router.post(f"{_ITEM}/download", response={200: bytes}, summary="The bytes in a zip under a password")
def download_packed(request: HttpRequest, reference: str, uuid: UUID, body: Password) -> StreamingHttpResponse:
    """AES-256, whatever the exhibit is."""
    item = _find(request, reference, uuid)
    return delivery.response(item, actor=person(request), by="api", password=body.password)


@router.get(f"{_ITEM}/handling", response=HandlingOut, summary="How it may leave")
def get_handling(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    return _handling_of(_find(request, reference, uuid))


@router.post(f"{_ITEM}/handling", response=HandlingOut, summary="Mark it, as a lead")
def mark_handling(request: HttpRequest, reference: str, uuid: UUID, body: MarkIn) -> dict[str, Any]:
    case = open_case_of(request, reference, access.LEAD)
    item = get_object_or_404(Evidence.objects.select_related("case"), case=case, uuid=uuid)
    handling.mark(item=item, actor=person(request), mark=body.mark, reason=body.reason)
    return _handling_of(item)


def _handling_of(item: Evidence) -> dict[str, Any]:
    rule = handling.rule_of(item)
    return {
        "packed": rule.packed,
        "whys": [why.text for why in rule.open_whys],
        "form": rule.handling.form,
        "mark": rule.handling.mark,
        "reason": rule.handling.reason,
    }


@router.post(f"{_ITEM}/verify", response=Verified, summary="Hash the file again")
def verify(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, str]:
    item = _find(request, reference, uuid, access.ANALYST)
    state = evidence.verify(item, actor=person(request))
    return {"exhibit": item.exhibit, "integrity": state.value, "sha256": item.sha256}


@router.post(f"{_ITEM}/read", response={202: ImportOut}, summary="Read into tables, in the background")
def read(request: HttpRequest, reference: str, uuid: UUID) -> Status[ParseJob]:
    case = open_case_of(request, reference)
    item = get_object_or_404(Evidence.objects.select_related("case"), case=case, uuid=uuid)
    if item.kind == Evidence.Kind.REPORT:
        raise ValidationError("A report holds no rows to read.")
    job = tables.queue_parse(evidence=item, actor=person(request))
    return Status(202, ParseJob.objects.select_related("evidence").get(pk=job.pk))


@router.get(f"{_ITEM}/import", response=ImportOut, summary="How far the reading is")
def get_import(request: HttpRequest, reference: str, uuid: UUID) -> ParseJob:
    item = _find(request, reference, uuid)
    return get_object_or_404(ParseJob.objects.select_related("evidence"), evidence=item)


@router.get("/cases/{reference}/tables", response=list[TableOut], summary="Tables made from evidence")
def list_tables(request: HttpRequest, reference: str) -> list[CaseTable]:
    return list(CaseTable.objects.filter(case=case_of(request, reference)).select_related("evidence"))


@router.get("/cases/{reference}/tables/{uuid}/rows", response=Rows, summary="Rows of a table, sorted and filtered")
def list_rows(request: HttpRequest, reference: str, uuid: UUID, window: Query[RowWindow]) -> dict[str, Any]:
    case = case_of(request, reference)
    table = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    previews.note(table.evidence, actor=person(request), what=f"table {table.name}")
    columns = tables.columns_of(table)
    page = grid.page(
        table.path,
        columns,
        offset=window.offset,
        limit=window.limit,
        sort=window.sort,
        filters=[*rowsets.conditions(table, window.only), *filters_of(window.column, window.operator, window.value)],
    )
    return rows_of(page)


@router.get("/cases/{reference}/tables/{uuid}/statistics", response=ColumnFacts, summary="What a column holds")
def column_statistics(request: HttpRequest, reference: str, uuid: UUID, asked: Query[ColumnAsked]) -> grid.Statistics:
    case = case_of(request, reference)
    table = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    previews.note(table.evidence, actor=person(request), what=f"table {table.name}")
    filters = filters_of(asked.column, asked.operator, asked.value)
    return grid.statistics(table.path, tables.columns_of(table), asked.name, filters=filters)


def rows_of(page: grid.GridPage) -> dict[str, Any]:
    """A page of the grid as `Rows`."""
    names = [column.name for column in page.columns]
    return {
        "columns": [[column.name, column.type] for column in page.columns],
        "rows": [dict(zip(names, row.cells, strict=True)) for row in page.rows],
        "numbers": [row.number for row in page.rows],
        "total": page.total,
        "matched": page.matched,
        "limit": page.limit,
        "offset": page.offset,
    }


def filters_of(columns: list[str], operators: list[str], values: list[str]) -> list[grid.Filter]:
    """Conditions that came in step. Raises GridError where they did not."""
    if not len(columns) == len(operators) == len(values):
        raise grid.GridError("A condition needs a column, an operator and a value.")
    return [
        grid.Filter(name, value, operator)  # type: ignore[arg-type]  # the grid refuses what it does not know
        for name, operator, value in zip(columns, operators, values, strict=True)
    ]


@router.post(f"{_ITEM}/import/cancel", response=ImportOut, summary="Stop reading it; the evidence stays as it is")
def cancel_import(request: HttpRequest, reference: str, uuid: UUID) -> ParseJob:
    item = _find(request, reference, uuid, access.ANALYST)
    rows = ParseJob.objects.select_related("evidence__case", "activity")
    job: ParseJob = get_object_or_404(rows, evidence=item)
    tables.cancel_parse(job=job, actor=person(request))
    return rows.get(pk=job.pk)
