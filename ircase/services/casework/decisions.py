"""The decision log: what was decided, why, by whom, and what else could have been done."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ircase.models import Case, ChecklistItem, Decision, Evidence, Proof, User
from ircase.services import log
from ircase.services.analysis.findings import clean


@transaction.atomic
def record(
    *,
    case: Case,
    actor: User,
    what: str,
    why: str,
    decided_by: str = "",
    decided_at: datetime | None = None,
    alternatives: str = "",
    told: str = "",
    supersedes: Decision | None = None,
    items: Iterable[ChecklistItem] = (),
    evidence: Iterable[Evidence] = (),
) -> Decision:
    """Add a decision to the log; it is a proof of each of `items`. Raises ValidationError."""
    now = timezone.now()
    items, evidence = list(items), list(evidence)
    _check(case, supersedes, [*items, *evidence])
    if decided_at and decided_at > now + timedelta(minutes=5):
        raise ValidationError({"decided_at": "A decision cannot lie in the future."})
    # The case row is the lock: numbers are without gaps.
    Case.objects.select_for_update().get(pk=case.pk)
    decision = Decision(
        case=case,
        number=Decision.objects.filter(case=case).count() + 1,
        what=clean(what).strip(),
        why=clean(why).strip(),
        alternatives=clean(alternatives).strip(),
        decided_by=clean(decided_by).strip() or actor.name,
        decided_at=decided_at or now,
        told=clean(told).strip(),
        supersedes=supersedes,
        written_by=actor,
    )
    decision.full_clean(exclude=["case", "written_by", "supersedes"])
    decision.save()
    decision.items.set(items)
    decision.evidence.set(evidence)
    for item in items:
        Proof.objects.create(item=item, decided=decision, added_by=actor)
    log.record(
        "decision.recorded",
        case=case,
        actor=actor,
        number=decision.label,
        title=decision.what,
        reason=decision.why[:500],
        decided_by=decision.decided_by,
        decided_at=decision.decided_at.isoformat(),
        supersedes=supersedes.label if supersedes else None,
        items=[item.key for item in items],
        exhibits=[item.exhibit for item in evidence],
    )
    return decision


def _check(case: Case, supersedes: Decision | None, linked: list[ChecklistItem | Evidence]) -> None:
    if any(thing.case_id != case.pk for thing in linked):
        raise ValidationError("What is linked must belong to the same case.")
    if supersedes is None:
        return
    if supersedes.case_id != case.pk:
        raise ValidationError({"supersedes": "That decision is of another case."})
    if Decision.objects.filter(supersedes=supersedes).exists():
        raise ValidationError({"supersedes": f"{supersedes.label} was superseded already. Supersede what stands now."})


def of_case(case: Case) -> QuerySet[Decision]:
    """All of them, newest first, with what they took the place of and what took theirs."""
    found: QuerySet[Decision] = Decision.objects.filter(case=case)
    return found.select_related("written_by", "supersedes", "superseded_by")


def standing(case: Case) -> QuerySet[Decision]:
    """Those that no later one has superseded."""
    found: QuerySet[Decision] = Decision.objects.filter(case=case, superseded_by=None)
    return found
