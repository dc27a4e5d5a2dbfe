"""Where the child processes of queries come from: one thread that starts them, and one child kept ready.

Half of a small query's time is Python loading the engine and the grammar. A process that has asked twice will ask
again: from then on, when a query has ended, the next child is started and warmed while nobody waits. A child still
serves one query only, in a sandbox of its own, and then ends; one that nobody needs for ``KEEP_SECONDS`` ends too.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KEEP_SECONDS = 300.0
_OFTEN = 2
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Worker:
    """A started ``kql.worker`` and the file that takes its stderr."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]

    def close(self) -> None:
        """Kill it where it still runs, reap it, close its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Close our ends of its pipes, whoever's child it is."""
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def take() -> Worker:
    """A child for one query: the one kept ready, else a new one. Raises OSError where none can be started."""
    return _own().take()


def refill() -> None:
    """Say that a query has ended: time to have the next child ready."""
    _own().refill()


def idle() -> frozenset[int]:
    """The ids of this process's children that wait for a query."""
    return _own().idle()


def drop() -> None:
    """End the child kept ready; the next query starts its own."""
    _own().drop()


class _Spawner:
    """One process's thread and what it keeps.

    Linux kills a child with the *thread* that started it (PR_SET_PDEATHSIG); a thread of our own lives as long as the
    process, where a caller's might not.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Future[Worker] | None] = queue.SimpleQueue()
        self._spare: Worker | None = None
        self._spare_lock = threading.Lock()
        self._asked = 0
        threading.Thread(target=self._run, name="kql-spawner", daemon=True).start()

    def take(self) -> Worker:
        order: Future[Worker] = Future()
        self._orders.put(order)
        return order.result()

    def refill(self) -> None:
        self._orders.put(None)

    def idle(self) -> frozenset[int]:
        spare = self._spare
        return frozenset() if spare is None else frozenset({spare.process.pid})

    def drop(self) -> None:
        """End the child kept ready."""
        spare = self._taken()
        if spare is not None:
            spare.close()

    def inherited(self) -> None:
        """In a process forked off: the child is not ours; only our copies of its pipes are closed."""
        if self._spare is not None:
            self._spare.let_go()

    def _run(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=KEEP_SECONDS if self._spare else None)
            except queue.Empty:
                self.drop()
                continue
            if order is not None:
                self._serve(order)
            elif self._spare is None and self._asked >= _OFTEN:
                with contextlib.suppress(OSError):  # the next query will say so
                    self._spare = _start()

    def _taken(self) -> Worker | None:
        """The child kept ready, which is kept no longer: it goes to one taker only."""
        with self._spare_lock:
            spare, self._spare = self._spare, None
            return spare

    def _serve(self, order: Future[Worker]) -> None:
        self._asked += 1
        spare = self._taken()
        if spare is not None and spare.process.poll() is None:
            order.set_result(spare)
            return
        if spare is not None:
            spare.close()
        try:
            order.set_result(_start())
        except OSError as error:
            order.set_exception(error)


def _start() -> Worker:
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
    try:
        return Worker(_popen(stderr), stderr)
    except OSError:
        stderr.close()
        raise


def _popen(stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kql.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd="/",
        env={"PYTHONPATH": str(_ROOT), "PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )


_spawners: dict[int, _Spawner] = {}
_spawners_lock = threading.Lock()


def _own() -> _Spawner:
    """This process's spawner; a fork gets its own, for the thread of the other is not in it."""
    with _spawners_lock:
        pid = os.getpid()
        if pid not in _spawners:
            _spawners[pid] = _Spawner()
        return _spawners[pid]


def _forked() -> None:
    global _spawners_lock
    _spawners_lock = threading.Lock()  # another thread may have held it at the fork
    for spawner in _spawners.values():
        spawner.inherited()


def _end() -> None:
    own = _spawners.get(os.getpid())
    if own is not None:
        own.drop()


os.register_at_fork(after_in_child=_forked)
atexit.register(_end)
