"""The evidence store: bytes under their SHA-256, written once, on a disk, in a bucket or in a container,
encrypted where a key is set.

File first, row second: an orphan file may exist, a row without its file may not.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ircase.store.base import (
    CHUNK,
    NotStored,
    StoreAltered,
    StoreError,
    StoreFull,
    StoreLingers,
    StoreLocked,
    chunks_of,
    digest_of,
)
from ircase.store.chosen import KINDS, current, lock, named, where
from ircase.store.whole import Item, Store, Stored

__all__ = [
    "CHUNK",
    "KINDS",
    "Item",
    "NotStored",
    "Store",
    "StoreAltered",
    "StoreError",
    "StoreFull",
    "StoreLingers",
    "StoreLocked",
    "Stored",
    "chunks",
    "chunks_of",
    "current",
    "delete",
    "digest_of",
    "exists",
    "local",
    "local_path",
    "lock",
    "named",
    "opened",
    "put",
    "put_file",
    "size",
    "where",
]


def put(chunks: Iterable[bytes]) -> Stored:
    """Store a stream under its hash: hashed while it is written, whole or not at all. Raises StoreError."""
    return current().put(chunks)


def put_file(path: Path, watch: Callable[[], None] = lambda: None) -> Stored:
    """Store a file of this machine. `watch` is called with every piece, and may raise to stop it. Raises StoreError."""
    return current().put_file(path, watch)


def chunks(sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes from `start` up to `end`, streamed. Raises NotStored before the first, else StoreError."""
    return current().chunks(sha256, start, end)


def opened(sha256: str) -> io.BufferedReader:
    """The bytes as a file to read and to seek in; close it. Raises NotStored, StoreError."""
    return current().opened(sha256)


def size(sha256: str) -> int:
    """How many bytes they are. Raises NotStored, StoreError."""
    return current().size(sha256)


def exists(sha256: str) -> bool:
    """Whether the store has them. Raises StoreError where it does not answer."""
    return current().exists(sha256)


def delete(sha256: str) -> None:
    """Remove the bytes. Only `ircase.services.vault.removal` calls this: it knows who still holds them."""
    current().delete(sha256)


def local(sha256: str) -> contextlib.AbstractContextManager[Path]:
    """A path to the bytes while the block lasts: the file itself on a plain disk, else a checked copy."""
    return current().local(sha256)


def local_path(sha256: str) -> Path:
    """A path to the bytes for programs that read it within two hours. Raises NotStored, StoreError."""
    return current().local_path(sha256)
