"""What people wrote in markdown, as blocks that a template can set: no markup of theirs reaches the typesetter."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ircase.report.shape import Block, Prose, Span
from ircase.report.words import whole

MOST_CHARACTERS = 60_000
_PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table")
_STYLES = {"strong_open": "strong", "em_open": "emph"}
_PICTURE = re.compile(r"E-?(\d{1,6})")
_SCHEMES = ("http", "https", "mailto")


@dataclass
class _Place:
    """Where the walk is: the lists that are open, and what kind the next text is of."""

    lists: list[int | None] = field(default_factory=list)
    kind: str = "paragraph"
    level: int = 0
    quotes: int = 0
    marker: str = ""
    cells: list[tuple[Span, ...]] = field(default_factory=list)


def prose(text: str) -> Prose:
    """`text` and its blocks. Text beyond MOST_CHARACTERS is left out with a sentence that says so."""
    kept = text.strip()
    if len(kept) > MOST_CHARACTERS:
        begun = whole(kept, MOST_CHARACTERS)
        kept = f"{begun}\n\n[{len(kept) - len(begun):,} more characters are in IRCase.]"
    return Prose(kept, tuple(_blocks(_PARSER.parse(kept))))


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    place = _Place()
    for token in tokens:
        _enter(place, token)
        if token.type == "inline":
            spans = tuple(_spans(token.children or []))
            if place.kind == "cell":
                place.cells.append(spans)
            else:
                yield from _inline(place, spans, token.children or [])
        elif token.type in ("fence", "code_block"):
            yield Block("code", (Span(token.content.rstrip("\n")),))
        elif token.type == "hr":
            yield Block("rule")
        elif token.type == "tr_close":
            yield Block("row", cells=tuple(place.cells))
            place.cells = []


def _inline(place: _Place, spans: tuple[Span, ...], tokens: Sequence[Token]) -> Iterator[Block]:
    """The text, and below it the pictures of exhibits that stand in it."""
    if any(span.text.strip() for span in spans):
        yield _text_block(place, spans)
    for token in tokens:
        if label := _exhibit(token):
            yield Block("picture", (Span(token.content or label),), marker=label)


def _exhibit(token: Token) -> str:
    """The exhibit of a picture, as people write it: `![words](E12)`; "" for anything else."""
    found = _PICTURE.fullmatch(str(token.attrGet("src") or "")) if token.type == "image" else None
    return f"E{int(found[1]):03d}" if found else ""


def _text_block(place: _Place, spans: tuple[Span, ...]) -> Block:
    if place.kind == "heading":
        return Block("heading", spans, level=place.level)
    if place.lists:
        marker, place.marker = place.marker, ""
        return Block("item", spans, level=len(place.lists), marker=marker)
    return Block("quote" if place.quotes else "paragraph", spans)


def _enter(place: _Place, token: Token) -> None:
    """Follow the structure: which block the text to come stands in."""
    match token.type:
        case "heading_open":
            place.kind, place.level = "heading", min(3, int(token.tag[1]))
        case "paragraph_open":
            place.kind = "paragraph"
        case "th_open" | "td_open":
            place.kind = "cell"
        case "bullet_list_open":
            place.lists.append(None)
        case "ordered_list_open":
            place.lists.append(int(token.attrGet("start") or 1))
        case "bullet_list_close" | "ordered_list_close":
            place.lists.pop()
        case "list_item_open":
            number = place.lists[-1]
            place.marker = "•" if number is None else f"{number}."
            place.lists[-1] = None if number is None else number + 1
        case "blockquote_open" | "blockquote_close":
            place.quotes += token.nesting


def _spans(tokens: Sequence[Token]) -> Iterator[Span]:
    style: list[str] = []
    url = ""
    for token in tokens:
        if _exhibit(token):
            continue
        if token.type in _STYLES:
            style.append(_STYLES[token.type])
        elif token.type in ("strong_close", "em_close"):
            style.pop()
        elif token.type == "link_open":
            url = _safe(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            url = ""
        else:
            yield replace(_leaf(token, style[-1] if style else ""), url=url)


def _leaf(token: Token, style: str) -> Span:
    if token.type == "code_inline":
        return Span(token.content, "code")
    if token.type == "hardbreak":
        return Span("\n")
    if token.type == "softbreak":
        return Span(" ", style)
    return Span(f"[picture: {token.content}]" if token.type == "image" else token.content, style)


def _safe(url: str) -> str:
    try:
        return url if urlsplit(url).scheme in _SCHEMES else ""
    except ValueError:
        return ""
