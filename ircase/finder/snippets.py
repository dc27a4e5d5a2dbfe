"""What is shown of a find: its text around the first match, in pieces, so that a page marks them and escapes all."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ircase.search.words import Term

_AROUND = 70
_LONGEST = 240


@dataclass(frozen=True)
class Piece:
    """A piece of text; `found`: it is what was looked for."""

    text: str
    found: bool = False


def pieces(text: str, terms: Iterable[Term], around: int = _AROUND) -> tuple[Piece, ...]:
    """`text` around its first match; whole with `around` 0. Empty where nothing of it was looked for."""
    pattern = _pattern(terms)
    found = list(pattern.finditer(text)) if pattern and text else []
    if not around:
        return _cut(text, found, 0, len(text))
    if not found:
        return ()
    start = max(0, found[0].start() - around)
    end = min(len(text), max(found[0].end() + around, start + _LONGEST))
    lead, tail = ("…" if start else ""), ("…" if end < len(text) else "")
    inside = _cut(text, [one for one in found if one.end() <= end], start, end)
    return (*((Piece(lead),) if lead else ()), *inside, *((Piece(tail),) if tail else ()))


def _cut(text: str, found: list[re.Match[str]], start: int, end: int) -> tuple[Piece, ...]:
    made, at = [], start
    for one in found:
        made += [Piece(text[at : one.start()]), Piece(one[0], found=True)]
        at = one.end()
    return tuple(piece for piece in (*made, Piece(text[at:end])) if piece.text)


def _pattern(terms: Iterable[Term]) -> re.Pattern[str] | None:
    """The terms in any letter case, with whatever parts their tokens in the text."""
    each = []
    for term in terms:
        parts = [re.escape(part) for token in term.tokens for part in re.split(r"[^\w]+", token) if part]
        if parts and not any("=" in token for token in term.tokens):
            ending = "" if term.prefix else r"(?![^\W_])"
            each.append(r"(?<![^\W_])" + r"[\W_]{1,6}".join(parts) + ending)
    return re.compile("|".join(sorted(each, key=len, reverse=True)), re.IGNORECASE) if each else None
