"""What every page with a grid has in common: which rows its address asks for, and how a person wants to see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Final

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from ircase import grid
from ircase.forms.evidence import OPERATOR_LABELS, ConditionForm, conditions
from ircase.forms.rows import RowsForm
from ircase.models import CaseTable
from ircase.services.analysis import rowsets
from ircase.services.analysis.tables import columns_of
from ircase.services.transfer.exports import FORMATS
from kql import Column
from kql.types import parse_datetime

CONDITION: Final = ("c", "o", "v")
"""A condition's parts in an address: column, operator, value; several stand in step."""
_KEPT: Final = 50
_SESSION: Final = "grids"
_WORDS: Final = dict(OPERATOR_LABELS)


def page_number(text: str) -> int:
    """A page from outside; 1 for anything that is none."""
    return min(max(int(text), 1), 10**7) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def as_page(page: grid.GridPage) -> SimpleNamespace:
    """A page of the grid as components/pagination.html knows pages."""
    pages = max(1, -(-page.matched // page.limit))
    number = page.offset // page.limit + 1
    return SimpleNamespace(
        number=number,
        has_previous=number > 1,
        has_next=number < pages,
        has_other_pages=pages > 1,
        previous_page_number=number - 1,
        next_page_number=number + 1,
        start_index=page.offset + 1 if page.rows else 0,
        end_index=page.offset + len(page.rows),
        paginator=SimpleNamespace(count=page.matched, num_pages=pages),
    )


def chips(query: QueryDict, filters: Sequence[grid.Filter]) -> list[dict[str, str]]:
    """Each condition in words, with the address without it."""
    found = []
    for place, wanted in enumerate(filters):
        rest = asked(query)
        for key in CONDITION:
            values = rest.getlist(key)
            rest.setlist(key, values[:place] + values[place + 1 :])
        words = f"{wanted.column} {_WORDS.get(wanted.operator, wanted.operator)} {wanted.text}".strip()
        found.append({"text": words, "url": f"?{rest.urlencode()}"})
    return found


def asked(query: QueryDict, *, without: Sequence[str] = ("page",)) -> QueryDict:
    """A copy of the grid's own part of an address: sort, conditions, part and page, less `without`."""
    copy = QueryDict(mutable=True)
    for key in ("sort", "page", "only", *CONDITION):
        if key in query and key not in without:
            copy.setlist(key, query.getlist(key))
    return copy


def filters_of(query: QueryDict, table: CaseTable) -> list[grid.Condition]:
    """What an address asks of a table: its conditions, and the part of it in `only`. Raises GridError."""
    return [*rowsets.conditions(table, query.get("only", "")), *conditions(query)]


def _parts(query: QueryDict, table: CaseTable) -> list[dict[str, Any]]:
    """The parts of a table to choose from, with the address of each; that of the chosen one leads back to all rows."""
    found, chosen = rowsets.of(table), query.get("only", "")
    parts = []
    for name in dict.fromkeys([*found, *([chosen] if chosen in rowsets.LABELS else [])]):
        rest = asked(query, without=("page", "only"))
        if name != chosen:
            rest["only"] = name
        count = found[name].count if name in found else 0
        shown = {"name": name, "label": rowsets.LABELS[name], "count": count}
        parts.append({**shown, "chosen": name == chosen, "url": f"?{rest.urlencode()}"})
    return parts


def with_condition(query: QueryDict, column: str, operator: str, value: str = "") -> str:
    """The address of the same rows under one more condition."""
    more = asked(query)
    if (column, operator, value) not in zip(*(more.getlist(key) for key in CONDITION), strict=False):
        for key, part in zip(CONDITION, (column, operator, value), strict=True):
            more.appendlist(key, part)
    return f"?{more.urlencode()}"


@dataclass(frozen=True)
class Look:
    """How a person sees one table: `shown` columns (none: all), those of `pinned` first; whether cells wrap."""

    shown: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    wrap: bool = False

    def columns(self, every: Sequence[Column]) -> tuple[Column, ...]:
        """The columns to show, in order."""
        shown = [c for c in every if not self.shown or c.name in self.shown or c.name in self.pinned]
        return tuple(sorted(shown or every, key=lambda column: column.name not in self.pinned))


def look_at(request: HttpRequest, table: CaseTable) -> Look:
    kept = request.session.get(_SESSION, {}).get(str(table.uuid), {})
    return Look(tuple(kept.get("shown", ())), tuple(kept.get("pinned", ())), bool(kept.get("wrap")))


def keep_look(request: HttpRequest, table: CaseTable, look: Look) -> None:
    """Keep it until the person signs out, for the tables looked at last."""
    kept: dict[str, Any] = request.session.get(_SESSION, {})
    kept.pop(str(table.uuid), None)
    kept[str(table.uuid)] = {"shown": look.shown, "pinned": look.pinned, "wrap": look.wrap}
    request.session[_SESSION] = dict(list(kept.items())[-_KEPT:])


@dataclass(frozen=True)
class Row:
    """A row as components/grid.html shows it. `since` and `until`: the time to the row before and to the next one."""

    number: int
    cells: tuple[str | None, ...]
    url: str
    since: str = ""
    until: str = ""
    starred: bool = False


@dataclass(frozen=True)
class Place:
    """Where a grid stands: the address of its page, and that of its rows, to which a number is added."""

    page: str
    rows: str
    per_page: int = 50


def context(request: HttpRequest, table: CaseTable, place: Place) -> dict[str, Any]:
    """What `grid/_grid.html` needs. Where the rows cannot be shown as asked, `problem` says why."""
    every, look, sort = columns_of(table), look_at(request, table), request.GET.get("sort", "")
    shown = look.columns(every)
    known = {column.name for column in shown}
    names = [column.name for column in every]
    found: dict[str, Any] = {
        "table": table,
        "place": place,
        "sort": sort,
        "wrap": look.wrap,
        "columns": [{"name": c.name, "type": c.type, "field": c.name} for c in shown],
        "pins": sum(column.name in look.pinned for column in shown),
        "choices": [
            {"name": c.name, "type": c.type, "shown": c.name in known, "pinned": c.name in look.pinned} for c in every
        ],
        "condition_form": ConditionForm(columns=names),
        "bulk_form": RowsForm(columns=names),
        "formats": FORMATS.items(),
        "asked": asked(request.GET).urlencode(),
        "asked_in_full": asked(request.GET, without=()).urlencode(),
        "statistics_url": reverse("ircase:table_statistics", args=[table.case.reference, table.uuid]),
    }
    try:
        filters = filters_of(request.GET, table)
        page = _page(table, page_number(request.GET.get("page", "")), place.per_page, sort, filters, shown)
        rows = _rows(request, table, page, place, sort, filters)
    except grid.GridError as error:
        return found | {"problem": str(error)}
    return found | {
        "grid": page,
        "page": as_page(page),
        "rows": rows,
        "gaps": any(row.since or row.until for row in rows),
        "conditions": chips(request.GET, [one for one in filters if isinstance(one, grid.Filter)]),
        "parts": _parts(request.GET, table),
        "stars_url": reverse("ircase:table_stars", args=[table.case.reference, table.uuid]),
    }


def _page(
    table: CaseTable, number: int, per_page: int, sort: str, filters: Sequence[grid.Condition], shown: Sequence[Column]
) -> grid.GridPage:
    every, start = columns_of(table), (number - 1) * per_page
    return grid.page(table.path, every, offset=start, limit=per_page, sort=sort, filters=filters, only=shown)


def _rows(
    request: HttpRequest,
    table: CaseTable,
    page: grid.GridPage,
    place: Place,
    sort: str,
    filters: Sequence[grid.Condition],
) -> list[Row]:
    query = asked(request.GET, without=()).urlencode()
    tail = f"?{query}" if query else ""
    gaps, starred = _gaps(table, page, sort, filters), set(rowsets.starred(table))
    return [
        Row(
            row.number,
            row.texts,
            f"{place.rows}{row.number}/{tail}",
            *gaps.get(row.number, ("", "")),
            starred=row.number in starred,
        )
        for row in page.rows
    ]


def _gaps(
    table: CaseTable, page: grid.GridPage, sort: str, filters: Sequence[grid.Condition]
) -> dict[int, tuple[str, str]]:
    """Row number: the time to the row before and to the next, where the rows are sorted by a moment."""
    name = sort.removeprefix("-")
    column = next((c for c in columns_of(table) if c.name == name and c.type == "datetime"), None)
    if column is None or not page.rows:
        return {}
    before = min(page.offset, 1)
    around = grid.page(
        table.path,
        columns_of(table),
        offset=page.offset - before,
        limit=min(page.limit + 1 + before, grid.MAX_PAGE),
        sort=sort,
        filters=filters,
        only=[column],
    )
    moments = [(row.number, _moment(row.cells[0])) for row in around.rows]
    steps = list(_steps(moments))
    numbers = [number for number, _ in moments]
    since, until = dict(zip(numbers[1:], steps, strict=True)), dict(zip(numbers[:-1], steps, strict=True))
    return {row.number: (since.get(row.number, ""), until.get(row.number, "")) for row in page.rows}


def _moment(cell: Any) -> datetime | None:
    return parse_datetime(cell) if isinstance(cell, str) else None


def _steps(moments: Sequence[tuple[int, datetime | None]]) -> Iterator[str]:
    for (_, one), (_, other) in pairwise(moments):
        yield "" if one is None or other is None else span_text(abs((other - one).total_seconds()))


def span_text(seconds: float) -> str:
    """A span as briefly as a column allows: `250 ms`, `3.2 s`, `12 min 5 s`, `3 h 7 min`, `2 d 4 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds else "0"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
