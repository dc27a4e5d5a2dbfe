"""Operators that ``duckdb-kql`` lacks, as nodes beside its own: how they are read, what columns they give, their SQL.

Read means: out of the grammar's tree, whose nodes carry no types (the library generates it with ANTLR).
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from duckdb_kql import ir, lower

from kql.dialect.statement import Located, current
from kql.errors import KqlSchemaError, KqlUnsupported, Place
from kql.sql import quote_name

_LISTED = 12

Node = Any
"""A node of the grammar's tree."""


@dataclass(frozen=True)
class ColumnPattern:
    """One item of ``project-reorder``, ``project-keep`` or ``project-away``: a name or a pattern with ``*``."""

    pattern: str
    order: str = ""

    def matching(self, columns: Sequence[str]) -> list[str]:
        """The columns it stands for, ordered as it asks; a plain name that is no column is a schema error."""
        if "*" not in self.pattern:
            if self.pattern not in columns:
                raise unknown_column(self.pattern, columns)
            return [self.pattern]
        found = [c for c in columns if fnmatch.fnmatchcase(c, re.sub(r"([\[?])", r"[\1]", self.pattern))]
        if not self.order:
            return found
        key: Callable[[str], Any] = _natural if self.order.startswith("granny") else str
        return sorted(found, key=key, reverse=self.order.endswith("desc"))


@dataclass(frozen=True)
class Arrange:
    """``project-reorder``, ``project-keep`` and ``project-away``: some of the input's columns, in some order."""

    kind: Literal["reorder", "keep", "away"]
    items: tuple[ColumnPattern, ...]

    def columns(self, columns: Sequence[str]) -> list[str]:
        """The columns that remain, in their order."""
        named = list(dict.fromkeys(c for item in self.items for c in item.matching(columns)))
        if self.kind == "reorder":
            return named + [c for c in columns if c not in named]
        return [c for c in columns if (c in named) == (self.kind == "keep")]

    def render(self, source: str, columns: Sequence[str]) -> str:
        """The operator as a SELECT over ``source``."""
        kept = self.columns(columns)
        if not kept:
            raise KqlUnsupported("No column is left.", hint="Keep at least one column.")
        return f"SELECT {', '.join(map(quote_name, kept))} FROM {source}"


@dataclass(frozen=True)
class Serialize:
    """``serialize``: from here on the order of the rows counts."""

    def columns(self, columns: Sequence[str]) -> list[str]:
        """The input's."""
        return list(columns)

    def render(self, source: str, columns: Sequence[str]) -> str:
        """The rows as they come."""
        return f"SELECT * FROM {source}"


@dataclass(frozen=True)
class DistinctRows:
    """``distinct *``."""

    def columns(self, columns: Sequence[str]) -> list[str]:
        """The input's."""
        return list(columns)

    def render(self, source: str, columns: Sequence[str]) -> str:
        """Each row once."""
        return f"SELECT DISTINCT * FROM {source}"


OPERATORS = (Arrange, Serialize, DistinctRows)


def unknown_column(name: str, columns: Sequence[str]) -> KqlSchemaError:
    """The error for a column that the input does not have, with the nearest one."""
    return _unknown("column", name, columns)


def unknown_table(name: str, tables: Sequence[str]) -> KqlSchemaError:
    """The error for a table that is not there, with the nearest one."""
    return _unknown("table", name, tables)


def _unknown(what: str, name: str, known: Sequence[str]) -> KqlSchemaError:
    folded = [k for k in known if k.casefold() == name.casefold()]
    near = folded or difflib.get_close_matches(name, known, 1, 0.6)
    hint = f"Did you mean {near[0]}?" if near else _listed(what, known)
    if folded:
        hint = f"Names are case-sensitive: write {folded[0]}."
    return KqlSchemaError(f"There is no {what} {name} here.", **place(name), hint=hint)


def _listed(what: str, known: Sequence[str]) -> str:
    more = ", …" if len(known) > _LISTED else ""
    there = f"There is: {', '.join(list(known)[:_LISTED]) or 'none'}{more}."
    return f"{there} Is it a parameter? Then give it a value with let, before the query." if what == "column" else there


def place(name: str, *, call: bool = False) -> Place:
    """Where a name stands in the text, as keyword arguments of an error; empty where that is unknown."""
    if isinstance(name, Located):
        return {"line": name.line, "column": name.column, "length": len(name)}
    word = current().find(name, before="(" if call else "")
    return {} if word is None else {"line": word.line, "column": word.column, "length": len(word.text)}


def node_place(node: Node) -> Place:
    """Where a node begins, as keyword arguments of an error."""
    return {"line": node.start.line, "column": node.start.column + 1, "length": len(node.start.text)}


def read_operator(node: Node, original: Callable[[Node], Any]) -> Any:
    """A piped operator as a node or a list of nodes; ``original`` reads what the library knows."""
    inner = node
    while lower._cls(inner) in ("PipedOperator", "AfterPipeOperator"):
        inner = lower._rule_children(inner)[0]
    inner = lower._collapse(inner)
    reader = _READERS.get(lower._cls(inner))
    found = reader(inner) if reader else None
    return original(node) if found is None else found


def _read_reorder(node: Node) -> Arrange:
    items = []
    for child in node.Expressions:
        order = child.Order.text if child.Order is not None else ""
        items.append(ColumnPattern(_pattern(child.Expression), order))
    return Arrange("reorder", tuple(items))


def _read_keep(node: Node) -> Arrange:
    return Arrange("keep", tuple(ColumnPattern(_pattern(c)) for c in lower._rule_children(node)))


def _read_away(node: Node) -> Arrange:
    return Arrange("away", tuple(ColumnPattern(_pattern(c)) for c in lower._rule_children(node)))


def _pattern(node: Node) -> str:
    names = lower._find_names(node)
    text = node.getText()
    if len(names) == 1 and "*" not in text:
        return str(names[0]) if not isinstance(names[0], Located) else names[0]
    return Located.at(text, node.start.line, node.start.column + 1)


def _read_serialize(node: Node) -> list[Any]:
    named = tuple(lower._lower_named(k) for k in lower._rule_children(node) if lower._cls(k) == "NamedExpression")
    return [Serialize(), ir.Extend(named)] if named else [Serialize()]


def _read_getschema(node: Node) -> Serialize | None:
    return Serialize() if node.start.start in current().bare_serialize else None


def _read_distinct(node: Node) -> DistinctRows | None:
    kids = lower._rule_children(node)
    return DistinctRows() if any(lower._cls(k) == "DistinctOperatorStarTarget" for k in kids) else None


def _read_take(node: Node) -> Any:
    count = _constant(lower._rule_children(node)[-1])
    return None if count is None else ir.Take(count)


def _read_top(node: Node) -> Any:
    kids = lower._rule_children(node)
    count = _constant(kids[0])
    return None if count is None or len(kids) != 2 else ir.Top(count, (lower._lower_sort_key(kids[1]),))


def _constant(node: Node) -> int | None:
    """The integer a ``let`` gave to the name that stands here; None for anything else."""
    expression = lower._lower_expr(node)
    scope = lower._FN_STATE.get()
    value = scope.scalars.get(expression.name) if isinstance(expression, ir.ColumnRef) and scope else None
    return value.value if isinstance(value, ir.Literal) and isinstance(value.value, int) else None


def _read_render(node: Node) -> list[Any]:
    words = node.getText()[len("render") :]
    kind = re.match(r"[a-z]+?chart|[a-z]+", words)
    current().render = {"visualization": kind.group() if kind else words} | _render_options(node)
    return []


def _render_options(node: Node) -> dict[str, str]:
    found = lower._find_all(node, "RenderOperatorProperty")
    pairs = (text.split("=", 1) for text in (f.getText() for f in found) if "=" in text)
    return {name: lower._string_value(value) if value[:1] in "'\"@" else value for name, value in pairs}


_READERS: dict[str, Callable[[Node], Any]] = {
    "ProjectReorderOperator": _read_reorder,
    "ProjectKeepOperator": _read_keep,
    "ProjectAwayOperator": _read_away,
    "SerializeOperator": _read_serialize,
    "GetSchemaOperator": _read_getschema,
    "DistinctOperator": _read_distinct,
    "TakeOperator": _read_take,
    "TopOperator": _read_top,
    "RenderOperator": _read_render,
}


def read_sort_key(node: Node) -> Any:
    """``expr [asc|desc] [nulls first|last]``, by the words after the expression.

    The library looks for "desc" in the whole text, so that ``sort by Description asc`` came out descending.
    """
    node = lower._collapse(node)
    if lower._cls(node) != "OrderedExpression":
        return ir.SortKey(lower._lower_expr(node))
    words = node.Ordering.getText().lower()
    nulls = True if words.endswith("nullsfirst") else False if words.endswith("nullslast") else None
    return ir.SortKey(lower._lower_expr(node.Expression), ascending=words.startswith("asc"), nulls_first=nulls)


def read_join_key(node: Node, original: Callable[[Node], Any]) -> Any:
    """One ``on`` entry; the two sides of ``==`` may be named in either order."""
    key = original(node)
    sides = [side.strip() for side in node.getText().split("==")]
    if len(sides) == 2 and sides[0].lower().startswith("$right.") and sides[1].lower().startswith("$left."):
        return dataclasses.replace(key, left=sides[1][len("$left.") :], right=sides[0][len("$right.") :])
    return key


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
