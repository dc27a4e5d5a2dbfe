"""Approvals: what waits for my yes, what I asked for, what was decided."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.models import Approval
from ircase.services import approvals
from ircase.services.inbox import decided, find, mine, waiting_for

SHOWN = 100


@login_required
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    context = {
        "waiting": waiting_for(user)[:SHOWN],
        "mine": mine(user)[:SHOWN],
        "decided": decided(user)[:SHOWN],
    }
    return render(request, "approvals/inbox.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def approval(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is asked, as it is bound; a lead who did not ask decides."""
    user = access.current_user(request)
    found = find(user, uuid, access.LEAD if request.method == "POST" else access.VIEWER)
    if request.method == "POST":
        return _decide(request, found)
    context = {
        "approval": found,
        "case": found.case,
        "detail": [{"label": str(key), "value": value} for key, value in found.detail.items()],
        "expired": found.state == Approval.State.REQUESTED and found.expires_at <= timezone.now(),
        "own": found.requested_by_id == user.pk,
        "may_decide": access.may(found.case, access.LEAD) and found.requested_by_id != user.pk,
    }
    return render(request, "approvals/approval.html", context)


def _decide(request: HttpRequest, found: Approval) -> HttpResponse:
    decision = request.POST.get("decision")
    comment = request.POST.get("comment", "")[:2000]
    if decision not in ("approve", "reject"):
        messages.error(request, "Choose approve or reject.")
        return redirect("ircase:approval", found.uuid)
    try:
        approvals.decide(
            approval=found, actor=access.current_user(request), approve=decision == "approve", comment=comment
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:approval", found.uuid)
    messages.success(request, f"{'Approved' if decision == 'approve' else 'Rejected'}: {found.title}")
    return redirect("ircase:approvals")
