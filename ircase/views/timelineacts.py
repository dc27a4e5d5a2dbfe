"""What people do on the super-timeline: star and tag rows, save views, have events written to files."""

import json
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Case, CaseTable, JobState, RowTag, TimelineExport, TimelineView
from ircase.pages import render_tab
from ircase.services import waking
from ircase.services.analysis import stars, supertimeline
from ircase.services.analysis import timelinefiles as files
from ircase.services.analysis.timelineasking import kept
from ircase.services.vault import delivery
from ircase.views.doors import attempt, case_to_change


def _page(case: Case, query: str = "") -> str:
    asked = kept(QueryDict(query)).urlencode()
    return reverse("ircase:super_timeline", args=[case.reference]) + (f"?{asked}" if asked else "")


def _table(case: Case, uuid: UUID) -> CaseTable:
    table: CaseTable = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    table.case = table.evidence.case = case
    return table


@require_POST
@login_required
def build(request: HttpRequest, reference: str) -> HttpResponse:
    """Look at the case's tables again."""
    _, case = case_to_change(request, reference)
    waking.rebuild(case)
    messages.success(request, "The super-timeline is brought up to the case's tables.")
    return redirect(_page(case))


@require_POST
@login_required
def view_save(request: HttpRequest, reference: str) -> HttpResponse:
    """Keep the filter under a name, for everybody on the case."""
    user, case = case_to_change(request, reference)
    asked, name = kept(QueryDict(request.POST.get("asked", ""))).urlencode(), request.POST.get("name", "")
    attempt(
        request, "The view is saved.", lambda: supertimeline.save_view(case=case, actor=user, name=name, asked=asked)
    )
    return redirect(_page(case, asked))


@require_POST
@login_required
def view_remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, case = case_to_change(request, reference)
    view = get_object_or_404(TimelineView, case=case, uuid=uuid)
    supertimeline.remove_view(view=view, actor=user)
    messages.success(request, "The view is removed.")
    return redirect(_page(case))


@require_POST
@login_required
def star(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """Star the row (`on=1`) or take its star off; for htmx the button as it is now."""
    user, case = case_to_change(request, reference)
    table, on = _table(case, uuid), request.POST.get("on") == "1"
    problem = ""
    try:
        there = stars.star_of(table.evidence, table.name, number)
        if on and there is None:
            stars.star_rows(table=table, actor=user, numbers=[number])
        elif not on and there is not None:
            stars.unstar(star=there, actor=user)
    except ValidationError as error:
        on, problem = not on, " ".join(error.messages)
    if not request.headers.get("HX-Request"):
        if problem:
            messages.error(request, problem)
        return redirect(_page(case, request.POST.get("next", "")))
    context = {"case": case, "table": str(uuid), "number": number, "starred": on, "problem": problem}
    return render(request, "supertimeline/_star.html", context, status=422 if problem else 200)


@require_http_methods(["GET", "POST"])
@login_required
def tags(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """The row's tags: the form, in the dialog when htmx asks; a POST makes them these."""
    if request.method == "GET":
        case = access.get_case(access.current_user(request), reference)
        return _tags_form(request, case, _table(case, uuid), number)
    user, case = case_to_change(request, reference)
    table = _table(case, uuid)
    names = request.POST.get("tags", "").replace(",", " ").split()
    try:
        now = supertimeline.set_tags(table=table, actor=user, number=number, names=names)
    except ValidationError as error:
        return _tags_form(request, case, table, number, problem=" ".join(error.messages))
    if not request.headers.get("HX-Request"):
        messages.success(request, "The tags are kept.")
        return redirect(_page(case))
    context = {"table": str(uuid), "number": number, "tags": now, "oob": True}
    reply = render(request, "supertimeline/_tags.html", context)
    reply["HX-Trigger"] = json.dumps({"closeDialog": True, "tagged": {"row": f"{uuid}-{number}"}})
    return reply


def _tags_form(request: HttpRequest, case: Case, table: CaseTable, number: int, problem: str = "") -> HttpResponse:
    there = RowTag.objects.filter(evidence=table.evidence, table_name=table.name, number=number)
    context = {
        "case": case,
        "table": table,
        "number": number,
        "tags": " ".join(there.values_list("name", flat=True)) if not problem else request.POST.get("tags", ""),
        "known": RowTag.objects.filter(case=case).values_list("name", flat=True).distinct().order_by("name")[:100],
        "problem": problem,
        "may_write": access.may(case, access.ANALYST) and case.is_open,
    }
    status = 422 if problem else 200
    if request.headers.get("HX-Request"):
        return render(request, "supertimeline/_tags_form.html", context, status=status)
    return render_tab(request, case, "timeline", "supertimeline/tags.html", context, status=status)


@require_http_methods(["GET", "POST"])
@login_required
def exports(request: HttpRequest, reference: str) -> HttpResponse:
    """The exports of the case; a POST asks for one of the events of a filter."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    if request.method == "GET":
        found = TimelineExport.objects.filter(case=case).select_related("requested_by")[:100]
        return render_tab(request, case, "timeline", "supertimeline/exports.html", {"exports": found})
    asked, kind = kept(QueryDict(request.POST.get("asked", ""))).urlencode(), request.POST.get("format", "")
    try:
        export = supertimeline.request_export(case=case, actor=user, kind=kind, asked=asked)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect(_page(case, asked))
    return redirect("ircase:super_timeline_export", case.reference, export.uuid)


def _export(request: HttpRequest, reference: str, uuid: UUID) -> TimelineExport:
    case = access.get_case(access.current_user(request), reference)
    found: TimelineExport = get_object_or_404(
        TimelineExport.objects.select_related("requested_by"), case=case, uuid=uuid
    )
    found.case = case
    return found


@require_GET
@login_required
def export(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """How far it is, what is in it, and the way to the file."""
    found = _export(request, reference, uuid)
    context = {"export": found, "there": files.is_there(found), "back": _page(found.case, found.asked)}
    return render_tab(request, found.case, "timeline", "supertimeline/export.html", context)


@require_GET
@login_required
def export_file(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    found = _export(request, reference, uuid)
    try:
        chunks = files.hand_out(found, actor=access.current_user(request))
    except files.ExportGone as error:
        messages.error(request, str(error))
        return redirect("ircase:super_timeline_export", reference, uuid)
    return delivery.attachment(chunks, name=files.name_of(found), size=found.manifest["size"])


@require_GET
@login_required
def manifest(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """What is in the file and where it comes from, as JSON."""
    found = _export(request, reference, uuid)
    if found.state != JobState.DONE:
        messages.error(request, "The export is not ready.")
        return redirect("ircase:super_timeline_export", reference, uuid)
    text = json.dumps(found.manifest, ensure_ascii=False, indent=2) + "\n"
    return delivery.attachment(iter([text.encode()]), name=f"{files.name_of(found)}.manifest.json")
