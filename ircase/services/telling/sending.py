"""The worker's side: what is due is sent, tried again with longer waits, and given up aloud.

The right to know is asked again at the moment of sending, and so is the person's wish. A message is claimed before it
is sent: two workers never send it both. One that dies between sending and writing so leaves it to be sent again, with
the same id: who receives can tell.
"""

import logging
import smtplib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.utils import timezone

from ircase import jobs, outgoing, secrets
from ircase.models import Case, CaseMute, Channel, Delivery, NoticeCode, NoticeSettings, Timing
from ircase.outgoing import NotReached
from ircase.services.managing import mailing
from ircase.services.telling import outbox, payload
from ircase.telling import letters, moments, rules, words
from ircase.work import new_owner

logger = logging.getLogger(__name__)
State = Delivery.State
_LEASE: Final = timedelta(minutes=5)
_SECONDS: Final = 240.0
_AT_ONCE: Final = 200
_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True)
class Parcel:
    """What goes as one message: one delivery, or all of a person's digest by one channel. `owner`: who sends it."""

    rows: tuple[Delivery, ...]
    owner: str

    @property
    def target(self) -> tuple[str, int | None, int | None]:
        first = self.rows[0]
        return first.channel, first.hook_id, first.person_id

    def but(self, left_out: Collection[int]) -> "Parcel":
        """Without some of its rows."""
        return Parcel(tuple(row for row in self.rows if row.pk not in left_out), self.owner)

    def still(self, rows: Sequence[Delivery] | None = None) -> QuerySet[Delivery]:
        """Its rows, or some of them, as far as nobody has taken them since."""
        pks = [row.pk for row in (self.rows if rows is None else rows)]
        return Delivery.objects.filter(pk__in=pks, state=State.WAITING, owner=self.owner)


def remind() -> None:
    """Beat's tick: have a worker send what is due; what ended long ago goes. Dead letters stay until somebody looks."""
    if _due().exists():
        jobs.send("ircase.send_deliveries")
    old = timezone.now() - _KEPT
    gone = Delivery.objects.filter(state__in=(State.SENT, State.DROPPED), at__lt=old).values_list("pk", flat=True)
    Delivery.objects.filter(pk__in=list(gone[:_AT_ONCE])).delete()


def send_due() -> int:
    """Send what waits; how many messages arrived. Where one fails, the others to the same address wait for the next
    time; what is left when the time is up is taken by the next tick."""
    until, arrived = time.monotonic() + _SECONDS, 0
    failed: set[object] = set()
    for parcel in _parcels(_due().order_by("next_at", "pk")[:_AT_ONCE], new_owner()):
        if time.monotonic() > until:
            break
        if parcel.target in failed or not (mine := _claimed(parcel)).rows:
            continue
        sent = _send(mine)
        arrived += sent is True
        if sent is False:
            failed.add(parcel.target)
    return arrived


def _due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=State.WAITING, next_at__lte=timezone.now())


def _parcels(rows: Iterable[Delivery], owner: str) -> list[Parcel]:
    found: dict[object, list[Delivery]] = {}
    for row in rows:
        key = (row.person_id, row.channel) if row.digest else row.pk
        found.setdefault(key, []).append(row)
    return [Parcel(tuple(each), owner) for each in found.values()]


def _claimed(parcel: Parcel) -> Parcel:
    """What of it is ours to send now, as the database has it now. Of two workers one gets each row; one that dies
    leaves it due again after the lease."""
    now = timezone.now()
    free = Delivery.objects.filter(pk__in=[row.pk for row in parcel.rows], state=State.WAITING, next_at__lte=now)
    if not free.update(owner=parcel.owner, attempts=F("attempts") + 1, next_at=now + _LEASE):
        return Parcel((), parcel.owner)
    rows = parcel.still().select_related("case__telling", "person__notice_settings", "hook", "notice", "file__monthly")
    return Parcel(tuple(rows.order_by("at", "pk")), parcel.owner)


def _send(parcel: Parcel) -> bool | None:
    """Whether it arrived; None where there was nothing to send."""
    try:
        parcel = _allowed(parcel)
        if not parcel.rows:
            return None
        _hand_over(parcel.rows)
    except NotReached as error:
        _failed(parcel, error)
        return False
    except Exception as error:
        # One message that cannot be made must not hold up all the others behind it.
        logger.exception("delivery.error", extra={"delivery": str(parcel.rows[0].uuid)})
        _failed(parcel, NotReached(f"It could not be made ({type(error).__name__}); the log of the worker has more."))
        return False
    parcel.still().update(state=State.SENT, ended_at=timezone.now(), problem="")
    return True


def _allowed(parcel: Parcel) -> Parcel:
    """What may and shall be sent at this moment; the rest is dropped with the reason, or put off."""
    reasons = _reasons(parcel)
    for reason in set(reasons.values()):
        rows = [row for row in parcel.rows if reasons.get(row.pk) == reason]
        parcel.still(rows).update(state=State.DROPPED, ended_at=timezone.now(), problem=reason)
    left = parcel.but(reasons)
    return left.but(_put_off(left))


def _reasons(parcel: Parcel) -> dict[int, str]:
    first = parcel.rows[0]
    if first.file is not None:
        return {first.pk: reason} if (reason := mailing.reason_against(first)) else {}
    return _not_hook(parcel) if first.person is None else _not_person(parcel)


def _not_hook(parcel: Parcel) -> dict[int, str]:
    row = parcel.rows[0]
    if row.hook is None or not row.hook.enabled:
        return {row.pk: "The hook is switched off."}
    if row.case is not None and row.case.confidential and row.hook.case_id is None:
        return {row.pk: "The case is confidential now: the site's hooks are not told of it."}
    return {}


def _not_person(parcel: Parcel) -> dict[int, str]:
    """Row -> why the person must not get it, or does not want it. Two queries, however many rows there are."""
    person = parcel.rows[0].person
    assert person is not None
    chosen, cases = _settings(parcel.rows[0]), [row.case_id for row in parcel.rows if row.case_id is not None]
    roles = {case.pk: case.my_role for case in Case.objects.visible_to(person).filter(pk__in=cases)}
    muted = set(CaseMute.objects.filter(case__in=cases, person=person).values_list("case_id", flat=True))
    reasons = {}
    for row in parcel.rows:
        if row.case_id not in roles:
            reasons[row.pk] = "They may not see the case any more."
        elif not outbox.can_be_told(person, chosen, row.channel):
            reasons[row.pk] = "They have no address for this channel any more."
        elif (row.case_id in muted and row.code != NoticeCode.ALARM) or (
            rules.timing(person, chosen, roles[row.case_id], row.code, row.channel) == Timing.OFF
        ):
            reasons[row.pk] = "They do not want it any more."
    return reasons


def _put_off(parcel: Parcel) -> list[int]:
    """A try that falls into the person's quiet hours waits for their end, one of a file for the file; it does not
    count."""
    if not parcel.rows or (row := parcel.rows[0]).person is None or row.digest:
        return []
    now = timezone.now()
    later = moments.not_before(_settings(row), moments.zone_of(row.person), row.code, now)
    if later <= now and row.file is not None:
        later = mailing.wait_for(row.file, now)
    if later <= now:
        return []
    parcel.still().update(attempts=F("attempts") - 1, next_at=later)
    return [row.pk]


def _settings(row: Delivery) -> NoticeSettings:
    person = row.person
    assert person is not None
    found: NoticeSettings | None = getattr(person, "notice_settings", None)
    return found or NoticeSettings(person=person)


def _told(rows: Sequence[Delivery]) -> list[words.Word]:
    """What may be said of each; that something waits is said once, however much does."""
    found = [words.of(row) for row in rows]
    bare = [one for one in found if one.bare]
    return [*(one for one in found if not one.bare), *bare[:1]]


def _hand_over(rows: Sequence[Delivery]) -> None:
    """Raises NotReached."""
    first, told = rows[0], _told(rows)
    if first.file is not None:
        made = mailing.letter(first)
        hand_in(made)
        mailing.note_sent(first, made)
        return
    if first.channel == Channel.MAIL and first.person is not None:
        key = str(first.uuid) if len(rows) == 1 else f"{first.uuid}-{len(rows)}"
        send_mail(first.person.email, first.person.name, told, key)
        return
    if first.hook is None:
        body = payload.card(told)
        post(secrets.decrypt(_settings(first).teams_encrypted), body, {})
        return
    hook = first.hook
    body = payload.card(told) if hook.kind == Channel.TEAMS else payload.event(first, told[0])
    headers = payload.signed(hook, first, body) if hook.kind == Channel.WEBHOOK else {}
    post(secrets.decrypt(hook.url_encrypted), body, headers)


def send_mail(to: str, name: str, told: Sequence[words.Word], key: str) -> None:
    """Raises NotReached."""
    hand_in(letters.letter(to, name, told, key))


def hand_in(letter: EmailMessage) -> None:
    """To the mail server. Raises NotReached."""
    try:
        letter.send()
    except smtplib.SMTPRecipientsRefused as error:
        raise NotReached("The mail server does not take mail for this address.") from error
    except smtplib.SMTPResponseException as error:
        raise NotReached(f"The mail server answered {error.smtp_code}.") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotReached(f"The mail server was not reached ({type(error).__name__}).") from error


def post(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Raises NotReached."""
    hosts = frozenset(host.lower() for host in settings.HOOK_PRIVATE_HOSTS)
    outgoing.post(url, body, outgoing.Rules(hosts, headers=headers))


def _failed(parcel: Parcel, error: NotReached) -> None:
    now, waits, first = timezone.now(), settings.DELIVERY_WAITS, parcel.rows[0]
    problem = str(error)[:300]
    for attempts in {row.attempts for row in parcel.rows}:
        mine = parcel.still([row for row in parcel.rows if row.attempts == attempts])
        if attempts > len(waits):
            mine.update(state=State.DEAD, ended_at=now, problem=problem)
        else:
            wait = max(waits[attempts - 1], error.wait)
            mine.update(problem=problem, next_at=now + timedelta(seconds=wait))
    extra = {"delivery": str(first.uuid), "channel": first.channel, "attempts": first.attempts}
    logger.warning("delivery.failed", extra=extra)
