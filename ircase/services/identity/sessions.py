"""Signed-in browsers: noted when they begin, listed, and ended, one or all.

Django's session row is the truth; ours says what it is. To end a session its row is deleted, so that no request asks
for more than it did. A person's role is read with every request: it holds at once, whatever a session remembers."""

import time
from datetime import timedelta
from typing import Final

from django.contrib.auth import update_session_auth_hash
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ircase.addresses import address_of, device_of
from ircase.models import SessionRecord, User
from ircase.services import log

FRESH: Final = "fresh_at"
SEEN: Final = "seen_at"
METHOD: Final = "method"
FRESH_SECONDS: Final = 15 * 60
_SEEN_EVERY: Final = 5 * 60
_KEPT: Final = timedelta(days=90)


@transaction.atomic
def begin(
    *, request: HttpRequest, user: User, method: str = "", entra_sid: str = "", proved_at: int | None = None
) -> SessionRecord:
    """Note the session that was just opened. `proved_at`: when they proved who they are (seconds), if not just now."""
    method = method or SessionRecord.Method.PASSWORD
    session = request.session
    session[SEEN] = int(time.time())
    refresh(request, proved_at)
    session[METHOD] = method
    if session.session_key is None:
        session.create()
    # Of what is long over the log keeps that it was.
    SessionRecord.objects.filter(user=user, expires_at__lt=timezone.now() - _KEPT).delete()
    record = SessionRecord.objects.create(
        user=user,
        session_key=session.session_key or "",
        method=method,
        device=device_of(request),
        address=address_of(request),
        entra_sid=entra_sid,
        expires_at=session.get_expiry_date(),
    )
    log.record("sign_in.succeeded", actor=user, method=record.method, device=record.device, address=record.address)
    return record


def note_seen(request: HttpRequest) -> None:
    """Keep when a session was last used, every five minutes and no oftener."""
    seen = request.session.get(SEEN)
    if not isinstance(seen, int) or time.time() - seen < _SEEN_EVERY:
        return
    request.session[SEEN] = int(time.time())
    found = SessionRecord.objects.filter(session_key=request.session.session_key, ended_at=None)
    found.update(seen_at=timezone.now(), address=address_of(request), expires_at=request.session.get_expiry_date())


def is_fresh(request: HttpRequest) -> bool:
    """Whether who sits there has proved who they are within the last 15 minutes."""
    at = request.session.get(FRESH)
    return isinstance(at, int) and 0 <= time.time() - at < FRESH_SECONDS


def refresh(request: HttpRequest, proved_at: int | None = None) -> None:
    """They have proved it: at `proved_at`, in seconds, or just now. (Another clock may be ahead of ours.)"""
    now = int(time.time())
    request.session[FRESH] = now if proved_at is None else min(proved_at, now)


def live(user: User) -> QuerySet[SessionRecord]:
    """Their sessions that go on, the last used first."""
    return SessionRecord.objects.live().filter(user=user)


@transaction.atomic
def end(*, found: QuerySet[SessionRecord], actor: User | None, reason: str) -> int:
    """End these sessions at once; how many. Their next request is a stranger's."""
    rows = list(found.filter(ended_at=None).select_related("user"))
    if not rows:
        return 0
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    SessionRecord.objects.filter(pk__in=[row.pk for row in rows]).update(ended_at=timezone.now())
    names = sorted({row.user.username for row in rows})
    log.record("session.ended", actor=actor, people=names[:50], sessions=len(rows), reason=reason)
    return len(rows)


def end_all_of(*, user: User, actor: User | None, reason: str, but: str | None = None) -> int:
    """End a person's sessions, all of them or all `but` the one of that session key."""
    found = SessionRecord.objects.filter(user=user)
    return end(found=found.exclude(session_key=but) if but else found, actor=actor, reason=reason)


def end_everyones(*, actor: User, but: str | None) -> int:
    """End every session of the site but the administrator's own, in case something is badly wrong."""
    found = SessionRecord.objects.exclude(session_key=but or "")
    # Sessions that were begun before they were noted end with them.
    Session.objects.exclude(session_key=but or "").delete()
    return end(found=found, actor=actor, reason="every session of the site")


def end_by_entra(*, sid: str) -> int:
    """Microsoft's front-channel sign-out: the sessions that began with that session there."""
    if not sid:
        return 0
    return end(found=SessionRecord.objects.filter(entra_sid=sid), actor=None, reason="signed out at Microsoft")


def close(request: HttpRequest) -> None:
    """The person leaves: the record says so; Django drops the session."""
    if key := request.session.session_key:
        SessionRecord.objects.filter(session_key=key, ended_at=None).update(ended_at=timezone.now())


@transaction.atomic
def keep_after_password(*, request: HttpRequest, user: User) -> None:
    """The password is changed: this session goes on under a new key, every other of the person ends."""
    before = request.session.session_key
    update_session_auth_hash(request, user)
    SessionRecord.objects.filter(session_key=before).update(session_key=request.session.session_key or "")
    end_all_of(user=user, actor=user, reason="password changed", but=request.session.session_key)
