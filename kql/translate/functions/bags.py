"""Property bags: made, looked into, changed.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#dynamicarray-functions
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from kql.errors import KqlSchemaError
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.translate.conversions import to_dynamic
from kql.translate.functions.dynamics import bound, elements, looked_at, made_of
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, json_step, maybe_null

_MOST = 64
_PATH = re.compile(r"\.([^.\[\]'\"]+)|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]")


@scalar("bag_pack pack pack_dictionary", 2, 512, page="pack-function")
def bag_pack(call: Invocation) -> Sql:
    """A bag of keys and values, in turn."""
    if call.count % 2:
        raise KqlSchemaError(
            f"{call.name}() takes keys and values in turn; the last key has no value.",
            **place(call.span),
            hint="Add the value, or remove the key.",
        )
    seen: set[str] = set()
    cells = []
    for index in range(0, call.count, 2):
        constant = call.literal(index)
        if constant is not None and constant.value in seen:
            raise call.unsupported(f"{call.name}() has the key {constant.value!r} twice.", "Give each key once.")
        if constant is not None:
            seen.add(constant.value)
        cells += [call.text(index), to_dynamic(call.values[index + 1]).text]
    return Sql(f"json_object({', '.join(cells)})", "dynamic", False, all(value.constant for value in call.values))


@scalar("pack_all", 0, 1)
def pack_all(call: Invocation) -> Sql:
    """A bag of all columns; by ``true`` without those that are null or empty."""
    rows = call.compiler.rows
    fields = rows.fields if rows is not None else ()
    ignore = call.constant(0, False)
    if not ignore:
        cells = [f"{quote_text(field.name)}, {to_dynamic(field.value).text}" for field in fields]
        return Sql(f"json_object({', '.join(cells)})", "dynamic", False)
    pairs = []
    for field in fields:
        cell = to_dynamic(field.value).text
        there = f"{field.sql} <> ''" if field.type == "string" else f"{field.sql} IS NOT NULL"
        if field.type == "dynamic":
            there = f"coalesce(json_type({field.sql}), 'NULL') <> 'NULL'"
        pairs.append(f"CASE WHEN {there} THEN {quote_text(json.dumps(field.name) + ':')} || {cell} END")
    return Sql(f"CAST('{{' || concat_ws(',', {', '.join(pairs) or 'NULL'}) || '}}' AS JSON)", "dynamic", False)


@scalar("bag_keys", 1)
def bag_keys(call: Invocation) -> Sql:
    """The names of a bag's own properties; null for what is no bag."""
    value = call.dynamic(0)
    keys = "CASE WHEN json_type({0}) = 'OBJECT' THEN to_json(json_keys({0})) END"
    return maybe_null(looked_at(value, keys), "dynamic", value)


@scalar("bag_has_key", 2, note="The key is a constant; it may be a path, as in $.a.b.")
def bag_has_key(call: Invocation) -> Sql:
    """Whether a bag has a key; false for what is no bag."""
    value = call.dynamic(0)
    path = "$" + "".join(json_step(key) for key in _steps(call, call.constant_text(1)))
    return Sql(f"coalesce(json_exists({value.text}, {quote_text(path)}), false)", "bool", False, value.constant)


def _steps(call: Invocation, key: str) -> list[str]:
    """A key, or the keys of a path that begins with ``$``. Raises KqlUnsupported for a path that has other steps."""
    if not key.startswith("$"):
        return [key]
    steps = [next(part for part in match.groups() if part is not None) for match in _PATH.finditer(key, 1)]
    if not steps or "".join(match.group() for match in _PATH.finditer(key, 1)) != key[1:]:
        raise call.unsupported(f"{call.name}() does not take the path {key}.", "Write it as $.outer.inner.")
    return steps


def _entries(text: str) -> str:
    """A bag's properties as a LIST of key and value; NULL for what is no bag, or has a key twice."""
    return f"map_entries(TRY_CAST({text} AS MAP(VARCHAR, JSON)))"


@scalar("bag_merge", 2, _MOST, note="Null where one argument is no bag.")
def bag_merge(call: Invocation) -> Sql:
    """All properties of some bags; of a key that several have, the first one's."""
    lists = [_entries(call.dynamic(index).text) for index in range(call.count)]
    inner = bound(
        "map_from_entries(list_filter(s.e, lambda e, i: list_position(s.k, e.key) = i))",
        e="s.e",
        k="list_transform(s.e, lambda e: e.key)",
    )
    return made_of(bound(f"CASE WHEN s.e IS NOT NULL THEN {inner} END", e=" || ".join(lists)), *call.values)


@scalar("bag_set_key", 3, note="The key is a constant; it may be a path, as in $.a.b.")
def bag_set_key(call: Invocation) -> Sql:
    """A bag with one property set; null for what is no bag. Bags that a path needs are made."""
    steps = _steps(call, call.constant_text(1))
    value = to_dynamic(call.values[2])
    text = bound(_set("s.b", steps, "s.v"), b=call.dynamic(0).text, v=value.text)
    return maybe_null(text, "dynamic", *call.values)


def _set(bag: str, steps: Sequence[str], value: str) -> str:
    key = quote_text(steps[0])
    if len(steps) > 1:
        inner = f"json_extract({bag}, {quote_text('$' + json_step(steps[0]))})"
        inner = f"CASE WHEN json_type({inner}) = 'OBJECT' THEN {inner} ELSE '{{}}'::JSON END"
        value = bound(_set("s.b", steps[1:], "s.v"), b=inner, v=value)
    entry = "{'key': s.k, 'value': s.v}"
    replaced = f"list_transform(map_entries(s.m), lambda e: CASE WHEN e.key = s.k THEN {entry} ELSE e END)"
    body = (
        f"to_json(map_from_entries(CASE WHEN list_contains(map_keys(s.m), s.k) THEN {replaced}"
        f" ELSE map_entries(s.m) || [{entry}] END))"
    )
    guarded = f"CASE WHEN s.m IS NOT NULL THEN {body} END"
    return bound(guarded, m=f"TRY_CAST({bag} AS MAP(VARCHAR, JSON))", k=key, v=value)


@scalar("bag_remove_keys", 2, note="The keys are constants; one may be a path, as in $.a.b.")
def bag_remove_keys(call: Invocation) -> Sql:
    """A bag without some keys; null for what is no bag."""
    keys = call.constant(1)
    paths = [_steps(call, key) for key in keys or [] if isinstance(key, str)]
    own = {path[0]: None for path in paths if len(path) == 1}
    value = call.dynamic(0)
    text = f"json_merge_patch(s.b, {_patch(own)})" if own else "s.b"
    for path in paths:
        if len(path) > 1:
            text = _without(text, path)
    return maybe_null(bound(f"CASE WHEN json_type(s.b) = 'OBJECT' THEN {text} END", b=value.text), "dynamic", value)


def _without(bag: str, path: Sequence[str]) -> str:
    """A bag without a property further in; a patch makes bags of what is none, so they are looked for first."""
    patch: object = None
    for key in reversed(path):
        patch = {key: patch}
    outer = quote_text("$" + "".join(json_step(key) for key in path[:-1]))
    body = f"CASE WHEN json_type(s.b, {outer}) = 'OBJECT' THEN json_merge_patch(s.b, {_patch(patch)}) ELSE s.b END"
    return bound(body, b=bag)


def _patch(value: object) -> str:
    return f"{quote_text(json.dumps(value, ensure_ascii=False))}::JSON"


@scalar("bag_zip", 2, page="bag-zip")
def bag_zip(call: Invocation) -> Sql:
    """A bag of the texts of one array and the values of another at the same places; null without an array of keys."""
    values = f"coalesce({elements(call.dynamic(1))}, [])"
    pair = "to_json(e->>'$') || ':' || coalesce(CAST(s.v[i] AS VARCHAR), 'null')"
    pairs = f"list_transform(s.k, lambda e, i: CASE WHEN json_type(e) = 'VARCHAR' THEN {pair} END)"
    made = f"CAST('{{' || coalesce(array_to_string({pairs}, ','), '') || '}}' AS JSON)"
    body = f"CASE WHEN s.k IS NOT NULL THEN {made} END"
    return maybe_null(bound(body, k=elements(call.dynamic(0)), v=values), "dynamic", *call.values)
