"""Custody acts, exports, and the signed statements."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.evidence import Password
from ircase.api.onefile import ONE_FILE
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import EvidenceOut
from ircase.models import Case, CaseExport, CaseRole, Evidence, SigningKey, Statement, StatementStamp, Transfer, User
from ircase.services.transfer import caseexports, uploads
from ircase.services.vault import custody, delivery, registering, stamping, statements
from ircase.services.vault.custody import Said

router = Router(tags=["Custody"])
_ITEM = "/cases/{reference}/evidence/{uuid}"
_EXPORT = "/cases/{reference}/exports/{uuid}"


class Act(Schema):
    """What every act says: why, where, when (now where it is left out), the number of the seal."""

    purpose: str = Field(max_length=500)
    place: str = Field(max_length=200)
    happened_at: datetime | None = None
    seal: str = Field("", max_length=100)

    def said(self) -> Said:
        if self.happened_at is not None and self.happened_at.tzinfo is None:
            raise ValidationError("A time needs its zone.")
        return Said(self.purpose, self.place, self.happened_at, self.seal)


class Taken(Act):
    name: str = Field(max_length=255)
    description: str = Field("", max_length=2000)
    serial: str = Field("", max_length=200)
    kind: Literal["", "computer", "phone", "disk", "paper", "file", "other"] = ""
    source: str = Field("", max_length=200, description="Where it came from.")
    acquired_by: str = Field("", max_length=200, description="Empty: you.")
    holder: str = Field("", max_length=200, description="Who has it now; empty: who acquired it.")
    sha256: str = Field("", max_length=64, description="As it was stated. It cannot be verified here.")


class ItemLineOut(Schema):
    """A line of the file by its number: what it would register, or the `problem` with it. `acquired_at` is as it was
    written, with the zone that it was read in."""

    line: int
    name: str = Field(alias="thing.name")
    kind: str = Field(alias="thing.what")
    sha256: str = Field(alias="thing.sha256")
    acquired_at: str = Field(alias="given")
    problem: str


class ItemsReadOut(Schema):
    """`left_out` are columns that nobody knows."""

    sha256: str
    lines: list[ItemLineOut]
    left_out: list[str]


class Registered(Schema):
    exhibits: list[EvidenceOut]


class ItemAct(Act):
    """`transfer` needs `receiver`, a username, or `outsider` with `acknowledged`, your own name; `return` needs
    `holder`; `seal` needs `seal`."""

    act: Literal["transfer", "return", "seal", "view"]
    receiver: str = ""
    outsider: str = Field("", max_length=200)
    acknowledged: str = ""
    holder: str = Field("", max_length=200)


class TransferDecision(Schema):
    act: Literal["confirm", "refuse", "withdraw"]
    comment: str = Field("", max_length=500)


class HoldingOut(Schema):
    """`transfer` waits for its receiver; null where none does."""

    holder: str
    since: datetime
    place: str
    seal: str
    transfer: UUID | None


class ExportNew(Schema):
    """`exhibits` such as E001, E004-E007; empty for the whole case."""

    purpose: str = Field(max_length=500)
    receiver: str = Field(max_length=200)
    exhibits: str = Field("", max_length=2000)


class CaseExportOut(Schema):
    uuid: UUID
    state: str
    reason: str
    progress: dict[str, Any]
    purpose: str
    receiver: str
    numbers: list[int]
    size: int
    sha256: str
    files_sha256: str
    problems: list[str]
    removed_at: datetime | None
    queued_at: datetime
    finished_at: datetime | None


class KeyOut(Schema):
    key_id: str
    public_key: str
    made_at: datetime
    retired_at: datetime | None


class StampOut(Schema):
    """What a time-stamping authority (RFC 3161) said of the statement's digest. `at` is its time."""

    at: datetime
    authority: str
    serial: str
    policy: str


class StampWait(Schema):
    """A stamp that is asked for: `problem` is what the last try said."""

    attempts: int
    next_at: datetime
    problem: str


class StatementOut(Schema):
    """`stamp` is null where no authority stamped it."""

    number: int
    at: datetime
    digest: str
    stamp: StampOut | None

    @staticmethod
    def resolve_stamp(statement: Statement) -> StatementStamp | None:
        return stamping.of(statement)


class SignedOut(Schema):
    """The signed body as it was signed: canonical JSON, keys sorted, no spaces."""

    body: dict[str, Any]
    signature: str
    public_key: str


def _item(case: Case, uuid: UUID) -> Evidence:
    found: Evidence = get_object_or_404(Evidence.objects.select_related("sealed_by"), case=case, uuid=uuid)
    found.case = case
    return found


def _holding(item: Evidence) -> dict[str, Any]:
    held = custody.holding_of(item)
    return {
        "holder": held.holder,
        "since": held.since,
        "place": held.place,
        "seal": held.seal,
        "transfer": held.waiting.uuid if held.waiting else None,
    }


@router.post("/cases/{reference}/items", response={201: EvidenceOut}, summary="Take a physical item into custody")
def take(request: HttpRequest, reference: str, body: Taken) -> Status[Evidence]:
    case = open_case_of(request, reference)
    facts = body.dict(include={"name", "description", "serial", "source", "acquired_by", "holder", "sha256"})
    said = body.said()
    return Status(201, custody.take(case=case, actor=person(request), said=said, what=body.kind, **facts))


@router.post(
    "/cases/{reference}/items/file/preview",
    response=ItemsReadOut,
    openapi_extra=ONE_FILE,
    summary="What a CSV of things kept elsewhere holds; registers none",
)
def preview_items(request: HttpRequest, reference: str, zone: str = "", purpose: str = "") -> registering.Reading:
    """The field `file` of multipart/form-data. Columns: name, place and acquired_at are needed; description, kind,
    serial, source, acquired_by, holder, seal, purpose and sha256 may be there. A time that names no zone is one of
    `zone`; without it such a line has a problem."""
    open_case_of(request, reference)
    return _items_of(request, zone, purpose)


@router.post(
    "/cases/{reference}/items/file",
    response={201: Registered},
    openapi_extra=ONE_FILE,
    summary="Register things kept elsewhere, from a CSV",
)
def register_items(request: HttpRequest, reference: str, zone: str = "", purpose: str = "") -> Status[dict[str, Any]]:
    """As the preview has it: every line becomes an exhibit without bytes of its own, or none does and the lines with
    problems are named."""
    case = open_case_of(request, reference)
    found = _items_of(request, zone, purpose)
    return Status(201, {"exhibits": registering.register(case=case, actor=person(request), reading=found)})


def _items_of(request: HttpRequest, zone: str, purpose: str) -> registering.Reading:
    file = uploads.receive_one(request, registering.MOST_BYTES)
    data = file.read(registering.MOST_BYTES + 1)
    return registering.read(data, name=file.name or "", zone=zone[:64], purpose=purpose[:500])


@router.get(f"{_ITEM}/holding", response=HoldingOut, summary="Who holds it now")
def holding(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    return _holding(_item(case_of(request, reference), uuid))


@router.post(f"{_ITEM}/acts", response=HoldingOut, summary="An act of custody")
def act(request: HttpRequest, reference: str, uuid: UUID, body: ItemAct) -> dict[str, Any]:
    item, actor = _item(open_case_of(request, reference), uuid), person(request)
    _do(item, actor, body)
    return _holding(item)


def _do(item: Evidence, actor: User, body: ItemAct) -> None:
    said = body.said()
    if body.act == "transfer" and body.receiver:
        receiver = User.objects.filter(username=body.receiver, is_active=True).first()
        if receiver is None or not access.still_may(receiver, item.case, access.VIEWER):
            raise ValidationError("There is no such person who can see this case.")
        custody.hand_over(item=item, actor=actor, receiver=receiver, said=said)
    elif body.act == "transfer":
        custody.hand_outside(item=item, actor=actor, receiver=body.outsider, acknowledged=body.acknowledged, said=said)
    elif body.act == "return":
        custody.give_back(item=item, actor=actor, holder=body.holder, said=said)
    elif body.act == "seal":
        custody.seal_again(item=item, actor=actor, said=said)
    else:
        custody.look_at(item=item, actor=actor, said=said)


@router.post(
    "/cases/{reference}/transfers/{uuid}", response=HoldingOut, summary="Confirm or refuse, as receiver; or withdraw"
)
def decide(request: HttpRequest, reference: str, uuid: UUID, body: TransferDecision) -> dict[str, Any]:
    case = case_of(request, reference)
    transfer = get_object_or_404(Transfer.objects.select_related("evidence"), evidence__case=case, uuid=uuid)
    custody.decide(transfer=transfer, actor=person(request), act=body.act, comment=body.comment)
    return _holding(_item(case, transfer.evidence.uuid))


@router.get("/cases/{reference}/exports", response=Page[CaseExportOut], summary="Exports of the case, newest first")
def list_exports(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(CaseExport.objects.filter(case=case_of(request, reference)), window)


@router.post("/cases/{reference}/exports", response={202: CaseExportOut}, summary="Make an export, in the background")
def request_export(request: HttpRequest, reference: str, body: ExportNew) -> Status[CaseExport]:
    case = case_of(request, reference, CaseRole.ANALYST)
    numbers = caseexports.numbers_of(case, body.exhibits)
    made = caseexports.request_export(
        case=case, actor=person(request), purpose=body.purpose, receiver=body.receiver, numbers=numbers
    )
    return Status(202, made)


def _export(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = CaseRole.VIEWER) -> CaseExport:
    case = case_of(request, reference, needs)
    return get_object_or_404(CaseExport.objects.select_related("case", "activity"), case=case, uuid=uuid)


@router.get(_EXPORT, response=CaseExportOut, summary="How far it is")
def get_export(request: HttpRequest, reference: str, uuid: UUID) -> CaseExport:
    return _export(request, reference, uuid)


@router.get(f"{_EXPORT}/download", response={200: bytes}, summary="The zip")
def download_export(request: HttpRequest, reference: str, uuid: UUID) -> StreamingHttpResponse:
    """With harmful exhibits it lies in an AES-256 zip, whose password is `infected`; the header `X-IRCase-Packed:
    aes-256-zip` says so."""
    return _handed_out(request, reference, uuid, None)


@router.post(f"{_EXPORT}/download", response={200: bytes}, summary="The zip inside one under a password")
def download_locked_export(request: HttpRequest, reference: str, uuid: UUID, body: Password) -> StreamingHttpResponse:
    """AES-256, whatever the export holds."""
    return _handed_out(request, reference, uuid, body.password)


def _handed_out(request: HttpRequest, reference: str, uuid: UUID, password: str | None) -> StreamingHttpResponse:
    export = _export(request, reference, uuid, CaseRole.ANALYST)
    try:
        return delivery.export_response(export, actor=person(request), by="api", password=password)
    except caseexports.ExportGone as error:
        raise delivery.FileGone(str(error)) from None


@router.post(f"{_EXPORT}/cancel", response=CaseExportOut, summary="Stop it")
def cancel_export(request: HttpRequest, reference: str, uuid: UUID) -> CaseExport:
    export = _export(request, reference, uuid, CaseRole.ANALYST)
    caseexports.cancel(export=export, actor=person(request))
    export.refresh_from_db()
    return export


@router.post(f"{_EXPORT}/removal", response=CaseExportOut, summary="Take the file away; custody and log stay")
def remove_export(request: HttpRequest, reference: str, uuid: UUID) -> CaseExport:
    found = _export(request, reference, uuid, CaseRole.ANALYST)
    caseexports.remove(export=found, actor=person(request))
    return found


@router.get("/signing-keys", response=list[KeyOut], summary="The public keys that sign exports and statements")
def list_keys(request: HttpRequest) -> list[SigningKey]:
    return list(SigningKey.objects.all()[:1000])


@router.get("/statements", response=Page[StatementOut], summary="Signed statements of all chains, newest first")
def list_statements(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    access.require_administrator(person(request))
    return page_of(Statement.objects.select_related("stamp").defer("stamp__answer"), window)


@router.get("/statements/{number}", response=SignedOut, summary="One statement, signed")
def get_statement(request: HttpRequest, number: int) -> dict[str, Any]:
    access.require_administrator(person(request))
    return statements.as_json(get_object_or_404(Statement.objects.select_related("key"), number=number))


@router.get("/statements/{number}/stamp", response={200: bytes}, summary="Its time stamp, as the authority gave it")
def get_stamp(request: HttpRequest, number: int) -> HttpResponse:
    """The DER of a TimeStampResp (RFC 3161), which `openssl ts -verify -in` reads. 404 where it has none."""
    access.require_administrator(person(request))
    row = get_object_or_404(StatementStamp.objects.exclude(at=None), statement__number=number)
    return HttpResponse(bytes(row.answer or b""), content_type="application/timestamp-reply")


@router.post("/statements/{number}/stamp", response={202: StampWait}, summary="Ask again for a stamp that was given up")
def ask_for_stamp(request: HttpRequest, number: int) -> Status[StatementStamp]:
    actor = person(request)
    access.require_administrator(actor)
    row = get_object_or_404(StatementStamp.objects.select_related("statement"), statement__number=number)
    stamping.again(stamp=row, actor=actor)
    row.refresh_from_db()
    return Status(202, row)
