"""What every store gives, in objects of bytes under short names, and the errors that all of them speak."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

CHUNK: Final = 1 << 20


class StoreError(Exception):
    """The store could not keep or give the bytes; nothing was sealed. The message says why."""


class StoreFull(StoreError):
    """There is no room, or a quota is used up."""


class NotStored(StoreError):
    """The store answers, and has no such object."""


class StoreAltered(StoreError):
    """What is there is not what was stored: it cannot be decrypted, or is cut short."""


class StoreLocked(StoreError):
    """The object may not be removed before `until` (None: the store does not say)."""

    def __init__(self, message: str, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class StoreLingers(StoreLocked):
    """The object was deleted, and the store keeps its bytes until `until` all the same."""


@dataclass(frozen=True)
class Entry:
    """An object as the store lists it. `size` in bytes, as it lies there."""

    name: str
    size: int
    modified: datetime


class Backend(Protocol):
    """Objects by name. Names are ours (hashes and short suffixes), never from outside.

    Every operation raises StoreError in plain words where the store is full, refuses, or does not answer.
    """

    label: str
    names_first: bool
    """Whether the name must be known before the first byte is written."""
    drops_drafts: bool
    """Whether the store itself drops half-written objects after some days, and offers no other way to remove them."""

    def create(
        self, chunks: Iterable[bytes], name: Callable[[], str], is_sound: Callable[[str], bool], size: int
    ) -> bool:
        """Write a new object, whole or not at all. False where a sound one is there already; one that is not sound is
        set aside first. `name` is called once: before the first chunk where `names_first`, after the last elsewhere.
        `size` is about how much will come, 0 where nobody knows."""

    def replace(self, name: str, data: bytes) -> None:
        """Write a small object, in place of what is there, at once."""

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `end`. Raises NotStored before the first of them."""

    def size(self, name: str) -> int:
        """Bytes as they lie there. Raises NotStored."""

    def remove(self, name: str) -> None:
        """Every version of it; harmless where there is none. Raises StoreLocked, StoreLingers."""

    def set_aside(self, name: str) -> None:
        """Keep an object that is not what it should be under another name, so that the tampering stays visible."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object below `prefix`, one by one."""

    def locked_until(self, name: str) -> datetime | None:
        """Until when the store itself refuses to remove it."""

    def free(self) -> int | None:
        """Bytes that there is room for; None where the store does not tell."""

    def check(self) -> None:
        """Whether the store answers and is ours to use."""

    def says(self) -> list[tuple[str, str]]:
        """What the store itself says of how it keeps things, as (what, answer) for an administrator: asked now, never
        taken from our settings. Empty where it says nothing; never raises."""

    def path(self, name: str) -> Path | None:
        """The file itself, where the store is a disk of this machine."""

    def leftovers(self, before: datetime, *, remove: bool) -> int:
        """How many half-written objects were begun before `before`; with `remove` they go."""


def hashed(chunks: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 and size of a stream."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def digest_of(path: Path) -> str:
    """SHA-256 of a file, streamed."""
    return hashed(chunks_of(path))[0]
