"""What templates of the case need beyond Django: its head, spans of time in words, techniques, log sentences."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from artifacts.shapes import ShapeColumn
from frontend.drawing import icon
from frontend.jsontree import Node, nodes
from ircase import attack, markdown, wording
from ircase.casehead import CaseHead, PhaseStay, head_of
from ircase.curated import times
from ircase.models import Activity, Asset, Case, ChecklistItem, Indicator, User
from ircase.nist import frameworks
from ircase.services.analysis import interpreting
from ircase.services.phases import checklist
from ircase.services.writing import drafts

register = template.Library()
register.filter("found_files", interpreting.found)
for _words in (
    wording.detail_words,
    wording.id_words,
    wording.key_words,
    wording.origin_words,
    wording.said_of,
    wording.service_name,
    wording.source_words,
):
    register.filter(_words.__name__, _words)


@register.filter
def naive_names(columns: Sequence[ShapeColumn]) -> str:
    """The columns whose times name no zone, the first few by name."""
    names = [column.source for column in columns if column.naive]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


@register.filter
def naive_count(columns: Sequence[ShapeColumn]) -> int:
    return sum(column.naive for column in columns)


@register.simple_tag(takes_context=True)
def case_head(context: template.Context) -> CaseHead:
    """The head of `case`, read once per page: the view's own `head` where it gave one."""
    head = context.get("head")
    return head if isinstance(head, CaseHead) else head_of(context["case"])


@register.filter
def span(value: timedelta | None) -> str:
    """`1 h 12 min`, `3 d 4 h`: the two largest units, and nothing for None."""
    if value is None:
        return ""
    minutes = int(abs(value).total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 30 else f"{days} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min" if rest else "under a minute"


@register.filter
def ago(value: datetime | None) -> str:
    """How long ago, or "in …" for what is ahead."""
    if value is None:
        return ""
    away = timezone.now() - value
    return f"in {span(away)}" if away < timedelta() else f"{span(away)} ago"


@register.filter
def is_past(value: datetime | None) -> bool:
    return value is not None and value < timezone.now()


@register.simple_tag
def phase_strip(case: Case, head: CaseHead) -> list[dict[str, str]]:
    """The four phases as components/phases.html wants them."""
    link = reverse("ircase:checklist", args=[case.reference])
    return [
        {"name": stay.phase.label, "state": stay.state, "note": _note(stay), "url": f"{link}#{stay.phase.value}"}
        for stay in head.phases
    ]


def _note(stay: PhaseStay) -> str:
    done = f"{stay.ended} of {stay.items} done" if stay.items else ""
    return " · ".join(part for part in (span(stay.spent) if stay.stayed else "", done) if part) or "Not started"


@register.filter
def item_state(item: ChecklistItem) -> str:
    """todo, in_work, waiting, review, done, skipped, or blocked while something it depends on is open. Wants
    `depends_on` prefetched."""
    if not item.is_open:
        return str(item.state)
    if any(other.is_open for other in item.depends_on.all()):
        return "blocked"
    return "todo" if item.state == ChecklistItem.State.OPEN else str(item.state)


@register.filter
def lacks(item: ChecklistItem) -> str:
    """What a required item lacks to be closed; empty where nothing. Wants `proof_count` on the row."""
    return checklist.missing_proof(item)


@register.filter
def waits_for(item: ChecklistItem) -> str:
    """The open items that have to end before this one. Wants `depends_on` prefetched."""
    titles = [f"“{other.title}”" for other in item.depends_on.all() if other.is_open]
    return " and ".join([", ".join(titles[:-1]), titles[-1]]) if len(titles) > 1 else "".join(titles)


@register.filter
def technique(number: str) -> attack.Technique | None:
    return attack.techniques().get(number)


@register.filter
def successor(number: str) -> str:
    """The id that took the place of `number`; empty where it is still one, or nothing did."""
    now = attack.current_id(number)
    return now if now != number else ""


register.filter("event_when", times.words)


@register.filter
def nist_step(number: str) -> str:
    """The step of SP 800-61r2 in words."""
    return frameworks().steps.get(number, "")


@register.filter
def nist_outcome(number: str) -> str:
    """The outcome of CSF 2.0 in words."""
    return frameworks().outcomes.get(number, "")


@register.filter
def kind_words(kind: str) -> str:
    """The kind of an asset or an indicator as people read it."""
    return dict([*Asset.Kind.choices, *Indicator.Kind.choices]).get(kind, kind)


@register.filter
def markdown_html(text: str) -> SafeString:
    return markdown.render(text)


@register.simple_tag(takes_context=True)
def rich(context: template.Context, text: str) -> SafeString:
    """Markdown of `case` with what it names as links, as far as the reader may see it."""
    user, case = context["request"].user, context["case"]
    return markdown.render(text, markdown.room_for([text], case, user) if isinstance(user, User) else markdown.EMPTY)


@register.inclusion_tag("comments/_load.html", takes_context=True)
def comments(context: template.Context, kind: str, subject: object) -> dict[str, str]:
    """The comments on a thing of `case`, loaded when the page is there. One such place on a page."""
    return {"url": reverse("ircase:comments", args=[context["case"].reference, kind, str(subject)])}


@register.simple_tag(takes_context=True)
def comment_count(context: template.Context, kind: str, subject: object, missing: str = "") -> SafeString | str:
    """In a list: how many comments a thing of `case` has, as a link to them, by the view's `comment_counts`
    (`comments.counts`). `missing`: the text for none."""
    counts: dict[tuple[str, str], int] = context.get("comment_counts") or {}
    count = counts.get((kind, str(subject)), 0)
    if not count:
        return missing
    return format_html(
        ' <a class="badge outline" href="{}" title="{}">{}{}<span class="vh"> {}</span></a>',
        reverse("ircase:comments", args=[context["case"].reference, kind, str(subject)]),
        ngettext("%(count)d comment", "%(count)d comments", count) % {"count": count},
        icon("message-square"),
        count,
        ngettext("comment", "comments", count),
    )


@register.simple_tag(takes_context=True)
def draft(
    context: template.Context, form: str, what: object, subject: object = "", version: int = 0, load: bool = False
) -> SafeString:
    """The attributes of a `<form>` whose texts are kept while they are typed: `form` and the ids of what it is about
    name it. `load`: what was kept on the server is asked for at once, not only when somebody begins to type."""
    user = context["request"].user
    if not isinstance(user, User):
        return SafeString("")
    place = drafts.place_of(form, what, subject)
    return format_html(
        'data-draft="{}" data-draft-version="{}" data-draft-person="{}" data-draft-url="{}" data-draft-session="{}"{}',
        place,
        version,
        drafts.key_of(user),
        reverse("ircase:draft", args=[context["case"].reference, place]),
        reverse("ircase:session"),
        SafeString(" data-draft-load" if load else ""),
    )


@register.filter
def json_nodes(value: object) -> list[Node]:
    return nodes(value)


@register.filter
def activity_url(activity: Activity) -> str:
    """The page of what was done; empty where its app names none."""
    try:
        return reverse(activity.url_name, args=[activity.case.reference, activity.subject])
    except NoReverseMatch:
        return ""


# What was asked of a device that became an asset by that, and where it stands.
_WORK = {
    "collection": ("collection", "liveresponse:collection"),
    "collection_batch": ("collection on many devices", "liveresponse:batch"),
    "action": ("response action", "liveresponse:action"),
}


@register.simple_tag
def provenance(case: Case, source: dict[str, Any]) -> dict[str, str]:
    """Where a fact was read, as {"text", "url"}: a run and its row, an exhibit, an alert, or a person."""
    if run := source.get("run"):
        row = source.get("row")
        return {
            "text": f"hunt, row {row}" if row is not None else "hunt",
            "url": _link("hunting:run", case.reference, str(run)),
        }
    if before := source.get("run_before"):
        return {"text": "hunt before import", "url": _link("ircase:before_item", case.reference, str(before))}
    if exhibit := source.get("evidence"):
        read = (
            f"{source.get('exhibit', '')} {source['table']}, row {source.get('row')}"
            if source.get("table")
            else "evidence"
        )
        return {"text": read.strip(), "url": _link("ircase:evidence_item", case.reference, str(exhibit))}
    if incident := source.get("incident"):
        url = _link("ircase:case_incidents", case.reference)
        return {"text": f"incident {incident}", "url": f"{url}#i{source['link']}" if source.get("link") else url}
    for kind, (words, page) in _WORK.items():
        if uuid := source.get(kind):
            return {"text": words, "url": _link(page, case.reference, str(uuid))}
        if source.get(f"{kind}_before"):
            return {"text": f"{words} before import", "url": ""}
    if source.get("merge") or source.get("split"):
        words = "merged case" if source.get("merge") else "case that this was split from"
        return {"text": words, "url": _link("ircase:links", case.reference)}
    if name := source.get("file"):
        return {"text": f"{name}, line {source.get('row')}", "url": ""}
    return {"text": "by hand" if source.get("by") == "hand" else "", "url": ""}


def _link(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@register.filter
def at(values: dict[int, Any], key: int) -> Any:
    """The value under `key`; None where there is none."""
    return values.get(key)
