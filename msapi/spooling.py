"""A session adapter that stores a Log Analytics answer in a file and shows the client all of it but the rows."""

import io
import json
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import IO, Any, Final

import requests
import urllib3.exceptions
from urllib3 import HTTPHeaderDict, HTTPResponse

from msapi.endpoint import Audience, Endpoint
from msapi.errors import BadReply, NetworkError, ResultTooLarge
from msapi.jsonwalk import FAULTY, values_at
from msapi.results import Column, read_columns
from msapi.sessions import ContextAdapter, tls_context

SERVICE: Final = Audience.LOG_ANALYTICS.title
_CHUNK: Final = 64 * 1024
_SMALL: Final = 256 * 1024
_REQUEST_IDS: Final = ("x-ms-request-id", "request-id", "x-ms-correlation-request-id")


#: Status, headers and the beginning of the body.
Answer = tuple[int, Mapping[str, str], bytes]


class Spooled:
    """An answer in a file, and what the client needs to see of it."""

    def __init__(self, body: IO[bytes], request_id: str) -> None:
        self.body = body
        self.request_id = request_id
        self.columns: tuple[Column, ...] = ()
        self.skeleton = b""


class _Current(threading.local):
    """What the adapter keeps of the call that this thread makes."""

    spooled: Spooled | None = None
    failed: Answer | None = None
    read_timeout: float = 600.0


class SpoolingAdapter(ContextAdapter):
    """Stores the body of a success in a file under a cap, and answers with its skeleton: all of it but the rows."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(tls_context(endpoint.ca_pem))
        self._limits = endpoint.limits
        self._current = _Current()

    def begin(self, read_timeout: float) -> None:
        """Forget this thread's last call; the next one may be silent for `read_timeout` seconds."""
        self._current.spooled = self._current.failed = None
        self._current.read_timeout = read_timeout

    def take(self) -> Spooled:
        """The stored answer; it is the caller's to close."""
        spooled, self._current.spooled = self._current.spooled, None
        if spooled is None:
            raise BadReply("Log Analytics sent no result.", service=SERVICE)
        return spooled

    def failure(self) -> Answer | None:
        """The last unsuccessful answer, if there was one."""
        return self._current.failed

    def end(self) -> None:
        """Delete an answer that nobody took."""
        if self._current.spooled is not None:
            self._current.spooled.body.close()
            self._current.spooled = None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = (self._limits.connect_timeout, self._current.read_timeout)
        self.end()
        response = super().send(request, *args, **options)
        try:
            return self._replaced(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise NetworkError(
                f"The answer of {SERVICE} broke off ({type(error).__name__}).", service=SERVICE
            ) from None
        finally:
            response.close()

    def _replaced(self, response: requests.Response) -> requests.Response:
        if response.status_code != 200:
            body = _limited(response)
            self._current.failed = (response.status_code, response.headers, body)
            return _answer(response, body)
        spooled = Spooled(tempfile.SpooledTemporaryFile(max_size=_SMALL), _request_id(response.headers))  # noqa: SIM115
        try:
            empty = self._store(response, spooled.body) == 0
            if not empty:
                spooled.columns, spooled.skeleton = _skeleton(spooled.body)
        except BaseException:
            spooled.body.close()
            raise
        self._current.spooled = spooled
        return _answer(response, spooled.skeleton)

    def _store(self, response: requests.Response, body: IO[bytes]) -> int:
        size, started = 0, time.monotonic()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > self._limits.hunting_bytes:
                raise ResultTooLarge(
                    f"The answer is larger than {self._limits.hunting_bytes / 1024**2:.0f} MiB. "
                    "Ask for fewer rows or columns.",
                    service=SERVICE,
                )
            if time.monotonic() - started > self._limits.reply_deadline:
                raise NetworkError("The answer took too long to arrive and was given up.", service=SERVICE)
            body.write(chunk)
        return size


def _limited(response: requests.Response) -> bytes:
    body = b""
    while len(body) < _SMALL and (chunk := response.raw.read1(_CHUNK, decode_content=True)):
        body += chunk
    return body


def _answer(original: requests.Response, body: bytes) -> requests.Response:
    """The original answer with another body."""
    response = requests.Response()
    response.status_code = original.status_code
    response.reason = original.reason
    response.url = original.url
    response.request = original.request
    response.headers.update(original.headers)
    for name in ("Content-Encoding", "Transfer-Encoding", "Content-Length"):
        response.headers.pop(name, None)
    response.headers["Content-Length"] = str(len(body))
    response.raw = HTTPResponse(
        io.BytesIO(body),
        headers=HTTPHeaderDict(response.headers),
        status=original.status_code,
        preload_content=False,
        original_response=None,
    )
    return response


def _skeleton(body: IO[bytes]) -> tuple[tuple[Column, ...], bytes]:
    """The columns of the first table, and the answer without its rows. Raises BadReply where it is not an answer."""
    try:
        listed = next(values_at(body, ("tables", None, "columns"), until=("tables", None)), None)
        error = next(values_at(body, ("error",)), None)
    except FAULTY:
        raise BadReply("Log Analytics sent an answer that is not JSON, or that breaks off.", service=SERVICE) from None
    if listed is None:
        raise BadReply("Log Analytics sent an answer without a table.", service=SERVICE)
    columns = read_columns(listed, SERVICE)
    tables = [{"name": "PrimaryResult", "columns": listed, "rows": []}]
    return columns, json.dumps({"tables": tables, **({"error": error} if error else {})}).encode()


def _request_id(headers: Mapping[str, str]) -> str:
    return next((headers[name] for name in _REQUEST_IDS if name in headers), "")
