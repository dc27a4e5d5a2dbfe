"""Starred rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import CaseTable, Star
from ircase.models.stars import NOTE_LENGTH
from ircase.services.analysis import stars

router = Router(tags=["Starred rows"])
_STAR = "/cases/{reference}/stars/{uuid}"


class StarOut(Schema):
    """`row` is the row as it was (long cells cut), `row_sha256` the digest of all of it as canonical JSON: keys
    sorted, no spaces, UTF-8."""

    uuid: UUID
    evidence: UUID
    exhibit: str
    table: str = Field(alias="table_name")
    number: int
    row_sha256: str
    row: dict[str, Any]
    note: str
    provenance: dict[str, Any]
    starred_by: str
    starred_at: datetime
    noted_by: str
    noted_at: datetime | None

    @staticmethod
    def resolve_evidence(star: Star) -> UUID:
        return star.evidence.uuid

    @staticmethod
    def resolve_exhibit(star: Star) -> str:
        return star.evidence.exhibit

    @staticmethod
    def resolve_starred_by(star: Star) -> str:
        return star.starred_by.username

    @staticmethod
    def resolve_noted_by(star: Star) -> str:
        return star.noted_by.username if star.noted_by else ""


class StarNew(Schema):
    table: UUID = Field(description="A table of the case; a run's rows are one, too.")
    number: int = Field(ge=1, le=10**15, description="The row, from 1.")
    note: str = Field("", max_length=NOTE_LENGTH)


class NoteOfRow(Schema):
    note: str = Field("", max_length=NOTE_LENGTH)


def _find(case: Any, uuid: UUID) -> Star:
    rows = Star.objects.select_related("evidence", "starred_by", "noted_by")
    found: Star = get_object_or_404(rows, case=case, uuid=uuid)
    found.case = case
    return found


@router.get("/cases/{reference}/stars", response=Page[StarOut], summary="Starred rows of a case")
def list_stars(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    rows = Star.objects.filter(case=case_of(request, reference))
    return page_of(rows.select_related("evidence", "starred_by", "noted_by"), window)


@router.post("/cases/{reference}/stars", response={201: StarOut}, summary="Star a row; one that is keeps its note")
def add_star(request: HttpRequest, reference: str, body: StarNew) -> Status[Star]:
    case = open_case_of(request, reference)
    table = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=body.table)
    table.case = table.evidence.case = case
    actor = person(request)
    return Status(201, stars.star_rows(table=table, actor=actor, numbers=[body.number], note=body.note)[0])


@router.patch(_STAR, response=StarOut, summary="Change the note")
def annotate_star(request: HttpRequest, reference: str, uuid: UUID, body: NoteOfRow) -> Star:
    case = open_case_of(request, reference)
    return stars.annotate(star=_find(case, uuid), actor=person(request), note=body.note)


@router.delete(_STAR, response={204: None}, summary="Take the star off")
def remove_star(request: HttpRequest, reference: str, uuid: UUID) -> Status[None]:
    case = open_case_of(request, reference)
    stars.unstar(star=_find(case, uuid), actor=person(request))
    return Status(204, None)
