"""Errors as problem details, https://www.rfc-editor.org/rfc/rfc9457: what was wrong and what to do about it."""

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja import errors as ninja_errors

from ircase.grid import GridError
from ircase.services.evidence import StoreError
from ircase.services.vault.delivery import FileGone
from ircase.services.writing.notes import NoteConflict

logger = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"


def problem(status: int, detail: str, **more: Any) -> HttpResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def install(api: NinjaAPI) -> None:
    """Give every error of `api` its shape. None of them names what the person may not know."""
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _unauthorised(request: HttpRequest, error: Any) -> HttpResponse:
    reply = problem(401, "Send a valid token as `Authorization: Bearer …`; it may be expired or revoked.")
    reply["WWW-Authenticate"] = 'Bearer realm="IRCase"'
    return reply


def _forbidden(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(403, str(error) or "You may not do this.")


def _not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(404, "There is nothing here for you.")


def _gone(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(410, str(error))


def _conflict(request: HttpRequest, error: NoteConflict) -> HttpResponse:
    return problem(409, str(error), version=error.note.version, body=error.note.body)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = error.message_dict if hasattr(error, "error_dict") else {}
    return problem(422, " ".join(error.messages), errors=fields)


def _malformed(request: HttpRequest, error: ninja_errors.ValidationError) -> HttpResponse:
    found = [{"field": ".".join(str(part) for part in e.get("loc", ())), "message": e.get("msg")} for e in error.errors]
    return problem(422, "The request does not fit; see `errors`.", errors=found)


def _grid(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(422, str(error))


def _too_large(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(413, str(error) or "The request is too large.")


def _throttled(request: HttpRequest, error: ninja_errors.Throttled) -> HttpResponse:
    reply = problem(429, "Too many requests with this token; wait as Retry-After says.")
    reply["Retry-After"] = str(error.wait or 60)
    return reply


def _store(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(507, str(error))


def _http(request: HttpRequest, error: ninja_errors.HttpError) -> HttpResponse:
    return problem(error.status_code, str(error))


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.exception("api.error", extra={"path": request.path, "method": request.method})
    return problem(500, "Something went wrong here; it is in the log. Try again, and tell your administrator.")


_HANDLERS: dict[type[Exception], Any] = {
    ninja_errors.AuthenticationError: _unauthorised,
    ninja_errors.AuthorizationError: _forbidden,
    PermissionDenied: _forbidden,
    Http404: _not_found,
    FileGone: _gone,
    NoteConflict: _conflict,
    ValidationError: _invalid,
    GridError: _grid,
    ninja_errors.ValidationError: _malformed,
    RequestDataTooBig: _too_large,
    ninja_errors.Throttled: _throttled,
    StoreError: _store,
    ninja_errors.HttpError: _http,
    Exception: _unexpected,
}
