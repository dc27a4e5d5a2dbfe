"""Whether the address that news goes to is the person's own: a link is sent there, and nothing else before it is used.

An address that an administrator or Entra gave is taken as it is. One that the person typed waits in their settings.
"""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from ircase import jobs
from ircase.models import NoticeSettings, User
from ircase.outgoing import NotReached
from ircase.services import log
from ircase.services.telling import sending
from ircase.telling import letters
from ircase.telling.words import absolute

LASTS: Final = timedelta(hours=24)
PAUSE: Final = timedelta(minutes=1)
"""Between two links to one address."""
_SALT: Final = "ircase.address"
_OVER: Final = "This link is over: it was used, another one was sent after it, or a day has passed."


@transaction.atomic
def begin(person: User) -> None:
    """The person typed their address: nothing goes there until the link in the mail was used. Without an address
    nothing waits."""
    _mark(person, person.email)
    if person.email:
        jobs.enqueue("ircase.confirm_address", person.pk)


def settle(person: User) -> None:
    """Their address is one that an administrator or Entra gave."""
    NoticeSettings.objects.filter(person=person).update(mail_waits="", mail_asked_at=None)


@transaction.atomic
def again(person: User) -> None:
    """Another link; the one before works no more. Raises ValidationError."""
    row = NoticeSettings.objects.select_for_update().filter(person=person).first()
    if row is None or not row.waits_for_address or row.mail_waits.lower() != person.email.lower():
        raise ValidationError("Your address waits for no confirmation.")
    if not settings.EMAIL_HOST:
        raise ValidationError("This IRCase sends no mail: its administrator has set no mail server.")
    if row.mail_asked_at and timezone.now() - row.mail_asked_at < PAUSE:
        raise ValidationError("A link was sent a moment ago. Look for it, or ask again in a minute.")
    begin(person)


def send(person: User) -> None:
    """What the worker does. How it went stands on the person's page."""
    row = NoticeSettings.objects.filter(person=person).first()
    if row is None or not row.waits_for_address or row.mail_waits.lower() != person.email.lower():
        return
    if not settings.EMAIL_HOST:
        _note(row, "This IRCase sends no mail: its administrator has set no mail server.")
        return
    url = absolute(reverse("ircase:address_confirm", args=[token_of(row)]))
    key = f"address-{person.pk}-{timezone.now():%Y%m%d%H%M%S}"
    try:
        sending.hand_in(letters.of_address(row.mail_waits, person.name, person.username, url, key))
    except NotReached as error:
        _note(row, str(error))
    else:
        _note(row, "sent")


def token_of(row: NoticeSettings) -> str:
    """What the link holds: whose, which address, and when it was asked for; signed."""
    assert row.mail_asked_at is not None
    return signing.dumps([row.person_id, row.mail_waits, row.mail_asked_at.isoformat()], salt=_SALT)


@transaction.atomic
def confirm(*, person: User, token: str) -> None:
    """The person used the link, while signed in. Raises ValidationError for one that is over, or is another's."""
    row = NoticeSettings.objects.select_for_update().filter(person=person).first()
    if row is None or not _fits(row, person, _said(token)):
        raise ValidationError(_OVER)
    row.mail_waits, row.mail_asked_at = "", None
    row.tried = {name: how for name, how in row.tried.items() if name != "address"}
    row.save(update_fields=["mail_waits", "mail_asked_at", "tried"])
    log.record("person.address_confirmed", actor=person, user=person.username)


def _fits(row: NoticeSettings, person: User, said: Any) -> bool:
    asked = row.mail_asked_at
    if not row.waits_for_address or asked is None or timezone.now() - asked > LASTS:
        return False
    return row.mail_waits.lower() == person.email.lower() and said == [person.pk, row.mail_waits, asked.isoformat()]


def _said(token: str) -> Any:
    try:
        return signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return None


def _mark(person: User, address: str) -> None:
    row, _ = NoticeSettings.objects.select_for_update().get_or_create(person=person)
    row.mail_waits, row.mail_asked_at = address, timezone.now() if address else None
    row.tried = {name: how for name, how in row.tried.items() if name != "address"}
    row.save(update_fields=["mail_waits", "mail_asked_at", "tried"])


def _note(row: NoticeSettings, state: str) -> None:
    row.tried = {**row.tried, "address": {"state": state, "at": timezone.now().isoformat()}}
    row.save(update_fields=["tried"])
