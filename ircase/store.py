"""The evidence store: bytes under their SHA-256, written once.

File first, row second: an orphan file may exist, a row without its file may not.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

CHUNK = 1 << 20
READ_ONLY = 0o440


class StoreError(Exception):
    """The store could not keep the bytes; nothing was sealed. The message says why."""


@dataclass(frozen=True)
class Stored:
    """Bytes that are safely on disk. `size` in bytes."""

    sha256: str
    size: int

    @property
    def path(self) -> Path:
        return settings.EVIDENCE_DIR / self.sha256[:2] / self.sha256[2:4] / self.sha256


def chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def digest_of(path: Path) -> str:
    """SHA-256 of a file, streamed."""
    digest = hashlib.sha256()
    for chunk in chunks_of(path):
        digest.update(chunk)
    return digest.hexdigest()


def put_file(path: Path) -> Stored:
    return put(chunks_of(path))


def put(chunks: Iterable[bytes]) -> Stored:
    """Write `chunks` under their hash: opened exclusively, hashed while written, fsynced, made read-only.

    Raises StoreError when the disk refuses (full, read-only); the half-written file is removed.
    """
    incoming = settings.EVIDENCE_DIR / "incoming"
    incoming.mkdir(parents=True, exist_ok=True, mode=0o750)
    part = incoming / uuid.uuid4().hex
    try:
        stored = _write(part, chunks)
        _place(part, stored)
    except OSError as error:
        raise StoreError(
            f"The evidence store could not write: {error.strerror}. Nothing was sealed; free space and retry."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return stored


def _write(part: Path, chunks: Iterable[bytes]) -> Stored:
    digest, size = hashlib.sha256(), 0
    with part.open("xb") as file:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(READ_ONLY)
    return Stored(digest.hexdigest(), size)


def _place(part: Path, stored: Stored) -> None:
    """Link the finished file to its name. The same bytes may be there already; a file that no longer is those bytes is
    set aside, never overwritten, so that the tampering stays visible."""
    final = stored.path
    final.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with contextlib.suppress(FileExistsError):
        os.link(part, final)
        _sync_folder(final.parent)
        return
    if digest_of(final) != stored.sha256:
        final.rename(final.with_name(f"{stored.sha256}.altered-{uuid.uuid4().hex[:8]}"))
        os.link(part, final)
        _sync_folder(final.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is only durable once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
