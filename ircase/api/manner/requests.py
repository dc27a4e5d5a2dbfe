"""Around every request: its id; and below the API's path an error of Django's own has the API's shape."""

import re
import uuid
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from ircase.api.manner import errors

HEADER: Final = "X-Request-ID"
PATH: Final = "/api/v1/"
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEPT: Final = ("Allow", "Retry-After", "WWW-Authenticate", "Location")


class RequestIdMiddleware:
    """A request's id is the caller's `X-Request-ID` where that is well formed, else a new one. It comes back in the
    answer, stands in the log's lines, and in a problem's `instance`.

    What no operation answered (an unknown address, a wrong method, a host that is not ours) is a problem too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request.request_id = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        if request.path.startswith(PATH) and response.status_code >= 400:
            response = _as_problem(request, response)
        response[HEADER] = errors.request_id(request)
        return response


def _as_problem(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if response.get("Content-Type", "").startswith(errors.CONTENT_TYPE):
        return response
    made = errors.plain(request, response.status_code)
    for name in _KEPT:
        if name in response:
            made[name] = response[name]
    return made
