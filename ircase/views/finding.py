"""A value across every table of a case: where it stands, and the way to those rows."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from ircase import access, grid, recognition
from ircase.models import CaseTable
from ircase.pages import HUNTS_FOR, render_tab
from ircase.services.analysis import valuesearch


@dataclass(frozen=True)
class Place:
    """A column that has the value in so many rows, and the grid of them."""

    column: str
    rows: int
    url: str


@dataclass(frozen=True)
class Found:
    """A table that has it."""

    table: CaseTable
    places: tuple[Place, ...]


@login_required
@require_GET
def find(request: HttpRequest, reference: str) -> HttpResponse:
    """Where the value `q` stands, as a part of a text or as a whole number."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    text = request.GET.get("q", "").strip()
    fits = 0 < len(text) <= grid.MAX_FILTER_TEXT
    found = valuesearch.search(case, text, actor=user) if fits else []
    entities = [e for e in recognition.entities("", text) if e.role != recognition.TECHNIQUE]
    context = {
        "q": text,
        "too_long": len(text) > grid.MAX_FILTER_TEXT,
        "hits": [_found(one, text) for one in found if one.places],
        "problems": [one for one in found if one.problem],
        "searched": sum(not one.problem for one in found),
        "hunts": [
            (e, f"{reverse(HUNTS_FOR, args=[case.reference])}?{urlencode({'kind': e.kind, 'value': e.value})}")
            for e in entities
        ],
    }
    return render_tab(request, case, "evidence", "grid/find.html", context)


def _found(one: valuesearch.Searched, text: str) -> Found:
    return Found(one.table, tuple(_place(one.table, seen, text) for seen in one.places))


def _place(table: CaseTable, seen: grid.Sighting, text: str) -> Place:
    asked = urlencode({"c": seen.column, "o": seen.operator, "v": text})
    return Place(seen.column, seen.rows, f"{reverse('ircase:table', args=[table.case.reference, table.uuid])}?{asked}")
