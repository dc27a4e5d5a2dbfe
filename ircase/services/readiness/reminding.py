"""Beat's look at readiness: the owner of a connection is told what is red, once a week while it is."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from ircase.models import NoticeCode, ReadinessPlan
from ircase.readiness import board
from ircase.services import notices

WEEK: Final = timedelta(days=7)
FIRST: Final = timedelta(days=1)
"""A plan that was just made has a day until it is spoken of."""
LINES: Final = 12
AT_ONCE: Final = 20


def remind(now: datetime | None = None) -> int:
    """How many owners were told. Two beats at once tell once: who marks the row tells."""
    now, told = now or timezone.now(), 0
    plans = ReadinessPlan.objects.filter(owner__is_active=True, case__isnull=False, connection__enabled=True)
    due = plans.filter(Q(reminded_at=None, changed_at__lte=now - FIRST) | Q(reminded_at__lte=now - WEEK))
    rows = list(due.select_related("connection", "owner", "case").order_by("reminded_at", "pk")[:AT_ONCE])
    parts = board.of([plan.connection for plan in rows], None, now) if rows else {}
    for plan in rows:
        before = plan.reminded_at
        if ReadinessPlan.objects.filter(pk=plan.pk, reminded_at=before).update(reminded_at=now):
            told += _tell(plan, board.due(parts[plan.connection_id]), now)
    return told


def _tell(plan: ReadinessPlan, checks: list[board.Check], now: datetime) -> int:
    if not checks or plan.owner is None or plan.case is None:
        return 0
    red = sum(check.state == board.State.RED for check in checks)
    words = f"{red} red" if red else f"{len(checks)} to look at"
    return notices.tell(
        code=NoticeCode.DUE,
        people=[plan.owner],
        case=plan.case,
        subject=notices.about(plan.case.uuid, f"readiness {now:%Y-%m-%d}"),
        title=f"Readiness of {plan.connection.name}: {words}",
        path=reverse("ircase:readiness_connection", args=[plan.connection_id]),
        lines=[f"{check.title}: {check.text}"[:300] for check in checks[:LINES]],
    )
