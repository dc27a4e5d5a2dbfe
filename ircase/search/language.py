"""The query language: words, "phrases", begin*, -not, OR, (groups) and fields such as `kind:note`.

    zebra "lateral movement" ransom* -exercise (kind:event OR kind:note) after:7d is:open

A text becomes a tree. What cannot be read is a `QueryProblem` that says where. A pasted address, path or hash is no
syntax: what only looks like a field is a word.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ircase.search import words
from ircase.search.fields import FIELDS, Unreadable
from ircase.search.words import Term

LONGEST: Final = 500
MOST_TERMS: Final = 40
DEEPEST: Final = 10
_FIELD = re.compile(r"([A-Za-z_]+):(?![/\\:])")


class QueryProblem(Exception):
    """What is wrong with a query, in a sentence; `start` and `end` say where in its text."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, end


@dataclass(frozen=True)
class Text:
    """A word or a phrase that an entry holds."""

    term: Term


@dataclass(frozen=True)
class Field:
    """A field; `value` is what its reader in `fields` made of what was typed."""

    name: str
    value: Any


@dataclass(frozen=True)
class Not:
    part: "Node"


@dataclass(frozen=True)
class All:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class Any_:
    parts: "tuple[Node, ...]"


Node = Text | Field | Not | All | Any_


@dataclass(frozen=True)
class Query:
    """`tree` is None where nothing is asked. `notes` say what was passed over."""

    tree: Node | None
    notes: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[Term, ...]:
        """What a find holds: to rank and to mark by."""
        return tuple(_terms(self.tree)) if self.tree else ()


def _terms(node: Node) -> Iterator[Term]:
    if isinstance(node, Text):
        yield node.term
    elif isinstance(node, All | Any_):
        for part in node.parts:
            yield from _terms(part)


def parse(text: str, now: datetime) -> Query:
    """The tree of `text`; days are those of the zone of `now`. Raises QueryProblem."""
    if len(text) > LONGEST:
        raise QueryProblem(f"A query has at most {LONGEST} characters.", LONGEST, len(text))
    reader = _Reader(text, now)
    tree = reader.alternatives(0)
    if reader.at < len(text):
        raise QueryProblem("This ) closes nothing.", reader.at, reader.at + 1)
    return Query(tree, tuple(reader.notes))


@dataclass
class _Reader:
    text: str
    now: datetime
    at: int = 0
    terms: int = 0
    notes: list[str] = field(default_factory=list)

    def alternatives(self, depth: int) -> Node | None:
        """`a b OR c`, up to the end or an unmatched `)`."""
        found, start = [self._together(depth)], self.at
        while self._takes("OR"):
            part = self._together(depth)
            if part is None or found[-1] is None:
                raise QueryProblem("OR stands between two things.", start, self.at)
            found.append(part)
            start = self.at
        parts = tuple(one for one in found if one is not None)
        return parts[0] if len(parts) == 1 else Any_(parts) if parts else None

    def _together(self, depth: int) -> Node | None:
        found: list[Node] = []
        while (here := self._peek()) and here != ")" and not self._sees("OR"):
            if self._takes("AND"):
                continue
            node = self._one(depth)
            if node is not None:
                found.append(node)
        return All(tuple(found)) if len(found) > 1 else found[0] if found else None

    def _one(self, depth: int) -> Node | None:
        start = self.at
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise QueryProblem(f"A query has at most {MOST_TERMS} parts.", start, len(self.text))
        if self.text[start] == "-" and start + 1 < len(self.text) and not self.text[start + 1].isspace():
            self.at += 1
            if depth >= DEEPEST:
                raise QueryProblem(f"Groups and minus signs nest at most {DEEPEST} deep.", start, start + 1)
            part = self._one(depth + 1) if self._peek() not in ("", ")") else None
            return Not(part) if part is not None else None
        if self.text[start] == "(":
            return self._group(depth)
        if self.text[start] == '"':
            return self._text(self._quoted(), phrase=True, start=start)
        named = _FIELD.match(self.text, start)
        if named and named[1].lower() in FIELDS:
            return self._field(named)
        return self._text(self._word(), phrase=False, start=start)

    def _group(self, depth: int) -> Node | None:
        start = self.at
        if depth >= DEEPEST:
            raise QueryProblem(f"Groups and minus signs nest at most {DEEPEST} deep.", start, start + 1)
        self.at += 1
        inside = self.alternatives(depth + 1)
        if self._peek() != ")":
            raise QueryProblem("This ( is not closed.", start, start + 1)
        self.at += 1
        return inside

    def _field(self, named: re.Match[str]) -> Node:
        start, name = self.at, named[1].lower()
        self.at = named.end()
        here = self.text[self.at] if self.at < len(self.text) else ""
        value = "" if not here or here.isspace() else self._quoted() if here == '"' else self._word()
        if not value:
            raise QueryProblem(f"{name}: needs a value right after it, as in {FIELDS[name].example}.", start, self.at)
        try:
            return Field(name, FIELDS[name].read(value, self.now))
        except Unreadable as error:
            raise QueryProblem(f"{name}: {error}", start, self.at) from None

    def _text(self, typed: str, *, phrase: bool, start: int) -> Node | None:
        prefix = typed.endswith("*") and not phrase
        term = words.term(typed.rstrip("*") if prefix else typed, prefix=prefix)
        if term is None:
            self.notes.append(f"Nothing to look for in {typed[:40]!r}: it holds neither letter nor digit.")
            return None
        if prefix and len(term.tokens[-1]) < 2:
            raise QueryProblem("A star needs at least two letters or digits before it.", start, self.at)
        return Text(term)

    def _quoted(self) -> str:
        start = self.at
        end = self.text.find('"', start + 1)
        if end < 0:
            raise QueryProblem("This quotation mark is not closed.", start, len(self.text))
        self.at = end + 1
        return self.text[start + 1 : end]

    def _word(self) -> str:
        """Up to a space, a quotation mark, or a `)` that the word itself did not open: `evil(.)example` is a word."""
        start, opened = self.at, 0
        while self.at < len(self.text) and not (here := self.text[self.at]).isspace():
            if here == '"' and self.at > start:
                break
            opened += (here == "(") - (here == ")")
            if opened < 0:
                break
            self.at += 1
        return self.text[start : self.at]

    def _peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def _sees(self, word: str) -> bool:
        self._peek()
        after = self.text[self.at + len(word) : self.at + len(word) + 1]
        return self.text.startswith(word, self.at) and (not after or after.isspace() or after in "()")

    def _takes(self, word: str) -> bool:
        if not self._sees(word):
            return False
        self.at += len(word)
        return True
