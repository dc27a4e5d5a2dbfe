"""The super-timeline's saved filters, and what makes events of rows."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.api.supertimeline import Wanted, query_of
from ircase.models import TimelineView
from ircase.services.analysis import supertimeline, timelineasking
from ircase.supertimeline import rules

router = Router(tags=["Super-timeline"])
_VIEWS: Final = "/cases/{reference}/super-timeline/views"


class TimelineViewNew(Wanted):
    """A filter under a name, for everybody on the case; the same name again replaces it."""

    name: str = Field(min_length=1, max_length=80)


class TimelineViewOut(Schema):
    """`asked` is the query of the page's address."""

    uuid: UUID
    name: str
    asked: str
    saved_by: str
    saved_at: datetime

    @staticmethod
    def resolve_saved_by(view: TimelineView) -> str:
        return view.saved_by.username


class MappedTime(Schema):
    """The first of `columns` that has a value, and what kind of time it is."""

    columns: str
    label: str


class TimelineRule(Schema):
    """`message` are pieces, each left out where a column of it is empty; `guessed` by the names of columns."""

    name: str
    times: list[MappedTime]
    message: list[str]
    device: list[str]
    account: list[str]
    always: list[str] = Field(description="Techniques of every row: those of the hunt that found them.")
    techniques_from: list[str]
    guessed: bool


class TableMapping(Schema):
    """`events` is null where the table is not in the super-timeline yet."""

    table: UUID
    name: str
    exhibit: str
    rule: TimelineRule
    events: int | None


class MappingsOut(Schema):
    """Of the case's tables, the tables without any time, and every mapping that there is, by the table it is for."""

    used: list[TableMapping]
    timeless: list[str]
    every: dict[str, TimelineRule]


@router.get(_VIEWS, response=list[TimelineViewOut], summary="Saved filters of the super-timeline")
def list_timeline_views(request: HttpRequest, reference: str) -> Any:
    return TimelineView.objects.filter(case=case_of(request, reference)).select_related("saved_by")


@router.post(_VIEWS, response={201: TimelineViewOut}, summary="Keep a filter under a name")
def save_timeline_view(request: HttpRequest, reference: str, body: TimelineViewNew) -> Status[TimelineView]:
    case, asked = open_case_of(request, reference), timelineasking.kept(query_of(body)).urlencode()
    view = supertimeline.save_view(case=case, actor=person(request), name=body.name, asked=asked)
    return Status(201, TimelineView.objects.select_related("saved_by").get(pk=view.pk))


@router.delete(f"{_VIEWS}/{{uuid}}", response={204: None}, summary="Remove a saved filter")
def remove_timeline_view(request: HttpRequest, reference: str, uuid: UUID) -> Status[None]:
    case = open_case_of(request, reference)
    supertimeline.remove_view(view=get_object_or_404(TimelineView, case=case, uuid=uuid), actor=person(request))
    return Status(204, None)


@router.get("/cases/{reference}/super-timeline/mappings", response=MappingsOut, summary="What makes events of rows")
def get_mappings(request: HttpRequest, reference: str) -> dict[str, Any]:
    known = rules.load()
    used, timeless = supertimeline.mappings(case_of(request, reference))
    return {
        "used": [
            {
                "table": one.table.uuid,
                "name": one.table.name,
                "exhibit": one.table.evidence.exhibit,
                "rule": _rule(one.rule),
                "events": one.part.rows if one.part else None,
            }
            for one in used
        ],
        "timeless": [table.name for table in timeless],
        "every": {name: _rule(rule) for name, rule in known.named()},
    }


def _rule(rule: rules.Rule) -> dict[str, Any]:
    told = {name: list(getattr(rule, name)) for name in ("message", "device", "account", "always", "techniques_from")}
    times = [{"columns": columns, "label": label} for columns, label in rule.times]
    return {"name": rule.name, "guessed": rule.guessed, "times": times, **told}
