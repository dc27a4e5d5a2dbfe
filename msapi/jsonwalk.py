"""Values out of a JSON file of any size, one at a time, at given paths."""

from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any, Final

import ijson

from msapi.errors import BadReply

_DEPTH: Final = 200
_BUFFER: Final = 256 * 1024

#: What the parser raises for text that is not JSON, and for numbers beyond any sense.
FAULTY: Final = (ijson.JSONError, ValueError, ArithmeticError)


def values_at(
    source: IO[bytes], *paths: tuple[str | None, ...], until: tuple[str | None, ...] | None = None
) -> Iterator[Any]:
    """Each value in a JSON file that lies at one of `paths`: keys from the root, None for any item of a list.

    Reading ends with the first object or list that lies at `until`.

    Works on the bare events: `ijson.items` keeps the whole path of every level as text, which a deeply nested answer
    turns into gigabytes. Nesting beyond 200 raises BadReply; faulty JSON raises one of `FAULTY`. The file's position is
    left alone between reads, so several may be under way at once.
    """
    walker = _Walker(paths)
    events = iter(ijson.basic_parse(Cursor(source), buf_size=_BUFFER))
    for event, value in events:
        if event == "map_key":
            walker.at[-1] = value
        elif event in ("start_map", "start_array"):
            if walker.enter():
                yield built({} if event == "start_map" else [], events, walker.depth)
                walker.depth -= 1
        elif event in ("end_map", "end_array"):
            if walker.leave() == until:
                return
        elif walker.is_wanted():
            yield _real(value) if value.__class__ is Decimal else value


class Cursor:
    """A place of its own in a shared file, after a byte-order mark if there is one."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        source.seek(0)
        self._offset = 3 if source.read(3) == b"\xef\xbb\xbf" else 0

    def read(self, size: int = -1) -> bytes:
        self._source.seek(self._offset)
        data = self._source.read(size)
        self._offset += len(data)
        return data


class _Walker:
    """Where in the document the parser is, outside of wanted values."""

    def __init__(self, paths: tuple[tuple[str | None, ...], ...]) -> None:
        self._paths = frozenset(paths)
        self.at: list[str | None] = []  # the key of each open level; None in a list
        self.depth = 0

    def is_wanted(self) -> bool:
        """Whether what comes next lies at a wanted path."""
        return tuple(self.at) in self._paths

    def enter(self) -> bool:
        """Step into a container; whether it is a wanted one, to be built."""
        self.depth += 1
        _check_depth(self.depth)
        if self.is_wanted():
            return True
        self.at.append(None)
        return False

    def leave(self) -> tuple[str | None, ...]:
        """Step out of a container; the path at which it lies."""
        self.depth -= 1
        self.at.pop()
        return tuple(self.at)


def built(container: Any, events: Iterator[tuple[str, Any]], depth: int) -> Any:
    """The container that has just begun, built from the events up to its end. One loop: rows have millions of them."""
    outer: list[tuple[Any, str]] = []
    key = ""
    for event, value in events:
        if event == "map_key":
            key = value
            continue
        if event in ("end_map", "end_array"):
            if not outer:
                return container
            value = container
            container, key = outer.pop()
        elif event in ("start_map", "start_array"):
            outer.append((container, key))
            _check_depth(depth + len(outer))
            container = {} if event == "start_map" else []
            continue
        elif value.__class__ is Decimal:
            value = _real(value)
        if container.__class__ is dict:
            container[key] = value
        else:
            container.append(value)
    raise ValueError("the document ends inside a value")


def _check_depth(depth: int) -> None:
    if depth > _DEPTH:
        raise BadReply(f"The answer is nested more than {_DEPTH} deep and was not read.", permanent=True)


def _real(value: Decimal) -> float | str:
    # A number that a float cannot hold stays as its digits: json would write Infinity, which is not JSON.
    as_float = float(value)
    return as_float if abs(as_float) != float("inf") else str(value)
