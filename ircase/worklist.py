"""Checklist items across the cases a person may see: theirs, nobody's, those they are asked to review."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from ircase.models import Case, CaseRole, ChecklistItem, Phase, User

WHOSE = (
    ("mine", "Mine"),
    ("nobody", "Nobody's, which I could take"),
    ("review", "Waiting for my review"),
    ("cases", "Everybody's, on my cases"),
)
DUE = (("", "Any time"), ("late", "Overdue"), ("today", "Within a day"), ("week", "Within a week"), ("none", "No date"))
_AHEAD = {"late": timedelta(), "today": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True)
class Filters:
    """What a person looks for; `whose` is one of WHOSE, `due` of DUE, `state` a live state of an item or empty."""

    whose: str = "mine"
    state: str = ""
    due: str = ""
    severity: str = ""
    phase: str = ""
    q: str = ""


def find(user: User, filters: Filters, now: datetime | None = None) -> QuerySet[ChecklistItem]:
    """Live items of open cases, what is due first at the top, with the case, the owner and what a row shows."""
    found = _of(user, filters.whose)
    if filters.state:
        found = found.filter(state=filters.state)
    if filters.severity:
        found = found.filter(case__severity=filters.severity)
    if filters.phase:
        found = found.filter(phase=filters.phase)
    if filters.due == "none":
        found = found.filter(due_at=None)
    elif filters.due in _AHEAD:
        found = found.filter(due_at__lte=(now or timezone.now()) + _AHEAD[filters.due])
    for word in filters.q.split()[:8]:
        found = found.filter(
            Q(title__icontains=word) | Q(case__title__icontains=word) | Q(case__reference__icontains=word)
        )
    found = found.select_related("case", "owner", "reviewer").prefetch_related("depends_on")
    return found.annotate(proof_count=Count("proofs")).order_by(
        F("due_at").asc(nulls_last=True), "case__reference", "position", "pk"
    )


def _of(user: User, whose: str) -> QuerySet[ChecklistItem]:
    """Preparation is the organisation's: its items are on no list of a case's work."""
    open_cases = Case.objects.visible_to(user).filter(closed_at=None)
    writing = open_cases.filter(members__user=user, members__role__in=[CaseRole.ANALYST, CaseRole.LEAD]).values("pk")
    items = ChecklistItem.objects.live().exclude(phase=Phase.PREPARATION)
    if whose == "nobody":
        return items.filter(case__in=writing, owner=None)
    if whose == "review":
        leading = open_cases.filter(members__user=user, members__role=CaseRole.LEAD).values("pk")
        asked = Q(reviewer=user, case__in=open_cases.values("pk"))
        anyone = Q(reviewer=None, case__in=leading) & ~Q(owner=user)
        return items.filter(asked | anyone, state=ChecklistItem.State.REVIEW)
    if whose == "cases":
        return items.filter(case__in=writing)
    return items.filter(case__in=open_cases.values("pk"), owner=user)
