"""Two values together: the type in which they are compared, and what ``+ - * / %`` make of them."""

from __future__ import annotations

import re

from kql.syntax.tree import Constant
from kql.translate import conversions
from kql.translate.values import INTEGERS, NUMBERS, Sql, literal, maybe_null, of_type
from kql.types import KqlType

_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_LONG = 1 << 63
_YEAR_ONE = 62135596800000000
"""Microseconds from KQL's first moment to 1970."""
_TRUTH = {"true": True, "false": False, "1": True, "0": False}
CONVERT = "Convert it first, with tostring(), tolong(), todouble() or todatetime()."
"""What to do where two types do not go together."""


def compared(left: Sql, right: Sql) -> tuple[Sql, Sql] | None:
    """Two values brought to the type in which they are compared; None where there is none.

    A dynamic value is compared as what the other side is; two dynamics as their JSON. A text beside a datetime, a
    timespan or a guid is read as one only where it is a literal.
    """
    if left.type == right.type:
        return left, right
    for one, other, swap in ((left, right, False), (right, left, True)):
        if one.type == "dynamic":
            pair = conversions.convert(one, other.type), other
            return (pair[1], pair[0]) if swap else pair
        if one.type == "string" and one.literal is not None and other.type in ("datetime", "timespan", "guid"):
            pair = conversions.convert(one, other.type), other
            return (pair[1], pair[0]) if swap else pair
        if one.type == "bool" and other.type in NUMBERS:
            pair = conversions.convert(one, other.type), other
            return (pair[1], pair[0]) if swap else pair
    kind = conversions.common_type([left.type, right.type])
    if kind is None or kind == "dynamic":
        return None
    return conversions.convert(left, kind), conversions.convert(right, kind)


def as_written(left: Sql, right: Sql) -> tuple[Sql, Sql] | None:
    """Two values where one is a literal that says the same in the other's type: for ``==``, ``!=`` and ``in`` alone.

    Microsoft's own hunts write ``EventID == "4688"`` over an int, ``ResultType == 0`` over a string; the language
    takes any two scalars here. A literal that the other type would spell otherwise (``"04688"``) has no one reading.
    """
    if left.literal is not None and right.literal is None:
        literal_ = _as_written(left.literal, right.type)
        return None if literal_ is None else (literal_, right)
    if right.literal is not None and left.literal is None:
        literal_ = _as_written(right.literal, left.type)
        return None if literal_ is None else (left, literal_)
    return None


def _as_written(constant: Constant, kind: KqlType) -> Sql | None:
    value = constant.value
    if constant.type in INTEGERS and kind == "string" and value is not None:
        return literal(str(value), "string")
    if constant.type != "string":
        return None
    if kind in INTEGERS and _WHOLE.fullmatch(value):
        return literal(int(value), "long") if abs(int(value)) < _LONG else None
    return literal(_TRUTH[value.lower()], "bool") if kind == "bool" and value.lower() in _TRUTH else None


def arithmetic(operator: str, left: Sql, right: Sql) -> Sql | None:
    """``+ - * / %`` of two values; None where Kusto does not have it either.

    https://learn.microsoft.com/en-us/kusto/query/numerical-operators and datetime-timespan-arithmetic beside it
    """
    if left.type in NUMBERS and right.type in NUMBERS:
        return _numbers(operator, left, right)
    return _moments(operator, left, right)


def _numbers(operator: str, left: Sql, right: Sql) -> Sql:
    kind = conversions.common_type([left.type, right.type, "long"]) or "long"
    one, two = conversions.convert(left, kind), conversions.convert(right, kind)
    if operator == "/":
        if kind == "long":
            return maybe_null(f"({one.text} // nullif({two.text}, 0))", kind, left, right)
        return of_type(f"({one.text} / {two.text})", kind, left, right)
    if operator == "%":
        size = f"abs(nullif({two.text}, 0))"
        return maybe_null(f"((({one.text} % {size}) + {size}) % {size})", kind, left, right)
    return of_type(f"({one.text} {operator} {two.text})", kind, left, right)


def _moments(operator: str, left: Sql, right: Sql) -> Sql | None:
    kinds = (left.type, operator, right.type)
    match kinds:
        case ("datetime", "-", "datetime"):
            return of_type(f"(epoch_us({left.text}) - epoch_us({right.text}))", "timespan", left, right)
        case ("datetime", "+" | "-", "timespan"):
            text = f"({left.text} {operator} to_microseconds({right.text}))"
            return of_type(text, "datetime", left, right)
        case ("timespan", "+", "datetime"):
            return of_type(f"({right.text} + to_microseconds({left.text}))", "datetime", left, right)
        case ("timespan", "+" | "-", "timespan"):
            return of_type(f"({left.text} {operator} {right.text})", "timespan", left, right)
        case ("timespan", "%", "timespan"):
            return maybe_null(f"({left.text} % nullif({right.text}, 0))", "timespan", left, right)
        case ("timespan", "/", "timespan"):
            return maybe_null(f"(CAST({left.text} AS DOUBLE) / nullif({right.text}, 0))", "real", left, right)
        case ("timespan", "*", "int" | "long" | "real" | "decimal"):
            return of_type(f"CAST({left.text} * {right.text} AS BIGINT)", "timespan", left, right)
        case ("int" | "long" | "real" | "decimal", "*", "timespan"):
            return of_type(f"CAST({left.text} * {right.text} AS BIGINT)", "timespan", left, right)
        case ("timespan", "/", "int" | "long" | "real" | "decimal"):
            return maybe_null(f"CAST(trunc({left.text} / nullif({right.text}, 0)) AS BIGINT)", "timespan", left, right)
        case ("datetime", "/", "datetime" | "timespan"):
            divisor = right.text if right.type == "timespan" else f"(epoch_us({right.text}) + {_YEAR_ONE})"
            ticks = f"(epoch_us({left.text}) + {_YEAR_ONE})"
            return maybe_null(f"(CAST({ticks} AS DOUBLE) / nullif({divisor}, 0))", "real", left, right)
        case ("datetime", "%", "timespan"):
            ticks = f"(epoch_us({left.text}) + {_YEAR_ONE})"
            return maybe_null(f"({ticks} % nullif({right.text}, 0))", "timespan", left, right)
    return None
