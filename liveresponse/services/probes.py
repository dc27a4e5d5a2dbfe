"""Trying Live Response: a real collection on the one device that was chosen for it, in the connection's own case."""

from collections.abc import Iterable
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError

from ircase import access
from ircase.models import Connection, ReadinessPlan, User
from liveresponse.models import FINAL_COLLECTION_STATES, Collection
from liveresponse.services import collections

FILE: Final = r"C:\Windows\System32\drivers\etc\hosts"
"""There on every Windows, small, and nobody's secret."""


def start(*, connection: Connection, actor: User) -> Collection:
    """Try it, as the plan says; the usual approval applies. Raises PermissionDenied for who may not collect in the
    readiness case, ValidationError."""
    plan = ReadinessPlan.objects.filter(connection=connection).select_related("case__connection").first()
    if plan is None or plan.case is None:
        raise PermissionDenied("Nobody keeps this connection ready yet: an administrator names an owner first.")
    if not access.still_may(actor, plan.case, access.ANALYST):
        raise PermissionDenied("Who keeps this connection ready does this, or an analyst of its readiness case.")
    if not plan.probe_device:
        raise ValidationError("No test device is chosen. An administrator chooses one in the plan.")
    going = Collection.objects.filter(case=plan.case, device=plan.probe_device).exclude(
        state__in=FINAL_COLLECTION_STATES
    )
    if going.exists():
        raise ValidationError("A try on this device is under way already.")
    return collections.request_collection(
        case=plan.case,
        actor=actor,
        definition=plan.probe,
        device=plan.probe_device,
        parameters={"Path": FILE} if plan.probe == ReadinessPlan.Probe.FILE else {},
        reason="To know that Live Response works before it is needed",
    )


def latest(plans: Iterable[ReadinessPlan]) -> dict[int, list[Collection]]:
    """By connection the newest tries on its test device, three at most. One query."""
    wanted = {plan.case_id: plan for plan in plans if plan.case_id and plan.probe_device}
    rows = Collection.objects.filter(case__in=wanted, definition__in=ReadinessPlan.Probe.values)
    found: dict[int, list[Collection]] = {}
    for row in rows.order_by("-requested_at", "-pk").defer("plan", "transcript")[:500]:
        plan = wanted[row.case_id]
        kept = found.setdefault(plan.connection_id, [])
        if row.device == plan.probe_device and len(kept) < 3:
            kept.append(row)
    return found
