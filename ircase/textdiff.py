"""Two texts side by side, line by line, with what differs inside a line marked."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

Kind = Literal["same", "changed", "removed", "added", "skipped"]
MAX_LINES: Final = 5_000
_WORD: Final = re.compile(r"\w+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A piece of a line; `marked` where the other side has something else there."""

    text: str
    marked: bool = False


@dataclass(frozen=True)
class Line:
    """One row of the two columns. A number is None where that side has no line; `skipped` counts equal lines that are
    left out."""

    kind: Kind
    left_number: int | None = None
    left: tuple[Part, ...] = ()
    right_number: int | None = None
    right: tuple[Part, ...] = ()
    skipped: int = 0


def side_by_side(left: str, right: str, *, context: int | None = None) -> list[Line]:
    """The rows; with `context`, only that many equal lines around each change. Beyond MAX_LINES lines are compared as
    one block: the texts are then shown whole, each on its side."""
    before, after = left.splitlines(), right.splitlines()
    found = list(_rows(before, after))
    return found if context is None else list(_near_changes(found, context))


def changed(lines: Sequence[Line]) -> bool:
    """Whether the two texts differ in a line."""
    return any(line.kind != "same" for line in lines if line.kind != "skipped")


def _rows(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    for tag, a, b, c, d in _opcodes(before, after):
        for step in range(max(b - a, d - c)):
            old, new = a + step if a + step < b else None, c + step if c + step < d else None
            if tag == "equal":
                text = (Part(before[a + step]),)
                yield Line("same", a + step + 1, text, c + step + 1, text)
            elif old is None or new is None:
                yield _alone(before, after, old, new)
            else:
                one, two = _words(before[old], after[new])
                yield Line("changed", old + 1, one, new + 1, two)


def _opcodes(before: Sequence[str], after: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(before) + len(after) > MAX_LINES:
        return [("equal" if before == after else "replace", 0, len(before), 0, len(after))]
    return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _alone(before: Sequence[str], after: Sequence[str], old: int | None, new: int | None) -> Line:
    if old is not None:
        return Line("removed", left_number=old + 1, left=(Part(before[old]),))
    assert new is not None
    return Line("added", right_number=new + 1, right=(Part(after[new]),))


def _words(old: str, new: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both lines in parts. Lines that have little in common are not picked apart: that would not be readable."""
    one, two = _WORD.findall(old[:2000]), _WORD.findall(new[:2000])
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if len(old) > 2000 or len(new) > 2000 or matcher.ratio() < 0.4:
        return (Part(old, marked=True),), (Part(new, marked=True),)
    left, right = [], []
    for tag, a, b, c, d in matcher.get_opcodes():
        left.append(Part("".join(one[a:b]), tag != "equal"))
        right.append(Part("".join(two[c:d]), tag != "equal"))
    return tuple(p for p in left if p.text), tuple(p for p in right if p.text)


def _near_changes(lines: Sequence[Line], context: int) -> Iterator[Line]:
    near: set[int] = set()
    for at, line in enumerate(lines):
        if line.kind != "same":
            near.update(range(at - context, at + context + 1))
    left_out = 0
    for at, line in enumerate(lines):
        if at in near:
            if left_out:
                yield Line("skipped", skipped=left_out)
            left_out = 0
            yield line
        else:
            left_out += 1
    if left_out:
        yield Line("skipped", skipped=left_out)
