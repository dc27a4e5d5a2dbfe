"""Rows of a table as a file."""

from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema
from pydantic import Field

from ircase import grid
from ircase.api.auth import case_of, person
from ircase.api.evidence import filters_of
from ircase.api.paging import Router
from ircase.models import CaseTable
from ircase.services.analysis import rowsets
from ircase.services.transfer import exports
from ircase.services.vault import delivery

router = Router(tags=["Evidence"])


class ExportWanted(Schema):
    format: str = Field("csv", max_length=10, description=", ".join(exports.FORMATS))
    sort: str = Field("", max_length=200, description="A column; with a minus before it, descending.")
    column: list[str] = Field(default_factory=list, description="Conditions: column, operator and value in step.")
    operator: list[str] = Field(default_factory=list, description=", ".join(grid.OPERATORS))
    value: list[str] = Field(default_factory=list)
    only: str = Field("", max_length=20, description="A part of the table: starred, or new (to the watch that asked).")
    columns: list[str] = Field(default_factory=list, max_length=1000, description="These alone; all without any.")


@router.get(
    "/cases/{reference}/tables/{uuid}/export",
    response={200: bytes},
    summary="The rows that pass, as CSV, XLSX, NDJSON or Parquet; a run's rows are a table, too",
)
def export_table(
    request: HttpRequest, reference: str, uuid: UUID, wanted: Query[ExportWanted]
) -> StreamingHttpResponse:
    """Custody hears of it before the first byte. What cannot be made whole is refused with what to do."""
    case = case_of(request, reference)
    table = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    table.case = table.evidence.case = case
    filters = [
        *rowsets.conditions(table, wanted.only),
        *filters_of(wanted.column, wanted.operator, wanted.value),
    ]
    asked = exports.Wanted(wanted.sort, filters, tuple(wanted.columns) or None)
    made = exports.export(table, wanted.format, actor=person(request), wanted=asked)
    return delivery.attachment(made.chunks, name=made.name)
