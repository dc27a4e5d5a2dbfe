"""Patterns that find a path in what a script printed: few of their kind, so that no text can make one run for ever."""

import re
import time
from collections.abc import Iterator
from typing import Final

LONGEST_LINE: Final = 2000
SECONDS: Final = 20.0
_STARTS: Final = ("(?P<path>", "(?:")
_MOST_OPEN: Final = 2
_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9 :=_/-]|\\[^A-Za-z0-9]){4}")


class PatternError(ValueError):
    """The pattern cannot be used. The message says why."""


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern for one line of a transcript; its group `path` is what is found. Raises PatternError.

    A pattern begins with four plain characters, repeats no group, and has two open repeats at most: over a line of
    LONGEST_LINE characters that ends, whatever a device prints.
    """
    try:
        made = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"It is no regular expression: {error}.") from None
    if "path" not in made.groupindex:
        raise PatternError("It needs a group named path, as in (?P<path>[^\\r\\n]+).")
    if not _LITERAL.match(pattern):
        raise PatternError("It must begin with at least four plain characters that the script prints.")
    _check_cost(pattern)
    return made


def _check_cost(pattern: str) -> None:
    repeats = 0
    tokens = list(_tokens(pattern))
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if token == ")" and following[:1] in {"*", "+", "?", "{"}:
            raise PatternError("It repeats a group, which can take for ever. Repeat single characters only.")
        if token.startswith("(") and token not in {*_STARTS, "("}:
            raise PatternError("It uses a group of a kind that is not taken here; only (?P<path>…), (…) and (?:…) are.")
        if len(token) == 2 and token[0] == "\\" and token[1].isdigit() and token != "\\0":
            raise PatternError("It refers back to a group, which can take for ever.")
        if token in {"*", "+"} or token.startswith("{"):
            repeats += 1
    if repeats > _MOST_OPEN:
        raise PatternError(f"It has more than {_MOST_OPEN} repeats (*, + or {{…}}), which can take for ever.")


def _tokens(pattern: str) -> Iterator[str]:
    """The pattern in pieces: escapes, classes and openings of groups whole, all else by character."""
    piece = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\?P=|\(\?P>|\(\?.|\{[0-9,]*\}|.", re.DOTALL)
    yield from piece.findall(pattern)


def last_path(pattern: re.Pattern[str], text: str) -> str:
    """The last path that the pattern finds: a script may print one more than once, and the last is the finished file.

    "" where there is none. Raises TimeoutError where the search takes longer than SECONDS.
    """
    found, until = "", time.monotonic() + SECONDS
    for number, line in enumerate(text.splitlines()):
        if number % 256 == 0 and time.monotonic() > until:
            raise TimeoutError("The transcript is too long to be searched.")
        match = pattern.search(line[:LONGEST_LINE])
        if match is not None and (match["path"] or "").strip():
            found = match["path"].strip()
    return found
