"""What the stores over a network share: where an object lies, and how a stream is cut into parts."""

from collections.abc import Iterable, Iterator


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


def chained(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """A stream of which two parts were taken to see whether there are two."""
    yield first
    yield second
    yield from rest
