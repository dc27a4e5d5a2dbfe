"""KQL's types and columns, and the canonical JSON form of a row.

The record of a result is newline-delimited JSON (one ``encode_row`` per line). ``decode_row`` reads it back, so that a
record alone is enough to rebuild a table. Texts are Kusto's own: datetimes as ISO 8601 in UTC with seven fractional
digits, timespans as ``[-][d.]hh:mm:ss[.fffffff]``.
https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

KqlType = Literal[
    "bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "guid", "dynamic"
]  # fmt: skip

Json: TypeAlias = Any
"""What ``json.loads`` may return."""

Value: TypeAlias = Any
"""A cell: bool, int, float, Decimal, str (string, guid), aware UTC datetime, timedelta, parsed JSON or None."""

_MICROSECOND = timedelta(microseconds=1)
_TIMESPAN = re.compile(r"(-?)(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?\Z", re.ASCII)
_SPECIAL_REALS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class Column:
    """A column of a table or of a result: its name, case kept, and its KQL type."""

    name: str
    type: KqlType


def encode_row(columns: Sequence[Column], row: Sequence[Value]) -> dict[str, Json]:
    """A row as the JSON object of the record; key order is column order, and no column is left out."""
    return {c.name: encode_value(c.type, v) for c, v in zip(columns, row, strict=True)}


def decode_row(columns: Sequence[Column], record: Mapping[str, Json]) -> tuple[Value, ...]:
    """The row that ``encode_row`` wrote; a missing key is null. Raises ValueError where a value does not fit."""
    return tuple(decode_value(c.type, record.get(c.name)) for c in columns)


def encode_value(kind: KqlType, value: Value) -> Json:
    """One cell as JSON. A datetime without zone is taken as UTC."""
    encode = _ENCODERS.get(kind)
    return value if value is None or encode is None else encode(value)


def decode_value(kind: KqlType, value: Json) -> Value:
    """One cell from JSON; raises ValueError where the value does not fit the type."""
    decode = _DECODERS.get(kind)
    if value is None or decode is None:
        return value
    try:
        return decode(value)
    except (TypeError, ValueError, OverflowError, InvalidOperation) as error:
        raise ValueError(f"{str(value)[:80]!r} is no {kind}") from error


def timespan_text(value: timedelta) -> str:
    """A timespan as Kusto prints it: ``1.02:03:04.5000000``; the day part and the fraction only where not zero."""
    total = abs(value) // _MICROSECOND
    seconds, fraction = divmod(total, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}"
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{f'{days}.' if days else ''}{text}{f'.{fraction:06}0' if fraction else ''}"


def parse_timespan(text: str) -> timedelta:
    """The timespan a Kusto text means, cut to microseconds; raises ValueError for any other text."""
    match = _TIMESPAN.match(text)
    if match is None:
        raise ValueError(f"not a timespan: {text[:80]!r}")
    sign, days, hours, minutes, seconds, fraction = match.groups()
    span = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int((fraction or "0").ljust(6, "0")[:6]),
    )
    return -span if sign else span


def datetime_text(value: datetime) -> str:
    """ISO 8601 in UTC with seven fractional digits and Z, as Microsoft's query APIs print a datetime."""
    moment = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}0Z"


def parse_datetime(text: str) -> datetime:
    """An ISO 8601 text as an aware UTC datetime, cut to microseconds; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _encode_real(value: float) -> Json:
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def _decode_real(value: Json) -> float:
    special = _SPECIAL_REALS.get(value) if isinstance(value, str) else None
    return float(value) if special is None else special


def _decode_bool(value: Json) -> bool:
    if isinstance(value, bool | int):
        return bool(value)
    raise ValueError("not a bool")


def _decode_integer(value: Json) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("not an integer")
    return int(value)


_ENCODERS: dict[KqlType, Callable[[Value], Json]] = {
    "real": _encode_real,
    "decimal": str,
    "datetime": datetime_text,
    "timespan": timespan_text,
    "guid": str,
}
_DECODERS: dict[KqlType, Callable[[Json], Value]] = {
    "bool": _decode_bool,
    "int": _decode_integer,
    "long": _decode_integer,
    "real": _decode_real,
    "decimal": lambda value: Decimal(str(value)),
    "string": str,
    "datetime": parse_datetime,
    "timespan": parse_timespan,
    "guid": str,
}
