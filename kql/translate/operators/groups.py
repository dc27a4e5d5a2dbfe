"""``summarize``.

https://learn.microsoft.com/en-us/kusto/query/summarize-operator
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import Call, Constant, Expression, Named, Pattern, Summarize
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.functions import registry
from kql.translate.functions.aggregates import percentile
from kql.translate.functions.registry import Invocation
from kql.translate.naming import Namer, expression_name
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows
from kql.translate.values import Sql, maybe_null

_EXTREMES = {"arg_max": "max", "argmax": "max", "arg_min": "min", "argmin": "min"}
_ANY = frozenset({"take_any", "any", "takeany"})
_SEVERAL = {**_EXTREMES, **dict.fromkeys(_ANY, ""), "percentiles": ""}


@dataclass
class Group:
    """A summarize being put together: ``cells`` of the grouped SELECT, ``fields`` with their SQL over it."""

    scope: Scope
    rows: Rows
    namer: Namer
    cells: list[str] = field(default_factory=list)
    fields: list[tuple[Field, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    by: list[Sql] = field(default_factory=list)

    def add(self, base: str | None, value: Sql, cell: str | None = None) -> None:
        """A column; ``cell`` is what is computed in the grouped SELECT, where the column is only a part of it."""
        name = self.scope.translation.fresh("g")
        if cell is None:
            self.cells.append(f"{value.text} AS {name}")
            text = name
        else:
            text = value.text
        column = Field(self.namer.take(base), value.type, self.scope.translation.fresh(), value.nullable)
        self.fields.append((column, text))

    def part(self, sql: str) -> str:
        """Something computed once in the grouped SELECT; returns its name."""
        name = self.scope.translation.fresh("g")
        self.cells.append(f"{sql} AS {name}")
        return name


@operator(Summarize, "summarize")
def summarize(node: Summarize, rows: Rows, scope: Scope) -> Rows:
    """Groups of rows by keys, and an aggregate of each: the keys come first."""
    return grouped(node.aggregates, node.by, rows, scope)


def grouped(aggregates: Sequence[Named], by: Sequence[Named], rows: Rows, scope: Scope) -> Rows:
    """The rows' groups by some keys, with aggregates. Without keys there is one group, which may be empty."""
    names = registry.names("aggregate") | frozenset(_SEVERAL)
    spelled = [name for item in (*by, *aggregates) for name in item.names]
    group = Group(scope, rows, Namer(spelled, [each.name for each in rows.fields]))
    compiler = Compiler(scope, rows)
    for item in by:
        value = compiler.value(item.value)
        if value.type == "dynamic":
            raise KqlSchemaError(
                "A dynamic value cannot be a key of groups.",
                **place(item.span),
                hint="Convert it, as in by tostring(Column.Name).",
            )
        name = item.names[0] if item.names else expression_name(item.value)
        group.keys.append(name or "")
        group.by.append(value)
        group.add(name, value)
    keys = len(group.cells)
    for item in aggregates:
        _aggregate(item, group, names)
    if not group.cells:
        raise KqlUnsupported("There is nothing to summarize.", hint="Name an aggregate, as in summarize count().")
    by_sql = f" GROUP BY {', '.join(str(index + 1) for index in range(keys))}" if keys else ""
    source = _narrowed(aggregates, group, keys)
    inner = f"SELECT {', '.join(group.cells)} FROM ({source}){by_sql}"
    outer = ", ".join(f"{text} AS {column.sql}" for column, text in group.fields)
    return Rows(f"SELECT {outer} FROM ({inner})", tuple(column for column, _ in group.fields))


def _aggregate(item: Named, group: Group, names: frozenset[str]) -> None:
    value = item.value
    if isinstance(value, Call) and value.name.lower() in _SEVERAL and group.scope.find(value.name) is None:
        several = _several(value)
        if several is not None:
            several(value, item, group)
            return
    compiled = Compiler(group.scope, group.rows, grouped=True).value(value)
    group.add(item.names[0] if item.names else expression_name(value, names), compiled)


def _several(call: Call) -> Callable[[Call, Named, Group], None] | None:
    """What builds an aggregate of several columns; None where this call has one."""
    name = call.name.lower()
    if name in _EXTREMES:
        return _extreme
    if name == "percentiles":
        return _percentiles
    star = any(isinstance(each.value, Pattern) for each in call.arguments)
    return _any if len(call.arguments) > 1 or star else None


def _extreme(call: Call, item: Named, group: Group) -> None:
    """``arg_max`` and ``arg_min``: the row at which something is largest; where it is null throughout, any row.

    https://learn.microsoft.com/en-us/kusto/query/arg-max-aggregation-function
    """
    compiler = Compiler(group.scope, group.rows)
    if len(call.arguments) < 2:
        raise KqlSchemaError(
            f"{call.name}() takes what to look at and what to give.", **place(call.span), hint="As in arg_max(t, *)."
        )
    first = call.arguments[0].value
    key = compiler.value(first)
    if key.type == "dynamic":
        raise KqlSchemaError(
            "Dynamic values have no order.", **place(first.span), hint="Convert it, with tostring() or tolong()."
        )
    which = _EXTREMES[call.name.lower()]
    names = list(item.names)
    group.add(_taken(names) or expression_name(first) or which, maybe_null(f"{which}({key.text})", key.type))
    picked = _picked(call.arguments[1:], compiler, [*group.keys, expression_name(first) or ""])
    if not picked:
        return
    struct = ", ".join(f"v{index} := {value.text}" for index, (_, value) in enumerate(picked))
    box = f"struct_pack({struct})"
    whole = group.part(_found(which, box, key))
    for index, (name, value) in enumerate(picked):
        cell = Sql(f"{whole}.v{index}", value.type, True)
        group.add(_taken(names) or name, _whole(cell), whole)


_NOT_TWICE = re.compile(
    r"\b(?:random|uuid|limit|sample|over|join|lateral|group|distinct|unnest|any_value|shared\d+|read_(?!parquet)\w+)\b",
    re.IGNORECASE,
)
"""In SQL: what may come out otherwise when it is computed a second time, or cost as much again."""
_LONG = 50_000
"""Characters of SQL from which on, as in a union of all tables, reading it three times costs more than it spares."""
_DEAR = re.compile(r"regexp|json|contains|list_|lower\(")
"""In a condition: what costs more than looking at a column."""


def _narrowed(aggregates: Sequence[Named], group: Group, keys: int) -> str:
    """The rows to summarize: for one ``arg_max`` or ``arg_min`` alone, only those that have their group's largest key.

    Whole rows are read for these only. A comparison by ``=``, unlike one that takes nulls for equal, lets DuckDB pass
    over most of a file; so rows with a null come beside. Rows that are dear to compute, or might come out otherwise,
    are read once.
    """
    rows, translation = group.rows, group.scope.translation
    call = aggregates[0].value if len(aggregates) == 1 else None
    if not isinstance(call, Call) or call.name.lower() not in _EXTREMES or len(group.cells) < keys + 2:
        return rows.sql
    if (
        translation.correlated
        or len(rows.sql) > _LONG
        or _NOT_TWICE.search(rows.sql)
        or (" WHERE " in rows.sql and _DEAR.search(rows.sql))
    ):
        return rows.sql
    compiler = Compiler(group.scope, rows)
    key = compiler.value(call.arguments[0].value)
    values = [*group.by, key]
    names = [translation.fresh("n") for _ in values]
    texts = [*(value.text for value in group.by), f"{_EXTREMES[call.name.lower()]}({key.text})"]
    cells = ", ".join(f"{text} AS {name}" for text, name in zip(texts, names, strict=True))
    by = f" GROUP BY {', '.join(str(index + 1) for index in range(keys))}" if keys else ""
    same = " AND ".join(f"{value.text} = {name}" for value, name in zip(values, names, strict=True))
    found = f"SELECT * FROM ({rows.sql}) SEMI JOIN (SELECT {cells} FROM ({rows.sql}){by}) ON {same}"
    nulls = [f"{value.text} IS NULL" for value in values if value.nullable]
    return f"{found} UNION ALL SELECT * FROM ({rows.sql}) WHERE {' OR '.join(nulls)}" if nulls else found


def _found(which: str, box: str, key: Sql) -> str:
    """The box of the row where a key is largest, or smallest; where the key is null throughout, of any row."""
    if key.type == "datetime" and key.nullable:
        # No KQL datetime is infinite: a null takes that place, which spares a second aggregate over whole rows.
        return f"arg_{which}({box}, coalesce({key.text}, '{'-' if which == 'max' else ''}infinity'::TIMESTAMP))"
    found = f"arg_{which}({box}, {key.text})"
    return f"coalesce({found}, any_value({box}))" if key.nullable else found


def _taken(names: list[str]) -> str | None:
    return names.pop(0) if names else None


def _whole(value: Sql) -> Sql:
    return maybe_null(value.text, value.type)


def _picked(arguments: Sequence[Any], compiler: Compiler, already: Sequence[str]) -> list[tuple[str | None, Sql]]:
    """What an ``arg_max`` or ``take_any`` gives: names and values; ``*`` is every column that is not there already."""
    assert compiler.rows is not None
    found: list[tuple[str | None, Sql]] = []
    for argument in arguments:
        if isinstance(argument.value, Pattern):
            found += [(each.name, each.value) for each in compiler.rows.fields if each.name not in already]
        else:
            found.append((expression_name(argument.value), compiler.value(argument.value)))
    return found


def _any(call: Call, item: Named, group: Group) -> None:
    """``take_any`` of several columns: all of one row.

    https://learn.microsoft.com/en-us/kusto/query/take-any-aggregation-function
    """
    compiler = Compiler(group.scope, group.rows)
    names = list(item.names)
    picked = _picked(call.arguments, compiler, group.keys)
    struct = ", ".join(f"v{index} := {value.text}" for index, (_, value) in enumerate(picked))
    whole = group.part(f"any_value(struct_pack({struct}))")
    for index, (name, value) in enumerate(picked):
        group.add(_taken(names) or name, _whole(Sql(f"{whole}.v{index}", value.type)), whole)


def _percentiles(call: Call, item: Named, group: Group) -> None:
    """``percentiles(x, 50, 95)``: a column each.

    https://learn.microsoft.com/en-us/kusto/query/percentiles-aggregation-function
    """
    compiler = Compiler(group.scope, group.rows)
    invocation = Invocation(call, compiler, tuple(compiler.value(each.value) for each in call.arguments))
    names = list(item.names)
    base = expression_name(call.arguments[0].value) or ""
    for index, argument in enumerate(call.arguments[1:], start=1):
        name = _taken(names) or f"percentile_{base}_{_number(argument.value)}"
        group.add(name, percentile(invocation, invocation.constant(index)))


def _number(node: Expression) -> str:
    value = node.value if isinstance(node, Constant) else ""
    return str(int(value)) if isinstance(value, int | float) and float(value).is_integer() else str(value)
