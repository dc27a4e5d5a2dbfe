"""The checklist: made from a playbook, ended with a result and its proof."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import catalogue
from ircase.models import Activity, Case, ChecklistItem, Event, Evidence, Proof, User
from ircase.services import log

MANUAL_POSITION = 10_000


@transaction.atomic
def create_from(*, case: Case, playbook: catalogue.Playbook) -> None:
    """The playbook's items on `case`, with their dependencies; due dates that hang on a milestone come with it."""
    rows = {
        item.key: ChecklistItem.objects.create(
            case=case,
            key=item.key,
            position=100 + place,
            phase=item.phase,
            title=item.title,
            guidance=item.guidance,
            r2_step=item.r2,
            csf_outcome=item.csf,
            required=item.required,
            due_at=case.opened_at + item.due_within if item.due_within and item.due_after == "opened" else None,
            suggested_hunts=list(item.hunts),
            suggested_collections=list(item.collections),
            suggested_actions=list(item.actions),
        )
        for place, item in enumerate(playbook.items)
    }
    for item in playbook.items:
        rows[item.key].depends_on.set(rows[key] for key in item.depends_on)
    for milestone in case.milestones.all():
        set_due_dates(case=case, milestone=milestone.kind, at=milestone.at)


def set_due_dates(*, case: Case, milestone: str, at: datetime) -> None:
    """Give the items that hang on `milestone` their due date, unless a person has set one."""
    plan = catalogue.playbooks().get(case.playbook)
    for item in plan.items if plan else ():
        if item.due_within and item.due_after == milestone:
            waiting = ChecklistItem.objects.filter(case=case, key=item.key, due_at=None)
            waiting.update(due_at=at + item.due_within)


def open_required(case: Case, phase: str | None = None) -> list[ChecklistItem]:
    items = ChecklistItem.objects.filter(case=case, required=True, state=ChecklistItem.State.OPEN)
    return list(items.filter(phase=phase) if phase else items.exclude(phase="preparation"))


@transaction.atomic
def add_item(
    *,
    case: Case,
    actor: User,
    title: str,
    phase: str,
    required: bool = False,
    due_at: datetime | None = None,
    owner: User | None = None,
) -> ChecklistItem:
    count = case.checklist.count()
    item = ChecklistItem(
        case=case,
        key=f"own_{count + 1}",
        position=MANUAL_POSITION + count,
        phase=phase,
        title=title,
        required=required,
        due_at=due_at,
        owner=owner,
    )
    item.full_clean(exclude=["case"])
    item.save()
    log.record("checklist.added", case=case, actor=actor, item=item.key, title=title)
    return item


@transaction.atomic
def plan_item(*, item: ChecklistItem, actor: User, owner: User | None, due_at: datetime | None) -> ChecklistItem:
    """Set who does it and by when. Either may be empty."""
    item.owner, item.due_at = owner, due_at
    item.save(update_fields=["owner", "due_at"])
    log.record(
        "checklist.planned",
        case=item.case,
        actor=actor,
        item=item.key,
        owner=owner.username if owner else None,
        due=due_at.isoformat() if due_at else None,
    )
    return item


@transaction.atomic
def finish_item(*, item: ChecklistItem, actor: User, result: str) -> ChecklistItem:
    """DONE. A required item needs a proof or a result in words; an item waits for those it depends on."""
    waiting = list(item.depends_on.filter(state=ChecklistItem.State.OPEN))
    if waiting:
        raise ValidationError(f"This waits for: {', '.join(w.title for w in waiting)}.")
    if item.required and not result.strip() and not item.proofs.exists():
        raise ValidationError("This item is required: link what proves it, or write the result.")
    return _end(item, actor, ChecklistItem.State.DONE, result, "checklist.done")


@transaction.atomic
def skip_item(*, item: ChecklistItem, actor: User, reason: str) -> ChecklistItem:
    if not reason.strip():
        raise ValidationError("Say why this is skipped; the report shows it.")
    return _end(item, actor, ChecklistItem.State.SKIPPED, reason, "checklist.skipped")


@transaction.atomic
def reopen_item(*, item: ChecklistItem, actor: User) -> ChecklistItem:
    item.state, item.ended_at, item.ended_by = ChecklistItem.State.OPEN, None, None
    item.save(update_fields=["state", "ended_at", "ended_by"])
    log.record("checklist.reopened", case=item.case, actor=actor, item=item.key, title=item.title)
    return item


def _end(item: ChecklistItem, actor: User, state: ChecklistItem.State, result: str, action: str) -> ChecklistItem:
    item.state, item.result, item.ended_at, item.ended_by = state, result or item.result, timezone.now(), actor
    item.save(update_fields=["state", "result", "ended_at", "ended_by"])
    log.record(action, case=item.case, actor=actor, item=item.key, title=item.title, result=result[:200])
    return item


@transaction.atomic
def add_proof(
    *,
    item: ChecklistItem,
    actor: User,
    evidence: Evidence | None = None,
    activity: Activity | None = None,
    event: Event | None = None,
    decision: str = "",
) -> Proof:
    """Link exactly one thing of the same case that shows the item is done."""
    given = [thing for thing in (evidence, activity, event) if thing is not None]
    if len(given) + bool(decision.strip()) != 1:
        raise ValidationError("Link one thing: evidence, a run, an event, or a decision in words.")
    if any(thing.case_id != item.case_id for thing in given):
        raise ValidationError("A proof must belong to the same case.")
    proof = Proof.objects.create(
        item=item, evidence=evidence, activity=activity, event=event, decision=decision, added_by=actor
    )
    log.record("checklist.proven", case=item.case, actor=actor, item=item.key, proof=str(proof))
    return proof
