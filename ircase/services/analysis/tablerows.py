"""From a row of a case table to a finding of the case, with the way back to the exhibit, the table and the row."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import grid, recognition
from ircase.models import Asset, Case, CaseTable, Event, Indicator, User
from ircase.services.analysis import findings, stars
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews
from kql.parquet import TIME_COLUMNS
from kql.types import parse_datetime

Provenance = Callable[[int], dict[str, Any]]
_WHAT: Final = ("ActionType", "Action", "Title", "EventID", "Activity", "Operation", "FileName")


def row_of(table: CaseTable, number: int) -> dict[str, Any]:
    """The row as KQL's JSON. Raises ValidationError."""
    try:
        record = grid.row(table.path, columns_of(table), number)
    except grid.GridError as error:
        raise ValidationError(str(error)) from None
    if record is None:
        raise ValidationError(f"This table has no row {number}.")
    return record


def provenance(table: CaseTable, number: int) -> dict[str, Any]:
    """What leads back: the exhibit, the table made of it by name, and the row's number from 1. A table is made anew
    where evidence is read again, so that its own id would not last."""
    item = table.evidence
    return {"evidence": str(item.uuid), "exhibit": item.exhibit, "table": table.name, "row": number}


def moment_of(table: CaseTable, record: Mapping[str, Any]) -> datetime | None:
    """When the row happened, by its event time, else by its first moment."""
    names = [column.name for column in columns_of(table) if column.type == "datetime"]
    for name in sorted(names, key=lambda name: name not in TIME_COLUMNS):
        if isinstance(record.get(name), str):
            try:
                return parse_datetime(record[name])
            except ValueError:
                continue
    return None


def title_of(table: CaseTable, record: Mapping[str, Any]) -> str:
    what = next((str(record[name]) for name in _WHAT if record.get(name) not in (None, "")), "Row")
    where = next(
        (e.value for name, cell in record.items() for e in recognition.entities(name, cell) if e.kind == "device"), ""
    )
    return f"{table.name}: {what}{f' on {where}' if where else ''}"[:300]


@transaction.atomic
def add_event(
    *, table: CaseTable, actor: User, number: int, at: datetime | None = None, title: str = "", **more: Any
) -> Event:
    """An event with the row beside it; `more` as `findings.add_event` takes it. Raises ValidationError."""
    record = row_of(table, number)
    moment = at or moment_of(table, record)
    if moment is None:
        raise ValidationError({"at": "The row names no time; say when it happened."})
    _touch(table, actor)
    named = [e for name, cell in record.items() for e in recognition.entities(name, cell) if e.role == "asset"]
    return findings.add_event(
        case=table.case,
        actor=actor,
        at=moment,
        title=title.strip() or title_of(table, record),
        source=table.name,
        row=record,
        provenance=provenance(table, number) | stars.link(table.evidence, table.name, number),
        assets=known_assets(table.case, named),
        **more,
    )


def known_assets(case: Case, named: Iterable[recognition.Entity]) -> list[Asset]:
    """Those of the entities that are assets of the case already."""
    pairs = {(one.kind, one.value) for one in named}
    found = Asset.objects.filter(case=case, name__in=[value for _, value in pairs])
    return [asset for asset in found if (asset.kind, asset.name) in pairs]


@transaction.atomic
def add_asset(*, table: CaseTable, actor: User, number: int, kind: str, name: str) -> tuple[Asset, bool]:
    """The asset and whether it is new. Raises ValidationError."""
    row_of(table, number)
    _touch(table, actor)
    return findings.add_asset(case=table.case, actor=actor, kind=kind, name=name, provenance=provenance(table, number))


@transaction.atomic
def add_indicator(
    *, table: CaseTable, actor: User, number: int, kind: str, value: str, verdict: str = ""
) -> tuple[Indicator, bool]:
    """The indicator and whether it is new. Raises ValidationError."""
    seen = moment_of(table, row_of(table, number))
    _touch(table, actor)
    return findings.add_indicator(
        case=table.case,
        actor=actor,
        kind=kind,
        value=value,
        verdict=verdict or Indicator.Verdict.UNKNOWN,
        first_seen=seen,
        last_seen=seen,
        provenance=provenance(table, number),
    )


@dataclass(frozen=True)
class Taken:
    """How many indicators are new, how many the case had, how many rows had none, and a sentence for each refused."""

    new: int
    known: int
    empty: int
    refused: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        said = [f"{self.new} indicator{'' if self.new == 1 else 's'} added"]
        said += [f"{self.known} known already"] if self.known else []
        said += [f"{self.empty} row{'' if self.empty == 1 else 's'} without a value"] if self.empty else []
        return ", ".join(said) + "."


@transaction.atomic
def add_indicators(
    *,
    table: CaseTable,
    actor: User,
    numbers: Iterable[int],
    column: str,
    kind: str = "",
    verdict: str = Indicator.Verdict.UNKNOWN,
    origin: Provenance | None = None,
) -> Taken:
    """The values of one column in these rows as indicators, each once, from the first row that has it. `kind` empty:
    as recognised. `origin` gives a row's provenance where the rows are known by another name, as a hunt's are. Values
    that are none of the kind are refused one by one. Raises ValidationError for a column that is not there."""
    columns = columns_of(table)
    place = next((at for at, one in enumerate(columns) if one.name == column), None)
    if place is None:
        raise ValidationError({"column": "There is no such column."})
    try:
        rows = grid.rows(table.path, columns, list(numbers))
    except grid.GridError as error:
        raise ValidationError(str(error)) from None
    _touch(table, actor)
    origin = origin or (lambda number: provenance(table, number))
    counts, refused = Counter[str](), []
    for row in rows:
        record = {one.name: cell for one, cell in zip(columns, row.cells, strict=True)}
        values = [text.strip() for text in _texts(row.cells[place]) if text.strip()]
        counts["empty"] += not values
        for value in values:
            named = kind or recognition.recognise(value)
            try:
                new = _take(table, actor, named, value, verdict, moment_of(table, record), origin(row.number))
            except ValidationError as error:
                refused.append(f"{value[:80]}: {' '.join(error.messages)}")
            else:
                counts["new" if new else "known"] += 1
    return Taken(counts["new"], counts["known"], counts["empty"], tuple(dict.fromkeys(refused)))


def _texts(cell: Any) -> list[str]:
    """A cell's values: a list's items one by one."""
    items = cell if isinstance(cell, list) else [cell]
    return [text for item in items if (text := grid.cell_text(item)) is not None]


def _take(
    table: CaseTable, actor: User, kind: str, value: str, verdict: str, seen: datetime | None, origin: dict[str, Any]
) -> bool:
    _, new = findings.add_indicator(
        case=table.case,
        actor=actor,
        kind=kind,
        value=value,
        verdict=verdict,
        first_seen=seen,
        last_seen=seen,
        provenance=origin,
    )
    return new


def _touch(table: CaseTable, actor: User) -> None:
    previews.note(table.evidence, actor=actor, what=f"table {table.name}")
