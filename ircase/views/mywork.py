"""The first page after signing in: what is mine, what waits for me, what runs."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from ircase import access, caselist, worklist
from ircase.models import Activity, Approval, Case, ChecklistItem, Notice, User
from ircase.services.vault import custody

MOST_ITEMS = 50
MOST_CASES = 20
MOST_REVIEWS = 20
MOST_NOTICES = 20
_ENDED = ("done", "failed", "cancelled", "partial", "expired", "refused")


@require_GET
@login_required
def my_work(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    cases = caselist.find(user, caselist.Filters(mine=True))
    context = {
        "items": _items(user, "mine", MOST_ITEMS),
        "reviews": _items(user, "review", MOST_REVIEWS),
        "cases": caselist.with_leads(cases[:MOST_CASES]),
        "waiting": _waiting(user),
        "running": _running(user),
        "notices": list(Notice.objects.of(user).unread()[:MOST_NOTICES]),
        "transfers": custody.waiting_for(user),
        "now": timezone.now(),
        "may_open": user.opens_cases,
        "most_items": MOST_ITEMS,
    }
    return render(request, "ircase/my_work.html", context)


def _items(user: User, whose: str, most: int) -> list[ChecklistItem]:
    """Live items of open cases, what is due first at the top."""
    return list(worklist.find(user, worklist.Filters(whose=whose))[:most])


def _waiting(user: User) -> list[Approval]:
    """Questions that only I or another lead of the case can answer."""
    found = Approval.objects.filter(
        state=Approval.State.REQUESTED, case__members__user=user, case__members__role=access.LEAD
    )
    return list(found.exclude(requested_by=user).select_related("case", "requested_by").order_by("expires_at")[:20])


def _running(user: User) -> list[Activity]:
    visible = Case.objects.visible_to(user).values("pk")
    found = Activity.objects.filter(requested_by=user, case__in=visible).exclude(state__in=_ENDED)
    return list(found.select_related("case").defer("detail")[:20])
