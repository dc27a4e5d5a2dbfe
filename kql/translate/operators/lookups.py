"""``ipv4_lookup`` and ``ipv6_lookup``: rows and the networks that their addresses lie in.

Networks either lie in one another or are apart, so an address matches a network where their ranges meet: a join on two
inequalities, which DuckDB runs by sorting. https://learn.microsoft.com/en-us/kusto/query/ipv4-lookup-plugin
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import Call, Constant, Evaluate, Expression, Name
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.functions.network import code_sql
from kql.translate.functions.network6 import number_sql
from kql.translate.functions.registry import plugin
from kql.translate.operators.expanding import unique
from kql.translate.rows import Field, Rows
from kql.translate.values import maybe_null

_Ranged = Callable[[str, str, str, str, str], str]
"""Adds the first and last address of a text's network to a SELECT: text, names of both, a name to use, the SELECT."""


@plugin("ipv4_lookup", page="ipv4-lookup-plugin")
def ipv4_lookup(node: Evaluate, rows: Rows, scope: Scope) -> Rows:
    """Each row beside the networks of a table that its IPv4 address lies in."""
    return _looked_up(node, rows, scope, _range4, lookup_first=False)


@plugin("ipv6_lookup", page="ipv6-lookup-plugin")
def ipv6_lookup(node: Evaluate, rows: Rows, scope: Scope) -> Rows:
    """Each row beside the networks of a table that its IPv6 address lies in; IPv4 ones are taken as such."""
    return _looked_up(node, rows, scope, _range6, lookup_first=True)


def _range4(text: str, low: str, high: str, code: str, sql: str) -> str:
    numbered = f"SELECT *, {code_sql(text)} AS {code} FROM ({sql})"
    cells = f"{code} // 64 AS {low}, {code} // 64 + (1::BIGINT << (32 - {code} % 64)) - 1 AS {high}"
    return f"SELECT * EXCLUDE ({code}), {cells} FROM ({numbered})"


def _range6(text: str, low: str, high: str, code: str, sql: str) -> str:
    numbered = f"SELECT *, {number_sql(text)} AS {code} FROM ({sql})"
    last = f"CASE {code}.b WHEN 0 THEN 340282366920938463463374607431768211455::UHUGEINT"
    last += f" ELSE {code}.n + (1::UHUGEINT << (128 - {code}.b)::UHUGEINT) - 1::UHUGEINT END"
    return f"SELECT * EXCLUDE ({code}), {code}.n AS {low}, {last} AS {high} FROM ({numbered})"


def _looked_up(node: Evaluate, rows: Rows, scope: Scope, ranged: _Ranged, *, lookup_first: bool) -> Rows:
    source_key, table, table_key, unmatched = _arguments(node.call, rows, scope)
    fresh = scope.translation.fresh
    names = [fresh(stem) for stem in ("l", "h", "n", "l", "h", "n")]
    left = ranged(source_key.sql, names[0], names[1], names[2], rows.sql)
    # Only the table's columns: a table that is looked up in itself has the same names.
    copies = [replace(field, sql=fresh()) for field in table.fields]
    cells = ", ".join(f"{own.sql} AS {copy.sql}" for own, copy in zip(table.fields, copies, strict=True))
    key = next(copy.sql for own, copy in zip(table.fields, copies, strict=True) if own.name == table_key.name)
    right = ranged(key, names[3], names[4], names[5], f"SELECT {cells} FROM ({table.sql})")
    join = "LEFT JOIN" if unmatched else "JOIN"
    on = f"l.{names[0]} <= r.{names[4]} AND r.{names[3]} <= l.{names[1]}"
    sql = f"SELECT * FROM ({left}) AS l {join} ({right}) AS r ON {on}"
    fields: list[Field] = list(rows.fields)
    filled = []
    for copy in copies:
        value = maybe_null(copy.sql, copy.type)
        filled.append(f"{value.text} AS {copy.sql}")
        fields.append(Field(unique(copy.name, fields), copy.type, copy.sql))
    if unmatched:
        sql = f"SELECT * REPLACE ({', '.join(filled)}) FROM ({sql})"
    count = len(rows.fields)
    shown = (*fields[count:], *fields[:count]) if lookup_first else tuple(fields)
    return Rows(sql, shown)


def _arguments(call: Call, rows: Rows, scope: Scope) -> tuple[Field, Rows, Field, bool]:
    """The rows' column, the table, its column, and whether rows without a match are kept."""
    named = {each.name: each.value for each in call.arguments if each.name}
    plain = [each.value for each in call.arguments if not each.name]
    unmatched = named.pop("return_unmatched", None)
    if unmatched is None and len(plain) > 3 and isinstance(plain[-1], Constant):
        unmatched = plain.pop()
    if len(plain) < 3 or named:
        raise KqlSchemaError(
            f"{call.name} takes a table, a column of the rows and a column of the table.",
            **place(call.span),
            hint=f"As in {call.name}(Networks, IPAddress, network).",
        )
    if len(plain) > 3:
        raise KqlUnsupported(
            f"{call.name} with more keys is not run here.",
            **place(call.span),
            hint="Compare the other columns with where after it.",
        )
    table = Compiler(scope).table(plain[0])
    if table is None:
        raise KqlSchemaError("This is no table.", **place(plain[0].span), hint="Name a table, or bind one with let.")
    keep = unmatched is not None and bool(scope.translation.compute(Compiler(scope).value(unmatched), call.span))
    return _key(plain[1], rows, call), table, _key(plain[2], table, call), keep


def _key(node: Expression, rows: Rows, call: Call) -> Field:
    if not isinstance(node, Name):
        raise KqlSchemaError(f"{call.name} needs the name of a column.", **place(call.span), hint="Name one.")
    field = rows.field(node.text, node.span)
    if field.type != "string":
        raise KqlSchemaError(
            f"{field.name} is a {field.type}, and an address is a string.", **place(node.span), hint="Use tostring()."
        )
    return field
