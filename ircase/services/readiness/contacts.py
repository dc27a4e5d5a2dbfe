"""Whom to call: kept by administrators and whoever keeps a connection ready, read by the team."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from ircase import secrets
from ircase.models import Contact, ReadinessPlan, User
from ircase.services import log
from ircase.services.analysis.findings import clean

REVIEW: Final = timedelta(days=90)
MOST: Final = 200
_PLAIN: Final = ("name", "role", "hours", "note")
_UNREADABLE: Final = "(cannot be opened with this key)"


@dataclass(frozen=True)
class Line:
    """A contact as it is shown, its telephone and e-mail opened."""

    uuid: UUID
    name: str
    role: str
    phone: str
    email: str
    hours: str
    note: str
    confirmed_at: datetime
    confirmed_by: str

    @property
    def is_old(self) -> bool:
        """Whether nobody has made sure of it for REVIEW."""
        return timezone.now() - self.confirmed_at > REVIEW

    @property
    def dial(self) -> str:
        """The number as a tel: address takes it."""
        return "".join(letter for letter in self.phone if letter in "+0123456789")


def may_keep(user: User) -> bool:
    """Administrators, and owners of a connection's readiness."""
    return user.is_active and (user.administers or ReadinessPlan.objects.filter(owner=user).exists())


def lines() -> list[Line]:
    """All of them in their order. A secret key that was lost hides numbers, never the list."""
    return [_line(row) for row in Contact.objects.select_related("confirmed_by")[:MOST]]


def _line(row: Contact) -> Line:
    return Line(
        row.uuid, row.name, row.role, opened(row.phone_encrypted), opened(row.email_encrypted), row.hours, row.note,
        row.confirmed_at, row.confirmed_by.name,
    )  # fmt: skip


def opened(token: str) -> str:
    """A stored telephone or e-mail in plain text."""
    try:
        return secrets.decrypt(token)
    except ImproperlyConfigured:
        return _UNREADABLE


@transaction.atomic
def save(*, actor: User, contact: Contact | None = None, phone: str = "", email: str = "", **plain: str) -> Contact:
    """A new one at the end of the list, or a change; either way it is confirmed by who saves it. The site log names
    the person, never their number. Raises PermissionDenied, ValidationError."""
    _require_keeper(actor)
    row = contact or Contact(position=_next_place())
    for name in _PLAIN:
        setattr(row, name, clean(plain.get(name, getattr(row, name))).strip())
    phone, email = clean(phone).strip(), clean(email).strip()
    _check(phone, email)
    row.phone_encrypted, row.email_encrypted = secrets.encrypt(phone), secrets.encrypt(email)
    row.confirmed_at, row.confirmed_by = timezone.now(), actor
    row.full_clean(exclude=["confirmed_by"])
    row.save()
    log.record("contact.changed" if contact else "contact.added", actor=actor, name=row.name, role=row.role)
    return row


def _check(phone: str, email: str) -> None:
    if not (phone or email):
        raise ValidationError("A contact needs a telephone number or an e-mail address.")
    if len(phone) > 60:
        raise ValidationError({"phone": "At most 60 characters."})
    if email:
        try:
            validate_email(email)
        except ValidationError as error:
            raise ValidationError({"email": error.messages}) from error


def _next_place() -> int:
    if Contact.objects.count() >= MOST:
        raise ValidationError(f"The list is full: {MOST} contacts. Nobody finds a number in a longer one.")
    last = Contact.objects.aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 1


@transaction.atomic
def confirm(*, actor: User, contacts: Sequence[Contact]) -> int:
    """Somebody made sure that they are true as they stand. Raises PermissionDenied."""
    _require_keeper(actor)
    rows = Contact.objects.filter(pk__in=[one.pk for one in contacts])
    names = list(rows.values_list("name", flat=True))
    rows.update(confirmed_at=timezone.now(), confirmed_by=actor)
    log.record("contact.confirmed", actor=actor, name=", ".join(names)[:500])
    return len(names)


@transaction.atomic
def move(*, actor: User, contact: Contact, by: int) -> None:
    """One place up (`by` -1) or down (1). Raises PermissionDenied."""
    _require_keeper(actor)
    rows = list(Contact.objects.select_for_update())
    place = next(number for number, row in enumerate(rows) if row.pk == contact.pk)
    if not 0 <= place + by < len(rows):
        return
    rows[place], rows[place + by] = rows[place + by], rows[place]
    for number, row in enumerate(rows):
        row.position = number
    Contact.objects.bulk_update(rows, ["position"])
    log.record("contact.moved", actor=actor, name=contact.name, by=by)


@transaction.atomic
def remove(*, actor: User, contact: Contact) -> None:
    """Off the list. Raises PermissionDenied."""
    _require_keeper(actor)
    log.record("contact.removed", actor=actor, name=contact.name, role=contact.role)
    contact.delete()


def _require_keeper(actor: User) -> None:
    if not may_keep(actor):
        raise PermissionDenied("Administrators keep the contacts, and who keeps a connection ready.")


def printed(rows: Sequence[Line], now: datetime) -> dict[str, Any]:
    """What the printed list says."""
    return {
        "made_at": now.strftime("%Y-%m-%d %H:%M UTC"),
        "contacts": [
            {
                "name": row.name, "role": row.role, "phone": row.phone, "email": row.email, "hours": row.hours,
                "note": row.note, "confirmed": row.confirmed_at.strftime("%Y-%m-%d"), "old": row.is_old,
            }
            for row in rows
        ],
    }  # fmt: skip
