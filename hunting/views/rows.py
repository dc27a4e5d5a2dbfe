"""The rows of a run: the grid, one of them in full, and what becomes of them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting import results
from hunting.models import HuntRun
from hunting.services import rows
from hunting.views.doors import run_to_change, run_to_read
from ircase import access
from ircase.models import Asset, Event, Indicator, User
from ircase.pages import render_tab
from ircase.services.analysis import stars
from ircase.views import cells, grids
from ircase.views.tables import back_to, take_rows

PER_PAGE = 50
PER_WIDE_PAGE = 200


@require_GET
@login_required
def run_rows(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The rows alone, in longer pages."""
    user, found = run_to_read(request, reference, uuid)
    if not results.has_rows(found):
        raise Http404("This run has no rows to show.")
    context = {"run": found, "wide": True, **grid_context(request, found, user, wide=True)}
    if request.headers.get("HX-Target") == "rows":
        return render_grid(request, found, context)
    return render_tab(request, found.case, "hunts", "hunting/rows.html", context)


def render_grid(request: HttpRequest, run: HuntRun, context: dict[str, Any]) -> HttpResponse:
    """What is inside `#rows` alone."""
    may_write = access.may(run.case, access.ANALYST) and run.case.is_open
    return render(request, "hunting/_grid.html", {"run": run, "case": run.case, "may_write": may_write, **context})


def grid_context(request: HttpRequest, run: HuntRun, user: User, *, wide: bool = False) -> dict[str, Any]:
    """What `_grid.html` needs; nothing where the run has no rows. Custody hears of the preview first."""
    if run.table is None or run.evidence is None:
        return {}
    results.look(run, user)
    run.table.case, run.table.evidence = run.case, run.evidence
    arguments = [run.case.reference, run.uuid]
    every = reverse("hunting:run_rows", args=arguments)
    page = every if wide else reverse("hunting:run", args=arguments)
    place = grids.Place(page, every, PER_WIDE_PAGE if wide else PER_PAGE)
    return grids.context(request, run.table, place) | {"bulk_url": reverse("hunting:run_bulk", args=arguments)}


class _Taker:
    """Findings of this run's rows."""

    def __init__(self, run: HuntRun, user: User) -> None:
        self.run, self.user = run, user

    def event(self, number: int, **data: Any) -> Event:
        return rows.add_row_to_timeline(run=self.run, actor=self.user, number=number, **data)

    def asset(self, number: int, **data: Any) -> tuple[Asset, bool]:
        return rows.add_row_as_asset(run=self.run, actor=self.user, number=number, **data)

    def indicator(self, number: int, **data: Any) -> tuple[Indicator, bool]:
        return rows.add_row_as_indicator(run=self.run, actor=self.user, number=number, **data)


@require_http_methods(["GET", "POST"])
@login_required
def run_row(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """One row in full, and the forms that make findings of it. In the drawer when htmx asks."""
    if request.method == "GET":
        user, found = run_to_read(request, reference, uuid)
        return _show_row(request, user, found, number)
    user, found = run_to_change(request, reference, uuid)
    said, form = cells.take(request, _Taker(found, user), number)
    if request.headers.get("HX-Request") or not said:
        return _show_row(request, user, found, number, said=said, bound=form, status=200 if said else 422)
    messages.success(request, said)
    return redirect("hunting:run_row", reference, uuid, number)


def _show_row(
    request: HttpRequest,
    user: User,
    run: HuntRun,
    number: int,
    *,
    said: str = "",
    bound: forms.Form | None = None,
    status: int = 200,
) -> HttpResponse:
    record = results.record(run, number) if run.evidence is not None else None
    if record is None:
        raise Http404("No such row.")
    results.look(run, user)
    proposal = rows.proposal_of(run, record)
    initial = {"at": proposal.at, "title": proposal.title, "technique": proposal.technique}
    every = reverse("hunting:run_rows", args=[run.case.reference, run.uuid])
    back = reverse("hunting:run", args=[run.case.reference, run.uuid])
    context = {
        "case": run.case,
        "run": run,
        "number": number,
        "row_of": run.title,
        "back_url": f"{back}?{grids.asked(request.GET, without=()).urlencode()}",
        "post_url": request.get_full_path(),
        "cells": cells.cells_of(run.case, results.columns_of(run), record, page_url=every, query=request.GET),
        "proposal": proposal,
        "said": said,
        "added": cells.added(run.case, run=str(run.uuid), row=number),
        **_star(run, number),
        "may_write": access.may(run.case, access.ANALYST) and run.case.is_open,
        **cells.form_context(bound, initial),
    }
    if request.headers.get("HX-Request"):
        return render(request, "grid/_row.html", context, status=status)
    return render_tab(request, run.case, "hunts", "grid/row.html", context, status=status)


def _star(run: HuntRun, number: int) -> dict[str, Any]:
    if run.table is None or run.evidence is None:
        return {}
    url = reverse("ircase:table_star", args=[run.case.reference, run.table.uuid, number])
    return {"star": stars.star_of(run.evidence, run.table.name, number), "star_url": url}


@require_POST
@login_required
def run_bulk(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The chosen rows' values of one column as indicators, each with the run and the row that it was read in."""
    user, found = run_to_change(request, reference, uuid)
    if found.table is None or found.evidence is None:
        raise Http404("This run has no rows.")
    found.table.case, found.table.evidence = found.case, found.evidence
    take_rows(request, found.table, user, origin=lambda number: rows.provenance(found, number))
    return redirect(back_to(request, found.table))
