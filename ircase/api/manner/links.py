"""Links to the neighbours of a page of a list, https://www.rfc-editor.org/rfc/rfc8288"""

import functools
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase


def noticed(view: Any) -> Any:
    """Put it around an operation's function: where a page of a list comes out, the request remembers which."""

    @functools.wraps(view)
    def inner(request: HttpRequest, *args: Any, **values: Any) -> Any:
        found = view(request, *args, **values)
        if isinstance(found, Mapping) and {"limit", "offset", "total"} <= found.keys():
            total = found.get("matched", found["total"])
            request.listed = (int(found["offset"]), int(found["limit"]), int(total))  # type: ignore[attr-defined]
        return found

    return inner


def linked(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The answer with `Link`: first, prev and next, as far as there are such pages."""
    listed: tuple[int, int, int] | None = getattr(request, "listed", None)
    if listed is None or response.status_code != 200:
        return response
    offset, limit, total = listed
    pages = {"first": 0} | ({"prev": max(0, offset - limit)} if offset else {})
    pages |= {"next": offset + limit} if offset + limit < total else {}
    response["Link"] = ", ".join(f'<{_address(request, at)}>; rel="{name}"' for name, at in pages.items())
    return response


def _address(request: HttpRequest, offset: int) -> str:
    query = request.GET.copy()
    query["offset"] = str(offset)
    return f"{request.path}?{query.urlencode()}"
