"""``mv-apply`` and ``partition``: a pipeline of its own for every row's array, or for every value of a key.

Both become a lateral join: the inner pipeline is translated as any other, over a source that speaks of the outer row.
What the inner pipeline would share with others is then written where it stands (``Translation.correlated``).
https://learn.microsoft.com/en-us/kusto/query/mv-apply-operator and partition-operator
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import (
    Call,
    Count,
    Extend,
    MvApply,
    Name,
    Operator,
    Partition,
    Pattern,
    Project,
    ProjectPatterns,
    ProjectRename,
    ProjectReorder,
    Sample,
    Scan,
    Serialize,
    Sort,
    Summarize,
    Take,
    Top,
    Where,
)
from kql.translate import pipeline
from kql.translate.context import Scalar, Scope
from kql.translate.operators.expanding import Expanded, lists, nodes, unique
from kql.translate.operators.plain import count_of
from kql.translate.operators.registry import operator
from kql.translate.operators.scanning import scanned
from kql.translate.operators.windows import looks_beside, numbered
from kql.translate.rows import Field, OrderTerm, Rows
from kql.translate.values import Sql, null

_ROW_BY_ROW = (Where, Extend, ProjectPatterns, ProjectReorder, ProjectRename)
"""Steps that need no subquery: each row is decided by itself, and no column is lost on the way."""

_BY_NAME = (*_ROW_BY_ROW, Project, Sort, Top, Take, Count, Summarize, Serialize)
"""Steps that read only those columns of the input that they name."""


@operator(
    MvApply,
    "mv-apply",
    note="A row whose array is empty gives none, whatever the subquery does.",
)
def mv_apply(node: MvApply, rows: Rows, scope: Scope) -> Rows:
    """The results of a subquery over the elements of each row's arrays, beside that row's columns."""
    ordered = replace(numbered(rows, scope), serialized=rows.serialized)
    expanded = lists(node.items, ordered, scope, "bag", node.limit)
    applied = {item.value.text for item in node.items if isinstance(item.value, Name) and item.name is None}
    if all(isinstance(step, _ROW_BY_ROW) for step in node.steps) and not looks_beside(node.steps):
        return _row_by_row(node, ordered, expanded, applied, scope)
    return _lateral(node, ordered, expanded, applied, scope)


def _row_by_row(node: MvApply, rows: Rows, expanded: Expanded, applied: set[str], scope: Scope) -> Rows:
    position = scope.translation.fresh("i")
    columns = [*expanded.unnested, f"unnest(range({expanded.length})) AS {position}"]
    inner = f"SELECT * EXCLUDE ({', '.join(expanded.lists)}), {', '.join(columns)} FROM ({expanded.sql})"
    found, cells = expanded.typed(scope)
    sql = f"SELECT *, {', '.join(cells)} FROM ({inner})"
    order = (*rows.order, OrderTerm(position))
    within = replace(rows, sql=sql, fields=_within(node, rows.fields, found, position), order=order)
    for step in node.steps:
        within = pipeline.apply(step, within, scope)
    return replace(within, fields=_joined(rows.fields, applied, within.fields), serialized=rows.serialized)


def _within(node: MvApply, source: Sequence[Field], found: Sequence[Field], position: str) -> tuple[Field, ...]:
    """What the subquery sees: the row's columns, the elements in the place of those of their names, the index."""
    names = {field.name for field in found}
    kept = [next((f for f in found if f.name == field.name), field) for field in source]
    kept += [field for field in found if field.name not in {each.name for each in source} & names]
    if node.index:
        kept.append(Field(unique(node.index, kept), "long", position, False))
    return tuple(kept)


def _joined(source: Sequence[Field], applied: set[str], results: Sequence[Field]) -> tuple[Field, ...]:
    """The row's columns but those that were expanded, then the subquery's, which go before those of their name."""
    by_name = {field.name: field for field in results}
    kept = [by_name.pop(field.name, field) for field in source if field.name not in applied]
    return (*kept, *by_name.values())


def _lateral(node: MvApply, rows: Rows, expanded: Expanded, applied: set[str], scope: Scope) -> Rows:
    outer, inner = scope.translation.fresh("o"), scope.translation.fresh("s")
    position = scope.translation.fresh("i")
    needed = _needed(node.steps)
    columns = ", ".join(
        [
            *(
                f"unnest({outer}.{name}) AS {element}"
                for name, element in zip(expanded.lists, expanded.elements, strict=True)
            ),
            f"unnest(range({_qualified(expanded, outer)})) AS {position}",
        ]
    )
    found, cells = expanded.typed(scope)
    seen = [replace(field, sql=scope.translation.fresh()) for field in rows.fields]
    for field, copy in zip(rows.fields, seen, strict=True):
        read = needed is None or field.name in needed
        cells.append(f"{f'{outer}.{field.sql}' if read else null(field.type).text} AS {copy.sql}")
    sql = f"SELECT {', '.join([*cells, position])} FROM (SELECT {columns})"
    within = Rows(sql, _within(node, seen, found, position), (OrderTerm(position),), serialized=True)
    with _correlated(outer, scope):
        within = _applied(node.steps, within, scope)
    unread = {
        copy.sql: field
        for field, copy in zip(rows.fields, seen, strict=True)
        if needed is not None and field.name not in needed
    }
    results = tuple(replace(unread[f.sql], name=f.name) if f.sql in unread else f for f in within.fields)
    wanted = dict.fromkeys([f"{inner}.{f.sql}" for f in results if f.sql not in {u.sql for u in unread.values()}])
    wanted |= dict.fromkeys(f"{inner}.{term.sql}" for term in within.order)
    wanted |= dict.fromkeys(f"{outer}.{f.sql}" for f in rows.fields)
    wanted |= dict.fromkeys(f"{outer}.{term.sql}" for term in rows.order)
    filled = f"SELECT * FROM ({expanded.sql}) WHERE {expanded.length} > 0"
    joined = f"SELECT {', '.join(wanted)} FROM ({filled}) AS {outer}, LATERAL ({within.sql}) AS {inner}"
    return Rows(joined, _joined(rows.fields, applied, results), (*rows.order, *within.order), rows.serialized)


def _qualified(expanded: Expanded, outer: str) -> str:
    lengths = [f"len({outer}.{name})" for name in expanded.lists]
    return lengths[0] if len(lengths) == 1 else f"greatest({', '.join(lengths)})"


@contextmanager
def _correlated(outer: str, scope: Scope) -> Iterator[None]:
    translation, named = scope.translation, dict(scope.translation.named)
    translation.correlated.append(f"{outer}.")
    try:
        yield
    finally:
        translation.correlated.pop()
        # A name given within speaks of the outer row, which nobody outside can see.
        translation.named = named


def _applied(steps: Sequence[Operator], rows: Rows, scope: Scope) -> Rows:
    for step in steps:
        if isinstance(step, Sample) and step.of is None:
            # DuckDB has no sample within a lateral join.
            number = count_of(step.count, scope, "sample")
            rows = replace(rows, sql=f"SELECT * FROM ({rows.sql}) ORDER BY random() LIMIT {number}").unordered()
        else:
            rows = pipeline.apply(step, rows, scope)
    return rows


def _needed(steps: Sequence[Operator]) -> set[str] | None:
    """The names that the steps speak of; None where they may read any column."""
    if not all(isinstance(step, _BY_NAME) for step in steps):
        return None
    names: set[str] = set()
    for node in nodes(steps):
        if isinstance(node, Pattern) or (isinstance(node, Call) and node.name in ("pack_all", "column_ifexists")):
            return None
        if isinstance(node, Name):
            names.add(node.text)
    return names


@operator(Partition, "partition", note="Any number of values of the key, also without hint.strategy.")
def partition(node: Partition, rows: Rows, scope: Scope) -> Rows:
    """The results of a subquery over the rows of each value of a column."""
    field = rows.field(node.key.text, node.key.span)
    if field.type == "dynamic":
        raise KqlSchemaError(
            f"{field.name} is dynamic, and partition goes by plain values.",
            **place(node.key.span),
            hint="Convert it first, with extend and tostring().",
        )
    if node.whole is None and any(isinstance(step, Scan) for step in node.steps):
        return _scanned(node, field, rows, scope)
    source = scope.translation.share(rows.sql)
    outer, inner, key = (scope.translation.fresh(stem) for stem in ("o", "s", "k"))
    with _correlated(outer, scope):
        if node.whole is not None:
            value = Sql(f"{outer}.{key}", field.type, field.nullable)
            within = pipeline.run(node.whole, scope.bind(field.name, Scalar(value)))
        else:
            part = f"SELECT * FROM ({source}) WHERE {field.sql} IS NOT DISTINCT FROM {outer}.{key}"
            within = _applied(node.steps, replace(rows, sql=part), scope)
    keys = f"SELECT DISTINCT {field.sql} AS {key} FROM ({source})"
    wanted = ", ".join(f"{inner}.{each.sql}" for each in within.fields) or "1"
    return Rows(f"SELECT {wanted} FROM ({keys}) AS {outer}, LATERAL ({within.sql}) AS {inner}", within.fields)


def _scanned(node: Partition, field: Field, rows: Rows, scope: Scope) -> Rows:
    """``partition by Key (sort by ... | scan ... | ...)``: all parts are scanned at once, each with its own state."""
    at = next(index for index, step in enumerate(node.steps) if isinstance(step, Scan))
    before, step, after = node.steps[:at], node.steps[at], node.steps[at + 1 :]
    plain = all(isinstance(each, (*_ROW_BY_ROW, Sort, Serialize)) for each in before) and not looks_beside(before)
    if not plain or not isinstance(step, Scan):
        raise KqlUnsupported(
            "Before scan, a partition can only be filtered, extended and sorted.",
            **place(step.span),
            hint="Do the rest before partition.",
        )
    for each in before:
        rows = pipeline.apply(each, rows, scope)
    rows = scanned(step, rows, scope, [field.sql])
    if all(isinstance(each, (*_ROW_BY_ROW, Project)) for each in after) and not looks_beside(after):
        for each in after:
            rows = pipeline.apply(each, rows, scope)
        return replace(rows, serialized=False)
    return partition(replace(node, steps=after), rows, scope)
