"""Small things around every request: the person's time zone, and a log line."""

import logging
import time
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from ircase.models import User

logger = logging.getLogger("ircase.request")
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
                    "user": getattr(request.user, "username", "") or None,
                },
            )
        return response
