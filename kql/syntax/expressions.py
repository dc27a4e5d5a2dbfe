"""Expressions: the binding of operators is that of Microsoft's grammar, loosest first: ``or``, ``and``, equality and
``in``, relations, sums, products, the string operators, a sign, calls and paths.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kql.errors import KqlUnsupported
from kql.syntax.cursor import Cursor, place
from kql.syntax.literals import number_value, string_value, timespan_value, typed_value
from kql.syntax.tokens import Token
from kql.syntax.tree import (
    Among,
    Argument,
    Between,
    Binary,
    Call,
    Constant,
    Element,
    Expression,
    Member,
    Name,
    Named,
    Pattern,
    Pipeline,
    Side,
    Sign,
    Subquery,
)
from kql.types import datetime_text, timespan_text

STRING_OPERATORS = frozenset(
    word
    for stem in ("has", "contains", "startswith", "endswith", "hasprefix", "hassuffix")
    for word in (stem, f"{stem}_cs", f"!{stem}", f"!{stem}_cs")
) | {"=~", "!~", "like", "notlike", "matches regex"}
_LISTS = frozenset({"in", "!in", "!in~", "has_any", "has_all"})
_BETWEEN = frozenset({"between", "!between"})
_RELATIONS = frozenset({"<", ">", "<=", ">="})
_EQUALITIES = frozenset({"==", "!=", "<>"})
_SOURCE_WORDS = frozenset({"union", "search", "find", "print", "datatable", "externaldata", "evaluate"})
_NOT_AFTER_SOURCE_WORD = frozenset({"=", ",", ")", ".", ";", "|", "==", "!=", "]", "}", "<", ">", "+", "-", "/"})


class ExpressionReader(Cursor):
    """Reads expressions."""

    colons = False
    """Whether ``a:"text"`` is read, as in ``search``."""

    def pipeline(self) -> Pipeline:
        """A source and what is piped after it."""
        raise NotImplementedError

    def piped(self, source: Expression, start: Token) -> Pipeline:
        """A pipeline whose source has been read as an expression."""
        raise NotImplementedError

    def expression(self) -> Expression:
        """An expression."""
        start, left = self.next, self._conjunction()
        while self.accept("or"):
            left = Binary("or", left, self._conjunction(), span=self.since(start))
        return left

    def named(self) -> Named:
        """An expression, and the name or names before it."""
        start = self.next
        names = self._names_before()
        return Named(self.expression(), names, span=self.since(start))

    def named_list(self) -> tuple[Named, ...]:
        """At least one named expression, with commas between."""
        items = [self.named()]
        while self.accept(","):
            items.append(self.named())
        return tuple(items)

    def value(self) -> Expression:
        """An expression, or a whole pipeline where one can stand: an argument, a ``let``, brackets."""
        start = self.next
        if self._begins_source():
            return Subquery(self.pipeline(), span=self.since(start))
        value = self.expression()
        if self.sees("|"):
            return Subquery(self.piped(value, start), span=self.since(start))
        return value

    def _begins_source(self) -> bool:
        if self.next.kind != "name":
            return False
        after = self.ahead()
        if self.next.text == "range":
            return after.kind == "name" and self.ahead(2).text == "from"
        return self.next.text in _SOURCE_WORDS and after.kind != "end" and after.text not in _NOT_AFTER_SOURCE_WORD

    def _names_before(self) -> tuple[str, ...]:
        """The names of ``x =`` or ``(a, b) =``, taken; () where there is none."""
        start = self.at
        if self.sees("("):
            if self.tokens[min(self.closing() + 1, len(self.tokens) - 1)].text != "=":
                return ()
            self.take()
            names = [self.name()]
            while self.accept(","):
                names.append(self.name())
            self.expect(")")
            self.expect("=")
            return tuple(names)
        if self.next.kind == "name" or self.sees("["):
            if self.next.kind == "name" and self.ahead().text != "=":
                return ()
            name = self._name_or_none()
            if name is not None and self.accept("="):
                return (name,)
            self.at = start
        return ()

    def name(self) -> str:
        """A name: an identifier, or any text as ``['...']``."""
        name = self._name_or_none()
        if name is None:
            self.fail("A name is expected before " + (self.next.text[:40] or "the end of the query") + ".")
        return name

    def _name_or_none(self) -> str | None:
        if self.next.kind == "name":
            return self.take().text
        if self.sees("[") and self.ahead().kind == "string" and self.ahead(2).text == "]":
            self.take()
            name = string_value(self.take().text)
            self.take()
            return name
        return None

    def name_or_pattern(self) -> Name | Pattern:
        """A column or table, or several by ``*``: ``Device*``, ``*_suffix``, ``*``."""
        start = self.next
        if self.sees("["):
            return Name(self.name(), span=self.since(start))
        text = ""
        while self.next.kind == "name" or self.sees("*") or (text and self.next.kind == "number"):
            token = self.take()
            text += token.text
            if token.end != self.next.span.offset:
                break
        if not text:
            self.name()
        return (Pattern if "*" in text else Name)(text, span=self.since(start))

    # --- from loose to tight

    def _conjunction(self) -> Expression:
        start, left = self.next, self._equality()
        while self.accept("and"):
            left = Binary("and", left, self._equality(), span=self.since(start))
        return left

    def _equality(self) -> Expression:
        start, left = self.next, self._relation()
        while True:
            operator = self._operator_word()
            if self.sees(*_EQUALITIES):
                word = self.take().text
                left = Binary("!=" if word == "<>" else word, left, self._relation(), span=self.since(start))
            elif operator in _LISTS:
                left = self._among(start, left)
            elif operator in _BETWEEN:
                left = self._between(start, left)
            elif self.colons and self.sees(":"):
                self.take()
                left = Binary(":", left, self._relation(), span=self.since(start))
            else:
                return left

    def _operator_word(self) -> str | None:
        return self.next.text if self.next.kind in ("name", "mark") else None

    def _among(self, start: Token, left: Expression) -> Among:
        word = self.take().text
        if word == "in" and self.accept("~"):
            word = "in~"
        self.expect("(", f"Put the values of {word} in brackets.")
        items: list[Expression] = []
        while not self.sees(")"):
            items.append(self.value())
            if not self.accept(","):
                break
        self.expect(")")
        return Among(word, left, tuple(items), span=self.since(start))

    def _between(self, start: Token, left: Expression) -> Between:
        negated = self.take().text == "!between"
        self.expect("(", "Write it as between (low .. high).")
        low = self.expression()
        self.expect("..", "Write it as between (low .. high).")
        high = self.expression()
        self.expect(")")
        return Between(left, low, high, negated, span=self.since(start))

    def _relation(self) -> Expression:
        start, left = self.next, self._sum()
        while self.sees(*_RELATIONS):
            left = Binary(self.take().text, left, self._sum(), span=self.since(start))
        return left

    def _sum(self) -> Expression:
        start, left = self.next, self._product()
        while self.sees("+", "-"):
            left = Binary(self.take().text, left, self._product(), span=self.since(start))
        return left

    def _product(self) -> Expression:
        start, left = self.next, self._string_operation()
        while self.sees("*", "/", "%"):
            left = Binary(self.take().text, left, self._string_operation(), span=self.since(start))
        return left

    def _string_operation(self) -> Expression:
        start, left = self.next, self._signed()
        while (word := self._string_operator()) is not None:
            left = Binary(word, left, self._signed(), span=self.since(start))
        return left

    def _string_operator(self) -> str | None:
        word = self._operator_word()
        if word == "matches" and self.ahead().text == "regex":
            self.take()
            self.take()
            return "matches regex"
        if word in STRING_OPERATORS:
            self.take()
            return word
        return None

    def _signed(self) -> Expression:
        start = self.next
        if self.sees("-", "+"):
            sign = self.take().text
            return Sign("-" if sign == "-" else "+", self._signed(), span=self.since(start))
        return self._path()

    def _path(self) -> Expression:
        start, left = self.next, self._primary()
        while True:
            if self.sees("."):
                self.take()
                left = self._element(start, left) if self.sees("[") else self._member(start, left)
            elif self.sees("[") and (not isinstance(left, Constant) or left.type == "dynamic"):
                left = self._element(start, left)
            else:
                return left

    def _member(self, start: Token, base: Expression) -> Expression:
        token = self.next
        if token.kind not in ("name", "typed"):
            self.fail(f"A property's name is expected before {token.text[:40] or 'the end of the query'}.")
        if token.kind == "name" and self.ahead().text == "(" and isinstance(base, Call | Member):
            return replace(self._call(), base=base)
        name = self.take().text
        if isinstance(base, Name) and base.text in ("$left", "$right"):
            return Side("left" if base.text == "$left" else "right", name, span=self.since(start))
        return Member(base, name, span=self.since(start))

    def _element(self, start: Token, base: Expression) -> Expression:
        self.expect("[")
        index = self.expression()
        self.expect("]")
        span = self.since(start)
        if isinstance(base, Name) and base.text in ("$left", "$right") and isinstance(index, Constant):
            return Side("left" if base.text == "$left" else "right", str(index.value), span=span)
        if isinstance(index, Constant) and index.type == "string":
            return Member(base, index.value, span=span)
        return Element(base, index, span=span)

    def _primary(self) -> Expression:
        token = self.next
        match token.kind:
            case "string":
                return self._string()
            case "number" | "timespan" | "typed":
                return self._literal()
            case "name":
                return self._name_or_call()
            case "mark" if token.text == "(":
                return self._brackets()
            case "mark" if token.text == "*":
                self.take()
                return Pattern("*", span=token.span)
            case "mark" if token.text == "[":
                return Name(self.name(), span=self.since(token))
            case _:
                self.fail()

    def _string(self) -> Constant:
        start = self.next
        text = ""
        while self.next.kind == "string":
            token = self.take()
            try:
                text += string_value(token.text)
            except KqlUnsupported as error:
                raise KqlUnsupported(error.message, **place(token.span), hint=error.hint) from error
        return Constant(text, "string", span=self.since(start))

    def _literal(self) -> Constant:
        token = self.take()
        try:
            if token.kind == "number":
                value, kind = number_value(token.text)
                return Constant(value, kind, span=token.span)
            if token.kind == "timespan":
                return Constant(timespan_value(token.text), "timespan", span=token.span)
            value, kind = typed_value(token.text)
        except (ValueError, OverflowError) as error:
            word = token.text.split("(")[0].strip()
            self.fail(f"{error}.", f"To convert a column, write to{word}(Column).", token)
        return Constant(value, kind, span=token.span)

    def _brackets(self) -> Expression:
        self.take()
        value = self.value()
        self.expect(")")
        return value

    def _name_or_call(self) -> Expression:
        token = self.next
        after = self.ahead()
        if after.text == "(" and after.kind == "mark":
            return self._dynamic() if token.text == "dynamic" else self._call()
        self.take()
        if token.text in ("true", "false", "True", "False"):
            return Constant(token.text.lower() == "true", "bool", span=token.span)
        return Name(token.text, span=token.span)

    def _call(self) -> Call:
        token = self.take()
        self.expect("(")
        arguments: list[Argument] = []
        while not self.sees(")"):
            arguments.append(self._argument())
            if not self.accept(","):
                break
        self.expect(")")
        return Call(token.text, tuple(arguments), span=token.span)

    def _argument(self) -> Argument:
        start = self.next
        name = None
        if self.next.kind == "name" and self.ahead().text == "=":
            name = self.take().text
            self.take()
        return Argument(self.value(), name, span=self.since(start))

    def _dynamic(self) -> Constant:
        start = self.take()
        self.expect("(")
        value = self._json()
        self.expect(")")
        return Constant(value, "dynamic", span=self.since(start))

    def _json(self) -> Any:
        """The inside of ``dynamic(...)``: JSON, with KQL's own ways to write a text, a number or a datetime."""
        if self.accept("["):
            items: list[Any] = []
            while not self.sees("]"):
                items.append(self._json())
                if not self.accept(","):
                    break
            self.expect("]")
            return items
        if self.accept("{"):
            return self._json_object()
        if self.accept("-"):
            return -self._json_number()
        if self.accept("null"):
            return None
        token = self.next
        if token.kind == "number":
            return self._json_number()
        if token.kind == "name" and token.text in ("true", "false"):
            return self.take().text == "true"
        if token.kind == "string":
            return self._string().value
        if token.kind in ("timespan", "typed"):
            constant = self._literal()
            if constant.type == "datetime" and constant.value is not None:
                return datetime_text(constant.value)
            if constant.type == "timespan" and constant.value is not None:
                return timespan_text(constant.value)
            return constant.value
        self.fail(hint="Inside dynamic(...) stands JSON.")

    def _json_number(self) -> Any:
        token = self.expect_kind("number", "A number")
        return number_value(token.text)[0]

    def _json_object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.sees("}"):
            key = self._string().value if self.next.kind == "string" else self.name()
            self.expect(":")
            found[key] = self._json()
            if not self.accept(","):
                break
        self.expect("}")
        return found
