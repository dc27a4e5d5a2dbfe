"""A person's own account: name and zone, password, and the tokens that programs use in their name."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ircase.models import ApiToken, User
from ircase.services import log

PREFIX = "irc_"
MOST_TOKENS = 20
# A token is used many times a second by a script; one write a minute is enough to see whether it is alive.
_USE_NOTED_EVERY = timedelta(minutes=1)


def digest_of(text: str) -> str:
    """SHA-256 of a token's text, in lower-case hexadecimal. A token is 256 random bits, so it needs no salt."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def create_token(
    *, user: User, name: str, expires_at: datetime | None = None, actor: User | None = None
) -> tuple[ApiToken, str]:
    """A new bearer token of `user` and its text, which is stored nowhere: show it once. Raises ValidationError."""
    if not user.is_active:
        raise ValidationError("This account is not active; it can have no token.")
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError("The token would have expired already. Choose a later day.")
    if live_tokens(user).count() >= MOST_TOKENS:
        raise ValidationError(f"{MOST_TOKENS} tokens are enough. Revoke one that is no longer used.")
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(user=user, name=name.strip(), digest=digest_of(text), expires_at=expires_at)
    token.full_clean(exclude=["user"])
    token.save()
    log.record(
        "token.created",
        actor=actor or user,
        user=user.username,
        name=token.name,
        expires=expires_at.isoformat() if expires_at else None,
    )
    return token, text


def find_token(text: str) -> ApiToken | None:
    """The token of that text with its `user`, if it may be used now. That it was used is noted, once a minute."""
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(text)).first()
    now = timezone.now()
    if token is None or token.revoked_at is not None or not token.user.is_active:
        return None
    if token.expires_at is not None and token.expires_at <= now:
        return None
    if token.last_used_at is None or now - token.last_used_at > _USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: User) -> None:
    """End a token at once. Doing it twice changes nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        log.record("token.revoked", actor=actor, user=token.user.username, name=token.name)


def live_tokens(user: User) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-created_at")


@transaction.atomic
def edit_profile(*, user: User, first_name: str, last_name: str, email: str, time_zone: str) -> User:
    """What a person may change about themselves: never their user name or site role."""
    user.first_name, user.last_name, user.email, user.time_zone = first_name, last_name, email, time_zone
    user.full_clean(exclude=["password", "username"])
    user.save(update_fields=["first_name", "last_name", "email", "time_zone"])
    log.record("person.profile_changed", actor=user, user=user.username, time_zone=time_zone)
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
