"""Versions in ETags and If-Match, https://www.rfc-editor.org/rfc/rfc9110#name-if-match: `"3"` is the third version."""

import re
from typing import Any, Final, Protocol, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja.errors import HttpError

NOT_MATCHED: Final = "It was saved meanwhile. Read it again and repeat the change on what is there now."
IF_MATCH: Final[dict[str, Any]] = {
    "parameters": [
        {
            "in": "header", "name": "If-Match", "required": False, "schema": {"type": "string"},
            "description": 'The ETag that was read, as in `"3"`. 412 when it is not that version any more.',
        }
    ]
}  # fmt: skip
_TAG: Final = re.compile(r'(?:W/)?"(\d{1,9})"')


class Versioned(Protocol):
    version: int


T = TypeVar("T", bound=Versioned)


def tagged(response: HttpResponse, row: T) -> T:
    """The row, with its version as the answer's ETag."""
    response["ETag"] = f'"{row.version}"'
    return row


def wanted_version(request: HttpRequest, said: int | None) -> tuple[int, bool]:
    """The version that a change is made against, and whether If-Match says it. 428 where nothing says it, 400 where
    If-Match is no version of ours."""
    header = request.headers.get("If-Match", "").strip()
    if not header:
        if said is None:
            raise HttpError(428, "Say which version you change: If-Match with the ETag that you read, or `version`.")
        return said, False
    found = _TAG.fullmatch(header)
    if found is None:
        raise HttpError(400, 'If-Match holds one ETag of ours, as in "3".')
    return int(found[1]), True
