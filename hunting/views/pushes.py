"""Tables of a case on a cluster: which are there, copying one, removing its copy, and how far that is."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting.models import TablePush
from hunting.services import clustertables, pushes
from ircase import access
from ircase.models import Case
from ircase.pages import render_tab
from ircase.views.doors import case_to_change


@require_GET
@login_required
def cluster(request: HttpRequest, reference: str) -> HttpResponse:
    """The case's tables, and which of them stand on the cluster."""
    case = access.get_case(access.current_user(request), reference)
    context = _tables(case) | {"may_lead": access.may(case, access.LEAD) and case.is_open}
    return render_tab(request, case, "hunts", "hunting/cluster.html", context)


def _tables(case: Case) -> dict[str, Any]:
    return {
        "tables": clustertables.of(case),
        "why_not": pushes.why_not(case),
        "connection": case.connection,
        "latest": TablePush.objects.for_case(case).select_related("activity", "requested_by")[:20],
    }


@require_http_methods(["GET", "POST"])
@login_required
def push_new(request: HttpRequest, reference: str) -> HttpResponse:
    """What leaves and where it goes (`?table=`); the POST says yes to exactly that."""
    user, case = case_to_change(request, reference, access.LEAD)
    if request.method == "POST":
        return _ask(request, case, pushes.request_push, user)
    name = request.GET.get("table", "")
    tables = pushes.tables_named(case, name)
    if not tables:
        messages.error(request, "Choose one of the case's tables.")
        return redirect("hunting:cluster", reference)
    context = {
        "name": name,
        "tables": tables,
        "rows": sum(table.row_count for table in tables),
        "columns": len(pushes.columns_for(tables)),
        "target": pushes.target_of(case, name),
        "there": next((push for push in pushes.pushed(case) if push.name == name), None),
        "why_not": pushes.why_not(case),
        "connection": case.connection,
    }
    return render_tab(request, case, "hunts", "hunting/push_new.html", context)


@require_POST
@login_required
def push_remove(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    return _ask(request, case, pushes.request_removal, user)


def _ask(request: HttpRequest, case: Case, act: Any, user: Any) -> HttpResponse:
    given = {key: request.POST.get(key, "")[:300] for key in ("cluster", "database")}
    try:
        push = act(case=case, actor=user, name=request.POST.get("table", "")[:128], **given)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("hunting:cluster", case.reference)
    return redirect("hunting:push", case.reference, push.uuid)


@require_GET
@login_required
def push(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """How far it is; the fragment alone when htmx asks for it."""
    case = access.get_case(access.current_user(request), reference)
    found = _of(case, uuid)
    context = {"push": found, "may_lead": access.may(case, access.LEAD) and case.is_open}
    if request.headers.get("HX-Target") == "push":
        return render(request, "hunting/_push.html", {"case": case, **context})
    return render_tab(request, case, "hunts", "hunting/push.html", context)


@require_POST
@login_required
def push_cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    pushes.cancel(push=_of(case, uuid), actor=user)
    messages.info(request, "It stops after the request that is under way. What has arrived stays there.")
    return redirect("hunting:push", reference, uuid)


def _of(case: Case, uuid: UUID) -> TablePush:
    rows = TablePush.objects.for_case(case).select_related("activity", "requested_by", "connection")
    found: TablePush = get_object_or_404(rows, uuid=uuid)
    found.case = found.activity.case = case
    return found
