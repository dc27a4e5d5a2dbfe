"""Comments on the things of a case. Each kind says how its things are found; apps above register theirs."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import CharField, Count, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Replace
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import Case, Comment, CommentRevision, NoticeCode, User
from ircase.services import log, notices
from ircase.services.writing import mentions
from ircase.services.writing.notes import plain

Row = TypeVar("Row", bound=Model)
MOST_CHARACTERS: Final = 30_000
MOST_TOLD: Final = 200
_KIND: Final = re.compile(r"[a-z-]{1,24}")


@dataclass(frozen=True)
class Subject:
    """What a comment is about: its words, its page, and the people whose it is."""

    title: str
    path: str
    people: tuple[User | None, ...] = field(default=())


@dataclass(frozen=True)
class Kind:
    name: str
    label: str
    find: Callable[[Case, str], Subject | None]


class CommentConflict(Exception):
    """The comment was saved meanwhile; `comment` is as it is now."""

    def __init__(self, comment: Comment) -> None:
        super().__init__("This comment was saved meanwhile. Look at it as it is now, and edit that.")
        self.comment = comment


_kinds: dict[str, Kind] = {}


def register(name: str, label: str, find: Callable[[Case, str], Subject | None]) -> None:
    """Things of the kind `name` can be commented from now on. `find` gets a case and what the URL says, which it SHALL
    distrust, and returns None where the case has no such thing."""
    if not _KIND.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a kind: small letters and hyphens, at most 24.")
    _kinds[name] = Kind(name, label, find)


def kinds() -> list[Kind]:
    return list(_kinds.values())


def label_of(kind: str) -> str:
    return _kinds[kind].label if kind in _kinds else kind


def find(case: Case, kind: str, subject: str) -> Subject | None:
    """The thing of `case`; None where there is none, or nobody knows the kind."""
    known = _kinds.get(kind)
    return known.find(case, subject) if known is not None and 0 < len(subject) <= 255 else None


def uuid_in(text: str) -> UUID:
    """What `find` of a kind with uuids begins with: the nil UUID, which nothing has, where `text` is none as we write
    them. One thing has one name."""
    try:
        found = UUID(text)
    except ValueError:
        return UUID(int=0)
    return found if str(found) == text else UUID(int=0)


def number_in(text: str) -> int | None:
    """The same for a kind whose things have numbers."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def counts(case: Case, things: Mapping[str, Iterable[object]]) -> dict[tuple[str, str], int]:
    """How many comments stand beside each of these things (kind: its subjects), by (kind, subject): one query for
    everything that a page lists. What nobody commented on is left out."""
    wanted = Q()
    for kind, subjects in things.items():
        if names := [str(one) for one in subjects]:
            wanted |= Q(kind=kind, subject__in=names)
    if not wanted:
        return {}
    rows = Comment.objects.filter(wanted, case=case).order_by().values_list("kind", "subject")
    return {(kind, subject): n for kind, subject, n in rows.annotate(n=Count("pk"))}


def tally(case: Case, kind: str = "") -> QuerySet[Any, Any]:
    """Every thing of `case` (of one kind, where given) that has comments, with how many and how many are unresolved."""
    rows = Comment.objects.filter(case=case, **({"kind": kind} if kind else {}))
    unresolved = Count("pk", filter=Q(resolved_at__isnull=True))
    grouped = rows.order_by("kind", "subject").values("kind", "subject")
    return grouped.annotate(comments=Count("pk"), unresolved=unresolved)


def counted(rows: QuerySet[Row], kind: str) -> QuerySet[Row]:
    """`rows`, things of a case with uuids, each with its count: for a list that has no query left. See `beside`."""
    # SQLite keeps a uuid without its hyphens, PostgreSQL shows it with them.
    none, hyphen = Value(""), Value("-")
    named = Replace(Cast(OuterRef("uuid"), CharField()), hyphen, none)
    said = Comment.objects.annotate(plain=Replace("subject", hyphen, none))
    said = said.filter(case=OuterRef("case"), kind=kind, plain=named).order_by()
    many = said.values("kind").annotate(n=Count("pk")).values("n")
    made: Any = rows.annotate(comment_count=Subquery(many))
    found: QuerySet[Row] = made
    return found


def beside(rows: Iterable[Any], kind: str) -> dict[tuple[str, str], int]:
    """What `counts` gives, of rows that were read with `counted`."""
    return {(kind, str(row.uuid)): row.comment_count for row in rows if row.comment_count}


@transaction.atomic
def write(*, case: Case, actor: User, kind: str, subject: str, body: str) -> Comment:
    """A new comment. Raises ValidationError where there is no such thing in the case, or nothing to say."""
    about = find(case, kind, subject)
    if about is None:
        raise ValidationError("The case has no such thing to comment on.")
    comment = Comment(case=case, kind=kind, subject=subject, body=_body(body), author=actor)
    comment.full_clean(exclude=["case", "author", "resolved_by"])
    comment.save()
    _log("written", comment, actor, about)
    _tell(comment, actor, about, "")
    return comment


def edit(*, comment: Comment, actor: User, body: str, version: int) -> Comment:
    """Its author writes it anew; the text before stays. Raises CommentConflict when it is no longer `version`."""
    body = _body(body)
    with transaction.atomic():
        comment = Comment.objects.select_for_update().get(pk=comment.pk)
        if comment.author_id != actor.pk:
            raise ValidationError("Only who wrote a comment edits it. Answer with one of your own.")
        if comment.version != version:
            raise CommentConflict(comment)
        if comment.body == body:
            return comment
        before = comment.body
        CommentRevision.objects.create(
            comment=comment, version=comment.version, body=before, saved_at=comment.edited_at or comment.at
        )
        comment.body, comment.version, comment.edited_at = body, version + 1, timezone.now()
        comment.save(update_fields=["body", "version", "edited_at"])
        about = find(comment.case, comment.kind, comment.subject)
        _log("edited", comment, actor, about, version=comment.version)
        if about is not None:
            _tell(comment, actor, about, before)
    return comment


@transaction.atomic
def resolve(*, comment: Comment, actor: User, resolved: bool) -> Comment:
    """Mark what a comment asks as settled, or open again."""
    comment = Comment.objects.select_for_update().get(pk=comment.pk)
    if (comment.resolved_at is not None) == resolved:
        return comment
    comment.resolved_at, comment.resolved_by = (timezone.now(), actor) if resolved else (None, None)
    comment.save(update_fields=["resolved_at", "resolved_by"])
    _log("resolved" if resolved else "reopened", comment, actor, find(comment.case, comment.kind, comment.subject))
    return comment


def _body(text: str) -> str:
    body = plain(text).strip()
    if not body:
        raise ValidationError({"body": "Write something first."})
    if len(body) > MOST_CHARACTERS:
        raise ValidationError({"body": f"At most {MOST_CHARACTERS:,} characters. A note or an exhibit holds more."})
    return body


def _log(what: str, comment: Comment, actor: User, about: Subject | None, **more: Any) -> None:
    log.record(
        f"comment.{what}", case=comment.case, actor=actor, uuid=str(comment.uuid), kind=comment.kind,
        subject=comment.subject, title=about.title if about else "", **more,
    )  # fmt: skip


def _tell(comment: Comment, actor: User, about: Subject, before: str) -> None:
    """Those who are named, then those whose thing it is and who spoke there before, each once."""
    path = f"{page_of(comment)}#comment-{comment.uuid}"
    reference = comment.case.reference
    named = mentions.tell(
        case=comment.case, actor=actor, before=before, after=comment.body, subject=comment.uuid, word="mention",
        title=f"{actor.name} names you in a comment on {about.title} ({reference})", path=path,
    )  # fmt: skip
    if before:
        return
    spoke = access.people_who_see(comment.case).filter(
        pk__in=Comment.objects.filter(case=comment.case, kind=comment.kind, subject=comment.subject).values("author")
    )
    left_out = {actor.pk, *(person.pk for person in named)}
    concerned = [one for one in (*about.people, *spoke[:MOST_TOLD]) if one is not None and one.pk not in left_out]
    notices.tell(
        code=NoticeCode.COMMENT, people=concerned, case=comment.case, subject=comment.uuid,
        title=f"{actor.name} commented on {about.title} ({reference})", path=path,
    )  # fmt: skip


def page_of(comment: Comment) -> str:
    """The page with all comments on the thing: it is there even where the thing has gone."""
    return reverse("ircase:comments", args=[comment.case.reference, comment.kind, comment.subject])
