"""Rows with a place each, for the functions that look at their neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from kql.syntax.tree import Call, Node, Subquery
from kql.translate.beside import Window
from kql.translate.context import Scope
from kql.translate.functions import registry
from kql.translate.rows import OrderTerm, Rows


def calls(node: object) -> Iterator[Call]:
    """The calls in an expression, those in tables inside it left out."""
    if isinstance(node, Subquery):
        return
    if isinstance(node, Call):
        yield node
    if isinstance(node, tuple | list):
        for item in node:
            yield from calls(item)
    elif isinstance(node, Node) and is_dataclass(node):
        for field in fields(node):
            yield from calls(getattr(node, field.name))


def looks_beside(nodes: Iterable[Any]) -> bool:
    """Whether one of the expressions has a function that looks at neighbouring rows."""
    return any(registry.find("window", call.name) is not None for node in nodes for call in calls(node))


def numbered(rows: Rows, scope: Scope) -> Rows:
    """The rows with their number in a hidden column, which is their order from here on."""
    name = scope.translation.fresh("n")
    sql = f"SELECT *, row_number() OVER ({rows.order_by.strip()}) AS {name} FROM ({rows.sql})"
    return replace(rows, sql=sql, order=(OrderTerm(name),))


def prepared(rows: Rows, scope: Scope, nodes: Iterable[Any]) -> tuple[Rows, Window | None]:
    """The rows and the window for the expressions; None where they need none or the rows have no place each.

    Whoever compiles the expressions computes them over ``completed(rows, window)``.
    """
    if not looks_beside(nodes) or not rows.serialized:
        return rows, None
    rows = numbered(rows, scope)
    return rows, Window(rows.order[0].sql, scope.translation.fresh)


def completed(rows: Rows, over: Window | None) -> Rows:
    """The rows with the columns beside them that compiled expressions need."""
    return over.applied(rows) if over is not None else rows
