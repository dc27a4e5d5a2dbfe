"""One row in full: every cell with what can be done from it, and the forms that make findings of it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, QueryDict
from django.urls import reverse

from frontend.jsontree import Node, nodes
from ircase import grid, recognition
from ircase.forms.rows import RowAssetForm, RowEventForm, RowIndicatorForm
from ircase.models import Asset, Case, Event, Indicator
from ircase.pages import DEVICE_PAGE, FILE_PAGE, HUNTS_FOR
from ircase.views.grids import with_condition
from kql.literals import literal
from kql.types import Column, decode_value

_JSON_TEXT: Final = 200_000
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Pivot:
    """What a value is, as what it may be added (as the form calls it; empty: as nothing), the way to its hunts, and to
    its own page where it is a file or a device."""

    entity: recognition.Entity
    add: str
    hunts_url: str
    page_url: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell in full: its text (None for null), its JSON as a tree where it is some, and where it leads. Addresses are
    empty where there is nothing to ask for."""

    name: str
    type: str
    text: str | None
    tree: list[Node] | None
    kql: str
    include_url: str
    exclude_url: str
    find_url: str
    pivots: tuple[Pivot, ...]
    chosen: bool


def cells_of(
    case: Case, columns: Sequence[Column], record: Mapping[str, Any], *, page_url: str, query: QueryDict
) -> list[Cell]:
    """The cells in the order of the columns; that of `?column=` first. `page_url` is the page of the grid, and the
    address's own conditions stay beside the one that a cell adds."""
    chosen = query.get("column", "")
    found = [_cell(case, column, record.get(column.name), page_url, query, chosen) for column in columns]
    return sorted(found, key=lambda cell: not cell.chosen)


def _cell(case: Case, column: Column, cell: Any, page_url: str, query: QueryDict, chosen: str) -> Cell:
    text = grid.cell_text(cell)
    operators = ("equals", "not") if text else ("empty", "present")
    value = text or ""
    askable = len(value) <= grid.MAX_FILTER_TEXT and not (column.type == "real" and isinstance(cell, str))
    include, exclude = (page_url + with_condition(query, column.name, one, value) for one in operators)
    findable = (
        text and len(text) <= grid.MAX_FILTER_TEXT and column.type not in ("datetime", "timespan", "bool", "real")
    )
    find_url = f"{reverse('ircase:find', args=[case.reference])}?{urlencode({'q': text})}" if findable else ""
    return Cell(
        name=column.name,
        type=column.type,
        text=text,
        tree=_tree(cell),
        kql=kql_filter(column, cell),
        include_url=include if askable else "",
        exclude_url=exclude if askable else "",
        find_url=find_url,
        pivots=tuple(_pivot(case, entity) for entity in recognition.entities(column.name, cell)),
        chosen=column.name == chosen,
    )


def _tree(cell: Any) -> list[Node] | None:
    """JSON for reading: of a dynamic value, and of a text that holds an object or a list."""
    if isinstance(cell, dict | list):
        return nodes(cell) if cell else None
    if isinstance(cell, str) and cell[:1] in ("{", "[") and len(cell) <= _JSON_TEXT:
        try:
            inner = json.loads(cell)
        except (ValueError, RecursionError):
            return None
        return nodes(inner) if inner else None
    return None


def _pivot(case: Case, entity: recognition.Entity) -> Pivot:
    asked = urlencode({"kind": entity.kind, "value": entity.value})
    add = entity.role if entity.role in ("asset", "indicator") else ""
    return Pivot(entity, add, f"{reverse(HUNTS_FOR, args=[case.reference])}?{asked}", _own_page(case, entity))


def _own_page(case: Case, entity: recognition.Entity) -> str:
    if entity.kind in (Indicator.Kind.SHA256, Indicator.Kind.SHA1, Indicator.Kind.MD5):
        return reverse(FILE_PAGE, args=[case.reference, entity.value])
    if entity.kind == Asset.Kind.DEVICE and entity.role == "asset":
        return reverse(DEVICE_PAGE, args=[case.reference, entity.value])
    return ""


def kql_filter(column: Column, cell: Any) -> str:
    """A line of KQL that keeps the rows with this value; empty where KQL has no way to write it."""
    name = _kql_name(column.name)
    if cell is None:
        return f"| where isempty({name})" if column.type in ("string", "dynamic") else f"| where isnull({name})"
    if column.type == "dynamic":
        name, kind, value = f"tostring({name})", "string", grid.cell_text(cell)
    else:
        kind, value = column.type, decode_value(column.type, cell)
    if isinstance(value, float) and value != value:
        return f"| where isnan({name})"
    try:
        return f"| where {name} == {literal(value, kind)}"  # type: ignore[arg-type]  # a KQL type either way
    except ValueError:
        return ""


def _kql_name(name: str) -> str:
    """A column's name as a query writes it.
    https://learn.microsoft.com/en-us/kusto/query/schema-entities/entity-names#reference-identifiers-in-queries"""
    # KQL's own words are in lower case.
    plain = _PLAIN_NAME.fullmatch(name) and name != name.lower()
    return name if plain else f"[{literal(name, 'string')}]"


class Taker(Protocol):
    """Makes findings of the rows of one table or run. Every method raises ValidationError."""

    def event(self, number: int, **data: Any) -> Event: ...

    def asset(self, number: int, **data: Any) -> tuple[Asset, bool]: ...

    def indicator(self, number: int, **data: Any) -> tuple[Indicator, bool]: ...


Took = tuple[str, forms.Form | None]


def take(request: HttpRequest, taker: Taker, number: int) -> Took:
    """Do what the form asks for; what was done in words, else the form with its errors. Http404 for anything else."""

    def event(data: dict[str, Any]) -> str:
        return f"“{taker.event(number, **data).title}” is on the timeline."

    def asset(data: dict[str, Any]) -> str:
        found, new = taker.asset(number, **data)
        return f"{found.name} is {'now ' if new else 'already '}an asset of the case."

    def indicator(data: dict[str, Any]) -> str:
        found, new = taker.indicator(number, **data)
        return f"{found.value[:120]} is {'now ' if new else 'already '}an indicator of the case."

    acts: dict[str, tuple[type[forms.Form], Callable[[dict[str, Any]], str]]] = {
        "timeline": (RowEventForm, event),
        "asset": (RowAssetForm, asset),
        "indicator": (RowIndicatorForm, indicator),
    }
    chosen = acts.get(request.POST.get("add", ""))
    if chosen is None:
        raise Http404("Nothing to add.")
    return _valid(chosen[0](request.POST), chosen[1])


def _valid(form: forms.Form, act: Callable[[dict[str, Any]], str]) -> Took:
    if not form.is_valid():
        return "", form
    try:
        return act(form.cleaned_data), None
    except ValidationError as error:
        for name, found in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
            for message in found:
                form.add_error(name if name in form.fields else None, message)
        return "", form


def form_context(bound: forms.Form | None, initial: dict[str, Any]) -> dict[str, Any]:
    """The forms of `grid/_row.html`; `bound` is the one that came back with errors."""
    is_event = isinstance(bound, RowEventForm)
    return {
        "event_form": bound if is_event else RowEventForm(initial={"lane": "attacker", **initial}),
        "other_form": None if is_event else bound,
        "asset_kinds": Asset.Kind.choices,
        "indicator_kinds": Indicator.Kind.choices,
    }


def added(case: Case, **origin: Any) -> list[str]:
    """What was made of a row before, in words; `origin` are the parts of provenance that name the row."""
    of_row = {"case": case, **{f"provenance__{key}": value for key, value in origin.items()}}
    return [
        *(f"Event: {event.title}" for event in Event.objects.filter(**of_row)),
        *(f"{asset.get_kind_display()}: {asset.name}" for asset in Asset.objects.filter(**of_row)),
        *(f"{one.get_kind_display()}: {one.value[:120]}" for one in Indicator.objects.filter(**of_row)),
    ]
