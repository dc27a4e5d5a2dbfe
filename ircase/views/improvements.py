"""Improvement items: on their case, and across all cases."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.life import ImprovementFilterForm, ImprovementForm, ImprovementStateForm
from ircase.models import Improvement, User
from ircase.pages import render_tab
from ircase.services.casework import improvements as service

PER_PAGE = 50
_OPEN = [Improvement.State.OPEN, Improvement.State.DOING]


@require_http_methods(["GET", "POST"])
@login_required
def case_improvements(request: HttpRequest, reference: str) -> HttpResponse:
    """Those of one case; new ones also after it is closed."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST if request.method == "POST" else access.VIEWER)
    form = ImprovementForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            service.add(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The improvement is written down.")
            return redirect("ircase:case_improvements", case.reference)
    rows = Improvement.objects.filter(case=case).select_related("owner")[:500]
    context = {"rows": rows, "form": form if access.may(case, access.ANALYST) else None}
    status = 422 if form.errors else 200
    return render_tab(request, case, "overview", "case/improvements.html", context, status=status)


@require_GET
@login_required
def improvements(request: HttpRequest) -> HttpResponse:
    """Those of every case that the person may see."""
    user = access.current_user(request)
    form = ImprovementFilterForm(request.GET)
    form.is_valid()
    given = form.cleaned_data
    found = service.seen_by(user)
    state = given.get("state") or "open"
    if state != "all":
        found = found.filter(state__in=_OPEN) if state == "open" else found.exclude(state__in=_OPEN)
    if given.get("mine"):
        found = found.filter(owner=user)
    if given.get("late"):
        found = found.filter(state__in=_OPEN, due_on__lt=timezone.localdate())
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "ircase/improvements.html", {"page": page, "form": form})


@require_http_methods(["GET", "POST"])
@login_required
def improvement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user = access.current_user(request)
    found = service.seen_by(user).filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such improvement.")
    if request.method == "POST":
        return _change(request, user, found)
    return _page(request, user, found)


def _page(request: HttpRequest, user: User, item: Improvement, **forms: Any) -> HttpResponse:
    may = service.may_write(item, user)
    names = ("title", "description", "outcome", "owner", "due_on")
    initial = {name: getattr(item, name) for name in names}
    context = {
        "item": item,
        "outcome_words": service.outcomes().get(item.outcome, ""),
        "form": ImprovementForm(initial=initial) if may else None,
        "state_form": ImprovementStateForm(initial={"state": item.state, "result": item.result}) if may else None,
        **forms,
    }
    return render(request, "ircase/improvement.html", context, status=422 if forms else 200)


def _change(request: HttpRequest, user: User, item: Improvement) -> HttpResponse:
    if not service.may_write(item, user):
        raise PermissionDenied("Its owner changes it, and the analysts and leads of its case.")
    moving = request.POST.get("act") == "move"
    form = ImprovementStateForm(request.POST) if moving else ImprovementForm(request.POST)
    if form.is_valid():
        try:
            act = service.move if moving else service.change
            act(item=item, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Saved.")
            return redirect("ircase:improvement", item.uuid)
    return _page(request, user, item, **{"state_form" if moving else "form": form})
