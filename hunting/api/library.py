"""The library over HTTP: what can be asked, and what the team writes, in versions."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from hunting import access, shelf
from hunting.catalogue import WRITTEN, Hunt, Parameter, Review
from hunting.models import HuntVersion, SavedHunt, Source
from hunting.services import library
from ircase.api.auth import person
from ircase.api.paging import Router

router = Router(tags=["Hunts"])
_HUNT = "/hunts/{hunt_id}"
_LONG = 20_000


class ParameterOut(Schema):
    name: str
    type: str
    required: bool
    default: Any = None
    fill: str
    help: str

    @staticmethod
    def resolve_type(parameter: Parameter) -> str:
        return str(parameter.kind)


class HuntOut(Schema):
    """`review`: shipped, draft, approved or retired. `origin` and `licence` are of an import."""

    id: str
    version: int
    review: str
    origin: str
    licence: str
    title: str
    description: str
    entity: str
    sources: list[str]
    tables: list[str]
    parameters: list[ParameterOut]
    require_any: list[str]
    kql: str
    time_column: str
    techniques: list[str]
    meaning: str
    false_positives: list[str]
    references: list[str]


class ParameterIn(Schema):
    """As in a library file: `type` is `device_name`, `list[sha256]`, …; `fill` where the case may have it."""

    name: str = Field(max_length=64)
    type: str = Field("string", max_length=40)
    required: bool = False
    default: str | int | bool | list[str] | None = None
    fill: str = Field("", max_length=100)
    help: str = Field("", max_length=300)


class HuntIn(Schema):
    """A version's content. The tables are found in the query. `edited_from` is the number of the version that you
    changed, 0 for a new hunt; where somebody else saved meanwhile the answer is 409 and nothing was written."""

    title: str = Field(min_length=2, max_length=120)
    kql: str = Field(min_length=1, max_length=100_000)
    description: str = Field("", max_length=_LONG)
    entity: str = Field("tenant", max_length=20)
    sources: list[Source] = Field(default_factory=lambda: list(Source), min_length=1)
    parameters: list[ParameterIn] = Field(default_factory=list, max_length=50)
    require_any: list[str] = Field(default_factory=list, max_length=50)
    time_column: str = Field("", max_length=128)
    techniques: list[str] = Field(default_factory=list, max_length=100)
    meaning: str = Field("", max_length=_LONG)
    false_positives: list[str] = Field(default_factory=list, max_length=100)
    references: list[str] = Field(default_factory=list, max_length=100)
    change: str = Field("", max_length=500)
    edited_from: int = Field(0, ge=0, le=1_000_000)


class HuntVersionOut(Schema):
    number: int
    change: str
    author: str
    created_at: datetime
    approved_by: str
    approved_at: datetime | None
    fingerprint: str = Field(alias="content_hash")
    content: dict[str, Any]

    @staticmethod
    def resolve_author(version: HuntVersion) -> str:
        return version.author.username

    @staticmethod
    def resolve_approved_by(version: HuntVersion) -> str:
        return version.approved_by.username if version.approved_by else ""


class HuntApproval(Schema):
    version: int = Field(ge=1, le=1_000_000, description="The number that you have read.")


class HuntRetirement(Schema):
    reason: str = Field("", max_length=500)


@router.get("/hunts", response=list[HuntOut], summary="The library")
def list_hunts(
    request: HttpRequest, q: str = "", entity: str = "", technique: str = "", review: str = "", origin: str = ""
) -> list[Hunt]:
    """Shipped and saved; retired ones where `review` is `retired`."""
    return shelf.search(q[:200], entity, technique.upper(), review, origin)


@router.get(_HUNT, response=HuntOut, summary="A hunt of the library")
def get_hunt(request: HttpRequest, hunt_id: str) -> Hunt:
    return hunt_or_404(hunt_id)


def hunt_or_404(hunt_id: str) -> Hunt:
    """A hunt by id, a retired one too."""
    hunt = shelf.hunt(hunt_id)
    if hunt is None:
        raise Http404("No such hunt.")
    return hunt


@router.get(f"{_HUNT}/versions", response=list[HuntVersionOut], summary="Every version of a saved hunt, newest first")
def list_versions(request: HttpRequest, hunt_id: str) -> list[HuntVersion]:
    if hunt_or_404(hunt_id).review is Review.SHIPPED:
        raise Http404("A shipped hunt has no versions here.")
    return list(HuntVersion.objects.filter(saved__slug=hunt_id).select_related("author", "approved_by"))


@router.post(f"{_HUNT}/versions", response={201: HuntVersionOut}, summary="Save a hunt, or a version of it")
def save_version(request: HttpRequest, hunt_id: str, body: HuntIn) -> Status[Any]:
    content = body.dict(exclude={"change", "edited_from"})
    content["sources"] = [source.value for source in body.sources if source.value in WRITTEN]
    content["parameters"] = [_written(parameter) for parameter in body.parameters]
    if not content["require_any"]:
        del content["require_any"]
    try:
        version = library.save_hunt(
            actor=person(request), slug=hunt_id, content=content, change=body.change, edited_from=body.edited_from
        )
    except library.Conflict as conflict:
        raise HttpError(409, " ".join(conflict.messages)) from None
    return Status(201, version)


def _written(parameter: ParameterIn) -> dict[str, Any]:
    """As a library file has it: what is not given is not written."""
    found = parameter.dict(exclude_none=True)
    return {key: value for key, value in found.items() if value not in ("", False) or key == "default"}


@router.post(f"{_HUNT}/approval", response=HuntVersionOut, summary="Vouch for the newest version of another person")
def approve_hunt(request: HttpRequest, hunt_id: str, body: HuntApproval) -> HuntVersion:
    access.require_review(person(request))
    version = get_object_or_404(
        HuntVersion.objects.select_related("saved"), saved__slug=hunt_id, number=body.version
    )  # fmt: skip
    return library.approve(version=version, actor=person(request))


@router.post(f"{_HUNT}/retirement", response=HuntOut, summary="Keep a saved hunt out of new runs")
def retire_hunt(request: HttpRequest, hunt_id: str, body: HuntRetirement) -> Hunt:
    saved = get_object_or_404(SavedHunt, slug=hunt_id)
    library.retire(saved=saved, actor=person(request), reason=body.reason)
    return hunt_or_404(hunt_id)


@router.delete(f"{_HUNT}/retirement", response=HuntOut, summary="Bring a retired hunt back")
def restore_hunt(request: HttpRequest, hunt_id: str) -> Hunt:
    saved = get_object_or_404(SavedHunt, slug=hunt_id)
    library.restore(saved=saved, actor=person(request))
    return hunt_or_404(hunt_id)
