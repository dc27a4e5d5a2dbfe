"""Splitting a case: what belongs to another incident is ticked, and a new case opens with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.life import SplitForm
from ircase.models import Case, Evidence, Note, Phase
from ircase.pages import render_tab
from ircase.services.analysis.findings import clean
from ircase.services.casework import casesplitting, opening
from ircase.views.doors import case_to_change

SHOWN: Final = 300
"""Of each kind; the API takes more at once."""
_KINDS: Final = ("events", "indicators", "assets", "evidence", "notes")


@require_http_methods(["GET", "POST"])
@login_required
def split(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    opening.require_opener(user)
    initial = {"severity": case.severity, "confidential": case.confidential}
    form = SplitForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = casesplitting.split(case=case, actor=user, chosen=_chosen(request), **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{made.case.reference} is open, and you lead it.")
            return redirect("ircase:links", made.case.reference)
    context = {"form": form, "kinds": _kinds(case, request), "most": SHOWN}
    return render_tab(request, case, "overview", "case/split.html", context, status=422 if form.errors else 200)


def _chosen(request: HttpRequest) -> casesplitting.Chosen:
    uuids = {name: _uuids(request.POST.getlist(name)) for name in _KINDS}
    return casesplitting.Chosen(**uuids, items=tuple(clean(key)[:80] for key in request.POST.getlist("items")))


def _uuids(values: list[str]) -> tuple[UUID, ...]:
    try:
        return tuple(UUID(value) for value in values)
    except ValueError as error:
        raise ValidationError("The case has no such thing.") from error


@dataclass(frozen=True)
class _Entry:
    """One box. `more` tells it from its like: its kind, its number or its phase; `at` when it happened."""

    value: str
    words: str
    ticked: bool
    more: str = ""
    at: datetime | None = None


def _kinds(case: Case, request: HttpRequest) -> list[dict[str, Any]]:
    """Of each kind what there is."""
    items = case.checklist.exclude(phase=Phase.PREPARATION).order_by("position", "pk")
    exhibits = Evidence.objects.filter(case=case).defer("manifest")
    rows: list[tuple[str, str, QuerySet[Any], str, str, Callable[[Any], str]]] = [
        ("events", "Events, with the assets and indicators that they name", case.events.defer("row"), "uuid", "title",
         lambda row: ""),
        ("indicators", "Indicators", case.indicators.all(), "uuid", "value", lambda row: row.get_kind_display()),
        ("assets", "Assets", case.assets.defer("details"), "uuid", "name", lambda row: row.get_kind_display()),
        ("evidence", "Exhibits: they stay here, and are named by the link", exhibits, "uuid", "name",
         lambda row: row.exhibit),
        ("notes", "Notes", Note.objects.filter(case=case, archived_at=None).defer("body"), "uuid", "title",
         lambda row: ""),
        ("items", "Checklist items", items, "key", "title", lambda row: row.get_phase_display()),
    ]  # fmt: skip
    found = []
    for name, label, query, value, words, more in rows:
        ticked = set(request.POST.getlist(name))
        entries = [
            _Entry(key, getattr(row, words), key in ticked, more(row), row.at if name == "events" else None)
            for row in query[: SHOWN + 1]
            for key in [str(getattr(row, value))]
        ]
        found.append({"name": name, "label": label, "entries": entries[:SHOWN], "more": len(entries) > SHOWN})
    return found
