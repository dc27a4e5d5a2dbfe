"""What every page needs beside its own data."""

from typing import Any

from django.db.models import CharField, Count, QuerySet, Value
from django.http import HttpRequest
from django.utils import timezone

from ircase import access
from ircase.models import Approval, Notice, User


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What waits for this person, for the side bar: approvals and unread notices. One query, on pages only."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or request.headers.get("HX-Request"):
        return {}
    waiting = Approval.objects.filter(
        state=Approval.State.REQUESTED,
        expires_at__gt=timezone.now(),
        case__members__user=user,
        case__members__role=access.LEAD,
    ).exclude(requested_by=user)
    unread = Notice.objects.of(user).unread()
    found = dict(_counted("approvals", waiting).union(_counted("notices", unread), all=True))
    return {"approvals_waiting": found.get("approvals", 0), "nav": {"my_work": found.get("notices")}}


def _counted(name: str, rows: QuerySet[Any]) -> QuerySet[Any, tuple[str, int]]:
    """(name, how many), or nothing where there are none."""
    named = rows.order_by().annotate(what=Value(name, output_field=CharField())).values("what")
    counted: QuerySet[Any, tuple[str, int]] = named.annotate(many=Count("pk")).values_list("what", "many")
    return counted
