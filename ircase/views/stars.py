"""Starred rows: from the grid, from a row in full, and all of a case on one page."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.forms.rows import picked_rows
from ircase.models import Case, CaseTable, Event, Star
from ircase.pages import RUN_ROW, render_tab
from ircase.services.analysis import rowsets
from ircase.services.analysis import stars as service
from ircase.views.doors import attempt, case_to_change
from ircase.views.tables import back_to, find_to_change

PER_PAGE = 50


@require_GET
@login_required
def stars(request: HttpRequest, reference: str) -> HttpResponse:
    """Every starred row of the case, with its note and whether it still is the row that was starred."""
    case = access.get_case(access.current_user(request), reference)
    found = Star.objects.filter(case=case).select_related("evidence", "starred_by", "noted_by")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    here = list(page.object_list)
    same, tables = service.sameness(case, here), _tables(case, here)
    events = _events(case, here)
    context = {
        "page": page,
        "stars": [_shown(case, star, same[star.pk], tables, events.get(str(star.uuid), [])) for star in here],
    }
    return render_tab(request, case, "evidence", "case/stars.html", context)


def _tables(case: Case, found: list[Star]) -> dict[tuple[int, str], CaseTable]:
    rows = CaseTable.objects.filter(case=case, evidence__in={star.evidence_id for star in found})
    return {(one.evidence_id, one.name): one for one in rows}


def _events(case: Case, found: list[Star]) -> dict[str, list[Event]]:
    """Events that were made of these rows, by the star's uuid."""
    wanted = [str(star.uuid) for star in found]
    events: dict[str, list[Event]] = {}
    for event in Event.objects.filter(case=case, provenance__star__in=wanted).defer("row"):
        events.setdefault(event.provenance["star"], []).append(event)
    return events


def _shown(
    case: Case, star: Star, same: bool | None, tables: dict[tuple[int, str], CaseTable], events: list[Event]
) -> dict[str, Any]:
    table = tables.get((star.evidence_id, star.table_name))
    url = row_url(case, star, table)
    grid_url = (
        f"{reverse('ircase:table', args=[case.reference, table.uuid])}?{urlencode({'only': 'starred'})}"
        if table
        else ""
    )
    cells = [(name, value) for name, value in star.row.items() if value not in (None, "", [], {})]
    return {"star": star, "same": same, "url": url, "grid_url": grid_url, "cells": cells, "events": events}


def row_url(case: Case, star: Star, table: CaseTable | None) -> str:
    """The row in full: in its run where it is one's, else in its table; empty where there is none any more."""
    if run := star.provenance.get("run"):
        try:
            return reverse(RUN_ROW, args=[case.reference, run, star.number])
        except NoReverseMatch:
            pass
    return reverse("ircase:table_row", args=[case.reference, table.uuid, star.number]) if table else ""


@require_POST
@login_required
def star(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Change the note of a starred row, or take the star off."""
    user, case = case_to_change(request, reference)
    found: Star = get_object_or_404(Star.objects.select_related("evidence"), case=case, uuid=uuid)
    found.case = case
    if request.POST.get("act") == "remove":
        service.unstar(star=found, actor=user)
        messages.success(request, "The star is off. The log keeps what was noted.")
    else:
        note = request.POST.get("note", "")
        attempt(request, "The note is kept.", lambda: service.annotate(star=found, actor=user, note=note))
    return redirect("ircase:stars", case.reference)


@require_POST
@login_required
def table_star(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """Star one row (`on=1`), with a `note` where one is sent, or take its star off (`on=0`). For htmx: the button of
    the grid, or what the open row says of its star."""
    user, table = find_to_change(request, reference, uuid)
    problem = ""
    try:
        _turn(request, table, number)
    except ValidationError as error:
        problem = " ".join(error.messages)
    if not request.headers.get("HX-Request"):
        if problem:
            messages.error(request, problem)
        return redirect(back_to(request, table))
    context = row_context(table, number) | {"case": table.case, "may_write": True, "star_problem": problem}
    template = "grid/_star.html" if request.headers.get("HX-Target") == "row-star" else "grid/_star_button.html"
    reply = render(request, template, context, status=422 if problem else 200)
    reply["HX-Trigger"] = json.dumps({"starred": {"number": number, "on": context["star"] is not None}})
    return reply


def _turn(request: HttpRequest, table: CaseTable, number: int) -> None:
    user, on = access.current_user(request), request.POST.get("on")
    found = service.star_of(table.evidence, table.name, number)
    if on == "0":
        if found is not None:
            service.unstar(star=found, actor=user)
    elif on == "1":
        found = found or service.star_rows(table=table, actor=user, numbers=[number])[0]
        if "note" in request.POST:
            service.annotate(star=found, actor=user, note=request.POST["note"])
    else:
        raise Http404("Say on=1 or on=0.")


def row_context(table: CaseTable, number: int) -> dict[str, Any]:
    """What `grid/_star.html` needs."""
    url = reverse("ircase:table_star", args=[table.case.reference, table.uuid, number])
    return {"star": service.star_of(table.evidence, table.name, number), "star_url": url, "number": number}


@require_POST
@login_required
def table_stars(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Star the picked rows."""
    user, table = find_to_change(request, reference, uuid)
    try:
        numbers = picked_rows(request.POST)
        known = set(rowsets.starred(table))
        service.star_rows(table=table, actor=user, numbers=numbers)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        new = len(set(numbers) - known)
        messages.success(request, f"{new} row{'' if new == 1 else 's'} starred.")
    return redirect(back_to(request, table))
