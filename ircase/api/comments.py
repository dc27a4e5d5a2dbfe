"""Comments on the things of a case."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner.errors import problem
from ircase.api.matching import IF_MATCH, NOT_MATCHED, tagged, wanted_version
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Comment
from ircase.services.writing import comments

router = Router(tags=["Comments"])
_COMMENT = "/cases/{reference}/comments/{uuid}"


class CommentOut(Schema):
    uuid: UUID
    kind: str
    subject: str
    body: str
    version: int
    author: str
    at: datetime
    edited_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None

    @staticmethod
    def resolve_author(comment: Comment) -> str:
        return comment.author.username

    @staticmethod
    def resolve_resolved_by(comment: Comment) -> str | None:
        return comment.resolved_by.username if comment.resolved_by else None


class CommentNew(Schema):
    kind: str = Field(min_length=1, max_length=24, description="As GET /comment-kinds lists them.")
    subject: str = Field(min_length=1, max_length=255, description="The thing's uuid, number, hash or name.")
    body: str = Field(min_length=1, max_length=comments.MOST_CHARACTERS)


class CommentSave(Schema):
    body: str = Field(min_length=1, max_length=comments.MOST_CHARACTERS)
    version: int | None = Field(None, description="The version it replaces, where If-Match does not say. Else 409.")


class Resolving(Schema):
    resolved: bool


class CommentKindOut(Schema):
    name: str
    label: str


class Kinds(Schema):
    kind: str = Field("", max_length=24)


class Filter(Kinds):
    subject: str = Field("", max_length=255)
    resolved: bool | None = None


class CommentCountOut(Schema):
    """One thing that was commented on."""

    kind: str
    subject: str = Field(description="The thing's uuid, number, hash or name.")
    comments: int
    unresolved: int


class CommentRevisionOut(Schema):
    version: int
    body: str
    saved_at: datetime


@router.get("/comment-kinds", response=list[CommentKindOut], summary="What can be commented")
def list_kinds(request: HttpRequest) -> list[comments.Kind]:
    return comments.kinds()


@router.get("/cases/{reference}/comments", response=Page[CommentOut], summary="The comments, the first one first")
def list_comments(request: HttpRequest, reference: str, window: Query[Window], asked: Query[Filter]) -> dict[str, Any]:
    rows = Comment.objects.filter(case=case_of(request, reference)).select_related("author", "resolved_by")
    rows = rows.filter(**{name: value for name, value in (("kind", asked.kind), ("subject", asked.subject)) if value})
    if asked.resolved is not None:
        rows = rows.filter(resolved_at__isnull=not asked.resolved)
    return page_of(rows, window)


@router.get(
    "/cases/{reference}/comment-counts",
    response=Page[CommentCountOut],
    summary="How many comments stand beside each thing of the case; things without one are left out",
)
def list_counts(request: HttpRequest, reference: str, window: Query[Window], asked: Query[Kinds]) -> dict[str, Any]:
    return page_of(comments.tally(case_of(request, reference), asked.kind), window)


@router.post("/cases/{reference}/comments", response={201: CommentOut}, summary="Comment on a thing of the case")
def write_comment(request: HttpRequest, response: HttpResponse, reference: str, body: CommentNew) -> Status[Comment]:
    case = open_case_of(request, reference)
    made = comments.write(case=case, actor=person(request), kind=body.kind, subject=body.subject, body=body.body)
    return Status(201, tagged(response, made))


def _find(request: HttpRequest, reference: str, uuid: UUID, *, writes: bool = False) -> Comment:
    case = open_case_of(request, reference) if writes else case_of(request, reference)
    return get_object_or_404(Comment.objects.select_related("author", "resolved_by"), case=case, uuid=uuid)


@router.get(_COMMENT, response=CommentOut, summary="One comment; its ETag names its version")
def get_comment(request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID) -> Comment:
    return tagged(response, _find(request, reference, uuid))


@router.put(_COMMENT, response=CommentOut, summary="Its author writes it anew", openapi_extra=IF_MATCH)
def edit_comment(request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID, body: CommentSave) -> Any:
    comment = _find(request, reference, uuid, writes=True)
    version, by_header = wanted_version(request, body.version)
    try:
        saved = comments.edit(comment=comment, actor=person(request), body=body.body, version=version)
    except comments.CommentConflict as conflict:
        now = {"version": conflict.comment.version, "body": conflict.comment.body}
        return problem(request, 412 if by_header else 409, NOT_MATCHED, **now)
    return tagged(response, saved)


@router.post(f"{_COMMENT}/resolve", response=CommentOut, summary="Settled, or open again")
def resolve_comment(
    request: HttpRequest, response: HttpResponse, reference: str, uuid: UUID, body: Resolving
) -> Comment:
    comment = _find(request, reference, uuid, writes=True)
    return tagged(response, comments.resolve(comment=comment, actor=person(request), resolved=body.resolved))


@router.get(f"{_COMMENT}/revisions", response=Page[CommentRevisionOut], summary="The texts that it had before")
def list_comment_revisions(request: HttpRequest, reference: str, uuid: UUID, window: Query[Window]) -> dict[str, Any]:
    return page_of(_find(request, reference, uuid).revisions.all(), window)
