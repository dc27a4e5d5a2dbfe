"""Exports of a case: asked for, watched, fetched, thrown away."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.custody import ExportForm
from ircase.forms.handling import PasswordForm
from ircase.models import Case, CaseExport, CaseRole
from ircase.pages import render_tab
from ircase.services.transfer import caseexports
from ircase.services.vault import delivery, packing, signing
from ircase.views.doors import attempt
from ircase.views.fresh import recently

PER_PAGE = 20


@login_required
@require_http_methods(["GET", "POST"])
@recently(only_post=True)
def exports(request: HttpRequest, reference: str) -> HttpResponse:
    """The exports of the case; a POST asks for one. A closed case can be exported too."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST if request.method == "POST" else access.VIEWER)
    form = ExportForm(request.POST or None, case=case, initial={"exhibits": request.GET.get("exhibits", "")[:2000]})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = caseexports.request_export(
                case=case, actor=user, purpose=data["purpose"], receiver=data["receiver"], numbers=data["exhibits"]
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("ircase:case_export", reference, made.uuid)
    found = CaseExport.objects.filter(case=case).select_related("requested_by", "activity")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    caseexports.judge(case, list(page.object_list))
    may_export = access.may(case, access.ANALYST)
    context = {
        "page": page,
        "form": form,
        "may_export": may_export,
        "outlook": caseexports.outlook(case) if may_export else None,
        "usual_password": packing.PASSWORD,
    }
    status = 422 if request.method == "POST" else 200
    return render_tab(request, case, "evidence", "custody/exports.html", context, status=status)


def _find(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> tuple[Case, CaseExport]:
    case = access.get_case(access.current_user(request), reference, needs)
    found: CaseExport = get_object_or_404(
        CaseExport.objects.select_related("requested_by", "activity"), case=case, uuid=uuid
    )
    found.case = case
    return case, found


@login_required
@require_GET
def export(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One export; for htmx with `?part=1` only its state, which polls until it is final."""
    case, found = _find(request, reference, uuid)
    caseexports.judge(case, [found])
    context = {
        "export": found,
        "case": case,
        "may_export": access.may(case, access.ANALYST),
        "usual_password": packing.PASSWORD,
    }
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "custody/_export.html", context)
    context["password_form"] = PasswordForm()
    context["key"] = signing.active_key() if found.state == "done" else None
    return render_tab(request, case, "evidence", "custody/export.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def download(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The zip, as a download; with harmful exhibits in an encrypted one. A POST wants that under a password of the
    person's choice. The log keeps who took it."""
    _, found = _find(request, reference, uuid, access.ANALYST)
    password = request.POST.get("password", "") if request.method == "POST" else None
    try:
        return delivery.export_response(found, actor=access.current_user(request), password=password)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except caseexports.ExportGone as error:
        messages.error(request, str(error))
    return redirect("ircase:case_export", reference, uuid)


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    _, found = _find(request, reference, uuid, access.ANALYST)
    act = partial(caseexports.cancel, export=found, actor=access.current_user(request))
    attempt(request, "The export stops.", act)
    return redirect("ircase:case_export", reference, uuid)


@login_required
@require_POST
def remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Take the file away. What was handed out stays in custody and log."""
    _, found = _find(request, reference, uuid, access.ANALYST)
    act = partial(caseexports.remove, export=found, actor=access.current_user(request))
    attempt(request, "The file is gone from here. Custody and log keep that it was made.", act)
    return redirect("ircase:case_export", reference, uuid)
