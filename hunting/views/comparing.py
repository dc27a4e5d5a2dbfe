"""Two runs of the same hunt side by side, and the hunts that take a value."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from hunting import results, shelf
from hunting.catalogue import Hunt, Parameter
from hunting.models import HuntRun
from hunting.values import ParameterError, parse
from hunting.views.doors import run_of, run_to_read
from ircase import access, grid, recognition
from ircase.models import Asset, Indicator, JobState, User
from ircase.pages import render_tab
from ircase.services import log
from ircase.services.transfer import exports
from ircase.services.vault import delivery
from ircase.views.doors import case_to_change
from ircase.views.grids import as_page, page_number
from kql import Column

PER_PAGE: Final = 50
MOST_RUNS: Final = 50
MOST_EXPORTED: Final = 100_000
KINDS: Final = {"": "All", "new": "New", "gone": "Gone", "changed": "Changed"}


def others(run: HuntRun) -> QuerySet[HuntRun]:
    """Runs of the same hunt, or of the same text where it is a person's own, that have rows; the newest first."""
    found = HuntRun.objects.for_case(run.case).filter(state=JobState.DONE, table__isnull=False).exclude(pk=run.pk)
    same = {"hunt_id": run.hunt_id} if run.hunt_id else {"hunt_id": "", "kql": run.kql}
    return found.filter(**same).with_people().latest_first()


@require_GET
@login_required
def compare(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """New, gone and changed rows against another run: `with` which one, `key` the columns that tell rows apart,
    `times` to look at moments too, `kind` one kind alone, `format=csv` all of them as a file."""
    user, found = run_to_read(request, reference, uuid)
    if not results.has_rows(found):
        raise Http404("This run has no rows to compare.")
    candidates = list(others(found)[:MOST_RUNS])
    context: dict[str, Any] = {"run": found, "candidates": candidates, "kinds": KINDS.items()}
    if candidates and request.GET.get("format") == "csv":
        return _export(request, user, found, _chosen(request, found, candidates))
    if candidates:
        context |= _compared(request, user, found, _chosen(request, found, candidates))
    status = 422 if "problem" in context else 200
    return render_tab(request, found.case, "hunts", "hunting/compare.html", context, status=status)


def _chosen(request: HttpRequest, run: HuntRun, candidates: list[HuntRun]) -> HuntRun:
    """The run that was asked for; else the last one before this, else the nearest after it."""
    wanted = request.GET.get("with", "")
    if wanted:
        other = run_of(run.case, access.parse_uuid(wanted))
        if not others(run).filter(pk=other.pk).exists():
            raise Http404("No run of the same hunt.")
        return other
    earlier = [one for one in candidates if one.queued_at < run.queued_at]
    return earlier[0] if earlier else candidates[-1]


def _export(request: HttpRequest, user: User, run: HuntRun, other: HuntRun) -> HttpResponseBase:
    """Every change of the kind asked for as CSV, up to a bound that is said in the file. Custody hears of it first."""
    other.case = run.case
    before, after, key, rest, kind = _asked(request, run, other)
    try:
        found = _compare(before, after, key, rest, kind, 1, MOST_EXPORTED)
    except grid.GridError as error:
        messages.error(request, str(error))
        return redirect("hunting:compare", run.case.reference, run.uuid)
    for one in (before, after):
        if one.evidence is not None:
            log.record_custody(one.evidence, "exported", actor=user, format="csv", comparison=True)
    name = f"{run.case.reference}_changes_{before.uuid.hex[:8]}_{after.uuid.hex[:8]}.csv"
    return delivery.attachment(exports.csv_chunks(_lines(found, kind)), name=name)


def _lines(found: grid.Comparison, kind: str) -> Iterator[list[str]]:
    yield ["Change", *found.key, "Row before", "Row after", "Columns", "Before", "After"]
    for one in found.changes:
        numbers = ["" if number is None else str(number) for number in (one.before, one.after)]
        cells = [[name for name, _, _ in one.cells], *([cell[at] or "" for cell in one.cells] for at in (1, 2))]
        key = ["" if text is None else text for text in one.key]
        yield [one.kind, *key, *numbers, *("\n".join(texts) for texts in cells)]
    total = _counts(found)[kind]
    if total > len(found.changes):
        yield [f"Cut: {len(found.changes):,} of {total:,} changes. Choose one kind, or a narrower key."]


def _counts(found: grid.Comparison) -> dict[str, int]:
    every = found.new + found.gone + found.changed
    return {"": every, "new": found.new, "gone": found.gone, "changed": found.changed}


def _asked(request: HttpRequest, run: HuntRun, other: HuntRun) -> tuple[HuntRun, HuntRun, list[str], list[str], str]:
    """The earlier and the later run, the key, the columns that are compared, and the kind of change."""
    before, after = sorted((run, other), key=lambda one: (one.queued_at, one.pk))
    common = _common(before, after)
    key = [c.name for c in common if c.name in request.GET.getlist("key")] or default_key(common)
    times, kind = bool(request.GET.get("times")), request.GET.get("kind", "")
    return before, after, key, [c.name for c in common if c.name not in key and (times or c.type != "datetime")], kind


def _common(before: HuntRun, after: HuntRun) -> list[Column]:
    there = results.columns_of(after)
    return [column for column in results.columns_of(before) if column in there]


def _compared(request: HttpRequest, user: User, run: HuntRun, other: HuntRun) -> dict[str, Any]:
    other.case = run.case
    before, after, key, rest, kind = _asked(request, run, other)
    for one in (before, after):
        results.look(one, user)
    number = page_number(request.GET.get("page", ""))
    context: dict[str, Any] = {
        "other": other,
        "before": before,
        "after": after,
        "key": key,
        "times": bool(request.GET.get("times")),
        "kind": kind,
        "choices": [{"name": c.name, "type": c.type, "chosen": c.name in key} for c in _common(before, after)],
        "left_out": _only_one_has(before, after),
    }
    try:
        found = _compare(before, after, key, rest, kind, number)
    except grid.GridError as error:
        return context | {"problem": str(error)}
    counts = _counts(found)
    shown = grid.GridPage((), (), 0, counts[kind], (number - 1) * PER_PAGE, PER_PAGE)
    return context | {
        "found": found,
        "page": as_page(shown),
        "changes": [_change(before, after, one) for one in found.changes],
        "counts": [{"kind": kind, "label": label, "count": counts[kind]} for kind, label in KINDS.items()],
    }


def _compare(
    before: HuntRun, after: HuntRun, key: list[str], rest: list[str], kind: str, number: int, limit: int = PER_PAGE
) -> grid.Comparison:
    assert before.table is not None and after.table is not None
    return grid.compare(
        (before.table.path, results.columns_of(before)),
        (after.table.path, results.columns_of(after)),
        key=key,
        compared=rest,
        kind=kind,  # type: ignore[arg-type]  # the grid refuses what it does not know
        offset=(number - 1) * limit,
        limit=limit,
        most=MOST_EXPORTED,
    )


def default_key(columns: list[Column]) -> list[str]:
    """What tells rows apart where nobody said: the columns that name something, else all but moments."""
    still = [column for column in columns if column.type != "datetime"]
    named = [column.name for column in still if recognition.names_something(column.name)]
    return named or [column.name for column in still] or [column.name for column in columns]


def _only_one_has(before: HuntRun, after: HuntRun) -> list[str]:
    was, now = (set(results.columns_of(one)) for one in (before, after))
    return sorted({column.name for column in was ^ now})


def _change(before: HuntRun, after: HuntRun, one: grid.Change) -> dict[str, Any]:
    links = [
        {
            "label": label,
            "number": number,
            "url": reverse("hunting:run_row", args=[run.case.reference, run.uuid, number]),
        }
        for label, run, number in (("before", before, one.before), ("after", after, one.after))
        if number is not None
    ]
    return {"kind": one.kind, "key": one.key, "rows": one.rows, "cells": one.cells, "links": links}


@require_GET
@login_required
def for_value(request: HttpRequest, reference: str) -> HttpResponse:
    """The library hunts that take a value (`kind`, `value`), each with the value filled in."""
    _, case = case_to_change(request, reference)
    kind, value = request.GET.get("kind", ""), request.GET.get("value", "").strip()[:4096]
    labels = {recognition.TECHNIQUE: "ATT&CK technique", **dict(Asset.Kind.choices), **dict(Indicator.Kind.choices)}
    if kind not in labels or not value:
        context: dict[str, Any] = {"problem": "Say what the value is (kind) and the value itself."}
        return render_tab(request, case, "hunts", "hunting/for_value.html", context, status=422)
    found = []
    for hunt in shelf.hunts().values():
        parameter = _parameter(hunt, kind, value)
        if parameter is not None or (kind == recognition.TECHNIQUE and value in hunt.techniques):
            tail = f"?{urlencode({parameter.name: value})}" if parameter else ""
            url = reverse("hunting:attach", args=[case.reference, hunt.id]) + tail
            found.append({"hunt": hunt, "parameter": parameter, "url": url})
    context = {"kind": kind, "kind_label": labels[kind], "value": value, "found": found}
    return render_tab(request, case, "hunts", "hunting/for_value.html", context)


def _parameter(hunt: Hunt, kind: str, value: str) -> Parameter | None:
    """The parameter that takes a value of this kind, and this value at that."""
    fills = {f"asset.{kind}.name", f"indicator.{kind}"}
    for parameter in hunt.parameters:
        if parameter.fill in fills:
            try:
                parse(parameter.kind, [value] if parameter.kind.many else value)
            except ParameterError:
                continue
            return parameter
    return None
