"""A second person's yes: asked for, given or refused, and checked again by the worker."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from ircase import access, jobs
from ircase.models import Approval, Case, CaseMember, CaseRole, Connection, NoticeCode, StandingApproval, User
from ircase.services import log, notices

LIFETIME = timedelta(hours=24)
STANDING_MAXIMUM = timedelta(days=90)
HEARD = timedelta(seconds=15)
"""How long the message of a decision may take to be heard."""
_told_by_others: set[str] = set()
_of_devices: set[str] = set()


def binding(**what: Any) -> str:
    """SHA-256 of what is asked: the same act gives the same digest, any change another."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


@transaction.atomic
def request(
    *,
    case: Case,
    actor: User,
    kind: str,
    subject: uuid.UUID,
    title: str,
    detail: dict[str, Any],
    digest: str,
    task: str,
    reason: str = "",
    lifetime: timedelta = LIFETIME,
) -> Approval:
    """Ask the leads of the case. `digest` is `binding(...)` of the act; the decision wakes `task` with `subject`."""
    approval = Approval.objects.create(
        case=case,
        kind=kind,
        subject=subject,
        title=title,
        detail=detail,
        binding=digest,
        task=task,
        reason=reason,
        requested_by=actor,
        expires_at=timezone.now() + lifetime,
    )
    log.record(
        "approval.requested", case=case, actor=actor, kind=kind, title=title, subject=str(subject), binding=digest
    )
    if kind not in _told_by_others:
        _tell_leads(approval)
    return approval


def deciders(case: Case, asker: User) -> list[str]:
    """Who could say yes to what `asker` asks for: nobody, where they alone lead the case."""
    return [lead.name for lead in notices.leads_of(case) if lead.pk != asker.pk]


def tells_itself(kind: str) -> None:
    """Whoever asks for approvals of `kind` tells people of them in better words than those here."""
    _told_by_others.add(kind)


def acts_on_devices(kind: str) -> None:
    """A yes to a question of `kind` has something done on a device or in the tenant."""
    _of_devices.add(kind)


def is_of_devices(approval: Approval) -> bool:
    return approval.kind in _of_devices


def _tell_leads(approval: Approval) -> None:
    notices.tell(
        code=NoticeCode.APPROVAL,
        people=[lead for lead in notices.leads_of(approval.case) if lead.pk != approval.requested_by_id],
        case=approval.case,
        subject=approval.uuid,
        title=f"{approval.requested_by.name} asks for your yes: {approval.title}",
        path=reverse("ircase:approval", args=[approval.uuid]),
        lines=[approval.reason[:500]] if approval.reason else [],
    )


def _tell_asker(approval: Approval, said: str) -> None:
    if approval.kind not in _told_by_others:
        notices.tell(
            code=NoticeCode.DECIDED,
            people=[approval.requested_by],
            case=approval.case,
            subject=notices.about(approval.uuid, "answer"),
            title=f"{said}: {approval.title}",
            path=reverse("ircase:approval", args=[approval.uuid]),
            lines=[approval.comment[:500]] if approval.comment else [],
        )


@transaction.atomic
def decide(*, approval: Approval, actor: User, approve: bool, comment: str = "") -> Approval:
    """Say yes or no. Only a lead of the case who did not ask. Raises PermissionDenied or ValidationError."""
    approval = Approval.objects.select_for_update().select_related("case", "requested_by").get(pk=approval.pk)
    if approval.requested_by_id == actor.pk:
        raise PermissionDenied("You asked for this yourself: another lead of the case has to decide.")
    if not access.still_may(actor, approval.case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can decide this.")
    if approval.state != Approval.State.REQUESTED or approval.expires_at <= timezone.now():
        raise ValidationError(f"This request is {approval.get_state_display().lower()} or past its time; ask again.")
    if not approve and not comment.strip():
        raise ValidationError("Say why not: who asked reads it.")
    approval.state = Approval.State.APPROVED if approve else Approval.State.REJECTED
    approval.decided_by, approval.decided_at, approval.comment = actor, timezone.now(), comment
    approval.save(update_fields=["state", "decided_by", "decided_at", "comment"])
    log.record(
        f"approval.{approval.state}",
        case=approval.case,
        actor=actor,
        title=approval.title,
        subject=str(approval.subject),
        comment=comment,
    )
    _tell_asker(approval, f"{actor.name} has {'approved' if approve else 'refused'}")
    if approval.task:
        jobs.enqueue(approval.task, str(approval.subject))
    return approval


@transaction.atomic
def withdraw(*, approval: Approval, actor: User) -> None:
    """Take the question back; nothing happens if it was decided."""
    changed = Approval.objects.filter(pk=approval.pk, state=Approval.State.REQUESTED).update(
        state=Approval.State.WITHDRAWN
    )
    if changed:
        log.record("approval.withdrawn", case=approval.case, actor=actor, title=approval.title)


def find_valid(subject: uuid.UUID, digest: str) -> Approval | None:
    """The yes that covers exactly this act now: right digest, not expired, given by somebody who is still a lead."""
    candidates = Approval.objects.select_related("case", "decided_by").filter(
        subject=subject, binding=digest, state=Approval.State.APPROVED, expires_at__gt=timezone.now()
    )
    return next((a for a in candidates if a.decided_by and access.still_may(a.decided_by, a.case, access.LEAD)), None)


def expire_old() -> list[Approval]:
    """Mark requests whose time is over, and return them."""
    old = list(
        Approval.objects.filter(state=Approval.State.REQUESTED, expires_at__lte=timezone.now()).select_related(
            "case", "requested_by"
        )
    )
    for approval in old:
        with transaction.atomic():
            if Approval.objects.filter(pk=approval.pk, state=Approval.State.REQUESTED).update(
                state=Approval.State.EXPIRED
            ):
                log.record("approval.expired", case=approval.case, title=approval.title, subject=str(approval.subject))
                _tell_asker(approval, "Nobody answered in time")
                if approval.task:
                    jobs.enqueue(approval.task, str(approval.subject))
    return old


def unheard(subjects: Iterable[uuid.UUID]) -> list[Approval]:
    """The decided requests for these subjects, which still wait: the message that should have told them was lost. One
    that was decided just now may still be on its way."""
    old = Q(decided_at=None) | Q(decided_at__lte=timezone.now() - HEARD)
    decided = Approval.objects.exclude(state=Approval.State.REQUESTED).exclude(task="")
    return list(decided.filter(old, subject__in=list(subjects)))


@transaction.atomic
def grant_standing(
    *, case: Case, actor: User, connection: Connection, script_name: str, script_sha256: str, reason: str, days: int
) -> StandingApproval:
    """A lead's yes in advance to one script hash on one connection."""
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead can give a standing approval.")
    if not 0 < days <= STANDING_MAXIMUM.days:
        raise ValidationError(f"A standing approval lasts 1 to {STANDING_MAXIMUM.days} days.")
    standing = StandingApproval.objects.create(
        connection=connection,
        script_name=script_name,
        script_sha256=script_sha256.lower(),
        reason=reason,
        granted_by=actor,
        expires_at=timezone.now() + timedelta(days=days),
    )
    log.record(
        "approval.standing_granted",
        case=case,
        actor=actor,
        script=script_name,
        sha256=script_sha256,
        days=days,
        reason=reason,
    )
    return standing


def standing_now() -> QuerySet[StandingApproval]:
    """Those in force: neither revoked nor run out, and whoever gave them still leads a case on the connection."""
    leads = CaseMember.objects.filter(
        user=OuterRef("granted_by"), role=CaseRole.LEAD, case__connection=OuterRef("connection")
    )
    rows = StandingApproval.objects.filter(Exists(leads), revoked_at=None, expires_at__gt=timezone.now())
    return rows.filter(granted_by__is_active=True).select_related("granted_by")


def find_standing(connection: Connection, script_sha256: str, asker: User | None = None) -> StandingApproval | None:
    """One that covers this hash now. What `asker` has granted does not: nobody approves their own request."""
    rows = standing_now().filter(connection=connection, script_sha256=script_sha256.lower())
    return (rows.exclude(granted_by=asker) if asker else rows).first()


@transaction.atomic
def revoke_standing(*, case: Case, actor: User, standing: StandingApproval) -> None:
    """End a standing approval now; what already runs is not stopped by it."""
    if StandingApproval.objects.filter(pk=standing.pk, revoked_at=None).update(revoked_at=timezone.now()):
        log.record("approval.standing_revoked", case=case, actor=actor, script=standing.script_name)
