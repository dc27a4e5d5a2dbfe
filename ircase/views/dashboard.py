"""The dashboard over many cases, the rows behind each of its numbers, and both for a spreadsheet."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access, dashboard
from ircase.dashboard import Behind, Scope, files, scope
from ircase.forms.dashboard import AssumptionForm, DashboardForm, TargetsForm, field_of
from ircase.models import DashboardFile, SavedView, Severity
from ircase.services import log, savedviews
from ircase.services.managing import mailing, papers, targets
from ircase.services.transfer.exports import csv_chunks
from ircase.services.vault import delivery
from ircase.views.doors import attempt, say_errors
from ircase.views.guard import administrators_only

PRESETS = (30, 90, 180, 365)
PER_PAGE = 50
FILES_SHOWN = 20


@login_required
@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """One section of panels over the cases that the person may see."""
    form, found = _asked(request)
    form.offer(scope.choices(found.user))
    sections = dashboard.sections()
    shown = request.GET.get("show", "")
    current = shown if shown in dict(sections) else sections[0][0]
    context = {
        **_filters(found),
        "form": form,
        "section": current,
        "sections": [(code, label, f"?{found.query(show=code)}") for code, label in sections],
        "panels": dashboard.panels(found, current),
        "presets": _presets(found, current),
        "monthly": mailing.may_have(found.user),
        "saved": savedviews.of(found.user, SavedView.Page.DASHBOARD),
        "asked": savedviews.words_of(request.GET.urlencode()),
    }
    return render(request, "dashboard/dashboard.html", context)


def _asked(request: HttpRequest) -> tuple[DashboardForm, Scope]:
    plain = DashboardForm(request.GET)
    filters = plain.filters(timezone.localdate())
    # The form shows the days that are used, also where the address named none.
    form = DashboardForm(request.GET.dict() | filters.words())
    return form, Scope(access.current_user(request), filters, timezone.now())


def _filters(found: Scope) -> dict[str, Any]:
    return {"period": found.period, "before": found.before, "query": found.query()}


def _presets(found: Scope, section: str) -> list[tuple[str, str, bool]]:
    """Label, address and whether it is the one shown."""
    today, made = timezone.localdate(), []
    for days in PRESETS:
        first = today - timedelta(days=days - 1)
        words = {"first": first.isoformat(), "last": today.isoformat(), "show": section}
        current = (found.period.first, found.period.last) == (first, today)
        made.append((f"{days} days", f"?{found.query(**words)}", current))
    return made


def _part(request: HttpRequest) -> dict[str, str]:
    return {name: str(value).replace("\x00", "")[:500] for name, value in request.GET.items()}


def _behind(request: HttpRequest, panel: str) -> tuple[Scope, Behind]:
    _, found = _asked(request)
    source = dashboard.source_of(panel)
    if source is None:
        raise Http404("No such panel.")
    try:
        return found, source.behind(found, _part(request))
    except (LookupError, ValueError) as error:
        raise Http404("No such number.") from error


@login_required
@require_GET
def behind(request: HttpRequest, panel: str) -> HttpResponse:
    """The cases, items or runs behind one number."""
    found, rows = _behind(request, panel)
    page = Paginator(rows.rows, PER_PAGE).get_page(request.GET.get("page"))
    source = dashboard.source_of(panel)
    context = {
        **_filters(found),
        "behind": rows,
        "panel": panel,
        "page": page,
        "rows": rows.cells(list(page.object_list)),
        "words": _words(found),
        "section": source.section if source else "",
        "whole_query": request.GET.urlencode(),
    }
    return render(request, "dashboard/behind.html", context)


def _words(found: Scope) -> list[str]:
    """The filters in words."""
    given = found.filters
    severity = [f"Severity {Severity(given.severity).label}"] if given.severity in Severity.values else []
    named = (("playbook", given.playbook), ("tenant", given.connection), ("team", given.team), ("lead", given.owner))
    return [*severity, *(f"{name} {value}" for name, value in named if value)]


@login_required
@require_GET
def behind_csv(request: HttpRequest, panel: str) -> HttpResponseBase:
    """The same rows, whole."""
    found, rows = _behind(request, panel)
    lines = files.behind_rows(rows)
    log.record("dashboard.exported", actor=found.user, title=rows.title)
    return delivery.attachment(csv_chunks(lines), name=f"ircase_{panel}{_days(found)}.csv")


@login_required
@require_GET
def table_csv(request: HttpRequest, panel: str, table: str) -> HttpResponseBase:
    """One table of a panel."""
    _, found = _asked(request)
    source = dashboard.source_of(panel)
    made = source.panel(found).table(table) if source is not None else None
    if made is None:
        raise Http404("No such table.")
    log.record("dashboard.exported", actor=found.user, title=made.title)
    return delivery.attachment(csv_chunks(files.table_rows(made)), name=f"ircase_{panel}_{table}{_days(found)}.csv")


@login_required
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """The cases of the period with their milestones and times."""
    _, found = _asked(request)
    log.record("dashboard.exported", actor=found.user, title="Cases of the period")
    return delivery.attachment(csv_chunks(files.case_rows(found)), name=f"ircase_cases{_days(found)}.csv")


def _days(found: Scope) -> str:
    return f"_{found.period.first.isoformat()}_{found.period.last.isoformat()}"


@login_required
@require_http_methods(["GET", "POST"])
def papers_list(request: HttpRequest) -> HttpResponse:
    """The dashboards that this person had made into a PDF; a POST asks for one more, with the filters of the form."""
    user = access.current_user(request)
    if request.method == "POST":
        asked = savedviews.words_of(request.POST.get("asked", ""))
        attempt(request, "The PDF is being made.", lambda: papers.ask(actor=user, asked=asked))
        return redirect("ircase:dashboard_files")
    rows = DashboardFile.objects.filter(requested_by=user)[:FILES_SHOWN]
    return render(request, "dashboard/files.html", {"files": rows, "days": papers.KEPT_DAYS})


def _paper(request: HttpRequest, uuid: UUID) -> DashboardFile:
    return get_object_or_404(DashboardFile, requested_by=access.current_user(request), uuid=uuid)


@login_required
@require_GET
def paper(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One row of that list, which polls until it is final."""
    return render(request, "dashboard/_file.html", {"file": _paper(request, uuid)})


@login_required
@require_GET
def paper_download(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    row = _paper(request, uuid)
    try:
        chunks, name = papers.open_file(row=row, actor=access.current_user(request))
    except papers.PaperGone as error:
        messages.error(request, str(error))
        return redirect("ircase:dashboard_files")
    return delivery.attachment(chunks, name=name, size=row.size)


@require_http_methods(["GET", "POST"])
@administrators_only
def rules(request: HttpRequest) -> HttpResponse:
    """Administration: the targets, and what a hunt is taken to save."""
    user = access.current_user(request)
    known, assumed = targets.current(), targets.assumption()
    hours = {field_of(measure, severity): value for (measure, severity), value in known.items()}
    form, assumption = TargetsForm(initial=hours), AssumptionForm(initial=_assumed(assumed))
    if request.method == "POST" and request.POST.get("act") == "assumption":
        assumption = AssumptionForm(request.POST)
        if assumption.is_valid():
            attempt(request, "Saved.", lambda: targets.assume(actor=user, **assumption.cleaned_data))
            return redirect("ircase:dashboard_rules")
    elif request.method == "POST":
        form = TargetsForm(request.POST)
        if form.is_valid():
            attempt(request, "The targets are saved.", lambda: targets.save(actor=user, hours=form.hours()))
            return redirect("ircase:dashboard_rules")
        say_errors(request, {name: [str(one) for one in found] for name, found in form.errors.items()})
    context = {"form": form, "assumption": assumption, "assumed": assumed, "severities": list(Severity)}
    status = 422 if form.errors or assumption.errors else 200
    return render(request, "administration/dashboard.html", context, status=status)


def _assumed(row: Any) -> dict[str, Any]:
    return {"minutes": row.minutes, "reason": row.reason} if row else {}
