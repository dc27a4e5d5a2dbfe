"""What is left of the web server when its master is killed: nothing, so that the next one has the port and the line."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.stack import BASE_DIR, free_port

APPLICATION = """
def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
PART = b"PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf"
PATIENCE = 30.0


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def master(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "swallow.py").write_text(APPLICATION, encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--graceful-timeout", "1", "--pythonpath", str(tmp_path), "swallow"],
        cwd=BASE_DIR,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def ask(port: int, request: bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") -> socket.socket | None:
    try:
        line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    except ConnectionRefusedError:
        return None
    if line.getsockname() == line.getpeername():  # nobody listens: the kernel has connected the port with itself
        line.close()
        return None
    line.sendall(request)
    return line


def wait_for_worker(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while (line := ask(port)) is None:
        assert time.monotonic() < end, "it does not listen"
        time.sleep(0.05)
    with line:
        assert line.recv(4096).startswith(b"HTTP/1.1 200")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_a_body_that_never_comes_keeps_no_worker_and_no_other_connection(
    master: subprocess.Popen[bytes], port: int, kill: signal.Signals
) -> None:
    wait_for_worker(port)
    stuck, other = ask(port, PART), ask(port, PART)
    assert stuck is not None
    assert other is not None
    with stuck, other:
        readable, _, _ = select.select([stuck, other], [], [], 0.5)
        assert readable == [], "nobody answers half a part"
        os.kill(master.pid, kill)
        master.wait(timeout=PATIENCE)
        until(lambda: is_free(port), "an orphan holds the port")
        for line in (stuck, other):
            readable, _, _ = select.select([line], [], [], PATIENCE)
            assert readable == [line], "the connection stays open with nobody at its end"
