"""A notebook as Markdown: out, with the first rows of each result and where the rest is sealed; and in again."""

import re
from collections.abc import Iterator
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from markdown_it import MarkdownIt

from hunting.models import Cell, Notebook, Source
from hunting.services.notebooks.editing import MAX_CELLS, Draft, add_cell, create_notebook
from hunting.services.notebooks.previews import preview
from hunting.services.notebooks.running import is_behind
from ircase.models import Case, User
from ircase.report.markdown import fenced, inline, table
from ircase.services import log

MAX_FILE: Final = 2 * 2**20
_BEGIN, _END = "<!-- result of the run: begin -->", "<!-- result of the run: end -->"
_RESULT: Final = re.compile(rf"^{re.escape(_BEGIN)}$.*?(?:^{re.escape(_END)}$|\Z)", re.MULTILINE | re.DOTALL)
_SETTING: Final = re.compile(r"\b(name|source|span|as_of)=(?:\"([^\"]{0,80})\"|(\S{1,80}))")
_TAG: Final = re.compile(r"(?i)\{?\.?(?:kusto(?:ql)?|kql|csl)\b")
_PARSER: Final = MarkdownIt("commonmark", {"html": True, "maxNesting": 20})


def to_markdown(notebook: Notebook, actor: User) -> Iterator[str]:
    """The file, line by line. The log hears of it first, custody of every result whose rows are in it."""
    log.record(
        "notebook.exported",
        case=notebook.case,
        actor=actor,
        title=notebook.title,
        notebook=str(notebook.uuid),
    )
    yield from (f"# {inline(notebook.title)}", "")
    for cell in notebook.cells.there().with_results():
        if cell.is_kql:
            yield from _query(cell)
            yield from _result(cell, actor)
        elif cell.text.strip():
            yield from (*cell.text.strip().split("\n"), "")


def _query(cell: Cell) -> Iterator[str]:
    settings = [f"source={cell.source}", f'span="{cell.span}"', f'as_of="{cell.as_of}"']
    opened, *rest = fenced(cell.text)
    yield f"{opened}kql {' '.join([f'name={cell.name}', *settings] if cell.name else settings)}"
    yield from rest


def _result(cell: Cell, actor: User) -> Iterator[str]:
    if cell.last is None:
        return
    run = cell.last.run
    run.case = run.activity.case = cell.notebook.case
    shown = preview(run, actor)
    yield from (_BEGIN, "")
    stale = " The query has changed since." if cell.is_stale or is_behind(cell) else ""
    said = run.activity.outcome or run.get_state_display()
    yield from (f"_{inline(f'{said}. {Source(run.source).label}, run {run.uuid}.{stale}')}_", "")
    if run.evidence is not None:
        yield from (f"Exhibit {run.evidence.exhibit}, SHA-256 `{run.evidence.sha256}`", "")
    if shown.rows:
        header = tuple(inline(column.name) for column in shown.columns)
        yield from table(header, shown.rows, "No rows.")
        more = shown.total - len(shown.rows)
        yield from (f"_{more:,} more rows are in the exhibit._", "") if more else ()
    yield from (_END, "")


def read_markdown(text: str) -> list[tuple[str, Draft]]:
    """Kind and draft of each cell: fences of KQL are queries, what stands between them is markdown, and results that a
    notebook wrote are left out. Raises ValidationError."""
    if len(text) > MAX_FILE or "\x00" in text:
        raise ValidationError({"text": f"A file of at most {MAX_FILE // 2**20} MB of text, without NUL, is read."})
    text = _RESULT.sub("", text.replace("\r\n", "\n"))
    lines, after, cells = text.split("\n"), 0, list[tuple[str, Draft]]()
    for token in _PARSER.parse(text):
        if token.type != "fence" or token.map is None or token.level or not _TAG.match(token.info):
            continue
        start, end = token.map
        cells += _prose(lines[after:start])
        cells.append((Cell.Kind.KQL, _draft(token.content.rstrip("\n"), token.info)))
        after = end
    cells += _prose(lines[after:])
    if not cells:
        raise ValidationError({"text": "There is no text in it."})
    if len(cells) > MAX_CELLS:
        raise ValidationError({"text": f"It would make {len(cells):,} cells; a notebook has at most {MAX_CELLS}."})
    return cells


def _prose(lines: list[str]) -> list[tuple[str, Draft]]:
    text = "\n".join(lines).strip()
    return [(Cell.Kind.MARKDOWN, Draft(text))] if text else []


def _draft(text: str, info: str) -> Draft:
    said = {key: quoted or plain for key, quoted, plain in _SETTING.findall(info)}
    source = said.get("source", "")
    return Draft(
        text,
        name=said.get("name", ""),
        source=source if source in Source.values else Source.CASE.value,
        span=said.get("span", "30d"),
        as_of=said.get("as_of", "now"),
    )


@transaction.atomic
def import_markdown(*, case: Case, actor: User, title: str, text: str) -> Notebook:
    """A new notebook of a Markdown file. A name or a window that cannot be is left out and said above its query.

    Raises ValidationError, and then nothing was made.
    """
    cells = read_markdown(text)
    heading = re.match(r"\s*# +(.+)", cells[0][1].text) if cells[0][0] == Cell.Kind.MARKDOWN else None
    if heading and not title.strip():
        title = re.sub(r"\\(.)", r"\1", heading[1].strip())[:200]
    if heading and re.sub(r"\\(.)", r"\1", heading[1].strip()) == title.strip():
        rest = cells[0][1].text.lstrip().partition("\n")[2].strip()
        cells = [*([(Cell.Kind.MARKDOWN.value, Draft(rest))] if rest else []), *cells[1:]]
    title = title.strip() or "Imported notebook"
    notebook = create_notebook(case=case, actor=actor, title=title, code="notebook.imported", cells=len(cells))
    for kind, draft in cells:
        _add(notebook, actor, kind, draft)
    return notebook


def _add(notebook: Notebook, actor: User, kind: str, draft: Draft) -> None:
    try:
        add_cell(notebook=notebook, actor=actor, kind=kind, draft=draft)
    except ValidationError as error:
        if kind != Cell.Kind.KQL or draft == Draft(draft.text):
            raise
        said = f"Left out of the cell below (name {draft.name or 'none'}, window {draft.span} before {draft.as_of}): "
        add_cell(
            notebook=notebook,
            actor=actor,
            kind=Cell.Kind.MARKDOWN,
            draft=Draft("> " + inline(said + " ".join(error.messages))),
        )
        add_cell(notebook=notebook, actor=actor, kind=kind, draft=Draft(draft.text, source=draft.source))
