"""Which tables a query names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from kql.syntax.tree import (
    Argument,
    Call,
    Constant,
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
    found = {*_tables(query, frozenset()), *_spelled(query)}
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


def _spelled(query: Query) -> Iterator[str]:
    """The tables of ``table("Name")``, the name also bound by ``let`` or given to a function of the query's own."""
    nodes = list(nodes_in(query))
    lets = [node for node in nodes if isinstance(node, Let)]
    texts = {let.name: let.value for let in lets}
    functions = {let.name: let.value for let in lets if isinstance(let.value, Function)}
    asked = {name: _asked(function) for name, function in functions.items()}
    for call in nodes:
        if not isinstance(call, Call):
            continue
        given: list[Node] = [each.value for each in call.arguments[:1]] if call.name == "table" else []
        if call.name in functions:
            given += _given(call, functions[call.name], asked[call.name])
        for value in given:
            meant = texts.get(value.text) if isinstance(value, Name) else value
            if isinstance(meant, Constant) and isinstance(meant.value, str):
                yield meant.value


def _asked(function: Function) -> set[str]:
    """The parameters of a function that name tables in it."""
    calls = [node for node in nodes_in(function.body) if isinstance(node, Call) and node.name == "table"]
    return {each.value.text for call in calls for each in call.arguments[:1] if isinstance(each.value, Name)}


def _given(call: Call, function: Function, asked: set[str]) -> Iterator[Node]:
    """What a call gives to the parameters of ``asked``."""
    plain = iter([each.value for each in call.arguments if each.name is None])
    named = {each.name: each.value for each in call.arguments if each.name is not None}
    for parameter in function.parameters:
        value = named.get(parameter.name) or next(plain, None) or parameter.default
        if parameter.name in asked and value is not None:
            yield value


def nodes_in(node: object) -> Iterator[Node]:
    """A node and all beneath it."""
    if isinstance(node, tuple | list):
        for item in node:
            yield from nodes_in(item)
    elif isinstance(node, Node):
        yield node
        for field in fields(node):
            yield from nodes_in(getattr(node, field.name))
