"""The kill switch. Whoever leads a case, or administers, freezes at once; thawing takes an administrator or two leads.

Stopping is safe and must not wait for anybody; starting again is the act that can do harm, so one person's panic may
freeze but one person's haste does not thaw. An administrator is the exception, because the site must not stay frozen
where there is one lead only.

Every worker asks `hold_on` (or `may_send`) right before each call that changes something in a tenant. Between that look
and the call lies the time of one statement: a call already on its way is not called back.
"""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import CaseMember, CaseRole, Connection, User
from ircase.services import log
from liveresponse.models import Freeze

SITE = "site"
LOOK_AGAIN = 15.0
"""Seconds after which a row that waits for a thaw looks again; a thaw wakes all of them anyway."""


def leads_any(user: User) -> bool:
    return CaseMember.objects.filter(user=user, role=CaseRole.LEAD).exists()


def may_freeze(user: User) -> bool:
    """Leads of any case, and administrators."""
    return user.is_active and (user.administers or leads_any(user))


def standing() -> list[Freeze]:
    """What is frozen now, the site first."""
    found = Freeze.objects.standing().select_related("connection", "frozen_by", "thaw_asked_by")
    return sorted(found, key=lambda one: (one.connection is not None, one.frozen_at))


def hold_on(connection: Connection) -> str:
    """Why nothing may go out through `connection` now, in a sentence; "" where it may."""
    found = Freeze.objects.over(connection).select_related("frozen_by", "connection").first()
    if found is None:
        return ""
    what = found.connection.name if found.connection else "Everything"
    return (
        f"Frozen: {what} was frozen by {found.frozen_by.name} at {found.frozen_at:%Y-%m-%d %H:%M} UTC "
        f"({found.reason[:120]}). Waiting until it is thawed."
    )


def may_send(connection: Connection) -> bool:
    """Whether a call that changes something may go out through `connection` at this moment."""
    return not hold_on(connection)


def freeze(*, actor: User, connection: Connection | None, reason: str) -> Freeze:
    """Hold every outgoing action of the site, or of one connection. Raises PermissionDenied or ValidationError."""
    if not may_freeze(actor):
        raise PermissionDenied("Only a lead of a case or an administrator can freeze.")
    why = reason.strip() or "No reason was typed"
    try:
        with transaction.atomic():
            made = Freeze.objects.create(
                scope=str(connection.pk) if connection else SITE, connection=connection, reason=why, frozen_by=actor
            )
            log.record("site.frozen", actor=actor, what=made.what, reason=why)
    except IntegrityError:
        raise ValidationError("This is frozen already.") from None
    return made


@transaction.atomic
def thaw(*, frozen: Freeze, actor: User, reason: str) -> bool:
    """Let go. An administrator does it alone; of leads the first asks and a second agrees. True once it is thawed."""
    row = Freeze.objects.select_for_update().get(pk=frozen.pk)
    if not may_freeze(actor):
        raise PermissionDenied("Only an administrator, or two leads together, can thaw.")
    if row.thawed_at is not None:
        raise ValidationError("This was thawed meanwhile.")
    if not reason.strip():
        raise ValidationError("Say why it is safe to go on.")
    if not actor.administers and (row.thaw_asked_by_id is None or not _still_stands(row)):
        row.thaw_asked_by, row.thaw_asked_at, row.thaw_reason = actor, timezone.now(), reason.strip()
        row.save(update_fields=["thaw_asked_by", "thaw_asked_at", "thaw_reason"])
        log.record("site.thaw_asked", actor=actor, what=row.what, reason=reason)
        return False
    if row.thaw_asked_by_id == actor.pk and not actor.administers:
        raise ValidationError("You have asked already: a second lead, or an administrator, has to agree.")
    second = row.thaw_asked_by.name if row.thaw_asked_by and row.thaw_asked_by_id != actor.pk else ""
    row.thawed_by, row.thawed_at = actor, timezone.now()
    row.thaw_reason = "; ".join(part for part in (row.thaw_reason, reason.strip()) if part)
    row.save(update_fields=["thawed_by", "thawed_at", "thaw_reason"])
    log.record("site.thawed", actor=actor, what=row.what, reason=reason, asked_by=second)
    jobs.enqueue("liveresponse.wake")
    return True


def _still_stands(row: Freeze) -> bool:
    """Whether the lead who asked first may still have a say: who lost that right no longer counts as one of two."""
    return row.thaw_asked_by is not None and may_freeze(row.thaw_asked_by)
