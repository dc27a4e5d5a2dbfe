"""Rows of a case table: paged, sorted, filtered, and one of them in full."""

from types import SimpleNamespace
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from frontend.jsontree import nodes
from ircase import access, grid
from ircase.forms.evidence import ConditionForm, conditions
from ircase.models import CaseTable
from ircase.pages import render_tab
from ircase.services import previews
from ircase.services.tables import columns_of

PER_PAGE = 50


def _find(request: HttpRequest, reference: str, uuid: UUID) -> CaseTable:
    case = access.get_case(access.current_user(request), reference)
    table: CaseTable = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    table.case = table.evidence.case = case
    return table


@login_required
@require_GET
def table(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A page of rows. Looking at them is a touch of the evidence, which custody keeps."""
    found = _find(request, reference, uuid)
    previews.note(found.evidence, actor=access.current_user(request), what=f"table {found.name}")
    columns = columns_of(found)
    number = _page_number(request.GET.get("page", ""))
    context: dict[str, object] = {
        "table": found,
        "sort": request.GET.get("sort", ""),
        "form": ConditionForm(columns=[column.name for column in columns]),
    }
    try:
        filters = conditions(request.GET)
        page = grid.page(
            found.path,
            columns,
            offset=(number - 1) * PER_PAGE,
            limit=PER_PAGE,
            sort=str(context["sort"]),
            filters=filters,
        )
    except grid.GridError as error:
        context["problem"] = str(error)
        return render_tab(request, found.case, "evidence", "evidence/table.html", context, status=422)
    context |= {"grid": page, "page": as_page(page), "rows": _rows(found, page), "conditions": _chips(request, filters)}
    context["columns"] = [{"name": c.name, "type": c.type, "field": c.name} for c in columns]
    return render_tab(request, found.case, "evidence", "evidence/table.html", context)


@login_required
@require_GET
def row(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """One row in full; in the drawer when htmx asks."""
    found = _find(request, reference, uuid)
    previews.note(found.evidence, actor=access.current_user(request), what=f"table {found.name}")
    try:
        record = grid.row(found.path, columns_of(found), number)
    except grid.GridError as error:
        raise Http404(str(error)) from None
    if record is None:
        raise Http404("No such row.")
    context = {"table": found, "number": number, "nodes": nodes(record), "case": found.case}
    if request.headers.get("HX-Request"):
        return render(request, "evidence/_row.html", context)
    return render_tab(request, found.case, "evidence", "evidence/row.html", context)


def _page_number(text: str) -> int:
    return min(max(int(text), 1), 10**9) if text.isdecimal() and len(text) < 10 else 1


def as_page(page: grid.GridPage) -> SimpleNamespace:
    """A page of the grid as components/pagination.html knows pages."""
    pages = max(1, -(-page.matched // page.limit))
    number = page.offset // page.limit + 1
    return SimpleNamespace(
        number=number,
        has_previous=number > 1,
        has_next=number < pages,
        has_other_pages=pages > 1,
        previous_page_number=number - 1,
        next_page_number=number + 1,
        start_index=page.offset + 1 if page.rows else 0,
        end_index=page.offset + len(page.rows),
        paginator=SimpleNamespace(count=page.matched, num_pages=pages),
    )


def _rows(table: CaseTable, page: grid.GridPage) -> list[dict[str, object]]:
    return [
        {
            "number": row.number,
            "cells": row.texts,
            "url": reverse("ircase:table_row", args=[table.case.reference, table.uuid, row.number]),
        }
        for row in page.rows
    ]


def _chips(request: HttpRequest, filters: list[grid.Filter]) -> list[dict[str, str]]:
    """Each condition in words, with the address without it."""
    chips = []
    for place, wanted in enumerate(filters):
        query = request.GET.copy()
        query.pop("page", None)
        for key in ("c", "o", "v"):
            values = query.getlist(key)
            query.setlist(key, values[:place] + values[place + 1 :])
        words = f"{wanted.column} {wanted.operator} {wanted.text}".strip()
        chips.append({"text": words, "url": f"?{query.urlencode()}"})
    return chips
