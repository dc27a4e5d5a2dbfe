"""Where the reading of a query stands, and what is said when the next word does not fit."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from kql.errors import KqlSyntaxError, Place
from kql.syntax.tokens import Token, TokenKind, tokens
from kql.syntax.tree import Span


def place(span: Span) -> Place:
    """A span as an error's place; nothing for a node that no text says."""
    return {"line": span.line, "column": span.column, "length": span.length} if span.line else {}


class Cursor:
    """The words of a query and the one that comes next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0

    @property
    def next(self) -> Token:
        """The word that comes next; the ``end`` token for ever after the last."""
        return self.tokens[self.at]

    def ahead(self, count: int = 1) -> Token:
        """The word ``count`` after the next."""
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def take(self) -> Token:
        """Go past the next word."""
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next word is one of these (not a text in quotes that says the same)."""
        return self.next.kind in ("name", "mark") and self.next.text in texts

    def accept(self, *texts: str) -> Token | None:
        """The next word where it is one of these."""
        return self.take() if self.sees(*texts) else None

    def expect(self, text: str, hint: str = "") -> Token:
        """The next word, which must be this one."""
        if not self.sees(text):
            self.fail(f"{text} is expected before {_shown(self.next)}.", hint)
        return self.take()

    def expect_kind(self, kind: TokenKind, what: str) -> Token:
        """The next word, which must be of this kind."""
        if self.next.kind != kind:
            self.fail(f"{what} is expected before {_shown(self.next)}.")
        return self.take()

    def closing(self) -> int:
        """The index of the bracket that closes the one which comes next."""
        depth = 0
        for index in range(self.at, len(self.tokens)):
            token = self.tokens[index]
            if token.kind == "mark":
                depth += (token.text in "([{") - (token.text in ")]}")
                if depth == 0:
                    return index
        return len(self.tokens) - 1

    def since(self, start: Token) -> Span:
        """From a word to the last one taken."""
        last = self.tokens[max(self.at - 1, 0)]
        length = max(last.end - start.span.offset, start.span.length)
        return Span(start.span.offset, length, start.span.line, start.span.column)

    def one_of(self, words: Collection[str], what: str) -> Token:
        """The next word, a name out of ``words``."""
        if self.next.kind != "name" or self.next.text not in words:
            self.fail(f"{_shown(self.next)} is no {what}.", f"It is one of {', '.join(sorted(words))}.")
        return self.take()

    def fail(self, message: str = "", hint: str = "", token: Token | None = None) -> NoReturn:
        """Say that the next word (or ``token``) does not fit."""
        token = token or self.next
        if not message and token.kind == "end":
            message, hint = "The query ends too early.", "Something is missing here: a value, a bracket or an operator."
        elif not message and token.text == "=":
            message, hint = "= is not expected here.", "Two values are compared with ==."
        elif not message:
            message, hint = f"{_shown(token)} is not expected here.", hint or "Check what stands before it."
        raise KqlSyntaxError(message, **place(token.span), hint=hint)


def _shown(token: Token) -> str:
    return token.text[:40] if token.kind != "end" else "the end of the query"
