"""What the stores over a network share: where an object lies, and how a stream is cut into parts."""

from collections.abc import Iterable, Iterator
from itertools import chain


def place(base: str, name: str) -> str:
    """The key of an object below `base`, two folders deep as on a disk."""
    return f"{base}{name[:2]}/{name[2:4]}/{name}"


def spread(prefix: str) -> str:
    """The key's beginning for names that begin with `prefix`."""
    return f"{prefix[:2]}/{prefix[2:4]}/{prefix}" if len(prefix) >= 4 else ""


def base_of(prefix: str) -> str:
    """The settings' prefix as the beginning of a key."""
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def parts(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The stream in parts of exactly `size`, but the last."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def cut(chunks: Iterable[bytes], size: int, *, part: int, most: int) -> tuple[bytes | None, Iterator[bytes]]:
    """A stream of about `size` bytes: all of it, where one part of `part` bytes holds it, or None and its parts. They
    are larger where they would be more than `most`."""
    found = parts(chunks, max(part, -(-size // most)))
    first, second = next(found, b""), next(found, None)
    return (first, found) if second is None else (None, chain((first, second), found))
