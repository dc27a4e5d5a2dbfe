"""The door that every operation has: who asks, how often, under which conditions, and how the answer leaves."""

import functools
from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja.operation import Operation

from ircase.api.auth import TokenAuth
from ircase.api.manner import etags, limits, links, once
from ircase.api.manner.errors import problem
from ircase.api.manner.parsing import check_path
from ircase.models import ApiToken

READING: Final = frozenset({"GET", "HEAD"})


def door(run: Any) -> etags.Run:
    """Put it around `Operation.run`, as ninja's decorator of the mode `view`."""
    operation: Operation = run.__self__
    if "GET" in operation.methods:
        etags.reads(operation.path, run)

    @functools.wraps(run)
    def open_door(request: HttpRequest, **values: Any) -> HttpResponseBase:
        try:
            check_path(values)
            return _enter(request, operation, run, values)
        except Exception as error:
            return operation.api.on_exception(request, error)

    return open_door


def _enter(request: HttpRequest, operation: Operation, run: etags.Run, values: dict[str, Any]) -> HttpResponseBase:
    token = _token(request, operation)
    if token is None:
        return run(request, **values)  # which says what is missing
    standings = limits.count(limits.limits_of(token.pk, token.user_id))
    spent = [one for one in standings if one.spent]
    if spent:
        reply: HttpResponseBase = problem(request, 429, "Too many requests in this minute. Wait as Retry-After says.")
        reply["Retry-After"] = str(max(one.seconds for one in spent))
    else:
        reply = _answer(request, operation, run, values, token)
    for name, value in limits.headers(standings).items():
        reply[name] = value
    return reply


def _token(request: HttpRequest, operation: Operation) -> ApiToken | None:
    """The token, where it is good for this operation. Raises what the operation would, and remembers what was found."""
    for callback in operation.auth_callbacks:
        if isinstance(callback, TokenAuth) and callback(request):
            found: ApiToken = request.api_token  # type: ignore[attr-defined]
            return found
    return None


def _answer(
    request: HttpRequest, operation: Operation, run: etags.Run, values: dict[str, Any], token: ApiToken
) -> HttpResponseBase:
    if request.method in READING:
        return etags.conditional(request, links.linked(request, run(request, **values)))
    act: Callable[[], HttpResponseBase] = functools.partial(run, request, **values)
    if "If-Match" in request.headers and not matches_itself(operation):
        act = functools.partial(etags.matched, request, operation.path, values, act)
    if request.method == "POST" and once.HEADER in request.headers:
        return once.once(request, token, values, act)
    return act()


def matches_itself(operation: Operation) -> bool:
    """Whether it reads If-Match itself, because what comes late is kept there (notes, comments)."""
    said = (operation.openapi_extra or {}).get("parameters", ())
    return any(one.get("name") == "If-Match" for one in said)
