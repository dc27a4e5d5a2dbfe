"""What is other in a report than in the one of its kind before it."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema
from pydantic import Field

from ircase import textdiff
from ircase.api.auth import case_of
from ircase.api.paging import Router
from ircase.models import ReportBuild
from ircase.services import reports

router = Router(tags=["Reports"])
CONTEXT: Final = 2
"""Equal lines that are shown around each change."""


class DiffPart(Schema):
    """`marked`: the other side has something else there."""

    text: str
    marked: bool


class DiffLine(Schema):
    """`kind`: same, changed, removed, added, or skipped, which stands for so many equal lines. A number is null where
    that side has no line."""

    kind: str
    left_number: int | None
    left: list[DiffPart]
    right_number: int | None
    right: list[DiffPart]
    skipped: int


class ReportChanges(Schema):
    """`before` is the report that it is compared with; null where it is the first of its kind. `readable` is false
    where a text of the two is not there any more."""

    before: UUID | None
    before_label: str
    label: str
    readable: bool
    changed: bool = Field(description="Whether any line differs.")
    lines: list[DiffLine]


@router.get(
    "/cases/{reference}/reports/{uuid}/changes",
    response=ReportChanges,
    summary="What is other than in the report of its kind before it",
)
def get_changes(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    case = case_of(request, reference)
    found: ReportBuild = get_object_or_404(ReportBuild.objects.select_related("final_of"), case=case, uuid=uuid)
    said = reports.changes(found, context=CONTEXT)
    return {
        "before": said.before.uuid if said.before else None,
        "before_label": said.before.label if said.before else "",
        "label": found.label,
        "readable": said.readable,
        "changed": textdiff.changed(said.lines),
        "lines": said.lines,
    }
