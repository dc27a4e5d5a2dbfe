"""A bucket on this machine: moto's server on a free port, behind a door that can answer 503, cut a body, or count."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import boto3
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
Gate = Callable[[dict[str, Any]], "tuple[str, bytes] | None"]


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        return None


class Bucket:
    """`gate` sees every request first; what it returns is answered in place of S3. `lost` picks a request that is
    carried out and answered with 503. `asked`: method, path, query."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.gate: Gate | None = None
        self.lost: Callable[[dict[str, Any]], bool] | None = None
        self.cut = 0
        self._inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.client = boto3.client(
            "s3", endpoint_url=self.endpoint, config=Config(s3={"addressing_style": "path"}), **KEYS
        )

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def make(self, name: str, **more: Any) -> None:
        self.client.create_bucket(Bucket=name, **more)

    def keys(self, name: str) -> list[str]:
        return sorted(row["Key"] for row in self.client.list_objects_v2(Bucket=name).get("Contents", ()))

    def unfinished(self, name: str) -> int:
        return len(self.client.list_multipart_uploads(Bucket=name).get("Uploads", ()))

    @contextmanager
    def gated(self, gate: Gate) -> Iterator[None]:
        self.gate = gate
        try:
            yield
        finally:
            self.gate = None

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")))
        refused = self.gate(environ) if self.gate else None
        if refused is not None:
            status, body = refused
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if self.lost and self.lost(environ):
            self.lost = None
            b"".join(self._inner(environ, lambda *_: None))
            start(
                "503 Service Unavailable",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))],
            )
            return [SLOW_DOWN]
        answer: Iterable[bytes] = self._inner(environ, start)
        if self.cut and environ["REQUEST_METHOD"] == "GET" and "list-type" not in environ.get("QUERY_STRING", ""):
            whole = b"".join(answer)
            if len(whole) > self.cut:
                # The length that was announced stays: to the client the line broke.
                cut, self.cut = self.cut, 0
                return [whole[:cut]]
            return [whole]
        return answer


SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>ServiceUnavailable</Code><Message>Reduce your rate</Message></Error>'


def busy(times: int, when: Callable[[dict[str, Any]], bool] = lambda environ: True) -> Gate:
    """503 for the first `times` requests that `when` picks."""
    left = [times]

    def gate(environ: dict[str, Any]) -> tuple[str, bytes] | None:
        if left[0] > 0 and when(environ):
            left[0] -= 1
            return "503 Service Unavailable", SLOW_DOWN
        return None

    return gate
