"""The clocks of a case, the deadlines of all cases, and the calendar file of either."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, clockcard
from ircase.clocks import ics
from ircase.clocks.reading import rules
from ircase.forms.clocks import DeliverClockForm, DismissClockForm, StartClockForm
from ircase.models import Case, Clock
from ircase.pages import render_tab
from ircase.services.casework import handovers, improvements
from ircase.services.phases import clocks as service
from ircase.views.doors import case_to_change

PER_PAGE = 50
_CARD = 8
_MOST = 1000


@require_GET
@login_required
def clocks(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    return _page(request, case)


def _page(request: HttpRequest, case: Case, form: StartClockForm | None = None) -> HttpResponse:
    rows = list(service.of_case(case)[:_MOST])
    context = {
        "running": (running := [clock for clock in rows if clock.is_running]),
        "countdowns": clockcard.among(running, clockcard.windows_of(case)),
        "ended": sorted((c for c in rows if not c.is_running), key=lambda c: c.ended_at or c.due_at, reverse=True),
        "form": form
        or (
            StartClockForm(case=case, rules=service.not_running(rows))
            if access.may(case, access.LEAD) and case.is_open
            else None
        ),
    }
    status = 422 if form is not None and form.errors else 200
    return render_tab(request, case, "overview", "case/clocks.html", context, status=status)


@require_GET
@login_required
def clocks_card(request: HttpRequest, reference: str) -> HttpResponse:
    """The overview's card, loaded again each minute so that it counts down."""
    case = access.get_case(access.current_user(request), reference)
    return render(request, "case/_clocks_card.html", {"case": case, **clockcard.context(case)})


@require_POST
@login_required
def clock_start(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    form = StartClockForm(request.POST, case=case, rules=service.not_running(service.of_case(case)))
    if form.is_valid():
        try:
            made = service.start(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            _add(form, error)
        else:
            messages.success(request, f"{made.title} runs.")
            return redirect("ircase:clocks", case.reference)
    return _page(request, case, form)


def _add(form: Any, error: ValidationError) -> None:
    if hasattr(error, "error_dict"):
        for field, found in error.message_dict.items():
            form.add_error(field if field in form.fields else None, found)
    else:
        form.add_error(None, error.messages)


@require_http_methods(["GET", "POST"])
@login_required
def clock(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One clock: what it is about, and how it ended or can be ended. Also on a closed case, for laws go on."""
    needs = access.LEAD if request.method == "POST" else access.VIEWER
    case = access.get_case(access.current_user(request), reference, needs)
    found = service.of_case(case).filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such clock.")
    if request.method == "POST":
        return _end(request, case, found)
    return _clock_page(request, case, found)


def _clock_page(request: HttpRequest, case: Case, found: Clock, **forms: Any) -> HttpResponse:
    may_end = found.is_running and access.may(case, access.LEAD)
    rule = rules().get(found.rule)
    context = {
        "clock": found,
        "rule": rule,
        "deliver_form": DeliverClockForm(case=case) if may_end else None,
        "dismiss_form": DismissClockForm(case=case) if may_end else None,
        **forms,
    }
    return render_tab(request, case, "overview", "case/clock.html", context, status=422 if forms else 200)


def _end(request: HttpRequest, case: Case, found: Clock) -> HttpResponse:
    user = access.current_user(request)
    acts: dict[str, tuple[str, Any, Callable[..., Clock], str]] = {
        "deliver": ("deliver_form", DeliverClockForm, service.deliver, "The clock is ended as delivered."),
        "dismiss": ("dismiss_form", DismissClockForm, service.dismiss, "The clock is ended: it does not apply."),
    }
    if request.POST.get("act") not in acts:
        raise Http404("No such act.")
    name, kind, act, said = acts[request.POST["act"]]
    form = kind(request.POST, case=case)
    if form.is_valid():
        try:
            act(clock=found, actor=user, **form.cleaned_data)
        except ValidationError as error:
            _add(form, error)
        else:
            messages.success(request, said)
            return redirect("ircase:clocks", case.reference)
    return _clock_page(request, case, found, **{name: form})


@require_GET
@login_required
def deadlines(request: HttpRequest) -> HttpResponse:
    """Every clock that runs on a case that the person may see, what ends next first."""
    user = access.current_user(request)
    found = Clock.objects.running().seen_by(user).select_related("case").ends_next()
    only = request.GET.get("kind", "")
    if only in Clock.Kind.values:
        found = found.filter(kind=only)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "kind": only, "kinds": [("", "All"), *Clock.Kind.choices], "now": timezone.now()}
    return render(request, "ircase/deadlines.html", context)


@require_GET
@login_required
def my_deadlines(request: HttpRequest) -> HttpResponse:
    """A card of my work: hand-overs that wait for me, what ends next on my cases, and my improvements."""
    user = access.current_user(request)
    running = Clock.objects.running().seen_by(user).filter(case__members__user=user)
    mine = improvements.seen_by(user).filter(owner=user, state__in=["open", "doing"])
    context = {
        "handovers": handovers.waiting_for(user)[:_CARD],
        "clocks": running.select_related("case").ends_next()[:_CARD],
        "improvements": mine[:_CARD],
    }
    return render(request, "ircase/_my_deadlines.html", context)


@require_GET
@login_required
def deadlines_calendar(request: HttpRequest) -> HttpResponse:
    found = Clock.objects.running().seen_by(access.current_user(request)).select_related("case").ends_next()
    return _calendar(request, found[:_MOST], "ircase-deadlines.ics")


@require_GET
@login_required
def clocks_calendar(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    found = service.running_of(case).select_related("case")[:_MOST]
    return _calendar(request, found, f"{case.reference}-deadlines.ics")


def _calendar(request: HttpRequest, rows: Iterable[Clock], name: str) -> HttpResponse:
    entries = (
        ics.Entry(
            uid=f"{row.uuid}@ircase",
            at=row.due_at,
            title=f"{row.case.reference}: {row.title}",
            text=f"{row.deliver}\n{row.law} {row.article}".strip(),
            url=request.build_absolute_uri(reverse("ircase:clock", args=[row.case.reference, row.uuid])),
        )
        for row in rows
    )
    reply = HttpResponse(ics.calendar(entries, timezone.now()), content_type="text/calendar; charset=utf-8")
    reply["Content-Disposition"] = f'attachment; filename="{name}"'
    return reply
