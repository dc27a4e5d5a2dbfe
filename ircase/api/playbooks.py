"""Playbooks: the library, its versions and their review; and the playbook of a case."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase import catalogue, libraries, shelf
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner import etags
from ircase.api.paging import Router
from ircase.models import PlaybookVersion, SavedPlaybook
from ircase.services.casework import caseplan
from ircase.services.phases import playbooks

router = Router(tags=["Playbooks"])
_ONE = "/playbooks/{slug}"
_VERSION = "/playbooks/{slug}/versions/{number}"
etags.guard(_ONE, lambda slug: SavedPlaybook.objects.filter(slug=slug), acts=("retirement",))


class PlaybookOut(Schema):
    id: str
    version: int
    title: str


class PlaybookDetail(PlaybookOut):
    """`content` is what its file holds, without `id` and `version`."""

    description: str
    content: dict[str, Any]


class PlaybookVersionOut(Schema):
    """`stage`: draft, reviewed or approved."""

    number: int
    stage: str
    change: str
    author: str
    created_at: datetime
    reviewed_by: str | None
    review: str
    approved_by: str | None

    @staticmethod
    def resolve_author(version: PlaybookVersion) -> str:
        return version.author.username

    @staticmethod
    def resolve_reviewed_by(version: PlaybookVersion) -> str | None:
        return version.reviewed_by.username if version.reviewed_by else None

    @staticmethod
    def resolve_approved_by(version: PlaybookVersion) -> str | None:
        return version.approved_by.username if version.approved_by else None


class PlaybookIn(Schema):
    content: dict[str, Any] = Field(description="Title, description, roles, packs and items, as in an exported file.")
    change: str = Field("", max_length=500, description="What is different.")
    edited_from: int = Field(0, ge=0, le=999_999, description="The version that was edited; 0 for a new playbook.")


class PlaybookReview(Schema):
    words: str = Field(min_length=1, max_length=4000)


class PlaybookRetirement(Schema):
    reason: str = Field("", max_length=500)


class NewerOut(Schema):
    """`missing`: the keys of the items that would be added; `given`: the version that the case has."""

    playbook: str
    version: int
    given: int
    missing: list[str]


class ApplyIn(Schema):
    playbook: str = Field(max_length=64)
    version: int = Field(ge=1, le=999_999, description="As it was shown: another one that came into use is refused.")


class Applied(Schema):
    added: list[str]


@router.get("/playbooks", response=list[PlaybookOut], summary="Templates for a case")
def list_playbooks(request: HttpRequest) -> list[catalogue.Playbook]:
    return shelf.usable()


@router.get(
    _ONE, response=PlaybookDetail, summary="One playbook: the version in use, else the newest; or the one asked for"
)
def get_playbook(request: HttpRequest, slug: str, version: int = 0) -> catalogue.Playbook:
    if version and slug not in catalogue.playbooks():
        row = get_object_or_404(PlaybookVersion, saved__slug=slug, number=version)
        found = shelf.read(slug, row)
    else:
        newest = PlaybookVersion.objects.filter(saved__slug=slug).order_by("-number")
        found = shelf.playbook(slug) or next((shelf.read(slug, row) for row in newest[:1]), None)
    if found is None or (version and found.version != version):
        raise Http404("No such playbook.")
    return found


@router.put(_ONE, response={200: PlaybookVersionOut}, summary="Save the next version, a draft")
def save_playbook(request: HttpRequest, slug: str, body: PlaybookIn) -> PlaybookVersion:
    user = person(request)
    playbooks.require_save(user)
    return playbooks.save_playbook(actor=user, slug=slug, **body.dict())


@router.get(f"{_ONE}/versions", response=list[PlaybookVersionOut], summary="Every version of one of the team's own")
def list_versions(request: HttpRequest, slug: str) -> list[PlaybookVersion]:
    saved = get_object_or_404(SavedPlaybook, slug=slug)
    return list(saved.versions.select_related("author", "reviewed_by", "approved_by"))


def _version(slug: str, number: int) -> PlaybookVersion:
    rows = PlaybookVersion.objects.select_related("saved", "author", "reviewed_by", "approved_by")
    found: PlaybookVersion = get_object_or_404(rows, saved__slug=slug, number=number)
    return found


@router.post(f"{_VERSION}/review", response=PlaybookVersionOut, summary="A second person has read it")
def review(request: HttpRequest, slug: str, number: int, body: PlaybookReview) -> PlaybookVersion:
    user = person(request)
    playbooks.require_save(user)
    return playbooks.review(version=_version(slug, number), actor=user, words=body.words)


@router.post(f"{_VERSION}/approval", response=PlaybookVersionOut, summary="New cases are given it from now on")
def approve(request: HttpRequest, slug: str, number: int) -> PlaybookVersion:
    user = person(request)
    libraries.require_review(user)
    return playbooks.approve(version=_version(slug, number), actor=user)


@router.post(
    f"{_VERSION}/restoration", response=PlaybookVersionOut, summary="An earlier version as the next one, a draft"
)
def bring_back(request: HttpRequest, slug: str, number: int) -> PlaybookVersion:
    user = person(request)
    playbooks.require_save(user)
    return playbooks.bring_back(version=_version(slug, number), actor=user)


@router.post(f"{_ONE}/retirement", response={204: None}, summary="No case is given it any more")
def retire(request: HttpRequest, slug: str, body: PlaybookRetirement) -> Status[None]:
    user = person(request)
    playbooks.require_save(user)
    playbooks.retire(saved=get_object_or_404(SavedPlaybook, slug=slug), actor=user, reason=body.reason)
    return Status(204, None)


@router.delete(f"{_ONE}/retirement", response={204: None}, summary="Offer it again")
def restore(request: HttpRequest, slug: str) -> Status[None]:
    user = person(request)
    playbooks.require_save(user)
    playbooks.restore(saved=get_object_or_404(SavedPlaybook, slug=slug), actor=user)
    return Status(204, None)


@router.get(
    "/cases/{reference}/playbook",
    response={200: NewerOut, 204: None},
    summary="What a newer version of the case's playbook, or a first one, would add",
)
def newer(request: HttpRequest, reference: str, playbook: str = "") -> Status[Any]:
    case = case_of(request, reference)
    chosen = shelf.playbook(playbook) if playbook and not case.playbook else None
    found = caseplan.what_it_adds(case, chosen) if chosen else caseplan.newer(case)
    if found is None:
        return Status(204, None)
    missing = [item.key for item in found.missing]
    plan = found.playbook
    return Status(200, {"playbook": plan.id, "version": plan.version, "given": found.given, "missing": missing})


@router.post("/cases/{reference}/playbook", response=Applied, summary="Add what the case lacks of it")
def apply(request: HttpRequest, reference: str, body: ApplyIn) -> dict[str, list[str]]:
    case = open_case_of(request, reference)
    added = caseplan.apply(case=case, actor=person(request), slug=body.playbook, version=body.version)
    return {"added": added}
