"""A value across every table of a case: where it stands, and the way to those rows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from ircase import access, grid, recognition
from ircase.models import Case, CaseTable
from ircase.pages import HUNTS_FOR, render_tab
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews

SECONDS: Final = 20.0
"""For all tables together."""


@dataclass(frozen=True)
class Place:
    """A column that has the value in so many rows, and the grid of them."""

    column: str
    rows: int
    url: str


@dataclass(frozen=True)
class Found:
    """One table, searched, or not searched and why."""

    table: CaseTable
    places: tuple[Place, ...] = ()
    problem: str = ""


@login_required
@require_GET
def find(request: HttpRequest, reference: str) -> HttpResponse:
    """Where the value `q` stands, as a part of a text or as a whole number."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    text = request.GET.get("q", "").strip()
    fits = 0 < len(text) <= grid.MAX_FILTER_TEXT
    found = list(_search(case, text)) if fits else []
    for one in found:
        if one.places:
            previews.note(one.table.evidence, actor=user, what=f"table {one.table.name}")
    entities = [e for e in recognition.entities("", text) if e.role != recognition.TECHNIQUE]
    context = {
        "q": text,
        "too_long": len(text) > grid.MAX_FILTER_TEXT,
        "hits": [one for one in found if one.places],
        "problems": [one for one in found if one.problem],
        "searched": sum(not one.problem for one in found),
        "hunts": [
            (e, f"{reverse(HUNTS_FOR, args=[case.reference])}?{urlencode({'kind': e.kind, 'value': e.value})}")
            for e in entities
        ],
    }
    return render_tab(request, case, "evidence", "grid/find.html", context)


def _search(case: Case, text: str) -> Iterator[Found]:
    """Every table once, until the time is over; the rest is named as not searched."""
    end = time.monotonic() + SECONDS
    for table in CaseTable.objects.filter(case=case).select_related("evidence").order_by("name", "pk"):
        table.case = table.evidence.case = case
        left = end - time.monotonic()
        if left <= 0:
            yield Found(table, problem="not searched: the time for one page was over")
            continue
        try:
            seen = grid.find(table.path, columns_of(table), text, seconds=left)
        except grid.GridError as error:
            yield Found(table, problem=str(error))
            continue
        yield Found(table, tuple(_place(table, one, text) for one in seen))


def _place(table: CaseTable, seen: grid.Sighting, text: str) -> Place:
    asked = urlencode({"c": seen.column, "o": seen.operator, "v": text})
    return Place(seen.column, seen.rows, f"{reverse('ircase:table', args=[table.case.reference, table.uuid])}?{asked}")
