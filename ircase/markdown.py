"""Markdown written by people, as HTML that can do nothing: no raw HTML, no images, only plain links."""

from collections.abc import Sequence
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


class _Renderer(RendererHTML):
    """A picture would fetch from a stranger's server whenever the page is read: its description is shown instead."""

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        alternative = self.renderInlineAsText(tokens[index].children, options, env)
        return f"[picture: {nh3.clean_text(alternative)}]"

    # The page has its own h1: what is written as one starts a level below.
    def heading_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return f"<{_lower(tokens[index].tag)}>"

    def heading_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return f"</{_lower(tokens[index].tag)}>\n"


def _lower(tag: str) -> str:
    return f"h{min(6, int(tag[1]) + 1)}"


_PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}, renderer_cls=_Renderer).enable(
    ["table", "strikethrough"]
)


def render(text: str) -> SafeString:
    """HTML of `text`. Two fences: the parser passes no HTML on, and the allow-list drops whatever is not in it."""
    html = nh3.clean(
        _PARSER.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return mark_safe(html)  # noqa: S308  (cleaned on the line above)
