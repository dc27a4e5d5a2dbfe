"""The transport of one cluster: bodies of bytes for ingestion, and errors in the cluster's own words."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import requests

from msapi.errors import ApiError, Forbidden, NotFound, QueryTimeout, ResultTooLarge, Unauthorized
from msapi.faults import read_fault
from msapi.kusto.cluster import SERVICE, ClusterEndpoint
from msapi.retry import Kind, Outcome
from msapi.sessions import ConnectionSession, tls_context
from msapi.tokens import TokenProvider
from msapi.transport import Call, Transport, _Attempt

BYTES: Final = "bytes"
_RUNAWAY: Final = ("e_runaway_query", "e_low_memory_condition", "e_query_timeout", "query execution timed out")


class BytesSession(ConnectionSession):
    """Sends a lone file named `bytes` as the body itself: `Call` knows JSON and forms only."""

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        files = options.get("files")
        if files and set(files) == {BYTES}:
            options["data"], options["files"] = files[BYTES][1], None
        return super().request(method, url, *args, **options)


class ClusterTransport(Transport):
    """Calls to one cluster, as `Transport`."""

    def __init__(self, endpoint: ClusterEndpoint, tokens: TokenProvider, **options: Any) -> None:
        limits = endpoint.limits
        timeout = (limits.connect_timeout, limits.read_timeout)
        self.bytes_session = BytesSession(tls_context(endpoint.ca_pem), timeout)
        super().__init__(endpoint, tokens, session=self.bytes_session, **options)

    def _failed(self, call: Call, response: requests.Response, body: bytes, size: int) -> _Attempt:
        said = spoken(body)
        end = super()._failed(call, response, said, size)
        assert end.error is not None
        request_id = end.error.request_id or response.headers.get("x-ms-activity-id", "")
        error = _explained(end.error, read_fault(said).message)
        error.request_id = request_id
        # A query that ran out of time would do so again, for minutes each time.
        outcome = Outcome(Kind.REFUSED) if isinstance(error, QueryTimeout) else end.outcome
        return replace(end, outcome=outcome, error=error, request_id=request_id)


def spoken(body: bytes) -> bytes:
    """An error document with each `@message`, which says what is wrong, in the place of the general `message`."""
    try:
        document = json.loads(body[: 256 * 1024])
    except (ValueError, RecursionError):
        return body
    return json.dumps(preferred(document)).encode()


def preferred(document: Any, depth: int = 12) -> Any:
    """The same for a document that is parsed already."""
    if not isinstance(document, Mapping) or depth == 0:
        return document
    said = {
        ours: document[theirs]
        for ours, theirs in (("message", "@message"), ("line", "@line"), ("pos", "@pos"))
        if document.get(theirs) not in (None, "")
    }
    nested = {key: preferred(value, depth - 1) for key, value in document.items()}
    return {**nested, **said}


def _explained(error: ApiError, said: str) -> ApiError:
    """The error with what to do about it on a cluster, where the usual advice is about another service."""
    facts: dict[str, Any] = {"status": error.status, "code": error.code, "service": SERVICE}
    if isinstance(error, Unauthorized):
        sentence = f"{SERVICE} refused a fresh token. Check that the cluster belongs to this tenant, or lets it in."
        return Unauthorized(f"{sentence} {said}".strip(), **facts)
    if isinstance(error, Forbidden):
        return Forbidden(
            f"{SERVICE} refuses. Give the app a role on the database, for a push Admin, else Viewer "
            f"(.add database NAME viewers ('aadapp=CLIENT;TENANT')). It says: {said}",
            needed=("Database Viewer", "Database Admin"),
            **facts,
        )
    if isinstance(error, NotFound):
        sentence = (
            "The cluster does not know this address. Check its URL, and for a push that streaming ingestion is on."
        )
        return NotFound(f"{sentence} {said}".strip(), **facts)
    if error.status == 413:
        return ResultTooLarge(f"The cluster takes no request of this size. {said}".strip(), **facts)
    if error.status == 400 and any(phrase in said.lower() for phrase in _RUNAWAY):
        return QueryTimeout(f"The query cost too much and was stopped: narrow it. {said}", **facts)
    return error
