"""Markdown with fenced KQL, as the community's collections have it.

Read line by line: fences after https://spec.commonmark.org/0.31.2/#fenced-code-blocks, headings, and the text beneath
them. A fence of KQL that is left open ends where the next one of KQL begins, or at the end of the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from hunting.importing.drafts import About, Draft, Reading
from hunting.importing.facts import DEFENDER, LOG_ANALYTICS
from hunting.importing.model import Format, ImportRefused, Limits
from hunting.importing.queries import Examined, examine
from hunting.importing.text import plain, prose
from hunting.importing.words import addresses, techniques

_FENCE: Final = re.compile(r"[ \t]{0,8}(?:>\s?)?(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*\Z")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*\Z")
_TAG: Final = re.compile(r"(?i)\{?\.?(kusto(?:ql)?|kql|csl)(?P<rest>.*)\Z", re.DOTALL)
_OTHER: Final = frozenset({
    "powershell", "pwsh", "ps1", "posh", "bash", "sh", "shell", "zsh", "console", "cmd", "bat", "batch", "python", "py",
    "json", "yaml", "yml", "xml", "html", "css", "javascript", "js", "typescript", "ts", "c", "cpp", "csharp", "cs",
    "go", "rust", "java", "ini", "toml", "diff", "md", "markdown", "mermaid", "hcl", "terraform", "bicep", "azurecli",
    "http", "regex", "csv", "log", "splunk", "spl", "eql", "esql", "lucene", "sigma", "yara",
})  # fmt: skip
_PERHAPS: Final = frozenset({"", "sql", "text", "txt", "plaintext", "plain", "none", "query", "code"})


@dataclass
class _Block:
    tag: str
    line: int
    rows: list[str] = field(default_factory=list)
    heading: str = ""
    title: str = ""
    closed: bool = True
    quoted: bool = False


@dataclass
class _Page:
    title: str = ""
    sections: dict[str, list[str]] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)
    left_out: int = 0


def read_markdown(text: str, name: str, limits: Limits) -> Reading:
    """The blocks of a page with what its sections say. `name` is its title where it has none."""
    page = _page(text, limits.blocks)
    about = _about(page, name)
    drafts = [_draft(number, block, about, page) for number, block in enumerate(page.blocks, 1)]
    if page.left_out:
        reason = f"{page.left_out:,} more blocks were not read: a page has at most {limits.blocks}."
        drafts.append(Draft("the rest", page.blocks[-1].line, "", about, refusal=reason))
    return Reading(Format.MARKDOWN, tuple(drafts))


def _page(text: str, most: int) -> _Page:
    page = _Page()
    block: _Block | None = None
    mark = heading = ""
    skipped = False
    for number, row in enumerate(text.split("\n"), 1):
        bare = re.sub(r"^\s{0,3}> ?", "", row[:2000]) if block and block.quoted else row
        fence = _FENCE.match(bare) if len(row) < 2000 or row.lstrip()[:3] in ("```", "~~~") else None
        if mark and fence and _closes(mark, fence):
            mark, block = "", None
        elif fence and (not mark or _TAG.match(fence[2])):
            if mark and block:
                block.closed = False
            mark = fence[1]
            skipped = len(page.blocks) >= most
            page.left_out += skipped
            block = (
                None
                if skipped
                else _Block(fence[2], number, heading=heading, title=page.title, quoted=row.lstrip().startswith(">"))
            )
            page.blocks += [block] if block else []
        elif mark:
            if block:
                block.rows.append(re.sub(r"^\s{0,3}> ?", "", row) if block.quoted else row)
        elif head := _HEADING.match(row):
            heading = _bare(head[2])
            page.title = page.title or (heading if len(head[1]) <= 2 else "")
        else:
            section = page.sections.setdefault(_key(heading), [])
            if row.strip() and len(section) < 500 and len(page.sections) < 500:
                section.append(row)
    if block and mark:
        block.closed = False
    return page


def _closes(mark: str, fence: re.Match[str]) -> bool:
    return fence[1][0] == mark[0] and len(fence[1]) >= len(mark) and not fence[2]


def _bare(heading: str) -> str:
    text = re.sub(r"\[([^\]]{0,300})\]\([^)]{0,500}\)", r"\1", heading[:1000])
    return plain(prose(re.sub(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", "", text)), 300)


def _about(page: _Page, name: str) -> About:
    rows = [row for heading, section in page.sections.items() for row in (heading, *section)]
    return About(
        title=page.title or name,
        description=_section(page, r"description|summary|overview|explanation|detection opportunity") or _lead(page),
        techniques=_techniques(page, rows),
        references=addresses(_section(page, r"references?|links?|sources?|see also|more information.*")),
        author=_author(_section(page, r"authors?( .*)?")),
        severity=_section(page, r"severity"),
        meaning=_section(page, r"risk|impact|what a hit means|.*response.*|.*triage.*"),
        false_positives=tuple(_items(_section(page, r"(known )?false.positives?|benign.*|blind spots?.*"))),
    )


def _techniques(page: _Page, rows: list[str]) -> tuple[str, ...]:
    """Those of the section that is made for them, then those that the rows name."""
    return techniques("\n".join((_section(page, r".*(mitre|att&ck|attack|technique).*"), *rows)))


def _key(heading: str) -> str:
    return heading.casefold()[:200]


def _section(page: _Page, pattern: str) -> str:
    found = (rows for heading, rows in page.sections.items() if re.fullmatch(pattern, heading.strip(" :")))
    return "\n".join(next(found, [])).strip()


def _lead(page: _Page) -> str:
    """The text directly beneath the title."""
    return "\n".join(page.sections.get(_key(page.title), [])).strip()


def _author(text: str) -> str:
    found = re.search(r"(?i)name:?\**\s*:?\s*([^\n|]+)", text)
    line = found[1] if found else next((row for row in text.split("\n") if row.strip()), "")
    return plain(re.sub(r"\[([^\]]{0,200})\]\([^)]{0,500}\)|[*_`#-]", r"\1", line), 200)


def _items(text: str) -> Iterator[str]:
    for row in text.split("\n"):
        if row.strip(" -*\t"):
            yield prose(row.strip().lstrip("-*").strip(), 1000)


def _draft(number: int, block: _Block, about: About, page: _Page) -> Draft:
    place = f"block {number}"
    said = replace(about, sources=_sources(block.heading))
    if own := _own_headings(page):
        shared = [row for heading, rows in page.sections.items() if heading not in own for row in (heading, *rows)]
        said = replace(said, techniques=_techniques(page, shared))
        if (key := _key(block.heading)) in own:
            rows = page.sections.get(key, [])
            said = replace(
                said,
                title=f"{about.title}: {block.heading}",
                description="\n".join(rows).strip() or about.description,
                techniques=_techniques(page, [block.heading, *rows, *shared]),
            )
    draft = Draft(place, block.line + 1, "\n".join(block.rows), said)
    if not block.closed:
        draft = replace(draft, changes=("The fence was not closed.",), text=_before_heading(draft.text))
    word = re.split(r"[\s{:,]", block.tag.strip().lower(), maxsplit=1)[0]
    if tag := _TAG.match(block.tag):
        return _glued(draft, tag["rest"])
    if word in _OTHER:
        return replace(draft, refusal=f"The block is tagged {plain(word, 30)}, not KQL.")
    if not draft.text.strip() and not block.tag.strip():
        return replace(draft, refusal="The block is empty.")
    if word not in _PERHAPS and _reads(f"{block.tag}\n{draft.text}"):
        return _with_first_line(draft, block.tag, "The fence stood in one line with the query's beginning.")
    return replace(draft, doubtful=True)


def _own_headings(page: _Page) -> set[str]:
    """Headings that name one hunt among several, unlike those that name a source or say `Query`."""
    if len(page.blocks) < 2 or not page.title:
        return set()
    headings = {b.heading for b in page.blocks if b.title and b.heading not in ("", page.title)}
    return {_key(heading) for heading in headings if not _sources(heading) and not _plain_heading(heading)}


def _glued(draft: Draft, rest: str) -> Draft:
    """A tag into which the query runs, for want of a line break; or one with attributes, which are no query."""
    rest = rest.strip()
    if not rest.strip("}") or not (_reads(f"{rest}\n{draft.text}") or not _reads(draft.text)):
        return draft
    if rest.startswith(("{", ":", "=")):
        return draft
    return _with_first_line(draft, rest, "The fence's tag ran into the query; it was taken off.")


def _with_first_line(draft: Draft, first: str, said: str) -> Draft:
    return replace(draft, text=f"{first}\n{draft.text}", line=draft.line - 1, changes=(*draft.changes, said))


def _before_heading(text: str) -> str:
    """An open fence's text up to where the page goes on."""
    if _reads(text, whole=True):
        return text
    return re.split(r"(?m)^#{1,6} \S|^\s*<(?:script|/?[a-z]+)\b", text, maxsplit=1)[0]


def _reads(text: str, *, whole: bool = False) -> bool:
    """Whether a query is in the text; `whole`: and nothing else."""
    try:
        pieces = examine(text)
    except ImportRefused:
        return False
    return (all if whole else any)(isinstance(piece, Examined) for piece in pieces)


def _sources(heading: str) -> tuple[str, ...]:
    low = heading.casefold()
    defender = "defender" in low or "m365d" in low or "advanced hunting" in low or low == "mde"
    sentinel = "sentinel" in low or "log analytics" in low
    return (*((DEFENDER,) if defender else ()), *((LOG_ANALYTICS,) if sentinel else ()))


def _plain_heading(heading: str) -> bool:
    return bool(
        re.fullmatch(
            r"(?i)(the )?(kql|query|queries|hunt(ing)?( query)?|detection|code|kusto.*|hunt tags?|query information)",
            heading,
        )
    )
