"""The decision log of a case."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.life import DecisionForm
from ircase.pages import render_tab
from ircase.services.casework import decisions as service
from ircase.views.doors import case_to_change

PER_PAGE = 25


@require_GET
@login_required
def decisions(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    page = Paginator(service.of_case(case), PER_PAGE).get_page(request.GET.get("page"))
    return render_tab(request, case, "notes", "case/decisions.html", {"page": page})


@require_GET
@login_required
def decision(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    beside = ("items", "evidence", "clocks", "ended_clocks")
    found = service.of_case(case).filter(uuid=uuid).prefetch_related(*beside).first()
    if found is None:
        raise Http404("No such decision.")
    return render_tab(request, case, "notes", "case/decision.html", {"decision": found})


@require_http_methods(["GET", "POST"])
@login_required
def decision_new(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    initial = {"supersedes": request.GET.get("supersedes"), "items": request.GET.getlist("item")}
    form = DecisionForm(request.POST or None, case=case, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = service.record(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{made.label} is in the decision log.")
            return redirect("ircase:decision", case.reference, made.uuid)
    status = 422 if form.errors else 200
    return render_tab(request, case, "notes", "case/decision_new.html", {"form": form}, status=status)
