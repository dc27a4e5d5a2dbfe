"""Legal holds, and the review of evidence whose time is over."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count, Min, Sum
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case, Destruction, Evidence, LegalHold
from ircase.services.vault import destruction, holds, retention

router = Router(tags=["Holds and retention"])


class HoldIn(Schema):
    """`evidence` is an exhibit's uuid; without it the hold is on the whole case."""

    reason: str = Field(max_length=2000)
    evidence: UUID | None = None


class HoldOut(Schema):
    """`subject` is an exhibit such as E003, or “the whole case”."""

    uuid: UUID
    subject: str
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_at: datetime | None

    @staticmethod
    def resolve_placed_by(hold: LegalHold) -> str:
        return hold.placed_by.name


class LiftIn(Schema):
    reason: str = Field(max_length=2000)


class AskedOut(Schema):
    """The question that another lead of the case has to answer."""

    approval: UUID
    expires_at: datetime


class DueOut(Schema):
    """An exhibit whose time is over: closed more than `days` days ago."""

    uuid: UUID
    exhibit: str
    name: str
    size: int
    days: int | None


class DestroyIn(Schema):
    exhibits: list[str] = Field(min_length=1, max_length=destruction.MOST, description="Such as E001.")
    reason: str = Field(min_length=1, max_length=2000)


class DestructionOut(Schema):
    """`certificate` is there once it is done: what was destroyed, by whom, and what else there was of it."""

    uuid: UUID
    state: str
    why: str
    reason: str = Field(description="Why it was not done, or failed.")
    requested_by: str
    requested_at: datetime
    exhibits: list[str]
    approval: UUID | None = Field(description="The question to another lead.")
    certificate: dict[str, Any]
    certificate_sha256: str

    @staticmethod
    def resolve_requested_by(row: Destruction) -> str:
        return row.requested_by.name

    @staticmethod
    def resolve_exhibits(row: Destruction) -> list[str]:
        return [item.exhibit for item in sorted(row.exhibits.all(), key=lambda item: item.number)]

    @staticmethod
    def resolve_approval(row: Destruction) -> UUID | None:
        asked = destruction.approval_of(row)
        return asked.uuid if asked else None


class DestructionRow(Schema):
    uuid: UUID
    state: str
    why: str
    requested_at: datetime


class CaseDue(Schema):
    """A closed case with exhibits whose time is over: how many, and their bytes together."""

    case: str
    exhibits: int
    size: int
    closed: datetime


class KeepIn(Schema):
    exhibits: list[str] = Field(max_length=1000, description="Such as E001.")
    days: int = Field(ge=1, le=36_500)
    reason: str = Field(max_length=2000)


@router.get("/cases/{reference}/holds", response=Page[HoldOut], summary="The legal holds that stand, newest first")
def list_holds(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(holds.standing(case_of(request, reference)), window)


@router.post("/cases/{reference}/holds", response={201: HoldOut}, summary="Place a legal hold, as a lead, at once")
def place_hold(request: HttpRequest, reference: str, body: HoldIn) -> Status[LegalHold]:
    """A closed case can be held too."""
    case = case_of(request, reference, access.LEAD)
    item = get_object_or_404(Evidence, case=case, uuid=body.evidence) if body.evidence else None
    return Status(201, holds.place(case=case, actor=person(request), reason=body.reason, evidence=item))


@router.post(
    "/cases/{reference}/holds/{uuid}/lift", response={202: AskedOut}, summary="Ask another lead to lift a hold"
)
def lift_hold(request: HttpRequest, reference: str, uuid: UUID, body: LiftIn) -> Status[dict[str, Any]]:
    case = case_of(request, reference, access.LEAD)
    hold = get_object_or_404(LegalHold.objects.select_related("case", "evidence", "placed_by"), case=case, uuid=uuid)
    asked = holds.ask_to_lift(hold=hold, actor=person(request), reason=body.reason)
    return Status(202, {"approval": asked.uuid, "expires_at": asked.expires_at})


@router.get("/cases/{reference}/retention", response=Page[DueOut], summary="Exhibits whose time is over")
def list_due(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    case = case_of(request, reference)
    return page_of(retention.due(Case.objects.filter(pk=case.pk)).defer("manifest"), window)


@router.post("/cases/{reference}/retention", response={204: None}, summary="Keep exhibits for longer, as a lead")
def keep(request: HttpRequest, reference: str, body: KeepIn) -> Status[None]:
    """A closed case's evidence is what this is for. The log keeps who decided and why."""
    case = case_of(request, reference, access.LEAD)
    found = _exhibits(case, body.exhibits)
    retention.keep(case=case, actor=person(request), exhibits=found, days=body.days, reason=body.reason)
    return Status(204, None)


def _exhibits(case: Case, names: list[str]) -> list[Evidence]:
    """The exhibits of those names. Raises ValidationError where one is none of the case's."""
    numbers = {int(one[1:]) for one in names if one[:1] in "Ee" and one[1:].isdecimal() and len(one) < 9}
    found = list(Evidence.objects.filter(case=case, number__in=numbers))
    if len(found) != len(set(names)):
        raise ValidationError("One of these is no exhibit of the case. Write them as in: E001.")
    return found


@router.get("/retention", response=list[CaseDue], summary="Cases you may see with evidence whose time is over")
def list_cases_due(request: HttpRequest) -> Any:
    rows = retention.due(Case.objects.visible_to(person(request))).order_by().values("case__reference")
    found = rows.annotate(exhibits=Count("pk"), size=Sum("size"), closed=Min("case__closed_at"))
    return [{**row, "case": row["case__reference"]} for row in found.order_by("closed", "case__reference")]


@router.get("/cases/{reference}/destructions", response=Page[DestructionRow], summary="What was to be destroyed")
def list_destructions(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Destruction.objects.filter(case=case_of(request, reference)), window)


@router.post("/cases/{reference}/destructions", response={202: DestructionOut}, summary="Ask another lead to destroy")
def ask_destruction(request: HttpRequest, reference: str, body: DestroyIn) -> Status[Destruction]:
    """Nothing is touched until another lead of the case has said yes (POST /approvals/{uuid}/decision)."""
    case = case_of(request, reference, access.LEAD)
    found = _exhibits(case, body.exhibits)
    return Status(202, destruction.request(case=case, actor=person(request), exhibits=found, why=body.reason))


@router.get("/cases/{reference}/destructions/{uuid}", response=DestructionOut, summary="One, with its certificate")
def get_destruction(request: HttpRequest, reference: str, uuid: UUID) -> Destruction:
    rows = Destruction.objects.select_related("requested_by").prefetch_related("exhibits")
    return get_object_or_404(rows, case=case_of(request, reference), uuid=uuid)
