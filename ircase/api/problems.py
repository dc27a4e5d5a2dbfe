"""Which error is which problem, and what it says."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja import errors as ninja_errors

from ircase import incoming
from ircase.api import parts
from ircase.api.manner.errors import problem
from ircase.grid import GridError
from ircase.services.evidence import StoreError
from ircase.services.transfer import resumable
from ircase.services.vault.delivery import FileGone
from ircase.services.writing.notes import NoteConflict

logger = logging.getLogger(__name__)


def install(api: NinjaAPI) -> None:
    """Give every error of `api` its shape. None of them names what the person may not know."""
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _unauthorised(request: HttpRequest, error: Any) -> HttpResponse:
    reply = problem(request, 401, "Send a valid token as `Authorization: Bearer …`; it may be expired or revoked.")
    reply["WWW-Authenticate"] = 'Bearer realm="IRCase"'
    return reply


def _forbidden(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 403, str(error) or "You may not do this.")


def _not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 404, "There is nothing here for you.")


def _gone(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 410, str(error))


def _conflict(request: HttpRequest, error: NoteConflict) -> HttpResponse:
    return problem(request, 409, str(error), version=error.note.version, body=error.note.body)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = error.message_dict if hasattr(error, "error_dict") else {}
    status = 413 if getattr(error, "code", None) == "size" else 422
    return problem(request, status, " ".join(error.messages), errors=fields)


def _no_room(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problem(request, 507, " ".join(error.messages))


def _suspicious(request: HttpRequest, error: Any) -> HttpResponse:
    """What Django refuses to read at all, such as an address with thousands of fields."""
    return problem(request, 400, "The request cannot be read: it has too many fields, or one that is none.")


def _malformed(request: HttpRequest, error: ninja_errors.ValidationError) -> HttpResponse:
    found = [{"field": ".".join(str(part) for part in e.get("loc", ())), "message": e.get("msg")} for e in error.errors]
    return problem(request, 422, "The request does not fit; see `errors`.", errors=found)


def _grid(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 422, str(error))


def _too_large(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 413, str(error) or "The request is too large.")


def _store(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 507, str(error))


def _http(request: HttpRequest, error: ninja_errors.HttpError) -> HttpResponse:
    # Ninja puts words of its own before what our parser said.
    said = error.__cause__ if isinstance(error.__cause__, ninja_errors.HttpError) else error
    return problem(request, error.status_code, str(said))


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.exception("api.error", extra={"path": request.path, "method": request.method})
    return problem(request, 500, "Something went wrong here; it is in the log. Try again, and tell your administrator.")


_HANDLERS: dict[type[Exception], Any] = {
    ninja_errors.AuthenticationError: _unauthorised,
    ninja_errors.AuthorizationError: _forbidden,
    PermissionDenied: _forbidden,
    Http404: _not_found,
    FileGone: _gone,
    NoteConflict: _conflict,
    ValidationError: _invalid,
    resumable.NoRoom: _no_room,
    resumable.PartCutShort: parts.cut_short,
    resumable.ChecksumMismatch: _grid,
    incoming.WrongOffset: parts.wrong_offset,
    incoming.Vanished: _gone,
    GridError: _grid,
    ninja_errors.ValidationError: _malformed,
    RequestDataTooBig: _too_large,
    SuspiciousOperation: _suspicious,
    StoreError: _store,
    ninja_errors.HttpError: _http,
    Exception: _unexpected,
}
