"""Notes: markdown pages that no late save overwrites."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access, textmerge
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner.errors import problem
from ircase.api.matching import IF_MATCH, NOT_MATCHED, tagged, wanted_version
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Note, NoteRevision
from ircase.services.writing import notes

router = Router(tags=["Notes"])
_NOTE = "/cases/{reference}/notes/{uuid}"


class NoteOut(Schema):
    uuid: UUID
    title: str
    body: str
    version: int
    folder: str
    pinned: bool
    updated_at: datetime
    updated_by: str
    archived_at: datetime | None

    @staticmethod
    def resolve_updated_by(note: Note) -> str:
        return note.updated_by.username


class NoteNew(Schema):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=notes.MOST_CHARACTERS)
    folder: str = Field("", max_length=200, description="Names with slashes between; empty for the top.")


class NoteSave(Schema):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=notes.MOST_CHARACTERS)
    version: int | None = Field(
        None, description="The version it was written against, where If-Match does not say. 409 when it has moved on."
    )


class Place(Schema):
    folder: str | None = Field(None, max_length=200)
    pinned: bool | None = None


class RevisionOut(Schema):
    id: int = Field(alias="pk")
    version: int
    title: str
    body: str
    saved_at: datetime
    saved_by: str = Field(alias="author_name")
    rejected: bool = Field(description="It came too late, and is not the page.")
    settled_at: datetime | None


class Restoring(Schema):
    version: int | None = Field(None, description="The page's version, where If-Match does not say.")


class PieceOut(Schema):
    kind: str = Field(description="same, theirs, mine, both or conflict.")
    base: list[str]
    theirs: list[str]
    mine: list[str]


class MergeOut(Schema):
    """`text` is merged as far as it can be; conflicts stand between lines of <<<<<<< and >>>>>>>."""

    version: int = Field(description="Save the merged text against this one.")
    text: str
    conflicts: int
    pieces: list[PieceOut]


@router.get("/cases/{reference}/notes", response=Page[NoteOut], summary="The notes")
def list_notes(request: HttpRequest, reference: str, window: Query[Window], archived: bool = False) -> dict[str, Any]:
    rows = Note.objects.filter(case=case_of(request, reference)).select_related("updated_by")
    return page_of(rows.exclude(archived_at=None) if archived else rows.there(), window)


@router.post("/cases/{reference}/notes", response={201: NoteOut}, summary="A new note")
def create_note(request: HttpRequest, response: HttpResponse, reference: str, body: NoteNew) -> Status[Note]:
    case = open_case_of(request, reference)
    made = notes.create_note(case=case, actor=person(request), title=body.title, body=body.body, folder=body.folder)
    return Status(201, tagged(response, made))


def _find(request: HttpRequest, reference: str, uuid: UUID, *, writes: bool = False) -> Note:
    case = open_case_of(request, reference) if writes else case_of(request, reference)
    return get_object_or_404(Note.objects.select_related("updated_by"), case=case, uuid=uuid)


@router.get(_NOTE, response=NoteOut, summary="One note; its ETag names its version")
def get_note(request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID) -> Note:
    return tagged(response, _find(request, reference, uuid))


@router.put(_NOTE, response=NoteOut, summary="Save against a version", openapi_extra=IF_MATCH)
def save_note(request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID, body: NoteSave) -> Any:
    """Against `If-Match` (412 when the note has moved on) or `version` (409). A text that comes late is kept among the
    revisions; the answer names it."""
    note, actor = _find(request, reference, uuid, writes=True), person(request)
    version, by_header = wanted_version(request, body.version)
    try:
        saved = notes.save_note(note=note, actor=actor, title=body.title, body=body.body, version=version)
    except notes.NoteConflict as conflict:
        if not by_header:
            raise
        now = conflict.note
        kept = {"version": now.version, "body": now.body, "revision": conflict.revision.pk}
        return problem(request, 412, str(conflict), **kept)
    return tagged(response, saved)


@router.patch(_NOTE, response=NoteOut, summary="Its folder, and whether it is pinned")
def place_note(request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID, body: Place) -> Note:
    note = _find(request, reference, uuid, writes=True)
    placed = notes.place_note(note=note, actor=person(request), folder=body.folder, pinned=body.pinned)
    return tagged(response, placed)


@router.delete(_NOTE, response={204: None}, summary="Archive it: nothing is deleted")
def archive_note(request: HttpRequest, reference: str, uuid: UUID) -> Status[None]:
    case = open_case_of(request, reference, access.LEAD)
    notes.archive_note(note=get_object_or_404(Note, case=case, uuid=uuid), actor=person(request))
    return Status(204, None)


@router.post(f"{_NOTE}/restore", response=NoteOut, summary="Bring an archived note back")
def unarchive_note(request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID) -> Note:
    case = open_case_of(request, reference, access.LEAD)
    note = get_object_or_404(Note.objects.select_related("updated_by"), case=case, uuid=uuid)
    notes.unarchive_note(note=note, actor=person(request))
    note.refresh_from_db(fields=["archived_at", "archived_by"])
    return tagged(response, note)


@router.get(f"{_NOTE}/revisions", response=Page[RevisionOut], summary="Every text that it had, late ones included")
def list_revisions(request: HttpRequest, reference: str, uuid: UUID, window: Query[Window]) -> dict[str, Any]:
    note = _find(request, reference, uuid)
    return page_of(note.revisions.select_related("saved_by"), window)


def _revision(note: Note, pk: int) -> NoteRevision:
    found = get_object_or_404(NoteRevision.objects.select_related("saved_by"), note=note, pk=pk)
    found.note = note
    return found


@router.post(
    f"{_NOTE}/revisions/{{pk}}/restore", response=NoteOut, summary="Make a text the page", openapi_extra=IF_MATCH
)
def restore_revision(
    request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID, pk: int, body: Restoring
) -> Any:
    note = _find(request, reference, uuid, writes=True)
    version, by_header = wanted_version(request, body.version)
    if by_header and version != note.version:
        return problem(request, 412, NOT_MATCHED, version=note.version)
    return tagged(response, notes.restore(revision=_revision(note, pk), actor=person(request), version=version))


@router.get(f"{_NOTE}/revisions/{{pk}}/merge", response=MergeOut, summary="A late text merged with the page")
def merge_revision(request: HttpRequest, reference: str, uuid: UUID, pk: int) -> MergeOut:
    note = _find(request, reference, uuid)
    late = _revision(note, pk)
    pieces = notes.merge_of(late)
    return MergeOut(
        version=note.version,
        text=textmerge.text_of(pieces, {}, note.updated_by.name, late.author_name),
        conflicts=len(textmerge.conflicts_of(pieces)),
        pieces=[
            PieceOut(kind=one.kind, base=list(one.base), theirs=list(one.theirs), mine=list(one.mine)) for one in pieces
        ],
    )
