"""Many rows into the case by a mapping of their columns: chosen, looked at, taken."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access, grid
from ircase.forms.rows import MapForm, picked_rows
from ircase.models import CaseTable, RowTake
from ircase.pages import render_tab
from ircase.services.analysis import mapping
from ircase.services.analysis.tables import columns_of
from ircase.views import grids
from ircase.views.tables import back_to, find_to_change


@require_http_methods(["GET", "POST"])
@login_required
def table_map(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """GET: of all rows that pass the address's conditions. POST: of the picked `rows`, or of those that were shown;
    with `step` preview or add."""
    user, table = find_to_change(request, reference, uuid)
    step = request.POST.get("step", "")
    try:
        numbers = _numbers(request, table)
    except (ValidationError, grid.GridError) as error:
        messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
        return redirect(back_to(request, table))
    columns = columns_of(table)
    form = MapForm(request.POST if step else None, columns=columns, guesses=mapping.guesses(table, numbers))
    context: dict[str, Any] = {"table": table, "numbers": numbers, "form": form, "asked": request.GET.urlencode()}
    context |= {"next": request.POST.get("next", ""), "at_once": mapping.AT_ONCE}
    if step and form.is_valid():
        plan = form.plan()
        try:
            if step == "add":
                return _take(request, user, table, numbers, plan)
            context["counts"] = mapping.preview(table, numbers, plan)
        except ValidationError as error:
            form.add_error(None, error.messages)
    status = 422 if form.errors else 200
    return render_tab(request, table.case, "evidence", "grid/map.html", context, status=status)


def _numbers(request: HttpRequest, table: CaseTable) -> list[int]:
    if request.method == "POST" and request.POST.getlist("rows"):
        return picked_rows(request.POST)
    return mapping.numbers_of(table, grids.filters_of(request.GET, table))


def _take(request: HttpRequest, user: Any, table: CaseTable, numbers: list[int], plan: mapping.Plan) -> HttpResponse:
    if len(numbers) > mapping.AT_ONCE:
        job = mapping.request(table=table, actor=user, numbers=numbers, plan=plan)
        return redirect("ircase:row_take", table.case.reference, job.uuid)
    counts = mapping.take(table=table, actor=user, numbers=numbers, plan=plan)
    messages.success(request, mapping.sentence(counts))
    return redirect(back_to(request, table))


@require_GET
@login_required
def row_take(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """How far it is, and what came of it."""
    case = access.get_case(access.current_user(request), reference)
    jobs = RowTake.objects.select_related("activity", "evidence", "requested_by")
    job = get_object_or_404(jobs, case=case, uuid=uuid)
    return render_tab(request, case, "evidence", "grid/row_take.html", {"job": job})
