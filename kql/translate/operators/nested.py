"""``top-nested`` and ``top-hitters``.

Each level of ``top-nested`` ranks a key within the rows that the levels before it kept. What a level leaves out falls:
it goes on as the ``others`` of that level, or as an empty key, and comes out where this level or a later one has
``others``. https://learn.microsoft.com/en-us/kusto/query/top-nested-operator and top-hitters-operator
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import NestedLevel, TopHitters, TopNested
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.naming import expression_name
from kql.translate.operators.expanding import unique
from kql.translate.operators.plain import count_of
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, OrderTerm, Rows
from kql.translate.values import NUMBERS, Sql, null


@dataclass(frozen=True)
class _Level:
    """A level that was translated: its key's and its aggregate's columns, and the mark of what has fallen."""

    key: Field
    value: Field
    fallen: str
    table: str
    """A SELECT of all keys and marks up to here, and the aggregate."""


@operator(TopNested, "top-nested")
def top_nested(node: TopNested, rows: Rows, scope: Scope) -> Rows:
    """The top values of a key, the top values of another within each, and so on; with an aggregate for each level."""
    fields: list[Field] = []
    keys: list[tuple[Field, Sql]] = []
    for level in node.levels:
        value = Compiler(scope, rows).value(level.key.value)
        if value.type == "dynamic":
            raise KqlSchemaError(
                "Dynamic values have no order.", **place(level.key.span), hint="Convert the key, with tostring()."
            )
        name = unique(_name(level), fields)
        keys.append((Field(name, value.type, scope.translation.fresh(), value.nullable), value))
        named = level.aggregate.names[0] if level.aggregate.names else f"aggregated_{_name(level)}"
        fields += [keys[-1][0], Field(unique(named, [*fields, keys[-1][0]]), "long", "")]
    cells = ", ".join(f"{value.text} AS {field.sql}k" for field, value in keys)
    work = replace(rows, sql=f"SELECT *, {cells} FROM ({rows.sql})")
    levels: list[_Level] = []
    for index, level in enumerate(node.levels):
        later = any(each.others is not None for each in node.levels[index:])
        work, built = _level(level, keys[index][0], fields[index * 2 + 1].name, work, levels, scope, keep=later)
        levels.append(built)
    return _together(node, levels, work)


def _name(level: NestedLevel) -> str:
    return level.key.names[0] if level.key.names else expression_name(level.key.value) or "Column1"


def _level(
    level: NestedLevel, key: Field, value_name: str, rows: Rows, before: Sequence[_Level], scope: Scope, *, keep: bool
) -> tuple[Rows, _Level]:
    """One level: the rows with its key, and its table. ``keep``: what falls here comes out at some level."""
    fresh = scope.translation.fresh
    aggregate = Compiler(scope, rows, grouped=True).value(level.aggregate.value)
    if aggregate.type in ("dynamic", "string", "bool", "guid"):
        raise KqlSchemaError(
            f"top-nested goes by a number or a time, and this is a {aggregate.type}.",
            **place(level.aggregate.span),
            hint="Use count(), sum(), max() or another of docs/kql.md.",
        )
    path = [name for each in before for name in (each.key.sql, each.fallen)]
    fell = before[-1].fallen if before else "false"
    fallen, value = fresh("f"), Field(value_name, aggregate.type, fresh())
    label = _others(level, key, scope)
    source = f"SELECT * FROM ({rows.sql})"
    matched = f"NOT {fell}"
    if level.count is not None:
        top, order, rank = (
            count_of(level.count, scope, "top-nested"),
            "DESC NULLS LAST" if level.descending else "ASC NULLS FIRST",
            fresh("r"),
        )
        shared = scope.translation.share(rows.sql)
        inside = [each.key.sql for each in before]
        by = ", ".join([*inside, f"{key.sql}k"])
        partition = f"PARTITION BY {', '.join(inside)} " if inside else ""
        ranked = (
            f"SELECT {by}, row_number() OVER ({partition}ORDER BY {rank} {order}, {key.sql}k) AS n FROM"
            f" (SELECT {by}, {aggregate.text} AS {rank} FROM ({shared}) WHERE NOT {fell} GROUP BY {by})"
        )
        on = " AND ".join(f"w.{name} IS NOT DISTINCT FROM t.{name}" for name in [*inside, f"{key.sql}k"])
        source = f"SELECT w.*, t.n AS {rank} FROM ({shared}) AS w LEFT JOIN ({ranked}) AS t ON {on}"
        matched = f"(NOT {fell} AND coalesce({rank} <= {top}, false))"
    cells = f"CASE WHEN {matched} THEN {key.sql}k ELSE {label} END AS {key.sql}, NOT {matched} AS {fallen}"
    kept = replace(rows, sql=scope.translation.share(f"SELECT *, {cells} FROM ({source})"))
    by = ", ".join([*path, key.sql, fallen])
    table = f"SELECT {by}, {aggregate.text} AS {value.sql} FROM ({kept.sql}) GROUP BY {by}"
    if level.others is None:
        shown = f"CASE WHEN {fallen} THEN NULL ELSE {value.sql} END AS {value.sql}"
        table = f"SELECT * REPLACE ({shown}) FROM ({table})"
    return (kept if keep else kept.where(f"NOT ({fallen} AND NOT {fell})")), _Level(key, value, fallen, table)


def _others(level: NestedLevel, key: Field, scope: Scope) -> str:
    if level.others is None:
        return null(key.type).text
    value = Compiler(scope).value(level.others)
    fitting = conversions.coerce(value, key.type)
    if fitting is None or not value.constant:
        raise KqlSchemaError(
            f"others is a {value.type}, and the key is a {key.type}.",
            **place(level.span),
            hint="Convert the key, as in of tostring(Column).",
        )
    return fitting.text


def _together(node: TopNested, levels: Sequence[_Level], work: Rows) -> Rows:
    """One row for each combination of keys, with the aggregates of all levels."""
    marks = [name for each in levels for name in (each.key.sql, each.fallen)]
    sql = f"(SELECT DISTINCT {', '.join(marks)} FROM ({work.sql})) AS d"
    for index, each in enumerate(levels):
        on = " AND ".join(f"d.{name} IS NOT DISTINCT FROM a{index}.{name}" for name in marks[: index * 2 + 2])
        sql += f" JOIN ({each.table}) AS a{index} ON {on}"
    fields = [field for each in levels for field in (each.key, each.value)]
    cells = [f"d.{each.key.sql}, a{index}.{each.value.sql}" for index, each in enumerate(levels)]
    fallen = ", ".join(f"d.{each.fallen}" for each in levels)
    order: list[OrderTerm] = []
    for each, level in zip(levels, node.levels, strict=True):
        order += [OrderTerm(each.fallen), OrderTerm(each.value.sql, level.descending, not level.descending)]
        order.append(OrderTerm(each.key.sql))
    return Rows(f"SELECT {', '.join(cells)}, {fallen} FROM {sql}", tuple(fields), tuple(order))


@operator(TopHitters, "top-hitters", note="Exact, where Kusto estimates.")
def top_hitters(node: TopHitters, rows: Rows, scope: Scope) -> Rows:
    """The values with most rows, or with the largest sum of something."""
    number = count_of(node.count, scope, "top-hitters")
    compiler = Compiler(scope, rows)
    value = compiler.value(node.of)
    if value.type == "dynamic":
        raise KqlSchemaError(
            "A dynamic value cannot be a key of groups.", **place(node.span), hint="Convert it, with tostring()."
        )
    name = expression_name(node.of) or "Column1"
    total, title = Sql("count(*)", "long", False), f"approximate_count_{name}"
    if node.by is not None:
        weight = compiler.value(node.by)
        if weight.type not in NUMBERS:
            raise KqlSchemaError(
                f"top-hitters adds up numbers, and this is a {weight.type}.", **place(node.span), hint="Convert it."
            )
        kind = "long" if weight.type == "int" else weight.type
        total = Sql(conversions.convert(Sql(f"coalesce(sum({weight.text}), 0)", weight.type), kind).text, kind, False)
        title = f"approximate_sum_{expression_name(node.by) or ''}"
    key = Field(name, value.type, scope.translation.fresh(), value.nullable)
    sums = Field(title, total.type, scope.translation.fresh(), False)
    order = (OrderTerm(sums.sql, True, False),)
    grouped = f"SELECT {value.text} AS {key.sql}, {total.text} AS {sums.sql} FROM ({rows.sql}) GROUP BY 1"
    sql = f"SELECT * FROM ({grouped}) ORDER BY {sums.sql} DESC, {key.sql} LIMIT {number}"
    return Rows(sql, (key, sums), order, serialized=True)
