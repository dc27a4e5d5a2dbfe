"""Rows into the names and types that a person chose. A value that does not fit loses nothing: its text stands beside.

What does not fit is null in its column, is counted, and its text is kept in ``<name>_text``. So is the text of a time
that its zone never had (a gap, when clocks go forward: null) or had twice (a fold: the earlier of the two is taken).
"""

from __future__ import annotations

import json
import math
import re
import uuid
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from artifacts.choices import Choice, ColumnChoice
from artifacts.clock import utc_text
from artifacts.culture import Order
from artifacts.guessing import culture_moment
from artifacts.limits import ArtifactError
from kql.types import Column, KqlType, parse_timespan, timespan_text

_NAIVE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}(?:\.0*)?\Z", re.ASCII)
_EPOCH = re.compile(r"\d{10}(?:\.\d{1,6})?\Z|\d{13}\Z", re.ASCII)
_RANGES: Final = {"int": 2**31, "long": 2**63}
_WORDS: Final = {
    "true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False,
}  # fmt: skip
_CACHE = 50_000
TIME = "Timestamp"
"""The name under which hunts look for the time of a row."""


class Misfit(Exception):
    """A value is none of the type."""


class _Gap(Misfit):
    """A time that the zone's clocks never showed."""


class BadZone(ArtifactError):
    """The zone is none that this machine knows."""

    code = "typed.zone"


class LocalTimes:
    """Times without a zone into UTC. ``folds`` counts those that the zone had twice; the earlier one is taken."""

    def __init__(self, zone: str, order: Order | None) -> None:
        self._zone = _zone(zone) if zone else None
        self._order = order
        self._offsets: dict[datetime, tuple[timedelta, bool]] = {}
        self.folded = False

    def utc(self, text: str) -> str:
        """The moment as ``YYYY-MM-DDThh:mm:ss.fffffffZ``. Raises Misfit; ``folded`` says whether there were two."""
        self.folded = False
        text = text.strip()
        match = _NAIVE.match(text)
        if match is None:
            return self._other(text)
        day, hour, minute, second, fraction = match.groups()
        try:
            local = datetime.fromisoformat(f"{day}T{hour or '00'}:{minute or '00'}:{second or '00'}")
        except ValueError:
            raise Misfit from None
        return self._placed(local, (fraction or "")[:7])

    def _other(self, text: str) -> str:
        zoned = utc_text(text) or (utc_text(f"{text[:16]}:00{text[16:]}") if text[13:14] == ":" else None)
        if zoned is not None:
            return zoned
        if _EPOCH.match(text):
            seconds = Decimal(text) / (1000 if len(text) == 13 else 1)
            moment = datetime(1970, 1, 1) + timedelta(microseconds=int(seconds * 1_000_000))
            return f"{moment.isoformat(timespec='microseconds')}0Z"
        moment_ = culture_moment(text, self._order) if self._order else None
        if moment_ is None:
            raise Misfit
        return self._placed(moment_.replace(microsecond=0), f"{moment_.microsecond:06}")

    def _placed(self, local: datetime, fraction: str) -> str:
        if self._zone is None:
            raise Misfit
        offset, self.folded = self._offset(local)
        try:
            return f"{(local - offset).isoformat()}.{fraction.ljust(7, '0')}Z"
        except OverflowError:
            raise Misfit from None

    def _offset(self, local: datetime) -> tuple[timedelta, bool]:
        """How far the zone was ahead of UTC, and whether this hour came twice. Raises _Gap."""
        minute = local.replace(second=0)
        known = self._offsets.get(minute)
        if known is None:
            first, second = (local.replace(tzinfo=self._zone, fold=fold).utcoffset() for fold in (0, 1))
            assert first is not None and second is not None
            if first < second:
                raise _Gap
            known = first, first > second
            if len(self._offsets) >= _CACHE:
                self._offsets.clear()
            self._offsets[minute] = known
        return known


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadZone(f"{name[:60]!r} is no time zone; take an IANA name such as Europe/Berlin") from None


@dataclass
class _Fitter:
    """One column: its name, where misfit texts go, and what was counted."""

    choice: ColumnChoice
    text_name: str
    convert: Callable[[Any], Any]
    misfits: int = 0
    gaps: int = 0
    folds: int = 0


@dataclass
class Fitting:
    """The rows of one file into what ``choice`` says."""

    choice: Choice
    _times: LocalTimes = field(init=False)
    _fitters: dict[str, _Fitter] = field(init=False)
    _dropped: frozenset[str] = field(init=False)
    _adds_time: bool = field(init=False)

    def __post_init__(self) -> None:
        self._times = LocalTimes(self.choice.zone, self.choice.order)
        kept = [column for column in self.choice.columns if column.keep]
        taken = {column.name.casefold() for column in kept}
        self._fitters = {}
        for column in kept:
            text_name = _free(f"{column.name}_text", taken)
            taken.add(text_name.casefold())
            self._fitters[column.source] = _Fitter(column, text_name, self._converter(column.type))
        self._dropped = frozenset(column.source for column in self.choice.columns if not column.keep)
        self._adds_time = bool(self.choice.time_column) and TIME.casefold() not in taken

    def columns(self) -> tuple[Column, ...]:
        """The columns that rows come out with, those of misfit texts left aside."""
        extra = (Column(TIME, "datetime"),) if self._adds_time else ()
        return (*extra, *(Column(one.choice.name, one.choice.type) for one in self._fitters.values()))

    def fit(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """One row under the chosen names; columns that nobody chose about stay as they are."""
        out: dict[str, Any] = {}
        for name, value in row.items():
            fitter = self._fitters.get(name)
            if fitter is not None:
                self._place(fitter, value, out)
            elif name not in self._dropped:
                out.setdefault(name, value)
        if self._adds_time and self.choice.time_column in out:
            out = {TIME: out[self.choice.time_column], **out}
        return out

    def _place(self, fitter: _Fitter, value: Any, out: dict[str, Any]) -> None:
        if value is None or value == "":
            return
        self._times.folded = False
        try:
            out[fitter.choice.name] = fitter.convert(value)
        except _Gap:
            fitter.gaps += 1
            out[fitter.text_name] = _text(value)
        except (Misfit, ValueError, OverflowError, InvalidOperation, RecursionError):
            fitter.misfits += 1
            out[fitter.text_name] = _text(value)
        if self._times.folded:
            fitter.folds += 1
            out[fitter.text_name] = _text(value)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Code and sentence of what did not go smoothly, column by column."""
        for one in self._fitters.values():
            name, beside = one.choice.name, one.text_name
            if one.misfits:
                yield (
                    "typed.misfit",
                    f"{_amount(one.misfits, 'value')} of {name} cannot be read as {one.choice.type}: empty there, "
                    f"the text stands in {beside}",
                )
            if one.gaps:
                yield (
                    "typed.gap",
                    f"{_amount(one.gaps, 'time')} of {name} that {self.choice.zone} never had (clocks went forward): "
                    f"empty there, the text stands in {beside}",
                )
            if one.folds:
                yield (
                    "typed.fold",
                    f"{_amount(one.folds, 'time')} of {name} that {self.choice.zone} had twice (clocks went back): "
                    f"the earlier is taken, the text stands in {beside}",
                )

    def _converter(self, kind: KqlType) -> Callable[[Any], Any]:
        return _CONVERTERS.get(kind) or (self._datetime if kind == "datetime" else _integer(_RANGES[kind]))

    def _datetime(self, value: Any) -> str:
        return self._times.utc(_text(value))


def _free(name: str, taken: set[str]) -> str:
    unique, number = name, 2
    while unique.casefold() in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _amount(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def _integer(bound: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        text = _text(value).strip()
        if not _INTEGER.match(text):
            raise Misfit
        number = int(text.partition(".")[0])
        if not -bound <= number < bound:
            raise Misfit
        return number

    return convert


def _real(value: Any) -> float:
    number = float(_text(value))
    if not math.isfinite(number) or "_" in _text(value):
        raise Misfit
    return number


def _decimal(value: Any) -> str:
    number = Decimal(_text(value).strip())
    # decimal(38,15) is how it is stored: what does not go in without rounding does not fit.
    exponent = number.as_tuple().exponent
    if not number.is_finite() or not isinstance(exponent, int) or exponent < -15 or number.adjusted() > 22:
        raise Misfit
    return format(number, "f")


def _bool(value: Any) -> bool:
    found = _WORDS.get(_text(value).strip().lower())
    if found is None:
        raise Misfit
    return found


def _dynamic(value: Any) -> Any:
    return json.loads(value, parse_constant=str) if isinstance(value, str) else value


_CONVERTERS: Final[dict[KqlType, Callable[[Any], Any]]] = {
    "string": _text,
    "real": _real,
    "decimal": _decimal,
    "bool": _bool,
    "timespan": lambda value: timespan_text(parse_timespan(_text(value).strip())),
    "guid": lambda value: str(uuid.UUID(_text(value).strip())),
    "dynamic": _dynamic,
}
