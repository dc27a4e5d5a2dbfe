"""The script library of a connection's tenant over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase import jobs
from ircase.api.auth import person
from ircase.api.paging import Router
from liveresponse import access
from liveresponse.models import LibraryChange, LibraryScript
from liveresponse.services import library

router = Router(tags=["Live Response"])
_FILES = "/connections/{pk}/library-files"


class LibraryFileOut(Schema):
    """A file that is in the library, or that a collection needs (`present` false). `shipped` compares it with what
    IRCase ships: same, differs, missing, or empty."""

    name: str
    present: bool
    sha256: str
    shipped: str
    description: str
    parameters: str
    needed_by: list[str]
    source: str
    source_commit: str
    seen_at: datetime | None


class ChangeOut(Schema):
    uuid: UUID
    name: str
    kind: str
    state: str
    before_sha256: str
    after_sha256: str
    size: int | None
    reason: str
    failure: str
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None

    @staticmethod
    def resolve_asked_by(row: LibraryChange) -> str:
        return row.asked_by.username if row.asked_by else ""


class Deletion(Schema):
    typed_name: str = Field(max_length=255, description="The file's name once more.")
    reason: str = Field("", max_length=500)


_BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class LibraryMessage(Schema):
    detail: str


@router.get(
    _FILES, response=list[LibraryFileOut], summary="The tenant's script library, and what collections need of it"
)
def list_files(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    connection = access.get_connection(person(request), pk)
    return [
        {
            "name": row.name, "present": row.script is not None, "shipped": row.shipped,
            "sha256": row.script.sha256 if row.script else "",
            "description": row.script.description if row.script else "",
            "parameters": row.script.parameters if row.script else "",
            "needed_by": [plan.id for plan in row.needed_by],
            "source": row.other.source if row.other else "", "source_commit": row.other.commit if row.other else "",
            "seen_at": row.script.seen_at if row.script else None,
        }
        for row in library.held(connection)
    ]  # fmt: skip


@router.get("/connections/{pk}/library-changes", response=list[ChangeOut], summary="What was done to the library")
def list_changes(request: HttpRequest, pk: int, name: str = "") -> list[LibraryChange]:
    """The last 500, newest first; those of one file where `name` says so."""
    connection = access.get_connection(person(request), pk)
    return list(library.history(connection, name[:255])[:500])


@router.post("/connections/{pk}/library-reading", response={202: LibraryMessage}, summary="Read the library again")
def read_library(request: HttpRequest, pk: int) -> Status[dict[str, str]]:
    connection = access.get_connection(person(request), pk)
    access.require_keep_library(person(request), connection)
    jobs.send("liveresponse.sync_library", connection.pk)
    return Status(202, {"detail": "A worker reads it now."})


@router.put(
    f"{_FILES}/{{name}}",
    response={202: ChangeOut},
    openapi_extra=_BYTES,
    summary="Upload a file, its bytes as the body",
)
def upload_file(
    request: HttpRequest,
    pk: int,
    name: str,
    description: str = "",
    parameters: str = "",
    replace: bool = False,
    reason: str = "",
) -> Status[LibraryChange]:
    """20 MB at most. A worker sends it to the tenant; the change tells how that went."""
    connection = access.get_connection(person(request), pk)
    access.require_keep_library(person(request), connection)
    change = library.upload(
        connection=connection,
        actor=person(request),
        name=name,
        content=request.read(library.UPLOAD_BYTES + 1),
        description=description,
        parameters=parameters,
        replace=replace,
        reason=reason,
    )
    return Status(202, change)


@router.post(f"{_FILES}/{{name}}/shipped", response={202: ChangeOut}, summary="Upload the script that IRCase ships")
def upload_shipped(request: HttpRequest, pk: int, name: str) -> Status[LibraryChange]:
    connection = access.get_connection(person(request), pk)
    return Status(202, library.upload_own(connection=connection, actor=person(request), name=name))


@router.post(
    f"{_FILES}/{{name}}/deletion", response={202: ChangeOut}, summary="Delete a file from the tenant's library"
)
def delete_file(request: HttpRequest, pk: int, name: str, body: Deletion) -> Status[LibraryChange]:
    connection = access.get_connection(person(request), pk)
    access.require_keep_library(person(request), connection)
    script = get_object_or_404(LibraryScript.objects.select_related("connection"), connection=connection, name=name)
    change = library.delete(script=script, actor=person(request), typed_name=body.typed_name, reason=body.reason)
    return Status(202, change)
