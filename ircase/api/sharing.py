"""A case in others' formats, and indicators out of their files."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.exchange.formats import FORMATS
from ircase.exchange.reading import MOST_BYTES
from ircase.models import CaseRole, CaseShare, Pap, Tlp
from ircase.redaction import Redaction, RedactionError
from ircase.services.analysis import indicatorfiles
from ircase.services.transfer import sharing, uploads
from ircase.services.transfer.shareddata import Wish
from ircase.services.vault import delivery

router = Router(tags=["Sharing"])
_USUAL: tuple[CaseShare.Part, ...] = tuple(part for part in CaseShare.Part if part != CaseShare.Part.UNJUDGED)
_SHARE = "/cases/{reference}/shares/{uuid}"


class ShareWish(Schema):
    """What may leave at most, and what is masked. `words`: further ones, the organisation's name for one."""

    format: str = Field(max_length=24, description=", ".join(FORMATS))
    tlp: Tlp = Tlp.AMBER
    pap: Pap = Pap.AMBER
    level: Literal["full", "names", "all"] = "names"
    words: list[str] = Field(default_factory=list, max_length=200)
    parts: list[CaseShare.Part] = Field(default_factory=lambda: list(_USUAL), max_length=10)
    sender: str = Field(min_length=1, max_length=120, description="In whose name it leaves; it is in the file.")

    def wish(self) -> Wish:
        try:
            redaction = Redaction.of(self.level, tlp=self.tlp, words=self.words)
        except RedactionError as error:
            raise ValidationError(str(error)) from None
        return Wish(redaction, self.pap, tuple(part.value for part in self.parts), self.sender)


class ShareNew(ShareWish):
    receiver: str = Field(min_length=1, max_length=200)
    purpose: str = Field(min_length=1, max_length=500)


class Staying(Schema):
    what: str
    why: str
    count: int


class SharePreviewOut(Schema):
    """`stays`: what is left out, by reason. `grave`: only a lead hands it out."""

    counts: dict[str, int]
    highest: str
    stays: list[Staying]
    size: int
    exhibits: int
    grave: bool


class ShareOut(Schema):
    uuid: UUID
    format: str
    state: str
    reason: str
    progress: dict[str, Any]
    tlp: str
    pap: str
    parts: list[str]
    sender: str
    receiver: str
    purpose: str
    grave: bool
    requested_by: str
    queued_at: datetime
    finished_at: datetime | None
    name: str
    size: int
    sha256: str
    manifest: dict[str, Any]
    removed_at: datetime | None

    @staticmethod
    def resolve_requested_by(share: CaseShare) -> str:
        return share.requested_by.username


class ReadItemOut(Schema):
    """`note` says why it may better be left; `there`: the case has it already."""

    kind: str
    value: str
    written: str
    tlp: str
    pap: str
    description: str
    first_seen: datetime | None
    last_seen: datetime | None
    expires_at: datetime | None
    note: str
    there: bool
    harmless: str


class ReadingOut(Schema):
    """`unknown` counts what is not taken, by a sentence each; `more` were found beyond the first 900."""

    kind: str
    sender: str
    items: list[ReadItemOut]
    unknown: dict[str, int]
    more: int


def _find(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = CaseRole.VIEWER) -> CaseShare:
    case = case_of(request, reference, needs)
    rows = CaseShare.objects.select_related("activity", "requested_by")
    found: CaseShare = get_object_or_404(rows, case=case, uuid=uuid)
    found.case = case
    return found


@router.get("/cases/{reference}/shares", response=Page[ShareOut], summary="Files made for others, newest first")
def list_shares(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    found = CaseShare.objects.filter(case=case_of(request, reference)).select_related("requested_by")
    return page_of(found, window)


@router.post("/cases/{reference}/shares/preview", response=SharePreviewOut, summary="What would leave, and what stays")
def preview_share(request: HttpRequest, reference: str, body: ShareWish) -> dict[str, Any]:
    case = case_of(request, reference, CaseRole.ANALYST)
    seen = sharing.preview(case=case, kind=body.format, wish=body.wish())
    stays = [{"what": what, "why": why, "count": count} for what, why, count in seen.left]
    said = {"highest": seen.highest, "size": seen.size, "exhibits": seen.exhibits, "grave": seen.grave}
    return {"counts": dict(seen.counts), "stays": stays, **said}


@router.post("/cases/{reference}/shares", response={202: ShareOut}, summary="Make a file, in the background")
def request_share(request: HttpRequest, reference: str, body: ShareNew) -> Status[CaseShare]:
    """A confidential case, and TLP:RED, take a lead."""
    case = case_of(request, reference, CaseRole.ANALYST)
    made = sharing.request_share(
        case=case, actor=person(request), kind=body.format, wish=body.wish(), receiver=body.receiver,
        purpose=body.purpose,
    )  # fmt: skip
    return Status(202, made)


@router.get(_SHARE, response=ShareOut, summary="How far it is, and what is in it")
def get_share(request: HttpRequest, reference: str, uuid: UUID) -> CaseShare:
    return _find(request, reference, uuid)


@router.get(f"{_SHARE}/file", response={200: bytes}, summary="The file")
def download_share(request: HttpRequest, reference: str, uuid: UUID) -> StreamingHttpResponse:
    found = _find(request, reference, uuid, CaseRole.ANALYST)
    if not sharing.may_take(found.case, found):
        raise PermissionDenied("Only a lead of the case takes this file.")
    try:
        chunks = sharing.chunks(share=found, actor=person(request), by="api")
    except sharing.ShareGone as error:
        raise delivery.FileGone(str(error)) from None
    return delivery.attachment(chunks, name=found.name, size=found.size)


@router.post(f"{_SHARE}/cancel", response=ShareOut, summary="Stop it")
def cancel_share(request: HttpRequest, reference: str, uuid: UUID) -> CaseShare:
    found = _find(request, reference, uuid, CaseRole.ANALYST)
    sharing.cancel(share=found, actor=person(request))
    return _find(request, reference, uuid)


@router.delete(_SHARE, response=ShareOut, summary="Take the file away; that it was made stays")
def remove_share(request: HttpRequest, reference: str, uuid: UUID) -> CaseShare:
    found = _find(request, reference, uuid, CaseRole.ANALYST)
    sharing.remove(share=found, actor=person(request))
    return found


@router.post(
    "/cases/{reference}/indicator-files",
    response=ReadingOut,
    summary="What a STIX bundle or a MISP event (field `file`) holds; nothing is kept",
)
def read_indicators(request: HttpRequest, reference: str) -> dict[str, Any]:
    """Add what you choose by POST of /cases/{reference}/indicators."""
    case = open_case_of(request, reference)
    file = uploads.receive_one(request, MOST_BYTES)
    found = indicatorfiles.reading_of(file.read(MOST_BYTES + 1))
    items = [
        {
            "kind": one.item.kind,
            "value": one.item.value,
            "written": one.item.written,
            "tlp": one.item.said.tlp,
            "pap": one.item.said.pap,
            "description": one.item.said.words,
            "first_seen": one.item.said.first_seen,
            "last_seen": one.item.said.last_seen,
            "expires_at": one.item.said.expires_at,
            "note": one.item.note,
            "there": one.double,
            "harmless": one.harmless,
        }
        for one in indicatorfiles.offered(case, found.items)
    ]
    return {"kind": found.kind, "sender": found.sender, "items": items, "unknown": dict(found.unknown),
            "more": found.more}  # fmt: skip
