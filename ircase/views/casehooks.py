"""Who outside is told of a case: its hooks, what may be named, and whether it is muted for the person."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.models import Case, CaseTelling, Hook
from ircase.services.telling import choosing, hooks
from ircase.views import hookpages


@require_http_methods(["GET", "POST"])
@login_required
def page(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    if request.method == "POST":
        case = access.get_case(user, reference, access.LEAD)
        hooks.set_names(case=case, actor=user, names=request.POST.get("names") == "on")
        messages.success(request, "It is kept.")
        return redirect("ircase:case_telling", reference)
    case = access.get_case(user, reference)
    leads = access.may(case, access.LEAD)
    context = {
        "case": case,
        "may_lead": leads,
        "muted": choosing.is_muted(user, case),
        "names": CaseTelling.objects.filter(case=case, names=True).exists(),
        "hooks": list(case.hooks.all()) if leads else [],
    }
    return render(request, "notices/case.html", context)


@require_POST
@login_required
def mute(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    case, on = access.get_case(user, reference), request.POST.get("on") == "on"
    choosing.mute(person=user, case=case, on=on)
    messages.success(request, f"{case.reference} is muted: its news waits in the app." if on else "It is told again.")
    return redirect("ircase:case_telling", reference)


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    return hookpages.edit(request, Hook(case=case), user)


@require_http_methods(["GET", "POST"])
@login_required
def hook(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user = access.current_user(request)
    return hookpages.edit(request, _of(access.get_case(user, reference, access.LEAD), uuid), user)


@require_POST
@login_required
def secret(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user = access.current_user(request)
    return hookpages.renew(request, _of(access.get_case(user, reference, access.LEAD), uuid), user)


@require_POST
@login_required
def remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user = access.current_user(request)
    hookpages.remove(request, _of(access.get_case(user, reference, access.LEAD), uuid), user)
    return redirect("ircase:case_telling", reference)


def _of(case: Case, uuid: UUID) -> Hook:
    return get_object_or_404(Hook.objects.select_related("case"), case=case, uuid=uuid)
