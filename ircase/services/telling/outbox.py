"""News put on its way, in the transaction that told it: a row for each channel that somebody wants it by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from ircase import jobs
from ircase.models import (
    Case,
    CaseMember,
    CaseMute,
    Channel,
    Delivery,
    Hook,
    Notice,
    NoticeCode,
    NoticeSettings,
    Timing,
    User,
)
from ircase.telling import moments, rules

TASK: Final = "ircase.send_deliveries"


@dataclass(frozen=True)
class News:
    """What is told: of one case, once for each `subject`."""

    code: NoticeCode
    case: Case
    subject: UUID
    title: str
    path: str


def queue(news: News, notices: Sequence[Notice]) -> int:
    """Put `news` on its way to whoever got one of `notices` and wants it outside too, and to the hooks that are told of
    it; how many deliveries wait now. A handful of queries, however many the people are."""
    now = timezone.now()
    made = [*_to_people(news, notices, now), *_to_hooks(news, now)]
    if made:
        # Of two who tell at once, the constraints let one through.
        Delivery.objects.bulk_create(made, ignore_conflicts=True)
        if any(one.next_at <= now for one in made):
            jobs.enqueue(TASK)
    return len(made)


def settings_of(people: Iterable[User]) -> dict[int, NoticeSettings]:
    """How each of the people is told, by their id; what is usual where they have said nothing."""
    pks = [person.pk for person in people]
    found = {one.person_id: one for one in NoticeSettings.objects.filter(person__in=pks)}
    return {pk: found.get(pk) or NoticeSettings(person_id=pk) for pk in pks}


def roles_on(case: Case, people: Iterable[User]) -> dict[int, str]:
    rows = CaseMember.objects.filter(case=case, user__in=[person.pk for person in people])
    return dict(rows.values_list("user_id", "role"))


def _to_people(news: News, notices: Sequence[Notice], now: datetime) -> list[Delivery]:
    people = [notice.person for notice in notices]
    if not people:
        return []
    chosen, roles = settings_of(people), roles_on(news.case, people)
    muted: set[int] = set()
    if news.code != NoticeCode.ALARM:
        muted = set(CaseMute.objects.filter(case=news.case, person__in=people).values_list("person_id", flat=True))
    return [
        delivery
        for notice in notices
        if notice.person_id not in muted
        for delivery in _to_person(news, notice, chosen[notice.person_id], roles.get(notice.person_id, ""), now)
    ]


def _to_person(news: News, notice: Notice, chosen: NoticeSettings, role: str, now: datetime) -> list[Delivery]:
    person, made = notice.person, []
    for channel in rules.PERSONAL:
        if not can_be_told(person, chosen, channel):
            continue
        timing = rules.timing(person, chosen, role, news.code, channel)
        if timing in (Timing.NOW, Timing.DIGEST):
            at = _when(person, chosen, news.code, timing, now)
            made.append(_delivery(news, channel, at, notice=notice, person=person, digest=timing == Timing.DIGEST))
    return made


def can_be_told(person: User, chosen: NoticeSettings, channel: str) -> bool:
    """Whether there is an address by this channel at all, and it is known to be theirs."""
    if channel == Channel.MAIL:
        return bool(settings.EMAIL_HOST) and chosen.may_mail(person.email)
    return bool(chosen.teams_encrypted)


def _when(person: User, chosen: NoticeSettings, code: str, timing: Timing, now: datetime) -> datetime:
    zone = moments.zone_of(person)
    if timing == Timing.DIGEST:
        return moments.next_digest(chosen, zone, now)
    return moments.not_before(chosen, zone, code, now)


def _to_hooks(news: News, now: datetime) -> list[Delivery]:
    """The case's own hooks, and the site's where the case is ordinary."""
    whose = Q(case=news.case) if news.case.confidential else Q(case=news.case) | Q(case=None)
    hooks = Hook.objects.filter(whose, enabled=True)
    return [_delivery(news, Channel(hook.kind), now, hook=hook) for hook in hooks if news.code in hook.codes]


def _delivery(news: News, channel: Channel, at: datetime, **more: object) -> Delivery:
    fields = {"case": news.case, "code": news.code, "subject": news.subject, "title": news.title, "path": news.path}
    return Delivery(channel=channel, next_at=at, **fields, **more)
