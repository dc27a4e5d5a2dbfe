"""Log Analytics workspaces, through Microsoft's own client; answers go to a file and rows are read from there.

The client builds every row in memory and cuts datetimes to six digits. So its session stores the body in a file first
and hands the client the same answer with the rows left out (`msapi.spooling`). Retries are ours, for the client sleeps
as long as a Retry-After says and repeats what timed out.
https://learn.microsoft.com/azure/azure-monitor/logs/api/overview
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any, Final

import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.monitor.query import LogsQueryClient, LogsQueryPartialResult

from msapi.endpoint import Audience, Endpoint, is_guid
from msapi.errors import (
    ApiError,
    BadReply,
    BadRequest,
    InvalidParameter,
    NetworkError,
    NotFound,
    Throttled,
    Unauthorized,
    Unavailable,
)
from msapi.faults import Context, error_from
from msapi.jsonwalk import values_at
from msapi.reading import objects, text
from msapi.results import Column, HuntResult, kql_type
from msapi.retry import Kind, Outcome, Policy, Retry, decide
from msapi.sessions import ConnectionSession, tls_context
from msapi.spooling import SERVICE, Answer, Spooled, SpoolingAdapter
from msapi.tokens import Token, TokenProvider
from msapi.transport import Call, CallRecord, Transport

LONGEST: Final = 600

WORKSPACES: Final = 100
"""Of one query. https://learn.microsoft.com/azure/azure-monitor/service-limits#log-queries"""

Window = timedelta | tuple[datetime, datetime] | tuple[datetime, timedelta] | None


class LogAnalytics:
    """Queries against the workspaces of one tenant, safe to share between threads. Methods raise an `ApiError`."""

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: TokenProvider,
        *,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._tokens = tokens
        self._sleep = sleep
        self._jitter = jitter
        self._on_call = on_call
        self._lock = threading.Lock()
        self._client: LogsQueryClient | None = None
        self._adapter = SpoolingAdapter(endpoint)
        self._bearer = _Bearer(tokens)

    def query(
        self,
        workspace_id: str,
        query: str,
        timespan: Window = None,
        server_timeout: int | None = None,
        *,
        more: Sequence[str] = (),
    ) -> HuntResult:
        """Run KQL in a workspace (its GUID); close the result when done with it.

        `timespan` restricts TimeGenerated; None leaves time to the query. `server_timeout` is in seconds, 600 at most.
        `more` are further workspaces, 99 at most, whose tables are read as if they were the first one's: a row's
        TenantId says where it lies. All of it counts as one query.
        https://learn.microsoft.com/azure/azure-monitor/logs/cross-workspace-query
        """
        wait = server_timeout or self._endpoint.limits.loganalytics_timeout
        _check(workspace_id, query, wait, more)
        attempt, renewed = 1, False
        while True:
            try:
                return self._recorded((workspace_id, *more), query, timespan, wait, attempt)
            except Unauthorized:
                if renewed:
                    raise
                self._tokens.refresh(Audience.LOG_ANALYTICS, self._bearer.sent)
                renewed = True
            except (Throttled, Unavailable, NetworkError) as error:
                step = decide(True, attempt, _outcome(error), self._policy(), self._jitter())
                if not isinstance(step, Retry):
                    raise
                self._sleep(step.delay)
                attempt += 1

    def close(self) -> None:
        """Close the connections held open."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _recorded(
        self, workspaces: tuple[str, ...], query: str, timespan: Window, wait: int, attempt: int
    ) -> HuntResult:
        started, path = time.monotonic(), f"/v1/workspaces/{workspaces[0]}/query"
        status, request_id, failure = 200, "", ""
        try:
            result = self._once(workspaces, query, timespan, wait)
            request_id = result.request_id
            return result
        except ApiError as error:
            status, request_id, failure = error.status or 0, error.request_id, type(error).__name__
            raise
        finally:
            if self._on_call is not None:
                spent = (time.monotonic() - started) * 1000
                self._on_call(CallRecord(SERVICE, "POST", path, status or None, spent, request_id, attempt, 0, failure))

    def _once(self, workspaces: tuple[str, ...], query: str, timespan: Window, wait: int) -> HuntResult:
        client = self._built()
        self._adapter.begin(float(wait) + 30.0)
        try:
            reply = client.query_workspace(
                workspaces[0],
                query,
                timespan=timespan,
                server_timeout=wait,
                additional_workspaces=list(workspaces[1:]) or None,
                retry_total=0,
            )
            notice = _notice(reply) if isinstance(reply, LogsQueryPartialResult) else ""
            return self._result(self._adapter.take(), notice)
        except (AzureError, requests.RequestException, ValueError, TypeError, AttributeError, KeyError) as error:
            raise _mapped(error, self._adapter.failure()) from None
        finally:
            self._adapter.end()

    def _built(self) -> LogsQueryClient:
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def _make(self) -> LogsQueryClient:
        connect = self._endpoint.limits.connect_timeout
        session = ConnectionSession(tls_context(self._endpoint.ca_pem), (connect, float(LONGEST)), self._adapter)
        return LogsQueryClient(
            _Credential(self._tokens),
            endpoint=self._endpoint.url(Audience.LOG_ANALYTICS),
            audience=Audience.LOG_ANALYTICS.value,
            # Ours instead of azure-core's, which keeps a refused token to its end and sends none without TLS;
            # Endpoint.verify lets plain http pass on this machine only.
            authentication_policy=self._bearer,
            transport=RequestsTransport(session=session, connection_timeout=connect),
        )

    def _policy(self) -> Policy:
        limits = self._endpoint.limits
        return Policy(limits.attempts, limits.backoff, limits.backoff_cap, limits.max_retry_after)

    def _result(self, spooled: Spooled, notice: str) -> HuntResult:
        return HuntResult(
            spooled.body,
            spooled.columns,
            _first_table,
            limit=self._endpoint.limits.loganalytics_rows,
            positional=True,
            request_id=spooled.request_id,
            notice=notice,
            service=SERVICE,
        )


@dataclass(frozen=True, slots=True)
class WorkspaceTable:
    """A table of a workspace, as its metadata names it."""

    name: str
    columns: tuple[Column, ...]
    about: str = ""


def tables_of(transport: Transport, workspace_id: str) -> tuple[WorkspaceTable, ...]:
    """The tables of a workspace with their columns, by name. Raises an `ApiError`.
    https://learn.microsoft.com/rest/api/loganalytics/dataaccess/metadata/get"""
    _check(workspace_id, "metadata", 1, ())
    path = f"/v1/workspaces/{workspace_id}/metadata"
    document = transport.json(Call(Audience.LOG_ANALYTICS, "GET", path, needs=("Data.Read",), read_timeout=120.0))
    found = [
        WorkspaceTable(
            name=text(raw, "name"),
            columns=tuple(
                Column(name, kql_type(text(column, "type")))
                for column in objects(raw, "columns")
                if (name := text(column, "name"))
            ),
            about=text(raw, "description"),
        )
        for raw in objects(document, "tables")
    ]
    return tuple(sorted((table for table in found if table.name), key=lambda table: table.name.lower()))


class _Credential:
    """azure-core's idea of a credential, over our token provider."""

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        token = self._tokens.token(Audience.LOG_ANALYTICS)
        return AccessToken(token.value.reveal(), int(token.expires_at))


class _Bearer(SansIOHTTPPolicy[Any, Any]):
    """Puts the provider's current token on every request, and remembers which one this thread sent."""

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens
        self._local = threading.local()

    @property
    def sent(self) -> Token | None:
        """The token of this thread's last request."""
        token: Token | None = getattr(self._local, "token", None)
        return token

    def on_request(self, request: PipelineRequest[Any]) -> None:
        self._local.token = self._tokens.token(Audience.LOG_ANALYTICS)
        request.http_request.headers["Authorization"] = f"Bearer {self._local.token.value.reveal()}"


def _outcome(error: ApiError) -> Outcome:
    if isinstance(error, Throttled):
        return Outcome(Kind.THROTTLED, error.retry_after)
    if isinstance(error, Unavailable):
        return Outcome(Kind.UNAVAILABLE, error.retry_after)
    return Outcome(Kind.REFUSED if error.permanent else Kind.BROKEN)


def _first_table(source: IO[bytes]) -> Iterator[Any]:
    """The rows of the first table; others (statistics of a render) are not results."""
    return values_at(source, ("tables", None, "rows", None), until=("tables", None))


def _notice(reply: LogsQueryPartialResult) -> str:
    """Why a result is partial, in the service's words: the reason lies in the details, not on top."""
    error = reply.partial_error
    if error is None:
        return "The service calls this result partial."
    raw = {"details": list(getattr(error, "details", None) or [])}
    reasons = [str(error.message or "")]
    for detail in objects(raw, "details"):
        inner = detail.get("innererror")
        reasons.append(text(inner, "message") or text(detail, "message"))
    unique = list(dict.fromkeys(reason for reason in reasons if reason))
    return " ".join(unique)[:1000] or "The service calls this result partial."


def _check(workspace_id: str, query: str, wait: int, more: Sequence[str]) -> None:
    if not all(is_guid(one) for one in (workspace_id, *more)):
        raise InvalidParameter("The workspace id is the workspace's GUID, not its name.", service=SERVICE)
    if len(more) >= WORKSPACES:
        raise InvalidParameter(f"One query reads at most {WORKSPACES} workspaces.", service=SERVICE)
    if not query.strip():
        raise InvalidParameter("The query is empty.", service=SERVICE)
    if not 1 <= wait <= LONGEST:
        raise InvalidParameter(f"The time limit is 1 to {LONGEST} seconds.", service=SERVICE)


def _mapped(error: Exception, failed: Answer | None) -> ApiError:
    """The typed error for what the client raised, by the answer that was behind it where there was one."""
    if failed is not None:
        return _by_answer(*failed)
    if isinstance(error, ValueError):
        return BadReply(
            "Log Analytics sent an empty or unreadable answer. A workspace without any data does so.", service=SERVICE
        )
    if isinstance(error, AzureError | requests.RequestException):
        return _unreached(error)
    return BadReply(f"Log Analytics' answer was not understood ({type(error).__name__}).", service=SERVICE)


def _unreached(error: Exception) -> NetworkError:
    if "certificate verify failed" in str(error).lower():
        sentence = "The certificate of Log Analytics is not trusted. Add its authority to the connection as PEM text."
        return NetworkError(sentence, code="Certificate", permanent=True, service=SERVICE)
    sentence = f"Log Analytics could not be reached ({type(error).__name__}). Check its URL, the network and the proxy."
    return NetworkError(sentence, service=SERVICE)


def _by_answer(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    context = Context(SERVICE, ("Data.Read",), is_query=True, now=time.time())
    error = error_from(status, headers, body, context)
    unknown = isinstance(error, BadRequest | NotFound)
    if unknown and error.code in ("FailedToResolveResource", "PathNotFoundError"):
        sentence = "There is no such workspace, or the app may not see it. Check its id."
        return NotFound(sentence, status=status, code=error.code, service=SERVICE)
    return error
