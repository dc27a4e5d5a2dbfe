"""Items that repeat per asset (SP 800-61r2, step 6.3): one for each device or account that is, or may be, compromised.

They are made when an asset of that kind is suspected or confirmed, now or later, and are skipped, with the reason, when
it leaves the case or turns out to be clean. The case's own copy of its playbook says what repeats.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from ircase import catalogue
from ircase.models import Asset, Case, CasePlaybook, ChecklistItem, User
from ircase.search import index
from ircase.services import log
from ircase.services.phases import itemstates

COMPROMISED = (Asset.Compromise.SUSPECTED, Asset.Compromise.CONFIRMED)
State = ChecklistItem.State


def plan_of(case: Case) -> catalogue.Playbook | None:
    """The case's playbook as it was given; None where it has none."""
    row = CasePlaybook.objects.filter(case=case).first()
    if row is None:
        return None
    try:
        return catalogue.playbook_from({**row.content, "id": row.slug, "version": row.number})
    except catalogue.CatalogueError:
        return None


def item_of(
    case: Case,
    plan: catalogue.PlaybookItem,
    position: int,
    milestones: Mapping[str, datetime],
    asset: Asset | None = None,
) -> ChecklistItem:
    """The row of one step, not yet saved; of one asset where it repeats."""
    started = milestones.get(plan.due_after)
    due = started + plan.due_within if started and plan.due_within else None
    now = timezone.now()
    return ChecklistItem(
        case=case,
        key=f"{plan.key}:{asset.uuid.hex[:12]}" if asset else plan.key,
        position=position,
        phase=plan.phase,
        title=f"{plan.title} ({asset.name})" if asset else plan.title,
        guidance=plan.guidance,
        r2_step=plan.r2,
        csf_outcome=plan.csf,
        required=plan.required,
        proof_rule=plan.proof,
        role=plan.role,
        repeat_of=plan.key if asset else "",
        asset=asset,
        asset_name=asset.name if asset else "",
        due_at=due,
        due_after=plan.due_after,
        due_within=plan.due_within,
        # What is due within the day is not announced a day before as well.
        reminded_at=now if due and due - timedelta(days=1) <= now else None,
        suggested_hunts=list(plan.hunts),
        suggested_collections=list(plan.collections),
        suggested_actions=list(plan.actions),
    )


def spread(*, case: Case, playbook: catalogue.Playbook) -> list[ChecklistItem]:
    """The repeated items of every asset that is compromised by now, as far as they are not there yet."""
    kinds = {item.repeat_per for item in playbook.items if item.repeat_per}
    assets = Asset.objects.filter(case=case, kind__in=kinds, compromise__in=COMPROMISED) if kinds else ()
    return _make(case, playbook, list(assets))


def _make(case: Case, playbook: catalogue.Playbook, assets: list[Asset]) -> list[ChecklistItem]:
    if not assets:
        return []
    there = set(ChecklistItem.objects.filter(case=case).exclude(repeat_of="").values_list("key", flat=True))
    milestones = dict(case.milestones.values_list("kind", "at")) | {"opened": case.opened_at}
    made = [
        row
        for asset in assets
        for place, item in enumerate(playbook.items)
        if item.repeat_per == asset.kind
        and (row := item_of(case, item, 100 + place, milestones, asset)).key not in there
    ]
    ChecklistItem.objects.bulk_create(made)
    index.write_many("item", made)
    if made:
        link(case, playbook, made)
    return made


def link(case: Case, playbook: catalogue.Playbook, made: list[ChecklistItem]) -> None:
    """The dependencies of the items in `made`, as the playbook says: between items of one asset where both repeat per
    the same kind, else on each of the repeated ones. What is there already gains none, but on those that repeat."""
    fresh = {row.pk for row in made}
    rows: dict[str, list[ChecklistItem]] = {}
    for row in ChecklistItem.objects.filter(case=case):
        rows.setdefault(row.repeat_of or row.key, []).append(row)
    per = {item.key: item.repeat_per for item in playbook.items}
    through = ChecklistItem.depends_on.through
    wanted = [
        through(from_checklistitem_id=row.pk, to_checklistitem_id=other.pk)
        for item in playbook.items
        for row in rows.get(item.key, ())
        for needed in item.depends_on
        for other in rows.get(needed, ())
        if (row.pk in fresh or (other.repeat_of and other.pk in fresh))
        and not (item.repeat_per and item.repeat_per == per[needed] and row.asset_id != other.asset_id)
    ]
    through.objects.bulk_create(wanted, ignore_conflicts=True)


@transaction.atomic
def judged(*, asset: Asset, actor: User) -> None:
    """After an asset was added or judged: its items are made, opened again, or skipped."""
    if asset.compromise in COMPROMISED:
        _open(asset, actor)
    elif asset.compromise == Asset.Compromise.CLEAN:
        leave(asset=asset, actor=actor, reason=f"{asset.name} was judged clean.")


def _open(asset: Asset, actor: User) -> None:
    plan = plan_of(asset.case) if asset.case.is_open else None
    if plan is None:
        return
    # Nobody skipped these but the judgement that is now taken back.
    for item in ChecklistItem.objects.filter(asset=asset, state=State.SKIPPED, ended_by=None).select_related("case"):
        item.result = ""
        itemstates.change(item=item, actor=None, state=State.OPEN, note=f"{asset.name} is {asset.compromise}.")
    made = _make(asset.case, plan, [asset])
    if made:
        log.record("checklist.repeated", case=asset.case, actor=actor, name=asset.name, items=len(made))
        rows = ChecklistItem.objects.filter(pk__in=[item.pk for item in made]).select_related("case")
        for item in itemstates.assign_by_role(itemstates.free_of(rows)):
            if item.owner is not None and item.owner != actor:
                itemstates.tell_given(item, item.owner, f"You can begin: {item.title}")


@transaction.atomic
def leave(*, asset: Asset, actor: User, reason: str) -> int:
    """Skip what is still to be done for an asset that leaves the case or is clean; how many were skipped. Call it
    before the asset's row goes."""
    found = ChecklistItem.objects.live().filter(asset=asset).exclude(repeat_of="").select_related("case")
    items = list(found)
    for item in items:
        item.result = reason
        itemstates.change(item=item, actor=None, state=State.SKIPPED, note=reason)
    if items:
        log.record(
            "checklist.asset_left", case=asset.case, actor=actor, name=asset.name, items=len(items), reason=reason
        )
        # After all of them: what waited for several is unlocked once.
        for item in items:
            itemstates.unlock(item=item, actor=actor)
    return len(items)
