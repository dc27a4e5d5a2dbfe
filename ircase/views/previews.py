"""Looking into an exhibit: what workers made of it, page by page, and nothing of the bytes themselves."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from artifacts.looks import hexes
from artifacts.looks.shapes import KINDS
from ircase import access
from ircase.forms.handling import LEVELS, EventsForm, MarkForm, StringsForm, TakeForm
from ircase.models import CaseRole, Evidence, Indicator, JobState, Preview
from ircase.pages import render_tab
from ircase.services import evidence
from ircase.services.vault import handling, looking, previews
from ircase.views.doors import attempt, case_to_change

PER_PAGE = {"text": 500, "strings": 200, "events": 100, "archive": 200, "table": 50}


def tabs_of(item: Evidence, looks: list[str], kind: str = "") -> list[dict[str, Any]]:
    """The looks that fit the exhibit, and the one that is open."""
    wanted = [*looks, kind] if kind and kind not in looks else looks
    return [
        {
            "label": looking.LABELS[look],
            "url": reverse("ircase:evidence_preview", args=[item.case.reference, item.uuid, look]),
            "current": look == kind,
        }
        for look in wanted
        if look in looking.LABELS
    ]


def _find(request: HttpRequest, reference: str, uuid: UUID, kind: str, needs: CaseRole = access.VIEWER) -> Evidence:
    case = access.get_case(access.current_user(request), reference, needs)
    item: Evidence = get_object_or_404(Evidence, case=case, uuid=uuid)
    if kind not in KINDS:
        raise Http404("There is no such look.")
    item.case = case
    return item


@login_required
@require_GET
def preview(request: HttpRequest, reference: str, uuid: UUID, kind: str) -> HttpResponse:
    """One look at an exhibit; a worker makes it the first time. With htmx and `?part=1` only the look, which polls
    until it is there. Custody knows of it before anything is read."""
    user, item = access.current_user(request), _find(request, reference, uuid, kind)
    if item.is_destroyed:
        messages.info(request, f"{item.exhibit} was destroyed; there is nothing to look into.")
        return redirect("ircase:evidence_item", reference, uuid)
    previews.note(item, actor=user, what=f"preview: {looking.LABELS[kind].lower()}")
    context = {"item": item, "kind": kind, "label": looking.LABELS[kind], "case": item.case}
    if kind == "hex":
        context |= _hex(request, item)
    else:
        job = looking.ask(item, kind, user)
        context |= {
            "job": job,
            "poll_url": _poll_url(request),
            **(_content(request, job) if job.state == JobState.DONE else {}),
        }
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "evidence/looks/_look.html", {**context, "may_write": _may_take(item)})
    looks = list(handling.recognised(item).looks)
    context["tabs_of_item"] = tabs_of(item, looks, kind)
    return render_tab(request, item.case, "evidence", "evidence/looks/page.html", context)


def _poll_url(request: HttpRequest) -> str:
    asked = request.GET.copy()
    asked["part"] = "1"  # set, not added: a fragment asks for the next one
    return f"{request.path}?{asked.urlencode()}"


def _may_take(item: Evidence) -> bool:
    return access.may(item.case, access.ANALYST) and item.case.is_open


def _hex(request: HttpRequest, item: Evidence) -> dict[str, Any]:
    asked = request.GET.get("at", "0")
    problem = ""
    try:
        offset = hexes.offset_of(asked, item.size)
    except (ValueError, OverflowError):
        offset, problem = 0, "Write an offset as in 4096, 0x1000 or 50%."
    try:
        lines = looking.hex_page(item, offset)
    except evidence.StoreError as error:
        return {"problem": str(error), "lines": [], "asked": asked}
    last = max(0, (item.size - 1) // hexes.PAGE * hexes.PAGE)
    return {
        "lines": lines,
        "problem": problem,
        "asked": asked if problem else hex(offset),
        "offset": offset,
        "end": min(item.size, offset + hexes.PAGE),
        "before": hex(max(0, offset - hexes.PAGE)) if offset else "",
        "after": hex(offset + hexes.PAGE) if offset + hexes.PAGE < item.size else "",
        "last": hex(last) if last > offset else "",
    }


def _content(request: HttpRequest, job: Preview) -> dict[str, Any]:
    try:
        return {"look": looking.content(job), **_CONTENT.get(job.kind, _nothing)(request, job)}
    except looking.LookGone as error:
        return {"gone": str(error)}


def _nothing(request: HttpRequest, job: Preview) -> dict[str, Any]:
    return {}


def _number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return min(max(int(text), 1), 1_000_000) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def _page(part: looking.Part) -> Page[int]:
    """Where a part stands among all, for the pagination."""
    return Paginator(range(part.matched), part.per_page).get_page(part.number)


def _rows(name: str, kind: str, request: HttpRequest, job: Preview) -> dict[str, Any]:
    page = Paginator(looking.content(job)[name], PER_PAGE[kind]).get_page(request.GET.get("page"))
    return {"page": page, "first": page.start_index()}


def _strings(request: HttpRequest, job: Preview) -> dict[str, Any]:
    form = StringsForm(request.GET)
    part = looking.strings(job, form.asked(), _number(request), PER_PAGE["strings"])
    case = job.evidence.case
    return {
        "form": form,
        "rows": [{"offset": f"{at:08x}", "at": at, "wide": kind == "w", "text": text, "length": size}
                 for at, kind, text, size in part.items],
        "page": _page(part),
        "indicators": looking.recognised(job, case),
        "verdicts": Indicator.Verdict.choices,
    }  # fmt: skip


def _events(request: HttpRequest, job: Preview) -> dict[str, Any]:
    form = EventsForm(request.GET)
    part = looking.events(job, form.asked(), _number(request), PER_PAGE["events"])
    names = dict(LEVELS)
    asked = {key: value for key, value in request.GET.items() if key not in ("record", "part")}
    rows = [
        {"id": row[0], "time": row[1][:23], "event": row[2], "level": names.get(row[3], row[3]), "provider": row[4],
         "channel": row[5], "computer": row[6], "url": "?" + urlencode({**asked, "record": row[7]}) + "#record"}
        for row in part.items
    ]  # fmt: skip
    chosen = request.GET.get("record", "")
    fields = None
    if chosen.isascii() and chosen.isdecimal() and len(chosen) < 12:
        fields = looking.flat(looking.record(job, int(chosen)))
    return {"form": form, "rows": rows, "page": _page(part), "fields": fields, "close": "?" + urlencode(asked)}


def _tables(request: HttpRequest, job: Preview) -> dict[str, Any]:
    tables = looking.content(job)["tables"]
    text = request.GET.get("table", "0")
    chosen = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < len(tables) else 0
    page = Paginator(tables[chosen]["rows"], PER_PAGE["table"]).get_page(request.GET.get("page"))
    parts = [{"label": one["name"], "url": f"?table={n}", "current": n == chosen, "count": one["count"]}
             for n, one in enumerate(tables)]  # fmt: skip
    return {"table": tables[chosen], "page": page, "parts": parts}


_CONTENT: dict[str, Callable[[HttpRequest, Preview], dict[str, Any]]] = {
    "text": partial(_rows, "lines", "text"),
    "archive": partial(_rows, "entries", "archive"),
    "strings": _strings,
    "events": _events,
    "table": _tables,
}


@login_required
@require_GET
def picture(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The picture as a worker has drawn it anew: a PNG of ours, no byte of the exhibit's."""
    user, item = access.current_user(request), _find(request, reference, uuid, "image")
    previews.note(item, actor=user, what="preview: picture")
    data = b"" if item.is_destroyed else looking.picture(item)
    if not data:
        return redirect("ircase:evidence_preview", reference, uuid, "image")
    reply = HttpResponse(data, content_type="image/png")
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Content-Security-Policy"] = "default-src 'none'; sandbox"
    reply["Cache-Control"] = "private, no-store"
    return reply


@login_required
@require_POST
def again(request: HttpRequest, reference: str, uuid: UUID, kind: str) -> HttpResponse:
    """Have a look made anew that failed."""
    user, item = access.current_user(request), _find(request, reference, uuid, kind, access.ANALYST)
    if kind != "hex" and not item.is_destroyed:
        looking.again(looking.ask(item, kind, user))
    return redirect("ircase:evidence_preview", reference, uuid, kind)


@login_required
@require_POST
def take(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The ticked strings become indicators of the case."""
    user, case = case_to_change(request, reference)
    item = _find(request, reference, uuid, "strings", access.ANALYST)
    page = redirect("ircase:evidence_preview", reference, uuid, "strings")
    job = Preview.objects.filter(evidence=item, kind="strings", state=JobState.DONE).order_by("-version").first()
    form = TakeForm(request.POST)
    if job is None or not form.is_valid():
        messages.error(request, "Tick at least one of the indicators, and choose a verdict.")
        return page
    job.evidence = item
    numbers, verdict = set(form.cleaned_data["number"]), form.cleaned_data["verdict"]
    try:
        made = looking.take(job=job, case=case, actor=user, numbers=numbers, verdict=verdict)
    except (looking.LookGone, ValidationError) as error:
        messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
        return page
    known = len(numbers) - made
    messages.success(request, f"{made} added to the case." + (f" {known} were there already." if known else ""))
    return page


@login_required
@require_POST
def mark(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A lead says how the exhibit leaves."""
    user, case = case_to_change(request, reference, access.LEAD)
    item = get_object_or_404(Evidence, case=case, uuid=uuid)
    item.case = case
    form = MarkForm(request.POST)
    if form.is_valid():
        act = partial(handling.mark, item=item, actor=user, **form.cleaned_data)
        attempt(request, f"{item.exhibit} is marked. Custody keeps the reason.", act)
    else:
        messages.error(request, "Choose a mark and say why, in a sentence.")
    return redirect("ircase:evidence_item", reference, uuid)
