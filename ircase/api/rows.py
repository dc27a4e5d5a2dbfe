"""From rows of a case's tables to findings: one row, many at once by a mapping of columns, and where a value stands."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import grid
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.evidence import filters_of
from ircase.api.findings import AssetOut, EventOut, IndicatorOut
from ircase.api.paging import Router
from ircase.api.schemas import AssetKind, IndicatorKind, IndicatorVerdict
from ircase.models import Asset, CaseTable, Event, Indicator, RowTake
from ircase.services.analysis import mapping, stars, tablerows, valuesearch
from ircase.services.vault import previews

router = Router(tags=["Evidence"])
_TABLE: Final = "/cases/{reference}/tables/{uuid}"
_ROW: Final = f"{_TABLE}/rows/{{number}}"
_LONG: Final = 20_000
_TECHNIQUE: Final = r"^(T\d{4}(\.\d{3})?)?$"


class TableRow(Schema):
    """One row as it was recorded; `at` and `title` are what an event of it would have. `star` is its star, if any."""

    number: int
    row: dict[str, Any]
    at: datetime | None
    title: str
    star: UUID | None


class TableRowEvent(Schema):
    """What is not given is taken from the row."""

    at: AwareDatetime | None = None
    title: str = Field("", max_length=300)
    technique: str = Field("", max_length=16, pattern=_TECHNIQUE)
    lane: Event.Lane = Event.Lane.ATTACKER
    description: str = Field("", max_length=_LONG)


class TableRowAsset(Schema):
    kind: AssetKind
    name: str = Field(min_length=1, max_length=255)


class TableRowIndicator(Schema):
    kind: IndicatorKind
    value: str = Field(min_length=1, max_length=2048)
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN


class ColumnTaken(Schema):
    """The values of one column of these rows as indicators, each once. Without a kind it is recognised."""

    numbers: list[int] = Field(min_length=1, max_length=grid.MAX_PAGE, description="The rows, from 1.")
    column: str = Field(min_length=1, max_length=200)
    kind: IndicatorKind | None = None
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN


class ColumnTakenOut(Schema):
    """How many indicators are new, how many the case had, how many rows had none, and a sentence for each refused."""

    new: int
    known: int
    empty: int
    refused: list[str]


class RowCondition(Schema):
    column: str = Field(max_length=200)
    operator: str = Field(max_length=20, description=", ".join(grid.OPERATORS))
    value: str = Field("", max_length=grid.MAX_FILTER_TEXT)


class RowMapping(Schema):
    """`numbers`, or else the rows that pass the conditions. With a `time` column every row becomes an event, in whose
    `title` `{Column}` stands for the row's value."""

    numbers: list[int] = Field(default_factory=list, max_length=mapping.MOST_ROWS, description="The rows, from 1.")
    conditions: list[RowCondition] = Field(default_factory=list, max_length=50)
    columns: dict[str, str] = Field(
        default_factory=dict, max_length=1000, description="What a column becomes, by GET of the same address."
    )
    time: str = Field("", max_length=200)
    title: str = Field("", max_length=300)
    lane: Event.Lane = Event.Lane.ATTACKER
    technique: str = Field("", max_length=16, pattern=_TECHNIQUE)
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN

    def plan(self) -> mapping.Plan:
        return mapping.Plan(self.columns, self.time, self.title, self.lane, self.technique, self.verdict)


class MappingOffer(Schema):
    """What columns can become (`targets`, by the word that a mapping takes), and what is guessed of this table's."""

    targets: dict[str, str]
    guesses: dict[str, str]


class MappedCount(Schema):
    """Of one target: how many are new, there already, not valid; some of each in words."""

    label: str
    new: int
    known: int
    wrong: int
    examples: list[str]
    problems: list[str]


class Mapped(Schema):
    """What came of it, or `take` where a worker is at it: then GET …/row-takes/{uuid}."""

    rows: int
    counts: list[MappedCount]
    take: UUID | None


class RowTakeOut(Schema):
    uuid: UUID
    table: str
    rows: int
    state: str
    reason: str
    counts: list[MappedCount]

    @staticmethod
    def resolve_table(job: RowTake) -> str:
        return job.table_name

    @staticmethod
    def resolve_rows(job: RowTake) -> int:
        return len(job.numbers)


class ValueAsked(Schema):
    # Not required here: who may not know of the case is told so first.
    q: str = Field("", max_length=grid.MAX_FILTER_TEXT, description="Part of a text, or a whole number or guid.")


class ValuePlace(Schema):
    """So many rows have it; `operator` is the condition by which …/rows shows them."""

    column: str
    rows: int
    operator: str


class SearchedTable(Schema):
    """A table that has the value, or one that was not searched and why (`problem`)."""

    table: UUID
    name: str
    exhibit: str
    places: list[ValuePlace]
    problem: str

    @staticmethod
    def resolve_table(one: valuesearch.Searched) -> UUID:
        return one.table.uuid

    @staticmethod
    def resolve_name(one: valuesearch.Searched) -> str:
        return one.table.name

    @staticmethod
    def resolve_exhibit(one: valuesearch.Searched) -> str:
        return one.table.evidence.exhibit


class ValueFound(Schema):
    searched: int = Field(description="How many tables were searched.")
    tables: list[SearchedTable]


def _table(request: HttpRequest, reference: str, uuid: UUID, *, write: bool = False) -> CaseTable:
    case = open_case_of(request, reference) if write else case_of(request, reference)
    table: CaseTable = get_object_or_404(CaseTable.objects.select_related("evidence"), case=case, uuid=uuid)
    table.case = table.evidence.case = case
    return table


@router.get("/cases/{reference}/table-search", response=ValueFound, summary="Where a value stands, in all tables")
def search_tables(request: HttpRequest, reference: str, asked: Query[ValueAsked]) -> dict[str, Any]:
    """Whatever the case of its letters. The time for all tables together is limited; what was not reached is named."""
    case, text = case_of(request, reference), asked.q.strip()
    if not text:
        raise ValidationError("Give a value to look for.")
    found = valuesearch.search(case, text, actor=person(request))
    return {
        "searched": sum(not one.problem for one in found),
        "tables": [one for one in found if one.places or one.problem],
    }


@router.get(_ROW, response=TableRow, summary="One row in full")
def get_table_row(request: HttpRequest, reference: str, uuid: UUID, number: int) -> dict[str, Any]:
    table = _table(request, reference, uuid)
    try:
        record = tablerows.row_of(table, number)
    except ValidationError:
        raise Http404("No such row.") from None
    previews.note(table.evidence, actor=person(request), what=f"table {table.name}")
    star = stars.star_of(table.evidence, table.name, number)
    return {
        "number": number,
        "row": record,
        "at": tablerows.moment_of(table, record),
        "title": tablerows.title_of(table, record),
        "star": star.uuid if star else None,
    }


@router.post(f"{_ROW}/timeline", response={201: EventOut}, summary="A table's row onto the timeline")
def add_event_of_row(
    request: HttpRequest, reference: str, uuid: UUID, number: int, body: TableRowEvent
) -> Status[Event]:
    table = _table(request, reference, uuid, write=True)
    return Status(201, tablerows.add_event(table=table, actor=person(request), number=number, **body.dict()))


@router.post(f"{_ROW}/assets", response={200: AssetOut, 201: AssetOut}, summary="An asset of a table's row")
def add_asset_of_row(
    request: HttpRequest, reference: str, uuid: UUID, number: int, body: TableRowAsset
) -> Status[Asset]:
    table = _table(request, reference, uuid, write=True)
    asset, new = tablerows.add_asset(table=table, actor=person(request), number=number, **body.dict())
    return Status(201 if new else 200, asset)


@router.post(
    f"{_ROW}/indicators", response={200: IndicatorOut, 201: IndicatorOut}, summary="An indicator of a table's row"
)
def add_indicator_of_row(
    request: HttpRequest, reference: str, uuid: UUID, number: int, body: TableRowIndicator
) -> Status[Indicator]:
    table = _table(request, reference, uuid, write=True)
    indicator, new = tablerows.add_indicator(table=table, actor=person(request), number=number, **body.dict())
    return Status(201 if new else 200, indicator)


@router.post(f"{_TABLE}/indicators", response=ColumnTakenOut, summary="One column of many rows as indicators")
def take_column(request: HttpRequest, reference: str, uuid: UUID, body: ColumnTaken) -> tablerows.Taken:
    table = _table(request, reference, uuid, write=True)
    return tablerows.add_indicators(
        table=table,
        actor=person(request),
        numbers=body.numbers,
        column=body.column,
        kind=body.kind or "",
        verdict=body.verdict,
    )


@router.get(f"{_TABLE}/mapping", response=MappingOffer, summary="What columns can become, and what is guessed")
def get_mapping(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    table = _table(request, reference, uuid, write=True)
    first = range(1, min(table.row_count, mapping.GUESS_FROM) + 1)
    return {"targets": mapping.TARGETS, "guesses": mapping.guesses(table, list(first))}


@router.post(f"{_TABLE}/mapping/preview", response=Mapped, summary="What many rows would become, without doing it")
def preview_mapping(request: HttpRequest, reference: str, uuid: UUID, body: RowMapping) -> dict[str, Any]:
    table = _table(request, reference, uuid, write=True)
    numbers = _numbers(table, body)
    return {"rows": len(numbers), "counts": mapping.preview(table, numbers, body.plan()), "take": None}


@router.post(f"{_TABLE}/mapping", response={200: Mapped, 202: Mapped}, summary="Many rows into the case at once")
def take_mapping(request: HttpRequest, reference: str, uuid: UUID, body: RowMapping) -> Status[dict[str, Any]]:
    """More than 200 rows are taken by a worker. What is there already stays as it is."""
    table = _table(request, reference, uuid, write=True)
    numbers, plan = _numbers(table, body), body.plan()
    if len(numbers) <= mapping.AT_ONCE:
        counts = mapping.take(table=table, actor=person(request), numbers=numbers, plan=plan)
        return Status(200, {"rows": len(numbers), "counts": counts, "take": None})
    job = mapping.request(table=table, actor=person(request), numbers=numbers, plan=plan)
    return Status(202, {"rows": len(numbers), "counts": [], "take": job.uuid})


def _numbers(table: CaseTable, body: RowMapping) -> list[int]:
    if body.numbers:
        return list(dict.fromkeys(body.numbers))
    said = [(one.column, one.operator, one.value) for one in body.conditions]
    columns, operators, values = ([one[place] for one in said] for place in range(3))
    return mapping.numbers_of(table, filters_of(columns, operators, values))


@router.get("/cases/{reference}/row-takes/{uuid}", response=RowTakeOut, summary="How far a worker is with many rows")
def get_row_take(request: HttpRequest, reference: str, uuid: UUID) -> RowTake:
    return get_object_or_404(RowTake.objects.all(), case=case_of(request, reference), uuid=uuid)
