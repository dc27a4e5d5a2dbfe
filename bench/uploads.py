"""Uploads in parts over the loopback into a real gunicorn, what memory that takes, and how fast each format is read."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import requests
import xlsxwriter

from artifacts.choices import Choice, ColumnChoice
from artifacts.process import load_in_child
from bench.figures import Absent, Figure, best, took

GROUP = "Uploading over the loopback, in parts of 16 MiB"
READING = "Reading a file of rows into a table"
_PART = 16 * 2**20
_ROOT = Path(__file__).resolve().parents[1]
_SHEET_ROWS = 50_000
_PERSON = """
from tests.cast import make_case, make_user
alice = make_user("alice", "analyst")
print(make_case(alice).reference)
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, BACKEND_SESSION_KEY
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(alice.pk), alice.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session.save()
print(session.session_key)
"""


def figures(folder: Path, *, mebibytes: int, rows: int, rounds: int) -> Iterator[Figure | Absent]:
    """Figures of the way in: one client that sends as fast as it can, then the loader by format."""
    server = _Server(folder)
    try:
        yield from _sending(server, mebibytes)
    finally:
        server.stop()
    yield from _reading(folder, rows, rounds)


class _Server:
    """gunicorn as production runs it, with a database and a person of its own."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "IRCASE_DATA_DIR": str(folder / "data"),
            "DATABASE_URL": f"sqlite://{folder / 'data' / 'bench.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "IRCASE_SECRET_KEY": "only-for-this-bench-" + "x" * 40,
            "IRCASE_FIELD_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
            "IRCASE_INSECURE_HTTP": "1",
            "IRCASE_LOG_LEVEL": "ERROR",
            "IRCASE_REDIS_URL": "redis://127.0.0.1:1/0",
            "IRCASE_STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        }
        (folder / "data").mkdir()
        self._manage("migrate", "--no-input", "-v", "0")
        self.reference, self.session = self._manage("shell", "-v", "0", "-c", _PERSON).split()[-2:]
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        command = [
            sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi",
            "--bind", f"127.0.0.1:{self.port}",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, cwd=_ROOT, env=self.environment, stderr=subprocess.DEVNULL)
        self._wait()

    def _manage(self, *arguments: str) -> str:
        line = [sys.executable, str(_ROOT / "manage.py"), *arguments]
        return subprocess.run(
            line, cwd=_ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def _wait(self) -> None:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("gunicorn did not come up")

    def peak_mib(self) -> int:
        """The largest memory that any process of the server has had."""
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="ascii")
        peaks = []
        for pid in [str(self._process.pid), *listed.split()]:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            peaks.append(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
        return max(peaks) // 1024

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


class _Client:
    def __init__(self, server: _Server) -> None:
        self.base = f"http://127.0.0.1:{server.port}"
        self.endpoint = f"{self.base}/cases/{server.reference}/uploads/"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.cookies.set("sessionid", server.session)
        token = "a" * 32
        self.session.cookies.set("csrftoken", token)
        self.session.headers.update({"X-CSRFToken": token, "Tus-Resumable": "1.0.0"})

    def send(self, mebibytes: int, *, checked: bool) -> None:
        part = os.urandom(_PART)
        size, at = mebibytes * 2**20, 0
        begun = self.session.post(self.endpoint, headers={"Upload-Length": str(size)}, timeout=60)
        begun.raise_for_status()
        headers = {"Content-Type": "application/offset+octet-stream"}
        if checked:
            digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
            headers["Upload-Checksum"] = f"sha256 {digest}"
        while at < size:
            reply = self.session.patch(
                begun.headers["Location"], data=part, headers={**headers, "Upload-Offset": str(at)}, timeout=120
            )
            reply.raise_for_status()
            at += _PART


def _sending(server: _Server, mebibytes: int) -> Iterator[Figure]:
    client, size = _Client(server), mebibytes // 16 * 16
    idle = server.peak_mib()
    yield Figure(GROUP, "parts as they come", size, "MiB", took(lambda: client.send(size, checked=False)))
    yield Figure(GROUP, "parts with their SHA-256", size, "MiB", took(lambda: client.send(size, checked=True)))
    more = f"peak memory {server.peak_mib()} MiB, {idle} before"
    yield Figure(GROUP, more, size, "MiB", took(lambda: client.send(16, checked=True)))


def _reading(folder: Path, rows: int, rounds: int) -> Iterator[Figure]:
    def row(number: int) -> tuple[str, str, int, float, str]:
        clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        return f"2026-07-15 {clock}", f"ws-{number % 500}", number, number / 4, "a line of a log, as they are"

    names = ("When", "Host", "Count", "Share", "Note")
    makers: dict[str, Callable[[Path], int]] = {
        "csv": lambda path: _lines(path, rows, names, lambda n: ",".join(map(str, row(n)))),
        "ndjson": lambda path: _lines(path, rows, (), lambda n: json.dumps(dict(zip(names, row(n), strict=True)))),
        "parquet": lambda path: _parquet(folder / "f.csv", path, rows),
        "xlsx": lambda path: _sheet(path, min(rows, _SHEET_ROWS), names, row),
    }
    for kind, make in makers.items():
        path = folder / f"f.{kind}"
        count = make(path)
        yield Figure(READING, kind, count, "rows", best(lambda p=path: _load(p, folder), rounds))  # type: ignore[misc]
    types = ("datetime", "string", "long", "real", "string")
    columns = tuple(ColumnChoice(name, name, kind) for name, kind in zip(names, types, strict=True))  # type: ignore[arg-type]
    choice = Choice("f.csv", "typed", columns=columns, zone="Europe/Berlin", time_column="When")
    path = folder / "f.csv"
    yield Figure(READING, "csv, types and zone chosen", rows, "rows", best(lambda: _load(path, folder, choice), rounds))


def _load(path: Path, folder: Path, *choices: Choice) -> None:
    report = load_in_child([path], folder / "out", survey=True, choices=choices)
    assert report.tables, report.problems


def _lines(path: Path, rows: int, names: tuple[str, ...], line: Callable[[int], str]) -> int:
    with path.open("w", encoding="utf-8") as out:
        if names:
            out.write(",".join(names) + "\n")
        out.writelines(f"{line(number)}\n" for number in range(rows))
    return rows


def _parquet(source: Path, path: Path, rows: int) -> int:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{source}')) TO '{path}' (FORMAT parquet)")
    return rows


def _sheet(path: Path, rows: int, names: tuple[str, ...], row: Callable[[int], tuple[object, ...]]) -> int:
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, names)
    for number in range(rows):
        sheet.write_row(number + 1, 0, row(number))
    book.close()
    return rows
