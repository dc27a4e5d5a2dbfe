"""``evaluate``: plugins.

What a plugin's columns are may depend on the data (``bag_unpack``, ``pivot``): then the translator looks at it first,
unless the query names the columns. https://learn.microsoft.com/en-us/kusto/query/evaluate-operator
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kql.errors import KqlDataError, KqlSchemaError, KqlUnsupported
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.syntax.tree import Call, ColumnDeclaration, Evaluate, Expression, Name
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.functions import registry
from kql.translate.functions.registry import plugin
from kql.translate.operators.expanding import nodes, unique
from kql.translate.operators.registry import operator
from kql.translate.operators.windows import numbered
from kql.translate.rows import Field, OrderTerm, Rows
from kql.translate.values import Sql, json_step, maybe_null, member
from kql.types import KqlType

MOST_COLUMNS = 1000
"""How many columns a plugin may make of data."""

_KINDS: dict[str, KqlType] = {
    "BIGINT": "long", "UBIGINT": "long", "HUGEINT": "long", "UHUGEINT": "long", "DOUBLE": "real", "BOOLEAN": "bool",
    "VARCHAR": "string", "ARRAY": "dynamic", "OBJECT": "dynamic",
}  # fmt: skip

REFUSED = {
    "autocluster": "Kusto samples rows for it: use summarize count() by the columns, then top.",
    "basket": "Kusto samples rows for it: use summarize count() by the columns, then where on the share.",
    "diffpatterns": "Kusto samples rows for it: use summarize countif() for each side by the columns.",
    "dcount_intersect": "It works on estimates: use count_distinctif(), or join kind=inner and count.",
    "http_request": "A query reads no other place: upload the file as evidence, its table can then be queried.",
    "http_request_post": "A query reads no other place: upload the file as evidence, its table can then be queried.",
    "sql_request": "A query reads no other place: upload the rows as evidence, their table can then be queried.",
    "mysql_request": "A query reads no other place: upload the rows as evidence, their table can then be queried.",
    "cosmosdb_sql_request": "A query reads no other place: upload the rows as evidence.",
    "python": "No code but KQL is run here.",
    "r": "No code but KQL is run here.",
}
"""Plugins that are never run here, with the way round."""


@operator(Evaluate, "evaluate")
def evaluate(node: Evaluate, rows: Rows, scope: Scope) -> Rows:
    """What a plugin makes of the rows."""
    declared = registry.find("plugin", node.call.name)
    if declared is None:
        raise KqlUnsupported(
            f"The plugin {node.call.name} is not run here.",
            **place(node.call.span),
            hint=REFUSED.get(node.call.name, "Run the query in the tenant."),
        )
    if not rows.fields:
        raise KqlSchemaError(
            f"{node.call.name} works on a table.", **place(node.span), hint=f"Write T | evaluate {node.call.name}(...)."
        )
    built: Rows = declared.build(node, rows, scope)
    return built


def _arguments(call: Call, names: Sequence[str]) -> dict[str, Expression]:
    """The arguments by name, those without one by their place."""
    found: dict[str, Expression] = {}
    for index, argument in enumerate(call.arguments):
        name = argument.name or (names[index] if index < len(names) else "")
        if name not in names or name in found:
            raise KqlSchemaError(
                f"{call.name} does not take this argument.",
                **place(argument.span),
                hint=f"It takes {', '.join(names)}.",
            )
        found[name] = argument.value
    return found


def _column(node: Expression | None, rows: Rows, call: Call) -> Field:
    if isinstance(node, Name):
        return rows.field(node.text, node.span)
    raise KqlSchemaError(f"{call.name} needs the name of a column.", **place(call.span), hint="Name one.")


def _constant(node: Expression | None, default: Any, scope: Scope) -> Any:
    return default if node is None else scope.translation.compute(Compiler(scope).value(node), node.span)


def _fewer(found: Sequence[Any], call: Call) -> None:
    if len(found) > MOST_COLUMNS:
        raise KqlUnsupported(
            f"{call.name} would make more than {MOST_COLUMNS} columns.",
            **place(call.span),
            hint="Filter the rows, or name the columns, as in : (Name: string).",
        )


# --- bag_unpack


@plugin("bag_unpack", page="bag-unpack-plugin")
def bag_unpack(node: Evaluate, rows: Rows, scope: Scope) -> Rows:
    """A column for each property of a bag."""
    given = _arguments(node.call, ("Column", "OutputColumnPrefix", "columnsConflict", "ignoredProperties"))
    bag = _column(given.get("Column"), rows, node.call)
    if bag.type != "dynamic":
        raise KqlSchemaError(
            f"{bag.name} is a {bag.type}, and bag_unpack takes a bag apart.",
            **place(node.call.span),
            hint="Make a bag of it first: extend it with parse_json().",
        )
    prefix = str(_constant(given.get("OutputColumnPrefix"), "", scope))
    conflict = str(_constant(given.get("columnsConflict"), "error", scope))
    ignored = set(_constant(given.get("ignoredProperties"), [], scope) or [])
    if conflict not in ("error", "replace_source", "keep_source"):
        raise KqlSchemaError(
            f"{conflict} is no way out of a conflict.",
            **place(node.call.span),
            hint="It is error, replace_source or keep_source.",
        )
    others = [field for field in rows.fields if field.name != bag.name]
    if node.columns:
        return _declared_properties(node, bag, prefix, others, rows, scope)
    made = [(f"{prefix}{key}", key, kind) for key, kind in _properties(node, bag, rows, scope) if key not in ignored]
    taken = {field.name for field in others}
    for name, _, _ in made:
        if name in taken and conflict == "error":
            raise KqlSchemaError(
                f"There is a column {name} already.",
                **place(node.call.span),
                hint="Give a prefix, or columnsConflict='keep_source'.",
            )
    if conflict == "keep_source":
        made = [each for each in made if each[0] not in taken]
    names = {name for name, _, _ in made}
    kept = [field for field in others if field.name not in names]
    values = [(name, conversions.convert(member(bag.value, json_step(key)), kind)) for name, key, kind in made]
    return _beside(rows, kept, values, scope)


def _beside(rows: Rows, kept: Sequence[Field], values: Sequence[tuple[str, Sql]], scope: Scope) -> Rows:
    """Some columns of the rows, then computed ones."""
    fields = [Field(name, value.type, scope.translation.fresh()) for name, value in values]
    cells = [f"{value.text} AS {field.sql}" for field, (_, value) in zip(fields, values, strict=True)]
    sql = f"SELECT {', '.join(['*', *cells])} FROM ({rows.sql})"
    return Rows(sql, (*kept, *fields), rows.order, rows.serialized)


def _properties(node: Evaluate, bag: Field, rows: Rows, scope: Scope) -> list[tuple[str, KqlType]]:
    """The bags' keys in order, and the type that each has throughout; dynamic where it has several."""
    quoted = r"""'$."' || replace(replace(k, '\', '\\'), '"', '\"') || '"'"""
    bags = f"SELECT {bag.sql} AS b FROM ({rows.sql}) WHERE json_type({bag.sql}) = 'OBJECT'"
    keys = f"SELECT b, unnest(json_keys(b)) AS k FROM ({bags})"
    typed = f"SELECT DISTINCT k, json_type(b, {quoted}) AS t FROM ({keys})"
    found = scope.translation.look(
        f"SELECT k, list(t) FROM ({typed}) GROUP BY k ORDER BY k LIMIT {MOST_COLUMNS + 1}", "bag_unpack", node.call.span
    )
    _fewer(found, node.call)
    properties: list[tuple[str, KqlType]] = []
    for key, kinds in found:
        types = {_KINDS.get(kind, "dynamic") for kind in kinds if kind not in (None, "NULL")}
        properties.append((key, types.pop() if len(types) == 1 else "dynamic"))
    return properties


def _declared_properties(
    node: Evaluate, bag: Field, prefix: str, others: Sequence[Field], rows: Rows, scope: Scope
) -> Rows:
    own = {field.name: field for field in others}
    names = {column.name for column in node.columns}
    values = []
    for column in node.columns:
        if column.name in own:
            value = own[column.name].value
        else:
            key = column.name.removeprefix(prefix) if column.name.startswith(prefix) else column.name
            value = member(bag.value, json_step(key))
        values.append((column.name, value if value.type == column.type else conversions.convert(value, column.type)))
    kept = [field for field in others if field.name not in names] if node.star else []
    return _beside(rows, kept, values, scope)


# --- pivot


@plugin("pivot", page="pivot-plugin")
def pivot(node: Evaluate, rows: Rows, scope: Scope) -> Rows:
    """A column for each value of a column, with an aggregate of the rows that have it."""
    arguments = [argument.value for argument in node.call.arguments]
    column = _column(arguments[0] if arguments else None, rows, node.call)
    aggregate: Expression = arguments[1] if len(arguments) > 1 else Call("count", (), span=node.call.span)
    value = Compiler(scope, rows, grouped=True).value(aggregate)
    keys = _keys(arguments, column, aggregate, rows, node.call)
    text = conversions.to_string(column.value)
    fresh = scope.translation.fresh
    label, cell = fresh("p"), fresh("a")
    by = ", ".join([*(field.sql for field in keys), "1"])
    grouped = scope.translation.share(
        f"SELECT {', '.join([f'{text.text} AS {label}', *(f.sql for f in keys), f'{value.text} AS {cell}'])}"
        f" FROM ({rows.sql}) GROUP BY {by}"
    )
    columns = _pivoted(node, keys, value.type, f"SELECT DISTINCT {label} FROM ({grouped})", scope)
    nothing = f"(SELECT {value.text} FROM ({rows.sql}) WHERE false)"
    fields, cells = list(keys), [field.sql for field in keys]
    for name, kind in columns:
        found = maybe_null(
            f"coalesce(any_value({cell}) FILTER (WHERE {label} = {quote_text(name)}), {nothing})", value.type
        )
        found = found if kind == value.type else conversions.convert(found, kind)
        fields.append(Field(unique(name, fields), kind, fresh()))
        cells.append(f"{found.text} AS {fields[-1].sql}")
    ending = f" GROUP BY {', '.join(field.sql for field in keys)}" if keys else " HAVING count(*) > 0"
    return Rows(f"SELECT {', '.join(cells) or '1'} FROM ({grouped}){ending}", tuple(fields))


def _keys(arguments: Sequence[Expression], column: Field, aggregate: Expression, rows: Rows, call: Call) -> list[Field]:
    if len(arguments) > 2:
        return [_column(each, rows, call) for each in arguments[2:]]
    used = {column.name, *(each.text for each in nodes((aggregate,)) if isinstance(each, Name))}
    keys = [field for field in rows.fields if field.name not in used]
    for field in keys:
        if field.type == "dynamic":
            raise KqlSchemaError(
                f"{field.name} is dynamic and cannot be a key of groups.",
                **place(call.span),
                hint="Name the columns to keep, as in pivot(A, count(), B), or project them before.",
            )
    return keys


def _pivoted(node: Evaluate, keys: Sequence[Field], kind: KqlType, sql: str, scope: Scope) -> list[tuple[str, KqlType]]:
    """The columns to make, and their types. Those that the query names must be all there are."""
    own = {field.name for field in keys}
    named: list[ColumnDeclaration] = [column for column in node.columns if column.name not in own]
    if node.columns and scope.translation.peek is None:
        return [(column.name, column.type) for column in named]
    found = [
        row[0] for row in scope.translation.look(f"{sql} ORDER BY 1 LIMIT {MOST_COLUMNS + 1}", "pivot", node.call.span)
    ]
    _fewer(found, node.call)
    if "" in found:
        raise KqlDataError(
            "The column that pivot turns is empty in some rows.",
            **place(node.call.span),
            hint="Filter them first, with where isnotempty().",
        )
    if not node.columns:
        return [(name, kind) for name in found]
    missing = next((name for name in found if name not in {column.name for column in named}), None)
    if missing is not None:
        raise KqlSchemaError(
            f"The schema of pivot has no column {missing}, and the data has.",
            **place(node.call.span),
            hint="Add it, or filter the rows.",
        )
    return [(column.name, column.type) for column in named]


# --- narrow


@plugin("narrow", page="narrow-plugin")
def narrow(node: Evaluate, rows: Rows, scope: Scope) -> Rows:
    """A row for each cell: the row's number, the column's name, the value as text."""
    rows = numbered(rows, scope)
    fresh = scope.translation.fresh
    kinds: tuple[tuple[str, KqlType], ...] = (("Row", "long"), ("Column", "string"), ("Value", "string"))
    fields = tuple(Field(name, kind, fresh(), False) for name, kind in kinds)
    place_ = fresh("i")
    names = ", ".join(quote_text(each.name) for each in rows.fields)
    texts = ", ".join(conversions.to_string(each.value).text for each in rows.fields)
    sql = (
        f"SELECT {rows.order[0].sql} - 1 AS {fields[0].sql}, unnest([{names}]) AS {fields[1].sql},"
        f" unnest([{texts}]) AS {fields[2].sql}, unnest(range({len(rows.fields)})) AS {place_} FROM ({rows.sql})"
    )
    return Rows(sql, fields, (OrderTerm(fields[0].sql), OrderTerm(place_)), serialized=True)
