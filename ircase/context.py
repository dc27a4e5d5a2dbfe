"""What every page needs beside its own data."""

from typing import Any

from django.http import HttpRequest

from ircase import access
from ircase.models import Approval, Notice, User


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What waits for this person, for the side bar: approvals and unread notices. Two queries, on pages only."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or request.headers.get("HX-Request"):
        return {}
    waiting = Approval.objects.filter(
        state=Approval.State.REQUESTED, case__members__user=user, case__members__role=access.LEAD
    ).exclude(requested_by=user)
    unread = Notice.objects.of(user).unread().count()
    return {"approvals_waiting": waiting.count(), "nav": {"my_work": unread or None}}
