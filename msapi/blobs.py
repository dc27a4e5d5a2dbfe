"""Downloads by signed links: a plain GET without any credential, from listed hosts only, resumed where it broke off.

The link itself is a credential: it never appears in an error, a record or a log.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, Final
from urllib.parse import parse_qs, urlsplit

import requests
import urllib3.exceptions

from msapi.endpoint import Endpoint
from msapi.errors import ApiError, BadReply, Forbidden, InvalidParameter, LinkExpired, NetworkError, ResultTooLarge
from msapi.faults import Context, error_from
from msapi.retry import GiveUp, Kind, Outcome, Policy, Retry, decide, parse_retry_after
from msapi.scripts import Wrapping, sniff
from msapi.sessions import ConnectionSession, is_untrusted, tls_context
from msapi.transport import CallRecord

SERVICE: Final = "the result store"
_CHUNK: Final = 256 * 1024
_UNWELL: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What came: bytes and their SHA-256 as written. `gzip_applied`: they are gzip around the file asked for.

    Defender packs what GetFile fetches; `msapi.scripts.gunzip` undoes it. `damaged`: the bytes are not those of which
    the store keeps a checksum; asking again may bring the right ones.
    """

    bytes: int
    sha256: str
    gzip_applied: bool
    damaged: bool = False


class _Sink:
    """Counts, hashes and remembers the head of what goes into the caller's file."""

    def __init__(self, file: BinaryIO | IO[bytes], cap: int) -> None:
        self._file = file
        self._cap = cap
        self._digest = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._kept = b""
        self.head = b""
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._cap:
            raise ResultTooLarge(
                f"The file is larger than {self._cap / 1024**2:.0f} MiB, the connection's limit for downloads.",
                service=SERVICE,
            )
        if len(self.head) < 4:
            self.head += chunk[:4]
        self._digest.update(chunk)
        self._md5.update(chunk)
        self._file.write(chunk)

    def expect(self, response: requests.Response) -> None:
        """Remember the checksum that the store keeps of the whole file, where it names one.
        https://learn.microsoft.com/rest/api/storageservices/get-blob"""
        own = "Content-MD5" if response.status_code == 200 else ""
        for name in ("x-ms-blob-content-md5", own):
            with suppress(ValueError):
                found = base64.b64decode(response.headers.get(name, ""), validate=True)
                self._kept = found if len(found) == self._md5.digest_size else self._kept

    def result(self) -> Downloaded:
        damaged = self._kept not in (b"", self._md5.digest())
        return Downloaded(self.size, self._digest.hexdigest(), sniff(self.head) is Wrapping.GZIP, damaged)


class BlobStore:
    """Downloads for one connection. Errors: InvalidParameter, LinkExpired, NotFound, ResultTooLarge, NetworkError."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._sleep = sleep
        self._clock = clock
        self._on_call = on_call
        self._session: requests.Session | None = None

    def download(self, link: str, sink: BinaryIO | IO[bytes], *, cap: int | None = None) -> Downloaded:
        """Write what `link` points to into `sink`, at most `cap` bytes (default: the connection's limit).

        After an error `sink` holds an incomplete file. LinkExpired: ask for a new link, nothing needs to run again.
        """
        link = link.strip().strip('"')
        if not self._endpoint.allows_blob(link):
            raise InvalidParameter(
                f"Results are not downloaded from {_host(link)}: it is not among the connection's download hosts.",
                service=SERVICE,
            )
        limits = self._endpoint.limits
        target = _Sink(sink, limits.download_bytes if cap is None else cap)
        policy = Policy(limits.attempts, limits.backoff, limits.backoff_cap, limits.max_retry_after)
        deadline = time.monotonic() + limits.download_deadline
        attempt, etag = 1, ""
        while True:
            before = target.size
            outcome, error, etag = self._attempt(link, target, etag, deadline, attempt)
            if error is None:
                return target.result()
            # What arrives counts: a long download may break off often, as long as it gets on.
            attempt = 1 if target.size > before else attempt
            step = decide(True, attempt, outcome, policy)
            if isinstance(step, GiveUp):
                raise error
            assert isinstance(step, Retry)
            self._sleep(step.delay)
            attempt += 1

    def close(self) -> None:
        """Close the connections held open."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _attempt(
        self, link: str, target: _Sink, etag: str, deadline: float, attempt: int
    ) -> tuple[Outcome, ApiError | None, str]:
        started, before, status = time.monotonic(), target.size, None
        outcome, error = Outcome(Kind.OK), None
        try:
            with closing(self._request(link, target.size, etag)) as response:
                status = response.status_code
                outcome, error = self._judged(response, link, target.size, etag)
                etag = etag or response.headers.get("ETag", "")
                if error is None:
                    target.expect(response)
                    for chunk in _chunks(response, deadline):
                        target.write(chunk)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as failure:
            outcome, error = _broken(failure, resumable=bool(etag) or target.size == 0)
        except ApiError as failure:
            outcome, error = Outcome(Kind.REFUSED), failure
        self._record(link, status, started, target.size - before, attempt, error)
        return outcome, error, etag

    def _request(self, link: str, offset: int, etag: str) -> requests.Response:
        # As stored: whether the bytes are gzip is for the caller to see, not for the transfer to undo.
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Match": etag}
        if self._session is None:
            limits = self._endpoint.limits
            context = tls_context(self._endpoint.ca_pem)
            self._session = ConnectionSession(context, (limits.connect_timeout, limits.read_timeout))
        return self._session.get(link, headers=headers, allow_redirects=False, stream=True)

    def _judged(
        self, response: requests.Response, link: str, offset: int, etag: str
    ) -> tuple[Outcome, ApiError | None]:
        status = response.status_code
        if status == 200 and offset == 0:
            return Outcome(Kind.OK), None
        if status == 206 and offset and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            return Outcome(Kind.OK), None
        if status in (200, 206, 412, 416):
            sentence = "The download broke off and the store cannot go on where it stopped. Start it again."
            return Outcome(Kind.REFUSED), NetworkError(sentence, status=status, service=SERVICE)
        body = response.raw.read(4096, decode_content=True)
        if status == 403 and (b"AuthenticationFailed" in body or self._is_over(link)):
            sentence = "The download link has expired. Ask for a new one: it needs no new run."
            return Outcome(Kind.REFUSED), LinkExpired(sentence, status=status, service=SERVICE)
        now = self._clock()
        if status == 403:
            return Outcome(Kind.REFUSED), Forbidden(
                "The result store refuses the link.", status=status, service=SERVICE
            )
        error = error_from(status, response.headers, body, Context(SERVICE, now=now))
        wait = parse_retry_after(response.headers.get("Retry-After"), now)
        return Outcome(Kind.UNAVAILABLE if status in _UNWELL else Kind.REFUSED, wait), error

    def _is_over(self, link: str) -> bool:
        ends = parse_qs(urlsplit(link).query).get("se", [""])[0]
        try:
            moment = datetime.fromisoformat(ends)
        except ValueError:
            return False
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.timestamp() <= self._clock()

    def _record(self, link: str, status: int | None, started: float, received: int, attempt: int, error: Any) -> None:
        if self._on_call is not None:
            milliseconds = (time.monotonic() - started) * 1000
            failure = type(error).__name__ if error else ""
            self._on_call(
                # The path of a blob is part of what makes its link; the host is enough for a log.
                CallRecord(_host(link), "GET", "/…", status, milliseconds, "", attempt, received, failure)
            )


def _broken(failure: Exception, *, resumable: bool) -> tuple[Outcome, ApiError]:
    if is_untrusted(failure):
        sentence = "The certificate of the result store is not trusted. Add its authority to the connection."
        return Outcome(Kind.REFUSED), NetworkError(sentence, code="Certificate", permanent=True, service=SERVICE)
    error = NetworkError(f"The download broke off ({type(failure).__name__}). Start it again.", service=SERVICE)
    # Without a mark of the version, a second half could belong to another file.
    return Outcome(Kind.BROKEN if resumable else Kind.REFUSED), error


def _chunks(response: requests.Response, deadline: float) -> Iterator[bytes]:
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        if time.monotonic() > deadline:
            raise BadReply("The download took too long and was given up.", service=SERVICE)
        yield chunk


def _host(link: str) -> str:
    try:
        return urlsplit(link).hostname or "an address without a host"
    except ValueError:
        return "an address that cannot be read"
