"""What Django and django-axes tell of people coming in, kept in the log."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from ircase.addresses import address_of, device_of
from ircase.models import User
from ircase.services import log
from ircase.services.identity import sessions

UNKNOWN = "(no such account)"


@receiver(user_logged_in)
def came_in(request: HttpRequest, user: User, **_: Any) -> None:
    method, sid, proved_at = getattr(request, "sign_in_by", ("", "", None))
    sessions.begin(request=request, user=user, method=method, entra_sid=sid, proved_at=proved_at)


@receiver(user_logged_out)
def went(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        sessions.close(request)
        log.record("sign_in.signed_out", actor=user)


@receiver(user_login_failed)
def was_refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody who is no account is not named: people type their password into that field."""
    if request is None:
        return
    user = User.objects.filter(username=str(credentials.get("username", ""))[:150]).first()
    log.record(
        "sign_in.failed",
        user=user.username if user else UNKNOWN,
        address=address_of(request),
        device=device_of(request),
    )


@receiver(user_locked_out)
def was_locked_out(request: HttpRequest, username: str = "", **_: Any) -> None:
    user = User.objects.filter(username=str(username)[:150]).first()
    log.record("sign_in.locked_out", user=user.username if user else UNKNOWN, address=address_of(request))
