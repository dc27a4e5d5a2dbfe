"""Reports: asked for, watched, fetched."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case, CaseRole, ReportBuild
from ircase.services import reports
from ircase.services.vault import delivery

router = Router(tags=["Reports"])
_BUILD = "/cases/{reference}/reports/{uuid}"


class ReportNew(Schema):
    """`notebooks` are those that the report prints; what is none of the case's is left out."""

    seal: bool = False
    notebooks: list[UUID] = Field(default_factory=list, max_length=20)
    comments: bool = Field(False, description="With the comments as an appendix.")


class ReportFile(Schema):
    format: str
    size: int
    sha256: str


class ReportOut(Schema):
    uuid: UUID
    state: str
    reason: str
    progress: dict[str, Any]
    seal: bool
    evidence: UUID | None
    requested_by: str
    queued_at: datetime
    finished_at: datetime | None
    files: list[ReportFile]

    @staticmethod
    def resolve_evidence(build: ReportBuild) -> UUID | None:
        return build.evidence.uuid if build.evidence else None

    @staticmethod
    def resolve_requested_by(build: ReportBuild) -> str:
        return build.requested_by.username


def _find(case: Case, uuid: UUID) -> ReportBuild:
    found = ReportBuild.objects.select_related("evidence", "requested_by", "case")
    return get_object_or_404(found, case=case, uuid=uuid)


@router.get("/cases/{reference}/reports", response=Page[ReportOut], summary="Reports of the case, newest first")
def list_reports(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    found = ReportBuild.objects.filter(case=case_of(request, reference))
    return page_of(found.select_related("evidence", "requested_by"), window)


@router.post("/cases/{reference}/reports", response={202: ReportOut}, summary="Build a report, in the background")
def request_report(request: HttpRequest, reference: str, body: ReportNew) -> Status[ReportBuild]:
    case = case_of(request, reference, CaseRole.ANALYST)
    books = [str(uuid) for uuid in body.notebooks]
    build = reports.request_report(
        case=case, actor=person(request), seal=body.seal, notebooks=books, comments=body.comments
    )
    return Status(202, _find(case, build.uuid))


@router.get(_BUILD, response=ReportOut, summary="How far it is")
def get_report(request: HttpRequest, reference: str, uuid: UUID) -> ReportBuild:
    return _find(case_of(request, reference), uuid)


@router.post(f"{_BUILD}/cancel", response=ReportOut, summary="Stop building it")
def cancel_report(request: HttpRequest, reference: str, uuid: UUID) -> ReportBuild:
    case = case_of(request, reference, CaseRole.ANALYST)
    reports.cancel(build=_find(case, uuid), actor=person(request))
    return _find(case, uuid)


@router.get(f"{_BUILD}/{{format}}", response={200: bytes}, summary="The file: pdf, markdown or json")
def download_report(request: HttpRequest, reference: str, uuid: UUID, format: str) -> StreamingHttpResponse:
    build = _find(case_of(request, reference), uuid)
    try:
        chunks, name, size = reports.open_file(build=build, kind=format, actor=person(request))
    except reports.ReportFileGone as error:
        raise delivery.FileGone(str(error)) from None
    return delivery.attachment(chunks, name=name, size=size)
