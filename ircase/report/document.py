"""A report as a document: pieces in order, before any format. Every format prints the same pieces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ircase.report.shape import Block

BREAK = "\n"
WIDE = 170
"""Millimetres of A4 between the margins."""
_NARROWEST = 18


@dataclass(frozen=True)
class Part:
    """A stretch of text: `look` is "", strong, quiet, code, badge; `tone` is "", good, warn, bad, soft."""

    text: str
    look: str = ""
    tone: str = ""
    url: str = ""


Cell = tuple[Part, ...]


@dataclass(frozen=True)
class Piece:
    """One thing of a document. `kind` says which fields count:

    heading (text, level, listed) · text (parts) · prose (blocks) · note (parts, tone) · facts (rows of two cells) ·
    table (header, widths in millimetres with 0 for "the rest", rows) · code (text) · figures (rows of name, value,
    words).
    """

    kind: str
    text: str = ""
    level: int = 0
    tone: str = ""
    listed: bool = True
    parts: Cell = ()
    blocks: tuple[Block, ...] = ()
    header: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True)
class Look:
    """The organisation's own, with the fields of its texts filled in. `logo` is the name of a PNG beside the data."""

    organisation: str = ""
    accent: str = "#1d4ed8"
    cover: str = ""
    footer: str = ""
    disclaimer: str = ""
    contact: str = ""
    logo: str = ""


@dataclass(frozen=True)
class Document:
    """`watermark` is the word across every page, "" for a final version. `one_page` shrinks the text until it fits.
    `pictures` are the exhibits of which a picture, as in E012.png, lies beside it."""

    reference: str
    title: str
    kind: str
    language: str
    tlp: str
    tlp_words: str
    generated_at: str
    prepared_by: str
    watermark: str
    one_page: bool
    words: Mapping[str, str]
    badges: Cell = ()
    cover: tuple[Piece, ...] = ()
    pieces: tuple[Piece, ...] = ()
    look: Look = field(default_factory=Look)
    pictures: tuple[str, ...] = ()


def heading(text: str, level: int = 1, *, listed: bool = True) -> Piece:
    return Piece("heading", text=text, level=level, listed=listed)


def note(text: str, tone: str = "soft") -> Piece:
    return Piece("note", parts=(Part(text),), tone=tone)


def paragraph(*things: Any) -> Piece:
    return Piece("text", parts=cell(*things))


def code_block(text: str) -> Piece:
    return Piece("code", text=text)


def prose(blocks: tuple[Block, ...]) -> Piece:
    return Piece("prose", blocks=blocks)


def facts(rows: Iterable[tuple[str, Any]]) -> Piece:
    """Those that have a value."""
    kept = [(name, cell(value)) for name, value in rows]
    return Piece("facts", rows=tuple((cell(name), value) for name, value in kept if any(part.text for part in value)))


def table(header: tuple[str, ...], widths: tuple[int, ...], rows: Iterable[tuple[Any, ...]]) -> Piece:
    return Piece("table", header=header, widths=widths, rows=tuple(tuple(cell(one) for one in row) for row in rows))


def millimetres(widths: tuple[int, ...]) -> list[float]:
    """How wide each column of a table is: what is 0 shares what is left."""
    rest, count = WIDE - sum(widths), widths.count(0)
    return [float(width) or max(_NARROWEST, rest / count) for width in widths]


def cell(*things: Any) -> Cell:
    """Texts and parts one after the other; None and "" say nothing."""
    made: list[Part] = []
    for thing in things:
        if isinstance(thing, tuple):
            made += cell(*thing)
        elif isinstance(thing, Part):
            made += [thing] if thing.text else []
        elif thing not in (None, ""):
            made.append(Part(str(thing)))
    return tuple(made)


def stack(*things: Any) -> Cell:
    """Each thing that says something on a line of its own."""
    made: list[Part] = []
    for thing in things:
        if one := cell(thing):
            made += [Part(BREAK), *one] if made else one
    return tuple(made)


def strong(text: str) -> Part:
    return Part(text, "strong")


def quiet(text: str) -> Part:
    return Part(text, "quiet")


def mono(text: str) -> Part:
    return Part(text, "code")


def badge(text: str, tone: str = "soft") -> Part:
    return Part(text, "badge", tone)


def at(value: str) -> str:
    """`2026-03-01T09:30:00Z` as people read it; the page says that it is UTC."""
    return value.replace("T", " ").removesuffix("Z")


_TONES: Mapping[str, str] = {
    **dict.fromkeys(("done", "verified", "benign", "clean", "recovered", "approved", "confirmed by receiver"), "good"),
    **dict.fromkeys(("partial", "suspicious", "suspected", "open", "expired", "running"), "warn"),
    **dict.fromkeys(("confirmed", "malicious", "failed", "altered", "missing", "rejected", "refused", "missed"), "bad"),
}


def tone(word: str) -> str:
    return _TONES.get(word.lower(), "soft")


def state(word: str) -> Part:
    return badge((word[:1].upper() + word[1:]).replace("_", " "), tone(word))


def named(name: str) -> str:
    """A key of an app's own detail as words."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
