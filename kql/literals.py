"""Values as KQL literals, for the prelude of ``let`` lines that binds a hunt's parameters.

A value never becomes anything but one literal, whatever it contains.
https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from kql.types import KqlType, Value, datetime_text, timespan_text

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INT = 2**31
_LONG = 2**63

# JSON has no such values: in a dynamic list they would be compared as texts, and never match.
_NO_JSON: frozenset[KqlType] = frozenset({"datetime", "timespan", "guid", "decimal"})


@dataclass(frozen=True)
class TypedValue:
    """A parameter's value with its KQL type; ``many``: a list of them, bound as ``dynamic([...])``."""

    value: Value
    type: KqlType
    many: bool = False


def literal(value: Value, kind: KqlType) -> str:
    """A value as a KQL literal of that type; None is the type's null (for a string: empty).

    Raises ValueError where the value is none of the type, so that nothing unchecked ever reaches a query.
    """
    if value is None:
        return '""' if kind == "string" else f"{kind}(null)"
    try:
        return _WRITERS[kind](value)
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{str(value)[:80]!r} is no {kind}") from error


def list_literal(values: Sequence[Value], kind: KqlType) -> str:
    """A list as ``dynamic([...])``, for ``in (Name)`` and ``has_any (Name)``.

    Raises ValueError as ``literal``, and for datetimes, timespans, guids and decimals, which JSON does not have.
    """
    if kind in _NO_JSON:
        raise ValueError(f"a list of {kind} cannot be bound; pass its values one by one")
    for value in values:
        literal(value, kind)
    return f"dynamic([{', '.join(_json(value) for value in values)}])"


def prelude(parameters: Mapping[str, TypedValue]) -> str:
    """One ``let Name = literal;`` line per parameter, in order; empty without any. Raises ValueError for a bad name."""
    lines = []
    for name, typed in parameters.items():
        if not _NAME.match(name):
            raise ValueError(f"{name[:80]!r} is no name for a parameter")
        text = list_literal(typed.value, typed.type) if typed.many else literal(typed.value, typed.type)
        lines.append(f"let {name} = {text};\n")
    return "".join(lines)


def _string(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    """A character inside quotes: what is not plainly visible is written as an escape."""
    escaped = _ESCAPES.get(character)
    if escaped is not None:
        return escaped
    number = ord(character)
    if 0xD800 <= number <= 0xDFFF:
        raise ValueError("a lone surrogate is no text")
    if character.isprintable() or (character == " "):
        return character
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _json(value: Value) -> str:
    """A value inside ``dynamic(...)``: JSON in ASCII, so that no character of it means anything to KQL."""
    if isinstance(value, str):
        _string(value)
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def _integer(limit: int, name: str) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int) or not -limit <= value < limit:
            raise ValueError(f"{str(value)[:80]!r} is no {name}")
        return f"{name}({value})"

    return write


def _bool(value: bool) -> str:
    if not isinstance(value, bool):
        raise TypeError
    return "true" if value else "false"


def _real(value: float) -> str:
    number = float(value)
    if math.isnan(number):
        return "real(nan)"
    if math.isinf(number):
        return "real(+inf)" if number > 0 else "real(-inf)"
    return f"real({number!r})"


def _decimal(value: Decimal) -> str:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("a decimal is finite")
    return f"decimal({number:f})"


def _datetime(value: datetime) -> str:
    if not isinstance(value, datetime):
        raise TypeError
    return f"datetime({datetime_text(value)})"


def _timespan(value: timedelta) -> str:
    if not isinstance(value, timedelta):
        raise TypeError
    return f"timespan({timespan_text(value)})"


def _dynamic(value: Any) -> str:
    return f"dynamic({json.dumps(value, ensure_ascii=True, allow_nan=False)})"


_WRITERS: dict[KqlType, Callable[[Any], str]] = {
    "bool": _bool,
    "int": _integer(_INT, "int"),
    "long": _integer(_LONG, "long"),
    "real": _real,
    "decimal": _decimal,
    "string": _string,
    "datetime": _datetime,
    "timespan": _timespan,
    "guid": lambda value: f"guid({UUID(str(value))})",
    "dynamic": _dynamic,
}
