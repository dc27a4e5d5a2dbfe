"""The states of a checklist's items: each change kept with its time, what it unlocks, and who is told."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from ircase.models import CaseMember, CaseRole, ChecklistItem, ItemChange, NoticeCode, User
from ircase.services import log, notices

State = ChecklistItem.State


@transaction.atomic
def change(*, item: ChecklistItem, actor: User | None, state: ChecklistItem.State, note: str = "") -> None:
    """Move `item` to `state` and keep that it was moved. What belongs to the state it leaves is cleared. Raises
    ValidationError where somebody else has moved it meanwhile."""
    now = timezone.now()
    row = ChecklistItem.objects.select_for_update().only("state").get(pk=item.pk)
    if row.state != item.state:
        raise ValidationError(f"Meanwhile it is {row.get_state_display().lower()}. Look at it again.")
    ItemChange.objects.create(item=item, before=item.state, state=state, note=note[:400], at=now, by=actor)
    ended = state in (State.DONE, State.SKIPPED)
    item.state, item.state_at = state, now
    item.waiting_for = item.waiting_for if state == State.WAITING else ""
    item.reviewer = item.reviewer if state == State.REVIEW else None
    item.ended_at, item.ended_by = (now, actor) if ended else (None, None)
    item.save(
        update_fields=["state", "state_at", "waiting_for", "reviewer", "ended_at", "ended_by", "result"],
    )


def unlock(*, item: ChecklistItem, actor: User | None) -> list[ChecklistItem]:
    """What waited for `item` alone and may begin now: given to whoever has its duty, its owner told."""
    waiting = item.unlocks.filter(state__in=ChecklistItem.LIVE).select_related("owner", "case")
    free = free_of(waiting)
    assign_by_role(free)
    for other in free:
        if other.owner is not None and other.owner != actor:
            tell_given(other, other.owner, f"You can begin: {other.title}")
    return free


def free_of(found: QuerySet[ChecklistItem]) -> list[ChecklistItem]:
    """Those that wait for nothing."""
    items = found.prefetch_related("depends_on")
    return [item for item in items if not any(needed.is_open for needed in item.depends_on.all())]


def assign_by_role(items: Iterable[ChecklistItem]) -> list[ChecklistItem]:
    """Give each that has a role and no owner to the member with that duty, who has been on the case the longest."""
    wanted = [item for item in items if item.role and item.owner_id is None]
    if not wanted:
        return []
    members = CaseMember.objects.filter(
        case=wanted[0].case_id, user__is_active=True, role__in=[CaseRole.ANALYST, CaseRole.LEAD]
    ).exclude(duty="")
    holders: dict[str, User] = {}
    for member in members.select_related("user").order_by("added_at", "pk"):
        holders.setdefault(member.duty.strip().casefold(), member.user)
    given = []
    for item in wanted:
        owner = holders.get(item.role.casefold())
        if owner is not None:
            item.owner = owner
            item.save(update_fields=["owner"])
            log.record("checklist.given", case=item.case, item=item.key, owner=owner.username, role=item.role)
            given.append(item)
    return given


def assign_open(*, member: CaseMember, actor: User | None) -> list[ChecklistItem]:
    """What may begin, is nobody's, and is the duty that `member` has just been given."""
    if not member.duty.strip() or member.role == CaseRole.VIEWER:
        return []
    found = ChecklistItem.objects.live().filter(case=member.case, owner=None, role__iexact=member.duty.strip())
    given = assign_by_role(free_of(found.select_related("case")))
    for item in given:
        if item.owner is not None and item.owner != actor:
            tell_given(item, item.owner, f"This is yours by your duty, {item.role}: {item.title}")
    return given


def tell_given(item: ChecklistItem, person: User, title: str) -> None:
    """An item is theirs, or may begin. Told again when it is given to them again."""
    subject = notices.about(item.case.uuid, f"checklist {item.key} {person.pk} {timezone.now().isoformat()}")
    notices.tell(
        code=NoticeCode.ASSIGNMENT, people=[person], case=item.case, subject=subject, title=title, path=path_of(item)
    )


def path_of(item: ChecklistItem) -> str:
    return reverse("ircase:checklist_item", args=[item.case.reference, item.pk])
