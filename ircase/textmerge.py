"""Three texts become one: what two people made of the same page, line by line, with the places where both wrote."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, Literal

Kind = Literal["same", "theirs", "mine", "both", "conflict"]
Side = Literal["theirs", "mine", "both"]
SIDES: Final[tuple[Side, ...]] = ("theirs", "mine", "both")
MAX_LINES: Final = 5_000
BEGIN, MIDDLE, END = "<<<<<<< ", "=======", ">>>>>>> "


@dataclass(frozen=True)
class Piece:
    """A run of lines. same: nobody changed it; theirs, mine: one of the two did; both: both did alike; conflict: both
    did, each in their own way. `number` counts conflicts from 1 and is 0 elsewhere."""

    kind: Kind
    base: tuple[str, ...]
    theirs: tuple[str, ...]
    mine: tuple[str, ...]
    number: int = 0


@dataclass(frozen=True)
class Row:
    """A line of each text; None where a text has none there. `first` opens a piece; `skipped` counts equal lines left
    out."""

    kind: Kind
    base: str | None = None
    theirs: str | None = None
    mine: str | None = None
    number: int = 0
    first: bool = False
    skipped: int = 0


def merge(base: str, theirs: str, mine: str) -> list[Piece]:
    """The pieces in order; lines end in a line feed. Of texts with more than MAX_LINES lines, all that is not equal at
    their beginning and end is one piece."""
    texts = base.split("\n"), theirs.split("\n"), mine.split("\n")
    found: list[Piece] = []
    conflicts = 0
    for kind, old, one, other in _pieces(*texts):
        conflicts += kind == "conflict"
        found.append(Piece(kind, tuple(old), tuple(one), tuple(other), conflicts if kind == "conflict" else 0))
    return found


def conflicts_of(pieces: Sequence[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.kind == "conflict"]


def text_of(pieces: Sequence[Piece], choices: Mapping[int, Side], theirs: str = "theirs", mine: str = "yours") -> str:
    """The merged text. A conflict takes the side that `choices` has for its number; where it has none, both texts
    stand between marks that name them by `theirs` and `mine`."""
    lines: list[str] = []
    for piece in pieces:
        if piece.kind != "conflict":
            lines += piece.theirs if piece.kind in ("theirs", "both") else piece.mine
            continue
        match choices.get(piece.number):
            case "theirs":
                lines += piece.theirs
            case "mine":
                lines += piece.mine
            case "both":
                lines += [*piece.theirs, *piece.mine]
            case _:
                lines += [f"{BEGIN}{theirs}", *piece.theirs, MIDDLE, *piece.mine, f"{END}{mine}"]
    return "\n".join(lines)


def has_marks(text: str) -> bool:
    """Whether a conflict was left as it stood."""
    return any(line.startswith((BEGIN, END)) for line in text.splitlines())


def rows(pieces: Sequence[Piece], context: int = 3) -> Iterator[Row]:
    """The three texts side by side, with `context` equal lines around each change."""
    last = len(pieces) - 1
    for at, piece in enumerate(pieces):
        lines = list(zip_longest(piece.base, piece.theirs, piece.mine))
        before, after = (0 if at == 0 else context), (0 if at == last else context)
        hidden = len(lines) - before - after
        for place, (base, theirs, mine) in enumerate(lines):
            if piece.kind == "same" and hidden > 1 and before <= place < len(lines) - after:
                if place == before:
                    yield Row("same", skipped=hidden)
                continue
            yield Row(piece.kind, base, theirs, mine, piece.number, place == 0)


def _pieces(
    base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]
) -> Iterator[tuple[Kind, Sequence[str], Sequence[str], Sequence[str]]]:
    b = t = m = 0
    for base_at, theirs_at, mine_at, length in _anchors(base, theirs, mine):
        old, one, other = base[b:base_at], theirs[t:theirs_at], mine[m:mine_at]
        if old or one or other:
            yield _kind(old, one, other), old, one, other
        if length:
            same = base[base_at : base_at + length]
            yield "same", same, same, same
        b, t, m = base_at + length, theirs_at + length, mine_at + length


def _kind(base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]) -> Kind:
    if theirs == mine:
        return "both"
    if theirs == base:
        return "mine"
    return "theirs" if mine == base else "conflict"


def _anchors(base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Runs of lines that all three share: where each begins in base, theirs and mine, and how long it is. The last is
    of no length, at the ends."""
    ours = _blocks(base, mine)
    at = 0
    for start, theirs_at, length in _blocks(base, theirs):
        end = start + length
        while at < len(ours) and ours[at][0] < end:
            other, mine_at, size = ours[at]
            low, high = max(start, other), min(end, other + size)
            if low < high:
                yield low, theirs_at + low - start, mine_at + low - other, high - low
            if other + size > end:
                break
            at += 1
    yield len(base), len(theirs), len(mine), 0


def _blocks(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int, int]]:
    """Where the two are equal: equal beginnings and ends first, which makes long texts quick."""
    shortest = min(len(one), len(other))
    head = next((n for n in range(shortest) if one[n] != other[n]), shortest)
    rest = shortest - head
    tail = next((n for n in range(rest) if one[-1 - n] != other[-1 - n]), rest)
    found = [(0, 0, head)]
    middle = one[head : len(one) - tail], other[head : len(other) - tail]
    if all(middle) and len(middle[0]) + len(middle[1]) <= MAX_LINES:
        blocks = SequenceMatcher(None, *middle, autojunk=False).get_matching_blocks()
        found += [(block.a + head, block.b + head, block.size) for block in blocks]
    return [block for block in [*found, (len(one) - tail, len(other) - tail, tail)] if block[2]]
