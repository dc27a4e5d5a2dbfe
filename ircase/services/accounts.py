"""People, as an administrator keeps them: made, given a site role, shut out, let in again."""

import secrets

from axes.utils import reset
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.models import CaseMember, CaseRole, User
from ircase.services import log

# Without the letters and figures that are mistaken for each other when read aloud.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
EDITABLE = ("first_name", "last_name", "email", "site_role", "time_zone")


def one_time_password() -> str:
    """Four groups of five: 99 bits, to be read out or typed once and then replaced."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


@transaction.atomic
def create_person(*, person: User, actor: User) -> str:
    """Save a new person and return their first password, which is stored nowhere. Raises ValidationError."""
    password = one_time_password()
    person.set_password(password)
    person.full_clean()
    person.save()
    log.record("person.created", actor=actor, user=person.username, site_role=person.site_role)
    return password


@transaction.atomic
def edit_person(*, person: User, actor: User) -> User:
    """Save what changed of EDITABLE on `person`. A new role is checked: an administrator and each case's lead stay."""
    before = User.objects.select_for_update().get(pk=person.pk)
    changes = {
        name: [getattr(before, name), getattr(person, name)]
        for name in EDITABLE
        if getattr(before, name) != getattr(person, name)
    }
    if "site_role" in changes:
        _check_role(before, person.site_role)
    person.full_clean(exclude=["password"])
    if changes:
        person.save(update_fields=list(changes))
        log.record("person.changed", actor=actor, user=person.username, changes=changes)
    return person


def _check_role(before: User, role: str) -> None:
    if before.administers:
        _keep_an_administrator(before)
    if role == User.SiteRole.MANAGER and CaseMember.objects.filter(user=before).exclude(role=CaseRole.VIEWER).exists():
        raise ValidationError(
            f"{before.name} writes in cases. A manager only reads: have their leads make them a viewer first."
        )


@transaction.atomic
def set_active(*, person: User, actor: User, active: bool) -> User:
    """Shut a person out, or let them in again. Their sessions and tokens stop working at once."""
    if person.pk == actor.pk:
        raise ValidationError("You cannot shut yourself out. Ask another administrator.")
    if not active and person.administers:
        _keep_an_administrator(person)
    person.is_active = active
    person.save(update_fields=["is_active"])
    log.record("person.activated" if active else "person.deactivated", actor=actor, user=person.username)
    return person


@transaction.atomic
def reset_password(*, person: User, actor: User) -> str:
    """A new password, returned once and stored nowhere; every session of the person ends, and a lock-out is lifted."""
    password = one_time_password()
    person.set_password(password)
    person.save(update_fields=["password"])
    reset(username=person.username)
    log.record("person.password_reset", actor=actor, user=person.username, at=timezone.now().isoformat())
    return password


def _keep_an_administrator(leaving: User) -> None:
    others = User.objects.filter(site_role=User.SiteRole.ADMINISTRATOR, is_active=True).exclude(pk=leaving.pk)
    if not others.exists():
        raise ValidationError("IRCase needs an administrator. Make somebody else one first.")
