"""From an error answer of any shape to one typed `ApiError`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.errors import (
    ActiveRequestExists,
    ApiError,
    BadQuery,
    BadReply,
    BadRequest,
    DisabledFeature,
    Forbidden,
    NotFound,
    QueryTimeout,
    ResultTooLarge,
    Throttled,
    Unauthorized,
    Unavailable,
    scrub,
)
from msapi.reading import number, text
from msapi.retry import duration_in, parse_retry_after

#: The cycle in which a tenant's CPU quota is counted.
#: https://learn.microsoft.com/defender-xdr/advanced-hunting-limits
CPU_CYCLE: Final = 900.0
_DEPTH: Final = 12
_BODY: Final = 256 * 1024
_LINE: Final = re.compile(r"(?i)\bline[:= ]+(\d{1,7})")
_POSITION: Final = re.compile(r"(?i)\b(?:position|pos|col|column)[:= ]+(\d{1,7})")
_TIMED_OUT: Final = ("exceeded the timeout", "query timeout", "excessive resource consumption", "E_RUNAWAY_QUERY")
_TOO_LARGE: Final = ("result size limit", "E_QUERY_RESULT_SET_TOO_LARGE", "exceeded the allowed result size", "124 mb")


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error body says: code, the innermost message, place in the query, the request's id."""

    code: str = ""
    codes: tuple[str, ...] = ()
    message: str = ""
    line: int | None = None
    position: int | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What was asked, as far as it shapes the sentence. `needs` are roles of which one suffices."""

    service: str
    needs: tuple[str, ...] = ()
    is_query: bool = False
    now: float = 0.0


def read_fault(body: bytes) -> Fault:
    """What an error body of Graph, Defender, Log Analytics or a proxy in between says. Never raises."""
    raw = body[:_BODY].decode("utf-8", "replace").lstrip("\ufeff").strip()
    try:
        document = json.loads(raw, strict=False)
    except (ValueError, RecursionError):
        return Fault(message=_plain(raw))
    return fault_of(document)


def fault_of(document: Any) -> Fault:
    """The same for an error document that is parsed already."""
    if not isinstance(document, Mapping):
        return Fault(message=_short(document))
    error = document.get("error", document)
    if isinstance(error, str):  # OAuth's form
        return Fault(code=error, codes=(error,), message=_short(document.get("error_description") or error))
    if not isinstance(error, Mapping):
        return Fault(message=_short(error))
    return _nested(error)


def _nested(error: Mapping[str, Any]) -> Fault:
    codes: list[str] = []
    message = place = request_id = ""
    line = position = None
    layer: Any = error
    for _ in range(_DEPTH):
        if not isinstance(layer, Mapping):
            break
        codes += [code for code in (text(layer, "code"),) if code]
        message = _unwrapped(text(layer, "message", "@message")) or message
        line = number(layer, "line") if line is None else line
        position = number(layer, "pos", "position") if position is None else position
        request_id = text(layer, "request-id", "client-request-id", "target") or request_id
        layer = layer.get("innererror") or layer.get("innerError") or _first_detail(layer)
    place = message or text(error, "message")
    return Fault(
        code=codes[0] if codes else "",
        codes=tuple(codes),
        message=place,
        line=line if line is not None else _found(_LINE, place),
        position=position if position is not None else _found(_POSITION, place),
        request_id=request_id,
    )


def _first_detail(layer: Mapping[str, Any]) -> Any:
    details = layer.get("details")
    return details[0] if isinstance(details, list) and details else None


def _unwrapped(message: str) -> str:
    # Graph now and then sends the engine's whole JSON answer as the message.
    for _ in range(2):
        if not message.lstrip().startswith("{"):
            break
        try:
            inner = fault_of_shallow(json.loads(message, strict=False))
        except (ValueError, RecursionError):
            break
        if not inner:
            break
        message = inner
    return message


def fault_of_shallow(document: Any) -> str:
    """The message one or two levels into a document that came as text."""
    error = document.get("error", document) if isinstance(document, Mapping) else None
    return text(error, "message", "Message", "@message") or (error if isinstance(error, str) else "")


def _found(pattern: re.Pattern[str], message: str) -> int | None:
    match = pattern.search(message[:4000])
    return int(match.group(1)) if match else None


def _plain(raw: str) -> str:
    # A proxy's or a blob host's page: its words without its markup.
    return " ".join(re.sub(r"<[^<>]{0,500}>", " ", raw[:4000]).split())[:500]


def _short(value: Any) -> str:
    return value[:4000] if isinstance(value, str) else ""


def error_from(status: int, headers: Mapping[str, str], body: bytes, context: Context) -> ApiError:
    """The typed error that an answer with `status` means. Never raises."""
    fault = read_fault(body)
    lowered = {key.lower(): value for key, value in headers.items()}
    request_id = lowered.get("request-id") or lowered.get("x-ms-request-id") or fault.request_id
    facts: dict[str, Any] = {"status": status, "code": fault.code, "request_id": request_id, "service": context.service}
    retry_after = parse_retry_after(lowered.get("retry-after"), context.now)
    if status == 429:
        return _throttled(fault, retry_after, facts)
    if status in (500, 502, 503, 504, 408) or status > 504:
        return _unavailable(status, fault, retry_after, context, facts)
    if status in (401, 403, 404):
        return _refused(status, fault, context, facts)
    if 300 <= status < 400 or status < 300:
        return BadReply(f"{context.service} answered with status {status}, which is not followed.", **facts)
    return _bad_request(fault, context, facts)


def _throttled(fault: Fault, retry_after: float | None, facts: dict[str, Any]) -> Throttled:
    cpu = "processing resources" in fault.message.lower() or "cpu" in fault.message.lower()
    if retry_after is None:
        retry_after = duration_in(fault.message) or (CPU_CYCLE if cpu else None)
    what = "the tenant's CPU quota for hunting is used up" if cpu else "too many calls at once"
    when = f"again in {retry_after:.0f} s" if retry_after else "again in a minute"
    return Throttled(
        f"{facts['service']} asks to wait: {what}; {when}.",
        reason="cpu" if cpu else "calls",
        retry_after=retry_after,
        **facts,
    )


def _unavailable(
    status: int, fault: Fault, retry_after: float | None, context: Context, facts: dict[str, Any]
) -> ApiError:
    said = f" It says: {scrub(fault.message)}" if fault.message else ""
    if context.is_query and (status == 504 or _mentions(fault, _TIMED_OUT)):
        return QueryTimeout(
            f"{context.service} ran out of time over this query: narrow its window or its tables.{said}",
            permanent=False,
            **facts,
        )
    return Unavailable(
        f"{context.service} is not available now (status {status}); nothing is wrong with the request.{said}",
        retry_after=retry_after,
        **facts,
    )


def _refused(status: int, fault: Fault, context: Context, facts: dict[str, Any]) -> ApiError:
    if status == 401:
        return Unauthorized(
            f"{context.service} refused a fresh token. Check that the app registration belongs to this tenant "
            f"and that its permissions for {context.service} have admin consent.",
            **facts,
        )
    if status == 404:
        return NotFound(f"{context.service} does not know what was asked for. {fault.message}".strip(), **facts)
    return _forbidden(fault, context, facts)


def _forbidden(fault: Fault, context: Context, facts: dict[str, Any]) -> ApiError:
    if "DisabledFeature" in fault.codes:
        return DisabledFeature(
            "The tenant has switched this feature off: turn it on in the Defender portal under Settings, Endpoints, "
            f"Advanced features. {fault.message}",
            **facts,
        )
    if "DisallowedOperation" in fault.codes:
        return Forbidden(
            "Defender does not allow this on the device: its device group may lack a remediation level. "
            f"{fault.message}",
            **facts,
        )
    if "InsufficientAccessError" in fault.codes:
        return Forbidden(
            "The app may not read this workspace: give it Log Analytics Reader there. A new role can take an hour.",
            needed=("Log Analytics Reader",),
            **facts,
        )
    roles = " or ".join(context.needs) or "the permission that this call needs"
    return Forbidden(
        f"{context.service} refuses: the app registration needs {roles}, as an application permission with admin "
        f"consent. {fault.message}",
        needed=context.needs,
        **facts,
    )


def _bad_request(fault: Fault, context: Context, facts: dict[str, Any]) -> ApiError:
    said = fault.message or f"status {facts['status']} without a reason"
    if "ActiveRequestAlreadyExists" in fault.codes:
        return ActiveRequestExists(
            f"The device is busy with the same action or another Live Response session; wait for its end. {said}",
            **facts,
        )
    if context.is_query and _mentions(fault, _TOO_LARGE):
        return ResultTooLarge(f"The result is too large for {context.service}: project fewer columns or narrow the "
                              f"window. {said}", **facts)  # fmt: skip
    if context.is_query and _mentions(fault, _TIMED_OUT):
        return QueryTimeout(
            f"The query cost too much and was stopped: narrow its window or its tables. {said}", **facts
        )
    if context.is_query:
        at = ", ".join(
            f"{name} {value}" for name, value in (("line", fault.line), ("position", fault.position)) if value
        )
        place = f" at {at}" if at else ""
        return BadQuery(
            f"{context.service} does not accept the query{place}: {said}",
            line=fault.line,
            position=fault.position,
            **facts,
        )
    return BadRequest(f"{context.service} does not accept the request: {said}", **facts)


def _mentions(fault: Fault, phrases: tuple[str, ...]) -> bool:
    message = fault.message.lower()
    return any(phrase.lower() in message for phrase in phrases)
