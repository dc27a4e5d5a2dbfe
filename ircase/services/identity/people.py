"""A person's own account: name and zone, password, and the tokens that programs use in their name."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ircase.addresses import is_inside
from ircase.models import ApiToken, Scope, User
from ircase.models.signin import policy
from ircase.services import log
from ircase.services.telling import confirming

PREFIX = "irc_"
MOST_TOKENS = 20
MOST_NETWORKS = 20
DEFAULT_DAYS = 90
# A token is used many times a second by a script; one write a minute is enough to see whether it is alive.
_USE_NOTED_EVERY = timedelta(minutes=1)


def digest_of(text: str) -> str:
    """SHA-256 of a token's text, in lower-case hexadecimal. A token is 256 random bits, so it needs no salt."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def create_token(
    *,
    user: User,
    name: str,
    expires_at: datetime | None = None,
    scopes: Sequence[str] = tuple(Scope.values),
    networks: Sequence[str] = (),
    actor: User | None = None,
) -> tuple[ApiToken, str]:
    """A new bearer token of `user` and its text, which is stored nowhere: show it once. Raises ValidationError.

    Every token ends: after 90 days where `expires_at` is None, and never later than the rules of access allow."""
    if not user.is_active:
        raise ValidationError("This account is not active; it can have no token.")
    ends = _checked_end(expires_at)
    if live_tokens(user).count() >= MOST_TOKENS:
        raise ValidationError(f"{MOST_TOKENS} tokens are enough. Revoke one that is no longer used.")
    if not scopes or set(scopes) - set(Scope.values):
        raise ValidationError(f"Say what the token is for: {', '.join(Scope.values)}.")
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(user=user, name=name.strip(), digest=digest_of(text), expires_at=ends)
    token.scopes = [scope for scope in Scope.values if scope in scopes]
    token.networks = _checked_networks(networks)
    token.full_clean(exclude=["user"])
    token.save()
    log.record(
        "token.created",
        actor=actor or user,
        user=user.username,
        name=token.name,
        expires=ends.isoformat(),
        scopes=token.scopes,
        networks=token.networks,
    )
    return token, text


def _checked_end(wanted: datetime | None) -> datetime:
    now, most = timezone.now(), policy().token_days
    ends = wanted or now + timedelta(days=min(DEFAULT_DAYS, most))
    if ends <= now:
        raise ValidationError("The token would have expired already. Choose a later day.")
    if ends > now + timedelta(days=most, minutes=1):
        raise ValidationError(f"A token lives {most} days at most. Choose an earlier day.")
    return ends


def _checked_networks(texts: Sequence[str]) -> list[str]:
    found = []
    for text in texts:
        try:
            found.append(str(ip_network(text.strip(), strict=False)))
        except ValueError:
            raise ValidationError(f"{text.strip()[:60]} is no network. Write 192.0.2.0/24 or one address.") from None
    if len(found) > MOST_NETWORKS:
        raise ValidationError(f"{MOST_NETWORKS} networks are enough.")
    return found


def find_token(text: str, address: str = "") -> ApiToken | None:
    """The token of that text with its `user`, if it may be used now and from `address`. That it was used is noted once
    a minute, and in the log once a day."""
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(text)).first()
    now = timezone.now()
    if token is None or token.revoked_at is not None or not token.user.is_active or token.expires_at <= now:
        return None
    if not is_inside(address, token.networks):
        return None
    if token.last_used_at is None or now - token.last_used_at > _USE_NOTED_EVERY:
        _note_use(token, now, address)
    return token


def _note_use(token: ApiToken, now: datetime, address: str) -> None:
    day = now.astimezone(UTC).date()
    known = token.last_used_at
    # Of two requests at once one wins the row, and only that one writes into the log.
    noted = ApiToken.objects.filter(pk=token.pk, last_used_at=known).update(last_used_at=now)
    if noted and (known is None or known.astimezone(UTC).date() != day):
        log.record("token.used", actor=token.user, name=token.name, day=day.isoformat(), address=address)


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: User) -> None:
    """End a token at once. Doing it twice changes nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        log.record("token.revoked", actor=actor, user=token.user.username, name=token.name)


def live_tokens(user: User) -> QuerySet[ApiToken]:
    """Those that are not revoked, ended ones among them: whoever looks for why a script has stopped finds them."""
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-created_at")


def working_tokens(user: User) -> QuerySet[ApiToken]:
    """Those that open something today, if the person is let in."""
    return live_tokens(user).filter(expires_at__gt=timezone.now())


@transaction.atomic
def edit_profile(*, user: User, first_name: str, last_name: str, email: str, time_zone: str) -> User:
    """What a person may change about themselves: never their user name or site role. Another address is used once it
    is confirmed."""
    moved = email.lower() != User.objects.select_for_update().get(pk=user.pk).email.lower()
    user.first_name, user.last_name, user.email, user.time_zone = first_name, last_name, email, time_zone
    user.full_clean(exclude=["password", "username"])
    user.save(update_fields=["first_name", "last_name", "email", "time_zone"])
    log.record("person.profile_changed", actor=user, user=user.username, time_zone=time_zone)
    if moved:
        confirming.begin(user)
    return user


@transaction.atomic
def change_password(*, user: User, password: str) -> User:
    """Set a password that the form has checked. The log keeps that it happened, nothing of what it is."""
    user.set_password(password)
    user.save(update_fields=["password"])
    log.record("person.password_changed", actor=user, user=user.username)
    return user


def choose_checklist_view(*, user: User, view: str) -> None:
    """How they read checklists from now on: `r2` or `csf`. A matter of taste, so the log does not keep it."""
    user.checklist_view = view
    user.full_clean(exclude=["password"])
    user.save(update_fields=["checklist_view"])
