"""Constants of a text: where each stands, and the text in which those that a person chose are parameters."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hunting.importing import ParameterGuess, suggest_parameters
from kql.errors import KqlError
from kql.syntax.tokens import Token, tokens

MAX_SUGGESTED: Final = 20
# A placeholder that stands alone, in quotes, in a typed literal or before a unit of time: its whole text is the value.
_WHOLE: Final = re.compile(
    r"""(?:\w+\s*\(\s*\[?\s*)?["']?(?:\{\{?[^{}"']*\}\}?|<[^<>"']*>)["']?(?:\s*\]?\s*\))?[dhms]?""", re.ASCII
)


@dataclass(frozen=True)
class Constant:
    """What of a text may become a parameter. `places` are start and end of every literal that it is, as offsets in
    characters; `let` is the name of the statement whose value it is, "" where it is none; `key` tells it from others
    of the same text."""

    guess: ParameterGuess
    places: tuple[tuple[int, int], ...]
    let: str = ""

    @property
    def key(self) -> str:
        return f"{self.guess.found_as}:{self.guess.name}"


def constants_of(text: str) -> list[Constant]:
    """Those that can be found again in the text, MAX_SUGGESTED at most."""
    try:
        words = tokens(text)
    except KqlError:
        words = []
    found = []
    for guess in suggest_parameters(text)[:MAX_SUGGESTED]:
        if guess.found_as == "let":
            name, places = _value_of_let(guess, words)
        else:
            name, places = "", tuple(_places(guess, text, words))
        if places:
            found.append(Constant(guess, places, name))
    return found


def adopt(text: str, chosen: Mapping[str, str]) -> str:
    """The text with the constants `chosen` (key to the parameter's name) as identifiers.

    A `let` that has the parameter's own name goes away, for the prelude binds it; one of another name takes the
    parameter as its value. Everything else of the text stays as it is, byte for byte.
    """
    edits: list[tuple[int, int, str]] = []
    words = _tokens(text)
    for constant in constants_of(text):
        name = chosen.get(constant.key, "")
        if not name:
            continue
        if constant.let == name:
            edits.append((*_statement(text, words, constant.places[0]), ""))
        else:
            edits += [(start, end, name) for start, end in constant.places]
    return _edited(text, edits)


def _edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    pieces, at = [], 0
    for start, end, new in sorted(edits):
        if start >= at:
            pieces += [text[at:start], new]
            at = end
    return "".join([*pieces, text[at:]])


def _tokens(text: str) -> list[Token]:
    try:
        return list(tokens(text))
    except KqlError:
        return []


def _statement(text: str, words: list[Token], value: tuple[int, int]) -> tuple[int, int]:
    """From the `let` of a value to its semicolon, and to the end of the line where nothing else stands on it."""
    before = [word for word in words if word.text == "let" and word.span.offset < value[0]]
    after = next((word for word in words if word.text == ";" and word.span.offset >= value[1]), None)
    start = before[-1].span.offset
    end = after.end if after is not None else value[1]
    rest = re.compile(r"[ \t]*(?://[^\n]*)?(?:\n|\Z)").match(text, end)
    alone = text[text.rfind("\n", 0, start) + 1 : start].strip() == ""
    return start, rest.end() if rest and alone else end


def _places(guess: ParameterGuess, text: str, words: Iterable[Token]) -> Iterator[tuple[int, int]]:
    """Start and end of the literal, or of each placeholder, that the guess is about."""
    if guess.found_as == "placeholder":
        if _WHOLE.fullmatch(guess.original):
            yield from (match.span() for match in re.finditer(re.escape(guess.original), text))
    elif not guess.kind.many:
        quoted = {f'"{guess.default}"', f"'{guess.default}'"}
        here = [w for w in words if w.kind == "string" and w.text in quoted and w.span.line >= (guess.line or 0)]
        yield from ((word.span.offset, word.end) for word in here[:1])


def _value_of_let(guess: ParameterGuess, words: list[Token]) -> tuple[str, tuple[tuple[int, int], ...]]:
    for at, word in enumerate(words):
        if word.text == "let" and word.span.line == guess.line and [w.text for w in words[at + 2 : at + 3]] == ["="]:
            ends = (i for i in range(at + 3, len(words)) if words[i].text == ";" or words[i].kind == "end")
            last = next(ends, at + 3) - 1
            if guess.original.startswith(f"let {words[at + 1].text}") and last >= at + 3:
                return words[at + 1].text, ((words[at + 3].span.offset, words[last].end),)
    return "", ()
