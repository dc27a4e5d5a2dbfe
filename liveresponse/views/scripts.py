"""The script library of a case's tenant, and a lead's yes in advance to a script."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from ircase import access, jobs
from ircase.models import StandingApproval
from ircase.pages import render_tab
from ircase.services import approvals
from ircase.views.doors import say_errors
from liveresponse import shelf
from liveresponse.forms.scripts import StandingForm
from liveresponse.models import LibraryScript


@login_required
@require_GET
def scripts(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    context = {
        "scripts": LibraryScript.objects.filter(connection=case.connection),
        "needed": {name.lower() for plan in shelf.definitions().values() for name in plan.files},
        "standing": StandingApproval.objects.filter(connection=case.connection, revoked_at=None).select_related(
            "granted_by"
        ),
        "in_force": set(approvals.standing_now().filter(connection=case.connection).values_list("pk", flat=True)),
        "form": StandingForm(),
    }
    return render_tab(request, case, "live-response", "liveresponse/scripts.html", context)


@login_required
@require_POST
def read_library(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference, access.ANALYST)
    if case.connection is None:
        messages.error(request, "This case has no connection.")
    else:
        jobs.send("liveresponse.sync_library", case.connection.pk)
        messages.info(request, "The library is being read; look again in a few seconds.")
    return redirect("liveresponse:scripts", case.reference)


@login_required
@require_POST
def grant_standing(request: HttpRequest, reference: str, pk: int) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    script = get_object_or_404(LibraryScript, pk=pk, connection=case.connection)
    form = StandingForm(request.POST)
    if not form.is_valid():
        say_errors(request, {field: [str(e) for e in errors] for field, errors in form.errors.items()})
        return redirect("liveresponse:scripts", case.reference)
    try:
        approvals.grant_standing(
            case=case, actor=user, connection=script.connection, script_name=script.name, script_sha256=script.sha256,
            reason=form.cleaned_data["reason"], days=form.cleaned_data["days"],
        )  # fmt: skip
        messages.success(request, f"{script.name} is approved in advance, for what others ask for.")
    except (ValidationError, PermissionDenied) as error:
        messages.error(request, str(error))
    return redirect("liveresponse:scripts", case.reference)


@login_required
@require_POST
def revoke_standing(request: HttpRequest, reference: str, pk: int) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    standing = get_object_or_404(StandingApproval, pk=pk, connection=case.connection)
    approvals.revoke_standing(case=case, actor=user, standing=standing)
    messages.success(request, f"The standing approval of {standing.script_name} is revoked.")
    return redirect("liveresponse:scripts", case.reference)
