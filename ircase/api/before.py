"""What a case was before it was imported."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Schema
from pydantic import Field

from ircase.api.auth import case_of
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import RecordBefore

router = Router(tags=["Exports and imports"])


class RecordOut(Schema):
    """One row of the export as it came. With a `reason` it was to become part of the case and could not. `key` is how
    rows of this case name it: an activity of before import has it as its subject."""

    area: str
    sequence: int
    key: UUID | None
    reason: str
    record: dict[str, Any] = Field(alias="entry")


class RecordsWanted(Window):
    area: str = Field("", max_length=40, description="Only the records of this file of the export.")
    aside: bool = Field(False, description="Only what could not be taken over.")


@router.get("/cases/{reference}/before", response=Page[RecordOut], summary="What the case was before it was imported")
def list_records(request: HttpRequest, reference: str, wanted: Query[RecordsWanted]) -> dict[str, Any]:
    rows = RecordBefore.objects.filter(case=case_of(request, reference))
    if wanted.area:
        rows = rows.filter(area=wanted.area)
    return page_of(rows.exclude(reason="") if wanted.aside else rows, wanted)
