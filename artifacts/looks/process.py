"""One look at a file, made in a child that can be killed; see ``artifacts.process``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from artifacts.limits import ArtifactError
from artifacts.looks.shapes import KINDS
from artifacts.process import ask_child

SECONDS: Final = 180.0
_MEMORY_MB: Final = {"table": 4_096, "image": 1_536}


class NoLook(ArtifactError):
    """The file does not give this look. The message says why."""

    code = "look.none"


def look_in_child(
    kind: str,
    path: Path,
    name: str,
    out: Path,
    *,
    timeout: float = SECONDS,
    cancel: threading.Event | None = None,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Make the look ``kind`` of the file at ``path``, called ``name`` outside, into the folder ``out``.

    Raises NoLook with a sentence for people, and LoadFailed, LoadTimedOut, LoadCancelled as ``load_in_child`` does.
    """
    if kind not in KINDS:
        raise NoLook(f"There is no look called {kind!r}.")
    request = {
        "look": kind,
        "paths": [str(path.resolve())],
        "name": name,
        "out": str(out.resolve()),
        "memory_mb": _MEMORY_MB.get(kind, 2_048),
        "stall_seconds": 60.0,
    }
    report = ask_child(request, timeout=timeout, cancel=cancel, on_progress=on_progress, sweep=out)
    if "failed" in report:
        raise NoLook(str(report["failed"]))
