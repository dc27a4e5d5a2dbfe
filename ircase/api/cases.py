"""Cases: opened, edited, moved, closed; their milestones and members."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access, shelf
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner import etags
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import ActivityOut, CaseDetail, CaseOut, LogOut, MemberOut, MilestoneKind, MilestoneOut
from ircase.models import (
    Activity,
    Case,
    CaseMember,
    CaseRole,
    Classification,
    Connection,
    Determination,
    LogEntry,
    Milestone,
    Phase,
    Severity,
    Tlp,
    User,
)
from ircase.services import cases
from ircase.services.casework import opening

router = Router(tags=["Cases"])
etags.guard(
    "/cases/{reference}",
    lambda reference: Case.objects.filter(reference=reference),
    acts=("phase", "close", "reopen", "confidentiality"),
)


class CaseFilter(Window):
    state: str = Field("", description="open or closed")
    phase: str = ""
    severity: str = ""
    q: str = Field("", max_length=200, description="A part of the reference or the title.")


class CaseNew(Schema):
    title: str = Field(min_length=1, max_length=200)
    playbook: str = ""
    severity: Severity = Severity.MEDIUM
    tlp: Tlp = Tlp.AMBER
    description: str = Field("", max_length=20_000)
    confidential: bool = False
    exercise: bool = False
    connection: str = Field("", description="The name of a connection.")
    detected: AwareDatetime | None = None
    device: str = Field("", max_length=255, description="The first device that is known.")
    account: str = Field("", max_length=255, description="The first account that is known.")


class CaseEdit(Schema):
    title: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=20_000)
    summary: str | None = Field(None, max_length=100_000)
    lessons: str | None = Field(None, max_length=100_000)
    severity: Severity | None = None
    tlp: Tlp | None = None
    classification: Classification | None = None
    determination: Determination | None = None
    exercise: bool | None = None


class PhaseMove(Schema):
    phase: Phase
    reason: str = Field(min_length=1, max_length=2000)
    despite: str = Field("", max_length=2000, description="Why it goes on with required items open, where it does.")


class Reason(Schema):
    reason: str = Field("", max_length=2000)


class Confidentiality(Schema):
    confidential: bool
    reason: str = Field(min_length=1, max_length=2000)


class Joining(Schema):
    reason: str = Field(min_length=1, max_length=2000)


class Connecting(Schema):
    connection: str = Field(max_length=255, description="The name of a connection.")


class MilestoneIn(Schema):
    at: AwareDatetime
    note: str = Field("", max_length=200)


class MemberIn(Schema):
    role: CaseRole
    duty: str = Field("", max_length=64)


@router.get("/cases", response=Page[CaseOut], summary="The cases you may see, the most urgent first")
def list_cases(request: HttpRequest, filters: Query[CaseFilter]) -> dict[str, Any]:
    found = Case.objects.visible_to(person(request)).most_urgent_first()
    if filters.state in ("open", "closed"):
        found = found.filter(closed_at__isnull=filters.state == "open")
    if filters.phase:
        found = found.filter(phase=filters.phase)
    if filters.severity:
        found = found.filter(severity=filters.severity)
    if filters.q:
        found = found.filter(title__icontains=filters.q) | found.filter(reference__icontains=filters.q)
    return page_of(found, filters)


@router.post("/cases", response={201: CaseDetail}, summary="Open a case")
def open_case(request: HttpRequest, body: CaseNew) -> Status[Case]:
    user = person(request)
    opening.require_opener(user)
    require_playbook(body.playbook)
    values = body.dict(exclude={"connection"})
    connection = get_object_or_404(Connection, name=body.connection, enabled=True) if body.connection else None
    case = opening.open_by_hand(actor=user, connection=connection, **values)
    return Status(201, access.get_case(user, case.reference))


def require_playbook(playbook: str) -> None:
    """Raise ValidationError with the names there are, where there is none of that name."""
    if playbook and shelf.playbook(playbook) is None:
        known = sorted(plan.id for plan in shelf.usable())
        raise ValidationError(f"There is no playbook {playbook[:64]!r}. There are: {', '.join(known)}.")


@router.get("/cases/{reference}", response=CaseDetail, summary="One case")
def get_case(request: HttpRequest, reference: str) -> Case:
    return case_of(request, reference)


@router.patch("/cases/{reference}", response=CaseDetail, summary="Change what is written about a case")
def edit_case(request: HttpRequest, reference: str, body: CaseEdit) -> Case:
    case = open_case_of(request, reference)
    changes = {name: value for name, value in body.dict(exclude_unset=True).items() if value is not None}
    cases.edit_case(case=case, actor=person(request), **changes)
    return case_of(request, reference)


@router.post("/cases/{reference}/phase", response=CaseDetail, summary="Move to another phase")
def move_phase(request: HttpRequest, reference: str, body: PhaseMove) -> Case:
    case = open_case_of(request, reference, access.LEAD)
    cases.move_phase(case=case, actor=person(request), phase=body.phase, reason=body.reason, despite=body.despite)
    return case_of(request, reference)


@router.post("/cases/{reference}/reopen", response=CaseDetail, summary="Open again")
def reopen_case(request: HttpRequest, reference: str, body: Reason) -> Case:
    cases.reopen_case(case=case_of(request, reference, access.LEAD), actor=person(request), reason=body.reason)
    return case_of(request, reference)


@router.post("/cases/{reference}/confidentiality", response=CaseDetail, summary="Make confidential, or ordinary")
def set_confidential(request: HttpRequest, reference: str, body: Confidentiality) -> Case:
    case = open_case_of(request, reference, access.LEAD)
    cases.set_confidential(case=case, actor=person(request), confidential=body.confidential, reason=body.reason)
    return case_of(request, reference)


@router.get("/cases/{reference}/milestones", response=list[MilestoneOut], summary="When it occurred, was detected …")
def list_milestones(request: HttpRequest, reference: str) -> list[Milestone]:
    return list(case_of(request, reference).milestones.all())


@router.put("/cases/{reference}/milestones/{kind}", response=MilestoneOut, summary="Set a milestone")
def set_milestone(request: HttpRequest, reference: str, kind: MilestoneKind, body: MilestoneIn) -> Milestone:
    case = open_case_of(request, reference)
    return cases.set_milestone(case=case, actor=person(request), kind=kind, at=body.at, note=body.note)


@router.get("/cases/{reference}/members", response=list[MemberOut], summary="Who is on the case")
def list_members(request: HttpRequest, reference: str) -> list[CaseMember]:
    return list(case_of(request, reference).members.select_related("user").order_by("user__username"))


@router.put("/cases/{reference}/members/{username}", response=MemberOut, summary="Add somebody, or change their role")
def set_member(request: HttpRequest, reference: str, username: str, body: MemberIn) -> CaseMember:
    case = case_of(request, reference, access.LEAD)
    user = get_object_or_404(User, username=username, is_active=True)
    return cases.set_member(case=case, actor=person(request), user=user, role=body.role, duty=body.duty)


@router.delete("/cases/{reference}/members/{username}", response={204: None}, summary="Take somebody off the case")
def remove_member(request: HttpRequest, reference: str, username: str) -> Status[None]:
    case = case_of(request, reference, access.LEAD)
    member = get_object_or_404(case.members.select_related("user"), user__username=username)
    cases.remove_member(case=case, actor=person(request), user=member.user)
    return Status(204, None)


@router.get("/cases/{reference}/activities", response=Page[ActivityOut], summary="Runs, collections, imports, reports")
def list_activities(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    found = Activity.objects.filter(case=case_of(request, reference)).select_related("requested_by")
    return page_of(found.prefetch_related("evidence"), window)


@router.get("/cases/{reference}/log", response=Page[LogOut], summary="Who did what, oldest first, as a chain")
def list_log(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(LogEntry.objects.filter(case=case_of(request, reference)).order_by("sequence"), window)


@router.post("/cases/{reference}/join", response={201: MemberOut}, summary="Join as an administrator, for a reason")
def join_case(request: HttpRequest, reference: str, body: Joining) -> Status[CaseMember]:
    """The way of an administrator into a case that they are not on. Its leads are told."""
    user = person(request)
    access.require_administrator(user)
    # The one look-up past `visible_to`: joining is what makes the case visible, and it is logged on the case.
    case = get_object_or_404(Case, reference=reference.upper())
    member = cases.join_as_administrator(case=case, actor=user, reason=body.reason)
    return Status(201, CaseMember.objects.select_related("user").get(pk=member.pk))


@router.put("/cases/{reference}/connection", response=CaseDetail, summary="Say which tenant it is about, once")
def connect_case(request: HttpRequest, reference: str, body: Connecting) -> Case:
    case = open_case_of(request, reference, access.LEAD)
    connection = Connection.objects.filter(name=body.connection).first()
    if connection is None:
        raise ValidationError("There is no connection of this name. GET /connections lists them.")
    cases.connect(case=case, actor=person(request), connection=connection)
    return case_of(request, reference)
