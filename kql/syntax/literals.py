"""What a literal says.

https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/ and the pages of the single types beneath it
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from kql.errors import KqlUnsupported
from kql.types import KqlType

_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_TICKS = {
    "d": 864_000_000_000, "day": 864_000_000_000, "days": 864_000_000_000,
    "h": 36_000_000_000, "hr": 36_000_000_000, "hrs": 36_000_000_000, "hour": 36_000_000_000, "hours": 36_000_000_000,
    "m": 600_000_000, "min": 600_000_000, "minute": 600_000_000, "minutes": 600_000_000,
    "s": 10_000_000, "sec": 10_000_000, "second": 10_000_000, "seconds": 10_000_000,
    "ms": 10_000, "millis": 10_000, "millisecond": 10_000, "milliseconds": 10_000,
    "micros": 10, "microsecond": 10, "microseconds": 10,
    "nanos": 0.01, "nanosecond": 0.01, "nanoseconds": 0.01, "tick": 1, "ticks": 1,
}  # fmt: skip
_TYPES: dict[str, KqlType] = {
    "datetime": "datetime", "date": "datetime", "timespan": "timespan", "time": "timespan", "guid": "guid",
    "uniqueid": "guid", "bool": "bool", "boolean": "bool", "int": "int", "int32": "int", "long": "long",
    "int64": "long", "real": "real", "double": "real", "decimal": "decimal", "string": "string", "dynamic": "dynamic",
}  # fmt: skip
_SPAN = re.compile(r"\s*(-?)(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?\s*\Z", re.ASCII)
_NUMBER_SPAN = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]*)\s*\Z", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:[T ]\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?\s*"
    r"(Z|[+-]\d{1,2}:?\d{2})?\Z",
    re.ASCII | re.IGNORECASE,
)
_OTHER_MOMENTS = (
    "%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d",
    "%a, %d %b %Y %H:%M:%S", "%a, %d %b %y %H:%M:%S", "%d %b %Y %H:%M:%S", "%d %b %y %H:%M:%S", "%d %b %Y %H:%M",
    "%A, %d-%b-%y %H:%M:%S", "%a %b %d %H:%M:%S %Y",
)  # fmt: skip


def type_name(word: str) -> KqlType | None:
    """The type that a word of the language names, None for no type."""
    return _TYPES.get(word)


def string_value(text: str) -> str:
    """A string literal's value.

    https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/string
    """
    body = text[1:] if text[:1] in "hH" else text
    if body[:3] in ("```", "~~~"):
        return body[3:-3]
    if body.startswith("@"):
        return body[2:-1].replace(body[1] * 2, body[1])
    return _ESCAPE.sub(_unescaped, body[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    high, low, short, long, byte, octal, letter = match.groups()
    if high is not None:
        return bytes.fromhex(high + low).decode("utf-16-be")
    if letter is not None:
        return _ESCAPED.get(letter, letter)
    number = int(octal, 8) if octal else int(short or long or byte, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise KqlUnsupported(f"The escape {match.group()} is no character.", hint="Write the character itself.")
    return chr(number)


def number_value(text: str) -> tuple[Any, KqlType]:
    """A number's value and type: long without a point or an exponent, else real."""
    if text[:2] in ("0x", "0X"):
        return int(text, 16), "long"
    if text.isdecimal():
        return int(text), "long"
    return float(text), "real"


def timespan_value(text: str) -> timedelta:
    """``2h``, ``1.5d``, ``100ms``; a tick is 100 ns. Raises ValueError."""
    match = _NUMBER_SPAN.match(text)
    if match is None or match.group(2) not in _TICKS:
        raise ValueError(f"{text} is no timespan")
    return timedelta(microseconds=float(Decimal(match.group(1)) * Decimal(str(_TICKS[match.group(2)])) / 10))


def typed_value(text: str) -> tuple[Any, KqlType]:
    """``datetime(2024-05-01)``, ``guid(...)``, ``int(null)``: value and type. Raises ValueError where it is none."""
    word, _, rest = text.partition("(")
    kind = _TYPES[word.strip()]
    body = rest[:-1].strip()
    if body == "null":
        return None, kind
    try:
        return _READERS[kind](body), kind
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise ValueError(f"{body or 'nothing'} is no {kind}") from error


def timespan_text_value(text: str) -> timedelta:
    """The inside of ``timespan(...)``: days, ``d.hh:mm:ss.fffffff``, or ``2h``. Raises ValueError."""
    match = _SPAN.match(text)
    if match is None:
        number = _NUMBER_SPAN.match(text)
        if number is None:
            raise ValueError(text)
        unit = number.group(2) or "d"
        return timespan_value(number.group(1) + unit)
    sign, days, hours, minutes, seconds, fraction = match.groups()
    if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
        raise ValueError(text)
    micros = int((fraction or "").ljust(7, "0")[:6] or 0)
    span = timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0), microseconds=micros
    )
    return -span if sign else span


def moment_value(text: str) -> datetime:
    """The inside of ``datetime(...)``: ISO 8601 and the RFC forms Kusto takes; without a zone it is UTC.

    https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/datetime
    """
    match = _MOMENT.match(text.strip())
    if match is None:
        return _other_moment(text.strip())
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micros = int((fraction or "")[:6].ljust(6, "0"))
    moment = datetime(
        int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), micros, UTC
    )
    if zone and zone not in "Zz":
        sign = -1 if zone[0] == "-" else 1
        digits = zone[1:].replace(":", "")
        moment -= sign * timedelta(hours=int(digits[:-2]), minutes=int(digits[-2:]))
    return moment


def _other_moment(text: str) -> datetime:
    plain = re.sub(r"\s*(GMT|UTC|Z)\Z", "", text)
    for form in _OTHER_MOMENTS:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(text)


def _bool(text: str) -> bool:
    values = {"true": True, "false": False, "1": True, "0": False}
    if text.lower() not in values:
        raise ValueError(text)
    return values[text.lower()]


def _integer(bits: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text, 16) if text.lower().lstrip("+-").startswith("0x") else int(text)
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise ValueError(text)
        return value

    return read


def _real(text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


_READERS: dict[KqlType, Callable[[str], Any]] = {
    "bool": _bool,
    "int": _integer(32),
    "long": _integer(64),
    "real": _real,
    "decimal": _decimal,
    "datetime": moment_value,
    "timespan": timespan_text_value,
    "guid": lambda text: str(UUID(text)),
}
