"""``mv-expand``: a row for each element of an array, or for each pair of a bag.

The rules are those of Microsoft's page; what scalars become and what ``to typeof`` takes were measured on Microsoft's
emulator by the authors of duckdb-kql. A null or a scalar gives one row, an empty array or bag none.
https://learn.microsoft.com/en-us/kusto/query/mv-expand-operator
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Literal

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import Call, ExpandItem, Expression, MvExpand, Name, Node
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.naming import Namer, expression_name
from kql.translate.operators.columns import put
from kql.translate.operators.plain import count_of
from kql.translate.operators.registry import operator
from kql.translate.operators.windows import calls, numbered
from kql.translate.rows import Field, OrderTerm, Rows
from kql.translate.values import Sql, dynamic_text, of_type
from kql.types import KqlType

_NUMBERS = "('UBIGINT', 'BIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT')"
_WHOLE = "('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT')"

BAG = """list_transform(json_keys({0}), lambda k: {1}(k, json_extract({0}, '$."' ||"""
BAG += r""" replace(replace(k, '\', '\\'), '"', '\"') || '"')))"""


@dataclass(frozen=True)
class Expanded:
    """Rows with a list for each item beside them, which ``mv-expand`` and ``mv-apply`` take apart.

    ``sql``: a SELECT with all columns of the input and the lists. ``lists``: the lists' SQL names, ``elements`` those
    of what comes out of them; ``names`` and ``types``: what they become. ``length``: how many rows a row becomes.
    """

    sql: str
    lists: tuple[str, ...]
    elements: tuple[str, ...]
    names: tuple[str, ...]
    types: tuple[KqlType, ...]
    length: str

    @property
    def unnested(self) -> list[str]:
        """The lists taken apart, as columns of a SELECT."""
        return [f"unnest({name}) AS {element}" for name, element in zip(self.lists, self.elements, strict=True)]

    def typed(self, scope: Scope) -> tuple[list[Field], list[str]]:
        """The elements in their types, once the lists were taken apart: columns and cells."""
        fields, cells = [], []
        for name, kind, element in zip(self.names, self.types, self.elements, strict=True):
            value = cast_element(Sql(element, "dynamic"), kind)
            fields.append(Field(name, value.type, scope.translation.fresh()))
            cells.append(f"{value.text} AS {fields[-1].sql}")
        return fields, cells


@operator(MvExpand, "mv-expand")
def mv_expand(node: MvExpand, rows: Rows, scope: Scope) -> Rows:
    """Rows with each element of arrays, several of them in step."""
    if rows.order:
        rows = numbered(rows, scope)
    expanded = lists(node.items, rows, scope, node.bag, node.limit)
    columns, position = expanded.unnested, scope.translation.fresh("i")
    if node.index or rows.order:
        columns.append(f"unnest(range({expanded.length})) AS {position}")
    inner = f"SELECT * EXCLUDE ({', '.join(expanded.lists)}), {', '.join(columns)} FROM ({expanded.sql})"
    found, cells = expanded.typed(scope)
    fields = list(rows.fields)
    for field in found:
        put(fields, field)
    if node.index:
        fields.append(Field(unique(node.index, fields), "long", position, False))
    order = (*rows.order, OrderTerm(position)) if rows.order else ()
    return replace(rows, sql=f"SELECT *, {', '.join(cells)} FROM ({inner})", fields=tuple(fields), order=order)


def unique(name: str, fields: Sequence[Field]) -> str:
    """A name that no column has yet: with a number at its end where it is taken."""
    taken, free, number = {field.name for field in fields}, name, 0
    while free in taken:
        number += 1
        free = f"{name}{number}"
    return free


def lists(
    items: Sequence[ExpandItem],
    rows: Rows,
    scope: Scope,
    bag: Literal["array", "bag"],
    limit: Expression | None,
) -> Expanded:
    """The arrays that are to be expanded, as lists beside the rows. Raises KqlError with the place."""
    compiler = Compiler(scope, rows)
    namer = Namer(skip=[field.name for field in rows.fields])
    values, names = [], []
    for item in items:
        value = compiler.value(item.value)
        if value.type != "dynamic":
            raise KqlSchemaError(
                f"mv-expand takes a dynamic value, and this is a {value.type}.",
                **place(item.span),
                hint="Make an array of it first, with parse_json() or split().",
            )
        values.append((scope.translation.fresh("v"), value.text))
        names.append(namer.take(_item_name(item, compiler, namer)))
    made = [(scope.translation.fresh("l"), _list(name, bag)) for name, _ in values]
    if limit is not None:
        most = count_of(limit, scope, "limit")
        made = [(name, f"list_slice({text}, 1, {most})") for name, text in made]
    inner = f"SELECT *, {', '.join(f'{text} AS {name}' for name, text in values)} FROM ({rows.sql})"
    hidden = ", ".join(name for name, _ in values)
    sql = f"SELECT * EXCLUDE ({hidden}), {', '.join(f'{text} AS {name}' for name, text in made)} FROM ({inner})"
    lengths = [f"len({name})" for name, _ in made]
    length = lengths[0] if len(lengths) == 1 else f"greatest({', '.join(lengths)})"
    kinds: tuple[KqlType, ...] = tuple(item.type or "dynamic" for item in items)
    elements = tuple(scope.translation.fresh("e") for _ in items)
    return Expanded(sql, tuple(name for name, _ in made), elements, tuple(names), kinds, length)


def _list(name: str, bag: Literal["array", "bag"]) -> str:
    pairs = BAG.format(name, "json_array" if bag == "array" else "json_object")
    return (
        f"CASE json_type({name}) WHEN 'ARRAY' THEN CAST({name} AS JSON[]) WHEN 'OBJECT' THEN {pairs} ELSE [{name}] END"
    )


def _item_name(item: ExpandItem, compiler: Compiler, namer: Namer) -> str:
    if item.name is not None:
        return item.name
    name = expression_name(item.value)
    if name is not None:
        return name
    if any(_reads_a_column(call, compiler) for call in calls(item.value)):
        raise KqlUnsupported(
            "What is expanded here needs a name.",
            **place(item.span),
            hint="Name it, as in mv-expand Item = array_concat(A, B).",
        )
    return namer.positional()


def _reads_a_column(call: Call, compiler: Compiler) -> bool:
    fields = compiler.rows.fields if compiler.rows is not None else ()
    names = {each.value.text for each in call.arguments if isinstance(each.value, Name)}
    return any(field.name in names for field in fields)


def cast_element(value: Sql, kind: KqlType) -> Sql:
    """An element as a type: a cast, which takes values of that kind alone and gives null for any other."""
    text, json_type = value.text, f"json_type({value.text})"
    plain = dynamic_text(value)
    match kind:
        case "dynamic":
            return value
        case "string":
            return conversions.to_string(value)
        case "long" | "int":
            number = f"TRY_CAST(trunc(TRY_CAST({plain} AS DOUBLE)) AS {'BIGINT' if kind == 'long' else 'INTEGER'})"
            whole = f"TRY_CAST({plain} AS {'BIGINT' if kind == 'long' else 'INTEGER'})"
            sql = f"CASE WHEN {json_type} IN {_WHOLE} THEN {whole} WHEN {json_type} = 'DOUBLE' THEN {number} END"
            return of_type(sql, kind, value)
        case "real":
            return of_type(f"CASE WHEN {json_type} IN {_NUMBERS} THEN TRY_CAST({plain} AS DOUBLE) END", kind, value)
        case "bool":
            sql = f"CASE WHEN {json_type} = 'BOOLEAN' THEN {text} = 'true'::JSON"
            sql += f" WHEN {json_type} IN {_WHOLE} THEN TRY_CAST({plain} AS BIGINT) <> 0 END"
            return of_type(sql, kind, value)
        case "datetime" | "guid":
            converted = conversions.convert(value, kind).text
            return of_type(f"CASE WHEN {json_type} = 'VARCHAR' THEN {converted} END", kind, value)
        case _:
            raise KqlUnsupported(
                f"An element cannot be cast to {kind}.", hint=f"Convert it afterwards, with to{kind}(tostring(...))."
            )


def nodes(node: object) -> Iterator[Node]:
    """All nodes of a tree, or of several."""
    if isinstance(node, tuple):
        for item in node:
            yield from nodes(item)
    elif isinstance(node, Node) and is_dataclass(node):
        yield node
        for field in fields(node):
            yield from nodes(getattr(node, field.name))
