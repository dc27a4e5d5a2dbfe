"""Small things around every request: the person's time zone, and a log line."""

import logging
import time
import zoneinfo
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from ircase.models import User
from ircase.services.identity import sessions
from ircase.services.vault import looks
from ircase.services.writing import drafts

logger = logging.getLogger("ircase.request")
MUST_ENROL = "must_enrol"  # in a session: the rules of access want a second factor of this person
ENROL_PATHS = ("/profile/second-factor/", "/sign-out/", "/static/", "/healthz", "/readyz", "/api/")
BEATS = frozenset(("presence", "note_writing"))  # a page that is left open says these by itself: nobody looks anew
Handler = Callable[[HttpRequest], HttpResponse]


class TimeZoneMiddleware:
    """Times are stored in UTC and shown in the person's zone."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.user.time_zone if isinstance(request.user, User) else "UTC"
        try:
            zone: zoneinfo.ZoneInfo = zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            zone = zoneinfo.ZoneInfo("UTC")
        with timezone.override(zone):
            return self.get_response(request)


class SeenMiddleware:
    """Keeps when a session was last used, and sends whoever must still set up a second factor to that page."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Only where there is a session already: asking for one would vary every public page by its cookie.
        if isinstance(request.user, User) and hasattr(request, "session"):
            sessions.note_seen(request)
            if request.session.get(MUST_ENROL) and not request.path.startswith(ENROL_PATHS):
                return redirect("ircase:factor")
        return self.get_response(request)


class LookMiddleware:
    """Notes who looked at a case: whatever has a case's reference in its address and was answered."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if request.method == "GET" and response.status_code in (200, 304) and match and isinstance(request.user, User):
            reference = match.kwargs.get("reference")
            if isinstance(reference, str) and match.url_name not in BEATS:
                looks.note(reference=reference, user=request.user)
        return response


class DraftMiddleware:
    """A form that was saved needs its draft no more: the person's row goes, and a cookie tells their browser which text
    it may forget. A form names its draft in the field `draft`; it was saved where no error came of it, and a 409 is the
    answer of a view that kept the text beside another."""

    COOKIE = "ircase_saved"

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method == "POST" and isinstance(request.user, User) and self._kept(response):
            place = request.POST.get("draft", "")
            if drafts.PLACE.fullmatch(place) and not (300 <= response.status_code < 400 and self._failed(request)):
                drafts.forget(person=request.user, place=place)
                secure = settings.SESSION_COOKIE_SECURE
                response.set_cookie(self.COOKIE, place, max_age=300, samesite="Lax", secure=secure)
        return response

    @staticmethod
    def _kept(response: HttpResponse) -> bool:
        return response.status_code < 400 or response.status_code == HTTPStatus.CONFLICT

    @staticmethod
    def _failed(request: HttpRequest) -> bool:
        """Whether the view had an error to tell on the page that comes next."""
        waiting = messages.get_messages(request)
        found = any(message.level >= messages.ERROR for message in waiting)
        if isinstance(waiting, BaseStorage):
            waiting.used = False  # looked at, not shown
        return found


class RequestLogMiddleware:
    """One line per request: who, what, how long, how it ended. No query string, no body."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        response = self.get_response(request)
        if request.path not in ("/healthz", "/readyz"):
            logger.info(
                "request",
                extra={
                    "method": request.method,
                    "path": request.path,
                    "status": response.status_code,
                    "ms": round((time.monotonic() - began) * 1000),
                    "request_id": getattr(request, "request_id", None),
                    "user": getattr(request.user, "username", "") or None,
                },
            )
        return response
