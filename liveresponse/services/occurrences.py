"""Where a file, or a device, stands in a case: its tables, searched by value."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from ircase import grid
from ircase.models import Case, CaseTable, User
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews

SECONDS: Final = 20.0
"""For all tables together."""
_TABLES: Final = 200
_HASHES: Final = ("SHA256", "SHA1", "MD5")
_DEVICE_COLUMN: Final = re.compile(r"(?i)(device_?name|computer(_?name)?|host_?name|machine_?name|device_?id)")


@dataclass(frozen=True)
class Place:
    """A column that has the value in so many rows, and the grid of them."""

    table: CaseTable
    column: str
    rows: int
    url: str
    value: str


@dataclass(frozen=True)
class Found:
    """Places, and what was not searched and why."""

    places: tuple[Place, ...]
    problems: tuple[str, ...] = ()


def find(case: Case, actor: User, values: Iterable[str], *, of_devices: bool = False) -> Found:
    """The columns that have one of the values, whatever the case of its letters; with `of_devices` only those that name
    a device. Rows that are counted for a person are seen by them: custody knows."""
    places: list[Place] = []
    problems: list[str] = []
    end = time.monotonic() + SECONDS
    wanted = list(dict.fromkeys(value for value in values if value))
    for table in _tables(case):
        columns = [one for one in columns_of(table) if not of_devices or _DEVICE_COLUMN.fullmatch(one.name)]
        found: list[Place] = []
        for value in wanted if columns else ():
            if (left := end - time.monotonic()) <= 0:
                problems.append(f"{table.name} of {table.evidence.exhibit}: the time for one page was over")
                break
            try:
                found += [_place(table, one, value) for one in grid.find(table.path, columns, value, seconds=left)]
            except grid.GridError as error:
                problems.append(f"{table.name} of {table.evidence.exhibit}: {error}")
                break
        if found:
            previews.note(table.evidence, actor=actor, what=f"table {table.name}")
        places += found
    return Found(tuple(places), tuple(problems))


def _tables(case: Case) -> Iterator[CaseTable]:
    for table in CaseTable.objects.filter(case=case).select_related("evidence").order_by("name", "pk")[:_TABLES]:
        table.case = table.evidence.case = case
        yield table


def _place(table: CaseTable, seen: grid.Sighting, text: str) -> Place:
    asked = urlencode({"c": seen.column, "o": seen.operator, "v": text})
    url = f"{reverse('ircase:table', args=[table.case.reference, table.uuid])}?{asked}"
    return Place(table, seen.column, seen.rows, url, text)


def other_hashes(case: Case, digest: str) -> dict[str, str]:
    """The other hashes of a file, as a row of the case's tables has them side by side; empty where none has."""
    kind = {32: "MD5", 40: "SHA1", 64: "SHA256"}.get(len(digest), "")
    end = time.monotonic() + SECONDS
    for table in _tables(case):
        columns = columns_of(table)
        names = {one.name for one in columns}
        left = end - time.monotonic()
        if kind not in names or len(names & set(_HASHES)) < 2 or left <= 0:
            continue
        condition = grid.Filter(kind, digest)
        only = [one for one in columns if one.name in _HASHES]
        try:
            page = grid.page(table.path, columns, limit=1, filters=[condition], only=only)
        except grid.GridError:
            continue
        for row in page.rows:
            named = {one.name.lower(): str(cell).lower() for one, cell in zip(only, row.cells, strict=True) if cell}
            if named.get(kind.lower()) == digest:
                return {name: value for name, value in named.items() if name != kind.lower()}
    return {}
