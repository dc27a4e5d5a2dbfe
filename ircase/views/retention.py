"""How long evidence is kept: what is due, legal holds, and destruction by two persons."""

import json
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Min, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.retention import DecisionForm, HoldForm
from ircase.models import Case, Destruction, Evidence, LegalHold
from ircase.pages import render_tab
from ircase.services.vault import destruction, holds, quotas, retention
from ircase.views.doors import attempt, say_errors
from ircase.views.fresh import recently

PER_PAGE = 50


@login_required
@require_GET
def review(request: HttpRequest) -> HttpResponse:
    """The cases that the person may see with evidence whose time is over. Nothing is deleted without their review."""
    visible = Case.objects.visible_to(access.current_user(request))
    rows = retention.due(visible).order_by().values("case")
    rows = rows.annotate(exhibits=Count("pk"), size=Sum("size"), closed=Min("case__closed_at")).order_by(
        "closed", "case"
    )
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    cases = visible.in_bulk([row["case"] for row in page.object_list])
    found = [{**row, "case": cases[row["case"]]} for row in page.object_list]
    return render(request, "retention/review.html", {"page": page, "rows": found})


@login_required
@require_http_methods(["GET", "POST"])
@recently(only_post=True)
def keeping(request: HttpRequest, reference: str) -> HttpResponse:
    """What keeps the case's evidence, and what may go; a POST decides about the chosen exhibits, closed case or not."""
    needs = access.LEAD if request.method == "POST" else access.VIEWER
    case = access.get_case(access.current_user(request), reference, needs)
    if request.method == "POST" and (gone := _decide(request, case)) is not None:
        return gone
    only_due = "due" in request.GET
    page = Paginator(_exhibits(case, only_due=only_due), PER_PAGE).get_page(request.GET.get("page"))
    standing = list(holds.standing(case))
    for hold in standing:
        hold.waiting = holds.waiting(hold)  # type: ignore[attr-defined]
    context = {
        "page": page,
        "only_due": only_due,
        "due": retention.due(Case.objects.filter(pk=case.pk)).count(),
        "holds": standing,
        "held": {hold.evidence_id for hold in standing},
        "hold_form": HoldForm(case=case),
        "destructions": Destruction.objects.filter(case=case).select_related("requested_by", "sealed")[:PER_PAGE],
        "certificates": set(case.destructions.exclude(sealed=None).values_list("sealed", flat=True)),
        "usage": quotas.usage_of(case),
        "leads": access.may(case, access.LEAD),
        "now": timezone.now(),
    }
    return render_tab(request, case, "evidence", "retention/keeping.html", context)


def _exhibits(case: Case, *, only_due: bool) -> QuerySet[Evidence]:
    if only_due:
        return retention.due(Case.objects.filter(pk=case.pk)).defer("manifest")
    rows = Evidence.objects.filter(case=case).exclude(integrity=Evidence.Integrity.DESTROYED)
    return retention.with_days(rows).select_related("case").defer("manifest").order_by("number")


def _decide(request: HttpRequest, case: Case) -> HttpResponse | None:
    form, user = DecisionForm(request.POST, case=case), access.current_user(request)
    if not form.is_valid():
        say_errors(request, {name: [str(one) for one in found] for name, found in form.errors.items()})
        return None
    chosen, why = list(form.cleaned_data["exhibits"]), form.cleaned_data["why"]
    if request.POST.get("act") == "destroy":
        said = "Another lead of the case is asked. Until then nothing is touched."
        act: Callable[[], object] = partial(destruction.request, case=case, actor=user, exhibits=chosen, why=why)
    else:
        said, days = "It is kept; the log says by whom and why.", form.cleaned_data["days"] or 0
        act = partial(retention.keep, case=case, actor=user, exhibits=chosen, days=days, reason=why)
    return redirect("ircase:keeping", case.reference) if attempt(request, said, act) else None


@login_required
@require_POST
def hold_place(request: HttpRequest, reference: str) -> HttpResponse:
    """A legal hold on the case or an exhibit, at once."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    form = HoldForm(request.POST, case=case)
    if form.is_valid():
        on, reason = form.cleaned_data["on"], form.cleaned_data["reason"]
        attempt(request, "The hold stands.", lambda: holds.place(case=case, actor=user, reason=reason, evidence=on))
    else:
        say_errors(request, {name: [str(one) for one in found] for name, found in form.errors.items()})
    return redirect("ircase:keeping", reference)


@login_required
@require_POST
def hold_lift(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Ask another lead to lift a hold."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    hold = get_object_or_404(LegalHold.objects.select_related("case", "evidence", "placed_by"), case=case, uuid=uuid)
    reason = request.POST.get("reason", "")[:2000]
    said = "Another lead of the case is asked. Until then the hold stands."
    attempt(request, said, lambda: holds.ask_to_lift(hold=hold, actor=user, reason=reason))
    return redirect("ircase:keeping", reference)


def _find(request: HttpRequest, reference: str, uuid: UUID) -> Destruction:
    case = access.get_case(access.current_user(request), reference)
    rows = Destruction.objects.select_related("requested_by", "sealed")
    found: Destruction = get_object_or_404(rows, case=case, uuid=uuid)
    found.case = case
    return found


@login_required
@require_GET
def destruction_page(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """What is to be destroyed or was, who decided, and the certificate."""
    found = _find(request, reference, uuid)
    context = {
        "row": found,
        "approval": destruction.approval_of(found),
        "exhibits": found.exhibits.defer("manifest").order_by("number"),
        "case": found.case,
    }
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "retention/_destruction.html", context)
    return render_tab(request, found.case, "evidence", "retention/destruction.html", context)


@login_required
@require_GET
def certificate(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The certificate as JSON, in the canonical form that its digest is over."""
    found = _find(request, reference, uuid)
    if not found.certificate:
        raise Http404("There is no certificate yet.")
    text = json.dumps(found.certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    reply = HttpResponse(text.encode("utf-8", "surrogatepass"), content_type="application/json")
    reply["Content-Disposition"] = f'attachment; filename="{found.case.reference}_certificate_{found.uuid}.json"'
    reply["X-Content-Type-Options"] = "nosniff"
    return reply
