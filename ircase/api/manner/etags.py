"""ETags and what is asked by them, https://www.rfc-editor.org/rfc/rfc9110#name-conditional-requests

What is read has the hash of what was said as its ETag, or its version where it has one (`ircase.api.matching`). A
change with If-Match is made only while reading again would say the same: the row is locked, read by the operation that
reads it, and changed, in one transaction."""

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from ninja.errors import HttpError

from ircase.api.manner.errors import problem

Run = Callable[..., HttpResponseBase]
Rows = Callable[..., models.QuerySet[Any]]
_NOT_MATCHED: Final = "It was changed since you read it. Read it again and repeat the change on what is there now."


@dataclass(frozen=True)
class Guarded:
    """A path whose thing may be changed under If-Match: the rows to lock, by the path's arguments, and the last parts
    of paths below it that change the same thing, such as `finish`."""

    path: str
    rows: Rows
    acts: tuple[str, ...] = ()


_guards: dict[str, Guarded] = {}
_readers: dict[str, Run] = {}


def guard(path: str, rows: Rows, *, acts: tuple[str, ...] = ()) -> None:
    """Let the thing at `path`, which a GET of the same path reads, be changed under If-Match."""
    made = Guarded(path, rows, acts)
    _guards.update({path: made} | {f"{path}/{act}": made for act in acts})


def guarded(path: str) -> Guarded | None:
    return _guards.get(path)


def reads(path: str, run: Run) -> None:
    """`run` is the GET of `path`."""
    _readers[path] = run


def etag_of(response: HttpResponse) -> str:
    """The ETag that it has, or the hash of what it says."""
    return response.get("ETag") or f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'


def conditional(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """An answer to GET with its ETag; 304 without a body where the caller has it already."""
    if (
        response.status_code != 200
        or not isinstance(response, HttpResponse)
        or response.has_header("Content-Disposition")
    ):
        return response
    response["ETag"] = etag_of(response)
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Authorization"
    found = get_conditional_response(request, etag=response["ETag"], response=response)
    return found if found is not None else response


def matched(
    request: HttpRequest, path: str, values: Mapping[str, Any], run: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    """Do `run` if what If-Match names is still what reading says; else 412."""
    wanted = parse_etags(request.headers["If-Match"])
    found = _guards.get(path)
    if found is None:
        raise HttpError(400, "This operation takes no If-Match; nothing was changed.")
    if not wanted:
        raise HttpError(400, 'If-Match holds ETags in quotes, as in "3".')
    with transaction.atomic():
        list(found.rows(**values).select_for_update(of=("self",)).only("pk"))
        now = _read(request, found, values)
        if now.status_code != 200:
            return now
        tag = etag_of(now)
        if "*" not in wanted and tag not in wanted:
            return problem(request, 412, _NOT_MATCHED, etag=tag)
        done = run()
        if done.status_code >= 500:
            transaction.set_rollback(True)
    return done


def _read(request: HttpRequest, found: Guarded, values: Mapping[str, Any]) -> HttpResponse:
    """What a GET of the thing says now, to the same person."""
    asked = copy.copy(request)
    asked.method = "GET"
    asked.GET = QueryDict("")  # what the change was asked with is no question of ours
    said = _readers[found.path](asked, **values)
    if not isinstance(said, HttpResponse):
        raise HttpError(400, "This operation takes no If-Match; nothing was changed.")
    return said
