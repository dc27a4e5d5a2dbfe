"""Telling people what came home while they were away: once each, and only on cases that they may see."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from django.utils import timezone

from ircase import access
from ircase.models import Case, CaseMember, CaseRole, Notice, NoticeCode, User

TITLE = 300


def about(subject: UUID, what: str) -> UUID:
    """A subject for one of several things that are told of `subject`: the same for the same words."""
    return uuid5(subject, what)


def tell(
    *,
    code: NoticeCode,
    people: Iterable[User],
    case: Case,
    subject: UUID,
    title: str,
    path: str,
    lines: Sequence[str] = (),
) -> int:
    """One notice for each of the people who may see the case, unless they were told of `subject` before; how many were
    told now. `lines` may hold text from outside. Nobody need be left out for having done it themselves: the caller says
    who is told."""
    wanted = [person for person in {one.pk: one for one in people}.values() if _may_read(person, case)]
    title = f"EXERCISE: {title}" if case.exercise else title
    told = set(Notice.objects.filter(person__in=wanted, subject=subject).values_list("person_id", flat=True))
    new = [
        Notice(person=person, case=case, code=code, subject=subject, title=title[:TITLE], path=path, lines=list(lines))
        for person in wanted
        if person.pk not in told
    ]
    # Of two who tell at once, the constraint lets one through.
    Notice.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _may_read(person: User, case: Case) -> bool:
    return access.still_may(person, case, access.VIEWER)


def leads_of(case: Case) -> list[User]:
    members = CaseMember.objects.filter(case=case, role=CaseRole.LEAD, user__is_active=True).select_related("user")
    return [member.user for member in members]


def mark_read(*, person: User, notice: Notice | None = None) -> int:
    """One of their notices, or all of them; how many were unread."""
    found = Notice.objects.filter(person=person, read_at=None)
    if notice is not None:
        found = found.filter(pk=notice.pk)
    return found.update(read_at=timezone.now())
