"""``bin`` and its kin: values brought down to a multiple.

https://learn.microsoft.com/en-us/kusto/query/bin-function. Times are counted from 0001-01-01, which was a Monday.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from kql.translate import conversions
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, literal, maybe_null, micros, of_type

ORIGIN = 62135596800000000
"""Microseconds from 0001-01-01 to 1970-01-01."""


@scalar("bin floor", 2, page="bin-function")
def bin_(call: Invocation) -> Sql:
    value = call.values[0]
    match value.type:
        case "datetime":
            size = call.as_type(1, "timespan")
            return binned_moment(value, size, _width(call, size))
        case "timespan":
            size = call.as_type(1, "timespan")
            return _stepped(value, size, _width(call, size))
        case _:
            value, size = _numbers(call)
            return _binned_number(value, size, _width(call, size))


def binned_moment(value: Sql, size: Sql, width: float | Decimal | None) -> Sql:
    """A datetime at the beginning of its bin. ``width``: the size in microseconds, where it is a constant."""
    count = f"epoch_us({value.text})"
    if width is not None:
        return of_type(f"make_timestamp({count} - ({count} + {ORIGIN}) % {width})", "datetime", value)
    text = f"make_timestamp({count} - ({count} + {ORIGIN}) % nullif(abs({size.text}), 0))"
    return maybe_null(text, "datetime", value, size)


def _numbers(call: Invocation) -> tuple[Sql, Sql]:
    value, size = call.number(0), call.number(1)
    kind = conversions.common_type([value.type, size.type, "long"]) or "long"
    return conversions.convert(value, kind), conversions.convert(size, kind)


def _width(call: Invocation, size: Sql) -> float | Decimal | None:
    """What a constant size comes to, a timespan in microseconds; None for null, for a number that is not above 0, and
    for what is no constant."""
    width = call.compiler.translation.compute(size, call.span) if size.constant else None
    if isinstance(width, timedelta):
        width = micros(width)
    if isinstance(width, int | float | Decimal) and width > 0:
        return width
    if width is None or size.type != "timespan":
        return None
    raise call.unsupported(f"{call.name}() by a timespan that is not above 0.", "Give it one such as 1h.")


def _stepped(value: Sql, size: Sql, width: float | Decimal | None, zero: str = "0") -> Sql:
    """A whole number (a timespan, a decimal) down to a multiple of the size, counted from ``zero``."""
    step = literal(width, size.type).text if width is not None and size.type != "timespan" else str(width)
    step = step if width is not None else f"nullif(abs({size.text}), 0)"
    over = value.text if zero == "0" else f"({value.text} - {zero})"
    text = f"({value.text} - (({over} % {step}) + {step}) % {step})"
    return (of_type if width is not None else maybe_null)(text, value.type, value, size)


def _binned_number(value: Sql, size: Sql, width: float | Decimal | None) -> Sql:
    if value.type == "real":
        return of_type(f"(floor({value.text} / {size.text}) * {size.text})", "real", value, size)
    if value.type == "decimal" or width is not None:
        return _stepped(value, size, width)
    # As Kusto has it for a size below 0, too.
    lowered = f"CASE WHEN ({value.text} < 0) <> ({size.text} < 0) THEN {value.text} + sign({size.text}) - {size.text}"
    text = f"(({lowered} ELSE {value.text} END) // nullif({size.text}, 0) * {size.text})"
    return maybe_null(text, value.type, value, size)


@scalar("bin_at", 3)
def bin_at(call: Invocation) -> Sql:
    value = call.values[0]
    if value.type == "datetime":
        size, fixed = call.as_type(1, "timespan"), call.as_type(2, "datetime")
        width = _width(call, size)
        step = str(width) if width is not None else f"nullif(abs({size.text}), 0)"
        over = f"(epoch_us({value.text}) - epoch_us({fixed.text}))"
        text = f"make_timestamp(epoch_us({value.text}) - (({over} % {step}) + {step}) % {step})"
        return maybe_null(text, "datetime", value, size, fixed)
    if value.type == "timespan":
        size, fixed = call.as_type(1, "timespan"), call.as_type(2, "timespan")
        return _stepped(value, size, _width(call, size), fixed.text)
    value, size = _numbers(call)
    fixed = call.number(2)
    kind = conversions.common_type([value.type, fixed.type]) or value.type
    value, size, fixed = (conversions.convert(each, kind) for each in (value, size, fixed))
    if kind == "real":
        text = f"(floor(({value.text} - {fixed.text}) / {size.text}) * {size.text} + {fixed.text})"
        return of_type(text, "real", value, size, fixed)
    return _stepped(value, size, _width(call, size), fixed.text)
