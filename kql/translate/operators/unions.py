"""``union``.

Columns are matched by name and type: of one name with several types each type gets a column ``name_type``. What a
branch lacks is null, for a string empty. https://learn.microsoft.com/en-us/kusto/query/union-operator
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from kql.errors import KqlSchemaError
from kql.sql import SQL_TYPES, quote_text
from kql.syntax.cursor import place
from kql.syntax.tree import Name, Pattern, Pipeline, Union
from kql.translate.context import Scope
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows, UnknownTable, unknown_table
from kql.translate.values import null

_MISSING = {kind: null(kind).text for kind in SQL_TYPES}
"""What stands for a column that a branch lacks."""


@dataclass(frozen=True)
class Branch:
    """A table of a union, and what ``withsource`` calls it."""

    rows: Rows
    label: str


@operator(Union, "union")
def union(node: Union, rows: Rows, scope: Scope) -> Rows:
    """The rows of several tables."""
    branches: list[Branch] = []
    if rows.fields:
        branches.append(Branch(rows, "union_arg0"))
    for each in node.branches:
        try:
            branches += _branches(each, len(branches), scope)
        except UnknownTable:
            if not node.fuzzy:
                raise
    if not branches:
        raise KqlSchemaError("None of the tables of this union is here.", **place(node.span), hint="Check their names.")
    return united(branches, scope, node)


def _branches(pipeline: Pipeline, index: int, scope: Scope) -> list[Branch]:
    source = pipeline.source
    if isinstance(source, Pattern) and not pipeline.operators:
        return [
            Branch(scope.translation.pipelines(Pipeline(Name(name)), scope), name) for name in fitting(source, scope)
        ]
    label = f"union_arg{index}"
    if isinstance(source, Name) and not pipeline.operators and scope.find(source.text) is None:
        label = source.text
    return [Branch(scope.translation.pipelines(pipeline, scope), label)]


def fitting(pattern: Pattern, scope: Scope) -> list[str]:
    """The tables that a pattern stands for. One whose rows stand in another table too is left out, unless nothing
    else fits. Raises KqlSchemaError where none does."""
    tables = scope.translation.tables
    found = [name for name in sorted(tables) if fnmatchcase(name, pattern.text.replace("[", "[[]"))]
    listed = [name for name in found if tables[name].listed]
    if not found:
        raise unknown_table(pattern.text, sorted(tables), pattern.span)
    return listed or found


def united(branches: Sequence[Branch], scope: Scope, node: Union) -> Rows:
    """The branches' rows under one set of columns."""
    columns = _columns(branches, node)
    fields = [Field(name, kind, scope.translation.fresh()) for name, (_, kind) in columns.items()]  # type: ignore[arg-type]
    label = None
    if node.with_source:
        if any(field.name == node.with_source for field in fields):
            raise KqlSchemaError(
                f"A table of this union has a column {node.with_source} already.",
                **place(node.span),
                hint="Write another withsource= name.",
            )
        label = Field(node.with_source, "string", scope.translation.fresh(), False)
    arms = [_arm(branch, columns, fields, label) for branch in branches]
    whole = (label, *fields) if label else tuple(fields)
    return Rows(" UNION ALL ".join(arms), whole)


def _columns(branches: Sequence[Branch], node: Union) -> dict[str, tuple[str, str]]:
    """The union's columns: name, and the name and type that it has in the branches."""
    types: dict[str, list[str]] = defaultdict(list)
    for branch in branches:
        for field in branch.rows.fields:
            if field.type not in types[field.name]:
                types[field.name].append(field.type)
    found: dict[str, tuple[str, str]] = {}
    for name, kinds in types.items():
        for kind in kinds:
            everywhere = all((each := b.rows.find(name)) is not None and each.type == kind for b in branches)
            if node.kind == "outer" or everywhere:
                found[name if len(kinds) == 1 else f"{name}_{kind}"] = (name, kind)
    return found


def _arm(branch: Branch, columns: dict[str, tuple[str, str]], fields: Sequence[Field], label: Field | None) -> str:
    cells = [f"{quote_text(branch.label)} AS {label.sql}"] if label else []
    present: dict[tuple[str, str], str] = {
        (field.name, field.type): field.sql for field in reversed(branch.rows.fields)
    }
    for field, (name, kind) in zip(fields, columns.values(), strict=True):
        text = present.get((name, kind)) or _MISSING[field.type]
        cells.append(f"{text} AS {field.sql}")
    return f"SELECT {', '.join(cells) or '1'} FROM ({branch.rows.sql})"
