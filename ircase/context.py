"""What every page needs beside its own data."""

from typing import Any

from django.http import HttpRequest

from ircase import access
from ircase.models import Approval, User


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The number of approvals that wait for this person, for the side bar. One query, on pages only."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or request.headers.get("HX-Request"):
        return {}
    waiting = Approval.objects.filter(
        state=Approval.State.REQUESTED, case__members__user=user, case__members__role=access.LEAD
    ).exclude(requested_by=user)
    return {"approvals_waiting": waiting.count()}
