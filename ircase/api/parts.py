"""Files that come in parts: begun with their size, fed at an offset, sealed by a worker once they are whole."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Header, Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from ircase import access, incoming
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner.errors import problem
from ircase.api.manner.parsing import MOST
from ircase.api.paging import Router
from ircase.models import Case, Upload, User
from ircase.services.evidence import StoreError
from ircase.services.transfer import resumable

router = Router(tags=["Evidence"])
_UPLOADS: Final = "/cases/{reference}/uploads"
_UPLOAD: Final = f"{_UPLOADS}/{{uuid}}"
PART_TYPES: Final = ("application/offset+octet-stream", "application/octet-stream")
PART: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PART_TYPES},
    }
}
"""What a part's body is, for the description."""
WHOLE: Final = "It is whole already and is being sealed: sealed evidence is not deleted."
At = Annotated[
    int | None,
    Header(None, alias="Upload-Offset", ge=0, le=MOST, description="Where the part begins. It must be sent."),
]
Sum = Annotated[
    str,
    Header(
        "",
        alias="Upload-Checksum",
        max_length=200,
        description="`sha256` or `sha1`, a space, and the digest in base64: then the part counts only if it fits.",
    ),
]


class UploadNew(Schema):
    """What is known of a file before its first byte. `size` in bytes."""

    name: str = Field(min_length=1, max_length=255)
    size: int = Field(ge=0, le=MOST)
    media_type: str = Field("", max_length=100)
    description: str = Field("", max_length=2000)
    read: bool = Field(True, description="Read into tables once it is sealed.")
    fingerprint: str = Field("", max_length=128, description="A mark of yours by which you know the file again.")


class UploadOut(Schema):
    """`offset` of `size` bytes are here; the next part begins there. Once sealed, `evidence` is what it became."""

    uuid: UUID
    name: str
    size: int
    offset: int
    state: str
    reason: str
    fingerprint: str
    expires_at: datetime
    evidence: UUID | None
    exhibit: str

    @staticmethod
    def resolve_offset(upload: Upload) -> int:
        return resumable.arrived(upload)

    @staticmethod
    def resolve_evidence(upload: Upload) -> UUID | None:
        return upload.evidence.uuid if upload.evidence else None

    @staticmethod
    def resolve_exhibit(upload: Upload) -> str:
        return upload.evidence.exhibit if upload.evidence else ""


def take_part(request: HttpRequest, upload: Upload, at: int | None, checksum: str) -> None:
    """Append the request's body. Raises HttpError, and what `resumable.receive` does but OSError."""
    if request.content_type not in PART_TYPES:
        raise ValidationError(f"A part is sent as {PART_TYPES[0]}.")
    length = request.META.get("CONTENT_LENGTH") or ""
    if at is None or not (length.isascii() and length.isdigit() and len(length) < 19):
        raise ValidationError("A part says where it begins, by Upload-Offset, and its length, by Content-Length.")
    said = resumable.Checksum.parse(checksum) if checksum else None
    try:
        resumable.receive(upload=upload, at=at, body=request, length=int(length), checksum=said)
    except OSError as error:
        raise StoreError(f"The server could not keep the bytes: {error.strerror}. Free space, then go on.") from error


def discard(upload: Upload, actor: User) -> None:
    """Give it up. Raises HttpError 409 where it is whole."""
    if not resumable.discard(upload=upload, actor=actor):
        raise HttpError(409, WHOLE)


def wrong_offset(request: HttpRequest, error: incoming.WrongOffset) -> HttpResponse:
    """The answer to a part that does not begin where the upload ends."""
    return _stands_at(problem(request, 409, str(error), offset=error.actual), error.actual)


def cut_short(request: HttpRequest, error: resumable.PartCutShort) -> HttpResponse:
    """The answer to a part whose end did not arrive."""
    return _stands_at(problem(request, 400, str(error), offset=error.offset), error.offset)


def _stands_at(response: HttpResponse, offset: int) -> HttpResponse:
    response["Upload-Offset"] = str(offset)
    return response


def _mine(request: HttpRequest, case: Case, uuid: UUID) -> Upload:
    """A colleague's upload is as one that is not there."""
    rows = Upload.objects.select_related("evidence").filter(case=case, owner_user=person(request))
    found: Upload = get_object_or_404(rows, uuid=uuid)
    found.case = case
    return found


def _mine_to_change(request: HttpRequest, case: Case, uuid: UUID) -> Upload:
    found = _mine(request, case, uuid)
    access.require(case, access.ANALYST)
    if not case.is_open:
        raise PermissionDenied("The case is closed. A lead can open it again.")
    return found


@router.get(_UPLOADS, response=list[UploadOut], summary="Your uploads to the case that are under way")
def list_uploads(request: HttpRequest, reference: str) -> list[Upload]:
    return resumable.unfinished(case_of(request, reference), person(request))


@router.post(_UPLOADS, response={201: UploadOut}, summary="Begin an upload in parts")
def begin_upload(request: HttpRequest, reference: str, body: UploadNew) -> Status[Upload]:
    """Then PATCH its parts, one after another, from wherever it stands."""
    case = open_case_of(request, reference)
    new = resumable.NewUpload(**body.dict())
    return Status(201, resumable.begin(case=case, actor=person(request), new=new))


@router.get(_UPLOAD, response=UploadOut, summary="How far an upload is, and what it became")
def get_upload(request: HttpRequest, reference: str, uuid: UUID) -> Upload:
    return _mine(request, case_of(request, reference), uuid)


@router.patch(_UPLOAD, response=UploadOut, openapi_extra=PART, summary="One more part")
def patch_upload(request: HttpRequest, reference: str, uuid: UUID, at: At = None, checksum: Sum = "") -> Upload:
    """The body is the part's bytes. 409 where it does not begin where the upload ends; `offset` says where that is."""
    case = case_of(request, reference)
    take_part(request, _mine_to_change(request, case, uuid), at, checksum)
    return _mine(request, case, uuid)


@router.delete(_UPLOAD, response={204: None}, summary="Give an upload up before it is whole")
def discard_upload(request: HttpRequest, reference: str, uuid: UUID) -> Status[None]:
    discard(_mine_to_change(request, case_of(request, reference), uuid), person(request))
    return Status(204, None)
