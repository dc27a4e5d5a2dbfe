"""``load`` in a child process that can be killed: hostile files are parsed apart from the worker and its secrets."""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from artifacts.choices import Choice
from artifacts.limits import ArtifactError, Limits
from artifacts.loader import OnProgress, ProgressNote
from artifacts.report import LoadReport

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
_MESSAGE_BYTES = 256 << 20
_STDERR_BYTES = 4_000
_POLL = 0.1


class LoadFailed(ArtifactError):
    """The child process gave no report; nothing it wrote is to be used."""

    code = "load.failed"


class LoadTimedOut(LoadFailed):
    """The child was killed at its deadline. Load the files in parts, or raise the limit."""

    code = "load.timeout"


class LoadCancelled(LoadFailed):
    """The child was killed because the caller asked."""

    code = "load.cancelled"


def load_in_child(
    paths: Iterable[Path],
    out: Path,
    limits: Limits | None = None,
    *,
    timeout: float | None = None,
    cancel: threading.Event | None = None,
    on_progress: OnProgress | None = None,
    names: Mapping[Path, str] | None = None,
    only: Collection[str] | None = None,
    survey: bool = False,
    choices: Iterable[Choice] = (),
    memory_mb: int = 4096,
    stall_seconds: float = 60.0,
) -> LoadReport:
    """``artifacts.load`` in a child with its own address space (``memory_mb``), processor time and environment.

    ``timeout`` is in seconds of the clock and kills; by default it is ``limits.seconds`` and a minute for the tables
    (``limits.seconds`` itself ends a load softly, keeping what was read). The child dies with its parent, however that
    dies, and after ``stall_seconds`` in which Python made no step, as where the last byte of memory is gone. Raises
    LoadTimedOut, LoadCancelled, or LoadFailed where the child crashed or ran out of memory.
    """
    limits = limits or Limits()
    deadline = timeout if timeout is not None else limits.seconds + 60
    request = {
        "paths": [str(path.resolve()) for path in paths],
        "out": str(out.resolve()),
        "limits": limits.to_json(),
        "names": {str(path.resolve()): name for path, name in (names or {}).items()},
        "only": None if only is None else sorted(only),
        "survey": survey,
        "choices": [choice.to_json() for choice in choices],
        "memory_mb": memory_mb,
        "stall_seconds": stall_seconds,
    }

    def tell(note: dict[str, Any]) -> None:
        if on_progress is not None:
            on_progress(ProgressNote(**note))

    return LoadReport.from_json(ask_child(request, timeout=deadline, cancel=cancel, on_progress=tell, sweep=out))


def ask_child(
    request: Mapping[str, Any],
    *,
    timeout: float,
    cancel: threading.Event | None,
    on_progress: Callable[[dict[str, Any]], None] | None,
    sweep: Path,
) -> dict[str, Any]:
    """Send one request to a limited child and return its report. ``timeout`` in seconds of the clock kills; what a
    killed child left in ``sweep`` goes. Raises LoadTimedOut, LoadCancelled, LoadFailed."""
    whole = {**request, "cpu_seconds": int(timeout * 2) + 10, "parent": os.getpid()}
    with tempfile.TemporaryFile() as stderr:
        child = _start(stderr)
        try:
            return _converse(child, whole, timeout, cancel, on_progress)
        except LoadFailed as error:
            logger.warning("artifacts.load_failed", extra={"code": error.code, "stderr": _tail(stderr)})
            raise
        finally:
            _end(child)
            _sweep(sweep, child.pid)


def _start(stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "artifacts"],
        cwd=_ROOT,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def _converse(
    child: subprocess.Popen[bytes],
    request: Mapping[str, Any],
    deadline: float,
    cancel: threading.Event | None,
    on_progress: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
    assert child.stdin is not None and child.stdout is not None
    threading.Thread(target=_read, args=(child.stdout, messages), daemon=True).start()
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    except OSError as error:
        raise LoadFailed("the loading process did not start") from error
    ends_at = time.monotonic() + deadline
    while True:
        _check(ends_at, deadline, cancel)
        try:
            message = messages.get(timeout=_POLL)
        except queue.Empty:
            continue
        if message is None:
            raise LoadFailed(_obituary(child))
        if "report" in message:
            report: dict[str, Any] = message["report"]
            return report
        if "error" in message:
            raise LoadFailed(message["error"])
        if on_progress is not None:
            on_progress(message["progress"])


def _check(ends_at: float, deadline: float, cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise LoadCancelled("the load was cancelled")
    if time.monotonic() > ends_at:
        raise LoadTimedOut(f"not finished after {deadline:,.0f} s; load the files in parts, or raise the time limit")


def _read(stdout: IO[bytes], messages: queue.Queue[dict[str, Any] | None]) -> None:
    """The child's messages into the queue; None when there will be no more."""
    while line := stdout.readline(_MESSAGE_BYTES):
        try:
            messages.put(json.loads(line))
        except ValueError:
            break
    messages.put(None)


def _obituary(child: subprocess.Popen[bytes]) -> str:
    try:
        status = child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "the loading process closed its output without a report"
    if status < 0:
        return f"the loading process was ended by signal {-status}: out of memory or processor time, or killed"
    said = f"the loading process ended with status {status} and gave no report"
    return f"{said}: out of memory, standing still, or a fault in it"


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was left to flush has nobody to read it
                continue


def _sweep(out: Path, pid: int) -> None:
    """Remove the scratch folder that a killed child left."""
    for left in out.glob(f".load-{pid}-*"):
        shutil.rmtree(left, ignore_errors=True)


def _tail(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - _STDERR_BYTES))
    return stderr.read().decode("utf-8", "replace")


def progress_line(note: ProgressNote) -> str:
    """A progress note as the child writes it."""
    return json.dumps({"progress": asdict(note)})
