"""What Defender said of a file or a device, kept as evidence."""

from typing import Final

from django.http import Http404, HttpRequest
from ninja import Status

from ircase.api.auth import open_case_of, person
from ircase.api.paging import Router
from ircase.api.schemas import EvidenceOut
from ircase.models import Evidence
from liveresponse.api.files import device_of, digest_of
from liveresponse.models import Lookup
from liveresponse.services import devices, files, lookups

router = Router(tags=["Files and devices"])
_SEALED: Final = {200: EvidenceOut, 201: EvidenceOut}


@router.post("/cases/{reference}/files/{digest}/seal", response=_SEALED, summary="Seal what Defender said of a file")
def seal_file(request: HttpRequest, reference: str, digest: str) -> Status[Evidence]:
    """The exhibit: 201 where it is new, 200 where these answers were sealed before."""
    case = open_case_of(request, reference)
    return _seal(request, files.known(case, digest_of(digest)).lookup)


@router.post(
    "/cases/{reference}/devices/{device}/seal", response=_SEALED, summary="Seal what Defender said of a device"
)
def seal_device(request: HttpRequest, reference: str, device: str) -> Status[Evidence]:
    """The exhibit: 201 where it is new, 200 where these answers were sealed before."""
    case = open_case_of(request, reference)
    return _seal(request, devices.known(case, device_of(device)).lookup)


def _seal(request: HttpRequest, lookup: Lookup | None) -> Status[Evidence]:
    if lookup is None:
        raise Http404("Defender was not asked about it.")
    before = lookup.evidence is not None
    return Status(200 if before else 201, lookups.seal(lookup=lookup, actor=person(request)))
