"""Cases of another IRCase: their exports coming in, in parts or at once, and what their verification found."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase.api import parts
from ircase.api.auth import person
from ircase.api.manner.parsing import MOST
from ircase.api.paging import Router
from ircase.models import CaseImport, Upload
from ircase.services.casework.opening import require_opener
from ircase.services.transfer import caseimports, resumable
from ircase.services.vault import packing

router = Router(tags=["Cases of another IRCase"])
_IMPORT: Final = "/case-imports/{uuid}"
_UPLOADS: Final = "/case-import-uploads"
_UPLOAD: Final = f"{_UPLOADS}/{{uuid}}"


class ExportComing(Schema):
    """An export before its first byte. `size` in bytes."""

    name: str = Field(min_length=1, max_length=255)
    size: int = Field(ge=0, le=MOST)
    confidential: bool = Field(True, description="Only members of the case will know of it.")
    expected_key: str = Field("", max_length=64, description="The public key it must be signed with, in hexadecimal.")
    password: str = Field("", max_length=packing.LONGEST, description="Of the zip around it, if not the usual one.")
    fingerprint: str = Field("", max_length=128, description="A mark of yours by which you know the file again.")


class ComingOut(Schema):
    """`offset` of `size` bytes are here; the next part begins there. Once whole, `case_import` is what it became."""

    uuid: UUID
    name: str
    size: int
    offset: int
    state: str
    reason: str
    fingerprint: str
    expires_at: datetime
    case_import: UUID | None

    @staticmethod
    def resolve_offset(upload: Upload) -> int:
        return resumable.arrived(upload)

    @staticmethod
    def resolve_case_import(upload: Upload) -> UUID | None:
        return upload.came_in.uuid if upload.came_in else None


class CaseImportOut(Schema):
    """`faults` and `notes` are the verification's; `reference` is what the case was called where it came from, `case`
    what it is here. `locked`: it waits for the password of the zip around it."""

    uuid: UUID
    name: str
    size: int
    sha256: str
    state: str
    reason: str
    locked: bool
    confidential: bool
    expected_key: str
    public_key: str
    faults: list[Any]
    notes: list[Any]
    accepted: str
    reference: str
    case: str

    @staticmethod
    def resolve_case(job: CaseImport) -> str:
        return job.case.reference if job.case else ""


class ZipPassword(Schema):
    password: str = Field(min_length=1, max_length=packing.LONGEST)


class TakenOver(Schema):
    reason: str = Field(min_length=1, max_length=500, description="Kept in the case's log.")


def _job(request: HttpRequest, uuid: UUID) -> CaseImport:
    rows = CaseImport.objects.select_related("case").filter(requested_by=person(request))
    return get_object_or_404(rows, uuid=uuid)


def _coming(request: HttpRequest, uuid: UUID) -> Upload:
    rows = Upload.objects.select_related("came_in").filter(case=None, owner_user=person(request))
    return get_object_or_404(rows, uuid=uuid)


@router.get("/case-imports", response=list[CaseImportOut], summary="Exports that you brought in")
def list_imports(request: HttpRequest) -> Any:
    require_opener(person(request))
    return CaseImport.objects.filter(requested_by=person(request)).select_related("case")


@router.get(_IMPORT, response=CaseImportOut, summary="How far it is, and what its verification found")
def get_import(request: HttpRequest, uuid: UUID) -> CaseImport:
    return _job(request, uuid)


@router.post(f"{_IMPORT}/password", response={202: CaseImportOut}, summary="Try another password on its zip")
def open_import(request: HttpRequest, uuid: UUID, body: ZipPassword) -> Status[CaseImport]:
    job = _job(request, uuid)
    require_opener(person(request))
    caseimports.open_again(job=job, actor=person(request), password=body.password)
    return Status(202, _job(request, uuid))


@router.post(f"{_IMPORT}/acceptance", response={202: CaseImportOut}, summary="Take it over with its faults")
def accept_import(request: HttpRequest, uuid: UUID, body: TakenOver) -> Status[CaseImport]:
    job = _job(request, uuid)
    require_opener(person(request))
    caseimports.accept(job=job, actor=person(request), reason=body.reason)
    return Status(202, _job(request, uuid))


@router.get(_UPLOADS, response=list[ComingOut], summary="Exports of yours that are coming in")
def list_coming(request: HttpRequest) -> list[Upload]:
    require_opener(person(request))
    return resumable.unfinished(None, person(request))


@router.post(_UPLOADS, response={201: ComingOut}, summary="Begin to bring an export in")
def begin_coming(request: HttpRequest, body: ExportComing) -> Status[Upload]:
    """Then PATCH its parts. Once it is whole a worker verifies it and makes the case."""
    wish = caseimports.Wish(body.name, body.confidential, body.expected_key, body.password)
    made = caseimports.begin_upload(actor=person(request), wish=wish, size=body.size, fingerprint=body.fingerprint)
    return Status(201, made)


@router.get(_UPLOAD, response=ComingOut, summary="How far it is, and which import it became")
def get_coming(request: HttpRequest, uuid: UUID) -> Upload:
    return _coming(request, uuid)


@router.patch(_UPLOAD, response=ComingOut, openapi_extra=parts.PART, summary="One more part of an export")
def patch_coming(request: HttpRequest, uuid: UUID, at: parts.At = None, checksum: parts.Sum = "") -> Upload:
    """The body is the part's bytes. 409 where it does not begin where the upload ends; `offset` says where that is."""
    upload = _coming(request, uuid)
    require_opener(person(request))
    parts.take_part(request, upload, at, checksum)
    return _coming(request, uuid)


@router.delete(_UPLOAD, response={204: None}, summary="Give it up before it is whole")
def discard_coming(request: HttpRequest, uuid: UUID) -> Status[None]:
    upload = _coming(request, uuid)
    require_opener(person(request))
    parts.discard(upload, person(request))
    return Status(204, None)
