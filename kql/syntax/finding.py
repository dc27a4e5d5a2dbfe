"""Operators that bring tables together: ``join``, ``lookup``, ``union``, ``search``, ``find``."""

from __future__ import annotations

from typing import Literal, cast

from kql.syntax.shaping import ShapingReader
from kql.syntax.tokens import Token
from kql.syntax.tree import (
    Call,
    Constant,
    Elsewhere,
    Expression,
    Find,
    FindColumn,
    Join,
    Member,
    Name,
    Operator,
    Pattern,
    Pipeline,
    Search,
    Source,
    Subquery,
    Union,
)
from kql.types import KqlType

_ENTITIES = frozenset({"cluster", "database", "workspace", "app", "adx", "resource", "arg"})


class FindingReader(ShapingReader):
    """Reads such operators; each method is called after its operator's name was taken."""

    def join(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/join-operator"""
        given = self.parameters(("kind", "withsource", "isfuzzy"))
        kind = next((str(value) for name, value in given if name == "kind"), None)
        right = self._branch()
        self.expect("on", f"Write it as {word.text} (Table) on Column.")
        on = self.expressions()
        hints = tuple(pair for pair in given if pair[0] != "kind")
        return Join(cast(Literal["join", "lookup"], word.text), kind, right, on, hints, span=word.span)

    lookup = join

    def union(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/union-operator"""
        given = dict(self.parameters(("kind", "withsource", "with_source", "isfuzzy")))
        branches = [self._branch()]
        while self.accept(","):
            branches.append(self._branch())
        kind = str(given.get("kind", "outer"))
        if kind not in ("inner", "outer"):
            self.fail(f"{kind} is no kind of union.", "It is inner or outer.", word)
        return Union(
            tuple(branches),
            cast(Literal["outer", "inner"], kind),
            given.get("withsource", given.get("with_source")),
            given.get("isfuzzy") is True,
            span=word.span,
        )

    def _branch(self) -> Pipeline:
        """A table, a pattern of tables, a call, or a pipeline in brackets."""
        start = self.next
        if self.sees("("):
            self.take()
            inner = self.pipeline()
            self.expect(")")
            return inner
        if start.kind == "name" and self.ahead().text not in ("(", "."):
            return Pipeline(self.name_or_pattern(), span=self.since(start))
        if self.sees("*"):
            return Pipeline(self.name_or_pattern(), span=self.since(start))
        return Pipeline(self.source(self._path()), span=self.since(start))

    def source(self, value: Expression) -> Source:
        """An expression as the source of a pipeline."""
        if isinstance(value, Subquery):
            return value
        elsewhere = self._elsewhere(value)
        if elsewhere is not None:
            return elsewhere
        if isinstance(value, Name | Pattern | Call):
            return value
        if isinstance(value, Constant) or value.span.line == 0:
            self.fail("A query begins with the name of a table.", "Begin with a table, a let or union.")
        self.fail("This is no table.", "A pipe follows a table, a let or a query in brackets.")

    def _elsewhere(self, value: Expression) -> Elsewhere | None:
        """``cluster("c").database("d").Table``, ``database("d").Table``, ``workspace("w").Table``."""
        parts: list[str] = []
        names: dict[str, str] = {}
        span = value.span
        while isinstance(value, Member):
            parts.append(value.key)
            value = value.base
        while isinstance(value, Call) and value.name in _ENTITIES:
            first = value.arguments[0].value if value.arguments else None
            names[value.name] = str(first.value) if isinstance(first, Constant) else ""
            if value.base is None:
                where = names.get("database") or names.get("workspace") or next(iter(names.values()))
                return Elsewhere(names.get("cluster"), where, ".".join(reversed(parts)), span=span)
            value = value.base
        return None

    def search(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/search-operator"""
        given = dict(self.parameters(("kind",)))
        tables = self._tables_in()
        before, self.colons = self.colons, True
        try:
            predicate = self.expression()
        finally:
            self.colons = before
        return Search(predicate, tables, given.get("kind") == "case_sensitive", span=word.span)

    def _tables_in(self) -> tuple[Name | Pattern, ...]:
        if not self.accept("in"):
            return ()
        self.expect("(")
        tables = self.patterns()
        self.expect(")")
        return tables

    def find(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/find-operator"""
        given = dict(self.parameters(("withsource", "with_source", "isfuzzy", "datascope")))
        tables: list[Pipeline] = []
        if self.accept("in"):
            self.expect("(")
            tables.append(self._branch())
            while self.accept(","):
                tables.append(self._branch())
            self.expect(")")
        self.accept("where")
        before, self.colons = self.colons, True
        try:
            predicate = self.expression()
        finally:
            self.colons = before
        columns: tuple[FindColumn, ...] | None = None
        away: tuple[Name | Pattern, ...] = ()
        if self.sees("project"):
            clause = self.operator_word().text
            if clause == "project":
                columns = self._find_columns()
            elif clause == "project-away":
                away = self.patterns()
        source = given.get("withsource", given.get("with_source"))
        return Find(predicate, tuple(tables), source, columns, away, given.get("isfuzzy") is True, span=word.span)

    def _find_columns(self) -> tuple[FindColumn, ...]:
        found: list[FindColumn] = []
        while True:
            start = self.next
            name = self.name()
            if name in ("pack", "pack_all") and self.accept("("):
                self.accept("*")
                self.expect(")")
                found.append(FindColumn("pack_", pack=True, span=self.since(start)))
            else:
                kind: KqlType | None = self.type() if self.accept(":") else None
                found.append(FindColumn(name, kind, span=self.since(start)))
            if not self.accept(","):
                return tuple(found)
