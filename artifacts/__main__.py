"""The child of ``artifacts.process.ask_child``: one request on stdin, progress and the report on stdout.

One JSON object a line each way. The child limits itself before it opens anything, and ends when stdin does or when
Python stands still.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artifacts.choices import Choice
from artifacts.limits import Limits
from artifacts.loader import load
from artifacts.looks import kinds
from artifacts.process import progress_line

_NO_PARENT = 3
_NO_MEMORY = 4
_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


def main() -> int:
    request = json.loads(sys.stdin.buffer.readline() or b"null")
    if not isinstance(request, dict):
        return 2
    _die_with(int(request["parent"]), float(request["stall_seconds"]))
    _limit(int(request["memory_mb"]), int(request["cpu_seconds"]))
    lock = threading.Lock()

    def say(line: str) -> None:
        with lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    try:
        report = _look(request, say) if "look" in request else _load(request, say)
    except MemoryError:
        say(json.dumps({"error": "out of memory; load the files in parts"}))
        return 1
    except OSError as error:
        say(json.dumps({"error": f"cannot read or write: {error.strerror or error}"}))
        return 1
    say(json.dumps({"report": report}))
    return 0


def _load(request: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    return load(
        [Path(path) for path in request["paths"]],
        Path(request["out"]),
        limits=_limits(request["limits"]),
        names={Path(path): name for path, name in request["names"].items()},
        only=request["only"],
        survey=request["survey"],
        choices=[Choice.from_json(choice) for choice in request["choices"]],
        progress=lambda note: say(progress_line(note)),
    ).to_json()


def _look(request: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    path, out = Path(request["paths"][0]), Path(request["out"])
    return kinds.look(request["look"], path, request["name"], out, lambda note: say(json.dumps({"progress": note})))


def _limits(values: dict[str, Any]) -> Limits:
    return Limits(**values)


def _die_with(parent: int, stall_seconds: float) -> None:
    """End when the parent does: by signal where the system can, and by the end of stdin everywhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_NO_PARENT)
    threading.Thread(target=_watch, args=(stall_seconds,), daemon=True).start()


def _watch(stall_seconds: float) -> None:
    """End with stdin, and when this thread has not had its turn for ``stall_seconds``.

    Without a byte to spare, CPython's unwinding through a ``with`` can go round for ever: it needs an integer, gets a
    MemoryError and unwinds again, holding the interpreter's lock. Only a thread that needs no lock ends that, and
    faulthandler has one (https://docs.python.org/3/library/faulthandler.html#faulthandler.dump_traceback_later).
    """
    while True:
        try:
            faulthandler.dump_traceback_later(stall_seconds, exit=True)
            if select.select([0], [], [], stall_seconds / 4)[0] and not os.read(0, 4096):
                os._exit(_NO_PARENT)
        except (MemoryError, RuntimeError, OSError):
            os._exit(_NO_MEMORY)


def _limit(memory_mb: int, cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # nothing is left to close, and the watching thread would hold the interpreter's end up
