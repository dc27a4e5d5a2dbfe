"""Operators that choose, name, order or compute columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import (
    Extend,
    Name,
    Named,
    Pattern,
    Project,
    ProjectPatterns,
    ProjectRename,
    ProjectReorder,
)
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.naming import Namer, expression_name, spelled
from kql.translate.operators.registry import operator
from kql.translate.operators.several import unpacked
from kql.translate.operators.windows import completed, looks_beside, prepared
from kql.translate.rows import Field, Rows
from kql.translate.values import Sql


@operator(Extend, "extend")
def extend(node: Extend, rows: Rows, scope: Scope) -> Rows:
    """Columns computed beside the others, or in the place of one of the same name."""
    return extended(node.items, rows, scope, "extend")


def extended(items: Sequence[Named], rows: Rows, scope: Scope, operator_name: str) -> Rows:
    """The rows with some columns computed; all of them see the rows as they were."""
    spelled([item for item in items if item.names], operator_name)
    rows, parts = unpacked(items, rows, scope, rest=False)
    rows, over = prepared(rows, scope, [item.value for item in items])
    compiler = Compiler(scope, rows, over=over)
    namer = Namer(skip=[field.name for field in rows.fields])
    fields = list(rows.fields)
    cells: list[str] = []
    named: set[str] = set()
    for index, item in enumerate(items):
        for name, value in parts.get(index) or [_single(item, compiler, namer)]:
            if name in named:
                raise KqlSchemaError(
                    f"{operator_name} names two columns {name}.", **place(item.span), hint="Give one another name."
                )
            named.add(name)
            field = Field(name, value.type, scope.translation.fresh(), value.nullable)
            cells.append(f"{value.text} AS {field.sql}")
            put(fields, field)
    rows = completed(rows, over)
    return replace(rows, sql=f"SELECT *, {', '.join(cells)} FROM ({rows.sql})", fields=tuple(fields))


def _single(item: Named, compiler: Compiler, namer: Namer) -> tuple[str, Sql]:
    value = compiler.value(item.value)
    return item.names[0] if item.names else expression_name(item.value) or namer.positional(), value


def put(fields: list[Field], field: Field) -> None:
    """A column in the place of the one of the same name, else at the end."""
    for index, each in enumerate(fields):
        if each.name == field.name:
            fields[index] = field
            return
    fields.append(field)


@operator(Project, "project")
def project(node: Project, rows: Rows, scope: Scope) -> Rows:
    """The columns named, and no others."""
    if looks_beside([item.value for item in node.items]):
        _need_names(node.items)
    rows, parts = unpacked(node.items, rows, scope, rest=True)
    rows, over = prepared(rows, scope, [item.value for item in node.items])
    compiler = Compiler(scope, rows, over=over)
    namer = Namer(spelled(node.items, "project"))
    fields: list[Field] = []
    cells = [term.sql for term in rows.order]
    for index, item in enumerate(node.items):
        own = item.names[0] if item.names else expression_name(item.value)
        columns: Sequence[tuple[str | None, Sql]] = parts.get(index) or [(own, compiler.value(item.value))]
        for name, value in columns:
            field = Field(namer.take(name), value.type, scope.translation.fresh(), value.nullable)
            cells.append(f"{value.text} AS {field.sql}")
            fields.append(field)
    rows = completed(rows, over)
    return replace(rows, sql=f"SELECT {', '.join(dict.fromkeys(cells))} FROM ({rows.sql})", fields=tuple(fields))


def _need_names(items: Sequence[Named]) -> None:
    for item in items:
        if not item.names and expression_name(item.value) is None and looks_beside([item.value]):
            raise KqlSchemaError(
                "A column made of neighbouring rows needs a name.",
                **place(item.span),
                hint="Name it, as in Before = prev(Column).",
            )


def matching(item: Name | Pattern, rows: Rows, order: str = "") -> list[Field]:
    """The columns that a name or pattern stands for; a plain name that is no column is an error."""
    if isinstance(item, Name):
        return [rows.field(item.text, item.span)]
    pattern = re.sub(r"([\[?])", r"[\1]", item.text)
    found = [field for field in rows.fields if fnmatchcase(field.name, pattern)]
    if not order:
        return found
    key: Callable[[Field], Any] = _natural if order.startswith("granny") else lambda field: field.name
    return sorted(found, key=key, reverse=order.endswith("desc"))


def _natural(field: Field) -> list[tuple[int, int, str]]:
    """A key by which a2 comes before a10."""
    parts = re.split(r"(\d+)", field.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part]


@operator(ProjectPatterns, "project-away project-keep")
def project_patterns(node: ProjectPatterns, rows: Rows, scope: Scope) -> Rows:
    """All columns but some; some columns in the order they are in."""
    named = {field.name for item in node.items for field in matching(item, rows)}
    kept = [field for field in rows.fields if (field.name in named) == (node.kind == "keep")]
    if not kept:
        raise KqlSchemaError("No column is left.", **place(node.span), hint="Keep at least one column.")
    return rows.keep(kept)


@operator(ProjectReorder, "project-reorder")
def project_reorder(node: ProjectReorder, rows: Rows, scope: Scope) -> Rows:
    """Some columns first, in the order asked for."""
    first = {field.name: field for item in node.items for field in matching(item.column, rows, item.order)}
    return rows.keep([*first.values(), *(field for field in rows.fields if field.name not in first)])


@operator(ProjectRename, "project-rename")
def project_rename(node: ProjectRename, rows: Rows, scope: Scope) -> Rows:
    """Columns under other names."""
    new = {rows.field(old.text, old.span).name: name for name, old in node.items}
    fields = [replace(field, name=new.get(field.name, field.name)) for field in rows.fields]
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise KqlSchemaError(
                f"There is a column {name} already.", **place(node.span), hint="Rename to a name that is free."
            )
    return rows.keep(fields)
