"""What every page draws by the hundred: icons, times, JSON as a tree. In Python, since a template that includes a
template per row spends most of its time on that. Known to all templates (settings.TEMPLATES)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from django import template
from django.templatetags.static import static
from django.utils.dateformat import format as formatted
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from frontend.jsontree import Node

register = template.Library()


@register.simple_tag
def icon(name: str, *, label: str = "", attribute: str = "", **more: str) -> SafeString:
    """A lucide icon of frontend/icons.json. `label` only where the icon alone carries meaning; `attribute` (a bare
    word) and `class` never come from outside."""
    return _icon(str(name), str(label), str(attribute), str(more.get("class", "")))


@lru_cache(maxsize=1_000)
def _icon(name: str, label: str, attribute: str, css: str) -> SafeString:
    return format_html(
        '<svg class="icon{}"{}{}><use href="{}#{}"/></svg>',
        f" {css}" if css else "",
        format_html(' role="img" aria-label="{}"', label) if label else mark_safe(' aria-hidden="true"'),
        f" {attribute}" if attribute else "",
        static("ui/icons.svg"),
        name,
    )


@register.simple_tag
def time(at: datetime | None, *, only: str = "", seconds: bool = False, missing: str = "–") -> SafeString | str:
    """An aware datetime in the reader's time zone with the zone named. `only`: "date" or "time" (a time keeps its zone
    in the title). `missing`: the text for none."""
    if not at:
        return missing
    here, utc = localtime(at), at.astimezone(UTC)
    zone, clock = here.tzname() or "", here.strftime("%H:%M:%S" if seconds else "%H:%M")
    if only == "time":
        shown = escape(clock)
    elif only == "date":
        shown = escape(formatted(here, "j M Y"))
    else:
        shown = format_html("{}, {} <abbr>{}</abbr>", formatted(here, "j M Y"), clock, zone)
    return format_html(
        '<time datetime="{}" title="{} {}">{}</time>',
        f"{utc:%Y-%m-%dT%H:%M:%SZ}",
        f"{here:%Y-%m-%d %H:%M:%S}",
        zone,
        shown,
    )


@register.simple_tag
def json_tree(nodes: Sequence[Node]) -> SafeString:
    """Nodes of frontend.jsontree, the outermost level unfolded."""
    return format_html('<div class="tree"><ul>{}</ul></div>', _items(nodes, unfolded=True))


def _items(nodes: Sequence[Node], *, unfolded: bool = False) -> SafeString:
    return format_html_join("", "{}", ((_item(node, unfolded),) for node in nodes))


def _item(node: Node, unfolded: bool) -> SafeString:
    if not node.children:
        key = format_html('<span class="key">{}</span>{}', node.key, ": " if node.key else "")
        return format_html('<li>{}<span class="{}">{}</span></li>', key, node.kind, node.text)
    summary = format_html('<span class="key">{}</span> <span class="note">{}</span>', node.key, node.text)
    opened = " open" if unfolded else ""
    items = _items(node.children)
    return format_html("<li><details{}><summary>{}</summary><ul>{}</ul></details></li>", opened, summary, items)
