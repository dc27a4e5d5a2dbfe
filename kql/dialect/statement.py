"""The text being translated: its tokens, what had to be spelled otherwise for the grammar, and where names stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from antlr4 import InputStream, Token  # type: ignore[import-untyped]
from duckdb_kql._antlr.KqlLexer import KqlLexer

from kql.errors import KqlUnsupported

MAX_TEXT = 100_000
"""Longest query in characters; Microsoft's services take far shorter ones."""

MAX_DEPTH = 100
"""Deepest nesting of brackets; the parser recurses several frames for each."""

_SERIALIZE = "serialize"
_STAND_IN = "getschema"
_OPENING = {"(", "[", "{"}
_CLOSING = {")", "]", "}"}
_ENDS_OPERATOR = {"|", ")", ";", "}"}


@dataclass(frozen=True)
class Word:
    """A token: its text, its offset, and its 1-based place."""

    text: str
    offset: int
    line: int
    column: int


@dataclass
class Statement:
    """One query in translation.

    ``text`` is what the grammar reads; it differs from ``written`` only inside tokens of the same length, so that
    every place in it is a place in what the person wrote.
    """

    written: str
    text: str
    words: tuple[Word, ...]
    bare_serialize: frozenset[int] = frozenset()
    schema: Mapping[str, Sequence[str]] = field(default_factory=dict)
    render: dict[str, Any] | None = None
    tables: set[str] = field(default_factory=set)

    def find(self, text: str, *, before: str = "") -> Word | None:
        """The first token that reads ``text`` (and is followed by ``before``, where given)."""
        for word, after in zip_longest(self.words, self.words[1:]):
            if word.text == text and (not before or (after is not None and after.text == before)):
                return word
        return None

    def mentions(self, name: str) -> bool:
        """Whether the query uses this identifier anywhere."""
        return any(word.text == name for word in self.words)

    def patterns(self) -> frozenset[str]:
        """What may name tables by a ``*``, as ``Device*`` after ``union``; also other things that are spelled so."""
        runs: list[str] = []
        end = -1
        for word in self.words:
            if word.text != "*" and not word.text.replace("_", "a").isalnum():
                end = -1
                continue
            if word.offset == end:
                runs[-1] += word.text
            else:
                runs.append(word.text)
            end = word.offset + len(word.text)
        return frozenset(run for run in runs if "*" in run)


class Located(str):
    """A name that remembers where in the text it stands; everywhere else it is a plain string."""

    line: int
    column: int

    @classmethod
    def at(cls, text: str, line: int, column: int) -> Located:
        """``text`` at a 1-based place."""
        name = cls(text)
        name.line, name.column = line, column
        return name


_CURRENT: ContextVar[Statement | None] = ContextVar("kql.statement", default=None)


def current() -> Statement:
    """The statement being translated; an empty one outside any translation."""
    return _CURRENT.get() or Statement("", "", ())


@contextmanager
def translating(statement: Statement) -> Iterator[Statement]:
    """Make ``statement`` the current one."""
    token = _CURRENT.set(statement)
    try:
        yield statement
    finally:
        _CURRENT.reset(token)


def read(written: str) -> Statement:
    """Split a query into words and spell a bare ``serialize`` so that the grammar takes it.

    Raises KqlUnsupported for a text too long or nested too deeply to parse safely.
    """
    if len(written) > MAX_TEXT:
        raise KqlUnsupported(f"The query has {len(written):,} characters.", hint=f"At most {MAX_TEXT:,} are read.")
    words = tuple(_words(written))
    _check_depth(words)
    following = {a.offset: b.text for a, b in zip(words, words[1:], strict=False)}
    piped = {b.offset for a, b in zip(words, words[1:], strict=False) if a.text == "|"}
    bare = frozenset(
        w.offset
        for w in words
        if w.text == _SERIALIZE and w.offset in piped and following.get(w.offset, ";") in _ENDS_OPERATOR
    )
    text = written
    for offset in bare:
        text = text[:offset] + _STAND_IN + text[offset + len(_SERIALIZE) :]
    return Statement(written, text, words, bare)


def _words(text: str) -> Iterator[Word]:
    lexer = KqlLexer(InputStream(text))
    lexer.removeErrorListeners()
    while True:
        token = lexer.nextToken()
        if token.type == Token.EOF:
            return
        if token.channel == Token.DEFAULT_CHANNEL:
            yield Word(token.text, token.start, token.line, token.column + 1)


def _check_depth(words: Sequence[Word]) -> None:
    depth = 0
    for word in words:
        depth += (word.text in _OPENING) - (word.text in _CLOSING)
        if depth > MAX_DEPTH:
            raise KqlUnsupported(
                f"Brackets are nested more than {MAX_DEPTH} deep.",
                line=word.line,
                column=word.column,
                hint="Break the query into let statements.",
            )
