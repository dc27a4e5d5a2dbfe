"""The child kept ready: used once, never a second time, gone when unused, when its parent ends, and after a fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kql import KqlSyntaxError, query, spawner
from kql.worker import warm
from tests.kql.test_engine import ROOT, busy, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def answer(number: int) -> None:
    with query(f"print x = {number}", ()) as result:
        assert list(result) == [(number,)]


def ready() -> int:
    """The id of the child that waits."""
    while not eventually(lambda: bool(spawner.idle()), seconds=1):
        answer(1)
    (waiting,) = spawner.idle()
    return waiting


def test_a_child_that_waits_serves_one_query_and_ends() -> None:
    waiting = ready()
    with query("range x from 1 to 90000 step 1", ()) as result:
        assert busy() == {waiting}
        assert sum(1 for _ in result) == 90_000
    assert not Path(f"/proc/{waiting}").exists()
    assert eventually(lambda: bool(spawner.idle()) and waiting not in spawner.idle())


def test_a_query_that_fails_uses_it_up_too() -> None:
    waiting = ready()
    with pytest.raises(KqlSyntaxError):
        query("print = =", ())
    assert not Path(f"/proc/{waiting}").exists()


def test_a_waiting_child_that_was_killed_is_replaced() -> None:
    waiting = ready()
    os.kill(waiting, signal.SIGKILL)
    assert eventually(lambda: (Path(f"/proc/{waiting}/stat").read_text().rpartition(")")[2].split()[0]) == "Z")
    answer(4)
    assert not Path(f"/proc/{waiting}").exists()


def test_a_child_that_nobody_needs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner, "KEEP_SECONDS", 0.2)
    answer(1)
    answer(2)
    assert eventually(lambda: not spawner.idle() and not busy())


def test_two_queries_at_once_do_not_share_it() -> None:
    ready()
    with query("range x from 1 to 20000 step 1", ()) as one, query("range x from 1 to 20000 step 1", ()) as two:
        assert len(busy()) == 2
        assert sum(1 for _ in one) + sum(1 for _ in two) == 40_000


def test_it_works_after_a_fork_and_ends_with_its_parent() -> None:
    program = """
import os, sys, time
from kql import query, spawner
def answer():
    with query("print x = 1", ()) as result:
        assert list(result) == [(1,)]
answer(), answer()
while not spawner.idle():
    time.sleep(0.02)
before = spawner.idle()
if os.fork() == 0:
    answer(), answer()
    assert not spawner.idle() & before
    os._exit(7)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
assert spawner.idle() == before
answer()
while not spawner.idle():
    time.sleep(0.02)
print(*spawner.idle())
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    waiting = done.stdout.decode().split()
    assert len(waiting) == 1
    assert eventually(lambda: not Path(f"/proc/{waiting[0]}").exists())


def test_what_a_waiting_child_does_meanwhile_is_a_query_that_works() -> None:
    warm()
