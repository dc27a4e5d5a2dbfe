"""Rows of a case table: the grid, one row in full, statistics of a column, exports, and chosen rows as indicators."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, charts, grid
from ircase.forms.rows import RowsForm
from ircase.models import Asset, CaseTable, Event, Indicator, User
from ircase.pages import render_tab
from ircase.services.analysis import stars, tablerows, tablesearch
from ircase.services.analysis.tables import columns_of
from ircase.services.transfer import exports
from ircase.services.vault import delivery, previews
from ircase.views import cells, grids
from ircase.views.doors import case_to_change

PER_PAGE = 50


def _find(request: HttpRequest, reference: str, uuid: UUID) -> CaseTable:
    case = access.get_case(access.current_user(request), reference)
    table: CaseTable = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    table.case = table.evidence.case = case
    return table


def find_to_change(request: HttpRequest, reference: str, uuid: UUID) -> tuple[User, CaseTable]:
    """404 for outsiders, 403 for readers and on a closed case."""
    user, _ = case_to_change(request, reference)
    return user, _find(request, reference, uuid)


def _page_url(table: CaseTable) -> str:
    return reverse("ircase:table", args=[table.case.reference, table.uuid])


def _look(request: HttpRequest, table: CaseTable) -> None:
    """Looking at rows is a touch of the evidence, which custody keeps."""
    previews.note(table.evidence, actor=access.current_user(request), what=f"table {table.name}")


@login_required
@require_GET
def table(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A page of rows. Where only the grid is asked for (sorting, paging), only the grid is answered."""
    found = _find(request, reference, uuid)
    _look(request, found)
    page_url = _page_url(found)
    context = grids.context(request, found, grids.Place(page_url, f"{page_url}rows/", PER_PAGE))
    context["search_left_out"] = tablesearch.left_out(found)
    context["bulk_url"] = reverse("ircase:table_bulk", args=[reference, uuid])
    status = 422 if "problem" in context else 200
    if request.headers.get("HX-Target") == "rows":
        may_write = access.may(found.case, access.ANALYST) and found.case.is_open
        # htmx shows a 422 too: the problem stands where the rows would.
        return render(
            request, "grid/_grid.html", {"case": found.case, "may_write": may_write, **context}, status=status
        )
    return render_tab(request, found.case, "evidence", "evidence/table.html", context, status=status)


class _Taker:
    """Findings of this table's rows."""

    def __init__(self, table: CaseTable, user: User) -> None:
        self.table, self.user = table, user

    def event(self, number: int, **data: Any) -> Event:
        return tablerows.add_event(table=self.table, actor=self.user, number=number, **data)

    def asset(self, number: int, **data: Any) -> tuple[Asset, bool]:
        return tablerows.add_asset(table=self.table, actor=self.user, number=number, **data)

    def indicator(self, number: int, **data: Any) -> tuple[Indicator, bool]:
        return tablerows.add_indicator(table=self.table, actor=self.user, number=number, **data)


@login_required
@require_http_methods(["GET", "POST"])
def row(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """One row in full, and the forms that make findings of it; in the drawer when htmx asks."""
    if request.method == "GET":
        return _show_row(request, _find(request, reference, uuid), number)
    user, found = find_to_change(request, reference, uuid)
    said, form = cells.take(request, _Taker(found, user), number)
    if request.headers.get("HX-Request") or not said:
        return _show_row(request, found, number, said=said, bound=form, status=200 if said else 422)
    messages.success(request, said)
    return redirect("ircase:table_row", reference, uuid, number)


def _show_row(
    request: HttpRequest,
    table: CaseTable,
    number: int,
    *,
    said: str = "",
    bound: forms.Form | None = None,
    status: int = 200,
) -> HttpResponse:
    try:
        record = tablerows.row_of(table, number)
    except ValidationError as error:
        raise Http404(" ".join(error.messages)) from None
    _look(request, table)
    initial = {"at": tablerows.moment_of(table, record), "title": tablerows.title_of(table, record)}
    origin = {"evidence": str(table.evidence.uuid), "table": table.name, "row": number}
    page_url = _page_url(table)
    context = {
        "case": table.case,
        "table": table,
        "number": number,
        "row_of": table.name,
        "back_url": f"{page_url}?{grids.asked(request.GET, without=()).urlencode()}",
        "post_url": request.get_full_path(),
        "cells": cells.cells_of(table.case, columns_of(table), record, page_url=page_url, query=request.GET),
        "said": said,
        "added": cells.added(table.case, **origin),
        "star": stars.star_of(table.evidence, table.name, number),
        "star_url": reverse("ircase:table_star", args=[table.case.reference, table.uuid, number]),
        "may_write": access.may(table.case, access.ANALYST) and table.case.is_open,
        **cells.form_context(bound, initial),
    }
    if request.headers.get("HX-Request"):
        return render(request, "grid/_row.html", context, status=status)
    return render_tab(request, table.case, "evidence", "grid/row.html", context, status=status)


def back_to(request: HttpRequest, table: CaseTable) -> str:
    """The grid that the form was on: a path of ours, else the table's own page."""
    wanted = request.POST.get("next", "")
    fine = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if fine else _page_url(table)


@login_required
@require_POST
def table_look(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Which columns this person sees of this table, which of them first, and whether cells wrap."""
    found = _find(request, reference, uuid)
    names = {column.name for column in columns_of(found)}
    look = grids.look_at(request, found)
    if "wrap" in request.POST:
        look = grids.Look(look.shown, look.pinned, request.POST["wrap"] == "on")
    elif "every" in request.POST:
        look = grids.Look(wrap=look.wrap)
    else:
        shown, pinned = (
            tuple(name for name in dict.fromkeys(request.POST.getlist(key)) if name in names) for key in ("show", "pin")
        )
        look = grids.Look(() if len(shown) == len(names) else shown, pinned, look.wrap)
    grids.keep_look(request, found, look)
    return redirect(back_to(request, found))


@login_required
@require_GET
def table_statistics(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """What one column holds, over the rows that pass the address's conditions."""
    found = _find(request, reference, uuid)
    _look(request, found)
    name = request.GET.get("column", "")
    back = request.GET.get("back", "")
    page_url = (
        back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back[:1] == "/" else _page_url(found)
    )
    context: dict[str, Any] = {"case": found.case, "table": found, "name": name, "page_url": page_url}
    try:
        filters = grids.filters_of(request.GET, found)
        facts = grid.statistics(found.path, columns_of(found), name, filters=filters)
    except grid.GridError as error:
        context["problem"] = str(error)
    else:
        context |= {"facts": facts, "filtered": bool(filters), **_drawn(request, facts, page_url)}
    status = 422 if "problem" in context else 200
    if request.headers.get("HX-Request"):
        return render(request, "grid/_statistics.html", context, status=status)
    return render_tab(request, found.case, "evidence", "grid/statistics.html", context, status=status)


def _drawn(request: HttpRequest, facts: grid.Statistics, page_url: str) -> dict[str, Any]:
    """The values that come most with the way to their rows, and the spread as a chart whose bars lead to theirs."""

    def narrowed(*wanted: tuple[str, str]) -> str:
        query = grids.asked(request.GET)
        for operator, value in wanted:
            for key, part in zip(grids.CONDITION, (facts.column.name, operator, value), strict=True):
                query.appendlist(key, part)
        return f"{page_url}?{query.urlencode()}"

    top = [
        {
            "text": one.text,
            "count": one.count,
            "share": one.count / facts.rows if facts.rows else 0,
            "url": "" if one.cut else narrowed(("equals", one.text) if one.text else ("empty", "")),
        }
        for one in facts.top
    ]
    if not facts.bins:
        return {"top": top}
    bars = [
        charts.Column(f"{one.low} to {one.high}", one.count, narrowed(("least", one.low), ("below", one.high)))
        for one in facts.bins
    ]
    ends = (facts.bins[0].low, facts.bins[-1].high)
    return {"top": top, "spread": charts.histogram(f"{facts.column.name}: rows by value", bars, ends)}


@login_required
@require_GET
def table_export(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The rows that pass, as a download: `format`, and `columns=shown` for those that the grid shows alone."""
    found = _find(request, reference, uuid)
    columns = None
    if request.GET.get("columns") == "shown":
        columns = tuple(column.name for column in grids.look_at(request, found).columns(columns_of(found)))
    try:
        wanted = exports.Wanted(request.GET.get("sort", ""), grids.filters_of(request.GET, found), columns)
        made = exports.export(
            found, request.GET.get("format", "csv"), actor=access.current_user(request), wanted=wanted
        )
    except grid.GridError as error:
        messages.error(request, str(error))
        return redirect(f"{_page_url(found)}?{grids.asked(request.GET).urlencode()}")
    return delivery.attachment(made.chunks, name=made.name)


@login_required
@require_POST
def table_bulk(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The chosen rows' values of one column as indicators."""
    user, found = find_to_change(request, reference, uuid)
    take_rows(request, found, user)
    return redirect(back_to(request, found))


def take_rows(request: HttpRequest, table: CaseTable, user: User, origin: tablerows.Provenance | None = None) -> None:
    """Do what the form below a grid asks for, and say how it went."""
    form = RowsForm(request.POST, columns=[column.name for column in columns_of(table)])
    if not form.is_valid():
        messages.error(request, "Choose a column, a kind and a verdict from the lists.")
        return
    try:
        taken = tablerows.add_indicators(
            table=table, actor=user, numbers=form.numbers(), origin=origin, **form.cleaned_data
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return
    messages.success(request, taken.sentence)
    if taken.refused:
        messages.warning(request, f"{len(taken.refused)} refused: {' '.join(taken.refused[:5])}")
