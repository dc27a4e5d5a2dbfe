"""An Azure Blob service on this machine: Azurite on a free port, behind a door that can answer in its place, cut a
body, lose an answer, or count."""

import base64
import http.client
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient
from werkzeug.serving import make_server

from frontend import setup
from tests.azurite.setup import PROGRAM
from tests.ircase.storage.bucket import Quiet

ACCOUNT = "ircasetests"
Answer = tuple[str, list[tuple[str, str]], bytes]
Gate = Callable[[dict[str, Any]], "Answer | None"]
_READY = re.compile(rb"successfully listen(?:ing|s) (?:at|on) (http://[\w.:]+)")
_HOP = {"connection", "keep-alive", "transfer-encoding", "host"}


class Azurite:
    """The emulator itself, in memory. Raises RuntimeError where it does not start."""

    def __init__(self) -> None:
        self.key = base64.b64encode(os.urandom(64)).decode()
        self.folder = tempfile.TemporaryDirectory(prefix="azurite-")
        options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--silent"]
        # It would report its use to its makers; nothing here leaves the machine.
        options += ["--disableTelemetry", "--skipApiVersionCheck", "--disableProductStyleUrl"]
        self.process = subprocess.Popen(
            [str(setup.find_node().program), str(PROGRAM), *options],
            cwd=self.folder.name,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.url = self._listening()
        Thread(target=self._drain, daemon=True).start()

    def _listening(self) -> str:
        said = b""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if found := _READY.search(line):
                return found[1].decode()
        raise RuntimeError(f"Azurite did not start: {said[-2000:].decode(errors='replace')}")

    def _drain(self) -> None:
        assert self.process.stdout is not None
        for _ in self.process.stdout:
            pass

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()


class Containers:
    """`gate` sees every request first; what it returns is answered in place of Azurite. `lost` picks requests that are
    carried out and answered with 503. `asked`: method, path, query."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.gate: Gate | None = None
        self.lost: Callable[[dict[str, Any]], bool] | None = None
        self.cut = 0
        self._inner = Azurite()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/{ACCOUNT}"
        self.key = self._inner.key
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        credential = {"account_name": ACCOUNT, "account_key": self.key}
        self.service = BlobServiceClient(f"{self._inner.url}/{ACCOUNT}", credential)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._inner.stop()

    def make(self, name: str) -> None:
        self.service.create_container(name)

    def names(self, container: str) -> list[str]:
        return sorted(blob.name for blob in self.service.get_container_client(container).list_blobs())

    def unfinished(self, container: str) -> int:
        """Names that have blocks and no blob."""
        found = self.service.get_container_client(container).list_blobs(include=["uncommittedblobs"])
        return len({blob.name for blob in found}) - len(self.names(container))

    def write(self, container: str, name: str, data: bytes) -> None:
        key = f"p/{name[:2]}/{name[2:4]}/{name}"
        self.service.get_blob_client(container, key).upload_blob(data, overwrite=True)

    @contextmanager
    def gated(self, gate: Gate) -> Iterator[None]:
        self.gate = gate
        try:
            yield
        finally:
            self.gate = None

    @contextmanager
    def losing(self, when: Callable[[dict[str, Any]], bool]) -> Iterator[None]:
        self.lost = when
        try:
            yield
        finally:
            self.lost = None

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")))
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = self.gate(environ) if self.gate else None
        if answer is None:
            answer = self._asked(environ, body)
            if self.lost and self.lost(environ):
                self.lost, answer = None, refusal("503 Service Unavailable", "ServerBusy")
        status, headers, content = answer
        start(status, headers)
        if self.cut and environ["REQUEST_METHOD"] == "GET" and "comp=" not in environ.get("QUERY_STRING", ""):
            # The length that was announced stays: to the client the line broke.
            cut, self.cut = self.cut, 0
            return [content[:cut]]
        return [content]

    def _asked(self, environ: dict[str, Any], body: bytes) -> Answer:
        line = http.client.HTTPConnection(urlsplit(self._inner.url).netloc, timeout=60)
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        headers |= {"content-length": environ["CONTENT_LENGTH"]} if environ.get("CONTENT_LENGTH") else {}
        headers |= {"content-type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
        kept = {name: value for name, value in headers.items() if name not in _HOP}
        try:
            line.request(environ["REQUEST_METHOD"], environ["REQUEST_URI"], body or None, kept)
            reply = line.getresponse()
            content = reply.read()
            given = [(name, value) for name, value in reply.getheaders() if name.lower() not in _HOP]
            if "content-length" not in {name.lower() for name, _ in given} and environ["REQUEST_METHOD"] != "HEAD":
                given.append(("Content-Length", str(len(content))))
            return f"{reply.status} {reply.reason}", given, content
        finally:
            line.close()


def refusal(status: str, code: str) -> Answer:
    """What Azure answers where it refuses."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>No.</Message></Error>'.encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body))), ("x-ms-error-code", code)]
    return status, headers, body


def refusing(
    status: str, code: str, times: int = 10**6, when: Callable[[dict[str, Any]], bool] = lambda environ: True
) -> Gate:
    """`refusal` for the first `times` requests that `when` picks."""
    left = [times]

    def gate(environ: dict[str, Any]) -> Answer | None:
        if left[0] > 0 and when(environ):
            left[0] -= 1
            return refusal(status, code)
        return None

    return gate


def busy(times: int, when: Callable[[dict[str, Any]], bool] = lambda environ: True) -> Gate:
    return refusing("503 Service Unavailable", "ServerBusy", times, when)
