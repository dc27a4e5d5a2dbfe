"""KQL in colours without a line of script: a text as pieces, each with the class of its colour."""

from collections.abc import Iterator
from typing import Final

from kql.errors import KqlError
from kql.syntax.tokens import Token, tokens

_WORDS: Final = frozenset({
    "let", "by", "on", "and", "or", "not", "in", "has", "has_any", "has_all", "contains", "startswith", "endswith",
    "matches", "regex", "between", "with", "kind", "asc", "desc", "nulls", "first", "last", "to", "typeof", "of",
    "true", "false", "null", "dynamic", "from", "step", "default", "declare", "set", "hasprefix", "hassuffix",
})  # fmt: skip
_CLASSES: Final = {"string": "string", "number": "number", "timespan": "number", "typed": "number"}


def pieces(text: str) -> list[tuple[str, str]]:
    """(class, text) in order; together they are the text. One piece without a class where it cannot be read."""
    try:
        found = tokens(text)
    except KqlError:
        return [("", text)]
    return list(_pieces(text, found))


def _pieces(text: str, found: list[Token]) -> Iterator[tuple[str, str]]:
    at, before = 0, ""
    for number, token in enumerate(found):
        yield from _between(text[at : token.span.offset])
        after = found[number + 1].text if number + 1 < len(found) else ""
        if token.text:
            yield _class(token, before, after), text[token.span.offset : token.end]
        at, before = token.end, token.text


def _between(text: str) -> Iterator[tuple[str, str]]:
    """Spaces and comments."""
    for line in text.splitlines(keepends=True):
        space, slashes, comment = line.partition("//")
        yield "", space
        if slashes:
            yield "comment", slashes + comment


def _class(token: Token, before: str, after: str) -> str:
    if token.kind != "name":
        return _CLASSES.get(token.kind, "operator" if token.text == "|" else "")
    if before == "|":
        return "operator"
    if token.text.lower() in _WORDS:
        return "word"
    return "call" if after == "(" else ""
