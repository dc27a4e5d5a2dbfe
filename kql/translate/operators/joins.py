"""``join`` and ``lookup``.

A null key matches a null key. ``innerunique``, the default, keeps one left row of each key, and which one is not
defined. https://learn.microsoft.com/en-us/kusto/query/join-operator
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import Binary, Expression, Join, Name, Side
from kql.translate import conversions
from kql.translate.context import Scope, Translation
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows
from kql.translate.values import Sql

_KINDS = {
    "innerunique": "INNER", "inner": "INNER", "leftouter": "LEFT", "rightouter": "RIGHT", "fullouter": "FULL",
    "leftsemi": "SEMI", "rightsemi": "SEMI", "semi": "SEMI", "leftanti": "ANTI", "rightanti": "ANTI", "anti": "ANTI",
    "leftantisemi": "ANTI", "rightantisemi": "ANTI",
}  # fmt: skip


@operator(Join, "join lookup")
def join(node: Join, rows: Rows, scope: Scope) -> Rows:
    """Rows of two tables that have the same keys."""
    kind = node.kind or ("innerunique" if node.operator == "join" else "leftouter")
    allowed = _KINDS if node.operator == "join" else {"leftouter": "LEFT", "inner": "INNER"}
    if kind not in allowed:
        raise KqlSchemaError(
            f"{kind} is no kind of {node.operator}.", **place(node.span), hint=f"Kinds are {', '.join(allowed)}."
        )
    left, right = (
        _fresh(rows, scope.translation),
        _fresh(scope.translation.pipelines(node.right, scope), scope.translation),
    )
    keys = [pair for each in node.on for pair in _keys(each, left, right, scope)]
    on = " AND ".join(_condition(one, two) for one, two in keys)
    sql = _KINDS[kind]
    left_sql = left.sql
    if kind == "innerunique":
        left_sql = f"SELECT DISTINCT ON ({', '.join(one.text for one, _ in keys)}) * FROM ({left.sql})"
    if sql in ("SEMI", "ANTI"):
        if kind.startswith("right"):
            return Rows(f"SELECT r.* FROM ({right.sql}) AS r {sql} JOIN ({left_sql}) AS l ON {on}", right.fields)
        return Rows(f"SELECT l.* FROM ({left_sql}) AS l {sql} JOIN ({right.sql}) AS r ON {on}", left.fields)
    dropped = {two.text for _, two in keys} if node.operator == "lookup" else set()
    fields = _fields(left, right, dropped)
    body = f"SELECT * FROM ({left_sql}) AS l {sql} JOIN ({right.sql}) AS r ON {on}"
    return _filled(body, fields, kind, {each.sql for each in left.fields}, scope.translation)


def _fresh(rows: Rows, translation: Translation) -> Rows:
    """The rows with new SQL names, so that a table can be joined with itself."""
    fields = tuple(replace(each, sql=translation.fresh()) for each in rows.fields)
    cells = ", ".join(f"{old.sql} AS {new.sql}" for old, new in zip(rows.fields, fields, strict=True))
    return Rows(f"SELECT {cells} FROM ({rows.sql})", fields)


def _keys(node: Expression, left: Rows, right: Rows, scope: Scope) -> list[tuple[Sql, Sql]]:
    """The pairs of keys that one entry of ``on`` names."""
    if isinstance(node, Name):
        return [_checked(left.field(node.text, node.span), right.field(node.text, node.span), node)]
    if isinstance(node, Binary) and node.operator == "and":
        return _keys(node.left, left, right, scope) + _keys(node.right, left, right, scope)
    if isinstance(node, Binary) and node.operator == "==":
        sides = [_side(node.left, left, right), _side(node.right, left, right)]
        if {side for side, _ in sides} == {"left", "right"}:
            named = dict(sides)
            return [_checked(named["left"], named["right"], node)]
    raise KqlSchemaError(
        "A join compares columns of its two sides.",
        **place(node.span),
        hint="Write on Column, or on $left.A == $right.B; filter other conditions afterwards, with where.",
    )


def _side(node: Expression, left: Rows, right: Rows) -> tuple[str, Field]:
    if isinstance(node, Side):
        return node.side, (left if node.side == "left" else right).field(node.name, node.span)
    raise KqlSchemaError(
        "A side of the condition is no $left.Column or $right.Column.",
        **place(node.span),
        hint="Write on $left.A == $right.B.",
    )


def _checked(one: Field, two: Field, node: Expression) -> tuple[Sql, Sql]:
    """Two keys of one type; an int fits a long. Kusto refuses any others."""
    kinds = {one.type, two.type}
    if "dynamic" in kinds or (len(kinds) > 1 and not kinds <= {"int", "long"}):
        listed = f"{one.name} is {one.type}, {two.name} is {two.type}"
        raise KqlSchemaError(
            f"The two sides of a join need keys of one type, none of them dynamic: {listed}.",
            **place(node.span),
            hint="Convert the key on both sides first, as in extend Key = tostring(Key).",
        )
    if len(kinds) > 1:
        return conversions.to_integer(one.value, "long"), conversions.to_integer(two.value, "long")
    return one.value, two.value


def _condition(one: Sql, two: Sql) -> str:
    both = one.nullable and two.nullable
    return f"{one.text} {'IS NOT DISTINCT FROM' if both else '='} {two.text}"


def _fields(left: Rows, right: Rows, dropped: set[str]) -> list[Field]:
    """The columns of both sides; a name of the right side that the left has gets a number."""
    fields = list(left.fields)
    taken = {each.name for each in fields}
    for each in right.fields:
        if each.sql in dropped:
            continue
        name, number = each.name, 0
        while name in taken:
            number += 1
            name = f"{each.name}{number}"
        taken.add(name)
        fields.append(replace(each, name=name))
    return fields


def _filled(body: str, fields: Sequence[Field], kind: str, left: set[str], translation: Translation) -> Rows:
    """The joined rows, where a string that an outer join left null is empty."""
    found, cells = [], []
    for each in fields:
        missing = kind == "fullouter" or kind == ("rightouter" if each.sql in left else "leftouter")
        if missing and each.type == "string":
            new = replace(each, sql=translation.fresh(), nullable=False)
            cells.append(f"coalesce({each.sql}, '') AS {new.sql}")
        else:
            new = replace(each, nullable=each.nullable or missing)
            cells.append(each.sql)
        found.append(new)
    return Rows(f"SELECT {', '.join(cells)} FROM ({body})", tuple(found))
