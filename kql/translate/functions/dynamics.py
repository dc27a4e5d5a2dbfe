"""Dynamic values: JSON read from text, and what other families need to look into it.

https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/dynamic
"""

from __future__ import annotations

from dataclasses import replace

from kql.sql import quote_text
from kql.translate.conversions import json_of_text, to_dynamic
from kql.translate.functions.registry import Invocation, refuse, scalar
from kql.translate.values import Sql, maybe_null

JSON_NUMBERS = "('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')"
"""What ``json_type`` calls numbers."""


@scalar("parse_json todynamic toobject parsejson", 1, page="parse-json-function")
def parse_json(call: Invocation) -> Sql:
    """A dynamic as it is; a text as the JSON it holds, as itself where it holds none; an empty text is null.

    Whoever only looks for a property of it needs no text kept: a text that is no JSON has none.
    """
    value = call.values[0]
    if value.type != "string":
        return to_dynamic(value)
    return json_of_text(value)


def elements(value: Sql) -> str:
    """An array's elements as a LIST of JSON, a null among them as NULL; NULL for what is no array."""
    if value.items is not None:
        return f"list_transform({value.items}, lambda e: to_json(e))"
    return f"TRY_CAST({value.text} AS JSON[])"


def element(value: Sql) -> str:
    """A value as an element of a LIST of JSON, to be compared with others: its null is NULL."""
    if value.type != "dynamic":
        return to_dynamic(value).text
    # A JSON text keeps its blanks; what is taken out of another has none.
    same = value.text if value.path is not None and value.path[1] != "$" else f"json_extract({value.text}, '$')"
    return f"nullif({same}, 'null'::JSON)"


def array(call: Invocation, index: int) -> str:
    """An argument's elements. Raises KqlSchemaError where it is not dynamic."""
    return elements(call.dynamic(index))


def made_of(text: str, *parts: Sql) -> Sql:
    """A LIST as a dynamic array."""
    return maybe_null(f"to_json({text})", "dynamic", *parts)


def texts(text: str, *parts: Sql) -> Sql:
    """A LIST of texts as a dynamic array."""
    return replace(made_of(text, *parts), items=text)


def bound(body: str, **parts: str) -> str:
    """SQL over values that are computed once: ``body`` calls them ``s.name``."""
    cells = ", ".join(f"{quote_text(name)}: {text}" for name, text in parts.items())
    return f"list_transform([{{{cells}}}], lambda s: {body})[1]"


def looked_at(value: Sql, body: str) -> str:
    """SQL that needs a dynamic several times, as ``{0}``: what is more than a column is computed once."""
    return body.format(value.text) if value.text.isidentifier() else bound(body.format("s.d"), d=value.text)


refuse(
    "dynamic_to_json",
    "It sorts the keys of nested bags, which is not done here; tostring() keeps them in the order they came in.",
)
refuse(
    "treepath",
    "The reference page does not say which nested values it lists; use bag_keys(), and mv-expand for arrays.",
)
