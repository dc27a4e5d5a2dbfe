"""Plain copies on this machine's disk of files that the store keeps elsewhere, or encrypted: for programs that need a
path. Each is checked against its hash when it is made; the folder has a bound, and what is in use stays."""

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ircase.store.base import StoreAltered, StoreError, StoreFull, hashed

RECENT: Final = 7200.0
"""Seconds for which a copy that somebody asked for stays, whatever the bound: longer than any parser may run."""


@dataclass(frozen=True)
class Copies:
    """`most`: bytes that the folder may hold beside what is in use. `reserve`: bytes of the disk that stay free."""

    folder: Path
    most: int
    reserve: int = 0

    def path(self, sha256: str, size: int, chunks: Callable[[], Iterable[bytes]]) -> Path:
        """The copy, made where there is none; it stays for RECENT seconds at least."""
        final = self.folder / sha256
        with contextlib.suppress(FileNotFoundError):
            if final.stat().st_size == size:
                os.utime(final)
                return final
        self._make(final, sha256, size, chunks)
        self.shrink()
        return final

    @contextlib.contextmanager
    def held(self, sha256: str, size: int, chunks: Callable[[], Iterable[bytes]]) -> Iterator[Path]:
        """The copy, which nobody removes before the end of the block."""
        while True:
            path = self.path(sha256, size, chunks)
            try:
                handle = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            break
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield path
        finally:
            os.close(handle)

    def _make(self, final: Path, sha256: str, size: int, chunks: Callable[[], Iterable[bytes]]) -> None:
        draft = self.folder / f".{uuid.uuid4().hex}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if shutil.disk_usage(self.folder).free - size < self.reserve:
                raise StoreFull("This machine's disk has no room for a copy of the file. Free space and retry.")
            with draft.open("xb") as file:
                found = hashed(_written(chunks(), file.write))
            if found != (sha256, size):
                raise StoreAltered(f"The file {sha256} in the evidence store is not what was stored.")
            draft.chmod(0o440)
            draft.replace(final)
        except OSError as error:
            raise StoreError(
                f"A copy of the file could not be made on this machine: {error.strerror or error}."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def shrink(self) -> None:
        """Remove the copies that were asked for longest ago, until the rest fits."""
        now, held = time.time(), []
        for path in self.folder.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                held.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in held) - self.most
        for touched, size, path in sorted(held):
            if excess <= 0:
                return
            if now - touched > RECENT and _drop(path):
                excess -= size

    def forget(self, sha256: str) -> None:
        """Remove the copy of a file that is destroyed."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / sha256).unlink()


def _drop(path: Path) -> bool:
    """Remove a copy unless somebody holds it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(handle)


def _written(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> Iterator[bytes]:
    for chunk in chunks:
        write(chunk)
        yield chunk
