"""One way out to Graph, Defender and clusters: timeouts, caps, retries by table, tokens renewed once, hosts checked."""

import json
import logging
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import IO, Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

import requests
import urllib3.exceptions

from msapi.endpoint import Endpoint, Resource
from msapi.errors import Ambiguous, ApiError, BadReply, NetworkError, ResultTooLarge, Throttled, Unauthorized
from msapi.faults import Context, error_from
from msapi.multipart import FilePart, Multipart
from msapi.retry import GiveUp, Kind, Outcome, Policy, Retry, decide, parse_retry_after
from msapi.sessions import ConnectionSession, is_untrusted, tls_context
from msapi.tokens import Token, TokenProvider

CHUNK: Final = 64 * 1024
_ERROR_BYTES: Final = 256 * 1024
_IN_MEMORY: Final = 1024 * 1024
_UNWELL: Final = frozenset({408, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt, for logs: no query string, no body, no token."""

    service: str
    method: str
    path: str
    status: int | None
    milliseconds: float
    request_id: str
    attempt: int
    received: int
    failure: str = ""


def log_calls(logger: logging.Logger) -> Callable[[CallRecord], None]:
    """An `on_call` that writes each attempt to `logger` as the event msapi.call."""
    return lambda record: logger.info("msapi.call", extra=asdict(record))


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask. `path` begins with a slash, or is an absolute link that the service itself gave.

    `body` is sent as JSON, `content` as it is, `form` as multipart with its file streamed. `idempotent` is True where
    repeating the call is harmless. `needs` are roles of which one suffices, for the sentence of a refusal. `cap` is the
    largest accepted answer in bytes, `read_timeout` the longest silence in seconds.
    """

    audience: Resource
    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content: bytes | None = None
    form: Mapping[str, str | FilePart] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True
    needs: tuple[str, ...] = ()
    is_query: bool = False
    cap: int | None = None
    read_timeout: float | None = None


class Reply:
    """A successful answer, its body in a file that vanishes when closed."""

    def __init__(self, status: int, headers: Mapping[str, str], body: IO[bytes], size: int, request_id: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.size = size
        self.request_id = request_id

    def close(self) -> None:
        """Delete the body."""
        self.body.close()


@dataclass(slots=True)
class _Attempt:
    """How one attempt ended: a reply, or an outcome for the table with the error it would become."""

    outcome: Outcome
    reply: Reply | None = None
    error: ApiError | None = None
    status: int | None = None
    request_id: str = ""
    received: int = 0


class Transport:
    """Calls to one tenant. Safe to share between threads as far as `session` is; the default one is.

    `sleep` may be an event's `wait`, so that a stop cuts a pause short. `on_call` gets a `CallRecord` per attempt.
    """

    never_again: ClassVar[tuple[type[ApiError], ...]] = ()
    """Errors that asking again would only repeat, whatever their status."""

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: TokenProvider,
        *,
        session: requests.Session | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.tokens = tokens
        self._given = session
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._on_call = on_call

    @property
    def policy(self) -> Policy:
        """The retry policy that the connection's limits ask for."""
        limits = self.endpoint.limits
        return Policy(limits.attempts, limits.backoff, limits.backoff_cap, limits.max_retry_after)

    def json(self, call: Call) -> Any:
        """The answer parsed, None where it is empty. Raises an `ApiError`."""
        reply = self.spool(replace(call, cap=call.cap or self.endpoint.limits.reply_bytes))
        with closing(reply):
            return _parsed(reply, call.audience.title)

    def spool(self, call: Call) -> Reply:
        """The answer with its body in a temporary file, rewound; the caller closes it. Raises an `ApiError`."""
        url = self._url(call)
        token = self.tokens.token(call.audience)
        attempt, renewed = 1, False
        while True:
            end = self._attempt(call, url, token, attempt)
            if isinstance(end.error, Unauthorized) and not renewed:
                token, renewed = self.tokens.refresh(call.audience, token), True
                continue
            step = decide(call.idempotent, attempt, end.outcome, self.policy, self._jitter())
            if isinstance(step, Retry):
                self._sleep(step.delay)
                attempt += 1
                continue
            return self._finish(end, step, call)

    def close(self) -> None:
        """Close the connections held open."""
        if self._given is not None:
            self._given.close()

    def spoken(self, body: bytes) -> bytes:
        """The document of an error, as `msapi.faults` reads it; a service with another shape of error overrides it."""
        return body

    def explained(self, error: ApiError, body: bytes, response: requests.Response) -> ApiError:
        """The error as it is raised; a service that has better words for it overrides it."""
        return error

    def _session(self) -> requests.Session:
        if self._given is None:
            limits = self.endpoint.limits
            context = tls_context(self.endpoint.ca_pem)
            self._given = ConnectionSession(context, (limits.connect_timeout, limits.read_timeout))
        return self._given

    def _url(self, call: Call) -> str:
        if call.path.startswith("/"):
            return self.endpoint.url(call.audience) + call.path
        try:
            allowed = self.endpoint.allows(call.audience, call.path)
        except ValueError:
            allowed = False
        if not allowed:
            raise BadReply(
                f"{call.audience.title} pointed to another host for the next page; the token is not sent there.",
                service=call.audience.title,
                permanent=True,
            )
        return call.path

    def _finish(self, end: _Attempt, step: GiveUp, call: Call) -> Reply:
        if end.reply is not None:
            return end.reply
        error = end.error
        assert error is not None
        if step is GiveUp.AMBIGUOUS:
            raise Ambiguous(
                f"{call.audience.title} may or may not have carried this out ({error.message}). "
                "Look at the device's actions before asking again.",
                status=error.status,
                code=error.code,
                request_id=error.request_id,
                service=call.audience.title,
            )
        raise error

    def _attempt(self, call: Call, url: str, token: Token, attempt: int) -> _Attempt:
        started = time.monotonic()
        end = self._send(call, url, token, started)
        if self._on_call is not None:
            self._on_call(
                CallRecord(
                    service=call.audience.title,
                    method=call.method,
                    path=urlsplit(url).path,
                    status=end.status,
                    milliseconds=(time.monotonic() - started) * 1000,
                    request_id=end.request_id,
                    attempt=attempt,
                    received=end.received,
                    failure=type(end.error).__name__ if end.error else "",
                )
            )
        return end

    def _send(self, call: Call, url: str, token: Token, started: float) -> _Attempt:
        limits = self.endpoint.limits
        form = Multipart(call.form) if call.form is not None else None
        try:
            response = self._session().request(
                call.method,
                url,
                # Spelled out: Microsoft's samples join $filter words by %20 or +, and never encode the dollar.
                params=urlencode(call.params, safe="$,'()/:") if call.params else None,
                data=json.dumps(call.body).encode() if call.body is not None else form or call.content,
                headers=self._headers(call, token, form),
                timeout=(limits.connect_timeout, call.read_timeout or limits.read_timeout),
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            return _unsent(error, call.audience.title)
        with closing(response):
            return self._received(call, response, started)

    def _headers(self, call: Call, token: Token, form: Multipart | None = None) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {token.value.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "client-request-id": str(uuid.uuid4()),
        }
        if call.body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        if form is not None:
            headers["Content-Type"] = form.content_type
        return {**headers, **call.headers}

    def _received(self, call: Call, response: requests.Response, started: float) -> _Attempt:
        service = call.audience.title
        success = 200 <= response.status_code < 300
        cap = (call.cap or self.endpoint.limits.reply_bytes) if success else _ERROR_BYTES
        request_id = _request_id(response.headers)
        body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the reply owns it
        try:
            size = self._copy(response, body, cap, started, cut=not success)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            body.close()
            broken = NetworkError(f"The answer of {service} broke off ({type(error).__name__}).", service=service)
            return _Attempt(Outcome(Kind.BROKEN), None, broken, response.status_code, request_id)
        except ApiError as error:
            body.close()
            error.service = service
            return _Attempt(Outcome(Kind.REFUSED), None, error, response.status_code, request_id)
        body.seek(0)
        if success:
            reply = Reply(response.status_code, response.headers, body, size, request_id)
            return _Attempt(Outcome(Kind.OK), reply, None, response.status_code, request_id, size)
        with closing(body):
            return self._failed(call, response, body.read(), size)

    def _failed(self, call: Call, response: requests.Response, body: bytes, size: int) -> _Attempt:
        now = self._clock()
        context = Context(call.audience.title, call.needs, call.is_query, now)
        said = self.spoken(body)
        error = self.explained(error_from(response.status_code, response.headers, said, context), said, response)
        wait = parse_retry_after(response.headers.get("Retry-After"), now)
        if isinstance(error, Throttled):
            outcome = Outcome(Kind.THROTTLED, error.retry_after)
        elif response.status_code in _UNWELL and not isinstance(error, self.never_again):
            outcome = Outcome(Kind.UNAVAILABLE, wait)
        else:
            outcome = Outcome(Kind.REFUSED)
        return _Attempt(outcome, None, error, response.status_code, error.request_id, size)

    def _copy(self, response: requests.Response, body: IO[bytes], cap: int, started: float, *, cut: bool) -> int:
        size = 0
        for chunk in _chunks(response):
            size += len(chunk)
            if size > cap:
                if cut:
                    return size
                raise ResultTooLarge(
                    f"The answer is larger than {cap / 1024**2:.0f} MiB. Ask for fewer rows or columns.",
                    status=response.status_code,
                )
            if time.monotonic() - started > self.endpoint.limits.reply_deadline:
                raise NetworkError("The answer took too long to arrive and was given up.")
            body.write(chunk)
        return size


def _chunks(response: requests.Response) -> Iterator[bytes]:
    # read1 gives what is there: a server that drips cannot hold one read for ever, and the deadline is looked at.
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        yield chunk


def _unsent(error: requests.RequestException, service: str) -> _Attempt:
    """A call without an answer: not sent at all, or sent into the dark."""
    if is_untrusted(error):
        message = f"The certificate of {service} is not trusted. Add its authority to the connection as PEM text."
        failure = NetworkError(message, code="Certificate", service=service, permanent=True)
        return _Attempt(Outcome(Kind.REFUSED), error=failure)
    unsent = isinstance(error, requests.exceptions.ConnectTimeout) or _never_connected(error)
    verb = "could not be reached" if unsent else "gave no answer"
    failure = NetworkError(
        f"{service} {verb} ({type(error).__name__}). Check its URL, the network and the proxy.", service=service
    )
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return _Attempt(Outcome(Kind.REFUSED), error=failure)
    return _Attempt(Outcome(Kind.NOT_SENT if unsent else Kind.BROKEN), error=failure)


def _never_connected(error: BaseException) -> bool:
    """Whether urllib3 failed before it had a connection (refused, unknown name, no proxy)."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError) or isinstance(
        error, requests.exceptions.ProxyError
    )


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("request-id") or headers.get("x-ms-request-id") or headers.get("client-request-id") or ""


def _parsed(reply: Reply, service: str) -> Any:
    content = reply.body.read()
    if not content.strip():
        return None
    try:
        document = json.loads(content)
        if b"\\ud" in content.lower():
            # Escapes can make half characters, which no file or database takes.
            document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
        return document
    except (ValueError, RecursionError):
        raise BadReply(
            f"{service} sent an answer that is not JSON. If a proxy stands in between, it may have answered instead.",
            status=reply.status,
            request_id=reply.request_id,
            service=service,
        ) from None
