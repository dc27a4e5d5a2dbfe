"""Operators that choose rows or put them in order, and those that change none."""

from __future__ import annotations

from dataclasses import replace

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.syntax.tree import (
    As,
    Consume,
    Count,
    Distinct,
    Expression,
    GetSchema,
    OrderKey,
    Pattern,
    Render,
    Sample,
    Serialize,
    Sort,
    Take,
    Top,
    Unrun,
    Where,
)
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.naming import Namer, expression_name, spelled
from kql.translate.operators.columns import extended
from kql.translate.operators.registry import operator
from kql.translate.operators.windows import completed, prepared
from kql.translate.rows import Field, OrderTerm, Rows

_NET_TYPES = {
    "bool": "System.SByte", "int": "System.Int32", "long": "System.Int64", "real": "System.Double",
    "decimal": "System.Data.SqlTypes.SqlDecimal", "string": "System.String", "datetime": "System.DateTime",
    "timespan": "System.TimeSpan", "guid": "System.Guid", "dynamic": "System.Object",
}  # fmt: skip


@operator(Where, "where filter")
def where(node: Where, rows: Rows, scope: Scope) -> Rows:
    """Rows for which a predicate holds."""
    rows, over = prepared(rows, scope, [node.predicate])
    compiler = Compiler(scope, rows, over=over)
    if not over:
        return rows.where(compiler.condition(node.predicate))
    condition = compiler.condition(node.predicate)
    return completed(rows, over).where(condition)


@operator(Take, "take limit")
def take(node: Take, rows: Rows, scope: Scope) -> Rows:
    """The first rows; without an order, any."""
    return replace(rows, sql=f"SELECT * FROM ({rows.sql}){rows.order_by} LIMIT {count_of(node.count, scope, 'take')}")


@operator(Sort, "sort order")
def sort(node: Sort, rows: Rows, scope: Scope) -> Rows:
    """Rows in an order: nulls come first in an ascending one, last in a descending one."""
    return sorted_by(node.keys, rows, scope)


@operator(Top, "top")
def top(node: Top, rows: Rows, scope: Scope) -> Rows:
    """The first rows of an order."""
    number = count_of(node.count, scope, "top")
    rows = sorted_by(node.keys, rows, scope)
    return replace(rows, sql=f"SELECT * FROM ({rows.sql}){rows.order_by} LIMIT {number}")


def sorted_by(keys: tuple[OrderKey, ...], rows: Rows, scope: Scope) -> Rows:
    """The rows in the order of some keys; a key that is no column is computed beside them."""
    compiler = Compiler(scope, rows)
    terms, computed = [], []
    for key in keys:
        value = compiler.value(key.value)
        if value.type == "dynamic":
            raise KqlSchemaError(
                "Dynamic values have no order.", **place(key.span), hint="Convert the key, with tostring() or tolong()."
            )
        name = value.text
        if not name.isidentifier():
            name = scope.translation.fresh("k")
            computed.append(f"{value.text} AS {name}")
        first = key.nulls_first if key.nulls_first is not None else not key.descending
        terms.append(OrderTerm(name, key.descending, first))
    sql = f"SELECT *, {', '.join(computed)} FROM ({rows.sql})" if computed else rows.sql
    return replace(rows, sql=sql, order=tuple(terms), serialized=True)


def count_of(node: Expression, scope: Scope, name: str) -> int:
    """A number of rows: a constant, not negative."""
    value = Compiler(scope).value(node)
    number = scope.translation.compute(value, node.span)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise KqlSchemaError(f"{name} needs a number of rows.", **place(node.span), hint=f"As in {name} 10.")
    return number


@operator(Count, "count")
def count(node: Count, rows: Rows, scope: Scope) -> Rows:
    """How many rows there are."""
    name = scope.translation.fresh()
    return Rows(f"SELECT count(*) AS {name} FROM ({rows.sql})", (Field(node.name or "Count", "long", name, False),))


@operator(Distinct, "distinct")
def distinct(node: Distinct, rows: Rows, scope: Scope) -> Rows:
    """The combinations of some columns' values, each once."""
    if len(node.items) == 1 and isinstance(node.items[0].value, Pattern):
        cells = [(each.name, each.value) for each in rows.fields]
    else:
        namer = Namer(spelled(node.items, "distinct"))
        compiler = Compiler(scope, rows)
        cells = [
            (namer.take(item.names[0] if item.names else expression_name(item.value)), compiler.value(item.value))
            for item in node.items
        ]
    fields = [Field(name, value.type, scope.translation.fresh(), value.nullable) for name, value in cells]
    select = ", ".join(f"{value.text} AS {field.sql}" for (_, value), field in zip(cells, fields, strict=True))
    return Rows(f"SELECT DISTINCT {select} FROM ({rows.sql})", tuple(fields))


@operator(Sample, "sample sample-distinct")
def sample(node: Sample, rows: Rows, scope: Scope) -> Rows:
    """Some rows at random; some values of an expression."""
    number = count_of(node.count, scope, "sample")
    if node.of is None:
        return replace(rows, sql=f"SELECT * FROM ({rows.sql}) USING SAMPLE reservoir({number} ROWS)").unordered()
    value = Compiler(scope, rows).value(node.of)
    field = Field(expression_name(node.of) or "Column1", value.type, scope.translation.fresh(), value.nullable)
    return Rows(f"SELECT DISTINCT {value.text} AS {field.sql} FROM ({rows.sql}) LIMIT {number}", (field,))


@operator(Serialize, "serialize")
def serialize(node: Serialize, rows: Rows, scope: Scope) -> Rows:
    """Rows in the order they are in, each with a place."""
    rows = replace(rows, serialized=True)
    return extended(node.items, rows, scope, "serialize") if node.items else rows


@operator(Render, "render")
def render(node: Render, rows: Rows, scope: Scope) -> Rows:
    """No row is changed; what is asked for goes with the result."""
    scope.translation.render = {"visualization": node.kind} | dict(node.properties)
    return rows


@operator(As, "as")
def name(node: As, rows: Rows, scope: Scope) -> Rows:
    """The rows get a name."""
    scope.translation.named[node.name] = rows
    return rows


@operator(Consume, "consume")
def consume(node: Consume, rows: Rows, scope: Scope) -> Rows:
    """All rows are read, none is given."""
    return rows.where("false")


@operator(GetSchema, "getschema")
def schema(node: GetSchema, rows: Rows, scope: Scope) -> Rows:
    """One row a column."""
    names = ("ColumnName", "ColumnOrdinal", "DataType", "ColumnType")
    types = ("string", "long", "string", "string")
    fields = tuple(Field(n, t, scope.translation.fresh(), False) for n, t in zip(names, types, strict=True))  # type: ignore[arg-type]
    cells = ", ".join(
        f"({quote_text(each.name)}, {index}::BIGINT, {quote_text(_NET_TYPES[each.type])}, {quote_text(each.type)})"
        for index, each in enumerate(rows.fields)
    )
    columns = ", ".join(field.sql for field in fields)
    if not cells:
        raise KqlUnsupported("This table has no column.", **place(node.span), hint="Name a table with columns.")
    order = (OrderTerm(fields[1].sql),)
    return Rows(f"SELECT * FROM (VALUES {cells}) AS t({columns})", fields, order, serialized=True)


UNRUN = {
    "assert-schema": "Leave it out: it changes no row. getschema shows the columns.",
    "execute-and-cache": "Leave it out: materialize() computes a table once.",
    "facet": "Run one query for each facet.",
    "fork": "Run one query for each branch.",
    "macro-expand": "Write the query once, over the tables at hand: there is no group of clusters here.",
    "reduce": "Use summarize count() by the column.",
}
"""Operators that are never run here, with the way round; of the others, graphs are written with joins."""


def way_round(name: str) -> str:
    """What to do instead of an operator that is not run here."""
    return UNRUN.get(name, "Write it with joins, one for each step along the graph, or run the query in the tenant.")


@operator(Unrun, "", page="tabular-operators")
def unrun(node: Unrun, rows: Rows, scope: Scope) -> Rows:
    """Operators that are never run here."""
    raise KqlUnsupported(f"{node.name} is not supported here.", **place(node.span), hint=way_round(node.name))
