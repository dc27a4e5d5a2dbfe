"""CSV files of incidents: handed in, mapped and previewed, then read by a worker."""

from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.incidentdoors import ColumnsForm, FileForm
from ircase.intake import csvfile, mapped
from ircase.models import IncidentFile, IncidentSource, User
from ircase.services.incidents import incidentdoors, incidentfiles
from ircase.services.incidents.intake import require_inbox
from ircase.services.transfer import uploads

PER_PAGE = 20
PREVIEWED = 15
PROBLEMS_SHOWN = 100


@csrf_exempt  # `_take` checks it, after the handler that takes the file is in place
@login_required
@require_http_methods(["GET", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """The files that came; a POST hands one in."""
    user = access.current_user(request)
    require_inbox(user)
    if request.method == "GET":
        return _list(request, FileForm())
    try:
        files = uploads.receive(request)
    except (ValidationError, RequestDataTooBig) as error:
        return _list(request, FileForm(), "; ".join(getattr(error, "messages", [str(error)])))
    response: HttpResponse = _take(request, files)
    return response


@csrf_protect
def _take(request: HttpRequest, files: list[uploads.Upload]) -> HttpResponse:
    user, form, file = access.current_user(request), FileForm(request.POST), files[0]
    if not form.is_valid():
        return _list(request, form)
    if (file.size or 0) > csvfile.MOST_BYTES:
        return _list(request, form, f"A file of incidents may have {csvfile.MOST_BYTES // 2**20} MiB. Split it.")
    try:
        source = incidentdoors.csv_source(
            name=form.cleaned_data["source"].strip(), actor=user, connection=form.cleaned_data["connection"]
        )
        kept = incidentfiles.keep_file(actor=user, source=source, name=file.name or "", content=file.read())
    except ValidationError as error:
        return _list(request, form, " ".join(error.messages))
    return redirect("ircase:incident_file", kept.uuid)


def _list(request: HttpRequest, form: FileForm, problem: str = "") -> HttpResponse:
    found = IncidentFile.objects.defer("content", "problems").select_related("source", "uploaded_by")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    sources = IncidentSource.objects.filter(kind=IncidentSource.Kind.CSV)
    context = {"page": page, "form": form, "problem": problem, "sources": sources}
    return render(request, "ircase/incident_files.html", context, status=422 if problem or form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def item(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A file: its columns and what its rows would become; or how far the worker is, and what it could not take."""
    user = access.current_user(request)
    require_inbox(user)
    found = get_object_or_404(IncidentFile.objects.select_related("source"), uuid=uuid)
    if found.asked_at is not None:
        template = "_incident_file.html" if request.headers.get("HX-Request") else "incident_file.html"
        return render(request, f"ircase/{template}", {"file": found, "problems": found.problems[:PROBLEMS_SHOWN]})
    columns = csvfile.columns_of(bytes(found.content))
    form = ColumnsForm(request.POST or None, columns=columns, mapping=found.source.mapping)
    if request.method == "POST" and form.is_valid() and _acted(request, user, found, form):
        return redirect("ircase:incident_file", found.uuid)
    context = {"file": found, "form": form, **_preview(found)}
    return render(request, "ircase/incident_file.html", context, status=422 if form.errors else 200)


def _acted(request: HttpRequest, user: User, found: IncidentFile, form: ColumnsForm) -> bool:
    try:
        incidentfiles.map_columns(file=found, actor=user, mapping=form.mapping())
        if request.POST.get("action") == "import":
            incidentfiles.ask(file=found, actor=user)
            messages.success(request, "A worker reads the file now.")
    except ValidationError as error:
        form.add_error(None, error.messages)
        return False
    return True


def _preview(found: IncidentFile) -> dict[str, Any]:
    """The first rows as they would be taken, and every row that could not be."""
    mapping = found.source.mapping
    problems = mapped.problems_of(mapping)
    if problems:
        return {"mapping_problems": problems}
    rows: list[csvfile.Row] = []
    wrong: list[csvfile.Row] = []
    total = 0
    try:
        for row in csvfile.rows_of(bytes(found.content), mapping, name=found.source.name, at=found.uploaded_at):
            total += 1
            if len(rows) < PREVIEWED:
                rows.append(row)
            if row.problem:
                wrong.append(row)
    except csvfile.BadFile as error:
        shown = wrong[:PROBLEMS_SHOWN]
        return {"rows": rows, "wrong": shown, "bad": len(wrong), "problem": str(error), "total": total}
    good = total - len(wrong)
    return {"rows": rows, "wrong": list(islice(wrong, PROBLEMS_SHOWN)), "bad": len(wrong), "total": total, "good": good}
