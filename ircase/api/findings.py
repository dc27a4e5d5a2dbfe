"""Assets, indicators and events of a case."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Window, page_of
from ircase.api.schemas import AssetKind, IndicatorKind, IndicatorVerdict
from ircase.models import Asset, Event, Indicator, Tlp
from ircase.services import findings

router = Router(tags=["Findings"])
_LONG = 20_000


class AssetOut(Schema):
    uuid: UUID
    kind: str
    name: str
    identifier: str
    compromise: str
    description: str
    details: dict[str, Any]
    provenance: dict[str, Any]
    added_at: datetime


class AssetNew(Schema):
    kind: AssetKind
    name: str = Field(min_length=1, max_length=255)
    identifier: str = Field("", max_length=255)
    description: str = Field("", max_length=_LONG)
    compromise: Asset.Compromise = Asset.Compromise.UNKNOWN


class AssetJudged(Schema):
    compromise: Asset.Compromise
    description: str | None = Field(None, max_length=_LONG)


class IndicatorOut(Schema):
    uuid: UUID
    kind: str
    value: str
    tlp: str
    verdict: str
    description: str
    first_seen: datetime | None
    last_seen: datetime | None
    provenance: dict[str, Any]
    added_at: datetime


class IndicatorNew(Schema):
    kind: IndicatorKind
    value: str = Field(min_length=1, max_length=2048, description="Defanged text is made whole.")
    description: str = Field("", max_length=_LONG)
    tlp: Tlp = Tlp.AMBER
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN
    first_seen: AwareDatetime | None = None
    last_seen: AwareDatetime | None = None


class IndicatorJudged(Schema):
    verdict: IndicatorVerdict
    description: str | None = Field(None, max_length=_LONG)


class EventOut(Schema):
    uuid: UUID
    at: datetime
    title: str
    description: str
    technique: str
    lane: str
    source: str
    row: dict[str, Any]
    in_report: bool
    assets: list[UUID]
    provenance: dict[str, Any]
    added_at: datetime

    @staticmethod
    def resolve_assets(event: Event) -> list[UUID]:
        return [asset.uuid for asset in event.assets.all()]


class EventNew(Schema):
    at: AwareDatetime
    title: str = Field(min_length=1, max_length=300)
    description: str = Field("", max_length=_LONG)
    technique: str = Field("", max_length=16, description="An ATT&CK technique id, as in T1547.001.")
    lane: Event.Lane = Event.Lane.ATTACKER
    source: str = Field("", max_length=64)
    assets: list[UUID] = Field(default_factory=list, max_length=100)


class EventEdit(Schema):
    at: AwareDatetime | None = None
    title: str | None = Field(None, min_length=1, max_length=300)
    description: str | None = Field(None, max_length=_LONG)
    technique: str | None = Field(None, max_length=16)
    lane: Event.Lane | None = None
    in_report: bool | None = None


@router.get("/cases/{reference}/assets", response=Page[AssetOut], summary="Who and what was touched")
def list_assets(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Asset.objects.filter(case=case_of(request, reference)), window)


@router.post("/cases/{reference}/assets", response={200: AssetOut, 201: AssetOut}, summary="Add; 200 if it was there")
def add_asset(request: HttpRequest, reference: str, body: AssetNew) -> Status[Asset]:
    case = open_case_of(request, reference)
    asset, new = findings.add_asset(case=case, actor=person(request), **body.dict())
    return Status(201 if new else 200, asset)


@router.patch("/cases/{reference}/assets/{uuid}", response=AssetOut, summary="Judge")
def judge_asset(request: HttpRequest, reference: str, uuid: UUID, body: AssetJudged) -> Asset:
    asset = get_object_or_404(Asset, case=open_case_of(request, reference), uuid=uuid)
    text = asset.description if body.description is None else body.description
    return findings.judge_asset(asset=asset, actor=person(request), compromise=body.compromise, description=text)


class AssetRemoval(Schema):
    reason: str = Field(min_length=1, max_length=2000)


@router.post("/cases/{reference}/assets/{uuid}/removal", response={204: None}, summary="Off the case, with the reason")
def remove_asset(request: HttpRequest, reference: str, uuid: UUID, body: AssetRemoval) -> Status[None]:
    asset = get_object_or_404(Asset, case=open_case_of(request, reference), uuid=uuid)
    findings.remove_asset(asset=asset, actor=person(request), reason=body.reason)
    return Status(204, None)


@router.get("/cases/{reference}/indicators", response=Page[IndicatorOut], summary="What to look for")
def list_indicators(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Indicator.objects.filter(case=case_of(request, reference)), window)


@router.post(
    "/cases/{reference}/indicators",
    response={200: IndicatorOut, 201: IndicatorOut},
    summary="Add; 200 if it was there",
)
def add_indicator(request: HttpRequest, reference: str, body: IndicatorNew) -> Status[Indicator]:
    case = open_case_of(request, reference)
    indicator, new = findings.add_indicator(case=case, actor=person(request), **body.dict())
    return Status(201 if new else 200, indicator)


@router.patch("/cases/{reference}/indicators/{uuid}", response=IndicatorOut, summary="Judge")
def judge_indicator(request: HttpRequest, reference: str, uuid: UUID, body: IndicatorJudged) -> Indicator:
    found = get_object_or_404(Indicator, case=open_case_of(request, reference), uuid=uuid)
    text = found.description if body.description is None else body.description
    return findings.judge_indicator(indicator=found, actor=person(request), verdict=body.verdict, description=text)


@router.get("/cases/{reference}/events", response=Page[EventOut], summary="The timeline")
def list_events(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Event.objects.filter(case=case_of(request, reference)).prefetch_related("assets"), window)


@router.post("/cases/{reference}/events", response={201: EventOut}, summary="Add to the timeline")
def add_event(request: HttpRequest, reference: str, body: EventNew) -> Status[Event]:
    case = open_case_of(request, reference)
    assets = [get_object_or_404(Asset, case=case, uuid=uuid) for uuid in body.assets]
    values = body.dict(exclude={"assets"})
    return Status(201, findings.add_event(case=case, actor=person(request), assets=assets, **values))


@router.patch("/cases/{reference}/events/{uuid}", response=EventOut, summary="Change its words or time")
def edit_event(request: HttpRequest, reference: str, uuid: UUID, body: EventEdit) -> Event:
    event = get_object_or_404(Event, case=open_case_of(request, reference), uuid=uuid)
    changes = {name: value for name, value in body.dict(exclude_unset=True).items() if value is not None}
    return findings.edit_event(event=event, actor=person(request), **changes) if changes else event


@router.delete("/cases/{reference}/events/{uuid}", response={204: None}, summary="Take off the timeline")
def remove_event(request: HttpRequest, reference: str, uuid: UUID, reason: str = "") -> Status[None]:
    event = get_object_or_404(Event, case=open_case_of(request, reference), uuid=uuid)
    findings.remove_event(event=event, actor=person(request), reason=reason[:2000])
    return Status(204, None)
