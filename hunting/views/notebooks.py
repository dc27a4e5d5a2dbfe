"""The notebooks of a case: the list, one of them with its cells, running all of it, out as Markdown and in again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting.forms.notebooks import NotebookForm, NotebookImportForm
from hunting.models import Cell, Notebook, NotebookRun
from hunting.services import sources
from hunting.services.notebooks import batches, editing, exchange, listing
from hunting.services.notebooks.exchange import MAX_FILE
from hunting.starters import fitting
from hunting.views.cellviews import BatchView, CellView, batch_view, view_of, views_of
from hunting.views.doors import notebook_to_change, notebook_to_read
from ircase import access
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.services.transfer import uploads
from ircase.services.vault import delivery
from ircase.views.doors import attempt, case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def notebooks(request: HttpRequest, reference: str) -> HttpResponse:
    """The list; a POST begins a new one."""
    if request.method == "POST":
        return _create(request, reference)
    return _show_list(request, access.get_case(access.current_user(request), reference))


def _create(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = NotebookForm(request.POST)
    if form.is_valid():
        try:
            made = editing.create_notebook(case=case, actor=user, title=form.cleaned_data["title"])
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("hunting:notebook", reference, made.uuid)
    return _show_list(request, case, form, status=422)


def _show_list(request: HttpRequest, case: Case, form: NotebookForm | None = None, status: int = 200) -> HttpResponse:
    there = Q(cells__deleted_at=None)
    found = Notebook.objects.filter(case=case).select_related("created_by")
    found = found.annotate(
        queries=Count("cells", filter=there & Q(cells__kind=Cell.Kind.KQL)), changed=Max("cells__updated_at")
    )
    context = {"notebooks": found, "form": form or NotebookForm(initial={"title": _free_title(case)})}
    return render_tab(request, case, "notebooks", "notebook/list.html", context, status=status)


def _free_title(case: Case) -> str:
    count = Notebook.objects.filter(case=case).count()
    return f"Notebook {count + 1}" if count else "Notebook"


@csrf_exempt  # `_import` checks it, after the handler that takes the file is in place
@require_http_methods(["GET", "POST"])
@login_required
def notebook_import(request: HttpRequest, reference: str) -> HttpResponse:
    """Markdown with fences of KQL as a new notebook."""
    user, case = case_to_change(request, reference)
    if request.method == "GET":
        return _show_import(request, case, NotebookImportForm())
    files: list[uploads.Upload] = []
    try:
        files = [uploads.receive_one(request, MAX_FILE)]
    except uploads.NoFile:
        pass  # the text may have been pasted
    except (ValidationError, RequestDataTooBig) as error:
        return _show_import(request, case, NotebookImportForm(), " ".join(getattr(error, "messages", [str(error)])))
    try:
        response: HttpResponse = _import(request, user, case)
        return response
    finally:
        for file in files:
            file.close()


@csrf_protect
def _import(request: HttpRequest, user: User, case: Case) -> HttpResponse:
    form = NotebookImportForm(request.POST, request.FILES)
    if form.is_valid():
        data = form.cleaned_data
        try:
            made = exchange.import_markdown(case=case, actor=user, title=data["title"], text=data["text"])
        except ValidationError as error:
            form.add_error(None, " ".join(error.messages))
        else:
            messages.success(request, f"{made.title} is imported.")
            return redirect("hunting:notebook", case.reference, made.uuid)
    return _show_import(request, case, form)


def _show_import(request: HttpRequest, case: Case, form: NotebookImportForm, problem: str = "") -> HttpResponse:
    context = {"form": form, "problem": problem}
    status = 422 if form.is_bound or problem else 200
    return render_tab(request, case, "notebooks", "notebook/import.html", context, status=status)


@require_GET
@login_required
def notebook(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, found = notebook_to_read(request, reference, uuid)
    cells = _cells(found)
    context: dict[str, Any] = {
        "notebook": found,
        "views": views_of(request, found.case, cells, user),
        "deleted": found.cells.exclude(deleted_at=None).order_by("-deleted_at")[:50],
        "form": NotebookForm(initial={"title": found.title}, auto_id="rename_%s"),
        **table_context(found),
        **_progress(found, cells),
    }
    if access.may(found.case, access.ANALYST) and found.case.is_open:
        context["starters"] = fitting(sources.tables_for(found.case, None)[0])
    return render_tab(request, found.case, "notebooks", "notebook/notebook.html", context)


def _cells(found: Notebook) -> list[Cell]:
    cells = list(found.cells.there().with_results())
    for cell in cells:
        cell.notebook = found
    return cells


def table_context(found: Notebook) -> dict[str, Any]:
    """What `_tables.html` needs."""
    return {"tables": listing.tables_of(found.case), "results": listing.results_of(found)}


def _progress(found: Notebook, cells: list[Cell]) -> dict[str, Any]:
    batch = NotebookRun.objects.filter(notebook=found).select_related("requested_by").first()
    return {"batch": batch_view(batch, cells)}


@require_POST
@login_required
def notebook_rename(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, found = notebook_to_change(request, reference, uuid)
    title = request.POST.get("title", "")[:500]
    attempt(request, "Renamed.", lambda: editing.rename_notebook(notebook=found, actor=user, title=title))
    return redirect("hunting:notebook", reference, uuid)


@require_GET
@login_required
def notebook_export(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    user, found = notebook_to_read(request, reference, uuid)
    chunks = (f"{line}\n".encode("utf-8", "backslashreplace") for line in exchange.to_markdown(found, user))
    name = delivery.safe_text(found.title) or "notebook"
    return delivery.attachment(chunks, name=f"{found.case.reference}_{name}.md")


@require_POST
@login_required
def notebook_run(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """All queries from top to bottom: `go_on` after one that failed, `again` also what has not changed."""
    user, found = notebook_to_change(request, reference, uuid)
    try:
        batches.start(notebook=found, actor=user, go_on="go_on" in request.POST, again="again" in request.POST)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return _progress_or_page(request, user, found)


@require_POST
@login_required
def notebook_cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, found = notebook_to_change(request, reference, uuid)
    batch = NotebookRun.objects.filter(notebook=found, state=NotebookRun.State.RUNNING).first()
    if batch is not None:
        batches.cancel(batch=batch, actor=user)
    return _progress_or_page(request, user, found)


def _progress_or_page(request: HttpRequest, user: User, found: Notebook) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return _render_state(request, user, found)
    return redirect("hunting:notebook", found.case.reference, found.uuid)


@require_GET
@login_required
def notebook_state(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """How far the run of all cells is. `seen`: how many cells had begun when the page last heard; the results of
    those that have begun since come along."""
    user, found = notebook_to_read(request, reference, uuid)
    return _render_state(request, user, found)


def _render_state(request: HttpRequest, user: User, found: Notebook) -> HttpResponse:
    cells = _cells(found)
    context = {"case": found.case, "notebook": found, **_progress(found, cells)}
    view = context["batch"]
    context["may_write"] = access.may(found.case, access.ANALYST) and found.case.is_open
    context["moved"] = [] if view is None else _begun(request, user, found, cells, view)
    if view is not None and view.batch.is_final:
        context |= {"tables_too": True, **table_context(found)}
    return render(request, "notebook/_state.html", context)


def _begun(request: HttpRequest, user: User, found: Notebook, cells: list[Cell], view: BatchView) -> list[CellView]:
    """The cells that the run has come to since the page last heard of it."""
    text = request.GET.get("seen", "")
    seen = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    since = set(view.batch.plan[seen : view.begun]) if request.method == "GET" else set()
    return [view_of(found.case, cell, user) for cell in cells if cell.pk in since]
