"""``search`` and ``find``: rows of several tables for which something holds.

The predicate is translated for each table by itself, over its own columns, so that a table without a column that is
asked for costs nothing. https://learn.microsoft.com/en-us/kusto/query/search-operator and find-operator
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.syntax.tree import (
    Among,
    Argument,
    Binary,
    Call,
    Constant,
    Expression,
    Find,
    FindColumn,
    Name,
    Node,
    Pattern,
    Pipeline,
    Search,
    Union,
)
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.operators.columns import matching
from kql.translate.operators.expanding import nodes
from kql.translate.operators.parsing import escaped
from kql.translate.operators.registry import operator
from kql.translate.operators.unions import Branch, fitting, united
from kql.translate.rows import Field, Rows, UnknownTable, unknown_column
from kql.translate.values import Sql, null
from kql.types import KqlType

_FOLDING = frozenset({"has", "contains", "startswith", "endswith", "hasprefix", "hassuffix"})


@operator(Search, "search", note="A column that is no text is searched as tostring() of it.")
def search(node: Search, rows: Rows, scope: Scope) -> Rows:
    """Rows in which a text stands anywhere, or a predicate holds; ``$table`` says where they come from."""
    if rows.fields and node.tables:
        raise KqlSchemaError(
            "search in (...) begins a query.", **place(node.span), hint="Leave the tables or what is before it out."
        )
    predicate = _Reader(node.sensitive).truth(node.predicate)
    if rows.fields:
        branches = [Branch(rows, rows.label or "search_arg0")]
    else:
        branches = list(_named(node.tables or (Pattern("*", span=node.span),), scope))
    shape = united(branches, scope, Union((), with_source="$table", span=node.span))
    types = {field.name: field.type for field in shape.fields[1:]}
    found = [replace(each, rows=_filtered(predicate, each.rows, types, scope)) for each in branches]
    return united(found, scope, Union((), with_source="$table", span=node.span))


def _named(tables: Sequence[Name | Pattern], scope: Scope) -> Iterator[Branch]:
    for index, table in enumerate(tables):
        names = fitting(table, scope) if isinstance(table, Pattern) else [table.text]
        for name in names:
            found = scope.translation.pipelines(Pipeline(Name(name, span=table.span)), scope)
            yield Branch(found, name if scope.find(name) is None else f"search_arg{index}")


def _filtered(predicate: Expression, rows: Rows, types: dict[str, KqlType], scope: Scope) -> Rows:
    """The rows of a table for which the predicate holds. ``types``: the columns of all tables together.

    A column that the table lacks is null; one that has several types in the tables is called ``name_type``.
    """
    own = {each.name if each.name in types else f"{each.name}_{each.type}": each for each in rows.fields}
    seen = [replace(each, name=name) for name, each in own.items()]
    for name in dict.fromkeys(node.text for node in nodes(predicate) if isinstance(node, Name)):
        if name in types and name not in own:
            seen.append(Field(name, types[name], null(types[name]).text))
    return rows.where(Compiler(scope, replace(rows, fields=tuple(seen))).condition(predicate))


class _Reader:
    """Reads a predicate of ``search`` or ``find`` as one of ``where``: a text by itself is looked for everywhere."""

    def __init__(self, sensitive: bool = False) -> None:
        self._sensitive = sensitive

    def truth(self, node: Expression) -> Expression:
        """An expression where a condition stands."""
        match node:
            case Constant(value=str() as text):
                return self._term(Pattern("*", span=node.span), text, node)
            case Pattern(text="*"):
                return Constant(True, "bool", span=node.span)
            case Binary(operator="and" | "or"):
                return replace(node, left=self.truth(node.left), right=self.truth(node.right))
            case Call(name="not", arguments=(Argument(value=value),)):
                return replace(node, arguments=(Argument(self.truth(value), span=value.span),))
            case Binary(operator=":"):
                return self._column(node)
            case Binary(operator=word) if self._sensitive and word.lstrip("!") in _FOLDING:
                return replace(node, operator=f"{word}_cs")
            case Binary(operator="=~" | "!~") | Among(operator="in~" | "!in~" | "has_any" | "has_all") if (
                self._sensitive
            ):
                raise KqlUnsupported(
                    f"{node.operator} is not run in a case-sensitive search.",
                    **place(node.span),
                    hint="Use == or in, or filter with where after it.",
                )
            case _:
                return node

    def _column(self, node: Binary) -> Expression:
        """``Column:"text"``."""
        if isinstance(node.right, Constant) and isinstance(node.right.value, str):
            return self._term(node.left, node.right.value, node)
        if isinstance(node.right, Pattern) and node.right.text == "*":
            return Constant(True, "bool", span=node.span)
        if isinstance(node.right, Constant):
            return replace(node, operator="==")
        raise KqlSchemaError("After : stands a text.", **place(node.right.span), hint='As in Column:"text".')

    def _term(self, left: Expression, text: str, node: Node) -> Expression:
        """A text to look for, with its wildcards."""
        inner = text.strip("*")
        if not inner:
            return Constant(True, "bool", span=node.span)
        if "*" in inner:
            return self._wild(left, text, node)
        before, after = text.startswith("*"), text.endswith("*")
        word = {(False, False): "has", (False, True): "hasprefix", (True, False): "hassuffix"}.get(
            (before, after), "contains"
        )
        sought = Constant(inner, "string", span=node.span)
        return Binary(f"{word}_cs" if self._sensitive else word, left, sought, span=node.span)

    def _wild(self, left: Expression, text: str, node: Node) -> Expression:
        parts = [escaped(part) for part in re.split(r"\*+", text.strip("*"))]
        before = "" if text.startswith("*") else r"\b"
        after = "" if text.endswith("*") else r"\b"
        pattern = f"{'' if self._sensitive else '(?i)'}{before}{'.*'.join(parts)}{after}"
        return Binary("matches regex", left, Constant(pattern, "string", span=node.span), span=node.span)


@operator(Find, "find")
def find(node: Find, rows: Rows, scope: Scope) -> Rows:
    """Rows of several tables for which a predicate holds, with the columns asked for."""
    if rows.fields:
        raise KqlSchemaError("find begins a query.", **place(node.span), hint="Use search or where after a pipe.")
    predicate = _Reader().truth(node.predicate)
    branches = list(_sources(node, scope))
    if not branches:
        raise KqlSchemaError("None of these tables is here.", **place(node.span), hint="Check their names.")
    named = list(dict.fromkeys(each.text for each in nodes(predicate) if isinstance(each, Name)))
    everywhere = any(isinstance(each, Pattern) for each in nodes(predicate))
    known = {field.name for branch in branches for field in branch.rows.fields}
    named = [name for name in named if name in known or scope.find(name) is None]
    for each in nodes(predicate):
        if isinstance(each, Name) and each.text in named and each.text not in known:
            raise unknown_column(each.text, sorted(known), each.span)
    asked = [b for b in branches if everywhere or len(branches) == 1 or any(b.rows.find(name) for name in named)]
    if not asked:
        raise KqlSchemaError(
            "find asks for no column of these tables.", **place(node.span), hint="Name a column in the predicate."
        )
    found = [replace(each, rows=_kept(predicate, each.rows, asked, scope)) for each in asked]
    columns = _smart(found, named) if node.columns is None else _explicit(node.columns, found)
    return _projected(node, columns, found, scope)


def _sources(node: Find, scope: Scope) -> Iterator[Branch]:
    tables = node.tables or (Pipeline(Pattern("*", span=node.span), span=node.span),)
    for index, pipeline in enumerate(tables):
        source = pipeline.source
        if isinstance(source, Pattern) and not pipeline.operators:
            yield from _named((source,), scope)
            continue
        try:
            found = scope.translation.pipelines(pipeline, scope)
        except UnknownTable:
            if not node.fuzzy:
                raise
            continue
        plain = isinstance(source, Name) and not pipeline.operators and scope.find(source.text) is None
        yield Branch(found, source.text if plain and isinstance(source, Name) else f"find_arg{index}")


def _kept(predicate: Expression, rows: Rows, branches: Sequence[Branch], scope: Scope) -> Rows:
    types: dict[str, KqlType] = {}
    for branch in branches:
        for field in branch.rows.fields:
            types.setdefault(field.name, field.type)
    types |= {field.name: field.type for field in rows.fields}
    return _filtered(predicate, rows, types, scope)


def _types(name: str, branches: Sequence[Branch]) -> list[KqlType]:
    kinds = [field.type for branch in branches if (field := branch.rows.find(name)) is not None]
    return list(dict.fromkeys(kinds))


def _smart(branches: Sequence[Branch], named: Sequence[str]) -> list[FindColumn]:
    """project-smart: what all tables have, what the predicate names, and the rest in a bag."""
    first, *others = branches
    common = [f.name for f in first.rows.fields if all(b.rows.find(f.name) is not None for b in others)]
    chosen = list(dict.fromkeys([*common, *(name for name in named if _types(name, branches))]))
    columns = []
    for name in chosen:
        kinds = _types(name, branches)
        columns += [FindColumn(name, kind if len(kinds) > 1 else None) for kind in kinds]
    if any(field.name not in chosen for branch in branches for field in branch.rows.fields):
        columns.append(FindColumn("pack_", pack=True))
    return columns


def _explicit(columns: Sequence[FindColumn], branches: Sequence[Branch]) -> list[FindColumn]:
    for column in columns:
        kinds = _types(column.name, branches)
        if not column.pack and column.type is None and len(kinds) > 1:
            raise KqlSchemaError(
                f"{column.name} is {' and '.join(sorted(kinds))} in these tables.",
                **place(column.span),
                hint=f"Say which, as in project {column.name}: string.",
            )
        if not column.pack and not kinds:
            known = sorted({field.name for branch in branches for field in branch.rows.fields})
            raise unknown_column(column.name, known, column.span)
    return list(columns)


def _projected(node: Find, columns: Sequence[FindColumn], branches: Sequence[Branch], scope: Scope) -> Rows:
    fresh, smart = scope.translation.fresh, node.columns is None
    shown = {column.name for column in columns if not column.pack}
    label = Field(node.with_source or "source_", "string", fresh(), False)
    made: list[Field] = [label]
    for column in columns:
        kind = "dynamic" if column.pack else column.type or _types(column.name, branches)[0]
        suffix = f"_{column.type}" if column.type and smart else ""
        made.append(Field("pack_" if column.pack else column.name + suffix, kind, fresh()))
    arms = []
    for branch in branches:
        cells = [f"{quote_text(branch.label)} AS {label.sql}"]
        for column, field in zip(columns, made[1:], strict=True):
            cells.append(f"{_cell(column, field, branch, shown, smart).text} AS {field.sql}")
        arms.append(f"SELECT {', '.join(cells)} FROM ({branch.rows.sql})")
    rows = Rows(" UNION ALL ".join(arms), tuple(made))
    gone = {field.name for item in node.away for field in matching(item, rows)} - {label.name}
    return rows.keep(field for field in rows.fields if field.name not in gone)


def _cell(column: FindColumn, field: Field, branch: Branch, shown: set[str], smart: bool) -> Sql:
    if column.pack:
        rest = [each for each in branch.rows.fields if each.name not in shown]
        pairs = ", ".join(f"{quote_text(each.name)}, {conversions.to_dynamic(each.value).text}" for each in rest)
        return Sql(f"json_object({pairs})", "dynamic", False)
    own = branch.rows.find(column.name)
    if own is None or (smart and own.type != field.type):
        return null(field.type)
    return own.value if own.type == field.type else conversions.convert(own.value, field.type)
