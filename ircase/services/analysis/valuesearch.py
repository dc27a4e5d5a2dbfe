"""A value across every table of a case: in which columns it stands, and in how many rows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ircase import grid
from ircase.models import Case, CaseTable, User
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews

SECONDS: Final = 20.0
"""For all tables together."""


@dataclass(frozen=True)
class Searched:
    """One table, searched, or not searched and why. `places`: its columns that have the value, the most rows first."""

    table: CaseTable
    places: tuple[grid.Sighting, ...] = ()
    problem: str = ""


def search(case: Case, text: str, *, actor: User) -> list[Searched]:
    """Every table once, until the time is over; the rest is named as not searched. `text` of 1 to
    `grid.MAX_FILTER_TEXT` characters. Custody hears of the exhibits whose rows have it."""
    found = list(_search(case, text))
    for one in found:
        if one.places:
            previews.note(one.table.evidence, actor=actor, what=f"table {one.table.name}")
    return found


def _search(case: Case, text: str) -> Iterator[Searched]:
    end = time.monotonic() + SECONDS
    for table in CaseTable.objects.filter(case=case).select_related("evidence").order_by("name", "pk"):
        table.case = table.evidence.case = case
        left = end - time.monotonic()
        if left <= 0:
            yield Searched(table, problem="not searched: the time for one question was over")
            continue
        try:
            seen = grid.find(table.path, columns_of(table), text, seconds=left)
        except grid.GridError as error:
            yield Searched(table, problem=str(error))
            continue
        yield Searched(table, tuple(seen))
