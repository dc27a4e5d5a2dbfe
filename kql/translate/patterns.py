"""Regular expressions as DuckDB reads them: both engines use RE2's language, Kusto with one spelling more.

https://learn.microsoft.com/en-us/kusto/query/regex
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kql.errors import KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import Span

_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_NAMED = ("(?P<", "(?<")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A checked pattern: its text in DuckDB's spelling, and its capturing groups (None: one without a name)."""

    text: str
    groups: tuple[str | None, ...]


def checked(text: str, span: Span) -> Pattern:
    """A pattern, looked through for what RE2 does not have; Kusto refuses the same. Raises KqlUnsupported."""
    out: list[str] = []
    groups: list[str | None] = []
    for piece in _pieces(text):
        if piece.startswith("\\") and piece[1:2] in "123456789" and len(piece) == 2:
            raise _refused(f"a reference back ({piece})", span)
        opener = next((each for each in _LOOKAROUND if piece == each), None)
        if opener is not None:
            raise _refused(f"lookaround {opener}...)", span)
        if piece == "(":
            groups.append(None)
        elif piece.startswith(_NAMED):
            name = piece[piece.index("<") + 1 : -1]
            groups.append(name)
            piece = f"(?P<{name}>"
        out.append(piece)
    return Pattern("".join(out), tuple(groups))


def _refused(what: str, span: Span) -> KqlUnsupported:
    return KqlUnsupported(f"Regular expressions have no {what}.", **place(span), hint="Match without it.")


def _pieces(text: str) -> Iterator[str]:
    """A pattern cut so that what opens a group is a piece of its own, and no escape or class holds one."""
    at = 0
    while at < len(text):
        end = _end(text, at)
        yield text[at:end]
        at = end


def _end(text: str, at: int) -> int:
    if text.startswith("\\Q", at):
        end = text.find("\\E", at)
        return len(text) if end < 0 else end + 2
    if text[at] == "\\":
        return at + 2
    if text[at] == "[":
        return _class_end(text, at)
    for opener in _LOOKAROUND:
        if text.startswith(opener, at):
            return at + len(opener)
    for opener in _NAMED:
        end = text.find(">", at)
        if text.startswith(opener, at) and end > 0:
            return end + 1
    return at + 2 if text.startswith("(?", at) else at + 1


def _class_end(text: str, at: int) -> int:
    """Where ``[...]`` ends: a bracket at its beginning, in an escape or in ``[:alpha:]`` does not end it."""
    at += 2 if text.startswith("[^", at) else 1
    at += text.startswith("]", at)
    while at < len(text) and text[at] != "]":
        if text[at] == "\\":
            at += 2
        elif text.startswith("[:", at):
            end = text.find(":]", at)
            at = len(text) if end < 0 else end + 2
        else:
            at += 1
    return min(at + 1, len(text))
