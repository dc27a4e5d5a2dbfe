"""The part of OData's `$filter` that Microsoft's security APIs take: comparisons, startswith/contains/endswith, `in`,
`any(x: x eq ...)`, and, or, not, parentheses. https://learn.microsoft.com/defender-endpoint/api/exposed-apis-odata-samples
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<time>\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_/]*)|(?P<sign>[(),:]))"
)
_COMPARE = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_FUNCTIONS = frozenset({"startswith", "endswith", "contains"})
_DEPTH = 30


class FilterError(ValueError):
    """A filter that cannot be read, or that names a field which cannot be filtered."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise FilterError(f"Syntax error at position {position} in '{text[:200]}'.")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return found


@dataclass
class _Parser:
    tokens: Sequence[_Token]
    allowed: frozenset[str]
    place: int = 0
    depth: int = field(default=0)

    def parse(self) -> Test:
        test = self._either()
        if self.place < len(self.tokens):
            raise FilterError(f"Unexpected '{self.tokens[self.place].text}'.")
        return test

    def _peek(self) -> str:
        return self.tokens[self.place].text.lower() if self.place < len(self.tokens) else ""

    def _next(self) -> _Token:
        if self.place >= len(self.tokens):
            raise FilterError("The filter ends too early.")
        self.place += 1
        return self.tokens[self.place - 1]

    def _expect(self, text: str) -> None:
        found = self._next()
        if found.text.lower() != text:
            raise FilterError(f"Expected '{text}', found '{found.text}'.")

    def _either(self) -> Test:
        self.depth += 1
        if self.depth > _DEPTH:
            raise FilterError("The filter is nested too deeply.")
        tests = [self._both()]
        while self._peek() == "or":
            self._next()
            tests.append(self._both())
        self.depth -= 1
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._peek() == "and":
            self._next()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def _one(self) -> Test:
        word = self._peek()
        if word == "not":
            self._next()
            inner = self._one()
            return lambda item: not inner(item)
        if word == "(":
            self._next()
            group = self._either()
            self._expect(")")
            return group
        if word in _FUNCTIONS:
            return self._function()
        return self._comparison()

    def _field(self) -> str:
        token = self._next()
        if token.kind != "word":
            raise FilterError(f"Expected a field, found '{token.text}'.")
        name = token.text.removesuffix("/any")
        if name.lower() not in self.allowed:
            raise FilterError(f"Filtering on '{token.text}' is not supported.")
        return token.text

    def _value(self) -> Any:
        token = self._next()
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "time":
            return _time(token.text)
        if token.kind == "number":
            return float(token.text)
        words = {"true": True, "false": False, "null": None}
        if token.text.lower() not in words:
            raise FilterError(f"'{token.text}' is not a value; texts stand in single quotes.")
        return words[token.text.lower()]

    def _function(self) -> Test:
        name = self._next().text.lower()
        self._expect("(")
        column = self._field()
        self._expect(",")
        value = str(self._value()).lower()
        self._expect(")")
        how = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}[name]
        return lambda item: bool(how(str(_get(item, column) or "").lower(), value))

    def _comparison(self) -> Test:
        column = self._field()
        if column.endswith("/any"):
            return self._any(column.removesuffix("/any"))
        operator = self._next().text.lower()
        if operator == "in":
            return self._in(column)
        if operator not in _COMPARE:
            raise FilterError(f"'{operator}' is not an operator.")
        value = self._value()
        return lambda item: compare(operator, _get(item, column), value)

    def _in(self, column: str) -> Test:
        self._expect("(")
        values = [self._value()]
        while self._peek() == ",":
            self._next()
            values.append(self._value())
        self._expect(")")
        return lambda item: any(compare("eq", _get(item, column), value) for value in values)

    def _any(self, column: str) -> Test:
        self._expect("(")
        self._next()
        self._expect(":")
        self._next()
        self._expect("eq")
        value = self._value()
        self._expect(")")
        return lambda item: any(compare("eq", member, value) for member in _get(item, column) or [])


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise FilterError(f"'{text}' is not a time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _get(item: Mapping[str, Any], column: str) -> Any:
    if column in item:
        return item[column]
    lower = column.lower()
    return next((value for key, value in item.items() if key.lower() == lower), None)


def compare(operator: str, actual: Any, wanted: Any) -> bool:
    """One OData comparison; texts without regard to case, times as times, numbers as numbers."""
    left, right = actual, wanted
    if isinstance(right, datetime):
        if not isinstance(left, str):
            return operator == "ne"
        left = _time(left)
    elif isinstance(right, float):
        try:
            left = float(left)
        except (TypeError, ValueError):
            return operator == "ne"
    elif isinstance(right, str):
        left, right = str(left if left is not None else "").lower(), right.lower()
    if operator in {"eq", "ne"} or left is None or right is None or isinstance(right, bool):
        return (left == right) == (operator != "ne") and operator in {"eq", "ne", "ge", "le"}
    return bool({"gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right}[operator])


def parse_filter(text: str, allowed: Iterable[str]) -> Test:
    """A test for items from a `$filter`; raises FilterError. `allowed` are the fields that may be named."""
    if len(text) > 8_000:
        raise FilterError("The filter is too long.")
    return _Parser(_tokens(text), frozenset(name.lower() for name in allowed)).parse()


def order_by(items: Iterable[dict[str, Any]], text: str, allowed: Iterable[str]) -> list[dict[str, Any]]:
    """`$orderby` with one or more `field [asc|desc]`; raises FilterError."""
    known = {name.lower() for name in allowed}
    ordered = list(items)
    for part in reversed(text.split(",")):
        column, _, direction = part.strip().partition(" ")
        if column.lower() not in known or direction.strip().lower() not in {"", "asc", "desc"}:
            raise FilterError(f"Ordering by '{part.strip()[:80]}' is not supported.")
        ordered.sort(key=lambda item: str(_get(item, column) or ""), reverse=direction.strip().lower() == "desc")
    return ordered
