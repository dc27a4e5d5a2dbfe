"""Legal holds: placed by a lead at once, lifted only with a second person's yes."""

import uuid as uuids

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from ircase import access
from ircase.models import Approval, Case, Evidence, LegalHold, User
from ircase.services import approvals, log

KIND = "evidence.lift_hold"


def standing(case: Case) -> QuerySet[LegalHold]:
    """The holds that stand, newest first."""
    return LegalHold.objects.filter(case=case, lifted_at=None).select_related("evidence", "placed_by")


def keeping() -> Subquery:
    """To annotate an exhibit with: the reason of a hold that keeps it, its own or the case's; None without one."""
    own = LegalHold.objects.filter(Q(evidence=OuterRef("pk")) | Q(evidence=None), case=OuterRef("case"), lifted_at=None)
    return Subquery(own.values("reason")[:1])


@transaction.atomic
def place(*, case: Case, actor: User, reason: str, evidence: Evidence | None = None) -> LegalHold:
    """Nothing of it is destroyed from now on. Raises PermissionDenied, ValidationError."""
    _require_lead(case, actor)
    # The case row is the lock: of a hold and a destruction that begins at the same moment one is first.
    Case.objects.select_for_update().get(pk=case.pk)
    if evidence is not None and evidence.case_id != case.pk:
        raise ValidationError("The exhibit is of another case.")
    if evidence is not None and Evidence.objects.filter(pk=evidence.pk).exclude(destroyed_at=None).exists():
        raise ValidationError(f"{evidence.exhibit} was destroyed already: a hold on it would keep nothing.")
    if not reason.strip():
        raise ValidationError("Say why: the matter, the order, or who asked for it.")
    if LegalHold.objects.filter(case=case, evidence=evidence, lifted_at=None).exists():
        raise ValidationError("There is a hold on this already.")
    hold = LegalHold.objects.create(case=case, evidence=evidence, reason=reason.strip(), placed_by=actor)
    log.record("hold.placed", case=case, actor=actor, on=hold.subject, reason=hold.reason, hold=str(hold.uuid))
    if evidence is not None:
        log.record_custody(evidence, "held", actor=actor, reason=hold.reason)
    return hold


@transaction.atomic
def ask_to_lift(*, hold: LegalHold, actor: User, reason: str) -> Approval:
    """Ask another lead. Raises PermissionDenied, ValidationError."""
    _require_lead(hold.case, actor)
    hold = LegalHold.objects.select_for_update(of=("self",)).select_related("case", "evidence").get(pk=hold.pk)
    if hold.lifted_at is not None:
        raise ValidationError("The hold was lifted already.")
    if not reason.strip():
        raise ValidationError("Say why it may be lifted.")
    if waiting(hold) is not None:
        raise ValidationError("Somebody has asked for this already; another lead has to decide.")
    LegalHold.objects.filter(pk=hold.pk).update(lift_reason=reason.strip())
    return approvals.request(
        case=hold.case,
        actor=actor,
        kind=KIND,
        subject=hold.uuid,
        title=f"Lift the legal hold on {hold.subject}",
        detail={"Hold": hold.reason, "Placed by": hold.placed_by.name, "Why lift it": reason.strip()},
        digest=_binding(hold),
        task="ircase.hold_decided",
        reason=reason.strip(),
    )


def waiting(hold: LegalHold) -> Approval | None:
    """The question that waits for an answer."""
    return Approval.objects.filter(
        subject=hold.uuid, state=Approval.State.REQUESTED, expires_at__gt=timezone.now()
    ).first()


def decided(subject: uuids.UUID) -> None:
    """Another lead has decided: lift it where the yes covers exactly this. Harmless twice."""
    with transaction.atomic():
        hold = (
            LegalHold.objects.select_for_update(of=("self",))
            .select_related("case", "evidence")
            .filter(uuid=subject, lifted_at=None)
            .first()
        )
        if hold is None:
            return
        approval = approvals.find_valid(subject, _binding(hold))
        if approval is None or approval.decided_by is None:
            return
        hold.lifted_at, hold.lifted_by, hold.lift_reason = timezone.now(), approval.decided_by, approval.reason
        hold.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
        detail = {"on": hold.subject, "reason": approval.reason, "asked_by": approval.requested_by.name}
        log.record("hold.lifted", case=hold.case, actor=approval.decided_by, hold=str(hold.uuid), **detail)
        if hold.evidence is not None:
            log.record_custody(hold.evidence, "hold_lifted", actor=approval.decided_by, reason=approval.reason)


def _binding(hold: LegalHold) -> str:
    return approvals.binding(lift_hold=hold.uuid, case=hold.case.uuid, on=hold.subject, reason=hold.reason)


def _require_lead(case: Case, actor: User) -> None:
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can place or lift a legal hold.")
