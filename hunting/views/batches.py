"""One question on several sources: how far each is, and their rows together."""

import itertools
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from hunting.services import batches
from ircase import access, grid
from ircase.forms.evidence import ConditionForm, conditions
from ircase.models import Case
from ircase.pages import render_tab
from ircase.services.transfer import exports
from ircase.services.vault import delivery
from ircase.views import grids

PER_PAGE = 100


@require_GET
@login_required
def batch(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The runs and their rows. Where only the grid is asked for (sorting, paging), only the grid is answered."""
    case = access.get_case(access.current_user(request), reference)
    context = _context(request, case, uuid)
    if request.headers.get("HX-Target") == "rows":
        return render(request, "hunting/_together.html", {"case": case, **context})
    return render_tab(request, case, "hunts", "hunting/batch.html", context)


@require_GET
@login_required
def batch_state(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The same as a fragment, which asks for itself until every run has ended."""
    case = access.get_case(access.current_user(request), reference)
    return render(request, "hunting/_batch.html", {"case": case, **_context(request, case, uuid)})


def _context(request: HttpRequest, case: Case, uuid: UUID) -> dict[str, Any]:
    runs = batches.runs_of(case, uuid)
    if not runs:
        raise Http404("There is no such question.")
    page_url = reverse("hunting:batch", args=[case.reference, uuid])
    found: dict[str, Any] = {
        "batch": uuid,
        "runs": runs,
        "title": runs[0].title,
        "busy": any(not run.is_final for run in runs),
        "place": grids.Place(page_url, page_url, PER_PAGE),
    }
    try:
        together = batches.together(case, uuid)
        if together is None:
            return found
        batches.look(together, access.current_user(request))
        return found | _rows(request, case, together)
    except grid.GridError as error:
        return found | {"problem": str(error)}


def _rows(request: HttpRequest, case: Case, together: batches.Together) -> dict[str, Any]:
    sort, filters = request.GET.get("sort", ""), conditions(request.GET)
    number = grids.page_number(request.GET.get("page", ""))
    page = together.page(offset=(number - 1) * PER_PAGE, limit=PER_PAGE, sort=sort, filters=filters)
    rows = []
    for row in page.rows:
        run, own = together.origin(row.number)
        url = reverse("hunting:run_row", args=[case.reference, run.uuid, own])
        rows.append(grids.Row(row.number, row.texts, url))
    return {
        "grid": page,
        "page": grids.as_page(page),
        "rows": rows,
        "sort": sort,
        "columns": [{"name": c.name, "type": c.type, "field": c.name} for c in page.columns],
        "condition_form": ConditionForm(columns=[column.name for column in page.columns]),
        "conditions": grids.chips(request.GET, filters),
        "asked": grids.asked(request.GET).urlencode(),
        "texts": [f"{name}: {', '.join(kinds)}" for name, kinds in together.texts.items()],
        "formats": exports.FORMATS.items(),
    }


@require_GET
@login_required
def batch_export(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The rows that pass, as a download."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    kind = request.GET.get("format", "csv")
    try:
        found = batches.together(case, uuid)
        if found is None:
            raise Http404("There are no rows to hand out.")
        wanted = exports.Wanted(request.GET.get("sort", ""), conditions(request.GET))
        chunks = batches.export(found, kind, actor=user, wanted=wanted)
        first = next(chunks, b"")
    except grid.GridError as error:
        messages.error(request, str(error))
        return redirect("hunting:batch", reference, uuid)
    name = delivery.safe_text(f"{case.reference}_several_sources_{str(uuid)[:8]}")
    return delivery.attachment(itertools.chain([first], chunks), name=f"{name}.{kind}")
