"""Packs of the library over HTTP: read, written in versions, retired, as a file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from hunting import access, shelf
from hunting.api.packs import PackOut
from hunting.catalogue import Pack
from hunting.importing import export_pack
from hunting.models import PackVersion, SavedPack
from hunting.services import packbook
from ircase.api.auth import person
from ircase.api.paging import Router

router = Router(tags=["Hunts"])
_PACK = "/packs/{pack_id}"
_MOST_STEPS = 100


class PackDetail(PackOut):
    """`shipped` packs have no versions here and cannot be changed."""

    shipped: bool
    licence: str
    retired_at: datetime | None
    retired_by: str

    @staticmethod
    def resolve_hunts(found: Mapping[str, Any]) -> list[str]:  # type: ignore[override]  # of a dict, not of a pack
        return [hunt.id for hunt in found["hunts"]]


class PackStepIn(Schema):
    hunt: str = Field(min_length=1, max_length=64, description="The hunt's id.")
    only_if: str = Field("", max_length=64, description="An earlier hunt of the pack: run only if it has hits.")


class PackIn(Schema):
    """A version's content. `edited_from` is the number of the version that you changed, 0 for a new pack; where
    somebody else saved meanwhile the answer is 409 and nothing was written."""

    title: str = Field(min_length=1, max_length=120)
    description: str = Field("", max_length=2000)
    entity: str = Field(max_length=20)
    steps: list[PackStepIn] = Field(min_length=1, max_length=_MOST_STEPS)
    change: str = Field("", max_length=500)
    edited_from: int = Field(0, ge=0, le=1_000_000)


class PackVersionOut(Schema):
    number: int
    change: str
    author: str
    created_at: datetime
    content: dict[str, Any]

    @staticmethod
    def resolve_author(version: PackVersion) -> str:
        return version.author.username


def _pack(pack_id: str) -> Pack:
    found = shelf.pack(pack_id)
    if found is None:
        raise Http404("No such pack.")
    return found


def _detail(pack_id: str) -> dict[str, Any]:
    found = _pack(pack_id)
    saved = SavedPack.objects.select_related("retired_by").filter(slug=pack_id).first()
    return {
        "id": found.id, "version": found.version, "title": found.title, "description": found.description,
        "entity": found.entity, "hunts": found.hunts, "steps": found.steps, "shipped": saved is None,
        "licence": saved.licence if saved else "", "retired_at": saved.retired_at if saved else None,
        "retired_by": saved.retired_by.username if saved and saved.retired_by else "",
    }  # fmt: skip


@router.get(_PACK, response=PackDetail, summary="A pack of the library, a retired one too")
def get_pack(request: HttpRequest, pack_id: str) -> dict[str, Any]:
    return _detail(pack_id)


@router.get(f"{_PACK}/file", response={200: bytes}, summary="A pack as a file of the library (YAML)")
def get_pack_file(request: HttpRequest, pack_id: str) -> HttpResponse:
    """An import reads it again."""
    found = _pack(pack_id)
    response = HttpResponse(export_pack(found), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{found.id}.yaml"'
    return response


@router.get(
    f"{_PACK}/versions", response=list[PackVersionOut], summary="Every version of a saved pack, the newest first"
)
def list_pack_versions(request: HttpRequest, pack_id: str) -> list[PackVersion]:
    saved = get_object_or_404(SavedPack, slug=pack_id)
    return list(saved.versions.select_related("author"))


@router.post(f"{_PACK}/versions", response={201: PackVersionOut}, summary="Save a pack, or a version of it")
def save_pack(request: HttpRequest, pack_id: str, body: PackIn) -> Status[PackVersion]:
    """Content that equals the version it was edited from gives that version back."""
    content = body.dict(include={"title", "description", "entity"})
    content["hunts"] = [{"hunt": s.hunt, "only_if": s.only_if} if s.only_if else s.hunt for s in body.steps]
    try:
        version = packbook.save_pack(
            actor=person(request), slug=pack_id, content=content, change=body.change, edited_from=body.edited_from
        )
    except ValidationError as error:
        if getattr(error, "code", "") == "conflict":
            raise HttpError(409, " ".join(error.messages)) from None
        raise
    return Status(201, version)


@router.post(f"{_PACK}/retirement", response=PackDetail, summary="Keep a saved pack out of lists and new runs")
def retire_pack(request: HttpRequest, pack_id: str) -> dict[str, Any]:
    access.require_review(person(request))
    packbook.retire(saved=get_object_or_404(SavedPack, slug=pack_id), actor=person(request))
    return _detail(pack_id)


@router.delete(f"{_PACK}/retirement", response=PackDetail, summary="Bring a retired pack back")
def restore_pack(request: HttpRequest, pack_id: str) -> dict[str, Any]:
    access.require_review(person(request))
    packbook.restore(saved=get_object_or_404(SavedPack, slug=pack_id), actor=person(request))
    return _detail(pack_id)
