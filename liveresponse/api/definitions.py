"""The library of collections over HTTP: what can be collected, and what the team writes, in versions."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from ircase.api.auth import person
from ircase.api.paging import Router
from liveresponse import access, shelf
from liveresponse.catalogue import ParameterError, to_yaml
from liveresponse.models import CollectionVersion, SavedCollection
from liveresponse.services import definitions

router = Router(tags=["Live Response"])
_ONE = "/collection-definitions/{definition_id}"


class DefinitionOut(Schema):
    """`review`: shipped, draft, approved or retired. `version` is the one in use, 0 while none is; `newest` the last
    one saved."""

    id: str
    review: str
    version: int
    newest: int
    title: str
    description: str
    changes: str
    approval: str
    needs_approval: bool
    script: str
    files: list[str]
    platforms: list[str]
    parameters: list[str]


class DefinitionDetail(DefinitionOut):
    """`content` is the definition as its file has it, `yaml` that file."""

    content: dict[str, Any]
    yaml: str


class ContentIn(Schema):
    """A version's content: what a file holds, without `id` and `version`. `edited_from` is the number of the version
    that you changed, 0 for a new one; where somebody else saved meanwhile the answer is 409 and nothing was written."""

    content: dict[str, Any]
    change: str = Field("", max_length=500)
    edited_from: int = Field(0, ge=0, le=1_000_000)


class DefinitionVersionOut(Schema):
    number: int
    needs_review: bool
    change: str
    author: str
    created_at: datetime
    approved_by: str
    approved_at: datetime | None
    content: dict[str, Any]

    @staticmethod
    def resolve_author(version: CollectionVersion) -> str:
        return version.author.username

    @staticmethod
    def resolve_approved_by(version: CollectionVersion) -> str:
        return version.approved_by.username if version.approved_by else ""


class ValuesIn(Schema):
    parameters: dict[str, Any] = {}


class SentOut(Schema):
    """A request to Defender: what is not known before the collection runs stands in braces."""

    title: str
    path: str
    body: dict[str, Any]


class DefinitionApproval(Schema):
    version: int = Field(ge=1, le=1_000_000, description="The number that you have read.")


class DefinitionRetirement(Schema):
    reason: str = Field("", max_length=500)


def _entry(definition_id: str) -> shelf.Entry:
    entry = shelf.entry(definition_id)
    if entry is None or entry.shown is None:
        raise Http404("No such collection.")
    return entry


def _out(entry: shelf.Entry) -> dict[str, Any]:
    plan = entry.shown
    assert plan is not None
    return {
        "id": entry.id, "review": entry.review.value, "version": entry.used.version if entry.used else 0,
        "newest": entry.newest.version if entry.newest else plan.version, "title": plan.title,
        "description": plan.description, "changes": plan.changes, "approval": plan.approval,
        "needs_approval": plan.needs_approval, "script": plan.script, "files": list(plan.files),
        "platforms": list(plan.platforms), "parameters": [parameter.name for parameter in plan.parameters],
        "content": dict(plan.content), "yaml": to_yaml(plan.content),
    }  # fmt: skip


@router.get("/collection-definitions", response=list[DefinitionOut], summary="Everything that can be collected")
def list_definitions(request: HttpRequest, retired: bool = False) -> list[dict[str, Any]]:
    """Shipped and saved; retired ones too where asked for."""
    return [_out(entry) for entry in shelf.entries(retired=retired) if entry.shown is not None]


@router.get(_ONE, response=DefinitionDetail, summary="A collection, as it is used now")
def get_definition(request: HttpRequest, definition_id: str) -> dict[str, Any]:
    return _out(_entry(definition_id))


@router.post(f"{_ONE}/preview", response=list[SentOut], summary="What would be sent with these parameters")
def preview_definition(request: HttpRequest, definition_id: str, body: ValuesIn) -> list[dict[str, Any]]:
    plan = _entry(definition_id).shown
    assert plan is not None
    try:
        sent = plan.preview(plan.clean(body.parameters))
    except ParameterError as error:
        raise ValidationError(str(error)) from error
    return [{"title": step.title, "path": step.path, "body": dict(step.body)} for step in sent]


@router.get(
    f"{_ONE}/versions", response=list[DefinitionVersionOut], summary="Every version of a saved collection, newest first"
)
def list_versions(request: HttpRequest, definition_id: str) -> list[CollectionVersion]:
    saved = get_object_or_404(SavedCollection, slug=definition_id)
    return list(saved.versions.select_related("author", "approved_by"))


@router.post(
    f"{_ONE}/versions",
    response={201: DefinitionVersionOut},
    summary="Save a collection, or a version",
)
def save_version(request: HttpRequest, definition_id: str, body: ContentIn) -> Status[Any]:
    try:
        version = definitions.save_collection(
            actor=person(request),
            slug=definition_id,
            content=body.content,
            change=body.change,
            edited_from=body.edited_from,
        )
    except definitions.Conflict as conflict:
        raise HttpError(409, " ".join(conflict.messages)) from None
    return Status(201, version)


@router.post(
    f"{_ONE}/approval", response=DefinitionVersionOut, summary="Vouch for the newest version of another person"
)
def approve_definition(request: HttpRequest, definition_id: str, body: DefinitionApproval) -> CollectionVersion:
    access.require_review(person(request))
    rows = CollectionVersion.objects.filter(saved__slug=definition_id)
    return definitions.approve(version=get_object_or_404(rows, number=body.version), actor=person(request))


@router.post(f"{_ONE}/retirement", response=DefinitionDetail, summary="Keep a saved collection out of new jobs")
def retire_definition(request: HttpRequest, definition_id: str, body: DefinitionRetirement) -> dict[str, Any]:
    saved = get_object_or_404(SavedCollection, slug=definition_id)
    definitions.retire(saved=saved, actor=person(request), reason=body.reason)
    return _out(_entry(definition_id))


@router.delete(f"{_ONE}/retirement", response=DefinitionDetail, summary="Bring a retired collection back")
def restore_definition(request: HttpRequest, definition_id: str) -> dict[str, Any]:
    saved = get_object_or_404(SavedCollection, slug=definition_id)
    definitions.restore(saved=saved, actor=person(request))
    return _out(_entry(definition_id))
