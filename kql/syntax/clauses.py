"""What several operators have in common: parameters, properties, column declarations, sort keys, steps in brackets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kql.syntax.expressions import ExpressionReader
from kql.syntax.literals import string_value, type_name
from kql.syntax.tokens import Token
from kql.syntax.tree import (
    ColumnDeclaration,
    Constant,
    Expression,
    Hints,
    Name,
    Named,
    Operator,
    OrderKey,
    Pattern,
)
from kql.types import KqlType


class ClauseReader(ExpressionReader):
    """Reads clauses."""

    def operator(self) -> Operator:
        """The operator after a pipe."""
        raise NotImplementedError

    def steps(self) -> tuple[Operator, ...]:
        """Operators with pipes between, as in the brackets of ``mv-apply ... on (...)``."""
        found = [self.operator()]
        while self.accept("|"):
            found.append(self.operator())
        return tuple(found)

    def parameters(self, names: Collection[str] = ()) -> Hints:
        """``kind=inner hint.strategy=shuffle``: the parameters between an operator's name and what it works on."""
        found: list[tuple[str, Any]] = []
        while True:
            start = self.at
            name = self._parameter_name(names)
            if name is None or not self.accept("="):
                self.at = start
                return tuple(found)
            found.append((name, self._parameter_value()))

    def _parameter_name(self, names: Collection[str]) -> str | None:
        if self.next.kind != "name":
            return None
        word = self.next.text
        if word not in names and not (word.startswith("hint") or word == "__noWithSource"):
            return None
        name = self.take().text
        while self.accept("."):
            name += "." + self.expect_kind("name", "A name").text
        return name

    def _parameter_value(self) -> Any:
        token = self.take()
        if token.kind == "string":
            return string_value(token.text)
        if token.kind == "name":
            return {"true": True, "false": False}.get(token.text, token.text)
        if token.kind in ("number", "timespan", "typed"):
            return token.text
        self.fail(token=token)

    def properties(self) -> tuple[tuple[str, Any], ...]:
        """``with (title="x", kind=stacked)``; () where there is no ``with``."""
        if not self.accept("with"):
            return ()
        brackets = self.accept("(") is not None
        found: list[tuple[str, Any]] = []
        while self.next.kind == "name":
            name = self.take().text
            self.expect("=")
            found.append((name, self._property_value()))
            self.accept(",")
        if brackets:
            self.expect(")")
        return tuple(found)

    def _property_value(self) -> Any:
        if self.next.kind == "string":
            return string_value(self.take().text)
        if self.next.kind == "name":
            names = [self.take().text]
            while self.sees(",") and self.ahead().kind == "name" and self.ahead(2).text != "=":
                self.take()
                names.append(self.take().text)
            if len(names) > 1:
                return names
            return {"true": True, "false": False}.get(names[0], names[0])
        value = self.expression()
        return value.value if isinstance(value, Constant) else None

    def columns(self) -> tuple[ColumnDeclaration, ...]:
        """``(a: string, b: long)``."""
        return self.columns_after_star(allowed=False)[1]

    def columns_after_star(self, *, allowed: bool = True) -> tuple[bool, tuple[ColumnDeclaration, ...]]:
        """``(*, a: string)``: whether it began with ``*``, and the columns named."""
        self.expect("(")
        star = allowed and self.accept("*") is not None
        if star:
            self.accept(",")
        found: list[ColumnDeclaration] = []
        while not self.sees(")"):
            start = self.next
            name = self.name()
            self.expect(":")
            found.append(ColumnDeclaration(name, self.type(), span=self.since(start)))
            if not self.accept(","):
                break
        self.expect(")")
        return star, tuple(found)

    def type(self) -> KqlType:
        """The name of a type."""
        token = self.take()
        kind = type_name(token.text) if token.kind == "name" else None
        if kind is None:
            self.fail(
                f"{token.text[:40] or 'The end of the query'} is no type.",
                "Types are bool, int, long, real, decimal, string, datetime, timespan, guid and dynamic.",
                token,
            )
        return kind

    def order_keys(self) -> tuple[OrderKey, ...]:
        """``a desc nulls last, b asc``."""
        keys = [self._order_key()]
        while self.accept(","):
            keys.append(self._order_key())
        return tuple(keys)

    def _order_key(self) -> OrderKey:
        start = self.next
        value = self.named().value
        direction = self.accept("asc", "desc")
        descending = direction is None or direction.text == "desc"
        nulls_first: bool | None = None
        if self.accept("nulls"):
            nulls_first = self.one_of({"first", "last"}, "place for nulls").text == "first"
        return OrderKey(value, descending, nulls_first, span=self.since(start))

    def by(self) -> tuple[Named, ...]:
        """``by a, x = b``; () without ``by``."""
        return self.named_list() if self.accept("by") else ()

    def patterns(self) -> tuple[Name | Pattern, ...]:
        """Names and patterns, with commas between."""
        found = [self.name_or_pattern()]
        while self.accept(","):
            found.append(self.name_or_pattern())
        return tuple(found)

    def expressions(self) -> tuple[Expression, ...]:
        """Expressions, with commas between."""
        found = [self.expression()]
        while self.accept(","):
            found.append(self.expression())
        return tuple(found)

    def operator_word(self) -> Token:
        """The name of an operator, which may have hyphens: ``mv-expand``; its pieces are taken as one word."""
        first = self.expect_kind("name", "An operator")
        text = first.text
        while (
            self.sees("-")
            and self.ahead().kind == "name"
            and self.tokens[self.at - 1].end == self.next.span.offset
            and self.next.end == self.ahead().span.offset
        ):
            self.take()
            text += "-" + self.take().text
        return Token("name", text, self.since(first))
