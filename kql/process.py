"""The child process of one query: started, fed, read, and killed at its deadline or on cancellation."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

from kql import spawner
from kql.errors import KqlCancelled, KqlInternalError, KqlResourceError, KqlTimeout

logger = logging.getLogger(__name__)

_POLL = 0.05
_CHUNK = 2**18
_STDERR_BYTES = 4096


class Child:
    """One ``kql.worker``. ``receive`` yields its messages; ``close`` makes sure that it is gone."""

    def __init__(
        self, request: Mapping[str, Any], *, seconds: float, cancel: threading.Event | None, longest: int
    ) -> None:
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._seconds = seconds
        self._cancel = cancel
        self._longest = longest
        self._buffer = bytearray()
        self._scanned = 0
        self._closed = False
        if cancel is not None and cancel.is_set():
            raise KqlCancelled("The query was cancelled.")
        self._worker = spawner.take()
        self._process, self._stderr = self._worker.process, self._worker.stderr
        self._send(request)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def receive(self) -> dict[str, Any]:
        """The next message. Raises KqlTimeout, KqlCancelled, or KqlInternalError where the child is gone."""
        while True:
            end = self._buffer.find(b"\n", self._scanned)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._scanned = 0
                return self._message(line)
            self._scanned = len(self._buffer)
            self._fill()

    def _message(self, line: bytes) -> dict[str, Any]:
        try:
            return dict(json.loads(line))
        except ValueError as error:
            self.close()
            raise KqlInternalError("The query's process sent no message.", detail=repr(line[:200])) from error

    def close(self) -> None:
        """Kill the child where it still runs, reap it, and close the pipes."""
        self._worker.close()
        if not self._closed:
            self._closed = True
            spawner.refill()

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _fill(self) -> None:
        """Read what there is; wait in small steps, so that the deadline and a cancellation are seen."""
        assert self._process.stdout is not None
        self._check()
        ready, _, _ = select.select([self._process.stdout], [], [], _POLL)
        if not ready:
            return
        chunk = os.read(self._process.stdout.fileno(), _CHUNK)
        if not chunk:
            self._raise_gone()
        self._buffer += chunk
        if len(self._buffer) > self._longest:
            self.close()
            raise KqlResourceError("The query sent more than its result may have.", hint="Ask for fewer columns.")

    def _check(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            self.close()
            raise KqlCancelled("The query was cancelled.")
        if time.monotonic() > self._deadline:
            self.close()
            raise KqlTimeout(
                f"The query took longer than {self._seconds:g} seconds and was stopped.",
                hint="Narrow the time window, or filter earlier.",
            )

    def _raise_gone(self) -> None:
        code = self._process.wait()
        self._stderr.seek(0)
        detail = self._stderr.read(_STDERR_BYTES).decode("utf-8", "replace")
        self.close()
        logger.warning("kql.child_gone", extra={"exit_code": code, "stderr": detail[-500:]})
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            raise KqlResourceError(
                "The query was stopped by the system: too much memory or time.",
                hint="Filter earlier, or summarize fewer rows.",
                detail=f"exit {code}",
            )
        raise KqlInternalError("The query's process ended early.", hint="Try again.", detail=f"exit {code}: {detail}")
