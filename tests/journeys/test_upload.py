"""A file of a gigabyte goes up while the line is cut twice and the web server is killed, and becomes a typed table."""

import contextlib
import hashlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from config.stack import Stack, free_port
from tests.journeys.client import Api, ended
from tests.journeys.film import Film, Studio, chromium_browser, film_folder

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1500)]
MIB = int(os.environ.get("IRCASE_JOURNEY_UPLOAD_MIB", "1024"))
SILENT_MIB = 64
NOTE = 8000
SLOW_MS = 600_000
BERLIN = "Europe/Berlin"


class Line:
    """A wire between browser and server that can be cut: every connection over it breaks, at once and for real.

    It carries at most `most` bytes towards the server and then holds, so that a cut falls where the journey wants it,
    however fast the machine is.
    """

    def __init__(self, target: int) -> None:
        self.port, self.target = free_port(), target
        self.carried = 0
        self.most = sys.maxsize
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._silent: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listener = self._listen()

    def _listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=10)
        except OSError:
            near.close()
            return
        pair = (near, far)
        with self._lock:
            self._pairs.add(pair)
        try:
            self._carry(near, far)
        except OSError:
            pass
        finally:
            with self._lock:
                self._pairs.discard(pair)
                self._silent.discard(pair)
            for end in pair:
                end.close()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([near, far], [], [], 60)
            while (near, far) in self._silent or (near in ready and self.carried >= self.most):
                time.sleep(0.05)
            for end in ready:
                data = end.recv(1 << 18)
                if not data:
                    return
                if end is near:
                    self.carried += len(data)
                (far if end is near else near).sendall(data)

    def cut(self) -> None:
        """Nobody is let in any more, and every connection is reset in the middle of what it carries."""
        self.most = sys.maxsize
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            pairs = list(self._pairs)
            self._silent.clear()
        for end in [end for pair in pairs for end in pair]:
            with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
                # Linger of zero: the kernel sends a reset instead of a polite end.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Every connection stays open and carries nothing more, as if its other end slept. New ones carry."""
        with self._lock:
            self._silent = set(self._pairs)
        self.most = sys.maxsize

    def mend(self) -> None:
        self._listener = self._listen()

    def close(self) -> None:
        self._listener.close()
        self._silent.clear()
        self.most = sys.maxsize


def write_csv(path: Path, mebibytes: int) -> tuple[str, int]:
    """A firewall's log with wall clock times and a few bad values; its SHA-256 and number of rows."""
    digest, rows = hashlib.sha256(), 0
    text = "blocked by policy, " + "x" * NOTE  # long, so that a gigabyte has rows that can be counted in time
    with path.open("wb") as out:
        block = b"When;Host;Bytes;Note\r\n"
        while True:
            out.write(block)
            digest.update(block)
            if out.tell() >= mebibytes * 2**20:
                return digest.hexdigest(), rows
            lines = []
            for number in range(rows, rows + 200):
                second = number % 86_400
                clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
                count = "n/a" if number == 5 else str(number)
                lines.append(f"2026-07-14 {clock};fw-{number % 50:02};{count};{text}")
            rows += 200
            block = ("\r\n".join(lines) + "\r\n").encode()


@pytest.fixture
def line(stack: Stack) -> Iterator[Line]:
    wire = Line(stack.port)
    yield wire
    wire.close()


def arrived(page: Page) -> int:
    """What the progress bar says, in bytes."""
    return int(page.locator("[data-uploads] progress").last.evaluate("bar => bar.value"))


def until(line: Line, page: Page, share: float) -> None:
    """That much of the file has arrived, and little more: from here on the line carries only what it is asked to."""
    end = time.monotonic() + SLOW_MS / 1000
    size = int(page.locator("[data-uploads] progress").last.evaluate("bar => bar.max"))
    least = int(size * share)
    while arrived(page) < least:
        line.most = line.carried + size // 32
        assert time.monotonic() < end, f"only {arrived(page):,} bytes: {page.locator('[data-text]').all_inner_texts()}"
        page.wait_for_timeout(100)


def choose(page: Page, path: Path) -> None:
    page.get_by_label("Choose files").set_input_files(path)
    page.get_by_role("button", name="Upload and seal").click()


def send_through_trouble(film: Film, line: Line, stack: Stack, path: Path) -> None:
    """The line is cut, the server killed, the line cut again and the page closed: the same file goes on each time."""
    page, size = film.page, path.stat().st_size
    status = page.locator("[data-text]").last
    choose(page, path)
    until(line, page, 1 / 6)
    line.cut()
    expect(status).to_contain_text("connection is lost", timeout=SLOW_MS)
    film.scene("cut", whole=False)
    line.mend()
    until(line, page, 1 / 3)
    victim = stack.pid("web")
    os.kill(victim, signal.SIGKILL)
    stack.wait_for("another web", lambda: stack.pid("web") != victim)
    until(line, page, 1 / 2)
    page.get_by_role("button", name="Pause").click()
    expect(status).to_contain_text("Paused")
    page.get_by_role("button", name="Resume").click()
    until(line, page, 2 / 3)
    line.cut()
    page.wait_for_timeout(500)
    address = page.url
    page.goto("about:blank")
    line.mend()
    page.goto(address)
    expect(page.get_by_text("Interrupted at")).to_be_visible()
    film.scene("interrupted")
    film.small_and_dark("interrupted")
    before = line.carried
    choose(page, path)
    expect(page.locator("[data-text]").last).to_contain_text("Sealed as E001", timeout=SLOW_MS)
    assert line.carried - before < size // 2, "it began again instead of going on"


def read_as(film: Film, analyst: Api, reference: str, item: str) -> dict[str, Any]:
    """Say the zone and a type; the finished import."""
    page, imported = film.page, f"/cases/{reference}/evidence/{item}/import"
    analyst.until(imported, ended, timeout=SLOW_MS / 1000)
    film.go(f"/cases/{reference}/evidence/{item}/")
    film.scene("asks-for-the-zone")
    page.get_by_role("link", name="Say the zone").click()
    expect(page.get_by_label("Name of When")).to_have_value("When")
    film.scene("types")
    film.small_and_dark("types")
    page.get_by_role("button", name="Read again with these types").click()
    expect(page.get_by_text("Say where the clock stood").first).to_be_visible()
    page.get_by_label("Time zone of times").select_option(BERLIN)
    page.get_by_label("Name of Host").fill("DeviceName")
    page.get_by_label("Type of Bytes").select_option("long")
    page.get_by_label("Name of the table").or_(page.get_by_label("Table", exact=True)).fill("FirewallLog")
    page.get_by_role("button", name="Read again with these types").click()
    expect(page.get_by_role("heading", name="into tables")).to_be_visible()
    done: dict[str, Any] = analyst.until(imported, ended, timeout=SLOW_MS / 1000)
    return done


def check_table(analyst: Api, reference: str, rows: int) -> None:
    """All rows, with the corrected names and types, and the times of the zone that was said."""
    tables = {table["name"]: table for table in analyst.get(f"/cases/{reference}/tables")["items"]}
    table = tables["FirewallLog"]
    assert table["row_count"] == rows
    columns = dict(map(tuple, table["columns"]))
    assert (columns["Timestamp"], columns["Bytes"], columns["DeviceName"]) == ("datetime", "long", "string")
    first = analyst.get(f"/cases/{reference}/tables/{table['uuid']}/rows", params={"limit": 6})
    # Midnight of a July day in Berlin is ten in the evening in UTC.
    times = [f"2026-07-13T22:00:0{second}.0000000Z" for second in range(6)]
    assert [(row["Timestamp"], row["When"]) for row in first["rows"]] == [(at, at) for at in times]
    assert [(row["Bytes"], row["Bytes_text"]) for row in first["rows"]][4:] == [(4, ""), (None, "n/a")]


def test_a_gigabyte_over_a_line_that_is_cut_twice(
    stack: Stack, analyst: Api, lead: Api, line: Line, chromium: str, tmp_path: Path
) -> None:
    path = tmp_path / "firewall.csv"
    sha256, rows = write_csv(path, MIB)
    reference = analyst.post("/cases", {"title": "A large log"})["reference"]
    with chromium_browser(chromium) as browser:
        studio = Studio(stack, browser, film_folder(tmp_path))
        film = studio.open("upload", base_url=f"http://127.0.0.1:{line.port}")
        film.sign_in("bob")
        film.go(f"/cases/{reference}/evidence/")
        send_through_trouble(film, line, stack, path)
        film.scene("sealed")
        items = analyst.get(f"/cases/{reference}/evidence")["items"]
        assert [(item["sha256"], item["size"]) for item in items] == [(sha256, path.stat().st_size)]
        path.unlink()
        done = read_as(film, analyst, reference, items[0]["uuid"])
        film.go(f"/cases/{reference}/evidence/{items[0]['uuid']}/")
        film.scene("read")
        # The lines that were cut and the killed server are in the browser's own words; everything else is a fault.
        faults = [fault for fault in studio.close() if "ERR_" not in fault and "Failed to load resource" not in fault]
    assert faults == []
    assert done["state"] == "done"
    custody = analyst.get(f"/cases/{reference}/evidence/{items[0]['uuid']}/custody")["items"]
    assert [entry["action"] for entry in custody] == ["sealed", "interpreted"]
    assert (custody[0]["detail"]["sha256"], custody[0]["detail"]["size"]) == (sha256, items[0]["size"])
    assert (custody[1]["detail"]["zone"], custody[1]["detail"]["table"]) == (BERLIN, "FirewallLog")
    assert [(problem["code"], "Bytes_text" in problem["message"]) for problem in done["problems"]] == [
        ("typed.misfit", True)
    ]
    check_table(analyst, reference, rows)
    assert "every chain holds" in stack.manage("verify_evidence", reference)


def test_a_connection_that_falls_silent_is_given_up(
    stack: Stack, analyst: Api, line: Line, chromium: str, tmp_path: Path
) -> None:
    path = tmp_path / "silent.csv"
    sha256, _ = write_csv(path, SILENT_MIB)
    reference = analyst.post("/cases", {"title": "A line that sleeps"})["reference"]
    with chromium_browser(chromium) as browser:
        studio = Studio(stack, browser, film_folder(tmp_path))
        film = studio.open("silent", base_url=f"http://127.0.0.1:{line.port}")
        film.sign_in("bob")
        film.go(f"/cases/{reference}/evidence/")
        film.page.get_by_label("Read into tables").uncheck()
        choose(film.page, path)
        until(line, film.page, 1 / 8)
        line.fall_silent()
        status = film.page.locator("[data-text]").last
        expect(status).to_contain_text("Nothing moved for 25 seconds", timeout=SLOW_MS)
        expect(status).to_contain_text("Sealed as E001", timeout=SLOW_MS)
        assert studio.close() == []
    assert [item["sha256"] for item in analyst.get(f"/cases/{reference}/evidence")["items"]] == [sha256]
