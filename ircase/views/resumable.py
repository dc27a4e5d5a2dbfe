"""Resumable uploads: tus 1.0.0 with creation, termination, checksum and expiration, and what the page asks beside it.

https://tus.io/protocols/resumable-upload
"""

import base64
import logging
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import http_date
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access, incoming
from ircase.models import Case, Upload, UploadState
from ircase.services.transfer import resumable
from ircase.views.doors import case_to_change

logger = logging.getLogger(__name__)
VERSION: Final = "1.0.0"
PART_TYPE: Final = "application/offset+octet-stream"
_METADATA: Final = 8192
_STATUS = {"size": 413, "room": 507}


class _Refused(Exception):
    """The answer to a request that does not follow the protocol."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@login_required
@require_http_methods(["GET", "POST", "OPTIONS"])
def uploads(request: HttpRequest, reference: str) -> HttpResponse:
    """The person's unfinished uploads to the case as JSON; a POST begins one more."""
    if request.method == "GET":
        case = access.get_case(access.current_user(request), reference)
        mine = resumable.unfinished(case, access.current_user(request))
        for one in mine:
            one.case = case
        return JsonResponse({"uploads": [facts_of(upload) for upload in mine]})
    if request.method == "OPTIONS":
        access.get_case(access.current_user(request), reference)
        return capabilities()
    user, case = case_to_change(request, reference)
    return answered(lambda: _begin(request, case, user))


def _begin(request: HttpRequest, case: Case, user: Any) -> HttpResponse:
    length, said = announced(request)
    new = resumable.NewUpload(
        name=said.get("filename", ""),
        size=length,
        media_type=said.get("filetype", ""),
        description=said.get("description", ""),
        read=said.get("read", "1") not in ("", "0", "false"),
        fingerprint=said.get("fingerprint", ""),
    )
    return begun(request, resumable.begin(case=case, actor=user, new=new))


def announced(request: HttpRequest) -> tuple[int, dict[str, str]]:
    """The length of a new upload and what is said of it. Raises _Refused."""
    _check_version(request)
    return _number(request, "Upload-Length"), _metadata(request.headers.get("Upload-Metadata", ""))


def begun(request: HttpRequest, upload: Upload) -> HttpResponse:
    location = request.build_absolute_uri(place_of(upload))
    return HttpResponse(status=201, headers={"Location": location, **_expires(upload)})


def place_of(upload: Upload) -> str:
    """Its address: below its case, or below the imports."""
    if upload.case is None:
        return reverse("ircase:import_upload", args=[upload.uuid])
    return reverse("ircase:upload", args=[upload.case.reference, upload.uuid])


@login_required
@require_http_methods(["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"])
def upload(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One upload of the person: how far it is (HEAD), one more part (PATCH), its end (DELETE), its state (GET)."""
    case = access.get_case(access.current_user(request), reference)
    found = _find(request, case, uuid)
    if request.method in ("PATCH", "DELETE"):
        _check_may_write(case)
    return served(request, found)


def served(request: HttpRequest, found: Upload) -> HttpResponse:
    """What the protocol asks of one upload, for one who may."""
    if request.method == "GET":
        return JsonResponse(facts_of(found))
    if request.method == "OPTIONS":
        return capabilities()
    acts = {"HEAD": _head, "PATCH": _patch, "DELETE": _delete}
    return answered(lambda: acts[request.method or ""](request, found))


def _find(request: HttpRequest, case: Case, uuid: UUID) -> Upload:
    mine = Upload.objects.select_related("evidence").filter(case=case, owner_user=access.current_user(request))
    found: Upload = get_object_or_404(mine, uuid=uuid)
    found.case = case
    return found


def _check_may_write(case: Case) -> None:
    access.require(case, access.ANALYST)
    if not case.is_open:
        raise PermissionDenied("The case is closed. A lead can open it again on its overview.")


def _head(request: HttpRequest, upload: Upload) -> HttpResponse:
    _check_version(request)
    if upload.state == UploadState.CANCELLED:
        raise incoming.Vanished(upload.reason)
    whole = upload.state != UploadState.RECEIVING
    offset = upload.size if whole else incoming.offset_of(upload.uuid)
    if not whole and offset == upload.size:
        resumable.complete(upload)
    headers = {"Upload-Offset": str(offset), "Upload-Length": str(upload.size), "Cache-Control": "no-store"}
    return HttpResponse(status=200, headers={**headers, **_expires(upload)})


def _patch(request: HttpRequest, upload: Upload) -> HttpResponse:
    _check_version(request)
    if request.content_type != PART_TYPE:
        raise _Refused(415, f"A part is sent as {PART_TYPE}.")
    if not request.META.get("CONTENT_LENGTH"):
        raise _Refused(411, "A part says its length.")
    checksum = request.headers.get("Upload-Checksum")
    offset = resumable.receive(
        upload=upload,
        at=_number(request, "Upload-Offset"),
        body=request,
        length=int(request.META["CONTENT_LENGTH"]),
        checksum=resumable.Checksum.parse(checksum) if checksum else None,
    )
    upload.refresh_from_db(fields=["expires_at"])
    return HttpResponse(status=204, headers={"Upload-Offset": str(offset), **_expires(upload)})


def _delete(request: HttpRequest, upload: Upload) -> HttpResponse:
    _check_version(request)
    if not resumable.discard(upload=upload, actor=access.current_user(request)):
        raise _Refused(409, "It is whole already and will be sealed: sealed evidence is not deleted.")
    return HttpResponse(status=204)


@login_required
@require_POST
def upload_discard(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The same end as DELETE, for a form without script."""
    case = access.get_case(access.current_user(request), reference)
    found = _find(request, case, uuid)
    _check_may_write(case)
    if resumable.discard(upload=found, actor=access.current_user(request)):
        messages.info(request, f"The upload of {found.name} is discarded.")
    else:
        messages.error(request, f"{found.name} had arrived whole already and is evidence now.")
    return redirect("ircase:evidence", reference)


def answered(act: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer, or the protocol's status for what went wrong; either says which protocol it is."""
    try:
        response = act()
    except _Refused as error:
        response = _said(error.status, str(error))
    except ValidationError as error:
        response = _said(_STATUS.get(getattr(error, "code", None) or "", 422), " ".join(error.messages))
    except incoming.WrongOffset as error:
        response = _said(409, str(error))
        response["Upload-Offset"] = str(error.actual)
    except incoming.Vanished as error:
        response = _said(410, str(error))
    except resumable.ChecksumMismatch as error:
        response = _said(460, str(error))
    except resumable.PartCutShort as error:
        response = _said(400, str(error))
        response["Upload-Offset"] = str(error.offset)
    except OSError as error:
        logger.exception("upload.disk")
        response = _said(507, f"The server could not keep the bytes: {error.strerror}. Free space, then go on.")
    response["Tus-Resumable"] = VERSION
    if response.status_code == 412:
        response["Tus-Version"] = VERSION
    return response


def _said(status: int, message: str) -> HttpResponse:
    return HttpResponse(message, status=status, content_type="text/plain; charset=utf-8")


def capabilities() -> HttpResponse:
    headers = {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,termination,checksum,expiration",
        "Tus-Checksum-Algorithm": ",".join(resumable.CHECKSUMS),
        "Tus-Max-Size": str(settings.UPLOAD_RESUMABLE_MAX_BYTES),
    }
    return HttpResponse(status=204, headers=headers)


def _check_version(request: HttpRequest) -> None:
    said = request.headers.get("Tus-Resumable")
    if said is None:
        raise _Refused(400, f"This door speaks tus: send Tus-Resumable: {VERSION}.")
    if said != VERSION:
        raise _Refused(412, f"Only tus {VERSION} is spoken here.")


def _number(request: HttpRequest, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _Refused(400, f"{name} is a whole number of bytes.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """`name base64,name base64`; https://tus.io/protocols/resumable-upload#upload-metadata"""
    if len(header) > _METADATA:
        raise _Refused(400, "Upload-Metadata is too long.")
    said = {}
    for pair in filter(None, header.split(",")):
        key, _, encoded = pair.strip().partition(" ")
        try:
            said[key] = base64.b64decode(encoded, validate=True).decode("utf-8")
        except ValueError:
            raise _Refused(400, "Upload-Metadata holds UTF-8 in base64.") from None
    return said


def _expires(upload: Upload) -> dict[str, str]:
    return {"Upload-Expires": http_date(upload.expires_at.timestamp())} if not upload.is_final else {}


def facts_of(upload: Upload) -> dict[str, Any]:
    """What the page says of an upload. `offset` and `size` in bytes."""
    facts: dict[str, Any] = {
        "url": place_of(upload),
        "name": upload.name,
        "size": upload.size,
        "offset": resumable.arrived(upload),
        "fingerprint": upload.fingerprint,
        "state": upload.state,
        "label": upload.get_state_display(),
        "reason": upload.reason,
    }
    if upload.evidence is not None and upload.case is not None:
        facts["exhibit"] = upload.evidence.exhibit
        facts["evidence_url"] = reverse("ircase:evidence_item", args=[upload.case.reference, upload.evidence.uuid])
    if upload.came_in is not None:
        facts["exhibit"] = upload.name
        facts["evidence_url"] = reverse("ircase:case_import", args=[upload.came_in.uuid])
    return facts
