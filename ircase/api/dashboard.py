"""The dashboard's figures, the rows behind them, its targets, and dashboards as PDF."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import dashboard
from ircase.api.auth import person
from ircase.api.paging import Router, Window
from ircase.dashboard import Scope
from ircase.dashboard.shape import Cell, Table
from ircase.forms.dashboard import DashboardForm
from ircase.models import DashboardFile, Severity, Target, User
from ircase.services.managing import papers, targets
from ircase.services.vault import delivery

router = Router(tags=["Dashboard"])


class BoardFilters(Schema):
    """Days are those of your time zone, both included; without them the last 90. A name that is none finds nothing."""

    first: date | None = None
    last: date | None = None
    compare: str = Field("", pattern="^(|before|year)$", description="With the period before, or the same a year ago.")
    severity: str = Field("", max_length=16)
    playbook: str = Field("", max_length=64)
    connection: str = Field("", max_length=100, description="A tenant's connection, by name.")
    team: str = Field("", max_length=80)
    owner: str = Field("", max_length=150, description="A lead's user name.")


class BoardQuery(BoardFilters):
    section: str = Field("overview", description="overview, times, work, hunts, response or patterns.")


class BehindQuery(BoardFilters, Window):
    """Beside these the words of the `url` of a cell or a tile say which number is meant."""


class PanelCellOut(Schema):
    """`value`: seconds of a span, UTC of a time, percent of a share; null where there is no figure. `url`: the page of
    the rows behind it; its panel and query are what /dashboard/behind/{panel} takes."""

    text: str
    value: str | float | None
    url: str


class PanelTableOut(Schema):
    key: str
    title: str
    note: str
    columns: list[str]
    rows: list[list[PanelCellOut]]
    total: int


class PanelTileOut(Schema):
    label: str
    value: str
    number: float | None
    note: str
    url: str


class PanelOut(Schema):
    key: str
    title: str
    about: str
    tiles: list[PanelTileOut]
    tables: list[PanelTableOut]


class BoardOut(Schema):
    section: str
    sections: list[str]
    first: date
    last: date
    before: list[date]
    zone: str
    panels: list[PanelOut]


class BehindOut(Schema):
    title: str
    about: str
    columns: list[str]
    items: list[list[PanelCellOut]]
    total: int
    limit: int
    offset: int


class TargetIO(Schema):
    """`severity` empty: every one that has no target of its own. `hours` null takes a target away."""

    measure: str = Field(pattern=f"^({'|'.join(Target.Measure.values)})$")
    severity: str = Field("", pattern=f"^({'|'.join(['', *Severity.values])})$")
    hours: float | None = Field(gt=0, le=87_600)


class AssumptionIO(Schema):
    """What a finished hunt is taken to save. `minutes` null: hours saved are not counted."""

    minutes: int | None = Field(None, ge=1, le=10_000)
    reason: str = Field("", max_length=300)


class RulesOut(Schema):
    targets: list[TargetIO]
    assumption: AssumptionIO


class BoardFileNew(BoardFilters):
    pass


class BoardFileOut(Schema):
    uuid: UUID
    state: str
    reason: str
    asked: str
    queued_at: datetime
    size: int
    sha256: str


@contextmanager
def _scope(user: User, filters: BoardFilters) -> Iterator[Scope]:
    with timezone.override(ZoneInfo(user.time_zone)):
        yield Scope(user, _form(filters).filters(timezone.localdate()), timezone.now())


def _form(filters: BoardFilters) -> DashboardForm:
    names = BoardFilters.model_fields
    return DashboardForm({name: str(getattr(filters, name) or "") for name in names})


@router.get("/dashboard", response=BoardOut, summary="One section of the dashboard over the cases that you may see")
def get_dashboard(request: HttpRequest, filters: Query[BoardQuery]) -> dict[str, Any]:
    known = [code for code, _ in dashboard.sections()]
    if filters.section not in known:
        raise ValidationError({"section": f"There are: {', '.join(known)}."})
    with _scope(person(request), filters) as scope:
        made = dashboard.panels(scope, filters.section)
        return {
            "section": filters.section,
            "sections": known,
            "first": scope.period.first,
            "last": scope.period.last,
            "before": [scope.before.first, scope.before.last] if scope.before else [],
            "zone": timezone.get_current_timezone_name(),
            "panels": [
                {
                    "key": panel.key, "title": panel.title, "about": panel.about,
                    "tiles": [vars(tile) for tile in panel.tiles],
                    "tables": [_table(table) for table in panel.tables],
                }
                for panel in made
            ],
        }  # fmt: skip


def _table(table: Table) -> dict[str, Any]:
    rows = [_cells(row) for row in table.rows]
    heads = [column.label for column in table.columns]
    total = max(table.total, len(rows))
    return {"key": table.key, "title": table.title, "note": table.note, "columns": heads, "rows": rows, "total": total}


def _cells(row: tuple[Cell, ...]) -> list[dict[str, Any]]:
    return [{"text": cell.text, "value": cell.value, "url": cell.url} for cell in row]


@router.get("/dashboard/behind/{panel}", response=BehindOut, summary="The rows behind one number")
def get_behind(request: HttpRequest, panel: str, filters: Query[BehindQuery]) -> dict[str, Any]:
    source = dashboard.source_of(panel)
    if source is None:
        raise Http404("No such panel.")
    part = {name: str(value).replace("\x00", "")[:500] for name, value in request.GET.items()}
    with _scope(person(request), filters) as scope:
        try:
            found = source.behind(scope, part)
        except (LookupError, ValueError) as error:
            raise Http404("No such number.") from error
        page = list(found.rows[filters.offset : filters.offset + filters.limit])
        return {
            "title": found.title,
            "about": found.about,
            "columns": [column.label for column in found.columns],
            "items": [_cells(row) for row in found.cells(page)],
            "total": found.total,
            "limit": filters.limit,
            "offset": filters.offset,
        }


@router.get("/dashboard/rules", response=RulesOut, summary="The targets, and what a hunt is taken to save")
def get_rules(request: HttpRequest) -> dict[str, Any]:
    person(request)
    assumed = targets.assumption()
    return {
        "targets": [
            {"measure": measure, "severity": severity, "hours": hours}
            for (measure, severity), hours in targets.current().items()
        ],
        "assumption": {"minutes": assumed.minutes, "reason": assumed.reason} if assumed else {},
    }


@router.put("/dashboard/targets", response=RulesOut, summary="Set or take away targets; others stay")
def put_targets(request: HttpRequest, body: list[TargetIO]) -> dict[str, Any]:
    targets.save(actor=person(request), hours={(one.measure, one.severity): one.hours for one in body})
    return get_rules(request)


@router.put("/dashboard/assumption", response=RulesOut, summary="Say what a finished hunt is taken to save")
def put_assumption(request: HttpRequest, body: AssumptionIO) -> dict[str, Any]:
    targets.assume(actor=person(request), minutes=body.minutes, reason=body.reason)
    return get_rules(request)


@router.get("/dashboard/files", response=list[BoardFileOut], summary="The dashboards that you had made into a PDF")
def list_files(request: HttpRequest) -> list[DashboardFile]:
    return list(DashboardFile.objects.filter(requested_by=person(request))[:100])


@router.post("/dashboard/files", response={202: BoardFileOut}, summary="Have the dashboard made into a PDF")
def new_file(request: HttpRequest, body: BoardFileNew) -> Status[DashboardFile]:
    user = person(request)
    with _scope(user, body) as scope:
        return Status(202, papers.ask(actor=user, asked=scope.query()))


@router.get("/dashboard/files/{uuid}", response=BoardFileOut, summary="How far it is")
def get_file(request: HttpRequest, uuid: UUID) -> DashboardFile:
    return get_object_or_404(DashboardFile, requested_by=person(request), uuid=uuid)


@router.get("/dashboard/files/{uuid}/content", summary="The PDF")
def get_file_content(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    row = get_file(request, uuid)
    try:
        chunks, name = papers.open_file(row=row, actor=person(request))
    except papers.PaperGone as error:
        raise Http404(str(error)) from error
    return delivery.attachment(chunks, name=name, size=row.size)
