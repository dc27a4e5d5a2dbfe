"""The checklist: made from a playbook, worked through, ended with a result and its proof."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import access, catalogue
from ircase.models import (
    Activity,
    Case,
    CasePlaybook,
    CaseRole,
    ChecklistItem,
    Event,
    Evidence,
    NoticeCode,
    Proof,
    User,
)
from ircase.search import index
from ircase.services import log, notices
from ircase.services.phases import itemstates, repeats

MANUAL_POSITION = 10_000
State = ChecklistItem.State


@transaction.atomic
def create_from(*, case: Case, playbook: catalogue.Playbook) -> None:
    """The playbook's items on `case`, with their dependencies; due dates that hang on a milestone come with it."""
    CasePlaybook.objects.create(
        case=case, slug=playbook.id, number=playbook.version, content=dict(playbook.content), given_at=case.opened_at
    )
    add_items(case=case, playbook=playbook, keys={item.key for item in playbook.items})


def add_items(*, case: Case, playbook: catalogue.Playbook, keys: set[str]) -> list[ChecklistItem]:
    """Those of the playbook's items, in its order; one per asset where they repeat, for the assets there are."""
    milestones = dict(case.milestones.values_list("kind", "at")) | {"opened": case.opened_at}
    made = [
        repeats.item_of(case, item, 100 + place, milestones)
        for place, item in enumerate(playbook.items)
        if item.key in keys and not item.repeat_per
    ]
    ChecklistItem.objects.bulk_create(made)
    index.write_many("item", made)
    repeats.link(case, playbook, made)
    repeats.spread(case=case, playbook=playbook)
    itemstates.assign_by_role(item for item in made if not playbook_waits(playbook, item.key))
    return made


def playbook_waits(playbook: catalogue.Playbook, key: str) -> bool:
    return any(item.depends_on for item in playbook.items if item.key == key)


def set_due_dates(*, case: Case, milestone: str, at: datetime | None) -> None:
    """The items that hang on `milestone` are due so long after it, unless a person has set their date. `at` None takes
    the dates back."""
    found = ChecklistItem.objects.live().filter(case=case, due_after=milestone, due_by_hand=False)
    for item in found.exclude(due_within=None):
        assert item.due_within is not None
        item.due_at = at + item.due_within if at else None
        item.reminded_at = reminded_from(item.due_at)
        item.save(update_fields=["due_at", "reminded_at"])


def reminded_from(due_at: datetime | None) -> datetime | None:
    """What is due within a day is not announced a day before as well: the person has only just been told."""
    now = timezone.now()
    return now if due_at and due_at - timedelta(days=1) <= now else None


def open_required(case: Case, phase: str | None = None) -> list[ChecklistItem]:
    items = ChecklistItem.objects.live().filter(case=case, required=True)
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
    proof_rule: str = ChecklistItem.ProofRule.LINK,
) -> ChecklistItem:
    count = case.checklist.count()
    item = ChecklistItem(
        case=case,
        key=f"own_{count + 1}",
        position=MANUAL_POSITION + count,
        phase=phase,
        title=title,
        required=required,
        proof_rule=proof_rule,
        due_at=due_at,
        due_by_hand=due_at is not None,
        reminded_at=reminded_from(due_at),
        owner=owner,
    )
    item.full_clean(exclude=["case"])
    item.save()
    log.record("checklist.added", case=case, actor=actor, item=item.key, title=title)
    if owner is not None and owner != actor:
        itemstates.tell_given(item, owner, f"{actor.name} gave you: {item.title}")
    return item


@transaction.atomic
def plan_item(*, item: ChecklistItem, actor: User, owner: User | None, due_at: datetime | None) -> ChecklistItem:
    """Set who does it and by when. Either may be empty. A date that is set by hand stays where milestones move."""
    given = owner is not None and owner.pk != item.owner_id
    if due_at != item.due_at:
        item.due_at, item.due_by_hand, item.reminded_at = due_at, True, reminded_from(due_at)
    item.owner = owner
    item.save(update_fields=["owner", "due_at", "due_by_hand", "reminded_at"])
    log.record(
        "checklist.planned",
        case=item.case,
        actor=actor,
        item=item.key,
        owner=owner.username if owner else None,
        due=due_at.isoformat() if due_at else None,
    )
    if given and owner is not None and owner != actor:
        itemstates.tell_given(item, owner, f"{actor.name} gave you: {item.title}")
    return item


@transaction.atomic
def start_item(*, item: ChecklistItem, actor: User) -> ChecklistItem:
    """IN_WORK. Whoever begins what is nobody's has taken it."""
    _require_live(item)
    _require_free(item)
    if item.owner_id is None:
        item.owner = actor
        item.save(update_fields=["owner"])
    itemstates.change(item=item, actor=actor, state=State.IN_WORK)
    log.record("checklist.started", case=item.case, actor=actor, item=item.key, title=item.title)
    return item


@transaction.atomic
def wait_item(*, item: ChecklistItem, actor: User, waiting_for: str) -> ChecklistItem:
    """WAITING, and on whom."""
    _require_live(item)
    if not waiting_for.strip():
        raise ValidationError("Say on whom or on what it waits.")
    item.waiting_for = waiting_for.strip()[:200]
    itemstates.change(item=item, actor=actor, state=State.WAITING, note=item.waiting_for)
    log.record("checklist.waits", case=item.case, actor=actor, item=item.key, waiting_for=item.waiting_for)
    return item


@transaction.atomic
def ask_review(*, item: ChecklistItem, actor: User, reviewer: User | None, result: str = "") -> ChecklistItem:
    """REVIEW: somebody else looks before it ends. Without a name the case's leads are asked."""
    _require_live(item)
    if reviewer == actor:
        raise ValidationError("A review is a second person's. Choose somebody else.")
    if reviewer is not None and not access.still_may(reviewer, item.case, access.ANALYST):
        raise ValidationError(f"{reviewer.name} cannot work on this case. Add them as a member first.")
    before = _write(item, result)
    item.reviewer = reviewer
    itemstates.change(item=item, actor=actor, state=State.REVIEW)
    name = reviewer.username if reviewer else None
    log.record("checklist.review", case=item.case, actor=actor, item=item.key, reviewer=name, **before)
    asked = [reviewer] if reviewer else [lead for lead in notices.leads_of(item.case) if lead != actor]
    subject = notices.about(item.case.uuid, f"review {item.key} {item.state_at.isoformat()}")
    notices.tell(
        code=NoticeCode.APPROVAL,
        people=asked,
        case=item.case,
        subject=subject,
        title=f"{actor.name} asks you to review: {item.title}",
        path=itemstates.path_of(item),
    )
    return item


@transaction.atomic
def finish_item(
    *, item: ChecklistItem, actor: User, result: str, proofs: Sequence[tuple[str, object]] = ()
) -> ChecklistItem:
    """DONE. A required item closes with what its playbook asks for: a proof, or a result in words where that is enough.
    `proofs` are linked first, each a name of `add_proof` and its value. What waited for it is unlocked. Raises
    ValidationError where it waits itself, or lacks its proof, or its review is somebody else's."""
    _require_live(item)
    _require_free(item)
    if item.state == State.REVIEW and _asker(item) == actor.pk:
        raise ValidationError("You asked for a review: somebody else ends it, or take it back into work.")
    for name, value in proofs:
        add_proof(item=item, actor=actor, **{name: value})  # type: ignore[arg-type]
    if not proofs and (lacks := missing_proof(item, result)):
        raise ValidationError(lacks)
    before = _write(item, result)
    itemstates.change(item=item, actor=actor, state=State.DONE)
    told = {"item": item.key, "title": item.title, "result": item.result[:200], **before}
    log.record("checklist.done", case=item.case, actor=actor, **told)
    itemstates.unlock(item=item, actor=actor)
    return item


@transaction.atomic
def note_result(*, item: ChecklistItem, actor: User, result: str) -> ChecklistItem:
    """Keep what is known so far; the item goes on."""
    if result.strip() not in ("", item.result):
        before = _write(item, result)
        item.save(update_fields=["result"])
        log.record("checklist.noted", case=item.case, actor=actor, item=item.key, result=item.result[:200], **before)
    return item


def _write(item: ChecklistItem, result: str) -> dict[str, str]:
    """The result says this from now on, where it says anything. What it said until now is given back for the log, and
    whole: nothing else keeps it."""
    before, item.result = item.result, result.strip() or item.result
    return {"before": before} if before and before != item.result else {}


def missing_proof(item: ChecklistItem, result: str = "") -> str:
    """What a required item lacks to be closed, in a sentence; empty where it lacks nothing. `proof_count` is used where
    the row was read with it."""
    if not item.required:
        return ""
    count = getattr(item, "proof_count", None)
    if count or (count is None and item.proofs.exists()):
        return ""
    if item.proof_rule == ChecklistItem.ProofRule.RESULT:
        written = result.strip() or item.result.strip()
        return "" if written else "This item is required: write the result, or link what proves it."
    return "This item is required: link what proves it (evidence, a run, an event or a decision)."


def _asker(item: ChecklistItem) -> int | None:
    last = item.changes.filter(state=State.REVIEW).last()
    return last.by_id if last else None


def _require_live(item: ChecklistItem) -> None:
    if not item.is_open:
        raise ValidationError(f"This item is {item.get_state_display().lower()}. Open it again first.")


def _require_free(item: ChecklistItem) -> None:
    waiting = list(item.depends_on.filter(state__in=ChecklistItem.LIVE))
    if waiting:
        raise ValidationError(f"This waits for: {', '.join(w.title for w in waiting)}.")


@transaction.atomic
def skip_item(*, item: ChecklistItem, actor: User, reason: str) -> ChecklistItem:
    """SKIPPED. What waited for it is unlocked."""
    _require_live(item)
    if not reason.strip():
        raise ValidationError("Say why this is skipped; the report shows it.")
    before = _write(item, reason)
    itemstates.change(item=item, actor=actor, state=State.SKIPPED, note=reason)
    told = {"item": item.key, "title": item.title, "result": reason[:200], **before}
    log.record("checklist.skipped", case=item.case, actor=actor, **told)
    itemstates.unlock(item=item, actor=actor)
    return item


@transaction.atomic
def reopen_item(*, item: ChecklistItem, actor: User) -> ChecklistItem:
    """OPEN again, from wherever it was."""
    if item.state == State.OPEN:
        return item
    itemstates.change(item=item, actor=actor, state=State.OPEN)
    log.record("checklist.reopened", case=item.case, actor=actor, item=item.key, title=item.title)
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


@transaction.atomic
def plan_many(
    *, items: Sequence[ChecklistItem], actor: User, owner: User | None = None, due_at: datetime | None = None
) -> tuple[int, list[str]]:
    """Give many items, of any of the actor's cases, an owner or a date or both; what is None is left alone. How many
    were planned, and why the others were not, a sentence for each case or person."""
    planned, refused = 0, dict[str, None]()
    seen = Case.objects.visible_to(actor).filter(closed_at=None, pk__in={item.case_id for item in items})
    roles = {case.pk: case.my_role for case in seen}
    may: dict[int, bool] = {}
    for item in items:
        if not CaseRole.at_least(roles.get(item.case_id, ""), access.ANALYST):
            refused[f"You may not plan items of {item.case.reference}."] = None
            continue
        if owner is not None and item.case_id not in may:
            may[item.case_id] = access.still_may(owner, item.case, access.VIEWER)
        if owner is not None and not may[item.case_id]:
            refused[f"{owner.name} cannot see {item.case.reference}."] = None
            continue
        plan_item(item=item, actor=actor, owner=owner or item.owner, due_at=due_at or item.due_at)
        planned += 1
    return planned, list(refused)
