"""A JSON value as nodes for the tag `json_tree`: templates cannot ask for a type, and values may be hostile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

Container = dict[object, object] | list[object] | tuple[object, ...]
MAX_NODES = 2_000
MAX_DEPTH = 12
MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree. `kind` is the CSS class: string, number, boolean, null, object, array or note (a cut)."""

    key: str
    kind: str
    text: str
    children: tuple[Node, ...] = ()


@dataclass(slots=True)
class _Budget:
    left: int


def nodes(value: object, *, max_nodes: int = MAX_NODES, max_depth: int = MAX_DEPTH) -> list[Node]:
    """Return the top-level nodes of a parsed JSON value.

    At most about `max_nodes` nodes and `max_depth` levels come back; what is left out is said by a node of kind `note`.
    Values that JSON does not know are shown by their `str()`.
    """
    budget = _Budget(max_nodes)
    if isinstance(value, dict | list | tuple):
        return _children(value, max_depth, budget)
    return [_node("", value, max_depth, budget)]


def _pairs(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(index), inner) for index, inner in enumerate(value))


def _children(value: Container, depth: int, budget: _Budget) -> list[Node]:
    made: list[Node] = []
    for key, inner in _pairs(value):
        if budget.left <= 0:
            made.append(Node("", "note", f"{len(value) - len(made):,} more not shown"))
            break
        made.append(_node(_cut(key), inner, depth - 1, budget))
    return made


def _node(key: str, value: object, depth: int, budget: _Budget) -> Node:
    budget.left -= 1
    if isinstance(value, dict | list | tuple):
        kind, count = ("object", "{%d}") if isinstance(value, dict) else ("array", "[%d]")
        if not value:
            return Node(key, kind, count % 0)
        if depth <= 0:
            return Node(key, "note", f"{count % len(value)} nested too deep to show")
        return Node(key, kind, count % len(value), tuple(_children(value, depth, budget)))
    return Node(key, *_scalar(value))


def _scalar(value: object) -> tuple[str, str]:
    if value is None:
        return "null", "null"
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int | float):
        return "number", repr(value)
    return "string", _cut(str(value))


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return "".join(islice(text, MAX_TEXT)) + f"… ({len(text):,} characters)"
