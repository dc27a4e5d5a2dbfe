"""A report as Markdown: the PDF's twin for wikis, mail and version control."""

from collections.abc import Iterable, Iterator
from typing import TextIO
from urllib.parse import quote

from ircase.report import document, shape

_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_{}[]<>#|~"})
_HIDDEN = {code: f"[U+{code:04X}]" for code in [*range(9), 11, 12, *range(14, 32), 127, *range(0x80, 0xA0)]}
_HIDDEN |= {
    code: f"[U+{code:04X}]" for code in [*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
}
_HIDDEN |= {code: f"[U+{code:04X}]" for code in [*range(0xD800, 0xE000), 0xFEFF, 0xFFFE, 0xFFFF]}


def write(made: document.Document, out: TextIO) -> None:
    """Write it line by line, so that thousands of events are never one string."""
    for line in _report(made):
        out.write(line + "\n")


def visible(text: str) -> str:
    """`text` with every character that a reader would not see named: what HTML and DOCX write too."""
    return text.translate(_HIDDEN)


def inline(text: str) -> str:
    """One line in which nothing is markup."""
    return " ".join(text.translate(_HIDDEN).translate(_SPECIAL).split())


def fenced(text: str) -> Iterator[str]:
    """A code block that `text` cannot close."""
    shown = text.replace("\r\n", "\n").translate(_HIDDEN)
    ticks = max((len(run) for run in _runs(shown)), default=0)
    fence = "`" * max(3, ticks + 1)
    yield from (fence, *shown.split("\n"), fence, "")


def _runs(text: str) -> Iterator[str]:
    run = ""
    for letter in text:
        run = run + letter if letter == "`" else ""
        if run:
            yield run


def table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]], none: str) -> Iterator[str]:
    """A pipe table; `none` in its place when there is no row."""
    begun = False
    for row in rows:
        if not begun:
            yield f"| {' | '.join(inline(name) for name in header)} |"
            yield f"|{'---|' * len(header)}"
            begun = True
        yield f"| {' | '.join(_cell(cell) or '–' for cell in row)} |"
    if not begun:
        yield f"_{none}_"
    yield ""


def _cell(cell: object) -> str:
    return line_of(cell) if isinstance(cell, tuple) else inline("" if cell is None else str(cell))


def line_of(parts: document.Cell) -> str:
    """A cell on one line; what stood on lines of their own is parted by a dot."""
    return " ".join(_part(part) if part.text != document.BREAK else "·" for part in parts).strip(" ·")


def _part(part: document.Part) -> str:
    text = inline(part.text)
    return f"**{text}**" if part.look in ("strong", "badge") and text else text


def _report(made: document.Document) -> Iterator[str]:
    yield from (f"# {inline(made.reference)} {inline(made.title)}", "")
    yield from (f"**{inline(made.kind)}** · **{inline(made.tlp_words)}** · {line_of(made.badges)}", "")
    if made.watermark:
        yield from (f"> **{inline(made.watermark)}**", "")
    if made.look.organisation:
        yield from (inline(made.look.organisation), "")
    for piece in (*made.cover, *made.pieces):
        yield from _piece(piece)
    if made.one_page:
        yield from (inline(text) + "\n" for text in (made.look.disclaimer, made.look.contact) if text)
    if made.look.footer:
        yield from ("---", "", inline(made.look.footer))


def _piece(piece: document.Piece) -> Iterator[str]:
    match piece.kind:
        case "heading":
            yield from (f"{'#' * (piece.level + 1)} {inline(piece.text)}", "")
        case "text":
            yield from (line_of(piece.parts), "") if piece.parts else ()
        case "prose":
            yield from prose_lines(piece.blocks)
        case "note":
            yield from (f"> {line}" for line in _lines(piece.parts))
            yield ""
        case "facts":
            yield from (f"- **{line_of(name)}:** {line_of(value)}" for name, value in piece.rows)
            yield ""
        case "figures":
            yield from (
                f"- **{line_of(name)}:** {line_of(value)} ({line_of(words)})" for name, value, words in piece.rows
            )
            yield ""
        case "table":
            yield from table(piece.header, piece.rows, "")
        case "code":
            yield from fenced(piece.text)


def _lines(parts: document.Cell) -> Iterator[str]:
    line: list[document.Part] = []
    for part in parts:
        if part.text == document.BREAK:
            yield line_of(tuple(line))
            line = []
        else:
            line.append(part)
    yield line_of(tuple(line))


def prose_lines(blocks: tuple[shape.Block, ...]) -> Iterator[str]:
    """From the blocks, so that raw HTML which a person wrote stays text in whatever shows this file."""
    before = ""
    for block in blocks:
        spans = "".join(_span(span) for span in block.spans)
        match block.kind:
            case "heading":
                yield from (f"{'#' * (block.level + 2)} {spans}", "")
            case "item":
                yield f"{'   ' * (block.level - 1)}{'-' if block.marker in ('•', '') else inline(block.marker)} {spans}"
            case "code":
                yield from ("", *fenced("".join(span.text for span in block.spans)))
            case "row":
                yield from ("",) if before != "row" else ()
                yield f"| {' | '.join(''.join(_span(span) for span in cell) for cell in block.cells)} |"
                yield from (f"|{'---|' * len(block.cells)}",) if before != "row" else ()
            case "picture":
                yield from ("", f"_[{inline(block.marker)}: {spans}]_", "")
            case "rule":
                yield from ("", "---", "")
            case _:
                yield from ("", f"{'> ' if block.kind == 'quote' else ''}{spans}", "")
        before = block.kind
    yield ""


def _span(span: shape.Span) -> str:
    if span.text == "\n":
        return "  \n"
    edge = (" " * span.text.startswith(" "), " " * (span.text.endswith(" ") and bool(span.text.strip())))
    text = inline(span.text)
    marked = {"strong": f"**{text}**", "emph": f"*{text}*"}.get(span.style, text) if text else ""
    url = quote(span.url, safe=":/?#@!$&'*+,;=%~", errors="replace")
    return edge[0] + (f"[{marked}](<{url}>)" if url else marked) + edge[1]
