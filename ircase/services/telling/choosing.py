"""What a person wants to be told, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import secrets
from ircase.models import Case, CaseMute, NoticeSettings, User
from ircase.services import log
from ircase.services.telling import hooks
from ircase.telling import rules


@dataclass(frozen=True)
class Wish:
    """Everything that can be chosen. `teams`: a new address, None to keep the one there is, "" to forget it."""

    choices: Mapping[str, Any]
    digest_hour: int = 8
    digest_days: tuple[int, ...] = rules.DAYS
    quiet: bool = False
    quiet_from: time = time(20)
    quiet_until: time = time(7)
    alarm_passes: bool = True
    clock_passes: bool = False
    every_run: bool = False
    every_case: bool = False
    teams: str | None = None


def of(person: User) -> NoticeSettings:
    """How the person is told now; not in the database where they never chose."""
    found = NoticeSettings.objects.filter(person=person).first()
    if found is not None:
        return found
    return NoticeSettings(
        person=person, digest_days=list(rules.DAYS), quiet_from=time(20), quiet_until=time(7),
        every_case=rules.follows_every_case(person, None),
    )  # fmt: skip


@transaction.atomic
def choose(*, person: User, wish: Wish) -> NoticeSettings:
    """Raises ValidationError."""
    if not 0 <= wish.digest_hour <= 23 or not set(wish.digest_days) <= set(range(7)):
        raise ValidationError("A digest has an hour from 0 to 23, and days from 0 (Monday) to 6.")
    if wish.teams and (problem := hooks.problem_of(wish.teams)):
        raise ValidationError({"teams": problem})
    row, _ = NoticeSettings.objects.select_for_update().get_or_create(person=person)
    row.choices = rules.cleaned(wish.choices)
    row.digest_hour, row.digest_days = wish.digest_hour, sorted(set(wish.digest_days))
    row.quiet, row.quiet_from, row.quiet_until = wish.quiet, wish.quiet_from, wish.quiet_until
    row.alarm_passes, row.clock_passes = wish.alarm_passes, wish.clock_passes
    row.every_run, row.every_case = wish.every_run, wish.every_case
    if wish.teams is not None:
        row.teams_encrypted = secrets.encrypt(wish.teams)
    row.full_clean(exclude=["teams_encrypted"])
    row.save()
    log.record("person.notifications", actor=person, user=person.username, teams=bool(row.teams_encrypted))
    return row


@transaction.atomic
def mute(*, person: User, case: Case, on: bool) -> None:
    """Of this case, in the app alone, or again by every channel."""
    if on:
        CaseMute.objects.get_or_create(person=person, case=case)
    else:
        CaseMute.objects.filter(person=person, case=case).delete()


def is_muted(person: User, case: Case) -> bool:
    return CaseMute.objects.filter(person=person, case=case).exists()


def muted_by(person: User) -> list[Case]:
    """The cases that they muted, of those that they may see."""
    muted = CaseMute.objects.filter(person=person).values("case")
    return list(Case.objects.visible_to(person).filter(pk__in=muted).order_by("reference")[:200])


def mail_problem(person: User, chosen: NoticeSettings) -> str:
    """Why no mail can reach them, a sentence; "" where it can."""
    if not settings.EMAIL_HOST:
        return "This IRCase sends no mail: its administrator has set no mail server."
    if not person.email:
        return "There is no e-mail address in your profile."
    return "" if chosen.may_mail(person.email) else f"{person.email} is not confirmed yet: use the link in the mail."
