"""Assets and indicators: who and what was touched, and what to look for."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet, Value
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.curated import rows
from ircase.forms.findings import AssetForm, IndicatorsForm, JudgeAssetForm
from ircase.forms.indicators import ManyIndicatorsForm
from ircase.indicators import elsewhere, harmless
from ircase.models import Case, Indicator, User
from ircase.pages import render_tab
from ircase.recognition import recognise
from ircase.services.analysis import findings
from ircase.services.writing import comments
from ircase.views import indicators
from ircase.views.doors import attempt, case_to_change

PER_PAGE = 100


@require_GET
@login_required
def entities(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    return _page(request, case)


def _page(request: HttpRequest, case: Case, **forms: Any) -> HttpResponse:
    found, chosen = indicators.narrowed(case, request.GET)
    wanted = found.select_related("added_by").prefetch_related("tags")
    reader = access.current_user(request)
    pages = Paginator(elsewhere.counted(wanted, case, reader), PER_PAGE)
    asset_pages = Paginator(case.assets.select_related("added_by"), PER_PAGE)
    # Both counts in one query: a list's own would be one each.
    pages.count, asset_pages.count = counts(found, case.assets.all())
    page = pages.get_page(request.GET.get("page"))
    page.object_list = list(page.object_list)
    assets = asset_pages.get_page(request.GET.get("p"))
    listed = {"asset": [one.uuid for one in assets], "indicator": [one.uuid for one in page]}
    context = {
        "assets": assets,
        "indicators": page,
        "comment_counts": comments.counts(case, listed),
        "harmless": harmless.mark(page.object_list),
        "look": elsewhere.latest(case),
        "chosen": chosen,
        "kept": urlencode({name: value for name, value in chosen.items() if value}),
        "indicators_filtered": any(chosen.values()),
        "kinds": Indicator.Kind.choices,
        "verdicts": Indicator.Verdict.choices,
        "many_form": ManyIndicatorsForm(),
        "asset_form": AssetForm(),
        "indicators_form": IndicatorsForm(initial={"tlp": case.tlp}),
        **forms,
    }
    return render_tab(request, case, "entities", "case/entities.html", context, status=422 if forms else 200)


def counts(*rows: QuerySet[Any]) -> list[int]:
    """How many rows each of these has, in one query."""
    parts = [
        one.order_by().annotate(_what=Value(place)).values("_what").annotate(n=Count("pk", distinct=True))
        for place, one in enumerate(rows)
    ]
    found = {row["_what"]: row["n"] for row in parts[0].union(*parts[1:], all=True)}
    return [found.get(place, 0) for place in range(len(rows))]


@require_POST
@login_required
def asset_new(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = AssetForm(request.POST)
    if form.is_valid():
        try:
            asset, new = findings.add_asset(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{asset.name} is added." if new else f"{asset.name} was on the case already.")
            return redirect("ircase:entities", case.reference)
    return _page(request, case, asset_form=form)


@require_POST
@login_required
def indicators_new(request: HttpRequest, reference: str) -> HttpResponse:
    """Add one indicator a line. Lines that cannot be kept come back in the form, with the reason."""
    user, case = case_to_change(request, reference)
    form = IndicatorsForm(request.POST)
    if not form.is_valid():
        return _page(request, case, indicators_form=form)
    added, known, refused = _add_all(case, user, form.cleaned_data)
    if added or known:
        already = f", {known} known already" if known else ""
        messages.success(request, f"{added} indicator{'' if added == 1 else 's'} added{already}.")
    if not refused:
        return redirect("ircase:entities", case.reference)
    again = IndicatorsForm({**request.POST.dict(), "values": "\n".join(refused)})
    for value, reason in refused.items():
        again.add_error("values", f"“{value[:80]}”: {reason}")
    return _page(request, case, indicators_form=again)


def _add_all(case: Case, user: User, values: dict[str, Any]) -> tuple[int, int, dict[str, str]]:
    added, known = 0, 0
    refused: dict[str, str] = {}
    common = {name: values[name] for name in ("verdict", "tlp", "description")}
    for value in values["values"]:
        kind = values["kind"] or recognise(value)
        try:
            _, new = findings.add_indicator(case=case, actor=user, kind=kind, value=value, **common)
        except ValidationError as error:
            refused[value] = " ".join(error.messages)
        else:
            added, known = added + new, known + (not new)
    return added, known, refused


@require_http_methods(["GET", "POST"])
@login_required
def asset(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One asset with its events; judged by POST."""
    writes = request.method == "POST"
    user = access.current_user(request)
    case = case_to_change(request, reference)[1] if writes else access.get_case(user, reference)
    found = case.assets.select_related("added_by").filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such asset.")
    initial = {"compromise": found.compromise, "description": found.description}
    form = JudgeAssetForm(request.POST if writes else None, initial=initial)
    if writes and form.is_valid():
        findings.judge_asset(asset=found, actor=user, **form.cleaned_data)
        messages.success(request, f"{found.name}: {found.get_compromise_display().lower()}.")
        return redirect("ircase:entities", case.reference)
    context = {
        "asset": found,
        "form": form,
        "events": rows.of_events(case, list(found.events.defer("row").order_by("at")[:PER_PAGE])),
    }
    return render_tab(request, case, "entities", "case/asset.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def asset_remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Off the case, with the reason; its open steps are skipped."""
    user, case = case_to_change(request, reference, access.LEAD)
    found = case.assets.filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such asset.")
    reason = findings.clean(request.POST.get("reason", ""))[:2000]
    said = f"{found.name} is off the case."
    if attempt(request, said, lambda: findings.remove_asset(asset=found, actor=user, reason=reason)):
        return redirect("ircase:entities", case.reference)
    return redirect("ircase:asset", case.reference, uuid)
