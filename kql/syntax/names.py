"""Which tables a query names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from kql.syntax.tree import (
    Argument,
    Call,
    Find,
    Function,
    Let,
    Name,
    Node,
    Pattern,
    Pipeline,
    Query,
    Search,
)

_TABLE_CALLS = frozenset({"ipv4_lookup", "ipv6_lookup", "materialize", "toscalar"})


def tables_in(query: Query) -> tuple[set[str], set[str]]:
    """The names that stand for tables and that the query did not bind itself, and the patterns that do."""
    found = set(_tables(query, frozenset()))
    return {name for name in found if "*" not in name}, {name for name in found if "*" in name}


def _tables(node: object, bound: frozenset[str]) -> Iterator[str]:
    match node:
        case Query():
            yield from _in_query(node, bound)
        case Function():
            yield from _tables(node.body, bound | {parameter.name for parameter in node.parameters})
        case Pipeline():
            if isinstance(node.source, Name | Pattern):
                yield from _free(node.source, bound)
            elif isinstance(node.source, Search | Find) and not node.source.tables:
                yield "*"
            else:
                yield from _tables(node.source, bound)
            yield from _tables(node.operators, bound)
        case Search():
            for table in node.tables:
                yield from _free(table, bound)
        case Find():
            yield from _tables(node.tables, bound)
        case Call(name=name, arguments=(Argument(value=Name() as table), *_)) if name in _TABLE_CALLS:
            yield from _free(table, bound)

        case tuple() | list():
            for item in node:
                yield from _tables(item, bound)
        case Node() if is_dataclass(node):
            for field in fields(node):
                yield from _tables(getattr(node, field.name), bound)


def _in_query(node: Query, bound: frozenset[str]) -> Iterator[str]:
    for let in node.lets:
        yield from _in_let(let, bound)
        bound = bound | {let.name}
    if isinstance(node.body, Name):
        yield from _free(node.body, bound)
    else:
        yield from _tables(node.body, bound)


def _in_let(let: Let, bound: frozenset[str]) -> Iterator[str]:
    yield from _tables(let.value, bound)


def _free(node: Name | Pattern, bound: frozenset[str]) -> Iterator[str]:
    if node.text not in bound:
        yield node.text
