"""Rows on their way to being evidence: newline-delimited JSON in a folder of the run's own.

A run that is asked in slices notes in its folder how far the record is whole, so that whoever takes the run up next
goes on from there.
"""

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from django.conf import settings

from hunting.models import HuntRun

logger = logging.getLogger(__name__)

RECORD: Final = "record.ndjson"
STATE: Final = "slices.json"


class Record:
    """The record being written. What was added since the last `commit` can be thrown away."""

    def __init__(self, path: Path, rows: int = 0, size: int = 0) -> None:
        self.path = path
        self.rows, self.size = rows, size
        self._safe = (rows, size)
        self._file = path.open("r+b" if path.exists() else "xb")
        self._file.truncate(size)
        self._file.seek(size)

    def add(self, line: bytes) -> None:
        self._file.write(line)
        self.rows += 1
        self.size += len(line)

    def commit(self) -> None:
        """What is there stays, also over a crash."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._safe = (self.rows, self.size)

    def rollback(self) -> None:
        """Throw away what was added since the last commit."""
        self.rows, self.size = self._safe
        self._file.seek(self.size)
        self._file.truncate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def line_of(row: Mapping[str, object]) -> bytes:
    """A row as the record has it. A lone surrogate cannot be UTF-8; as JSON's own escape it is kept exactly."""
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Say how far the record is whole, after it was committed: all of this file is there, or the one before."""
    draft = folder / f"{STATE}.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / STATE)


def read_state(folder: Path) -> dict[str, Any] | None:
    """What `save_state` said, None where nothing (or nothing readable) is there."""
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return state if (folder / RECORD).stat().st_size >= int(state["size"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def folder_of(run: HuntRun) -> Iterator[Path]:
    """A folder for this claim of the run. What an earlier one left is removed, after its whole slices were taken over;
    those of this one are left behind when it ends by an exception."""
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    folder: Path = settings.SPOOL_DIR / f"hunt-{run.uuid}-{run.attempt}.{uuid.uuid4().hex[:8]}"
    _take_over(run, folder)
    clear(run, but=folder)
    try:
        yield folder
    except BaseException:
        if read_state(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _take_over(run: HuntRun, folder: Path) -> None:
    """Copy, not move: a worker that is only thought dead may still write to its own file."""
    folder.mkdir(mode=0o750)
    found = [(state, old) for old in _folders(run) if old != folder and (state := read_state(old)) is not None]
    if not found:
        return
    state, old = max(found, key=lambda pair: int(pair[0]["size"]))
    try:
        shutil.copyfile(old / RECORD, folder / RECORD)
        os.truncate(folder / RECORD, int(state["size"]))
        save_state(folder, state)
        logger.info("hunt.resumed", extra={"run": str(run.uuid), "rows": state.get("rows")})
    except OSError as error:
        logger.warning("hunt.not_resumed", extra={"run": str(run.uuid), "error": str(error)})
        for name in (STATE, RECORD):
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def _folders(run: HuntRun) -> list[Path]:
    return list(settings.SPOOL_DIR.glob(f"hunt-{run.uuid}-*"))


def clear(run: HuntRun, but: Path | None = None) -> None:
    """Remove what earlier claims of the run left."""
    for old in _folders(run):
        if old != but:
            shutil.rmtree(old, ignore_errors=True)


def clear_abandoned(age: float = 3600.0) -> int:
    """Remove what killed workers left of runs that have ended since; how many folders. `age` is in seconds."""
    removed = 0
    for folder in settings.SPOOL_DIR.glob("hunt-*"):
        try:
            run = uuid.UUID(folder.name.removeprefix("hunt-").rpartition("-")[0])
            old = time.time() - folder.stat().st_mtime > age
        except (ValueError, OSError):
            continue
        if old and not HuntRun.objects.filter(uuid=run).unfinished().exists():
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
