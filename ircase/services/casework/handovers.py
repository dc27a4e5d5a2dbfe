"""Handing a case over: what it holds at this moment is frozen, the receiver confirms, and the record is sealed."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.clocks import windows
from ircase.models import (
    Activity,
    Approval,
    Case,
    CaseMember,
    CaseRole,
    ChecklistItem,
    Clock,
    Evidence,
    HandOver,
    LogEntry,
    NoticeCode,
    Phase,
    User,
)
from ircase.services import cases, evidence, log, notices
from ircase.services.analysis.findings import clean
from ircase.services.phases import checklist

MOST: Final = 200
MOST_CHANGES: Final = 100
_ENDED = ("done", "failed", "cancelled", "partial", "expired", "refused")


def of_case(case: Case) -> QuerySet[HandOver]:
    return HandOver.objects.filter(case=case).select_related("giver", "receiver", "evidence").defer("snapshot")


def waiting_for(user: User) -> QuerySet[HandOver]:
    """Offered to the person, on cases that they may see."""
    visible = Case.objects.visible_to(user).values("pk")
    found = HandOver.objects.filter(receiver=user, state=HandOver.State.OFFERED, case__in=visible)
    return found.select_related("case", "giver").defer("snapshot")


def receivers(case: Case, giver: User) -> QuerySet[User]:
    """Who could take the case on: members who write on it."""
    roles = [CaseRole.ANALYST, CaseRole.LEAD]
    found = User.objects.filter(is_active=True, memberships__case=case, memberships__role__in=roles)
    return found.exclude(pk=giver.pk).order_by("first_name", "last_name", "username")


def last_act(case: Case, person: User) -> datetime:
    """When the person last did something on the case; else when they joined it; else when it was opened."""
    acted = LogEntry.objects.filter(case=case, actor=person).order_by("-at").values_list("at", flat=True).first()
    joined = CaseMember.objects.filter(case=case, user=person).values_list("added_at", flat=True).first()
    return acted or joined or case.opened_at


def snapshot(case: Case, receiver: User, now: datetime) -> dict[str, Any]:
    """What the case holds now, as plain JSON; every list is bounded and says where it was cut."""
    since = last_act(case, receiver)
    return {
        "case": {
            "reference": case.reference,
            "title": case.title,
            "severity": case.get_severity_display(),
            "tlp": case.get_tlp_display(),
            "phase": case.get_phase_display(),
            "classification": case.get_classification_display(),
            "opened_at": _at(case.opened_at),
            "summary": case.summary[:20_000],
        },
        "at": _at(now),
        "people": [
            {"name": member.user.name, "role": CaseRole(member.role).label, "duty": member.duty}
            for member in case.members.select_related("user").order_by("added_at", "pk")[:MOST]
        ],
        "milestones": [
            {"name": one.get_kind_display(), "at": _at(one.at), "note": one.note} for one in case.milestones.all()
        ],
        "clocks": _clocks(case),
        "items": _items(case),
        "running": _running(case),
        "approvals": _approvals(case, now),
        "since": _at(since),
        "changes": _changes(case, since),
    }


def _clocks(case: Case) -> list[dict[str, Any]]:
    running = Clock.objects.filter(case=case).running().ends_next()
    rows = [{"title": c.title, "due_at": _at(c.due_at), "deliver": c.deliver} for c in running[:MOST]]
    rows += [{"title": w.title, "due_at": _at(w.due_at), "deliver": w.text} for w in windows.of_cases([case])]
    return sorted(rows, key=lambda row: row["due_at"])


def _items(case: Case) -> list[dict[str, Any]]:
    found = ChecklistItem.objects.filter(case=case, state__in=ChecklistItem.LIVE).exclude(phase=Phase.PREPARATION)
    return [
        {
            "title": item.title,
            "phase": item.get_phase_display(),
            "required": item.required,
            "owner": item.owner.name if item.owner else "",
            "due_at": _at(item.due_at),
        }
        for item in found.select_related("owner")[:MOST]
    ]


def _running(case: Case) -> list[dict[str, Any]]:
    found = Activity.objects.filter(case=case).exclude(state__in=_ENDED).select_related("requested_by").defer("detail")
    return [
        {"title": one.title, "kind": one.get_kind_display(), "state": one.state, "by": one.requested_by.name,
         "since": _at(one.requested_at)}
        for one in found[:MOST]
    ]  # fmt: skip


def _approvals(case: Case, now: datetime) -> list[dict[str, Any]]:
    found = Approval.objects.filter(case=case, state=Approval.State.REQUESTED, expires_at__gt=now)
    return [
        {"title": one.title, "by": one.requested_by.name, "ends": _at(one.expires_at)}
        for one in found.select_related("requested_by")[:MOST]
    ]


def _changes(case: Case, since: datetime) -> list[dict[str, Any]]:
    """The log since then, newest first, as codes with their detail: the page says them in words."""
    found = LogEntry.objects.filter(case=case, at__gt=since).order_by("-sequence")[:MOST_CHANGES]
    return [
        {"sequence": e.sequence, "at": _at(e.at), "by": e.actor_name, "action": e.action, "detail": e.detail}
        for e in found
    ]


def _at(value: datetime | None) -> str:
    return value.isoformat(timespec="seconds") if value else ""


@transaction.atomic
def offer(
    *,
    case: Case,
    actor: User,
    receiver: User,
    situation: str,
    next_steps: str,
    moves_lead: bool = False,
    moves_items: bool = False,
) -> HandOver:
    """Offer the case to `receiver`, who is told. Raises PermissionDenied, ValidationError."""
    if not receivers(case, actor).filter(pk=receiver.pk).exists():
        raise ValidationError({"receiver": "They have to be on the case as analyst or lead. A lead adds them first."})
    if not situation.strip() or not next_steps.strip():
        raise ValidationError("Write where things stand and what comes next: nobody else knows it.")
    if moves_lead and not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead can hand over the lead.")
    # The case's row is the lock: whoever presses twice offers once.
    Case.objects.select_for_update().get(pk=case.pk)
    if HandOver.objects.filter(case=case, giver=actor, state=HandOver.State.OFFERED).exists():
        raise ValidationError("A hand-over of yours waits already. Take it back before you offer another.")
    taken = snapshot(case, receiver, timezone.now())
    handover = HandOver.objects.create(
        case=case,
        giver=actor,
        receiver=receiver,
        situation=clean(situation).strip(),
        next_steps=clean(next_steps).strip(),
        moves_lead=moves_lead,
        moves_items=moves_items,
        snapshot=taken,
        snapshot_sha256=hashlib.sha256(_bytes(taken)).hexdigest(),
    )
    log.record(
        "handover.offered",
        case=case,
        actor=actor,
        receiver=receiver.name,
        handover=str(handover.uuid),
        snapshot_sha256=handover.snapshot_sha256,
        moves_lead=moves_lead,
        moves_items=moves_items,
    )
    notices.tell(
        code=NoticeCode.ASSIGNMENT,
        people=[receiver],
        case=case,
        subject=handover.uuid,
        title=f"{actor.name} hands {case.reference} over to you",
        path=reverse("ircase:handover", args=[case.reference, handover.uuid]),
    )
    return handover


def _bytes(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace")


def confirm(*, handover: HandOver, actor: User, words: str = "") -> HandOver:
    """The receiver takes the case on: what was ticked moves, and the record becomes an exhibit. Raises
    PermissionDenied, ValidationError."""
    _require_receiver(handover, actor)
    now = timezone.now()
    record = _record(handover, words, now)
    # File first, row second (docs/evidence.md).
    try:
        stored = evidence.put(iter([_bytes(record)]))
    except evidence.StoreError as error:
        raise ValidationError(f"The record could not be kept, so nothing was handed over: {error}") from error
    with transaction.atomic():
        locked = _offered(handover)
        locked.moved = " ".join(_move(locked))
        locked.evidence = evidence.seal(
            case=locked.case,
            stored=stored,
            kind=Evidence.Kind.HANDOVER,
            name=f"hand-over_{now:%Y%m%d-%H%M}.json",
            manifest={"handover": str(locked.uuid), "snapshot_sha256": locked.snapshot_sha256},
            actor=actor,
            media_type="application/json",
            beyond_quota=True,
            description=f"{locked.giver.name} handed the case over to {locked.receiver.name}",
        )
        _answer(locked, actor, HandOver.State.CONFIRMED, words, now, exhibit=locked.evidence.exhibit)
    return locked


def _record(handover: HandOver, words: str, now: datetime) -> dict[str, Any]:
    return {
        "handover": str(handover.uuid),
        "giver": handover.giver.name,
        "receiver": handover.receiver.name,
        "offered_at": _at(handover.offered_at),
        "confirmed_at": _at(now),
        "situation": handover.situation,
        "next_steps": handover.next_steps,
        "receiver_wrote": words,
        "lead_asked_to_move": handover.moves_lead,
        "items_asked_to_move": handover.moves_items,
        "snapshot": handover.snapshot,
        "snapshot_sha256": handover.snapshot_sha256,
    }


def _move(handover: HandOver) -> list[str]:
    """What goes over with it, each in a sentence."""
    case, giver, receiver, said = handover.case, handover.giver, handover.receiver, []
    if handover.moves_lead and access.still_may(giver, case, access.LEAD):
        cases.set_member(case=case, actor=giver, user=receiver, role=CaseRole.LEAD)
        cases.set_member(case=case, actor=giver, user=giver, role=CaseRole.ANALYST)
        said.append(f"{receiver.name} leads the case.")
    elif handover.moves_lead:
        said.append(f"{giver.name} did not lead the case any more, so the lead stayed where it was.")
    if handover.moves_items:
        mine = ChecklistItem.objects.filter(case=case, owner=giver, state__in=ChecklistItem.LIVE)
        moved = [checklist.plan_item(item=i, actor=giver, owner=receiver, due_at=i.due_at) for i in mine]
        said.append(f"{len(moved)} open item{'' if len(moved) == 1 else 's'} went to {receiver.name}.")
    return said


@transaction.atomic
def refuse(*, handover: HandOver, actor: User, words: str) -> HandOver:
    """The receiver does not take it, and says why. Raises PermissionDenied, ValidationError."""
    _require_receiver(handover, actor)
    if not words.strip():
        raise ValidationError("Say why you cannot take it: the giver reads it.")
    locked = _offered(handover)
    return _answer(locked, actor, HandOver.State.REFUSED, words, timezone.now())


@transaction.atomic
def withdraw(*, handover: HandOver, actor: User) -> HandOver:
    """The giver takes the offer back. Raises PermissionDenied, ValidationError."""
    if handover.giver_id != actor.pk:
        raise PermissionDenied("Only who offered it can take it back.")
    return _answer(_offered(handover), actor, HandOver.State.WITHDRAWN, "", timezone.now())


def _offered(handover: HandOver) -> HandOver:
    beside = ("case", "giver", "receiver")
    locked = HandOver.objects.select_for_update(of=("self",)).select_related(*beside).get(pk=handover.pk)
    if locked.state != HandOver.State.OFFERED:
        raise ValidationError(f"This hand-over is {locked.get_state_display().lower()} already.")
    if not locked.case.is_open:
        raise ValidationError("The case is closed.")
    return locked


def _require_receiver(handover: HandOver, actor: User) -> None:
    if handover.receiver_id != actor.pk:
        raise PermissionDenied("Only the person it was offered to can answer.")
    if not access.still_may(actor, handover.case, access.ANALYST):
        raise PermissionDenied("You no longer write on this case. Ask a lead to add you again.")


def _answer(row: HandOver, actor: User, state: HandOver.State, words: str, now: datetime, **detail: Any) -> HandOver:
    row.state, row.answer, row.answered_at = state, clean(words).strip(), now
    row.save(update_fields=["state", "answer", "answered_at", "moved", "evidence"])
    other = row.receiver if actor.pk == row.giver_id else row.giver
    log.record(
        f"handover.{state.value}", case=row.case, actor=actor, receiver=row.receiver.name, giver=row.giver.name,
        handover=str(row.uuid), comment=row.answer, result=row.moved, **detail,
    )  # fmt: skip
    notices.tell(
        code=NoticeCode.DECIDED if actor.pk == row.receiver_id else NoticeCode.ASSIGNMENT,
        people=[other],
        case=row.case,
        subject=notices.about(row.uuid, state.value),
        title=f"The hand-over of {row.case.reference} was {state.label.lower()} by {actor.name}",
        path=reverse("ircase:handover", args=[row.case.reference, row.uuid]),
    )
    return row


def answerable(handover: HandOver, user: User) -> bool:
    return handover.state == HandOver.State.OFFERED and handover.receiver_id == user.pk and handover.case.is_open
