"""Base64 inside of texts, as PowerShell's `-EncodedCommand` and mail have it, and what it may say.

https://www.rfc-editor.org/rfc/rfc4648 (both alphabets); Windows encodes text as UTF-16LE first.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST_NESTED: Final = 2
"""So often is Base64 looked for inside of Base64."""
_LETTER: Final = r"[A-Za-z0-9+/_-]"
# A first line as long as mail and certificates have them goes on in the next ones.
_LINES: Final = rf"{_LETTER}{{40,}}(?:\r?\n[ \t]*{_LETTER}+)*"
_DIGEST: Final = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})", re.IGNORECASE)
_STANDARD: Final = str.maketrans("-_", "+/")
_READABLE: Final = bytes((9, 10, 13, *range(32, 127)))
_BEGINNING: Final = 600
"""Letters of a run that hold the longest name."""
_WORTH: Final = 24
"""A shorter text is not looked through for Base64 of its own."""


@dataclass(frozen=True)
class Run:
    """Letters of Base64 in a text, from `start` to before `stop`, its padding included."""

    start: int
    stop: int
    letters: str


def runs(text: str, least: int) -> Iterator[Run]:
    """What may be Base64 of at least `least` letters. A hash in hexadecimal digits is none."""
    for hit in re.finditer(rf"(?:{_LINES}|{_LETTER}{{{max(least, 2)},}})={{0,2}}", text):
        lines = hit.group().rstrip("=").split()
        if not all(_DIGEST.fullmatch(line) for line in lines):
            yield Run(hit.start(), hit.end(), "".join(lines).translate(_STANDARD))


def readings(run: Run) -> Iterator[str]:
    """All that a run may say, whichever of its letters begins a group of four. Its beginning is read without the first
    three letters, too: they may belong to what stands before it (as in `%3D`). As UTF-8 and as UTF-16LE from either
    byte; of what can be read, also what Base64 inside of it says."""
    yield from _readings(run.letters, MOST_NESTED)


def _readings(letters: str, nested: int) -> Iterator[str]:
    for place in range(-3, min(4, len(letters))):
        data = _decoded(letters[place : place + _BEGINNING] if place > 0 else "A" * -place + letters)
        said = [(data, data.decode("utf-8", "replace"))]
        said += [(data[odd::2], _wide(data[odd:])) for odd in (0, 1)]
        for shown, text in said:
            yield text
            if nested and _is_readable(shown):
                for inner in runs(text, 8):
                    yield from _readings(inner.letters, nested - 1)


def _decoded(letters: str) -> bytes:
    """The bytes of all whole ones of them: a single letter at the end is none."""
    whole = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4))


def _wide(data: bytes) -> str:
    # A byte that is alone at the end was cut from its zero, or is the last one of UTF-16BE.
    return (data + b"\0" * (len(data) % 2)).decode("utf-16-le", "replace")


def _is_readable(data: bytes) -> bool:
    return len(data) >= _WORTH and len(data.translate(None, _READABLE)) * 10 <= len(data)
