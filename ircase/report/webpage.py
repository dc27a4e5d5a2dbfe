"""A report as one HTML file: nothing from outside, no script, its own policy; for the screen, dark too, and paper."""

import base64
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TextIO

from ircase.report import shape
from ircase.report.document import Cell, Document, Part, Piece, millimetres
from ircase.report.markdown import visible

# The style is inline, so that one file is all; everything else is refused, whoever serves the file.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
:root{color-scheme:light dark;--ink:#111827;--soft:#475569;--line:#cbd5e1;--ground:#fff;--paper:#f1f5f9;
--good:#15803d;--warn:#92400e;--bad:#b91c1c;--accent:ACCENT}
@media screen and (prefers-color-scheme:dark){:root{
--ink:#e5e7eb;--soft:#a8b3c4;--line:#475569;--ground:#0f172a;--paper:#1e293b;
--good:#4ade80;--warn:#fbbf24;--bad:#fca5a5;--accent:var(--ink)}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--ground);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1,h2,h3,h4{line-height:1.25}h2{color:var(--accent);border-bottom:1px solid var(--line);margin-top:2.5rem}
a{color:inherit}table{border-collapse:collapse;width:100%;font-size:.875rem;table-layout:fixed}
th,td{text-align:start;vertical-align:top;padding:.4rem .5rem;border-bottom:1px solid var(--line)}
th{background:var(--paper);color:var(--soft)}
.scroll{overflow-x:auto}.tlp{background:#000;color:TLP;font-weight:700;padding:.15rem .5rem;white-space:nowrap}
.quiet{color:var(--soft);font-size:.9em}.badge{border:1px solid;border-radius:.25rem;padding:0 .3rem;font-size:.8em;
font-weight:700;white-space:nowrap}
code,pre{font-family:ui-monospace,monospace;font-size:.85em}
pre{background:var(--paper);border-inline-start:3px solid var(--line);padding:.75rem;white-space:pre-wrap}
.note{background:var(--paper);border-radius:.4rem;padding:.75rem;border-inline-start:4px solid var(--line);
margin:1rem 0}
.note.good{border-color:var(--good)}.note.warn{border-color:var(--warn)}.note.bad{border-color:var(--bad)}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.note.good,.note.warn,.note.bad{color:inherit}
dl{display:grid;grid-template-columns:minmax(8rem,14rem) 1fr;gap:.35rem 1rem}dt{color:var(--soft)}dd{margin:0}
.figures{display:flex;flex-wrap:wrap;gap:.75rem;padding:0;list-style:none}
.figures li{background:var(--paper);border-radius:.4rem;padding:.75rem;flex:1 1 10rem}
.figures strong{display:block;font-size:1.4rem}.draft{border:3px double var(--bad);color:var(--bad);text-align:center;
font-weight:700;padding:.5rem}
header img{max-height:4rem;float:inline-end}figure{margin:1rem 0}figure img{max-width:100%;height:auto}
@media (max-width:40rem){body{padding:1rem}dl{grid-template-columns:1fr}}
@media print{body{max-width:none;padding:0;font-size:10pt}h2{break-after:avoid}tr,.note{break-inside:avoid}
.scroll{overflow:visible}table{min-width:0!important}}
"""
_REM_PER_MM = 0.28  # a date fits the 24 mm that it has on paper
_TLP = {"red": "#ff2b2b", "amber": "#ffc000", "amber+strict": "#ffc000", "green": "#33ff00", "clear": "#fff"}


def write(made: Document, out: TextIO, *, folder: Path | None = None) -> None:
    """Write it piece by piece. Pictures and logo are read from `folder`."""
    for text in _page(made, folder):
        out.write(text)


def _text(text: str) -> str:
    return escape(visible(text)).replace("\n", "<br>")


def _page(made: Document, folder: Path | None) -> Iterator[str]:
    style = _STYLE.replace("ACCENT", made.look.accent).replace("TLP", _TLP.get(made.tlp, "#ff2b2b"))
    title = f"{_text(made.reference)} {_text(made.kind)}"
    yield f'<!doctype html>\n<html lang="{escape(made.language)}"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
    yield f"<title>{title}</title><style>{style}</style></head><body>\n<header>"
    if made.look.logo and folder is not None:
        yield f'<img src="{_data(folder / made.look.logo)}" alt="{_text(made.look.organisation) or "Logo"}">'
    yield f'<p><span class="tlp">{_text(made.tlp_words)}</span></p><p>{title}</p><h1>{_text(made.title)}</h1>'
    yield f"<p>{' '.join(map(_part, made.badges))}</p></header>\n<main>"
    if made.watermark:
        yield f'<p class="draft">{_text(made.watermark)}</p>'
    shown = {name: folder / f"{name}.png" for name in made.pictures} if folder is not None else {}
    for piece in (*made.cover, *made.pieces):
        yield from _piece(piece, shown)
    yield "</main>\n<footer>"
    if made.one_page:
        yield from (f"<p>{_text(text)}</p>" for text in (made.look.disclaimer, made.look.contact) if text)
    words = made.look.footer or f"{made.words['prepared']} {made.generated_at[:10]}"
    yield f'<p>{_text(words)} <span class="tlp">{_text(made.tlp_words)}</span></p></footer></body></html>\n'


def _data(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _cell(parts: Cell) -> str:
    return "".join(map(_part, parts)) or "–"


def _part(part: Part) -> str:
    text = _text(part.text)
    tone = f" {part.tone}" if part.tone else ""
    match part.look:
        case "strong":
            made = f'<strong class="{tone.strip()}">{text}</strong>' if tone else f"<strong>{text}</strong>"
        case "quiet" | "badge":
            made = f'<span class="{part.look}{tone}">{text}</span>'
        case "code":
            made = f"<code>{text}</code>"
        case _:
            made = f'<span class="{part.tone}">{text}</span>' if tone else text
    return f'<a href="{escape(part.url)}" rel="noreferrer">{made}</a>' if part.url else made


def _piece(piece: Piece, shown: Mapping[str, Path]) -> Iterator[str]:
    match piece.kind:
        case "heading":
            yield f"\n<h{piece.level + 1}>{_text(piece.text)}</h{piece.level + 1}>"
        case "text" if piece.parts:
            yield f"<p>{_cell(piece.parts)}</p>"
        case "prose":
            yield from _prose(piece.blocks, shown)
        case "note":
            yield f'<div class="note {piece.tone}">{_cell(piece.parts)}</div>'
        case "facts":
            yield "<dl>"
            yield from (f"<dt>{_cell(name)}</dt><dd>{_cell(value)}</dd>" for name, value in piece.rows)
            yield "</dl>"
        case "figures":
            yield '<ul class="figures">'
            for name, value, words in piece.rows:
                yield f'<li>{_cell(name)}<strong>{_cell(value)}</strong><span class="quiet">{_cell(words)}</span></li>'
            yield "</ul>"
        case "table":
            yield from _table(piece)
        case "code":
            yield f'<pre tabindex="0">{escape(visible(piece.text))}</pre>'


def _table(piece: Piece) -> Iterator[str]:
    names = "".join(f'<th scope="col">{_text(name)}</th>' for name in piece.header)
    # As wide to each other as on paper; a narrow screen moves the table sideways instead of breaking every word.
    sizes = millimetres(piece.widths)
    columns = "".join(f'<col style="width:{size / sum(sizes):.1%}">' for size in sizes)
    wide = f"{sum(sizes) * _REM_PER_MM:.0f}rem"
    yield f'<div class="scroll" tabindex="0"><table style="min-width:{wide}"><colgroup>{columns}</colgroup>'
    yield f"<thead><tr>{names}</tr></thead><tbody>"
    for row in piece.rows:
        yield f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>\n"
    yield "</tbody></table></div>"


def _prose(blocks: tuple[shape.Block, ...], shown: Mapping[str, Path]) -> Iterator[str]:
    for block in blocks:
        text = _spans(block.spans)
        match block.kind:
            case "heading":
                yield f"<h{block.level + 3}>{text}</h{block.level + 3}>" if block.level < 4 else f"<p>{text}</p>"
            case "item":
                yield f'<p style="padding-inline-start:{block.level * 1.25}rem">{_text(block.marker or "•")} {text}</p>'
            case "quote":
                yield f"<blockquote>{text}</blockquote>"
            case "code":
                yield f'<pre tabindex="0">{escape(visible("".join(span.text for span in block.spans)))}</pre>'
            case "picture" if block.marker in shown:
                words = "".join(span.text for span in block.spans)
                source, caption = _data(shown[block.marker]), f"{_text(block.marker)} {text}"
                yield f'<figure><img src="{source}" alt="{_text(words)}"><figcaption>{caption}</figcaption></figure>'
            case "picture":
                yield f"<p>[{_text(block.marker)}: {text}]</p>"
            case "rule":
                yield "<hr>"
            case "row":
                yield f"<p>{'  ·  '.join(_spans(cell) for cell in block.cells)}</p>"
            case _:
                yield f"<p>{text}</p>"


def _spans(spans: tuple[shape.Span, ...]) -> str:
    tags = {"strong": "strong", "emph": "em", "code": "code"}
    made = []
    for span in spans:
        text, tag = _text(span.text), tags.get(span.style, "")
        text = f"<{tag}>{text}</{tag}>" if tag else text
        made.append(f'<a href="{escape(span.url)}" rel="noreferrer">{text}</a>' if span.url else text)
    return "".join(made)
