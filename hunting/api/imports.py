"""Hunts of others, brought in over HTTP: handed over, looked through, chosen from, kept as drafts."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from hunting import access
from hunting.models import HuntImport, ImportItem
from hunting.services import importing
from ircase.access import require_administrator
from ircase.api.auth import person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import User
from ircase.services.transfer import uploads

router = Router(tags=["Importing hunts"])
_ONE = "/hunt-imports/{uuid}"
_MOST_NUMBERS = 10_000
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "licence": {"type": "string", "maxLength": 100},
                    },
                }
            }
        },
    }
}


class HuntImportOut(Schema):
    """`stage` read: what it holds is being found out; keep: drafts are being made. `counts` are the members by outcome,
    `found` what can be kept, `wanted` what is ticked, `kept` what was."""

    uuid: UUID
    source: str
    kind: str
    licence: str
    said_licence: str
    commit: str
    address: str
    notes: list[str]
    counts: dict[str, int]
    stage: str
    state: str
    reason: str
    progress: dict[str, Any]
    found: int
    wanted: int
    kept: int
    requested_by: str
    kept_by: str
    queued_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_requested_by(found: HuntImport) -> str:
        return found.requested_by.username

    @staticmethod
    def resolve_kept_by(found: HuntImport) -> str:
        return found.kept_by.username if found.kept_by else ""


class ImportItemOut(Schema):
    """A query, a pack, or a member that holds none (`reason` says why). `becomes` new, version (of `target`) or same
    (as `target`); `kept_as` is the id in the library once it is there; `problem`: why it could not be kept."""

    number: int
    kind: str
    member: str
    place: str
    line: int | None
    format: str
    outcome: str
    reason: str
    sha256: str
    slug: str
    title: str
    licence: str
    becomes: str
    target: str
    may_be_kept: bool
    is_wanted: bool
    problem: str
    kept_as: str

    @staticmethod
    def resolve_kept_as(item: ImportItem) -> str:
        kept = item.kept_hunt or item.kept_pack
        return kept.saved.slug if kept else ""


class ImportItemDetail(ImportItemOut):
    """`content` is what the library would keep, `original` the query as it came, `newest` the content of the version
    that it would follow (null where it is new)."""

    content: dict[str, Any]
    facts: dict[str, Any]
    original: str
    newest: dict[str, Any] | None

    @staticmethod
    def resolve_original(item: ImportItem) -> str:
        return str(item.facts.get("original", ""))

    @staticmethod
    def resolve_newest(item: ImportItem) -> Any:
        version = importing.newest_of(item)
        return version.content if version else None


class ItemsAsked(Window):
    show: Literal["", "open", "version", "changed", "duplicate", "refused", "not-kept"] = Field(
        "", description="A part alone. not-kept: refused, duplicates, and what could not be kept."
    )


class PathNew(Schema):
    """A folder, a git checkout or a file below one of the folders that IRCASE_IMPORT_ROOTS names."""

    path: str = Field(min_length=1, max_length=1024)
    licence: str = Field("", max_length=100)


class ChoiceIn(Schema):
    """Which finds are to be kept, by their numbers. `every` goes before the two lists: true ticks all that can be kept
    as it is or changed, false none."""

    every: bool | None = None
    keep: list[int] = Field(default_factory=list, max_length=_MOST_NUMBERS)
    leave: list[int] = Field(default_factory=list, max_length=_MOST_NUMBERS)


def _reviewer(request: HttpRequest) -> User:
    user = person(request)
    access.require_review(user)
    return user


def _of(uuid: UUID) -> HuntImport:
    found: HuntImport = get_object_or_404(HuntImport.objects.with_counts(), uuid=uuid)
    return found


def _items(found: HuntImport) -> QuerySet[ImportItem]:
    return ImportItem.objects.filter(of=found).select_related("kept_hunt__saved", "kept_pack__saved").order_by("number")


@router.get("/hunt-imports", response=Page[HuntImportOut], summary="What was brought in, the latest first")
def list_imports(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _reviewer(request)
    return page_of(HuntImport.objects.with_counts(), window)


@router.post(
    "/hunt-imports", response={202: list[HuntImportOut]}, openapi_extra=_UPLOAD, summary="Hand over hunts of others"
)
def new_imports(request: HttpRequest) -> Status[list[HuntImport]]:
    """Files of the field `file`, as multipart/form-data: each zip is an import of its own, the other files together are
    one. A worker reads them; nothing is kept until you choose."""
    user = _reviewer(request)
    files = uploads.receive(request)
    try:
        made = importing.queue_upload(actor=user, files=files, licence=request.POST.get("licence", "")[:100])
    finally:
        for file in files:
            file.close()
    rows = HuntImport.objects.with_counts().filter(pk__in=[one.pk for one in made])
    return Status(202, list(rows.order_by("pk")))


@router.post("/hunt-import-paths", response={202: HuntImportOut}, summary="Have a folder of the server read")
def new_import_of_path(request: HttpRequest, body: PathNew) -> Status[HuntImport]:
    """For administrators."""
    user = person(request)
    require_administrator(user)
    return Status(202, _of(importing.queue_path(actor=user, path=body.path.strip(), licence=body.licence).uuid))


@router.get(_ONE, response=HuntImportOut, summary="How far an import is, and what it holds")
def get_import(request: HttpRequest, uuid: UUID) -> HuntImport:
    _reviewer(request)
    return _of(uuid)


@router.get(f"{_ONE}/items", response=Page[ImportItemOut], summary="What was found in it")
def list_items(request: HttpRequest, uuid: UUID, asked: Query[ItemsAsked]) -> dict[str, Any]:
    _reviewer(request)
    rows = _items(_of(uuid)).filter(importing.PARTS[asked.show])
    return page_of(rows.defer("content", "facts", "origin"), asked)


@router.get(f"{_ONE}/items/{{number}}", response=ImportItemDetail, summary="One find in full")
def get_item(request: HttpRequest, uuid: UUID, number: int) -> ImportItem:
    _reviewer(request)
    item: ImportItem = get_object_or_404(_items(_of(uuid)), number=number)
    if not item.content:
        raise Http404("Nothing of it can be kept.")
    return item


@router.put(f"{_ONE}/choice", response=HuntImportOut, summary="Choose what is to be kept")
def choose(request: HttpRequest, uuid: UUID, body: ChoiceIn) -> HuntImport:
    user, found = _reviewer(request), _of(uuid)
    if body.every is not None:
        importing.tick_all(found=found, actor=user, wanted=body.every, outcomes=("kept", "changed"))
    importing.tick(found=found, actor=user, shown=[*body.keep, *body.leave], ticked=body.keep)
    return _of(uuid)


@router.post(f"{_ONE}/keeping", response={202: HuntImportOut}, summary="Make drafts of what is chosen")
def keep(request: HttpRequest, uuid: UUID) -> Status[HuntImport]:
    """A worker makes them; each waits for review like any draft."""
    user = _reviewer(request)
    importing.keep(found=_of(uuid), actor=user)
    return Status(202, _of(uuid))


@router.post(f"{_ONE}/cancel", response=HuntImportOut, summary="Stop the work; what is kept already stays")
def cancel(request: HttpRequest, uuid: UUID) -> HuntImport:
    user = _reviewer(request)
    importing.cancel(found=_of(uuid), actor=user)
    return _of(uuid)
