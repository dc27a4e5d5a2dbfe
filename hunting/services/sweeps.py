"""Sweeps: one hunt over many devices, accounts or indicators, in as few queries as it can be packed into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting import results
from hunting.binding import Frozen, attach, known_values
from hunting.catalogue import Hunt, Parameter
from hunting.models import HuntRun, Source, Sweep
from hunting.rowwise import Refusal
from hunting.services import runs
from hunting.sweeping import Packed, packed
from hunting.values import ParameterError, parse, typed
from ircase.models import Case, JobState, User
from ircase.services import log
from kql.literals import prelude

MOST: Final = 10_000
"""Entities of one sweep."""

MOST_SINGLE: Final = 1000
"""Entities of a sweep that has to ask for each."""


@dataclass
class Found:
    """What a sweep says of one entity: its rows by value of the column, and the runs that are about it. `failed`: one
    of them ended without an answer."""

    entity: str
    rows: int = 0
    runs: list[str] = field(default_factory=list)
    values: dict[str, int] = field(default_factory=dict)
    waiting: bool = False
    failed: bool = False

    @property
    def state(self) -> str:
        """For people."""
        return "waiting" if self.waiting else "not answered" if self.failed else "answered"


def parameter_of(hunt: Hunt, name: str = "") -> Parameter:
    """What the hunt is swept over: the parameter of that name, or the one that is filled from the case. Raises
    ValidationError."""
    if name:
        wanted = next((p for p in hunt.parameters if p.name == name), None)
    else:
        wanted = next((p for p in hunt.parameters if p.fill), None)
    if wanted is None:
        raise ValidationError({"parameter": "This hunt has no such parameter to be swept over."})
    return wanted


def entities_of(case: Case, parameter: Parameter, given: Sequence[Any]) -> list[str]:
    """The values, each checked and once; without any, all that the case knows. Raises ValidationError."""
    one = replace(parameter.kind, many=False)
    found: dict[str, None] = {}
    for value in given or known_values(parameter, case):
        try:
            if text := parse(one, value):
                found[str(text)] = None
        except ParameterError as error:
            raise ValidationError({"values": f"{str(value)[:80]}: {error}"}) from None
    if not found:
        raise ValidationError({"values": "The case knows none to sweep over. Give some."})
    if len(found) > MOST:
        raise ValidationError({"values": f"A sweep takes at most {MOST:,}; these are {len(found):,}."})
    return list(found)


def packing(hunt: Hunt, parameter: Parameter) -> Packed | Refusal:
    """Whether the hunt can be packed over that parameter."""
    return packed(hunt.kql, parameter.name, parameter.kind.kql, parameter.kind.many)


@transaction.atomic
def queue_sweep(
    *,
    case: Case,
    actor: User,
    hunt: Hunt,
    source: Source,
    parameter: str = "",
    values: Sequence[Any] = (),
    given: Mapping[str, Any] | None = None,
) -> Sweep:
    """Queue the hunt over the entities. Raises ValidationError, and then nothing was queued."""
    wanted = parameter_of(hunt, parameter)
    entities = entities_of(case, wanted, values)
    others = {name: value for name, value in (given or {}).items() if name != wanted.name}
    how = packing(hunt, wanted)
    if isinstance(how, Refusal) and len(entities) > MOST_SINGLE:
        raise ValidationError({"values": f"Asked one by one, a sweep takes at most {MOST_SINGLE:,}. {how}"})
    sweep = Sweep.objects.create(
        case=case,
        hunt_id=hunt.id,
        title=f"{hunt.title}: {len(entities):,} swept"[:300],
        parameter=wanted.name,
        column=how.column if isinstance(how, Packed) else "",
        match=how.match if isinstance(how, Packed) else "",
        why_not=str(how)[:500] if isinstance(how, Refusal) else "",
        entities=entities,
        requested_by=actor,
    )
    frozen = _packed(hunt, wanted, how, entities, others) if isinstance(how, Packed) else []
    if isinstance(how, Refusal):
        frozen = _singly(hunt, wanted, entities, others)
    for batch, question in frozen:
        runs.queue_run(case=case, actor=actor, frozen=question, source=source, sweep=sweep, subjects=batch)
    log.record(
        "hunt.swept", case=case, actor=actor, title=sweep.title, subject=str(sweep.uuid), runs=len(frozen),
        packed=sweep.is_packed,
    )  # fmt: skip
    return sweep


def _singly(
    hunt: Hunt, parameter: Parameter, entities: Sequence[str], others: Mapping[str, Any]
) -> list[tuple[list[str], Frozen]]:
    now = timezone.now()
    one = (lambda entity: [entity]) if parameter.kind.many else (lambda entity: entity)
    return [([e], attach(hunt=hunt, given={**others, parameter.name: one(e)}, now=now)) for e in entities]


def _packed(
    hunt: Hunt, parameter: Parameter, how: Packed, entities: Sequence[str], others: Mapping[str, Any]
) -> list[tuple[list[str], Frozen]]:
    first = [entities[0]] if parameter.kind.many else entities[0]
    base = attach(hunt=hunt, given={**others, parameter.name: first})
    rest = {p.name: typed(p.kind, base.parameters[p.name]) for p in hunt.parameters if p.name != parameter.name}
    lines = prelude(rest)
    batches = list(how.batches(entities, len(lines)))
    return [
        (
            batch,
            replace(
                base,
                title=f"{hunt.title}: {len(batch):,} of {len(entities):,} swept",
                kql=how.text(batch),
                prelude=lines + how.bind(batch),
                parameters={**base.parameters, parameter.name: batch},
            ),
        )
        for batch in batches
    ]


def share(sweep: Sweep) -> list[Found]:
    """What the sweep has found so far, for each entity in its order. Reading the rows themselves is another door."""
    found = {entity: Found(entity) for entity in sweep.entities}
    # What was run again counts once, by its last run.
    for run in sweep.runs.filter(retries=None).select_related("table", "evidence").order_by("pk"):
        for entity in run.subjects:
            found[entity].runs.append(str(run.uuid))
            found[entity].waiting |= not run.is_final
            found[entity].failed |= run.is_final and run.state != JobState.DONE
        if run.state == JobState.DONE:
            _add_rows(sweep, run, found)
    return list(found.values())


def _add_rows(sweep: Sweep, run: HuntRun, found: dict[str, Found]) -> None:
    if not sweep.is_packed:
        for entity in run.subjects:
            found[entity].rows += run.row_count or 0
        return
    if not run.row_count:
        return
    how = Packed("", sweep.parameter, "string", sweep.column, sweep.match)  # type: ignore[arg-type]  # a Match
    for entity, values in how.share(run.subjects, results.counts(run, sweep.column)).items():
        found[entity].values.update(values)
        found[entity].rows += sum(values.values())
