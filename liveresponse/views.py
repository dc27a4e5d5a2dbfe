"""Collections in the browser: asking, watching, stopping."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, jobs
from ircase.models import Approval, Case, ParseJob, StandingApproval
from ircase.pages import render_tab
from ircase.services import approvals
from ircase.views.doors import say_errors
from liveresponse.catalogue import Definition, definitions
from liveresponse.forms import RequestForm, StandingForm
from liveresponse.models import Collection, LibraryScript
from liveresponse.services import collections


def _definition(name: str) -> Definition:
    plan = definitions().get(name)
    if plan is None:
        raise Http404("No such collection.")
    return plan


@login_required
@require_GET
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    rows = Collection.objects.for_case(case).select_related("requested_by", "output")[:200]
    context = {
        "collections": rows,
        "definitions": definitions().values(),
        "watching": any(not r.is_final for r in rows),
    }
    if request.GET.get("part") == "list":
        return render(request, "liveresponse/_list.html", {"case": case, **context})
    return render_tab(request, case, "live-response", "liveresponse/panel.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def request_collection(request: HttpRequest, reference: str, definition: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    plan = _definition(definition)
    device = request.GET.get("device")
    form = RequestForm(case, plan, request.POST or None, initial={"device": device} if device else None)
    if request.method == "POST" and form.is_valid():
        try:
            row = collections.request_collection(
                case=case,
                actor=user,
                definition=plan.id,
                device=form.cleaned_data["device"],
                parameters=form.parameters,
                reason=form.cleaned_data["reason"],
            )  # fmt: skip
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("liveresponse:collection", case.reference, row.uuid)
    script = LibraryScript.objects.filter(connection=case.connection, name__iexact=plan.script or "-").first()
    context = {"form": form, "plan": plan, "script": script, "standing": _standing(case, script)}
    status = 422 if form.errors else 200
    return render_tab(request, case, "live-response", "liveresponse/request.html", context, status=status)


def _standing(case: Case, script: LibraryScript | None) -> StandingApproval | None:
    if script is None or case.connection is None:
        return None
    return approvals.find_standing(case.connection, script.sha256)


def _collection(case: Case, uuid: str) -> Collection:
    rows = Collection.objects.for_case(case).select_related("connection", "activity", "requested_by", "output", "case")
    return get_object_or_404(rows, uuid=uuid)


@login_required
@require_GET
def collection(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    row = _collection(case, uuid)
    context = {
        "row": row,
        "plan": definitions().get(row.definition),
        "log": row.commands.all()[:500],
        "exhibits": row.evidence.all(),
        "approval": Approval.objects.filter(subject=row.uuid).select_related("decided_by", "requested_by").first(),
        "parse": ParseJob.objects.filter(evidence=row.output).first() if row.output else None,
    }
    if request.GET.get("part"):
        may_write = access.may(case, access.ANALYST) and case.is_open
        return render(request, "liveresponse/_collection.html", {"case": case, "may_write": may_write, **context})
    return render_tab(request, case, "live-response", "liveresponse/collection.html", context)


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    collections.cancel(collection=_collection(case, uuid), actor=user)
    return redirect("liveresponse:collection", case.reference, uuid)


@login_required
@require_POST
def retry(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    row = _collection(case, uuid)
    try:
        again = collections.retry(collection=row, actor=user)
    except ValidationError as error:
        messages.error(request, "; ".join(error.messages))
        return redirect("liveresponse:collection", case.reference, uuid)
    return redirect("liveresponse:collection", case.reference, again.uuid)


@login_required
@require_GET
def scripts(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    context = {
        "scripts": LibraryScript.objects.filter(connection=case.connection),
        "needed": {plan.script.lower() for plan in definitions().values() if plan.script},
        "standing": StandingApproval.objects.filter(connection=case.connection, revoked_at=None).select_related(
            "granted_by"
        ),
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
        messages.success(request, f"{script.name} is approved in advance.")
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
