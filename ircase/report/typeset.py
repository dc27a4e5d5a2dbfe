"""Setting the PDF, in a process of its own with a deadline and a limit of memory."""

import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ircase.report.document import Document
from ircase.report.shape import ReportData

HERE = Path(__file__).resolve().parent
SECONDS = 600
MEGABYTES = 4096
_LOOK_EVERY = 0.1


class TypesetError(Exception):
    """The PDF could not be made; the message says why and what to do."""


class TypesetStopped(Exception):
    """`stop` was set: somebody asked for an end."""


def to_json(data: ReportData | Document, *, indent: int | None = None) -> str:
    """The data set as ASCII JSON, so that no character can be in the way."""
    return json.dumps(asdict(data), indent=indent, ensure_ascii=True)


def write_pdf(
    document: Document,
    folder: Path,
    *,
    stop: threading.Event | None = None,
    seconds: int = SECONDS,
    size: int = MEGABYTES,
) -> Path:
    """FOLDER/report.pdf of `document`; the pictures that it names lie in FOLDER.

    Raises TypesetError, or TypesetStopped once `stop` is set.
    """
    (folder / "data.json").write_text(to_json(document), encoding="ascii")
    shutil.copyfile(HERE / "document.typ", folder / "template.typ")
    return typeset(folder, stop=stop, seconds=seconds, size=size)


def set_pdf(folder: Path, template: Path, *, seconds: int = SECONDS, size: int = MEGABYTES) -> Path:
    """FOLDER/report.pdf of FOLDER/data.json by a template. Raises TypesetError."""
    shutil.copyfile(template, folder / "template.typ")
    return typeset(folder, seconds=seconds, size=size)


def typeset(
    folder: Path, *, stop: threading.Event | None = None, seconds: int = SECONDS, size: int = MEGABYTES
) -> Path:
    """FOLDER/report.pdf of FOLDER/data.json by FOLDER/template.typ. Raises TypesetError, TypesetStopped."""
    answer = _run([sys.executable, "-I", str(HERE / "child.py"), str(folder), str(size), str(seconds)], seconds, stop)
    out = folder / "report.pdf"
    if "error" in answer or not out.is_file():
        raise TypesetError(f"The PDF could not be typeset: {answer.get('error', 'nothing was written')}")
    return out


def _run(command: list[str], seconds: int, stop: threading.Event | None) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    ) as child:
        try:
            _wait(child, deadline, stop)
        except BaseException:
            child.kill()
            raise
        out, problems = child.communicate()
    try:
        return dict(json.loads(out))
    except ValueError:
        reason = problems.decode("utf-8", "replace")[-500:] or f"it ended with code {child.returncode}"
        raise TypesetError(
            f"The typesetter ended early, likely out of memory: {reason} Give workers more memory, or take events off "
            "the report."
        ) from None


def _wait(child: subprocess.Popen[bytes], deadline: float, stop: threading.Event | None) -> None:
    while child.poll() is None:
        if stop is not None and stop.is_set():
            raise TypesetStopped
        if time.monotonic() > deadline:
            raise TypesetError(
                "The PDF took too long to typeset. Take events off the report on the timeline, and retry."
            )
        time.sleep(_LOOK_EVERY)
