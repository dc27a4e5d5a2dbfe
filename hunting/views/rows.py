"""The rows of a run: paged, sorted, filtered, exported, one of them in full, and what becomes of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from frontend.jsontree import nodes
from hunting import results
from hunting.forms import RowAssetForm, RowEventForm, RowIndicatorForm
from hunting.models import HuntRun
from hunting.services import rows
from hunting.views.doors import run_to_change, run_to_read
from hunting.views.paging import chips, page_number
from ircase import access
from ircase.forms.evidence import ConditionForm, conditions
from ircase.grid import GridError, GridPage
from ircase.models import Asset, Event, Indicator, User
from ircase.pages import render_tab
from ircase.services import delivery
from ircase.views.tables import as_page

PER_PAGE = 50
PER_WIDE_PAGE = 200


@require_GET
@login_required
def run_rows(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The rows alone, in longer pages."""
    user, found = run_to_read(request, reference, uuid)
    if not results.has_rows(found):
        raise Http404("This run has no rows to show.")
    context = {"run": found, "wide": True, **grid_context(request, found, user, PER_WIDE_PAGE)}
    if request.headers.get("HX-Target") == "rows":
        return render(request, "hunting/_grid.html", {"case": found.case, **context})
    return render_tab(request, found.case, "hunts", "hunting/rows.html", context)


def grid_context(request: HttpRequest, run: HuntRun, user: User, per_page: int = PER_PAGE) -> dict[str, Any]:
    """What `_grid.html` needs; nothing where the run has no rows. Custody hears of the preview first."""
    if not results.has_rows(run):
        return {}
    results.look(run, user)
    columns = results.columns_of(run)
    number, sort = page_number(request.GET.get("page", "")), request.GET.get("sort", "")
    context: dict[str, Any] = {
        "sort": sort,
        "columns": [{"name": c.name, "type": c.type, "field": c.name} for c in columns],
        "condition_form": ConditionForm(columns=[column.name for column in columns]),
    }
    try:
        filters = conditions(request.GET)
        page = results.page(run, offset=(number - 1) * per_page, limit=per_page, sort=sort, filters=filters)
    except GridError as error:
        return context | {"problem": str(error)}
    rows_shown = _rows(run, page)
    return context | {"grid": page, "page": as_page(page), "rows": rows_shown, "conditions": chips(request, filters)}


def _rows(run: HuntRun, page: GridPage) -> list[dict[str, object]]:
    address = reverse("hunting:run_row", args=[run.case.reference, run.uuid, 0]).removesuffix("0/")
    return [{"number": row.number, "cells": row.texts, "url": f"{address}{row.number}/"} for row in page.rows]


@require_GET
@login_required
def run_csv(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The rows as the grid shows them, for a spreadsheet."""
    user, found = run_to_read(request, reference, uuid)
    if found.evidence is None:
        raise Http404("This run has no rows.")
    try:
        lines = results.as_csv(found, actor=user, sort=request.GET.get("sort", ""), filters=conditions(request.GET))
    except GridError as error:
        messages.error(request, str(error))
        return redirect("hunting:run", reference, uuid)
    name = delivery.safe_name(found.evidence).removesuffix(".ndjson")
    return delivery.attachment(lines, name=f"{name}.csv")


@require_http_methods(["GET", "POST"])
@login_required
def run_row(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """One row in full, and the forms that make findings of it. In the drawer when htmx asks."""
    if request.method == "GET":
        user, found = run_to_read(request, reference, uuid)
        return _show_row(request, user, found, number)
    user, found = run_to_change(request, reference, uuid)
    add = _ADD.get(request.POST.get("add", ""))
    if add is None:
        raise Http404("Nothing to add.")
    said, form = add(request, user, found, number)
    if request.headers.get("HX-Request"):
        return _show_row(request, user, found, number, said=said, bound=form, status=200 if said else 422)
    if not said:
        return _show_row(request, user, found, number, bound=form, status=422)
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
    event_form = RowEventForm(
        initial={"at": proposal.at, "title": proposal.title, "technique": proposal.technique, "lane": "attacker"}
    )
    context = {
        "case": run.case,
        "run": run,
        "number": number,
        "nodes": nodes(record),
        "proposal": proposal,
        "event_form": bound if isinstance(bound, RowEventForm) else event_form,
        "other_form": bound if bound is not None and not isinstance(bound, RowEventForm) else None,
        "asset_kinds": Asset.Kind.choices,
        "indicator_kinds": Indicator.Kind.choices,
        "said": said,
        "added": _added(run, number),
        "may_write": access.may(run.case, access.ANALYST) and run.case.is_open,
    }
    if request.headers.get("HX-Request"):
        return render(request, "hunting/_row.html", context, status=status)
    return render_tab(request, run.case, "hunts", "hunting/row.html", context, status=status)


def _added(run: HuntRun, number: int) -> list[str]:
    """What was made of this row before, in words."""
    of_row = {"case": run.case, "provenance__run": str(run.uuid), "provenance__row": number}
    return [
        *(f"Event: {event.title}" for event in Event.objects.filter(**of_row)),
        *(f"{asset.get_kind_display()}: {asset.name}" for asset in Asset.objects.filter(**of_row)),
        *(f"{one.get_kind_display()}: {one.value[:120]}" for one in Indicator.objects.filter(**of_row)),
    ]


Added = tuple[str, forms.Form | None]


def _valid(form: forms.Form, act: Callable[[dict[str, Any]], str]) -> Added:
    """What was done in words, and the form where it was not."""
    if not form.is_valid():
        return "", form
    try:
        return act(form.cleaned_data), None
    except ValidationError as error:
        for name, found in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
            for message in found:
                form.add_error(name if name in form.fields else None, message)
        return "", form


def _add_event(request: HttpRequest, user: User, run: HuntRun, number: int) -> Added:
    def act(data: dict[str, Any]) -> str:
        event = rows.add_row_to_timeline(run=run, actor=user, number=number, **data)
        return f"“{event.title}” is on the timeline."

    return _valid(RowEventForm(request.POST), act)


def _add_asset(request: HttpRequest, user: User, run: HuntRun, number: int) -> Added:
    def act(data: dict[str, Any]) -> str:
        asset, new = rows.add_row_as_asset(run=run, actor=user, number=number, **data)
        return f"{asset.name} is {'now ' if new else 'already '}an asset of the case."

    return _valid(RowAssetForm(request.POST), act)


def _add_indicator(request: HttpRequest, user: User, run: HuntRun, number: int) -> Added:
    def act(data: dict[str, Any]) -> str:
        indicator, new = rows.add_row_as_indicator(run=run, actor=user, number=number, **data)
        return f"{indicator.value[:120]} is {'now ' if new else 'already '}an indicator of the case."

    return _valid(RowIndicatorForm(request.POST), act)


_ADD: dict[str, Callable[[HttpRequest, User, HuntRun, int], Added]] = {
    "timeline": _add_event,
    "asset": _add_asset,
    "indicator": _add_indicator,
}
