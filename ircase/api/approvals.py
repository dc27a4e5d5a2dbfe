"""Approvals: what waits, and the yes or no."""

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Schema
from pydantic import Field

from ircase import access
from ircase.api.auth import person, require_scope
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import ApprovalOut
from ircase.models import Approval, Scope
from ircase.services import approvals, inbox

router = Router(tags=["Approvals"])


class Box(Window):
    box: Literal["waiting", "mine", "decided"] = "waiting"


class Decision(Schema):
    approve: bool
    comment: str = Field("", max_length=2000)


@router.get("/approvals", response=Page[ApprovalOut], summary="What waits for you, what you asked, what was decided")
def list_approvals(request: HttpRequest, window: Query[Box]) -> dict[str, Any]:
    boxes = {"waiting": inbox.waiting_for, "mine": inbox.mine, "decided": inbox.decided}
    return page_of(boxes[window.box](person(request)), window)


@router.get("/approvals/{uuid}", response=ApprovalOut, summary="What is asked")
def get_approval(request: HttpRequest, uuid: UUID) -> Approval:
    return inbox.find(person(request), uuid, access.VIEWER)


@router.post("/approvals/{uuid}/decision", response=ApprovalOut, summary="Approve or reject; never one's own")
def decide(request: HttpRequest, uuid: UUID, body: Decision) -> Approval:
    """A yes that has something done on a device needs the scope `respond` too."""
    user = person(request)
    found = inbox.find(user, uuid, access.LEAD)
    if body.approve and approvals.is_of_devices(found):
        require_scope(request, Scope.RESPOND)
    approvals.decide(approval=found, actor=user, approve=body.approve, comment=body.comment)
    return inbox.find(user, uuid, access.VIEWER)
