"""The playbook of a case: what a newer version of it would add, shown before it is added."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from ircase import shelf
from ircase.models import Case
from ircase.pages import render_tab
from ircase.services.casework import caseplan
from ircase.views.doors import attempt, case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def checklist_playbook(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    if request.method == "POST":
        slug, version = request.POST.get("playbook", ""), request.POST.get("version", "")
        number = int(version) if version.isdecimal() and len(version) < 7 else 0
        done = attempt(
            request,
            "The playbook's items are on the checklist.",
            lambda: caseplan.apply(case=case, actor=user, slug=slug, version=number),
        )
        return redirect("ircase:checklist" if done else "ircase:checklist_playbook", case.reference)
    context = {"found": _found(case, request.GET.get("playbook", "")), "plans": [] if case.playbook else shelf.usable()}
    return render_tab(request, case, "checklist", "case/checklist_playbook.html", context)


def _found(case: Case, slug: str) -> caseplan.Newer | None:
    if case.playbook or not slug:
        return caseplan.newer(case)
    chosen = shelf.playbook(slug)
    if chosen is None:
        raise Http404("No such playbook.")
    return caseplan.what_it_adds(case, chosen)
