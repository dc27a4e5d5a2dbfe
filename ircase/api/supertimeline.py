"""The super-timeline: events by filter and place, tags, and exports."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case, CaseTable, TimelineExport
from ircase.services import waking
from ircase.services.analysis import supertimeline, timelineasking, timelinefiles
from ircase.services.vault import delivery, previews
from ircase.supertimeline import reading
from ircase.supertimeline.model import MOST_PAGE, Place, TimelineError, TimelineEvent

router = Router(tags=["Super-timeline"])


class Wanted(Schema):
    """A filter; without any, everything. What is said several times of one kind is any of it."""

    source: list[str] = Field(default_factory=list, max_length=50, description="Names of tables.")
    device: list[str] = Field(default_factory=list, max_length=50)
    account: list[str] = Field(default_factory=list, max_length=50)
    technique: list[str] = Field(default_factory=list, max_length=50, description="Ids; sub-techniques come along.")
    q: str = Field("", max_length=2_000, description="All of these words; one in double quotes may hold blanks.")
    since: str = Field("", max_length=40, description="ISO 8601, inclusive.")
    until: str = Field("", max_length=40, description="ISO 8601, exclusive.")
    only: str = Field("", max_length=10, description=", ".join(supertimeline.ONLY))
    tag: str = Field("", max_length=40)


class TimelineWanted(Wanted):
    after: str = Field("", max_length=80, description="`next` of the page before.")
    limit: int = Field(100, ge=1, le=MOST_PAGE)


class TimelineEventOut(Schema):
    at: datetime
    timestamp_desc: str
    message: str
    device: str
    account: str
    techniques: list[str]
    tags: list[str]
    starred: bool
    table: UUID
    source: str
    row: int
    evidence: str
    evidence_sha256: str


class TimelineEvents(Schema):
    """Events in the order of time. `next` is empty on the last page; `total` counts all that pass."""

    items: list[TimelineEventOut]
    total: int
    next: str


class ExportAsked(Wanted):
    format: TimelineExport.Format = TimelineExport.Format.JSONL


class TimelineExportOut(Schema):
    uuid: UUID
    format: str = Field(alias="kind")
    state: str
    reason: str
    manifest: dict[str, Any]
    expires_at: datetime | None


class Built(Schema):
    detail: str


class Tags(Schema):
    tags: list[str] = Field(default_factory=list, max_length=20)


def query_of(wanted: Wanted) -> QueryDict:
    """The filter as the page's address has it."""
    values = wanted.dict(include=set(timelineasking.KEYS))
    return QueryDict(urlencode(values, doseq=True))


@router.get(
    "/cases/{reference}/super-timeline", response=TimelineEvents, summary="Events of all tables, in the order of time"
)
def list_timeline_events(request: HttpRequest, reference: str, wanted: Query[TimelineWanted]) -> dict[str, Any]:
    """Custody hears that the exhibits' rows were looked at, once an hour and person."""
    case = case_of(request, reference)
    here = supertimeline.shown(case)
    try:
        asked = timelineasking.asked_of(case, here, query_of(wanted), person(request))
        found = reading.page(here.view, asked, after=Place.read(wanted.after), limit=wanted.limit)
        total = reading.counts(here.view, asked).total
    except TimelineError as error:
        raise ValidationError(str(error)) from None
    exhibits = {here.tables[one.table].evidence_id: here.tables[one.table].evidence for one in found}
    previews.note_many(list(exhibits.values()), actor=person(request), what="super-timeline")
    marks = supertimeline.marks(here, found)
    full = len(found) == min(wanted.limit, MOST_PAGE)
    return {
        "items": [_event(here, one, marks) for one in found],
        "total": total,
        "next": str(found[-1].place) if found and full else "",
    }


def _event(here: supertimeline.Shown, one: TimelineEvent, marks: supertimeline.Marks) -> dict[str, Any]:
    table, key = here.tables[one.table], (one.table, one.row)
    return {
        "at": one.at,
        "timestamp_desc": one.what_time,
        "message": one.message,
        "device": one.device,
        "account": one.account,
        "techniques": list(one.techniques),
        "tags": marks.tags.get(key, []),
        "starred": key in marks.stars,
        "table": one.table,
        "source": table.name,
        "row": one.row,
        "evidence": table.evidence.exhibit,
        "evidence_sha256": table.evidence.sha256,
    }


@router.put(
    "/cases/{reference}/super-timeline/rows/{uuid}/{number}/tags", response=Tags, summary="Make these the row's tags"
)
def tag_row(request: HttpRequest, reference: str, uuid: UUID, number: int, body: Tags) -> dict[str, list[str]]:
    case = open_case_of(request, reference)
    table: CaseTable = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    table.case = table.evidence.case = case
    now = supertimeline.set_tags(table=table, actor=person(request), number=number, names=body.tags)
    return {"tags": now}


@router.post(
    "/cases/{reference}/super-timeline/exports",
    response={201: TimelineExportOut},
    summary="Have events written as Timesketch JSONL or CSV",
)
def ask_for_export(request: HttpRequest, reference: str, body: ExportAsked) -> Status[TimelineExport]:
    case = case_of(request, reference)
    asked = timelineasking.kept(query_of(body)).urlencode()
    export = supertimeline.request_export(case=case, actor=person(request), kind=body.format, asked=asked)
    return Status(201, export)


def _export(case: Case, uuid: UUID) -> TimelineExport:
    found: TimelineExport = get_object_or_404(TimelineExport, case=case, uuid=uuid)
    found.case = case
    return found


@router.get("/cases/{reference}/super-timeline/exports/{uuid}", response=TimelineExportOut, summary="How far it is")
def get_export(request: HttpRequest, reference: str, uuid: UUID) -> TimelineExport:
    return _export(case_of(request, reference), uuid)


@router.get("/cases/{reference}/super-timeline/exports/{uuid}/file", response={200: bytes}, summary="The events")
def get_export_file(request: HttpRequest, reference: str, uuid: UUID) -> StreamingHttpResponse:
    export = _export(case_of(request, reference), uuid)
    try:
        chunks = timelinefiles.hand_out(export, actor=person(request))
    except timelinefiles.ExportGone as error:
        raise ValidationError(str(error)) from None
    return delivery.attachment(chunks, name=timelinefiles.name_of(export), size=export.manifest["size"])


@router.get("/cases/{reference}/super-timeline/exports", response=Page[TimelineExportOut], summary="Exports of it")
def list_exports(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(TimelineExport.objects.filter(case=case_of(request, reference)), window)


@router.post("/cases/{reference}/super-timeline/build", response={202: Built}, summary="Look at the tables again")
def build_timeline(request: HttpRequest, reference: str) -> Status[dict[str, str]]:
    waking.rebuild(open_case_of(request, reference))
    return Status(202, {"detail": "A worker brings it up to the case's tables."})
