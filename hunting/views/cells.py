"""One cell: added, written, run, moved, deleted and brought back; each door answers with the cell alone to htmx, and
with the notebook's page to a browser without script."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting.forms.notebooks import KqlCellForm, MarkdownCellForm
from hunting.models import Cell, CellRevision, Notebook
from hunting.services import runs
from hunting.services.notebooks import editing
from hunting.services.notebooks.editing import CellConflict, Draft
from hunting.services.notebooks.running import Unchanged, run_cell
from hunting.starters import starters
from hunting.views.cellviews import view_of
from hunting.views.doors import cell_of, notebook_to_change, notebook_to_read
from hunting.views.notebooks import table_context
from ircase import access
from ircase.models import User
from ircase.pages import render_tab

CellForm = KqlCellForm | MarkdownCellForm


@require_POST
@login_required
def cell_add(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """`kind`; `beside` and `above` say where; `starter` one of the offered queries. htmx gets it open for writing."""
    user, found = notebook_to_change(request, reference, uuid)
    beside, kind = request.POST.get("beside", ""), request.POST.get("kind", "")
    starter = next((one for one in starters() if one.id == request.POST.get("starter", "")), None)
    if kind not in Cell.Kind.values:
        raise Http404("No such kind of cell.")
    draft = Draft(starter.kql.strip(), name=_free(found, starter.name)) if starter else None
    try:
        made = editing.add_cell(
            notebook=found,
            actor=user,
            kind=kind,
            draft=draft,
            beside=cell_of(found, access.parse_uuid(beside)) if beside else None,
            above="above" in request.POST,
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("hunting:notebook", reference, uuid)
    if not request.headers.get("HX-Request"):
        return redirect(_page(found, None if starter else made))
    if starter:
        return _show(request, user, cell_of(found, made.uuid), focus=True)
    return _edit(request, made, _form(made))


def _free(found: Notebook, name: str) -> str:
    """The starter's name, where no cell has it."""
    return "" if found.cells.there().filter(name__iexact=name).exists() else name


def _page(found: Notebook, cell: Cell | None = None) -> str:
    """The notebook's page at the cell, or the page that edits it."""
    page = reverse("hunting:notebook", args=[found.case.reference, found.uuid])
    if cell is None:
        return page
    return reverse("hunting:cell_edit", args=[found.case.reference, found.uuid, cell.uuid])


def _context(request: HttpRequest, found: Notebook, **more: Any) -> dict[str, Any]:
    may_write = access.may(found.case, access.ANALYST) and found.case.is_open
    return {"case": found.case, "notebook": found, "may_write": may_write, **more}


def _show(request: HttpRequest, user: User, cell: Cell, *, focus: bool = False, **more: Any) -> HttpResponse:
    """The cell as it is read."""
    view = view_of(cell.notebook.case, cell, user, **more)
    reply = render(request, "notebook/_cell.html", _context(request, cell.notebook, view=view))
    if focus:
        reply["HX-Trigger-After-Settle"] = json.dumps({"cellFocus": {"cell": str(cell.uuid)}})
    return reply


def _form(cell: Cell, data: Any = None, **initial: Any) -> CellForm:
    draft = Draft.of(cell)
    values = {"version": cell.version, **vars(draft), **initial}
    auto_id = f"cell-{cell.uuid}-%s"
    if not cell.is_kql:
        return MarkdownCellForm(data, initial=values, auto_id=auto_id)
    usable = runs.sources_of(cell.notebook.case)
    return KqlCellForm(data, sources=usable, now=cell.source, initial=values, auto_id=auto_id)


def _edit(
    request: HttpRequest, cell: Cell, form: CellForm, *, conflict: CellRevision | None = None, status: int = 200
) -> HttpResponse:
    """The cell as it is written: alone for htmx, else on a page of its own."""
    context = _context(request, cell.notebook, cell=cell, form=form, conflict=conflict)
    if request.headers.get("HX-Request"):
        context["view"] = view_of(cell.notebook.case, cell, access.current_user(request))
        return render(request, "notebook/_cell_edit.html", context, status=status)
    return render_tab(request, cell.notebook.case, "notebooks", "notebook/cell_edit.html", context, status=status)


@require_GET
@login_required
def cell(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """The cell as it is read: for htmx alone, else its place on the notebook's page."""
    user, found = notebook_to_read(request, reference, uuid)
    wanted = cell_of(found, cell)
    if request.headers.get("HX-Request"):
        return _show(request, user, wanted, focus=True)
    return redirect(f"{_page(found)}#cell-{wanted.uuid}")


@require_http_methods(["GET", "POST"])
@login_required
def cell_edit(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """The cell's text; `action`: save, run, or run_next, which moves on to the cell below."""
    user, found = notebook_to_change(request, reference, uuid)
    wanted = cell_of(found, cell)
    if request.method == "GET":
        return _edit(request, wanted, _form(wanted))
    form = _form(wanted, request.POST)
    if not form.is_valid():
        return _edit(request, wanted, form, status=422)
    try:
        editing.save_cell(cell=wanted, actor=user, draft=form.draft, version=form.cleaned_data["version"])
    except CellConflict as conflict:
        now = cell_of(found, cell)
        merged = _form(now, text=form.draft.text, name=form.draft.name)
        return _edit(request, now, merged, conflict=conflict.revision, status=422)
    except ValidationError as error:
        _take_errors(form, error)
        return _edit(request, wanted, form, status=422)
    action = request.POST.get("action", "run" if wanted.is_kql else "save")
    if wanted.is_kql and action in ("run", "run_next"):
        return _run(request, user, cell_of(found, cell), onward=action == "run_next")
    if request.headers.get("HX-Request"):
        reply = _show(request, user, cell_of(found, cell), focus=action != "run_next")
        return _onward(reply, wanted) if action == "run_next" else reply
    return redirect(f"{_page(found)}#cell-{cell}")


def _take_errors(form: CellForm, error: ValidationError) -> None:
    for name, said in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
        for message in said:
            form.add_error(name if name in form.fields else None, message)


def _onward(reply: HttpResponse, cell: Cell) -> HttpResponse:
    reply["HX-Trigger-After-Settle"] = json.dumps({"cellNext": {"cell": str(cell.uuid)}})
    return reply


@require_POST
@login_required
def cell_run(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """Run the cell as it is saved; `again`: also where nothing has changed."""
    user, found = notebook_to_change(request, reference, uuid)
    onward = request.POST.get("action") == "run_next"
    return _run(request, user, cell_of(found, cell), again="again" in request.POST, onward=onward)


def _run(request: HttpRequest, user: User, cell: Cell, *, again: bool = False, onward: bool = False) -> HttpResponse:
    problem, offer = "", False
    try:
        if cell.is_kql:
            run_cell(cell=cell, actor=user, again=again)
    except Unchanged:
        offer = True
    except ValidationError as error:
        problem = " ".join(error.messages)
    now = cell_of(cell.notebook, cell.uuid)
    if request.headers.get("HX-Request"):
        reply = _show(request, user, now, focus=not onward, offer=offer, problem=problem)
        return _onward(reply, now) if onward else reply
    if problem:
        messages.error(request, problem)
    elif offer:
        messages.info(request, "Neither the question nor the tables have changed since the result below.")
    return redirect(f"{_page(cell.notebook)}#cell-{cell.uuid}")


@require_POST
@login_required
def cell_cancel(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """Stop the cell's run, if one is under way."""
    user, found = notebook_to_change(request, reference, uuid)
    wanted = cell_of(found, cell)
    if wanted.last is not None:
        wanted.last.run.case = found.case
        runs.cancel(run=wanted.last.run, actor=user)
    if request.headers.get("HX-Request"):
        return _show(request, user, cell_of(found, cell), focus=True)
    return redirect(f"{_page(found)}#cell-{cell}")


@require_GET
@login_required
def cell_result(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """The result alone, which asks for itself until its run has ended."""
    user, found = notebook_to_read(request, reference, uuid)
    view = view_of(found.case, cell_of(found, cell), user)
    context = _context(request, found, view=view)
    if view.cell.name and view.result is not None and view.result.run.is_final:
        context |= table_context(found)
    return render(request, "notebook/_result_alone.html", context)


@require_GET
@login_required
def cell_history(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """Every text and every result that the cell ever had."""
    _, found = notebook_to_read(request, reference, uuid)
    wanted = cell_of(found, cell)
    context = {
        "notebook": found,
        "cell": wanted,
        "revisions": wanted.revisions.select_related("saved_by")[:200],
        "results": wanted.results.select_related("run__activity", "run__requested_by", "run__evidence")[:200],
    }
    return render_tab(request, found.case, "notebooks", "notebook/history.html", context)


@require_POST
@login_required
def cell_move(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    """One place up or down (`to`); htmx is told before which cell it stands now."""
    user, found = notebook_to_change(request, reference, uuid)
    wanted = cell_of(found, cell)
    editing.move_cell(cell=wanted, actor=user, up=request.POST.get("to") == "up")
    if not request.headers.get("HX-Request"):
        return redirect(f"{_page(found)}#cell-{cell}")
    order = list(found.cells.there().values_list("uuid", flat=True))
    at = order.index(wanted.uuid) if wanted.uuid in order else len(order)
    follows = str(order[at + 1]) if at + 1 < len(order) else ""
    reply = HttpResponse(status=204)
    reply["HX-Trigger"] = json.dumps({"cellMoved": {"cell": str(wanted.uuid), "before": follows}})
    return reply


@require_POST
@login_required
def cell_remove(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    user, found = notebook_to_change(request, reference, uuid)
    wanted = cell_of(found, cell)
    editing.remove_cell(cell=wanted, actor=user)
    if request.headers.get("HX-Request"):
        return render(request, "notebook/_removed.html", _context(request, found, cell=wanted))
    messages.info(request, "The cell is deleted. It can be brought back at the end of the notebook.")
    return redirect(_page(found))


@require_POST
@login_required
def cell_restore(request: HttpRequest, reference: str, uuid: UUID, cell: UUID) -> HttpResponse:
    user, found = notebook_to_change(request, reference, uuid)
    editing.restore_cell(cell=cell_of(found, cell), actor=user)
    if request.headers.get("HX-Request"):
        return _show(request, user, cell_of(found, cell), focus=True)
    return redirect(f"{_page(found)}#cell-{cell}")
