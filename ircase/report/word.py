"""A report as DOCX (python-docx): real headings, tables whose header row repeats, alternative texts, the marking on
every page. https://python-docx.readthedocs.io/"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from docx import Document as new_docx
from docx.document import Document as Docx
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from ircase.report import shape
from ircase.report.document import WIDE, Cell, Document, Part, Piece, millimetres
from ircase.report.markdown import visible

_TONES: Final = {"good": "15803D", "warn": "92400E", "bad": "B91C1C", "soft": "475569"}
_TLP: Final = {"red": "FF2B2B", "amber": "FFC000", "amber+strict": "FFC000", "green": "33FF00", "clear": "FFFFFF"}
_HIGH: Final = 120
MOST_ROWS: Final = 3_000
"""Of one table: a word processor opens no more in a time that people wait."""


def write(made: Document, path: Path, *, folder: Path | None = None) -> None:
    """Write the file at `path`. Pictures and logo are read from `folder`."""
    out = new_docx()
    _set_up(out, made)
    if made.look.logo and folder is not None:
        picture = out.add_picture(str(folder / made.look.logo), height=Mm(14))
        _describe(picture, made.look.organisation or "Logo")
    _line(out, f"{made.kind}  ·  {made.reference}")
    out.add_heading(visible(made.title), 0)
    _parts(out.add_paragraph(), made.badges)
    if made.watermark:
        _toned(out.add_paragraph(), made.watermark, "bad")
    shown = {name: folder / f"{name}.png" for name in made.pictures} if folder is not None else {}
    for piece in (*made.cover, *made.pieces):
        _piece(out, piece, shown)
    if made.one_page:
        for text in (made.look.disclaimer, made.look.contact):
            _line(out, text)
    out.save(str(path))


def _set_up(out: Docx, made: Document) -> None:
    properties = out.core_properties
    properties.title = visible(f"{made.reference} {made.kind}")[:250]
    properties.author = visible(made.prepared_by)[:250]
    properties.language = made.language
    properties.comments = ""
    out.styles["Normal"].font.size = Pt(10)
    section = out.sections[0]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(20)
    said = [made.watermark, made.look.footer or f"{made.words['prepared']} {made.generated_at[:10]}"]
    for paragraph, words in (
        (section.header.paragraphs[0], [made.watermark, made.reference, made.kind, made.look.organisation]),
        (section.footer.paragraphs[0], said),
    ):
        paragraph.add_run(visible("  ·  ".join(word for word in words if word)) + "    ").font.size = Pt(8)
        _marking(paragraph, made)


def _marking(paragraph: Any, made: Document) -> None:
    """The TLP label: its colour on black, at the right, https://www.first.org/tlp/."""
    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = paragraph.add_run(f" {made.tlp_words} ")
    run.bold, run.font.size = True, Pt(12)
    run.font.color.rgb = RGBColor.from_string(_TLP.get(made.tlp, "FF2B2B"))
    _shade(run._r.get_or_add_rPr(), "000000")


def _shade(properties: Any, colour: str) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", colour)):
        shade.set(qn(f"w:{name}"), value)
    properties.append(shade)


def _describe(picture: Any, words: str) -> None:
    picture._inline.docPr.set("descr", visible(words)[:500])


def _line(out: Docx, text: str) -> None:
    if text:
        out.add_paragraph(visible(text))


def _toned(paragraph: Any, text: str, tone: str) -> None:
    run = paragraph.add_run(visible(text))
    run.bold = True
    run.font.color.rgb = RGBColor.from_string(_TONES[tone])


def _parts(paragraph: Any, parts: Cell, *, size: float | None = None) -> None:
    for part in parts or (Part("–"),):
        run = paragraph.add_run(visible(f"[{part.text}] " if part.look == "badge" else part.text))
        run.bold = part.look in ("strong", "badge") or None
        if part.look == "code":
            run.font.name = "Consolas"
        if part.tone in _TONES or part.look == "quiet":
            run.font.color.rgb = RGBColor.from_string(_TONES.get(part.tone, _TONES["soft"]))
        if size is not None:
            run.font.size = Pt(size - (1 if part.look in ("quiet", "code") else 0))


def _piece(out: Docx, piece: Piece, shown: Mapping[str, Path]) -> None:
    match piece.kind:
        case "heading":
            out.add_heading(visible(piece.text), piece.level)
        case "text" if piece.parts:
            _parts(out.add_paragraph(), piece.parts)
        case "prose":
            _prose(out, piece.blocks, shown)
        case "note":
            paragraph = out.add_paragraph(style="Intense Quote")
            _parts(paragraph, piece.parts)
        case "facts":
            _rows(out, piece.rows, (42, 0), ())
        case "figures":
            _rows(out, piece.rows, (30, 40, 0), ())
        case "table":
            _rows(out, piece.rows[:MOST_ROWS], piece.widths, piece.header)
            if len(piece.rows) > MOST_ROWS:
                _line(out, f"{len(piece.rows) - MOST_ROWS:,} more rows are in the PDF, the HTML and the JSON.")
        case "code":
            _code(out, piece.text)


def _code(out: Docx, text: str) -> None:
    run = out.add_paragraph(style="No Spacing").add_run(visible(text))
    run.font.name, run.font.size = "Consolas", Pt(8)


def _rows(out: Docx, rows: tuple[tuple[Cell, ...], ...], widths: tuple[int, ...], header: tuple[str, ...]) -> None:
    """Tables are written as they are in the format: python-docx looks each cell up anew, which takes hours for long
    ones."""
    if not rows and not header:
        return
    columns = len(widths)
    grid = out.add_table(rows=0, cols=columns)
    grid.style = "Light Grid Accent 1" if header else "Normal Table"
    grid.autofit = False
    sizes = millimetres(widths)
    for column, size in zip(grid.columns, sizes, strict=True):
        column.width = Mm(size)
    if header:
        first = grid.add_row()
        _repeat(first)
        for cell, name in zip(first.cells, header, strict=True):
            _parts(cell.paragraphs[0], (Part(name, "strong"),), size=8.5)
    for row in rows:
        for cell, parts, size in zip(grid.add_row().cells, row, sizes, strict=True):
            cell.width = Mm(size)
            _parts(cell.paragraphs[0], parts, size=8.5)
    out.add_paragraph()


def _repeat(row: Any) -> None:
    """A header row that stands on every page that the table goes over, and is read as one."""
    properties = row._tr.get_or_add_trPr()
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    properties.append(mark)


def _prose(out: Docx, blocks: tuple[shape.Block, ...], shown: Mapping[str, Path]) -> None:
    for block in blocks:
        if block.kind == "heading":
            _spans(out.add_heading("", min(9, block.level + 2)), block.spans)
        elif block.kind == "code":
            _code(out, "".join(span.text for span in block.spans))
        elif block.kind == "picture":
            _picture(out, block, shown)
        elif block.kind == "rule":
            out.add_paragraph("―" * 12)
        elif block.kind == "row":
            _spans(out.add_paragraph(), _joined(block))
        else:
            style = {"item": "List Bullet" if block.marker in ("•", "") else None, "quote": "Quote"}.get(block.kind)
            paragraph = out.add_paragraph(style=style)
            if block.kind == "item":
                paragraph.paragraph_format.left_indent = Mm(6 * block.level)
                paragraph.add_run(f"{block.marker} " if style is None else "")
            _spans(paragraph, block.spans)


def _picture(out: Docx, block: shape.Block, shown: Mapping[str, Path]) -> None:
    words = "".join(span.text for span in block.spans)
    if block.marker in shown:
        picture = out.add_picture(str(shown[block.marker]))
        scale = min(1.0, Mm(WIDE) / picture.width, Mm(_HIGH) / picture.height)
        picture.width, picture.height = int(picture.width * scale), int(picture.height * scale)
        _describe(picture, words)
    _line(out, f"{block.marker}  {words}")


def _joined(block: shape.Block) -> tuple[shape.Span, ...]:
    parted: list[shape.Span] = []
    for cell in block.cells:
        parted += [shape.Span("  ·  "), *cell] if parted else list(cell)
    return tuple(parted)


def _spans(paragraph: Any, spans: tuple[shape.Span, ...]) -> None:
    """Links keep their address in brackets: what a text leads to is seen before it is opened."""
    for span in spans:
        run = paragraph.add_run(visible(span.text + (f" <{span.url}>" if span.url and span.url != span.text else "")))
        run.bold, run.italic = span.style == "strong" or None, span.style == "emph" or None
        if span.style == "code":
            run.font.name = "Consolas"
