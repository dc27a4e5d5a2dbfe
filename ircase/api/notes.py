"""Notes: markdown pages that no late save overwrites."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Window, page_of
from ircase.models import Note
from ircase.services import cases

router = Router(tags=["Notes"])
_NOTE = "/cases/{reference}/notes/{uuid}"


class NoteOut(Schema):
    uuid: UUID
    title: str
    body: str
    version: int
    updated_at: datetime
    updated_by: str

    @staticmethod
    def resolve_updated_by(note: Note) -> str:
        return note.updated_by.username


class NoteNew(Schema):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=200_000)


class NoteSave(NoteNew):
    version: int = Field(description="The version it was written against. 409 when the note has moved on.")


@router.get("/cases/{reference}/notes", response=Page[NoteOut], summary="The notes")
def list_notes(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Note.objects.filter(case=case_of(request, reference)).select_related("updated_by"), window)


@router.post("/cases/{reference}/notes", response={201: NoteOut}, summary="A new note")
def create_note(request: HttpRequest, reference: str, body: NoteNew) -> Status[Note]:
    case = open_case_of(request, reference)
    return Status(201, cases.create_note(case=case, actor=person(request), title=body.title, body=body.body))


@router.get(_NOTE, response=NoteOut, summary="One note")
def get_note(request: HttpRequest, reference: str, uuid: UUID) -> Note:
    return get_object_or_404(Note.objects.select_related("updated_by"), case=case_of(request, reference), uuid=uuid)


@router.put(_NOTE, response=NoteOut, summary="Save against a version")
def save_note(request: HttpRequest, reference: str, uuid: UUID, body: NoteSave) -> Note:
    note = get_object_or_404(
        Note.objects.select_related("updated_by"), case=open_case_of(request, reference), uuid=uuid
    )
    return cases.save_note(note=note, actor=person(request), title=body.title, body=body.body, version=body.version)
