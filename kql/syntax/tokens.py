"""A query's words.

https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/string (literals) and
https://learn.microsoft.com/en-us/kusto/query/schema-entities/entity-names (names)
"""

from __future__ import annotations

import bisect
import itertools
import re
from dataclasses import dataclass
from typing import Literal

from kql.errors import KqlSyntaxError, KqlUnsupported
from kql.syntax.tree import Span

MAX_TEXT = 100_000
"""Longest query in characters; Microsoft's services take far shorter ones."""

MAX_DEPTH = 100
"""Deepest nesting of brackets; what reads the query recurses several frames for each."""

TokenKind = Literal["name", "number", "timespan", "string", "typed", "mark", "end"]

_SPAN_UNITS = (
    "days|day|d|hours|hour|hrs|hr|h|minutes|minute|min|milliseconds|millisecond|millis|ms|m"
    "|microseconds|microsecond|micros|nanoseconds|nanosecond|nanos|seconds|second|sec|s|ticks|tick"
)
_TYPED = "datetime|date|timespan|time|guid|uniqueid|boolean|bool|int64|int32|int|long|real|double|decimal"
_WORDS = re.compile(
    rf"""
    (?P<blank>(?:\s|//[^\n]*)+)
  | (?P<string>[hH]?(?:```(?:(?!```).)*```|~~~(?:(?!~~~).)*~~~
        |@"(?:[^"]|"")*"|@'(?:[^']|'')*'
        |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
  | (?P<typed>\b(?:{_TYPED})\s*\(\s*[^()"'\[\]{{}};|=]*\))
  | (?P<timespan>\d++(?:\.\d++)?(?:{_SPAN_UNITS})\b)
  | (?P<number>0[xX][0-9a-fA-F]+|\d++(?:\.(?!\.)\d*+)?(?:[eE][+-]?\d++)?(?![A-Za-z_]))
  | (?P<name>[A-Za-z_$][A-Za-z0-9_]*|\d+[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark>!in~|!has_cs|!has|!contains_cs|!contains|!startswith_cs|!startswith|!endswith_cs|!endswith
        |!hasprefix_cs|!hasprefix|!hassuffix_cs|!hassuffix|!between|!in
        |=>|==|=~|!~|!=|<>|<=|>=|\.\.|[-+*/%=<>|(),;:.\[\]{{}}@?~!&])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_OPENING.values())


@dataclass(frozen=True, slots=True)
class Token:
    """A word: what it is, its text as written, where it stands."""

    kind: TokenKind
    text: str
    span: Span

    @property
    def end(self) -> int:
        """The offset after it."""
        return self.span.offset + self.span.length


def tokens(text: str) -> list[Token]:
    """The words of a query, an ``end`` token last.

    Raises KqlSyntaxError for what is no word (an open quote, a foreign character) and for brackets that do not match,
    KqlUnsupported for a text too long or nested too deeply to read safely.
    """
    if len(text) > MAX_TEXT:
        raise KqlUnsupported(f"The query has {len(text):,} characters.", hint=f"At most {MAX_TEXT:,} are read.")
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    found: list[Token] = []
    offset = 0
    while offset < len(text):
        match = _WORDS.match(text, offset)
        if match is None:
            raise _no_word(text, offset, lines)
        kind = match.lastgroup
        if kind != "blank":
            found.append(Token(kind, match.group(), span_at(lines, offset, match.end() - offset)))  # type: ignore[arg-type]
        offset = match.end()
    found.append(Token("end", "", span_at(lines, len(text.rstrip()), 1)))
    _check_brackets(found)
    return found


def names_in(text: str) -> frozenset[str]:
    """All names that a query uses, whatever for. Raises as ``tokens`` does."""
    return frozenset(token.text for token in tokens(text) if token.kind == "name")


def span_at(lines: list[int], offset: int, length: int) -> Span:
    """A place from its offset, given the offsets at which lines begin."""
    line = bisect.bisect_right(lines, offset)
    return Span(offset, length, line, offset - lines[line - 1] + 1)


def _no_word(text: str, offset: int, lines: list[int]) -> KqlSyntaxError:
    span = span_at(lines, offset, 1)
    character = text[offset]
    if character in "\"'`":
        message, hint = "A text is opened here and not closed.", f"Close it with {character}."
    else:
        message, hint = f"The character {character!r} is no part of KQL.", "Remove it, or put it in quotes."
    return KqlSyntaxError(message, line=span.line, column=span.column, hint=hint)


def _check_brackets(found: list[Token]) -> None:
    """Every bracket has its partner, and they are not nested too deeply."""
    open_: list[Token] = []
    for token in itertools.islice(found, len(found) - 1):
        if token.kind != "mark":
            continue
        if token.text in _OPENING:
            open_.append(token)
            if len(open_) > MAX_DEPTH:
                raise KqlUnsupported(
                    f"Brackets are nested more than {MAX_DEPTH} deep.",
                    line=token.span.line,
                    column=token.span.column,
                    hint="Break the query into let statements.",
                )
        elif token.text in _CLOSING:
            if not open_ or _OPENING[open_[-1].text] != token.text:
                raise KqlSyntaxError(
                    f"This {token.text} closes nothing.",
                    line=token.span.line,
                    column=token.span.column,
                    hint=f"The last bracket left open is {open_[-1].text}." if open_ else "Remove it.",
                )
            open_.pop()
    if open_:
        token = open_[-1]
        raise KqlSyntaxError(
            f"This {token.text} is never closed.",
            line=token.span.line,
            column=token.span.column,
            hint=f"Put {_OPENING[token.text]} where it ends.",
        )
