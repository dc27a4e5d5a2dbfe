"""Destroying evidence: asked for by a lead, approved by another, certified. Rows stay; bytes and tables go."""

import uuid as uuids
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ircase import access, jobs
from ircase.models import (
    FINAL_STATES,
    Approval,
    Case,
    Destruction,
    DestructionState,
    Evidence,
    LegalHold,
    User,
)
from ircase.services import approvals, log
from ircase.wording import counted

KIND: Final = "evidence.destroy"
LIFETIME: Final = timedelta(days=14)
MOST: Final = 500


@dataclass(frozen=True)
class Copies:
    """Where an app above keeps rows of exhibits. `outside` says, a sentence each, what stands on another system, where
    somebody has to take it away first; `forget` removes the files here that were made of one exhibit."""

    outside: Callable[[Case, Collection[Evidence]], list[str]]
    forget: Callable[[Evidence], None]


_copies: dict[str, Copies] = {}


def register(name: str, copies: Copies) -> None:
    """They are asked about before every destruction, and go with it."""
    _copies[name] = copies


def forget_copies(item: Evidence) -> None:
    """Nothing that was made of a destroyed exhibit's rows stays in files of ours."""
    for copies in _copies.values():
        copies.forget(item)


def obstacles(case: Case, exhibits: Collection[Evidence]) -> list[str]:
    """Why these may not be destroyed now: a sentence each; none where they may."""
    found = [f"{item.exhibit} was destroyed already." for item in exhibits if item.is_destroyed]
    holds = LegalHold.objects.filter(case=case, lifted_at=None).select_related("evidence")
    holds = holds.filter(Q(evidence=None) | Q(evidence__in=[item.pk for item in exhibits]))
    found += [f"There is a legal hold on {hold.subject}, since {hold.placed_at:%Y-%m-%d}." for hold in holds]
    now = timezone.now()
    found += [
        f"The store's object lock keeps {item.exhibit} until {item.locked_until:%Y-%m-%d %H:%M} UTC."
        for item in exhibits
        if item.locked_until and item.locked_until > now
    ]
    certificates = Destruction.objects.filter(sealed__in=[item.pk for item in exhibits]).select_related("sealed")
    found += [f"{row.sealed.exhibit} is a certificate of destruction." for row in certificates if row.sealed]
    for copies in _copies.values():
        found += copies.outside(case, exhibits)
    return found


@transaction.atomic
def request(*, case: Case, actor: User, exhibits: Collection[Evidence], why: str) -> Destruction:
    """Ask another lead to let these be destroyed. Raises PermissionDenied, ValidationError."""
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can ask for destruction.")
    Case.objects.select_for_update().get(pk=case.pk)
    _check(case, exhibits, why)
    row = Destruction.objects.create(case=case, why=why.strip(), requested_by=actor)
    row.exhibits.set(exhibits)
    approvals.request(
        case=case,
        actor=actor,
        kind=KIND,
        subject=row.uuid,
        title=f"Destroy {counted(len(exhibits), 'exhibit')} for good",
        detail={item.exhibit: f"{item.name}, SHA-256 {item.sha256}" for item in exhibits},
        digest=approvals.binding(**row.facts()),
        task="ircase.destruction_decided",
        reason=row.why,
        lifetime=LIFETIME,
    )
    names = ", ".join(item.exhibit for item in exhibits)
    log.record("destruction.requested", case=case, actor=actor, exhibits=names, reason=row.why, subject=str(row.uuid))
    return row


def _check(case: Case, exhibits: Collection[Evidence], why: str) -> None:
    if not exhibits or len(exhibits) > MOST:
        raise ValidationError(f"Choose 1 to {MOST} exhibits.")
    if any(item.case_id != case.pk for item in exhibits):
        raise ValidationError("An exhibit is of another case.")
    if len(why.strip()) < 10:
        raise ValidationError("Say why, in a sentence: it stands in the certificate.")
    if found := obstacles(case, exhibits):
        raise ValidationError(found)
    asked = Destruction.objects.exclude(state__in=FINAL_STATES).filter(exhibits__in=[item.pk for item in exhibits])
    if asked.exists():
        raise ValidationError("Destruction of some of these was asked for already.")


def approval_of(row: Destruction) -> Approval | None:
    """The newest question about it."""
    return (
        Approval.objects.filter(subject=row.uuid, kind=KIND)
        .select_related("requested_by", "decided_by")
        .order_by("-pk")
        .first()
    )


def decided(subject: uuids.UUID) -> None:
    """A second person has decided, or nobody did in time. Harmless twice."""
    row = Destruction.objects.select_related("case").filter(uuid=subject, state=DestructionState.REQUESTED).first()
    approval = approval_of(row) if row else None
    if row is None or approval is None or approval.state == Approval.State.REQUESTED:
        return
    with transaction.atomic():
        mine = Destruction.objects.filter(pk=row.pk, state=DestructionState.REQUESTED)
        if approvals.find_valid(subject, approvals.binding(**row.facts())) is not None:
            if mine.update(state=DestructionState.QUEUED, queued_at=timezone.now()):
                jobs.enqueue("ircase.destroy", row.pk)
            return
        why = approval.comment or approval.get_state_display()
        if mine.update(state=DestructionState.CANCELLED, reason=f"Not approved: {why}", finished_at=timezone.now()):
            log.record("destruction.refused", case=row.case, subject=str(row.uuid), reason=why)


def tidy() -> None:
    """Beat's tick: decisions whose message was lost, and work that a dead worker left."""
    asked = Destruction.objects.filter(state=DestructionState.REQUESTED).values_list("uuid", flat=True)
    answered = Approval.objects.filter(subject__in=list(asked)).exclude(state=Approval.State.REQUESTED)
    for subject in answered.values_list("subject", flat=True):
        decided(subject)
    for row in Destruction.objects.silent():
        # Never given up: once begun it is carried through, by whichever worker lives.
        Destruction.objects.hand_back(row.pk, row.owner, reason="The worker stopped answering; queued again.")
    for pk in Destruction.objects.due().values_list("pk", flat=True):
        jobs.send("ircase.destroy", pk)


def is_certified(item: Evidence) -> bool:
    """Whether custody tells of its destruction, and a certificate was written, or is being."""
    told = item.custody.filter(action="destroyed").first()
    try:
        named = uuids.UUID(str(told.detail.get("destruction"))) if told else None
    except ValueError:
        named = None
    return named is not None and Destruction.objects.filter(uuid=named, exhibits=item).exists()
