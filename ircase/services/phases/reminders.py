"""What is due is said to whoever owns it: a day before, at the time, and once a day from then on."""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Q
from django.utils import timezone

from ircase.models import CaseMember, CaseRole, ChecklistItem, NoticeCode, Phase, User
from ircase.services import notices
from ircase.services.phases import itemstates

logger = logging.getLogger(__name__)
DAY: Final = timedelta(days=1)
AT_ONCE: Final = 200


def remind(now: datetime | None = None) -> int:
    """Beat's tick; how many items were reminded of. The leads hear of a required item that is nobody's. What was told
    is kept on the row, and each notice has a subject of its own: two ticks at once tell once."""
    now = now or timezone.now()
    told = Q(reminded_at=None)
    before = Q(due_at__gt=now, due_at__lte=now + DAY) & (told | Q(reminded_at__lt=F("due_at") - DAY))
    due = Q(due_at__lte=now, due_at__gt=now - DAY) & (told | Q(reminded_at__lt=F("due_at")))
    late = Q(due_at__lte=now - DAY) & (told | Q(reminded_at__lte=now - DAY))
    found = ChecklistItem.objects.live().filter(before | due | late, case__closed_at=None)
    found = found.exclude(phase=Phase.PREPARATION).exclude(owner=None, required=False)
    items = list(found.select_related("owner", "case").order_by("due_at", "pk")[:AT_ONCE])
    leads = _leads({item.case_id for item in items if item.owner_id is None})
    for item in items:
        _tell(item, [item.owner] if item.owner else leads.get(item.case_id, []), now)
    ChecklistItem.objects.filter(pk__in=[item.pk for item in items]).update(reminded_at=now)
    if items:
        logger.info("checklist.reminded", extra={"items": len(items)})
    return len(items)


def _leads(cases: set[int]) -> dict[int, list[User]]:
    found: dict[int, list[User]] = {}
    members = CaseMember.objects.filter(case__in=cases, role=CaseRole.LEAD, user__is_active=True)
    for member in members.select_related("user"):
        found.setdefault(member.case_id, []).append(member.user)
    return found


def _tell(item: ChecklistItem, people: list[User], now: datetime) -> None:
    assert item.due_at is not None
    days = (now - item.due_at) // DAY
    words = "Due within a day" if days < 0 else "Due now" if days == 0 else f"Overdue for {days} day{'s' * (days > 1)}"
    notices.tell(
        code=NoticeCode.DUE,
        people=people,
        case=item.case,
        subject=notices.about(item.case.uuid, f"due {item.key} {item.due_at.isoformat()} {days}"),
        title=f"{words}: {item.title}",
        path=itemstates.path_of(item),
    )
