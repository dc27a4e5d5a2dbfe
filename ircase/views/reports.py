"""The report tab: what is missing, building, and the files that were built."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Case, CaseRole, ReportBuild
from ircase.pages import render_tab
from ircase.report import chapters
from ircase.services import reports
from ircase.services.vault import delivery
from ircase.views.doors import attempt

PER_PAGE = 20


@login_required
@require_http_methods(["GET", "POST"])
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    """What the report lacks and which were built; a POST builds one. A closed case can still be reported on."""
    user = access.current_user(request)
    if request.method == "POST":
        case = access.get_case(user, reference, access.ANALYST)
        seal = "seal" in request.POST
        wanted, success = set(request.POST.getlist("notebook")), "The report is being built."
        books = [one.uuid for one in chapters.choices(case) if one.uuid in wanted]
        attempt(
            request,
            success,
            lambda: reports.request_report(
                case=case, actor=user, seal=seal, notebooks=books, comments="comments" in request.POST
            ),
        )
        return redirect("ircase:report", reference)
    case = access.get_case(user, reference)
    builds = ReportBuild.objects.filter(case=case).select_related("requested_by", "evidence", "activity")
    context = {
        "gaps": reports.gaps(case),
        "notebooks": chapters.choices(case),
        "page": Paginator(builds, PER_PAGE).get_page(request.GET.get("page")),
        "may_build": access.may(case, access.ANALYST),
    }
    return render_tab(request, case, "report", "report/panel.html", context)


def _find(
    request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER
) -> tuple[Case, ReportBuild]:
    case = access.get_case(access.current_user(request), reference, needs)
    found: ReportBuild = get_object_or_404(
        ReportBuild.objects.select_related("requested_by", "evidence", "activity"), case=case, uuid=uuid
    )
    found.case = case
    return case, found


@login_required
@require_GET
def build(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One build; for htmx with `?part=1` only its row, which polls until it is final."""
    case, found = _find(request, reference, uuid)
    context = {"build": found, "case": case, "may_build": access.may(case, access.ANALYST)}
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "report/_build.html", context)
    return render_tab(request, case, "report", "report/build.html", context)


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    _, found = _find(request, reference, uuid, access.ANALYST)
    reports.cancel(build=found, actor=access.current_user(request))
    messages.info(request, "The report stops.")
    return redirect("ircase:report", reference)


@login_required
@require_GET
def download(request: HttpRequest, reference: str, uuid: UUID, kind: str) -> HttpResponseBase:
    """One of the three files, as a download; the log keeps who took it."""
    _, found = _find(request, reference, uuid)
    if kind not in reports.FORMATS:
        raise Http404("No such format.")
    try:
        chunks, name, size = reports.open_file(build=found, kind=kind, actor=access.current_user(request))
    except reports.ReportFileGone as error:
        messages.error(request, str(error))
        return redirect("ircase:report", reference)
    return delivery.attachment(chunks, name=name, size=size)
