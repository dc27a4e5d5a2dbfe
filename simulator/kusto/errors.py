"""The cluster's errors: a general sentence in `message`, what is wrong in `@message`, the engine's code inside."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from kql.errors import KqlError, KqlInternalError, KqlResourceError, KqlSyntaxError, KqlTimeout
from simulator.http import ApiFault

_GENERAL = {
    400: "Request is invalid and cannot be executed.",
    403: "Caller is not authorized to perform this action",
    413: "Request is too large.",
    429: "Request is denied due to exceeding quota limitations.",
    504: "Request execution has timed-out on the service side.",
}
_TOO_LARGE = "E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003"


def one_api_error(
    status: int, code: str, text: str, *, kind: str = "KustoBadRequestException", inner: dict[str, Any] | None = None
) -> dict[str, Any]:
    """An error document. https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response-http-codes"""
    error: dict[str, Any] = {
        "code": code,
        "message": _GENERAL.get(status, "Request cannot be executed."),
        "@type": f"Kusto.Data.Exceptions.{kind}",
        "@message": text,
        "@context": {"timestamp": datetime.now(UTC).isoformat(), "serviceAlias": "SIMULATOR"},
        "@permanent": status < 429,
    }
    if inner is not None:
        error["innererror"] = inner
    return {"error": error}


def fault(
    status: int,
    code: str,
    text: str,
    *,
    kind: str = "KustoBadRequestException",
    inner: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> ApiFault:
    """The same as a fault to raise."""
    body = json.dumps(one_api_error(status, code, text, kind=kind, inner=inner))
    return ApiFault(status, code, text, raw=("application/json; charset=utf-8", body), headers=headers)


def query_fault(error: KqlError) -> ApiFault:
    """The cluster's words for a failed query."""
    if isinstance(error, KqlTimeout):
        return fault(504, "GatewayTimeout", "Query execution has exceeded the allowed time.", kind="KustoQueryTimeout")
    if isinstance(error, KqlInternalError):
        return fault(520, "General_InternalServerError", "The engine failed; the simulator's log says how.")
    if isinstance(error, KqlResourceError):
        return fault(400, "LimitsExceeded", "Runaway query (E_RUNAWAY_QUERY): it used too many resources.")
    syntax = isinstance(error, KqlSyntaxError)
    word, number = ("Syntax", "SYN0002") if syntax else ("Semantic", "SEM0100")
    text = f"{word} error: {number}: {error.message}"
    inner = {
        "code": number, "message": f"A {word.lower()} error occurred.",
        "@type": f"Kusto.Data.Exceptions.{word}Exception",
        "@message": f"{word} error: {error.message}", "@line": error.line, "@pos": error.column, "@permanent": True,
    }  # fmt: skip
    return fault(400, "General_BadRequest", text, kind=f"{word}Exception", inner=inner)


def too_large(by: str, limit: int) -> dict[str, Any]:
    """The partial failure of a truncated result.
    https://learn.microsoft.com/azure/data-explorer/kusto/concepts/resulttruncation"""
    what = f"record count limit {limit}" if by == "rows" else f"data size limit {limit}"
    text = (
        "Query execution has exceeded the allowed limits (80DA0003): Query result set has exceeded the internal "
        f"{what} ({_TOO_LARGE})."
    )
    return _partial("LimitsExceeded", text)


def lost_node() -> dict[str, Any]:
    """A partial failure that has nothing to do with size."""
    text = "Query execution lacks memory resources to complete (80DA0007): Partial query failure: Low memory condition."
    return _partial("QueryExecutionError", text)


def _partial(code: str, text: str) -> dict[str, Any]:
    document = one_api_error(200, code, text, kind="KustoServicePartialQueryFailureException")
    document["error"]["message"] = "Request aborted due to partial query failure."
    return document
