"""What type a column of texts has: what every one of its values can be, and what only a person can say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from artifacts.culture import Order
from kql.types import KqlType

_LONG = re.compile(r"-?(?:0|[1-9]\d{0,17})\Z", re.ASCII)
# What a double holds exactly enough to print back: longer digits are identifiers more often than numbers.
_REAL = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)
_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?\Z")
_SPAN = re.compile(r"-?(?:\d{1,8}\.)?\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?\Z", re.ASCII)
_ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?\s?(?:Z|UTC|[+-]\d\d:?\d\d)\Z", re.ASCII)
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?\Z", re.ASCII)
_CULTURE = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})\.?"
    r"(?:[ ,T]\s*(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?\s*(?:([AaPp])\.?[Mm]\.?)?)?\Z",
    re.ASCII,
)
_LONGEST = 64


def culture_moment(text: str, order: Order) -> datetime | None:
    """A date as a culture writes it, with or without a time, read in this order; None where it is none.

    Years have four digits: of two nobody can say the century.
    """
    match = _CULTURE.match(text)
    if match is None:
        return None
    first, _, second, third, hour, minute, seconds, fraction, half = match.groups()
    parts = dict(zip(order, (first, second, third), strict=True))
    if len(parts["y"]) != 4 or len(parts["m"]) > 2 or len(parts["d"]) > 2:
        return None
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "Pp" else 0)
    micros = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(
            int(parts["y"]), int(parts["m"]), int(parts["d"]), hours, int(minute or 0), int(seconds or 0), micros
        )
    except ValueError:
        return None


def _in(order: Order) -> Callable[[str], bool]:
    return lambda text: culture_moment(text, order) is not None


_FITS: Final[dict[str, Callable[[str], object]]] = {
    "bool": lambda text: text.lower() in ("true", "false"),
    "long": _LONG.match,
    "real": _REAL.match,
    "guid": _GUID.match,
    "timespan": _SPAN.match,
    "datetime": _ZONED.match,
    "naive": _NAIVE.match,
    "ymd": _in("ymd"),
    "mdy": _in("mdy"),
    "dmy": _in("dmy"),
}
_TIMES: Final = frozenset({"datetime", "naive", "ymd", "mdy", "dmy"})
_PLAIN: Final[tuple[KqlType, ...]] = ("bool", "long", "real", "guid", "timespan", "datetime")


@dataclass(frozen=True)
class Guessed:
    """``type`` is what the values are as they stand. ``naive``: they are times without a zone, which stay ``string``
    until somebody names the zone; ``orders`` are the readings of day, month and year that all of them allow."""

    type: KqlType
    naive: bool = False
    orders: tuple[Order, ...] = ()


class TextGuess:
    """Narrows down what a column's texts are. ``only_times``: they come from a format with types of its own, whose
    texts are texts, but which has no type for times."""

    def __init__(self, *, only_times: bool = False) -> None:
        self.left: frozenset[str] = _TIMES if only_times else frozenset(_FITS)
        self.seen = 0

    def see(self, text: str) -> None:
        """One more value; not an empty one."""
        self.seen += 1
        if self.left:
            text = text.strip()
            fits = len(text) <= _LONGEST
            self.left = frozenset(kind for kind in self.left if fits and _FITS[kind](text))

    def result(self) -> Guessed:
        if not self.seen or not self.left:
            return Guessed("string")
        plain = next((kind for kind in _PLAIN if kind in self.left), None)
        if plain is not None:
            return Guessed(plain)
        if "naive" in self.left:
            return Guessed("string", naive=True)
        orders: tuple[Order, ...] = ("ymd", "mdy", "dmy")
        return Guessed("string", naive=True, orders=tuple(order for order in orders if order in self.left))
