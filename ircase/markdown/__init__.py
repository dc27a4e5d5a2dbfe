"""Markdown written by people, as HTML that can do nothing: no raw HTML, no outside picture, only plain links.

What a text names of the case (people, exhibits, notes, other cases) becomes a link where the reader may see it; for
everybody else it stays the words that were typed.
"""

import re
from typing import Final

import nh3
from django.utils.safestring import SafeString, mark_safe

from ircase.markdown.parser import PARSER
from ircase.markdown.room import EMPTY, Room, room_for

__all__ = ["EMPTY", "Room", "render", "room_for"]

_HEADINGS: Final = ("h2", "h3", "h4", "h5", "h6")
_TAGS: Final = {
    *("p", "br", "hr", *_HEADINGS, "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "span", "img"),
}
_ATTRIBUTES: Final = {
    "a": {"href", "title", "class"},
    "ol": {"start"},
    "code": {"class"},
    "span": {"class", "title", "aria-hidden"},
    "li": {"class"},
    "img": {"src", "alt", "loading", "class"},
    **{heading: {"id"} for heading in _HEADINGS},
}
_SCHEMES: Final = {"http", "https", "mailto"}
# What may stand in an attribute that could act, claim a name of the page, or fetch.
_VALUES: Final = {
    ("a", "class"): re.compile(r"reference"),
    ("code", "class"): re.compile(r"language-[a-z0-9_+#-]{1,30}"),
    ("span", "class"): re.compile(r"mention|task|vh"),
    ("li", "class"): re.compile(r"task"),
    ("img", "class"): re.compile(r"exhibit"),
    ("img", "src"): re.compile(r"/cases/[A-Za-z0-9-]+/evidence/[0-9a-f-]{36}/preview/image/picture\.png"),
    **{(heading, "id"): re.compile(r"text-[\w-]{1,80}") for heading in _HEADINGS},
}


def render(text: str, room: Room = EMPTY) -> SafeString:
    """HTML of `text`. Two fences: the parser passes no HTML on, and the allow-list drops whatever is not in it."""
    html = nh3.clean(
        PARSER.render(text, {"room": room, "ids": {}}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_allowed,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return mark_safe(html)  # noqa: S308  (cleaned on the line above)


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    pattern = _VALUES.get((tag, attribute))
    return value if pattern is None or pattern.fullmatch(value) else None
