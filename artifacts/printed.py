"""JSON that a script printed, out of its transcript: between two lines of our own, whatever the host made of the text.

A transcript may hold colour codes and control characters, lines that the host wrapped at its width, and it may end in
the middle. What can be read is given; what is wrong is named.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

BEGIN: Final = "-----BEGIN IRCASE JSON-----"
END: Final = "-----END IRCASE JSON-----"
MOST_CHARACTERS: Final = 64 * 2**20
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")


@dataclass(frozen=True)
class Fault:
    """Something wrong with what was printed; `code` is stable, `message` is for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Printed:
    """`value` is the JSON, None where there is none; `text` the JSON's own text, as it was read."""

    value: Any = None
    text: str = ""
    faults: tuple[Fault, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing of it is missing."""
        return self.value is not None and not any(fault.code == "printed.cut" for fault in self.faults)


def is_printed(head: str) -> bool:
    """Whether a text, or its beginning, holds a line that begins printed JSON."""
    return BEGIN in head


def read(text: str) -> Printed:
    """The last JSON that a script printed into this text. Never raises."""
    if len(text) > MOST_CHARACTERS:
        most = f"{MOST_CHARACTERS // 2**20} million characters"
        first = read(text[:MOST_CHARACTERS])
        large = Fault("printed.large", f"The script printed more than {most}; what is behind was not read.")
        return Printed(first.value, first.text, (*first.faults, large))
    blocks = _blocks(_cleaned(text))
    if not blocks:
        message = f"The script printed no line “{BEGIN}”, so there is no JSON to read. Its transcript says what it did."
        return Printed(faults=(Fault("printed.none", message),))
    body, ended = blocks[-1]
    more: tuple[Fault, ...] = ()
    if len(blocks) > 1:
        more = (Fault("printed.several", f"JSON was printed {len(blocks)} times; the last is read."),)
    found = _whole(body)
    if found is not None:
        if not ended:
            more += (Fault("printed.end", f"The line “{END}” is missing, but the JSON before it is whole."),)
        return Printed(found[0], found[1], more)
    return _broken(body, more)


def _cleaned(text: str) -> str:
    return _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\r\n", "\n").replace("\r", "\n")


def _blocks(text: str) -> list[tuple[str, bool]]:
    """What stands after each begin line, and whether an end line closes it. A line is one alone: a transcript may echo
    the command that prints it."""
    found: list[tuple[str, bool]] = []
    lines: list[str] | None = None
    for line in text.split("\n"):
        bare = line.strip()
        if bare == BEGIN:
            if lines is not None:
                found.append(("\n".join(lines), False))
            lines = []
        elif bare == END and lines is not None:
            found.append(("\n".join(lines), True))
            lines = None
        elif lines is not None:
            lines.append(line)
    if lines is not None:
        found.append(("\n".join(lines), False))
    return found


def _whole(body: str) -> tuple[Any, str] | None:
    """The JSON of a block that is all there. A wrapped line is one piece, be it cut between two characters or at a
    space that the host then dropped."""
    for text in (body, body.replace("\n", ""), body.replace("\n", " ")):
        try:
            return json.loads(text, parse_constant=str), text
        except (ValueError, RecursionError):
            continue
    return None


def _broken(body: str, more: tuple[Fault, ...]) -> Printed:
    joined = body.replace("\n", "")
    mended = _closed(joined)
    if mended:
        try:
            value = json.loads(mended, parse_constant=str)
        except (ValueError, RecursionError):
            value = None
        if value is not None:
            share = f"{len(mended):,} of {len(joined):,} characters"
            message = f"The printed JSON breaks off or is damaged; what came before was read ({share})."
            return Printed(value, mended, (*more, Fault("printed.cut", message)))
    message = "What the script printed is no JSON. The transcript is kept as it is."
    return Printed(None, joined, (*more, Fault("printed.broken", message)))


def _closed(text: str) -> str:
    """The text up to the last object that ends in a list or an object, with every bracket closed; "" without one."""
    stack: list[str] = []
    best, closers = 0, ""
    quoted = escaped = False
    for place, letter in enumerate(text):
        if quoted:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                quoted = False
        elif letter == '"':
            quoted = True
        elif letter in "{[":
            stack.append("}" if letter == "{" else "]")
        elif letter in "}]":
            if not stack or stack.pop() != letter:
                break
            if stack:
                best, closers = place + 1, "".join(reversed(stack))
    return text[:best] + closers if best else ""
