"""Search, saved views, and tags of a case."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import finder
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.finder.answering import Answer, answer
from ircase.finder.asking import Hit
from ircase.models import CaseTag, SavedView
from ircase.services import savedviews
from ircase.services.casework import tags

router = Router(tags=["Search"])


class SearchAsked(Schema):
    q: str = Field(max_length=600, description="The query, as docs/search.md has its language.")
    kind: str = Field("", max_length=16, description="One kind alone, newest first, page by page.")
    after: str = Field("", max_length=100, description="`after` of the page before.")


class HitOut(Schema):
    """`case` is empty for what belongs to no case. `url` is the page in the browser."""

    kind: str
    case: str
    uuid: UUID
    title: str
    snippet: str
    at: datetime
    url: str
    exercise: bool = Field(description="Of a case that is played, not in earnest.")


class AnswerOut(Schema):
    """`more` names kinds that have further finds. `begun`: no whole word fitted, these hold words that begin so.
    `count` is exact up to 1,000 and given where one kind is asked."""

    items: list[HitOut]
    more: list[str]
    begun: bool
    notes: list[str]
    after: str
    count: int | None


def _hit(hit: Hit) -> dict[str, Any]:
    entry = hit.entry
    return {
        "kind": entry.kind,
        "case": entry.case.reference if entry.case else "",
        "uuid": entry.subject,
        "title": entry.title,
        "snippet": "".join(piece.text for piece in hit.snippet),
        "at": entry.at,
        "url": hit.url,
        "exercise": bool(entry.case and entry.case.exercise),
    }


@router.get("/search", response=AnswerOut, summary="Everything of the cases you may see")
def search(request: HttpRequest, asked: Query[SearchAsked]) -> dict[str, Any]:
    found = answer(person(request), finder.cleaned(asked.q), kind=asked.kind, after=asked.after)
    if found.problem is not None:
        problem = found.problem
        raise ValidationError(f"{problem.message} It begins at character {len(problem.before) + 1}.")
    return {
        "items": [_hit(hit) for hit in _hits(found)],
        "more": [group.source.kind for group in found.groups if group.more],
        "begun": found.begun,
        "notes": list(found.notes),
        "after": found.page.after if found.page else "",
        "count": found.page.count if found.page else None,
    }


def _hits(found: Answer) -> list[Hit]:
    if found.page is not None:
        return list(found.page.hits)
    return [hit for group in found.groups for hit in group.hits] + list(found.parts)


class ViewOut(Schema):
    uuid: UUID
    page: str
    name: str
    asked: str
    shared: bool
    pinned: bool
    person: str

    @staticmethod
    def resolve_person(view: SavedView) -> str:
        return view.person.username


class ViewNew(Schema):
    page: SavedView.Page
    name: str = Field(min_length=1, max_length=80)
    asked: str = Field("", max_length=2000, description="The query of the page's address.")
    shared: bool = False
    pinned: bool = False


class Pinning(Schema):
    pinned: bool


@router.get("/views", response=Page[ViewOut], summary="Saved views: yours and the shared ones")
def list_views(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    return page_of(savedviews.usable(person(request)).order_by("page", "name", "pk"), window)


@router.post("/views", response={201: ViewOut}, summary="Save a view")
def save_view(request: HttpRequest, body: ViewNew) -> Status[SavedView]:
    user = person(request)
    made = savedviews.save(person=user, **body.dict())
    return Status(201, savedviews.usable(user).get(pk=made.pk))


@router.patch("/views/{uuid}", response=ViewOut, summary="Pin it among yours, or no more")
def pin_view(request: HttpRequest, uuid: UUID, body: Pinning) -> SavedView:
    user = person(request)
    savedviews.pin(view=get_object_or_404(savedviews.usable(user), uuid=uuid), person=user, pinned=body.pinned)
    return get_object_or_404(savedviews.usable(user), uuid=uuid)


@router.delete("/views/{uuid}", response={204: None}, summary="Remove a view of yours")
def remove_view(request: HttpRequest, uuid: UUID) -> Status[None]:
    user = person(request)
    savedviews.remove(view=get_object_or_404(savedviews.usable(user), uuid=uuid), person=user)
    return Status(204, None)


class TagsIn(Schema):
    tags: list[str] = Field(max_length=tags.MOST)


@router.get("/cases/{reference}/tags", response=list[str], summary="The tags of a case")
def list_tags(request: HttpRequest, reference: str) -> list[str]:
    return list(CaseTag.objects.filter(case=case_of(request, reference)).values_list("name", flat=True))


@router.put("/cases/{reference}/tags", response=list[str], summary="Make these the tags of a case")
def set_tags(request: HttpRequest, reference: str, body: TagsIn) -> list[str]:
    case = open_case_of(request, reference)
    return tags.set_tags(case=case, actor=person(request), names=[name.lower() for name in dict.fromkeys(body.tags)])
