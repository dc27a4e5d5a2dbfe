"""The super-timeline: its page, the next events of it, how far its building is, and what makes events of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from ircase import access, attack, charts
from ircase.models import Case, RowTag, TimelineBuild, TimelineExport, TimelineView
from ircase.pages import RUN_ROW, render_tab
from ircase.services.analysis import supertimeline, timelineasking
from ircase.services.analysis.timelineasking import KEYS, LISTS, kept
from ircase.services.vault import previews
from ircase.supertimeline import reading, rules, store
from ircase.supertimeline.model import Asked, Counts, Place, TimelineError, TimelineEvent, moment

PER_PAGE: Final = 30
# The next events are fetched when this many before the end are in sight.
AHEAD: Final = 15
MOST_OFFERED: Final = 200
SERIES: Final = 8
_PARTS: Final = {
    "super-found": "supertimeline/_found.html",
    "super-chart": "supertimeline/_chart.html",
    "more-events": "supertimeline/_rows.html",
}
"""What a script swaps of the page, by the element that it goes into."""


@dataclass(frozen=True)
class Row:
    """An event as the list shows it. `series` is the colour of its source, from 1; `acts` the address below which its
    star and its tags are."""

    key: str
    at: str
    title: str
    day: str
    what_time: str
    source: str
    exhibit: str
    series: int
    message: str
    url: str
    device: str
    account: str
    techniques: tuple[str, ...]
    table: str
    number: int
    starred: bool
    tags: list[str]
    acts: str


@require_GET
@login_required
def super_timeline(request: HttpRequest, reference: str) -> HttpResponse:
    """The events that pass the address's filter. Where a script swaps, the list comes first and fetches its chart: to
    count all that passes takes a look at every event, the first of them need not wait for it."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    here = supertimeline.shown(case)
    part = request.headers.get("HX-Target", "") if request.headers.get("HX-Request") else None
    writes = access.may(case, access.ANALYST) and case.is_open
    context: dict[str, Any] = {"case": case, "may_write": writes, "kept": kept(request.GET).urlencode()}
    context["counts_all"] = sum(p.rows for p in here.view.parts)
    try:
        asked = timelineasking.asked_of(case, here, request.GET, user)
        if part != "super-chart":
            context |= _events(request, case, here, asked)
        if part in (None, "super-chart"):
            context |= _drawn(case, request.GET, reading.counts(here.view, asked))
        else:
            context["chart_at"] = f"{request.path}?{context['kept']}"
    except TimelineError as error:
        context["problem"] = str(error)
    if part not in _PARTS:
        context |= _around(request, case, here)
    elif part == "super-found":
        context |= _above(case, here, request.GET)
    elif "total" in context:
        context["announce"] = f"{context['total']:,} of {context['counts_all']:,} events pass"
    status = 422 if "problem" in context else 200
    if part in _PARTS:
        response = render(request, _PARTS[part], context, status=status)
    else:
        response = render_tab(request, case, "timeline", "supertimeline/page.html", context, status=status)
    # One address, several answers (ircase.pages).
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def _events(request: HttpRequest, case: Case, here: supertimeline.Shown, asked: Asked) -> dict[str, Any]:
    after, before = (Place.read(request.GET.get(key, "")) for key in ("after", "before"))
    found = reading.page(here.view, asked, after=after, before=before, limit=PER_PAGE + 1)
    full = len(found) > PER_PAGE
    found = found[-PER_PAGE:] if before else found[:PER_PAGE]
    exhibits = {here.tables[one.table].evidence_id: here.tables[one.table].evidence for one in found}
    previews.note_many(list(exhibits.values()), actor=access.current_user(request), what="super-timeline")
    context: dict[str, Any] = {"rows": _rows(case, here, found), "ahead": AHEAD}
    query = kept(request.GET).urlencode()
    if found and (full or before):
        context["after"] = f"?{query}&after={found[-1].place}".replace("?&", "?")
    if found and (after or (before and full)):
        context["earlier"] = f"?{query}&before={found[0].place}".replace("?&", "?")
    return context


def _rows(case: Case, here: supertimeline.Shown, found: Sequence[TimelineEvent]) -> list[Row]:
    marks, runs = supertimeline.marks(here, found), supertimeline.runs(here, found)
    series = _series(here)
    page = reverse("ircase:super_timeline", args=[case.reference])
    return [_row(case, here, one, marks, runs, series, page) for one in found]


def _row(
    case: Case,
    here: supertimeline.Shown,
    one: TimelineEvent,
    marks: supertimeline.Marks,
    runs: dict[str, str],
    series: dict[str, int],
    page: str,
) -> Row:
    table, local = here.tables[one.table], timezone.localtime(one.at)
    key = (one.table, one.row)
    return Row(
        key=str(one.place).replace(".", "-"),
        at=f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}",
        title=f"{local:%Y-%m-%d %H:%M:%S.%f %Z}",
        day=f"{local:%Y-%m-%d}",
        what_time=one.what_time,
        source=table.name,
        exhibit=table.evidence.exhibit,
        series=series.get(table.name, 1),
        message=one.message,
        url=_row_url(case, one, runs),
        device=one.device,
        account=one.account,
        techniques=one.techniques,
        table=one.table,
        number=one.row,
        starred=key in marks.stars,
        tags=marks.tags.get(key, []),
        acts=f"{page}rows/{one.table}/{one.row}/",
    )


def _row_url(case: Case, one: TimelineEvent, runs: dict[str, str]) -> str:
    """The row in full: in its run where it is one's, else in its table."""
    if run := runs.get(one.table):
        try:
            return reverse(RUN_ROW, args=[case.reference, run, one.row])
        except NoReverseMatch:
            pass
    return reverse("ircase:table_row", args=[case.reference, one.table, one.row])


def _series(here: supertimeline.Shown) -> dict[str, int]:
    """The colour of each source: by its place among the names, so that it stays while filters change."""
    names = sorted(set(here.view.names.values()))
    return {name: place % SERIES + 1 for place, name in enumerate(names)}


def _drawn(case: Case, query: QueryDict, counts: Counts) -> dict[str, Any]:
    """The spread over time, each bar the way to its span."""
    rest = kept(query, "since", "until")
    bars = []
    for place, value in enumerate(counts.bins):
        start, end = (moment(counts.start + (place + n) * counts.step) for n in (0, 1))
        span = {"since": start.isoformat(), "until": end.isoformat()}
        link = f"?{rest.urlencode()}&{urlencode(span)}".replace("?&", "?")
        bars.append(charts.Column(f"{timezone.localtime(start):%Y-%m-%d %H:%M:%S %Z}", value, link))
    if not bars:
        return {"total": 0}
    ends = (bars[0].label, f"{timezone.localtime(moment(counts.start + len(bars) * counts.step)):%Y-%m-%d %H:%M:%S %Z}")
    drawing = charts.histogram(f"Events over time, {counts.total:,} in all", bars, ends, width=1100, height=150)
    figures = [(bar.label, bar.value) for bar in bars if bar.value]
    return {"total": counts.total, "chart": drawing, "figures": figures, "bar_seconds": counts.step // 1_000_000}


def _around(request: HttpRequest, case: Case, here: supertimeline.Shown) -> dict[str, Any]:
    """What may be chosen and is chosen, and what stands above the list."""
    parts = here.view.parts
    known = attack.techniques()
    sources: dict[str, int] = {}
    for part in parts:
        name = here.view.names[part.table]
        sources[name] = sources.get(name, 0) + part.rows
    series = _series(here)
    return {
        "chosen": {key: request.GET.get(key, "") for key in KEYS},
        "sources": [
            {"name": name, "rows": rows, "series": series[name], "chosen": name in request.GET.getlist("source")}
            for name, rows in sorted(sources.items(), key=lambda one: (-one[1], one[0]))
        ],
        "devices": store.merged(parts, "devices")[:MOST_OFFERED],
        "accounts": store.merged(parts, "accounts")[:MOST_OFFERED],
        "techniques": [
            (one, known[one].label if one in known else one, count) for one, count in store.merged(parts, "techniques")
        ],
        "tags": list(RowTag.objects.filter(case=case).values_list("name", flat=True).distinct().order_by("name")),
        "only_choices": supertimeline.ONLY.items(),
        **_above(case, here, request.GET),
    }


def _above(case: Case, here: supertimeline.Shown, query: QueryDict) -> dict[str, Any]:
    """What stands above the list: the conditions, saved views, what is exported, the state of the building."""
    return {
        "chips": _chips(query),
        "views": TimelineView.objects.filter(case=case).select_related("saved_by"),
        "formats": TimelineExport.Format.choices,
        "unusable": sum(part.unusable for part in here.view.parts),
        **_state(case),
    }


def _chips(query: QueryDict) -> list[dict[str, str]]:
    """Each condition in words, with the address without it."""
    found = []
    for key in KEYS:
        for value in filter(None, query.getlist(key)):
            rest = kept(query)
            rest.setlist(key, [one for one in rest.getlist(key) if one != value])
            words = supertimeline.ONLY.get(value, value) if key == "only" else f"{_WORDS.get(key, key)} {value}"
            found.append({"text": words, "url": f"?{rest.urlencode()}"})
    return found


_WORDS: Final = {"q": "contains", "since": "from", "until": "until", "tag": "tag"}


def _state(case: Case) -> dict[str, Any]:
    build = TimelineBuild.objects.filter(case=case).first()
    progress = build.progress if build else {}
    return {"build": build, "done": progress.get("done", 0), "of": progress.get("tables", 0)}


@require_GET
@login_required
def state(request: HttpRequest, reference: str) -> HttpResponse:
    """How far the building is; asked again until it is over."""
    case = access.get_case(access.current_user(request), reference)
    context = {"case": case, "polled": True, **_state(case)}
    return render(request, "supertimeline/_state.html", context)


@require_GET
@login_required
def mappings(request: HttpRequest, reference: str) -> HttpResponse:
    """What makes events of rows: of the case's tables first, then every mapping there is."""
    case = access.get_case(access.current_user(request), reference)
    known = rules.load()
    used, timeless = supertimeline.mappings(case)
    pages: Page[Any] = Paginator(used, 100).get_page(request.GET.get("page"))
    every = known.named()
    context = {"page": pages, "timeless": timeless, "every": every, "generic": known.generic, "lists": LISTS}
    return render_tab(request, case, "timeline", "supertimeline/mappings.html", context)
