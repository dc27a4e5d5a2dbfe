"""What to look for: the indicators of a case, found in pasted text, judged, and looked for."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.curated import rows
from ircase.forms.indicators import IndicatorForm, ManyIndicatorsForm
from ircase.indicators import bulk, elsewhere, harmless
from ircase.models import Case, Indicator, Sighting, User
from ircase.pages import render_tab
from ircase.services.analysis import findings
from ircase.views.doors import case_to_change, say_errors

MOST_EVENTS = 100
MOST_CASES = 50


def narrowed(case: Case, query: Any) -> tuple[QuerySet[Indicator], dict[str, str]]:
    """The indicators that an address asks for, and what it asked."""
    chosen = {name: findings.clean(query.get(name, ""))[:200].strip() for name in ("iq", "kind", "verdict", "itag")}
    found = case.indicators.all()
    if chosen["kind"]:
        found = found.filter(kind=chosen["kind"])
    if chosen["verdict"]:
        found = found.filter(verdict=chosen["verdict"])
    if chosen["itag"]:
        found = found.filter(tags__name=chosen["itag"].lower())
    for word in chosen["iq"].split()[:8]:
        found = found.filter(Q(value__icontains=word) | Q(description__icontains=word))
    return found, chosen


@require_http_methods(["GET", "POST"])
@login_required
def indicator(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One indicator with everything that is known of it; judged and changed by POST."""
    writes = request.method == "POST"
    user = access.current_user(request)
    case = case_to_change(request, reference)[1] if writes else access.get_case(user, reference)
    wanted = case.indicators.select_related("added_by", "verdict_by").prefetch_related("tags")
    found = wanted.filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such indicator.")
    found.case = case
    form = IndicatorForm(request.POST if writes else None, initial=_values(found))
    if writes and form.is_valid():
        try:
            _save(found, user, form)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"The indicator is {found.get_verdict_display().lower()}.")
            return redirect("ircase:indicator", case.reference, found.uuid)
    return render_tab(
        request, case, "entities", "case/indicator.html",
        {"indicator": found, "form": form, **_known(case, found, user)}, status=422 if form.errors else 200,
    )  # fmt: skip


def _values(found: Indicator) -> dict[str, Any]:
    plain = ("verdict", "verdict_reason", "description", "tlp", "pap")
    times = {name: getattr(found, name) for name in ("first_seen", "last_seen", "expires_at")}
    return {name: getattr(found, name) for name in plain} | {
        **{name: at.replace(microsecond=0) if at else None for name, at in times.items()},
        "tags": " ".join(tag.name for tag in found.tags.all()),
    }


def _save(found: Indicator, user: User, form: IndicatorForm) -> None:
    details = form.details()
    values = form.cleaned_data
    if {"verdict", "verdict_reason"} & set(form.changed_data):
        findings.judge_indicator(
            indicator=found, actor=user, verdict=values["verdict"], description=values["description"],
            reason=values["verdict_reason"],
        )  # fmt: skip
    elif "description" in form.changed_data:
        details["description"] = values["description"]
    if details:
        findings.edit_indicator(indicator=found, actor=user, **details)


def _known(case: Case, found: Indicator, user: User) -> dict[str, Any]:
    page = reverse("ircase:entities", args=[case.reference])
    places = []
    for table, seen in elsewhere.sightings(found).items():
        address = reverse("ircase:table", args=[case.reference, table.uuid])
        places.append((table, [(one, f"{address}?{_condition(one, found)}") for one in seen]))
    return {
        "entry": harmless.mark([found]).get(found.pk),
        "same": list(elsewhere.same(found, user)[:MOST_CASES]),
        "places": places,
        "look": elsewhere.latest(case),
        "events": rows.of_events(case, list(found.events.defer("row").order_by("at")[:MOST_EVENTS])),
        "back": page,
    }


def _condition(one: Sighting, indicator: Indicator) -> str:
    return urlencode({"c": one.column, "o": one.operator, "v": indicator.value})


def _uuids(request: HttpRequest) -> list[UUID]:
    try:
        return [UUID(one) for one in request.POST.getlist("indicator")]
    except ValueError:
        raise ValidationError("The form names something that is no indicator.") from None


def _act(request: HttpRequest, case: Case, act: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, act())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect(reverse("ircase:entities", args=[case.reference]) + "#indicators")


@require_POST
@login_required
def indicators_change(request: HttpRequest, reference: str) -> HttpResponse:
    """Change the chosen indicators at once, or have a worker look for them."""
    user, case = case_to_change(request, reference)
    if request.POST.get("act") == "look":
        return _act(request, case, lambda: _ask(request, case, user))
    form = ManyIndicatorsForm(request.POST)
    if not form.is_valid():
        say_errors(request, {name: [str(one) for one in said] for name, said in form.errors.items()})
        return redirect(reverse("ircase:entities", args=[case.reference]) + "#indicators")

    def change() -> str:
        count = bulk.change_indicators(case=case, actor=user, uuids=_uuids(request), **form.cleaned_data)
        return f"{count} indicator{'' if count == 1 else 's'} changed."

    return _act(request, case, change)


def _ask(request: HttpRequest, case: Case, user: User) -> str:
    look = elsewhere.ask(case=case, actor=user, uuids=_uuids(request))
    return (
        f"A worker looks for {len(look.wanted)} indicator{'' if len(look.wanted) == 1 else 's'} in the case's tables."
    )


@require_GET
@login_required
def indicators_look(request: HttpRequest, reference: str) -> HttpResponse:
    """How far the last look is; a fragment that asks again until it is over."""
    case = access.get_case(access.current_user(request), reference)
    return render(request, "case/_look.html", {"case": case, "look": elsewhere.latest(case), "polled": True})
