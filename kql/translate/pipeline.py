"""Pipelines: a source of rows, and each operator over the rows before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kql.errors import KqlFeedRefused, KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.outside import FEED_FORMATS, feed_key, feed_use
from kql.syntax.tree import (
    Call,
    Constant,
    Datatable,
    Elsewhere,
    Evaluate,
    ExternalData,
    Find,
    Name,
    Node,
    Operator,
    Pattern,
    Pipeline,
    Print,
    Range,
    Search,
    Subquery,
    Union,
)
from kql.translate import conversions, services
from kql.translate.arithmetic import arithmetic, compared
from kql.translate.context import Scope, Tabular, UserFunction
from kql.translate.expressions import Compiler
from kql.translate.lets import bound_parameters, with_lets
from kql.translate.naming import Namer, expression_name, spelled
from kql.translate.operators.registry import OPERATORS
from kql.translate.rows import Field, OrderTerm, Rows, unknown_table
from kql.translate.values import literal
from kql.types import KqlType

NO_ROWS = Rows("SELECT 1", ())
"""What an operator at the head of a query has before it."""


def run(pipeline: Pipeline, scope: Scope) -> Rows:
    """The rows of a pipeline. Raises KqlError with the place."""
    rows = source(pipeline.source, scope)
    for step in pipeline.operators:
        rows = apply(step, rows, scope)
    return rows


def apply(step: Operator, rows: Rows, scope: Scope) -> Rows:
    """The rows after one operator."""
    return OPERATORS[type(step)].build(step, rows, scope)


def source(node: Node, scope: Scope) -> Rows:
    """The rows that a source stands for."""
    if isinstance(node, Union | Search | Find | Evaluate):
        return apply(node, NO_ROWS, scope)
    return _SOURCES[type(node)](node, scope)


def named(name: str, scope: Scope, node: Node) -> Rows:
    """The table of a name: a ``let``'s, or one that is there, by exact case."""
    binding = scope.find(name)
    if isinstance(binding, Tabular):
        return binding.rows
    if isinstance(binding, UserFunction):
        return _called(Call(name, (), span=node.span), binding, scope)
    if binding is not None:
        raise KqlSchemaError(
            f"{name} is a value, and a table is needed.", **place(node.span), hint="print shows a value."
        )
    return stored(name, scope, node)


def stored(name: str, scope: Scope, node: Node) -> Rows:
    """A table that is there."""
    found = scope.translation.tables.get(name)
    if found is None:
        raise unknown_table(name, sorted(scope.translation.tables), node.span)
    scope.translation.used.add(name)
    fields = tuple(Field(column.name, column.type, scope.translation.fresh()) for column in found.columns)
    cells = ", ".join(f"{sql} AS {field.sql}" for sql, field in zip(found.stored, fields, strict=True))
    return Rows(f"SELECT {cells} FROM ({found.sql})", fields, label=name)


def _name(node: Name, scope: Scope) -> Rows:
    return named(node.text, scope, node)


def _pattern(node: Pattern, scope: Scope) -> Rows:
    raise KqlSchemaError(
        "A pattern of tables stands in union.", **place(node.span), hint=f"Write union {node.text} | ..."
    )


def _subquery(node: Subquery, scope: Scope) -> Rows:
    return run(node.pipeline, scope)


def _call(node: Call, scope: Scope) -> Rows:
    binding = scope.find(node.name)
    if isinstance(binding, UserFunction):
        return _called(node, binding, scope)
    if node.name == "materialize":
        rows = Compiler(scope).table(node.arguments[0].value) if node.arguments else None
        if rows is None:
            raise KqlSchemaError("materialize() takes a table.", **place(node.span), hint="Write materialize(T | ...).")
        return replace(rows, sql=scope.translation.share(rows.sql))
    if node.name == "table":
        first = node.arguments[0].value if node.arguments else None
        value = Compiler(scope).value(first) if first is not None else literal("", "string")
        return named(str(scope.translation.compute(value, node.span)), scope, node)
    raise KqlUnsupported(
        f"There is no table function {node.name}() here.",
        **place(node.span),
        hint=services.way_round(node.name) or "Define it with let, or run the query in the tenant.",
    )


def _called(node: Call, binding: UserFunction, scope: Scope, piped: Rows | None = None) -> Rows:
    inner = bound_parameters(Compiler(scope), node, binding, piped)
    body = binding.function.body
    inner = with_lets(body.lets, inner, Compiler(inner))
    if isinstance(body.body, Pipeline):
        return run(body.body, inner)
    rows = Compiler(inner).table(body.body)
    if rows is None:
        raise KqlSchemaError(
            f"{node.name}() gives a value, and a table is needed.", **place(node.span), hint="print shows a value."
        )
    return rows


def invoked(node: Call, rows: Rows, scope: Scope) -> Rows | None:
    """What a function of the query's own makes of the rows piped into it; None where there is no such function."""
    binding = scope.find(node.name)
    return _called(node, binding, scope, rows) if isinstance(binding, UserFunction) else None


def _print(node: Print, scope: Scope) -> Rows:
    compiler = Compiler(scope)
    namer = Namer(spelled(node.items, "print"))
    fields, cells = [], []
    for index, item in enumerate(node.items):
        value = compiler.value(item.value)
        name = namer.take(item.names[0] if item.names else expression_name(item.value) or f"print_{index}")
        fields.append(Field(name, value.type, scope.translation.fresh(), value.nullable))
        cells.append(f"{value.text} AS {fields[-1].sql}")
    return Rows(f"SELECT {', '.join(cells)}", tuple(fields), serialized=True)


def _range(node: Range, scope: Scope) -> Rows:
    """https://learn.microsoft.com/en-us/kusto/query/range-operator"""
    compiler = Compiler(scope)
    low, high, step = (compiler.value(each) for each in (node.low, node.high, node.step))
    kind: KqlType = low.type
    if kind == "datetime":
        start, end = f"epoch_us({low.text})", f"epoch_us({high.text})"
    else:
        kind = conversions.common_type([low.type, high.type, step.type]) or low.type
        start, end = conversions.convert(low, kind).text, conversions.convert(high, kind).text
        if kind == "int":
            kind = "long"
    fits = arithmetic("+", low, step)
    if fits is None or compared(low, high) is None or kind not in ("long", "real", "decimal", "datetime", "timespan"):
        raise KqlSchemaError(
            f"range does not go from a {low.type} to a {high.type} by a {step.type}.",
            **place(node.span),
            hint="Use numbers, or datetimes and a timespan.",
        )
    field = Field(node.name, kind, scope.translation.fresh(), False)
    width = step.text if kind != "decimal" else conversions.convert(step, kind).text
    count = f"CAST(floor(({end} - {start}) / nullif({width}, 0)) AS BIGINT)"
    value = f"{start} + {{i}} * {width}"
    if kind == "datetime":
        value = f"make_timestamp(CAST({value} AS BIGINT))"
    place_ = scope.translation.fresh("i")
    steps = f"range(0, greatest(coalesce({count}, -1) + 1, 0)) AS r({place_})"
    sql = f"SELECT {value.format(i=place_)} AS {field.sql}, {place_} FROM {steps}"
    return Rows(sql, (field,), (OrderTerm(place_),), serialized=True)


def _datatable(node: Datatable, scope: Scope) -> Rows:
    """https://learn.microsoft.com/en-us/kusto/query/datatable-operator"""
    compiler = Compiler(scope)
    fields = tuple(Field(each.name, each.type, scope.translation.fresh()) for each in node.columns)
    width = len(fields)
    lines = []
    for start in range(0, len(node.values), max(width, 1)):
        cells = []
        for field, cell in zip(fields, node.values[start : start + width], strict=True):
            value = compiler.value(cell)
            cells.append(conversions.convert(value, field.type).text)
        lines.append(f"({start}, {', '.join(cells)})")
    place_ = scope.translation.fresh("i")
    names = ", ".join([place_, *(field.sql for field in fields)])
    order = (OrderTerm(place_),)
    if not lines:
        cells_ = ", ".join(literal(None, field.type).text for field in fields)
        return Rows(f"SELECT * FROM (VALUES (0, {cells_})) AS t({names}) WHERE false", fields, order, serialized=True)
    return Rows(f"SELECT * FROM (VALUES {', '.join(lines)}) AS t({names})", fields, order, serialized=True)


def _elsewhere(node: Elsewhere, scope: Scope) -> Rows:
    """Another cluster's or workspace's table: only the tables at hand are asked here."""
    raise KqlUnsupported(
        "A query here reads the tables at hand, no other cluster, database or workspace.",
        **place(node.span),
        hint=f"Write {node.table or 'the table'} alone, or choose that source for the hunt.",
    )


def _external(node: ExternalData, scope: Scope) -> Rows:
    """https://learn.microsoft.com/en-us/kusto/query/externaldata-operator"""
    _check_external(node)
    feed = scope.translation.feeds.get(feed_key(node))
    if feed is None:
        raise _feed_refused(node, scope.translation.refused)
    fields = tuple(Field(each.name, each.type, scope.translation.fresh()) for each in node.columns)
    cells = []
    for field, column, stored_ in zip(fields, feed.columns, feed.stored, strict=True):
        value = Field(column.name, column.type, stored_).value
        parsed = field.type == "dynamic" and column.type == "string"
        value = conversions.json_of_text(value) if parsed else conversions.convert(value, field.type)
        cells.append(f"{value.text} AS {field.sql}")
    return Rows(f"SELECT {', '.join(cells)} FROM ({feed.sql})", fields)


def _check_external(node: ExternalData) -> None:
    use = feed_use(node)
    if not use.addresses or not use.columns:
        raise KqlSchemaError(
            "externaldata needs columns and an address.",
            **place(node.span),
            hint='As in externaldata (Line: string) [h@"https://feeds.example/list.txt"].',
        )
    unknown = [name for name, _ in node.properties if name.lower() not in ("format", "ignorefirstrecord")]
    if unknown:
        raise KqlUnsupported(
            f"externaldata is read without {unknown[0]} here.",
            **place(node.span),
            hint="format and ignoreFirstRecord are known.",
        )
    if use.format and use.format not in FEED_FORMATS:
        raise KqlUnsupported(
            f"externaldata does not read {use.format} here.",
            **place(node.span),
            hint=f"It reads {', '.join(FEED_FORMATS)}.",
        )


def _feed_refused(node: ExternalData, reasons: Mapping[str, str]) -> KqlFeedRefused:
    """Names the first address that is not read, and who can change that."""
    address = next((each for each in node.addresses if each in reasons), node.addresses[0])
    why = reasons.get(address, "externaldata is read only from feeds that an administrator has allowed.")
    return KqlFeedRefused(
        f"{address[:200]}: {why}",
        **place(node.span),
        subject=address,
        hint="An administrator can allow it under Administration, Supplies; or upload the file as evidence.",
    )


def _constant(node: Constant, scope: Scope) -> Rows:
    raise KqlSchemaError("A query begins with a table.", **place(node.span), hint="print shows a value.")


_SOURCES: dict[type[Any], Callable[[Any, Scope], Rows]] = {
    Name: _name,
    Pattern: _pattern,
    Subquery: _subquery,
    Call: _call,
    Print: _print,
    Range: _range,
    Datatable: _datatable,
    Elsewhere: _elsewhere,
    ExternalData: _external,
    Constant: _constant,
}
