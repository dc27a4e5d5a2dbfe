"""Problem details, https://www.rfc-editor.org/rfc/rfc9457: what was wrong, which request it was, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse

CONTENT_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:ircase:problem:"
_INSTANCE: Final = "urn:ircase:request:"


@dataclass(frozen=True)
class Kind:
    """One sort of problem: the end of its `type`, what it means, and what a caller does about it."""

    name: str
    title: str
    advice: str


KINDS: Final[Mapping[int, Kind]] = {
    400: Kind("malformed", "The request cannot be read", "Mend the request; sending it again changes nothing."),
    401: Kind("no-token", "No valid token", "Send `Authorization: Bearer …` with a token that is still good."),
    403: Kind("not-allowed", "You may not do this", "Use a token with the scope named, or ask for the role named."),
    404: Kind("not-found", "Nothing here for you", "Check the address. What you may not see looks the same."),
    405: Kind("method", "Not with this method", "Use one of the methods in the header Allow."),
    409: Kind("conflict", "It does not fit what is there", "Read it again and decide on what is there now."),
    410: Kind("gone", "It was there and is gone", "Do not ask again."),
    411: Kind("length", "No length given", "Send Content-Length."),
    412: Kind("changed", "It was changed meanwhile", "Read it again, take its new ETag, and repeat the change."),
    413: Kind("too-large", "Too large", "Send less, or in parts where the documentation offers it."),
    415: Kind("media-type", "Not in this format", "Send the content type that the description names."),
    422: Kind("invalid", "It does not fit", "Correct the fields that `errors` names."),
    428: Kind("version-wanted", "Say which version you change", "Send If-Match with the ETag that you read."),
    429: Kind("too-many", "Too many requests", "Wait as long as Retry-After says."),
    500: Kind("unexpected", "Something went wrong here", "Try again; else tell your administrator the `instance`."),
    502: Kind("upstream", "Another service answered badly", "Try again later."),
    503: Kind("unavailable", "Not available now", "Try again later."),
    504: Kind("upstream-late", "Another service did not answer", "Try again later."),
    507: Kind("store", "It could not be stored", "Ask your administrator for room, then send it again."),
}  # fmt: skip
_OTHER: Final = Kind("other", "It was refused", "Read `detail`.")


def kind_of(status: int) -> Kind:
    return KINDS.get(status) or KINDS.get(status // 100 * 100) or _OTHER


def problem(request: HttpRequest, status: int, detail: str, **more: Any) -> HttpResponse:
    """The answer that says so. `more` are members of its own, such as `errors`."""
    kind = kind_of(status)
    known = {"type": f"{_TYPE}{kind.name}", "title": kind.title, "status": status, "detail": detail}
    said = {**known, "instance": f"{_INSTANCE}{request_id(request)}", "advice": kind.advice, **more}
    return JsonResponse(said, status=status, content_type=CONTENT_TYPE)


def plain(request: HttpRequest, status: int) -> HttpResponse:
    """For what was refused before an operation was found: there is nothing more to say than the kind."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Refused"
    return problem(request, status, f"{phrase}: {request.method} {request.path[:200]}")


def request_id(request: HttpRequest) -> str:
    """The request's id, as the middleware gave it."""
    return str(getattr(request, "request_id", "") or "none")
