"""Files that arrive in parts: one file per upload, whose length is the truth about how far it is.

A part is appended chunk by chunk. Each chunk is written under a lock, and only where the file still ends where this
part has got to: of two who write at once one goes on and the other is told the offset, so that a connection that died
without saying so can never hold an upload up, and no byte is ever written twice or beside its place.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from django.conf import settings


class WrongOffset(Exception):
    """The file does not end where the part begins. `actual` is where it ends; ask for it and go on from there."""

    def __init__(self, actual: int) -> None:
        super().__init__(f"The upload stands at byte {actual:,}; go on from there.")
        self.actual = actual


class Vanished(Exception):
    """The file is gone: the upload was sealed, discarded, or has expired."""


def path_of(identifier: uuid.UUID) -> Path:
    return settings.UPLOADS_DIR / identifier.hex


def create(identifier: uuid.UUID) -> None:
    """An empty file, durable before anybody is told of it. Raises OSError."""
    settings.UPLOADS_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    handle = os.open(path_of(identifier), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.close(handle)
    folder = os.open(settings.UPLOADS_DIR, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def offset_of(identifier: uuid.UUID) -> int:
    """How many bytes have arrived. Raises Vanished."""
    try:
        return path_of(identifier).stat().st_size
    except FileNotFoundError:
        raise Vanished("The bytes of this upload are no longer kept.") from None


def append(identifier: uuid.UUID, at: int, chunks: Iterable[bytes], size: int) -> int:
    """Write `chunks` from byte `at` on; the new offset, durable. Never more than `size` bytes in all.

    What had arrived when `chunks` raises is kept and made durable all the same. Raises WrongOffset where somebody else
    wrote meanwhile, Vanished, and OSError where the disk refuses.
    """
    try:
        handle = os.open(path_of(identifier), os.O_WRONLY)
    except FileNotFoundError:
        raise Vanished("The bytes of this upload are no longer kept.") from None
    try:
        _check(handle, at)
        for chunk in chunks:
            at = _write(handle, at, chunk[: size - at])
    finally:
        os.fsync(handle)
        os.close(handle)
    return at


def _check(handle: int, at: int) -> None:
    actual = os.fstat(handle).st_size
    if actual != at:
        raise WrongOffset(actual)


def _write(handle: int, at: int, chunk: bytes) -> int:
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        _check(handle, at)
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(handle, rest, at)
            at, rest = at + written, rest[written:]
        return at
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


@contextlib.contextmanager
def held_back() -> Iterator[IO[bytes]]:
    """A nameless file for a part that must be checked before it counts."""
    settings.UPLOADS_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    with tempfile.TemporaryFile(dir=settings.UPLOADS_DIR) as file:
        yield file


def remove(identifier: uuid.UUID) -> None:
    path_of(identifier).unlink(missing_ok=True)


def files() -> list[tuple[uuid.UUID, float]]:
    """The uploads that have a file, each with the moment (seconds of the epoch) of its last byte."""
    found = []
    for path in settings.UPLOADS_DIR.glob("*"):
        with contextlib.suppress(ValueError, FileNotFoundError):
            found.append((uuid.UUID(hex=path.name), path.stat().st_mtime))
    return found


def free_bytes() -> int:
    """What the disk of the uploads has left."""
    settings.UPLOADS_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    return shutil.disk_usage(settings.UPLOADS_DIR).free
