"""Columns of many rows as indicators, assets and events of the case: looked at first, then taken, each with its row."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import grid, jobs, recognition
from ircase.grid import Condition
from ircase.models import Activity, Asset, CaseTable, Event, Indicator, RowTake, User
from ircase.services import activity
from ircase.services.analysis import findings, stars
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews
from ircase.wording import counted
from kql.types import parse_datetime

MOST_ROWS: Final = 5_000
AT_ONCE: Final = 200
"""More rows than these are taken by a worker."""
MOST_SAID: Final = 5
GUESS_FROM: Final = 20
"""Rows that are looked at for what a column may hold."""
_HOLE: Final = re.compile(r"\{([^{}]{1,200})\}")
_LENGTHS: Final = {"indicator": 2048, "asset": 255, "event": 300}
ASSETS: Final = (Asset.Kind.DEVICE, Asset.Kind.ACCOUNT, Asset.Kind.MAILBOX)
TARGETS: Final = {
    "indicator:": "Indicator, as recognised",
    **{f"indicator:{kind.value}": f"Indicator: {kind.label}" for kind in Indicator.Kind},
    **{f"asset:{kind.value}": f"Asset: {kind.label}" for kind in ASSETS},
}


@dataclass(frozen=True)
class Plan:
    """`columns` is what each named column becomes (a key of TARGETS). With a `time` column every row becomes an event,
    its title made by `title`, in which `{Column}` stands for the row's value."""

    columns: Mapping[str, str] = field(default_factory=dict)
    time: str = ""
    title: str = ""
    lane: str = Event.Lane.ATTACKER
    technique: str = ""
    verdict: str = Indicator.Verdict.UNKNOWN


@dataclass(frozen=True)
class Thing:
    """What one cell or row would become; `problem` says why it cannot."""

    role: str
    kind: str
    value: str
    row: int
    at: datetime | None = None
    problem: str = ""


@dataclass
class Count:
    """Of one target: how many are new, there already, not valid; some of each in words."""

    label: str
    new: int = 0
    known: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def checked(table: CaseTable, plan: Plan) -> Plan:
    """Raises ValidationError for a plan that names what is not there, or that takes nothing."""
    names = {column.name: column.type for column in columns_of(table)}
    for name in [*plan.columns, *([plan.time] if plan.time else []), *_HOLE.findall(plan.title)]:
        if name not in names:
            raise ValidationError(f"There is no column {name[:80]!r} in this table.")
    if not set(plan.columns.values()) <= set(TARGETS):
        raise ValidationError("Choose what a column becomes from the list.")
    if plan.time and names[plan.time] != "datetime":
        raise ValidationError(f"{plan.time[:80]} holds no moments: choose a column of the type datetime.")
    if plan.time and not plan.title.strip():
        raise ValidationError("Say what an event is called, for example {ActionType} on {DeviceName}.")
    if not plan.columns and not plan.time:
        raise ValidationError("Choose what at least one column becomes, or the time of events.")
    return plan


def numbers_of(table: CaseTable, filters: Sequence[Condition]) -> list[int]:
    """The rows that pass, by their numbers. Raises ValidationError where there are more than may be taken at once."""
    columns = columns_of(table)
    try:
        found = grid.stream(table.path, columns, filters=filters, only=columns[:1])
        numbers = [row.number for row in islice(found, MOST_ROWS + 1)]
    except grid.GridError as error:
        raise ValidationError(str(error)) from None
    if len(numbers) > MOST_ROWS:
        raise ValidationError(f"More than {MOST_ROWS:,} rows pass. Add a condition: so many are not taken at once.")
    return numbers


def guesses(table: CaseTable, numbers: Sequence[int]) -> dict[str, str]:
    """What each column may become, by its name and its first values."""
    columns, found = columns_of(table), {}
    rows = grid.rows(table.path, columns, numbers[:GUESS_FROM])
    for place, column in enumerate(columns):
        for row in rows:
            entities = recognition.entities(column.name, row.cells[place])
            target = next((f"{e.role}:{e.kind}" for e in entities if f"{e.role}:{e.kind}" in TARGETS), "")
            if target and target != f"indicator:{Indicator.Kind.OTHER}":
                found[column.name] = target
                break
    return found


def things(table: CaseTable, numbers: Sequence[int], plan: Plan) -> Iterator[Thing]:
    """Everything that the rows would become, in their order; indicators and assets each once. Raises
    ValidationError."""
    columns = columns_of(table)
    seen: set[tuple[str, str, str]] = set()
    for start in range(0, len(numbers), grid.MAX_PAGE):
        try:
            rows = grid.rows(table.path, columns, numbers[start : start + grid.MAX_PAGE])
        except grid.GridError as error:
            raise ValidationError(str(error)) from None
        for row in rows:
            record = {c.name: cell for c, cell in zip(columns, row.cells, strict=True)}
            for thing in _of_row(row.number, record, plan):
                key = (thing.role, thing.kind, thing.value)
                if thing.role == "event" or key not in seen:
                    seen.add(key)
                    yield thing


def _of_row(number: int, record: Mapping[str, Any], plan: Plan) -> Iterator[Thing]:
    at = _moment(record.get(plan.time)) if plan.time else None
    for name, target in plan.columns.items():
        cell = record.get(name)
        for item in cell if isinstance(cell, list) else [cell]:
            text = (grid.cell_text(item) or "").strip()
            if text:
                role, _, kind = target.partition(":")
                yield _judged(role, kind or recognition.recognise(text), text, number, at)
    if plan.time:
        title = _HOLE.sub(lambda hole: grid.cell_text(record.get(hole[1])) or "", plan.title).strip()
        problem = "" if at else f"{plan.time} is empty in row {number}"
        yield Thing("event", "", findings.clean(title)[: _LENGTHS["event"]] or f"Row {number}", number, at, problem)


def _moment(cell: Any) -> datetime | None:
    try:
        return parse_datetime(cell) if isinstance(cell, str) else None
    except ValueError:
        return None


def _judged(role: str, kind: str, text: str, row: int, at: datetime | None) -> Thing:
    """In its one spelling, or with what is wrong with it."""
    if len(text) > _LENGTHS[role]:
        return Thing(role, kind, text[:80], row, at, f"longer than {_LENGTHS[role]:,} characters")
    if role == "asset":
        return Thing(role, kind, findings.clean(text).lower(), row, at)
    try:
        return Thing(role, kind, findings.normalise(kind, text), row, at)
    except ValidationError as error:
        return Thing(role, kind, text, row, at, " ".join(error.messages))


def preview(table: CaseTable, numbers: Sequence[int], plan: Plan) -> list[Count]:
    """What taking would do, without doing it. Raises ValidationError."""
    is_known = _known(table, checked(table, plan))
    counts: dict[str, Count] = {}
    for thing in things(table, numbers, plan):
        _count(counts, thing, thing.problem, known=not thing.problem and is_known(thing))
    return list(counts.values())


def _known(table: CaseTable, plan: Plan) -> Callable[[Thing], bool]:
    """Whether the case has it: an indicator, an asset, or an event of that very row."""
    case = table.case
    indicators = set(Indicator.objects.filter(case=case).values_list("kind", "value"))
    assets = set(Asset.objects.filter(case=case).values_list("kind", "name"))
    origin = stars.origin_of(table)
    rows = {
        one.get("row")
        for one in Event.objects.filter(case=case).values_list("provenance", flat=True)
        if plan.time and _same_table(one, origin(0))
    }
    return lambda thing: (
        thing.row in rows
        if thing.role == "event"
        else (thing.kind, thing.value) in (indicators if thing.role == "indicator" else assets)
    )


def _same_table(one: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(one.get(key) == wanted[key] for key in ("run", "evidence", "table") if key in wanted)


def _count(counts: dict[str, Count], thing: Thing, problem: str, *, known: bool) -> None:
    label = {"event": "Events"}.get(thing.role) or TARGETS.get(f"{thing.role}:{thing.kind}", thing.role)
    count = counts.setdefault(label, Count(label))
    if problem:
        count.wrong += 1
        if len(count.problems) < MOST_SAID:
            count.problems.append(f"{thing.value[:80]}: {problem}")
    elif known:
        count.known += 1
    else:
        count.new += 1
        if len(count.examples) < MOST_SAID:
            count.examples.append(thing.value[:120])


@transaction.atomic
def take(*, table: CaseTable, actor: User, numbers: Sequence[int], plan: Plan) -> list[Count]:
    """Take all of it, or nothing; what is there already stays as it is. Raises ValidationError."""
    is_known = _known(table, checked(table, plan))
    previews.note(table.evidence, actor=actor, what=f"table {table.name}")
    origin = stars.origin_of(table)
    starred = {star.number: str(star.uuid) for star in stars.stars_of(table)}
    counts: dict[str, Count] = {}
    for thing in things(table, numbers, plan):
        problem, new = thing.problem, False
        if not problem and not (thing.role == "event" and is_known(thing)):
            from_row = origin(thing.row) | ({"star": starred[thing.row]} if thing.row in starred else {})
            try:
                new = _add(table, actor, thing, plan, from_row)
            except ValidationError as error:
                problem = " ".join(error.messages)
        _count(counts, thing, problem, known=not new)
    return list(counts.values())


def _add(table: CaseTable, actor: User, thing: Thing, plan: Plan, origin: dict[str, Any]) -> bool:
    if thing.role == "event":
        assert thing.at is not None
        records = grid.rows(table.path, columns_of(table), [thing.row])
        names = [column.name for column in columns_of(table)]
        findings.add_event(
            case=table.case,
            actor=actor,
            at=thing.at,
            title=thing.value,
            technique=plan.technique,
            lane=plan.lane,
            source=table.name,
            row=dict(zip(names, records[0].cells, strict=True)),
            provenance=origin,
        )
        return True
    if thing.role == "asset":
        return findings.add_asset(case=table.case, actor=actor, kind=thing.kind, name=thing.value, provenance=origin)[1]
    return findings.add_indicator(
        case=table.case,
        actor=actor,
        kind=thing.kind,
        value=thing.value,
        verdict=plan.verdict,
        first_seen=thing.at,
        last_seen=thing.at,
        provenance=origin,
    )[1]


def sentence(counts: Sequence[Count]) -> str:
    """What came of it, for people."""
    if not counts:
        return "The rows hold no value to take."
    return "; ".join(map(_said, counts)) + "."


def _said(one: Count) -> str:
    wrong = f", {one.wrong:,} not valid" if one.wrong else ""
    return f"{one.label}: {one.new:,} new, {one.known:,} there already{wrong}"


@transaction.atomic
def request(*, table: CaseTable, actor: User, numbers: Sequence[int], plan: Plan) -> RowTake:
    """Take them in the background. Raises ValidationError."""
    checked(table, plan)
    if not 0 < len(numbers) <= MOST_ROWS:
        raise ValidationError(f"From 1 to {MOST_ROWS:,} rows are taken at once.")
    job = RowTake(
        case=table.case,
        evidence=table.evidence,
        table_name=table.name,
        numbers=list(numbers),
        plan=asdict(plan),
        requested_by=actor,
    )
    job.activity = activity.begin(
        case=table.case,
        kind=Activity.Kind.IMPORT,
        title=f"Take {counted(len(numbers), 'row')} of {table.name} into the case",
        subject=job.uuid,
        url_name="ircase:row_take",
        actor=actor,
        detail={"evidence": table.evidence.exhibit, "table": table.name},
    )
    job.save()
    jobs.enqueue("ircase.take_rows", job.pk)
    return job
