"""The gate of a phase: required items hold it, going forward. Passing it anyway takes a reason, which stays."""

from dataclasses import dataclass

from django.db.models import Count

from ircase.models import Case, ChecklistItem, Phase
from ircase.services.phases.checklist import missing_proof

_ORDER = {phase: place for place, phase in enumerate(Phase.values)}


@dataclass(frozen=True)
class Held:
    """A required item that is not done: what it lacks to be closed, and what it waits for itself."""

    item: ChecklistItem
    lacks: str
    waits_for: tuple[str, ...]


def passed(case: Case, phase: str) -> list[str]:
    """The phases that a move to `phase` leaves behind: none on the way back, which SP 800-61r2 wants free (figure 3-1
    leads from containment back to analysis). Preparation is the organisation's and holds nobody."""
    here, there = _ORDER[case.phase], _ORDER[phase]
    return [one for one in Phase.values[here:there] if one != Phase.PREPARATION]


def held_by(case: Case, phase: str) -> list[Held]:
    """What holds a move to `phase`, in the checklist's order. Two queries."""
    return _held(case, passed(case, phase))


def held_in_each(case: Case) -> dict[str, list[Held]]:
    """For the current phase and every later one that can be left, what has to be done before it is. Two queries."""
    phases = passed(case, Phase.values[-1])
    found = _held(case, phases)
    return {phase: [one for one in found if one.item.phase == phase] for phase in phases}


def _held(case: Case, phases: list[str]) -> list[Held]:
    if not phases:
        return []
    found = ChecklistItem.objects.live().filter(case=case, required=True, phase__in=phases)
    rows = found.select_related("owner").prefetch_related("depends_on").annotate(proof_count=Count("proofs"))
    return [
        Held(item, missing_proof(item), tuple(other.title for other in item.depends_on.all() if other.is_open))
        for item in sorted(rows, key=lambda item: (_ORDER[item.phase], item.position, item.pk))
    ]
