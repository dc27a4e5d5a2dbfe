"""Clocks: deadlines of the law and of the organisation, started, ended, listed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.clocks import windows
from ircase.clocks.reading import Rule, regimes
from ircase.models import Case, Clock, Decision, Evidence, ReportBuild, ServiceLevel
from ircase.services.phases import clocks, servicelevels

router = Router(tags=["Clocks"])
_CLOCK = "/cases/{reference}/clocks/{uuid}"


class ClockOut(Schema):
    uuid: UUID
    case: str
    kind: str
    rule: str
    title: str
    law: str
    article: str
    source: str
    deliver: str
    counted: str
    basis: str
    started_at: datetime
    due_at: datetime
    state: str
    late: bool = Field(alias="is_late")
    delivered_at: datetime | None
    ended_at: datetime | None
    end_words: str
    evidence: UUID | None
    decision: UUID | None

    @staticmethod
    def resolve_case(clock: Clock) -> str:
        return clock.case.reference

    @staticmethod
    def resolve_evidence(clock: Clock) -> UUID | None:
        return clock.evidence.uuid if clock.evidence else None

    @staticmethod
    def resolve_decision(clock: Clock) -> UUID | None:
        return clock.decision.uuid if clock.decision else None


class WindowOut(Schema):
    """Until `due_at` it can be had."""

    key: str
    title: str
    text: str
    starts_at: datetime
    due_at: datetime
    source: str


class RuleOut(Schema):
    """A law's deadline; `automatic` says whether it starts by itself with its milestone."""

    id: str
    regime: str
    title: str
    law: str
    article: str
    source: str
    milestone: str
    after: str
    counted: str
    deliver: str
    note: str
    automatic: bool


class ClockStart(Schema):
    rule: str = Field(max_length=64)
    reason: str = Field(min_length=1, max_length=2000)
    at: AwareDatetime | None = Field(None, description="Left out: its milestone's time, else now.")
    decision: UUID | None = None


class Delivery(Schema):
    at: AwareDatetime | None = None
    words: str = Field("", max_length=2000)
    evidence: UUID | None = None
    report: UUID | None = None
    decision: UUID | None = None


class Dismissal(Schema):
    reason: str = Field(min_length=1, max_length=2000)
    decision: UUID | None = None


class Policy(Schema):
    automatic: bool


class LevelIn(Schema):
    name: str = Field(min_length=1, max_length=120)
    severity: str = Field("", description="Left out: every severity.")
    starts_from: str = "detected"
    met_by: str = ""
    amount: int = Field(ge=1, le=10_000)
    unit: str = "hours"
    calendar: str = ""
    contract: str = Field("", max_length=200)
    deliver: str = Field(min_length=1, max_length=300)
    active: bool = True


class LevelOut(LevelIn):
    pk: int


@router.get("/deadlines", response=Page[ClockOut], summary="Every clock that runs on a case you may see")
def list_deadlines(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    found = Clock.objects.running().seen_by(person(request)).ends_next()
    return page_of(found.select_related("case", "evidence", "decision"), window)


@router.get("/deadline-rules", response=list[RuleOut], summary="The laws' deadlines that there are")
def list_rules(request: HttpRequest) -> list[dict[str, Any]]:
    person(request)
    automatic = clocks.automatic_regimes()
    return [_rule(rule, automatic) for regime in regimes().values() for rule in regime.rules]


def _rule(rule: Rule, automatic: set[str]) -> dict[str, Any]:
    names = ("id", "regime", "title", "law", "article", "source", "milestone", "after", "counted", "deliver", "note")
    return {name: getattr(rule, name) for name in names} | {"automatic": rule.regime in automatic}


@router.put("/deadline-rules/{regime}", response=Policy, summary="Whether a law's clocks start by themselves")
def set_policy(request: HttpRequest, regime: str, body: Policy) -> Any:
    return clocks.set_policy(actor=person(request), regime=regime, automatic=body.automatic)


@router.get("/service-levels", response=list[LevelOut], summary="The organisation's service levels")
def list_levels(request: HttpRequest) -> list[ServiceLevel]:
    access.require_administrator(person(request))
    return list(ServiceLevel.objects.all())


@router.post("/service-levels", response={201: LevelOut}, summary="A new service level")
def add_level(request: HttpRequest, body: LevelIn) -> Status[ServiceLevel]:
    return Status(201, servicelevels.save(actor=person(request), **body.dict()))


@router.put("/service-levels/{pk}", response=LevelOut, summary="Change a service level")
def change_level(request: HttpRequest, pk: int, body: LevelIn) -> ServiceLevel:
    access.require_administrator(person(request))
    return servicelevels.save(actor=person(request), level=get_object_or_404(ServiceLevel, pk=pk), **body.dict())


@router.get("/cases/{reference}/clocks", response=Page[ClockOut], summary="The clocks of a case")
def list_clocks(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(clocks.of_case(case_of(request, reference)).select_related("case", "evidence", "decision"), window)


@router.get("/cases/{reference}/windows", response=list[WindowOut], summary="What can soon no longer be had")
def list_windows(request: HttpRequest, reference: str) -> list[windows.Window]:
    return windows.of_cases([case_of(request, reference)])


@router.post("/cases/{reference}/clocks", response={201: ClockOut}, summary="Start a law's clock")
def start_clock(request: HttpRequest, reference: str, body: ClockStart) -> Status[Clock]:
    case = open_case_of(request, reference, access.LEAD)
    decision = _decision(case, body.decision)
    made = clocks.start(
        case=case, actor=person(request), rule=body.rule, reason=body.reason, at=body.at, decision=decision
    )
    return Status(201, made)


@router.post(f"{_CLOCK}/delivery", response=ClockOut, summary="It was delivered")
def deliver_clock(request: HttpRequest, reference: str, uuid: UUID, body: Delivery) -> Clock:
    case = case_of(request, reference, access.LEAD)
    proof: dict[str, Any] = {
        "evidence": get_object_or_404(Evidence, case=case, uuid=body.evidence) if body.evidence else None,
        "report": get_object_or_404(ReportBuild, case=case, uuid=body.report) if body.report else None,
        "decision": _decision(case, body.decision),
    }
    clock = get_object_or_404(Clock, case=case, uuid=uuid)
    return clocks.deliver(clock=clock, actor=person(request), at=body.at, words=body.words, **proof)


@router.post(f"{_CLOCK}/dismissal", response=ClockOut, summary="It does not apply")
def dismiss_clock(request: HttpRequest, reference: str, uuid: UUID, body: Dismissal) -> Clock:
    case = case_of(request, reference, access.LEAD)
    clock = get_object_or_404(Clock, case=case, uuid=uuid)
    return clocks.dismiss(
        clock=clock, actor=person(request), reason=body.reason, decision=_decision(case, body.decision)
    )


def _decision(case: Case, uuid: UUID | None) -> Decision | None:
    return get_object_or_404(Decision.objects.filter(case=case), uuid=uuid) if uuid else None
