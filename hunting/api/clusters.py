"""What stands on the cluster, and what a source holds, over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from hunting.api.copies import CopyOut
from hunting.models import Source, SourceSchema, TablePush
from hunting.services import clustertables, pushes, schemas, sourcetables
from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router, Window, page_of

router = Router(tags=["Hunts"])
_CASE = "/cases/{reference}/hunts"


class ClusterTableOut(Schema):
    """`rows` and `exhibits` are the case's: null and 0 where it no longer has the table, of which a copy is left.
    `left`: something of it stands on the cluster, be it of a copy that failed."""

    name: str
    rows: int | None
    exhibits: int
    first: datetime | None
    last: datetime | None
    copy_there: CopyOut | None = Field(alias="copy")
    busy: CopyOut | None
    left: bool


class ClusterOut(Schema):
    """`cluster` and `database` are what a copy must name. `why_not` says what keeps tables from being copied."""

    cluster: str
    database: str
    why_not: str
    tables: list[ClusterTableOut]


class SourceTableOut(Schema):
    """`columns` as name and type."""

    name: str
    about: str
    columns: list[tuple[str, str]]


class ReadingOfSource(Schema):
    """What one place (a workspace, a database) said. `problem`: why the last reading failed."""

    place: str
    read_at: datetime | None
    asked_at: datetime
    problem: str
    tables: int

    @staticmethod
    def resolve_tables(schema: SourceSchema) -> int:
        return len(schema.tables)


class SourceTables(Schema):
    """`complete`: these are all there are; else they are Microsoft's, and the tenant may have more."""

    source: str
    complete: bool
    readable: bool = Field(description="Whether a worker can read them from the source.")
    readings: list[ReadingOfSource]
    items: list[SourceTableOut]
    total: int
    limit: int
    offset: int


class SourceTablesAsked(Window):
    q: str = Field("", max_length=200, description="Part of a name.")


@router.get(f"{_CASE}/cluster", response=ClusterOut, summary="The case's tables, and which stand on the cluster")
def get_cluster(request: HttpRequest, reference: str) -> dict[str, Any]:
    case = case_of(request, reference)
    connection = case.connection
    return {
        "cluster": connection.kusto_cluster if connection else "",
        "database": connection.kusto_push_database if connection else "",
        "why_not": pushes.why_not(case),
        "tables": clustertables.of(case),
    }


@router.post(f"{_CASE}/copies/{{uuid}}/cancel", response=CopyOut, summary="Stop a copy or a removal")
def cancel_copy(request: HttpRequest, reference: str, uuid: UUID) -> TablePush:
    """After the request that is under way; what has arrived stays there until its copy is removed."""
    case = open_case_of(request, reference, access.LEAD)
    rows = TablePush.objects.for_case(case).select_related("activity", "requested_by", "connection")
    found: TablePush = get_object_or_404(rows, uuid=uuid)
    found.case = found.activity.case = case
    pushes.cancel(push=found, actor=person(request))
    return get_object_or_404(rows, uuid=uuid)


@router.get(f"{_CASE}/sources/{{source}}/tables", response=SourceTables, summary="What a source holds")
def list_source_tables(
    request: HttpRequest, reference: str, source: Source, asked: Query[SourceTablesAsked]
) -> dict[str, Any]:
    case = case_of(request, reference)
    found = sourcetables.seen(case, source)
    return page_of(found.named(asked.q), asked) | {
        "source": source.value,
        "complete": found.complete,
        "readable": schemas.is_readable(source) and case.connection is not None,
        "readings": schemas.of(case.connection, source),
    }


@router.post(f"{_CASE}/sources/{{source}}/reading", response={202: list[ReadingOfSource]}, summary="Read it again")
def read_source(request: HttpRequest, reference: str, source: Source) -> Status[list[SourceSchema]]:
    """A worker asks the source for its tables; look again in a moment."""
    case = open_case_of(request, reference)
    schemas.refresh(case=case, actor=person(request), source=source)
    return Status(202, schemas.of(case.connection, source))
