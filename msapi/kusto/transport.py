"""The transport of one cluster: errors in the cluster's own words."""

import json
from collections.abc import Mapping
from typing import Any, Final

import requests

from msapi.errors import ApiError, Forbidden, NotFound, QueryTimeout, ResultTooLarge, Unauthorized
from msapi.faults import read_fault
from msapi.kusto.cluster import SERVICE, ClusterEndpoint
from msapi.sessions import ConnectionSession, tls_context
from msapi.tokens import TokenProvider
from msapi.transport import Transport

_RUNAWAY: Final = ("e_runaway_query", "e_low_memory_condition", "e_query_timeout", "query execution timed out")


class ClusterTransport(Transport):
    """Calls to one cluster, as `Transport`."""

    # A query that ran out of time would do so again, for minutes each time.
    never_again = (QueryTimeout,)

    def __init__(self, endpoint: ClusterEndpoint, tokens: TokenProvider, **options: Any) -> None:
        limits = endpoint.limits
        timeout = (limits.connect_timeout, limits.read_timeout)
        self.session = ConnectionSession(tls_context(endpoint.ca_pem), timeout)
        super().__init__(endpoint, tokens, session=self.session, **options)

    def spoken(self, body: bytes) -> bytes:
        """With each `@message` where the others look for it."""
        return spoken(body)

    def explained(self, error: ApiError, body: bytes, response: requests.Response) -> ApiError:
        """With what to do about it on a cluster, and the id by which the cluster knows the request."""
        found = _explained(error, read_fault(body).message)
        found.request_id = error.request_id or response.headers.get("x-ms-activity-id", "")
        return found


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
