"""Two runs of the same hunt side by side, and the hunts that take a value."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from hunting import results
from hunting.models import HuntRun
from hunting.services import comparing, suiting
from hunting.views.doors import run_of, run_to_read
from ircase import access, grid
from ircase.models import User
from ircase.pages import render_tab
from ircase.services.vault import delivery
from ircase.views.doors import case_to_change
from ircase.views.grids import as_page, page_number

PER_PAGE: Final = 50
KINDS: Final = {"": "All", "new": "New", "gone": "Gone", "changed": "Changed"}


@require_GET
@login_required
def compare(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """New, gone and changed rows against another run: `with` which one, `key` the columns that tell rows apart,
    `times` to look at moments too, `kind` one kind alone, `format=csv` all of them as a file."""
    user, found = run_to_read(request, reference, uuid)
    if not results.has_rows(found):
        raise Http404("This run has no rows to compare.")
    candidates = list(comparing.others(found)[: comparing.MOST_RUNS])
    context: dict[str, Any] = {"run": found, "candidates": candidates, "kinds": KINDS.items()}
    if candidates and request.GET.get("format") == "csv":
        return _export(request, user, found, _pair(request, found, candidates))
    if candidates:
        context |= _compared(request, user, found, _pair(request, found, candidates))
    status = 422 if "problem" in context else 200
    return render_tab(request, found.case, "hunts", "hunting/compare.html", context, status=status)


def _pair(request: HttpRequest, run: HuntRun, candidates: list[HuntRun]) -> comparing.Pair:
    """Against the run that was asked for, else the nearest one."""
    wanted, asked = request.GET.get("with", ""), request.GET
    other = comparing.nearest(run, candidates)
    if wanted:
        other = run_of(run.case, access.parse_uuid(wanted))
        if not comparing.others(run).filter(pk=other.pk).exists():
            raise Http404("No run of the same hunt.")
    return comparing.pair(
        run, other, key=asked.getlist("key"), times=bool(asked.get("times")), kind=asked.get("kind", "")
    )


def _export(request: HttpRequest, user: User, run: HuntRun, pair: comparing.Pair) -> HttpResponseBase:
    try:
        file = comparing.export(pair, user)
    except grid.GridError as error:
        messages.error(request, str(error))
        return redirect("hunting:compare", run.case.reference, run.uuid)
    return delivery.attachment(file.chunks, name=file.name)


def _compared(request: HttpRequest, user: User, run: HuntRun, pair: comparing.Pair) -> dict[str, Any]:
    comparing.look(pair, user)
    number = page_number(request.GET.get("page", ""))
    context: dict[str, Any] = {
        "other": pair.before if pair.after.pk == run.pk else pair.after,
        "before": pair.before,
        "after": pair.after,
        "key": list(pair.key),
        "times": bool(request.GET.get("times")),
        "kind": pair.kind,
        "choices": [{"name": c.name, "type": c.type, "chosen": c.name in pair.key} for c in pair.common],
        "left_out": pair.left_out,
    }
    try:
        found = comparing.compared(pair, offset=(number - 1) * PER_PAGE, limit=PER_PAGE)
    except grid.GridError as error:
        return context | {"problem": str(error)}
    counts = comparing.counts(found)
    shown = grid.GridPage((), (), 0, counts[pair.kind], (number - 1) * PER_PAGE, PER_PAGE)
    return context | {
        "found": found,
        "page": as_page(shown),
        "changes": [_change(pair, one) for one in found.changes],
        "counts": [{"kind": kind, "label": label, "count": counts[kind]} for kind, label in KINDS.items()],
    }


def _change(pair: comparing.Pair, one: grid.Change) -> dict[str, Any]:
    links = [
        {
            "label": label,
            "number": number,
            "url": reverse("hunting:run_row", args=[run.case.reference, run.uuid, number]),
        }
        for label, run, number in (("before", pair.before, one.before), ("after", pair.after, one.after))
        if number is not None
    ]
    return {"kind": one.kind, "key": one.key, "rows": one.rows, "cells": one.cells, "links": links}


@require_GET
@login_required
def for_value(request: HttpRequest, reference: str) -> HttpResponse:
    """The library hunts that take a value (`kind`, `value`), each with the value filled in."""
    _, case = case_to_change(request, reference)
    kind, value = request.GET.get("kind", ""), request.GET.get("value", "").strip()[: suiting.MOST_CHARACTERS]
    try:
        found = suiting.hunts_for(kind, value)
    except ValidationError as error:
        context: dict[str, Any] = {"problem": " ".join(error.messages)}
        return render_tab(request, case, "hunts", "hunting/for_value.html", context, status=422)
    listed = []
    for one in found:
        tail = f"?{urlencode({one.parameter.name: value})}" if one.parameter else ""
        url = reverse("hunting:attach", args=[case.reference, one.hunt.id]) + tail
        listed.append({"hunt": one.hunt, "parameter": one.parameter, "url": url})
    context = {"kind": kind, "kind_label": suiting.LABELS[kind], "value": value, "found": listed}
    return render_tab(request, case, "hunts", "hunting/for_value.html", context)
