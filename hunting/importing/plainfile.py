"""Plain files of KQL: comments on top say what they are for; blank lines may separate several queries."""

import re
from typing import Final

from hunting.importing.drafts import About, Draft, Reading
from hunting.importing.model import Format
from hunting.importing.text import recommented
from hunting.importing.words import addresses, techniques

_KEYS: Final = (
    r"title|name|query|hunt|description|summary|purpose|authors?|created by|created|date|modified|updated|last \w+"
    r"|version|severity|status|level|tags?|tactics?|techniques?|mitre[\w &]*|references?|links?|sources?|tables?"
    r"|data ?sources?|licen[cs]e|id|type|category|platform|products?|requires?"
)


def read_plain(text: str, name: str, *, doubtful: bool = False) -> Reading:
    """One draft; what it holds is found by reading it. A key of the comments (`// Author: …`) is
    taken as such. `doubtful`: the file's name does not say that it is KQL."""
    text_as_read, text = text, recommented(text)[0]
    comments = "\n".join(re.findall(r"(?m)^\s*//+[ \t]*(.*)$", text[:50_000])[:100])
    lead = re.match(r"(?:[ \t]*//[^\n]*\n|\s)*", text.lstrip("\ufeff")[:20_000])
    top = re.findall(r"//+[ \t]*([^\n]*)", lead[0]) if lead else []
    prose = [row for row in top if row.strip() and not re.match(rf"(?i)\s*(?:{_KEYS})\s*:\s|\s*[-=*/#]+\s*\Z", row)]
    first = next((row.strip(" .") for row in prose if len(row.strip()) <= 100), "")
    title = _key(top, "title|name|query|hunt") or first or name
    about = About(
        title=title,
        description=_key(top, "description|summary|purpose") or "\n".join(prose),
        techniques=techniques(comments),
        references=addresses(comments),
        author=_key(top, "author|created by"),
        severity=_key(top, "severity"),
    )
    return Reading(Format.PLAIN, (Draft("the file", 1, text_as_read, about, doubtful=doubtful, titled_within=True),))


def _key(rows: list[str], keys: str) -> str:
    found = (re.match(rf"(?i)\s*(?:{keys})\s*:\s*(.+)", row) for row in rows)
    return next((match[1].strip() for match in found if match), "")
