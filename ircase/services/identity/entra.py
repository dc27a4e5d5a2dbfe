"""People who come in by Microsoft Entra ID: who they are here, and what their app roles let them do."""

import re
from threading import Lock
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from ircase import secrets
from ircase.models import ApiToken, EntraIdentity, SignInProvider, User
from ircase.models.signin import provider
from ircase.services import log
from ircase.services.identity import sessions, teams
from ircase.services.telling import confirming
from msapi.endpoint import Secret
from msapi.signin import EntraPerson, PeopleSignIn, SignInApp

# Who has several app roles gets the site role that stands first.
PRECEDENCE: Final = (User.SiteRole.ADMINISTRATOR, User.SiteRole.ANALYST, User.SiteRole.MANAGER, User.SiteRole.GUEST)
_lock = Lock()
_ways: dict[tuple[int, str], PeopleSignIn] = {}


class NotLetIn(PermissionDenied):
    """Entra knows them, IRCase does not let them in; the sentence says why and whom to ask. `reason` is for the log."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def app_of(found: SignInProvider) -> SignInApp:
    """What `msapi` needs for sign-in. It holds the secret: keep it out of logs."""
    return SignInApp(
        tenant=found.tenant,
        client_id=found.client_id,
        tenants=frozenset(str(tid) for tid in found.allowed_tenants),
        secret=Secret(secrets.decrypt(found.secret_encrypted)),
        key=Secret(secrets.decrypt(found.key_encrypted)),
        certificate=found.certificate,
        login_url=found.login_url,
        ca_pem=found.ca_pem or None,
    )


def way_in() -> PeopleSignIn | None:
    """The sign-in that is set up, with the tenant's keys it knows by now; None where it is switched off."""
    found = provider()
    if not found.enabled or found.pk is None:
        return None
    key = (found.pk, found.changed_at.isoformat())
    with _lock:
        if key not in _ways:
            _ways.clear()
            _ways[key] = PeopleSignIn(app_of(found))
        return _ways[key]


@transaction.atomic
def _identity(person: EntraPerson) -> EntraIdentity | None:
    return (
        EntraIdentity.objects.select_for_update().select_related("user").filter(tid=person.tid, oid=person.oid).first()
    )


def land(person: EntraPerson) -> User:
    """The person's account here, made at their first sign-in, with the site role that their app roles give now.

    Raises NotLetIn. Then a site role that they had is gone, and with it their sessions and tokens."""
    found = provider()
    try:
        role = _role(found, person)
    except NotLetIn:
        _take_away(person)
        raise
    with transaction.atomic():
        identity = _identity(person)
        user = identity.user if identity else _new(person, role)
        if not user.is_active:
            raise NotLetIn("Your account here is shut out. Ask an IRCase administrator.", "shut out")
        _keep(user, person)
        _give(user, role)
    return user


def _role(found: SignInProvider, person: EntraPerson) -> str:
    if found.guests == SignInProvider.Guests.REFUSE and person.guest is not False:
        raise NotLetIn("Guests of the tenant are not let in here. Ask an IRCase administrator.", "guest")
    mapped = {found.role_map[role] for role in person.app_roles if role in found.role_map}
    best = next((role for role in PRECEDENCE if role in mapped), None)
    if best is None:
        raise NotLetIn(
            "You have signed in at Microsoft, but none of your app roles lets you into IRCase. "
            "Ask for one in the enterprise application of IRCase.",
            "no role",
        )
    return User.SiteRole.GUEST if person.guest and found.guests == SignInProvider.Guests.GUEST else best


def _new(person: EntraPerson, role: str) -> User:
    user = User(username=_free_name(person), site_role=role)
    user.set_unusable_password()
    user.save()
    log.record(
        "person.created", user=user.username, site_role=role, by="Entra", tenant=person.tid, object_id=person.oid
    )
    return user


def _free_name(person: EntraPerson) -> str:
    """A user name that nobody has. That somebody local is called alike makes them nobody's account."""
    wanted = re.sub(r"[^\w.@+-]", "_", person.username.lower())[:140] or f"entra-{person.oid[:8]}"
    taken = set(User.objects.filter(username__istartswith=wanted).values_list("username", flat=True))
    lowered = {name.lower() for name in taken}
    return next(name for n in range(len(lowered) + 1) if (name := f"{wanted}-{n + 1}" if n else wanted) not in lowered)


def _keep(user: User, person: EntraPerson) -> None:
    first, _, last = person.name.partition(" ")
    user.first_name, user.last_name, user.email = first[:150], last[:150], person.email
    user.save(update_fields=["first_name", "last_name", "email"])
    confirming.settle(user)
    EntraIdentity.objects.update_or_create(
        tid=person.tid,
        oid=person.oid,
        defaults={
            "user": user,
            "shown_name": person.username,
            "app_roles": sorted(person.app_roles),
            "guest": bool(person.guest),
            "seen_at": timezone.now(),
        },
    )


def _give(user: User, role: str) -> None:
    if user.site_role == role:
        return
    before, user.site_role = user.site_role, role
    user.save(update_fields=["site_role"])
    log.record("person.changed", user=user.username, by="Entra", changes={"site_role": [before, role]})
    sessions.end_all_of(user=user, actor=None, reason="another site role")
    teams.settle(users=[user.pk])


@transaction.atomic
def _take_away(person: EntraPerson) -> None:
    identity = _identity(person)
    if identity is None:
        return
    user = identity.user
    _give(user, User.SiteRole.GUEST)
    sessions.end_all_of(user=user, actor=None, reason="no app role")
    now = timezone.now()
    gone = ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
    if gone:
        log.record("token.revoked", user=user.username, name=f"all {gone}", reason="no app role")
