"""From a row to a finding of the case, with the way back to the run, the row and the evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from hunting import results, rowfacts, shelf
from hunting.models import HuntRun, Source
from ircase.models import Asset, Event, Indicator, User
from ircase.services.analysis import findings, stars, tablerows


def row_of(run: HuntRun, number: int) -> dict[str, Any]:
    """The row as it was recorded. Raises ValidationError."""
    record = results.record(run, number) if run.evidence is not None else None
    if record is None:
        raise ValidationError(f"This run has no row {number}, or its evidence cannot be read.")
    return record


def proposal_of(run: HuntRun, record: dict[str, Any]) -> rowfacts.Proposal:
    return rowfacts.propose(record, shelf.hunt_of_run(run.hunt_id, run.hunt_version))


def provenance(run: HuntRun, number: int) -> dict[str, Any]:
    """What leads back: the run, the row's number from 1, and the exhibit it lies in."""
    exhibit = run.evidence.exhibit if run.evidence is not None else ""
    return {"run": str(run.uuid), "row": number, "exhibit": exhibit, "hunt": run.hunt_id}


@transaction.atomic
def add_row_to_timeline(
    *,
    run: HuntRun,
    actor: User,
    number: int,
    at: datetime | None = None,
    title: str = "",
    technique: str | None = None,
    lane: str = Event.Lane.ATTACKER,
    description: str = "",
) -> Event:
    """An event with the row beside it. What is not given is taken from the row. Raises ValidationError."""
    record = row_of(run, number)
    proposal = proposal_of(run, record)
    moment = at or proposal.at
    if moment is None:
        raise ValidationError({"at": "The row names no time; say when it happened."})
    results.look(run, actor)
    return findings.add_event(
        case=run.case,
        actor=actor,
        at=moment,
        title=title.strip() or proposal.title,
        description=description,
        technique=proposal.technique if technique is None else technique,
        lane=lane,
        source=run.hunt_id or Source(run.source).label,
        row=record,
        provenance=provenance(run, number) | stars.link(run.evidence, run.table.name if run.table else "", number),
        assets=_assets_of(run, proposal),
    )


def _assets_of(run: HuntRun, proposal: rowfacts.Proposal) -> list[Asset]:
    """The row's devices and accounts that the case knows already."""
    names = [name for _, name in proposal.assets]
    kinds = {kind for kind, _ in proposal.assets}
    return list(Asset.objects.filter(case=run.case, kind__in=kinds, name__in=names))


@transaction.atomic
def add_row_as_asset(
    *, run: HuntRun, actor: User, number: int, kind: str, name: str, description: str = ""
) -> tuple[Asset, bool]:
    """The asset and whether it is new. Raises ValidationError."""
    row_of(run, number)
    results.look(run, actor)
    return findings.add_asset(
        case=run.case,
        actor=actor,
        kind=kind,
        name=name,
        description=description,
        provenance=provenance(run, number),
    )


@transaction.atomic
def add_row_as_indicator(
    *, run: HuntRun, actor: User, number: int, kind: str, value: str, description: str = "", verdict: str = ""
) -> tuple[Indicator, bool]:
    """The indicator and whether it is new. Raises ValidationError."""
    record = row_of(run, number)
    if kind not in Indicator.Kind.values:
        raise ValidationError({"kind": "Choose what kind of indicator it is."})
    results.look(run, actor)
    seen = proposal_of(run, record).at
    return findings.add_indicator(
        case=run.case,
        actor=actor,
        kind=kind,
        value=value,
        description=description,
        verdict=verdict or Indicator.Verdict.UNKNOWN,
        first_seen=seen,
        last_seen=seen,
        provenance=provenance(run, number),
    )


def add_rows_as_indicators(
    *, run: HuntRun, actor: User, numbers: Sequence[int], column: str, kind: str = "", verdict: str
) -> tablerows.Taken:
    """The values of one column in these rows as indicators, each with the run and the row that it was read in. Raises
    ValidationError."""
    if run.table is None or run.evidence is None:
        raise ValidationError("This run has no table of its rows.")
    run.table.case, run.table.evidence = run.case, run.evidence
    return tablerows.add_indicators(
        table=run.table, actor=actor, numbers=numbers, column=column, kind=kind, verdict=verdict,
        origin=lambda number: provenance(run, number),
    )  # fmt: skip
