"""How KQL's values stand in DuckDB.

bool, int, long, real: BOOLEAN, INTEGER, BIGINT, DOUBLE. decimal: DECIMAL(38,15). string: VARCHAR, never null. datetime:
TIMESTAMP in UTC (whole microseconds). timespan: BIGINT, in microseconds. guid: UUID. dynamic: JSON; its null is SQL's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kql.sql import SQL_TYPES, quote_text
from kql.syntax.tree import Constant
from kql.types import KqlType

INTEGERS = frozenset({"int", "long"})
NUMBERS = frozenset({"int", "long", "real", "decimal"})

_INDEX = re.compile(r"\[#?(-?\d+)\]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sql:
    """A scalar in SQL, in brackets wherever that matters.

    ``nullable``: it may be NULL (a string never is). ``constant``: it depends on no row. ``literal``: the constant it
    was written as. ``path``: of a dynamic that is a property of another, that other's SQL and the JSON path into it.
    ``items``: of a dynamic that is an array of strings, the same as a LIST; ``plain``: of one that is a string or null,
    its text; ``parts``: of a bag of texts, each one's SQL by the step of a JSON path to it. They spare
    ``split(...)[0]`` and ``parse_url(...).Host`` the way through JSON.
    """

    text: str
    type: KqlType
    nullable: bool = True
    constant: bool = False
    literal: Constant | None = None
    path: tuple[str, str] | None = None
    items: str | None = None
    plain: str | None = None
    parts: tuple[tuple[str, str], ...] = ()


def of_type(text: str, kind: KqlType, *parts: Sql) -> Sql:
    """A value made of ``parts``: constant where all are, nullable where one is; a string is made not to be null."""
    constant = all(part.constant for part in parts)
    nullable = any(part.nullable for part in parts)
    if kind == "string":
        return Sql(f"coalesce({text}, '')" if nullable else text, kind, False, constant)
    return Sql(text, kind, nullable, constant)


def maybe_null(text: str, kind: KqlType, *parts: Sql) -> Sql:
    """As ``of_type``, for SQL that may be NULL where no part of it is."""
    constant = all(part.constant for part in parts)
    if kind == "string":
        return Sql(f"coalesce({text}, '')", kind, False, constant)
    return Sql(text, kind, True, constant)


def null(kind: KqlType) -> Sql:
    """The null of a type; a string's is empty."""
    return literal(None, kind)


def literal(value: Any, kind: KqlType) -> Sql:
    """A Python value as SQL (see ``tree.Constant`` for the values)."""
    constant = Constant(value, kind)
    if value is None:
        if kind == "string":
            return Sql("''", kind, False, True, Constant("", kind))
        return Sql(f"NULL::{SQL_TYPES[kind]}", kind, True, True, constant)
    return Sql(_WRITERS[kind](value), kind, False, True, constant)


def micros(span: timedelta) -> int:
    """A timespan's microseconds."""
    return span // timedelta(microseconds=1)


def _real(value: float) -> str:
    if math.isnan(value):
        return "'nan'::DOUBLE"
    if math.isinf(value):
        return "'inf'::DOUBLE" if value > 0 else "'-inf'::DOUBLE"
    return f"{value!r}::DOUBLE"


def moment_sql(value: datetime) -> str:
    """A moment as a TIMESTAMP literal."""
    return f"make_timestamp({micros(value - _EPOCH)}::BIGINT)"


_WRITERS: dict[KqlType, Callable[[Any], str]] = {
    "bool": lambda value: "true" if value else "false",
    "int": lambda value: f"({value})::INTEGER",
    "long": lambda value: f"({value})::BIGINT" if value < 0 else f"{value}::BIGINT",
    "real": _real,
    "decimal": lambda value: f"({value:f})::DECIMAL(38,15)",
    "string": quote_text,
    "datetime": moment_sql,
    "timespan": lambda value: f"({micros(value)})::BIGINT",
    "guid": lambda value: f"{quote_text(str(value))}::UUID",
    "dynamic": lambda value: f"{quote_text(json.dumps(value, ensure_ascii=False))}::JSON",
}


def json_step(key: str) -> str:
    """A property's name as a step of a JSON path."""
    return '."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def member(base: Sql, step: str) -> Sql:
    """A property or element of a dynamic value, by a step of a JSON path; steps are taken together, in one look."""
    index = _INDEX.fullmatch(step) if base.items is not None else None
    if index is not None:
        number = int(index.group(1))
        plain = f"({base.items})[{number + 1 if number >= 0 else number}]"
        return Sql(f"to_json({plain})", "dynamic", True, base.constant, plain=plain)
    part = dict(base.parts).get(step)
    if part is not None:
        return Sql(f"to_json({part})", "dynamic", base.nullable, base.constant, plain=part)
    source, path = base.path or (base.text, "$")
    whole = path + step
    text = f"json_extract({source}, {quote_text(whole)})"
    return Sql(text, "dynamic", True, base.constant, None, (source, whole))


def dynamic_text(value: Sql) -> str:
    """A dynamic as text: a string without quotes, anything else as JSON; SQL's NULL where it is null."""
    if value.plain is not None:
        return value.plain
    source, path = value.path or (value.text, "$")
    # What a path into the whole leaves out (``parse_json`` of a text that is no JSON), the whole itself has.
    return f"json_extract_string({value.text if path == '$' else source}, {quote_text(path)})"


def dynamic_kind(value: Sql) -> str:
    """DuckDB's name for what a dynamic holds: VARCHAR, BIGINT, UBIGINT, DOUBLE, BOOLEAN, ARRAY, OBJECT, NULL."""
    if value.plain is not None:
        return f"CASE WHEN {value.plain} IS NOT NULL THEN 'VARCHAR' END"
    source, path = value.path or (value.text, "$")
    return f"json_type({value.text})" if path == "$" else f"json_type({source}, {quote_text(path)})"


def is_null(value: Sql) -> str:
    """Whether a value is null; a string is where nothing at all is, which is never."""
    if value.type == "string" or not value.nullable:
        return "false"
    if value.plain is not None:
        return f"({value.plain} IS NULL)"
    if value.type == "dynamic":
        return f"({value.text} IS NULL OR json_type({value.text}) = 'NULL')"
    return f"({value.text} IS NULL)"


def retyped(value: Sql, kind: KqlType) -> Sql:
    """The same SQL under another type of the same shape."""
    return replace(value, type=kind, literal=None, path=None, items=None, plain=None, parts=())
