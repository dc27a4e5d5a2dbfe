"""Opening, moving and closing cases; who is on them; their milestones and notes."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import catalogue, shelf
from ircase.models import (
    Case,
    CaseMember,
    CaseRole,
    CaseSequence,
    ChecklistItem,
    Connection,
    Milestone,
    Phase,
    PhaseEntry,
    PreparationItem,
    User,
)
from ircase.models.exercises import stays_exercise
from ircase.search import index
from ircase.services import log
from ircase.services.identity import teams
from ircase.services.phases import checklist, clocks, gate, itemstates, servicelevels
from ircase.services.telling import moving

EDITABLE = (
    "title",
    "description",
    "summary",
    "lessons",
    "severity",
    "tlp",
    "classification",
    "determination",
    "exercise",
)


@transaction.atomic
def open_case(
    *,
    actor: User,
    title: str,
    playbook: str = "",
    severity: str = "medium",
    tlp: str = "amber",
    description: str = "",
    confidential: bool = False,
    exercise: bool = False,
    connection: Connection | None = None,
    incident_id: str = "",
    incident_url: str = "",
    occurred: datetime | None = None,
    detected: datetime | None = None,
) -> Case:
    """A new case in Detection and Analysis, led by `actor`, with the playbook's checklist and preparation."""
    plan = _plan(playbook)
    now = timezone.now()
    case = Case(
        reference=_confidential_reference(now) if confidential else _next_reference(now),
        title=title,
        description=description,
        severity=severity,
        tlp=tlp,
        confidential=confidential,
        exercise=exercise,
        playbook=plan.id if plan else "",
        playbook_version=plan.version if plan else 0,
        connection=connection,
        incident_id=incident_id,
        incident_url=incident_url,
        opened_at=now,
        opened_by=actor,
    )
    case.full_clean()
    case.save()
    CaseMember.objects.create(case=case, user=actor, role=CaseRole.LEAD)
    PhaseEntry.objects.create(case=case, phase=case.phase, entered_at=now, moved_by=actor, reason="Case opened")
    log.record("case.opened", case=case, actor=actor, title=title, severity=severity, playbook=case.playbook)
    if occurred:
        set_milestone(case=case, actor=actor, kind=Milestone.Kind.OCCURRED, at=occurred)
    set_milestone(case=case, actor=actor, kind=Milestone.Kind.DETECTED, at=detected or now)
    # Whoever opens a case by hand has taken it on: that is the first assignment.
    set_milestone(case=case, actor=actor, kind=Milestone.Kind.ACKNOWLEDGED, at=now)
    _snapshot_preparation(case)
    if plan:
        checklist.create_from(case=case, playbook=plan)
    return case


def _plan(playbook: str) -> catalogue.Playbook | None:
    plan = shelf.playbook(playbook)
    if playbook and plan is None:
        raise ValidationError(f"There is no playbook {playbook[:64]!r} that may be used.")
    return plan


def _next_reference(now: datetime) -> str:
    CaseSequence.objects.get_or_create(year=now.year)
    row = CaseSequence.objects.select_for_update().get(year=now.year)
    row.last += 1
    row.save(update_fields=["last"])
    return f"IR-{now.year}-{row.last:04d}"


def _confidential_reference(now: datetime) -> str:
    """Outside the numbered series, so that no gap betrays the case."""
    letters = base64.b32encode(secrets.token_bytes(5)).decode()[:6]
    return f"IR-{now.year}-X{letters}"


def _snapshot_preparation(case: Case) -> None:
    """What was done long ago and is due for review again counts as open."""
    made = ChecklistItem.objects.bulk_create(
        ChecklistItem(
            case=case,
            key=f"prep_{item.key}"[:64],
            position=item.position,
            phase=Phase.PREPARATION,
            title=item.title,
            r2_step="",
            csf_outcome=item.csf_outcome,
            owner=item.owner,
            due_at=item.due_at,
            state=ChecklistItem.State.DONE if item.standing(case.opened_at) == "done" else ChecklistItem.State.OPEN,
            result=item.result,
            ended_at=item.done_at,
        )
        for item in PreparationItem.objects.all()
    )
    index.write_many("item", made)


@transaction.atomic
def connect(*, case: Case, actor: User, connection: Connection) -> Case:
    """Say which tenant the case is about. Once only: what was hunted and collected belongs to one tenant."""
    row = Case.objects.select_for_update().get(pk=case.pk)
    if row.connection_id:
        raise ValidationError("The case has its connection already. Open another case for another tenant.")
    if not connection.enabled:
        raise ValidationError(f"The connection {connection.name} is switched off.")
    row.connection = connection
    row.save(update_fields=["connection", "updated_at"])
    log.record("case.connected", case=row, actor=actor, name=connection.name, tenant=connection.tenant_id)
    return row


@transaction.atomic
def edit_case(*, case: Case, actor: User, **changes: object) -> Case:
    """Change any of EDITABLE. Only what differs is written and logged, long texts by their length."""
    before = {name: getattr(case, name) for name in changes}
    unknown = set(changes) - set(EDITABLE)
    if unknown:
        raise ValidationError(f"These cannot be edited: {', '.join(sorted(unknown))}.")
    changed = {name: value for name, value in changes.items() if before[name] != value}
    if changed.get("exercise") is False and stays_exercise(case):
        raise ValidationError({"exercise": "A scenario is played on this case: it stays an exercise."})
    for name, value in changed.items():
        setattr(case, name, value)
    case.full_clean()
    if changed:
        case.save(update_fields=[*changed, "updated_at"])
        log.record(
            "case.edited",
            case=case,
            actor=actor,
            changes={k: [_short(before[k]), _short(v)] for k, v in changed.items()},
        )
    if "severity" in changed and case.is_open:
        servicelevels.severity_changed(case=case, actor=actor)
    return case


def _short(value: object) -> object:
    return f"{len(value)} characters" if isinstance(value, str) and len(value) > 200 else value


@transaction.atomic
def set_confidential(*, case: Case, actor: User, confidential: bool, reason: str) -> Case:
    case.confidential = confidential
    case.save(update_fields=["confidential", "updated_at"])
    log.record("case.confidentiality", case=case, actor=actor, confidential=confidential, reason=reason)
    return case


@transaction.atomic
def move_phase(*, case: Case, actor: User, phase: str, reason: str, despite: str = "") -> PhaseEntry:
    """Move to `phase`, either way, with a reason. Required items that are open hold the way forward: `despite` says why
    it is gone all the same; the log and the report keep it with their names."""
    case = Case.objects.select_for_update().get(pk=case.pk)
    if case.phase == phase:
        raise ValidationError(f"The case is in {Phase(phase).label} already.")
    if not case.is_open:
        raise ValidationError("The case is closed. Reopen it first.")
    if not reason.strip():
        raise ValidationError("Say why the phase changes; the log and the report show it.")
    held = gate.held_by(case, phase)
    if held and not despite.strip():
        raise ValidationError(_gate_words(held), code="gate")
    now = timezone.now()
    PhaseEntry.objects.filter(case=case, left_at=None).update(left_at=now)
    entry = PhaseEntry.objects.create(
        case=case,
        phase=phase,
        entered_at=now,
        moved_by=actor,
        reason=reason,
        passed_open=[one.item.title for one in held],
        despite=despite.strip() if held else "",
    )
    left, case.phase = case.phase, phase
    case.save(update_fields=["phase", "updated_at"])
    log.record(
        "case.phase_moved",
        case=case,
        actor=actor,
        phase=phase,
        left=left,
        reason=reason,
        required_left_open=[one.item.key for one in held],
        **({"despite": entry.despite} if held else {}),
    )
    moving.moved(case=case, actor=actor, title=f"{case.reference} is now in {Phase(phase).label}", why=reason)
    return entry


def _gate_words(held: list[gate.Held]) -> str:
    names = "; ".join(one.item.title for one in held[:5]) + (" and others" if len(held) > 5 else "")
    number = "1 required item is" if len(held) == 1 else f"{len(held)} required items are"
    return f"{number} not done: {names}. Finish or skip them, or say why the case goes on all the same."


@transaction.atomic
def close_case(*, case: Case, actor: User, reason: str, approved_by: str = "", passed_over: Sequence[str] = ()) -> Case:
    """Close. Needs a classification; what required work is left open is logged with the reason. Whether a second person
    has to look first is asked in `services.closing`, the door that people use."""
    case = Case.objects.select_for_update().get(pk=case.pk)
    if not case.is_open:
        raise ValidationError("The case is closed already.")
    if case.classification == "unknown":
        raise ValidationError("Set the classification before closing: it is what the metrics and Defender are told.")
    waiting = checklist.open_required(case)
    if waiting and not reason.strip():
        raise ValidationError(
            f"{len(waiting)} required items are open. Finish or skip them, or say why the case closes anyway."
        )
    case.closed_at = timezone.now()
    case.save(update_fields=["closed_at", "updated_at"])
    # The clock of the phase stops here, and goes on where the case is opened again.
    PhaseEntry.objects.filter(case=case, left_at=None).update(left_at=case.closed_at)
    set_milestone(case=case, actor=actor, kind=Milestone.Kind.CLOSED, at=case.closed_at)
    log.record(
        "case.closed",
        case=case,
        actor=actor,
        reason=reason,
        required_left_open=[item.key for item in waiting],
        approved_by=approved_by or None,
        passed_over=list(passed_over),
    )
    moving.moved(case=case, actor=actor, title=f"{case.reference} is closed", why=reason)
    return case


@transaction.atomic
def reopen_case(*, case: Case, actor: User, reason: str) -> Case:
    # The row is the lock: of two leads who press at once one opens it.
    case = Case.objects.select_for_update().get(pk=case.pk)
    if case.is_open:
        raise ValidationError("The case is open.")
    if not reason.strip():
        raise ValidationError("Say why the case is opened again.")
    case.closed_at = None
    case.save(update_fields=["closed_at", "updated_at"])
    PhaseEntry.objects.create(case=case, phase=case.phase, moved_by=actor, reason=f"Opened again: {reason.strip()}")
    Milestone.objects.filter(case=case, kind=Milestone.Kind.CLOSED).delete()
    checklist.set_due_dates(case=case, milestone=Milestone.Kind.CLOSED, at=None)
    servicelevels.milestone_taken_back(case=case, kind=Milestone.Kind.CLOSED)
    log.record("case.reopened", case=case, actor=actor, reason=reason)
    moving.moved(case=case, actor=actor, title=f"{case.reference} is opened again", why=reason)
    return case


@transaction.atomic
def set_milestone(*, case: Case, actor: User, kind: str, at: datetime, note: str = "") -> Milestone:
    """Set or move a milestone. The log keeps every earlier value."""
    # In UTC, for what is due so long after it is counted from here: hours, not what a clock on the wall shows.
    at = at.astimezone(UTC)
    if at > timezone.now() + timedelta(minutes=5):
        raise ValidationError("A milestone cannot lie in the future.")
    before = Milestone.objects.filter(case=case, kind=kind).first()
    milestone, _ = Milestone.objects.update_or_create(
        case=case, kind=kind, defaults={"at": at, "set_by": actor, "note": note}
    )
    log.record(
        "case.milestone",
        case=case,
        actor=actor,
        kind=kind,
        at=at.isoformat(),
        before=before.at.isoformat() if before else None,
        note=note,
    )
    checklist.set_due_dates(case=case, milestone=kind, at=at)
    clocks.milestone_set(case=case, actor=actor, kind=kind, at=at)
    servicelevels.milestone_set(case=case, actor=actor, kind=kind, at=at)
    return milestone


@transaction.atomic
def set_member(*, case: Case, actor: User, user: User, role: str, duty: str = "") -> CaseMember:
    """Add a member or change their role. A manager stays a reader; the last lead stays lead."""
    if user.site_role == User.SiteRole.MANAGER and role != CaseRole.VIEWER:
        raise ValidationError("A manager reads; they can only be a viewer of a case.")
    if role != CaseRole.LEAD:
        _keep_a_lead(case, user)
    member, new = CaseMember.objects.update_or_create(
        case=case, user=user, defaults={"role": CaseRole(role), "own_role": CaseRole(role), "duty": duty}
    )
    # A team may give them more; `member` says what holds.
    teams.settle(cases=[case.pk], users=[user.pk])
    member.refresh_from_db()
    log.record("case.member", case=case, actor=actor, member=user.username, role=role, duty=duty)
    itemstates.assign_open(member=member, actor=actor)
    if new and user.pk != actor.pk:
        moving.added(member=member, actor=actor)
    return member


@transaction.atomic
def remove_member(*, case: Case, actor: User, user: User) -> None:
    """Take what was given to the person themselves. What a team gives them they keep until the team goes."""
    _keep_a_lead(case, user)
    CaseMember.objects.filter(case=case, user=user).update(own_role="")
    teams.settle(cases=[case.pk], users=[user.pk])
    log.record("case.member_removed", case=case, actor=actor, member=user.username)


def _keep_a_lead(case: Case, leaving: User) -> None:
    # One who was named: a team's people come and go.
    leads = set(CaseMember.objects.filter(case=case, own_role=CaseRole.LEAD).values_list("user_id", flat=True))
    if leads == {leaving.pk}:
        raise ValidationError("A case needs a lead. Make somebody else lead first.")


@transaction.atomic
def join_as_administrator(*, case: Case, actor: User, reason: str) -> CaseMember:
    """An administrator joins a case as viewer: with a typed reason, logged on the case, and its leads are told."""
    if not reason.strip():
        raise ValidationError("Say why you need to see this case.")
    member, new = CaseMember.objects.get_or_create(
        case=case, user=actor, defaults={"role": CaseRole.VIEWER, "own_role": CaseRole.VIEWER}
    )
    log.record("case.administrator_joined", case=case, actor=actor, reason=reason)
    if new:
        moving.joined(member=member, reason=reason)
    return member
