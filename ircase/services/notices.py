"""Telling people what came home while they were away: once each, and only on cases that they may see."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from django.db.models import QuerySet
from django.utils import timezone

from ircase import access
from ircase.models import Case, CaseMember, CaseRole, Notice, NoticeCode, User
from ircase.services.telling import outbox
from ircase.services.telling.outbox import News

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
    who is told. What people want outside the app too is put on its way, and the hooks are told once."""
    wanted = [one.pk for one in people]
    seeing = access.people_who_see(case).filter(pk__in=wanted) if wanted else []
    told = set(Notice.objects.filter(person__in=wanted, subject=subject).values_list("person_id", flat=True))
    title = (f"EXERCISE: {title}" if case.exercise else title)[:TITLE]
    new = [
        Notice(person=person, case=case, code=code, subject=subject, title=title, path=path, lines=list(lines))
        for person in seeing
        if person.pk not in told
    ]
    # Of two who tell at once, the constraint lets one through.
    Notice.objects.bulk_create(new, ignore_conflicts=True)
    kept = Notice.objects.filter(uuid__in=[one.uuid for one in new]).select_related("person") if new else []
    outbox.queue(News(code, case, subject, title, path), list(kept))
    return len(new)


def leads_of(case: Case) -> list[User]:
    members = CaseMember.objects.filter(case=case, role=CaseRole.LEAD, user__is_active=True).select_related("user")
    return [member.user for member in members]


def find(person: User, *, code: str = "", case: str = "", unread: bool = False) -> QuerySet[Notice]:
    """Theirs on cases that they may see now, the newest first; of one kind, of one case's reference, unread alone."""
    found = Notice.objects.of(person)
    if unread:
        found = found.unread()
    if code:
        found = found.filter(code=code)
    return found.filter(case__reference=case) if case else found


def members_of(case: Case, *, but: User | None = None) -> list[User]:
    """Everybody with an account in use who is on the case; without the one who did it."""
    members = CaseMember.objects.filter(case=case, user__is_active=True).exclude(user=but).select_related("user")
    return [member.user for member in members]


def mark_unread(*, person: User, notice: Notice) -> None:
    Notice.objects.filter(person=person, pk=notice.pk).update(read_at=None)


def mark_read(*, person: User, notice: Notice | None = None) -> int:
    """One of their notices, or all of them; how many were unread."""
    found = Notice.objects.filter(person=person, read_at=None)
    if notice is not None:
        found = found.filter(pk=notice.pk)
    return found.update(read_at=timezone.now())
