"""What can go wrong with Microsoft's APIs, as types a person or a worker can act on.

`str(error)` is the sentence for the person and says what to do. No message holds a secret, a token or a signed link:
each is cleaned when the error is made. `permanent` is False where the same call may succeed later.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

MESSAGE_LIMIT: Final = 2000

_SCRUB: Final = (
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)*"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [token]"),
    (
        re.compile(r"(?i)\b(sig|sas|signature|client_secret|client_assertion|access_token)=[^&\s\"'<>]+"),
        r"\1=[hidden]",
    ),
    (re.compile(r"(?i)(\"(?:client_secret|access_token|refresh_token|password)\"\s*:\s*)\"[^\"]*\""), r'\1"[hidden]"'),
    (re.compile(r"(?i)(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+"), r"\1?[hidden]"),
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def scrub(text: str) -> str:
    """`text` without tokens, secrets, query strings of links and control characters, at most 2,000 characters."""
    # Cut twice: a reply of megabytes must not cost a regular expression over all of it.
    text = _CONTROLS.sub(" ", text[: MESSAGE_LIMIT * 4])
    for pattern, replacement in _SCRUB:
        text = pattern.sub(replacement, text)
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


class ApiError(Exception):
    """A call that did not give what was asked. `retry_after` is in seconds; `code` is the service's own."""

    permanent_by_kind = True

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        retry_after: float | None = None,
        request_id: str = "",
        permanent: bool | None = None,
        service: str = "",
    ) -> None:
        self.message = scrub(message)
        self.status = status
        self.code = scrub(code)[:200]
        self.retry_after = retry_after
        self.request_id = scrub(request_id)[:200]
        self.permanent = self.permanent_by_kind if permanent is None else permanent
        self.service = service
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Callable[..., "ApiError"], tuple[str]]:
        # Keyword-only arguments do not survive the pickling of exceptions that job queues do.
        keywords = {key: value for key, value in self.__dict__.items() if key != "message"}
        return partial(_rebuild, type(self), keywords), (self.message,)


_Error = TypeVar("_Error", bound=ApiError)


def _rebuild(kind: type[_Error], keywords: dict[str, Any], message: str) -> _Error:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(keywords, message=message)
    return error


class InvalidParameter(ApiError):
    """Refused here, before anything was sent: a value the service is known to reject, or that could mislead it."""


class SignInFailed(ApiError):
    """Entra ID did not issue a token."""


class Unauthorized(ApiError):
    """The service refused a token that had just been renewed."""


class Forbidden(ApiError):
    """The token lacks a role, or the tenant forbids the operation. `needed` names roles of which one suffices."""

    def __init__(self, message: str, *, needed: tuple[str, ...] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.needed = needed


class DisabledFeature(ApiError):
    """The tenant has switched the feature off."""


class NotFound(ApiError):
    """What was asked for does not exist, or no longer."""


class BadRequest(ApiError):
    """The service did not accept the request as it stands."""


class BadQuery(BadRequest):
    """The engine did not accept the query. `line` and `position` count from 1 and are None where it did not say."""

    def __init__(self, message: str, *, line: int | None = None, position: int | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.line = line
        self.position = position


class ActiveRequestExists(BadRequest):
    """The device already runs a Live Response session or the same action; try again once that has ended."""

    permanent_by_kind = False


class Throttled(ApiError):
    """Too much asked too soon. `reason` is "calls" or "cpu"; `retry_after` says in how many seconds to come back."""

    permanent_by_kind = False

    def __init__(self, message: str, *, reason: str = "calls", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.reason = reason


class QueryTimeout(ApiError):
    """The engine stopped the query for its time or its cost."""


class ResultTooLarge(ApiError):
    """The answer passes the service's cap, or ours."""


class Unavailable(ApiError):
    """The service is ill; it may be well later."""

    permanent_by_kind = False


class NetworkError(ApiError):
    """The service was not reached, or the connection broke."""

    permanent_by_kind = False


class Ambiguous(ApiError):
    """A call that changes something may or may not have been carried out. Look before asking again."""

    permanent_by_kind = False


class LinkExpired(ApiError):
    """A signed link has run out; ask for a new one."""

    permanent_by_kind = False


class BadReply(ApiError):
    """The answer is not what the service is documented to send."""

    permanent_by_kind = False


class GovernorUnavailable(ApiError):
    """The shared quota book (Redis) cannot be reached."""

    permanent_by_kind = False


class Cancelled(ApiError):
    """A person asked to stop while the call waited for its turn."""
