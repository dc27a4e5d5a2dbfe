"""People, as an administrator keeps them: made, given a site role, shut out, let in again."""

from dataclasses import dataclass

from axes.utils import reset
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from ircase.models import CaseMember, CaseRole, Passkey, SecondFactor, TeamMember, User
from ircase.services import log
from ircase.services.identity import sessions, teams
from ircase.services.telling import confirming

EDITABLE = ("first_name", "last_name", "email", "site_role", "time_zone")


@dataclass(frozen=True)
class ResetLink:
    """A way to set a password, for once and a day: `uid` and `token` are the parts of its address."""

    uid: str
    token: str


def link_for(person: User) -> ResetLink:
    """The link. It is made of the password's own hash, so that it stops working once a password is set; any earlier
    one stops with `reset_password`."""
    return ResetLink(urlsafe_base64_encode(force_bytes(person.pk)), default_token_generator.make_token(person))


@transaction.atomic
def create_person(*, person: User, actor: User) -> ResetLink:
    """Save a new person and return the link by which they set their first password. Raises ValidationError."""
    person.set_unusable_password()
    person.full_clean()
    person.save()
    log.record("person.created", actor=actor, user=person.username, site_role=person.site_role)
    return link_for(person)


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
    if "email" in changes:
        confirming.settle(person)
    if "site_role" in changes:
        teams.settle(users=[person.pk])
        sessions.end_all_of(user=person, actor=actor, reason="another site role")
    return person


def _check_role(before: User, role: str) -> None:
    if before.administers:
        _keep_an_administrator(before)
    if role == User.SiteRole.ADMINISTRATOR and TeamMember.objects.filter(user=before).exists():
        raise ValidationError(f"{before.name} is in a team. An administrator is in none: take them out first.")
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
    teams.settle(users=[person.pk])
    if not active:
        sessions.end_all_of(user=person, actor=actor, reason="shut out")
    log.record("person.activated" if active else "person.deactivated", actor=actor, user=person.username)
    return person


@transaction.atomic
def reset_password(*, person: User, actor: User) -> ResetLink:
    """The old password and every session end at once, a lock-out is lifted; the link sets a new password, for once."""
    person.set_unusable_password()
    person.save(update_fields=["password"])
    reset(username=person.username)
    sessions.end_all_of(user=person, actor=actor, reason="password reset")
    log.record("person.password_reset", actor=actor, user=person.username, at=timezone.now().isoformat())
    return link_for(person)


@transaction.atomic
def break_glass(*, username: str, email: str = "") -> ResetLink:
    """An administrator who may use a password whatever the rules of access say: for the day that the organisation's
    sign-in is out of order. Only the command line calls this. Raises ValidationError."""
    person = User.objects.filter(username=username).first() or User(username=username, email=email)
    person.site_role, person.is_active, person.break_glass = User.SiteRole.ADMINISTRATOR, True, True
    person.set_unusable_password()
    person.full_clean()
    person.save()
    SecondFactor.objects.filter(user=person).delete()
    Passkey.objects.filter(user=person).delete()
    TeamMember.objects.filter(user=person).delete()
    teams.settle(users=[person.pk])
    reset(username=person.username)
    sessions.end_all_of(user=person, actor=None, reason="break-glass")
    log.record("person.break_glass", user=person.username)
    return link_for(person)


def _keep_an_administrator(leaving: User) -> None:
    others = User.objects.filter(site_role=User.SiteRole.ADMINISTRATOR, is_active=True).exclude(pk=leaving.pk)
    if not others.exists():
        raise ValidationError("IRCase needs an administrator. Make somebody else one first.")
