"""Assets, indicators and events of a case."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.manner import etags
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import AssetKind, IndicatorKind, IndicatorVerdict
from ircase.curated import asking, spreadsheet
from ircase.models import Asset, Case, Event, Indicator, Pap, Tlp
from ircase.services.analysis import findings
from ircase.services.analysis.findings import clean
from ircase.services.vault import delivery

router = Router(tags=["Findings"])
_LONG = 20_000
# What a change may take away: given as null it is.
_EMPTIED = frozenset({"until", "discovered_at", "first_seen", "last_seen", "expires_at"})
_ASSET = "/cases/{reference}/assets/{uuid}"
_INDICATOR = "/cases/{reference}/indicators/{uuid}"
_EVENT = "/cases/{reference}/events/{uuid}"
etags.guard(
    _ASSET, lambda reference, uuid: Asset.objects.filter(case__reference=reference, uuid=uuid), acts=("removal",)
)
etags.guard(_INDICATOR, lambda reference, uuid: Indicator.objects.filter(case__reference=reference, uuid=uuid))
etags.guard(_EVENT, lambda reference, uuid: Event.objects.filter(case__reference=reference, uuid=uuid))


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
    pap: str
    verdict: str
    verdict_reason: str
    verdict_by: str | None
    verdict_at: datetime | None
    description: str
    first_seen: datetime | None
    last_seen: datetime | None
    expires_at: datetime | None
    tags: list[str]
    provenance: dict[str, Any]
    added_at: datetime

    @staticmethod
    def resolve_verdict_by(indicator: Indicator) -> str | None:
        return indicator.verdict_by.username if indicator.verdict_by else None

    @staticmethod
    def resolve_tags(indicator: Indicator) -> list[str]:
        return [tag.name for tag in indicator.tags.all()]


class IndicatorNew(Schema):
    kind: IndicatorKind
    value: str = Field(min_length=1, max_length=2048, description="Defanged text is made whole.")
    description: str = Field("", max_length=_LONG)
    tlp: Tlp = Tlp.AMBER
    pap: Pap = Pap.AMBER
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN
    verdict_reason: str = Field("", max_length=_LONG)
    first_seen: AwareDatetime | None = None
    last_seen: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    tags: list[str] = Field(default_factory=list, max_length=20)


class IndicatorJudged(Schema):
    """What is not given stays."""

    verdict: IndicatorVerdict | None = None
    verdict_reason: str | None = Field(None, max_length=_LONG)
    description: str | None = Field(None, max_length=_LONG)
    tlp: Tlp | None = None
    pap: Pap | None = None
    first_seen: AwareDatetime | None = None
    last_seen: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    tags: list[str] | None = Field(None, max_length=20)


class TechniqueUse(Schema):
    technique: str = Field(max_length=16, description="An ATT&CK technique id, as in T1547.001.")
    tactic: str = Field("", max_length=40, description="What it served, as in Persistence; empty: not said.")


class TechniqueOut(TechniqueUse):
    version: str = Field(description="The ATT&CK data that named it.")


class EventOut(Schema):
    uuid: UUID
    at: datetime
    until: datetime | None
    precision: str
    zone: str
    given: str
    discovered_at: datetime | None
    title: str
    description: str
    technique: str = Field(description="The first of `techniques`.")
    techniques: list[TechniqueOut]
    lane: str
    source: str
    row: dict[str, Any]
    in_report: bool
    assets: list[UUID]
    indicators: list[UUID]
    tags: list[str]
    provenance: dict[str, Any]
    added_at: datetime

    @staticmethod
    def resolve_assets(event: Event) -> list[UUID]:
        return [asset.uuid for asset in event.assets.all()]

    @staticmethod
    def resolve_indicators(event: Event) -> list[UUID]:
        return [indicator.uuid for indicator in event.indicators.all()]

    @staticmethod
    def resolve_tags(event: Event) -> list[str]:
        return [tag.name for tag in event.tags.all()]

    @staticmethod
    def resolve_techniques(event: Event) -> list[Any]:
        return list(event.techniques.all())


class EventTime(Schema):
    """How exactly a time is known. `until` belongs to `between` alone."""

    until: AwareDatetime | None = None
    precision: Event.Precision = Event.Precision.EXACT
    zone: str = Field("", max_length=64, description="The zone the time was given in; `at` itself names its offset.")
    given: str = Field("", max_length=120, description="The time as it was written.")


class EventNew(EventTime):
    at: AwareDatetime
    title: str = Field(min_length=1, max_length=300)
    description: str = Field("", max_length=_LONG)
    technique: str = Field("", max_length=16, description="An ATT&CK technique id, as in T1547.001.")
    lane: Event.Lane = Event.Lane.ATTACKER
    source: str = Field("", max_length=64)
    techniques: list[TechniqueUse] = Field(default_factory=list, max_length=20)
    assets: list[UUID] = Field(default_factory=list, max_length=100)
    indicators: list[UUID] = Field(default_factory=list, max_length=100)
    tags: list[str] = Field(default_factory=list, max_length=20)
    in_report: bool = True
    discovered_at: AwareDatetime | None = None


class EventEdit(Schema):
    at: AwareDatetime | None = None
    until: AwareDatetime | None = None
    precision: Event.Precision | None = None
    zone: str | None = Field(None, max_length=64)
    given: str | None = Field(None, max_length=120)
    discovered_at: AwareDatetime | None = None
    techniques: list[TechniqueUse] | None = Field(None, max_length=20)
    assets: list[UUID] | None = Field(None, max_length=100)
    indicators: list[UUID] | None = Field(None, max_length=100)
    tags: list[str] | None = Field(None, max_length=20)
    title: str | None = Field(None, min_length=1, max_length=300)
    description: str | None = Field(None, max_length=_LONG)
    technique: str | None = Field(None, max_length=16)
    lane: Event.Lane | None = None
    in_report: bool | None = None


class IndicatorsWanted(Window):
    kind: IndicatorKind | None = None
    verdict: IndicatorVerdict | None = None
    tag: str = Field("", max_length=40)
    q: str = Field("", max_length=200, description="Words of the value or the description; all of them.")


class EventsAsked(Schema):
    lane: str = Field("", max_length=10)
    tactic: str = Field("", max_length=40)
    technique: str = Field("", max_length=16, description="Brings its sub-techniques.")
    asset: str = Field("", max_length=36)
    indicator: str = Field("", max_length=36)
    tag: str = Field("", max_length=40)
    q: str = Field("", max_length=200)
    since: str = Field("", max_length=40)
    until: str = Field("", max_length=40, description="Exclusive.")
    report: str = Field("", max_length=3, description="yes or no.")
    by: str = Field("", max_length=10, description="discovery: by the time of discovery.")


class EventsWanted(EventsAsked, Window):
    pass


class EventSheetAsked(EventsAsked):
    zone: str = Field("", max_length=64, description="Of the times, as in Europe/Copenhagen; empty: your own.")


@router.get("/cases/{reference}/assets", response=Page[AssetOut], summary="Who and what was touched")
def list_assets(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(Asset.objects.filter(case=case_of(request, reference)), window)


@router.post("/cases/{reference}/assets", response={200: AssetOut, 201: AssetOut}, summary="Add; 200 if it was there")
def add_asset(request: HttpRequest, reference: str, body: AssetNew) -> Status[Asset]:
    case = open_case_of(request, reference)
    asset, new = findings.add_asset(case=case, actor=person(request), **body.dict())
    return Status(201 if new else 200, asset)


@router.get(_ASSET, response=AssetOut, summary="One asset")
def get_asset(request: HttpRequest, reference: str, uuid: UUID) -> Asset:
    return get_object_or_404(Asset, case=case_of(request, reference), uuid=uuid)


@router.patch(_ASSET, response=AssetOut, summary="Judge")
def judge_asset(request: HttpRequest, reference: str, uuid: UUID, body: AssetJudged) -> Asset:
    asset = get_object_or_404(Asset, case=open_case_of(request, reference), uuid=uuid)
    text = asset.description if body.description is None else body.description
    return findings.judge_asset(asset=asset, actor=person(request), compromise=body.compromise, description=text)


class AssetRemoval(Schema):
    reason: str = Field(min_length=1, max_length=2000)


@router.post("/cases/{reference}/assets/{uuid}/removal", response={204: None}, summary="Off the case, with the reason")
def remove_asset(request: HttpRequest, reference: str, uuid: UUID, body: AssetRemoval) -> Status[None]:
    asset = get_object_or_404(Asset, case=open_case_of(request, reference, access.LEAD), uuid=uuid)
    findings.remove_asset(asset=asset, actor=person(request), reason=body.reason)
    return Status(204, None)


@router.get("/cases/{reference}/indicators", response=Page[IndicatorOut], summary="What to look for")
def list_indicators(request: HttpRequest, reference: str, wanted: Query[IndicatorsWanted]) -> dict[str, Any]:
    found = Indicator.objects.filter(case=case_of(request, reference))
    for name in ("kind", "verdict"):
        if value := getattr(wanted, name):
            found = found.filter(**{name: value})
    if wanted.tag:
        found = found.filter(tags__name=wanted.tag.lower())
    for word in clean(wanted.q).split()[:8]:
        found = found.filter(Q(value__icontains=word) | Q(description__icontains=word))
    return page_of(found.select_related("verdict_by").prefetch_related("tags"), wanted)


@router.post(
    "/cases/{reference}/indicators",
    response={200: IndicatorOut, 201: IndicatorOut},
    summary="Add; 200 if it was there",
)
def add_indicator(request: HttpRequest, reference: str, body: IndicatorNew) -> Status[Indicator]:
    case = open_case_of(request, reference)
    indicator, new = findings.add_indicator(case=case, actor=person(request), **body.dict())
    return Status(201 if new else 200, indicator)


@router.get(_INDICATOR, response=IndicatorOut, summary="One indicator")
def get_indicator(request: HttpRequest, reference: str, uuid: UUID) -> Indicator:
    return get_object_or_404(Indicator, case=case_of(request, reference), uuid=uuid)


@router.patch(_INDICATOR, response=IndicatorOut, summary="Judge")
def judge_indicator(request: HttpRequest, reference: str, uuid: UUID, body: IndicatorJudged) -> Indicator:
    """A verdict, with or without words, is judged; the rest is edited."""
    found = get_object_or_404(Indicator, case=open_case_of(request, reference), uuid=uuid)
    given = body.dict(exclude_unset=True)
    verdict, reason = given.pop("verdict", None), given.pop("verdict_reason", None)
    changes = {name: value for name, value in given.items() if value is not None or name in _EMPTIED}
    with transaction.atomic():
        if verdict is not None or reason is not None:
            findings.judge_indicator(
                indicator=found, actor=person(request), verdict=verdict or found.verdict, reason=reason
            )
        if changes:
            findings.edit_indicator(indicator=found, actor=person(request), **changes)
    return found


@router.get("/cases/{reference}/events", response=Page[EventOut], summary="The timeline")
def list_events(request: HttpRequest, reference: str, wanted: Query[EventsWanted]) -> dict[str, Any]:
    """The filter is the page's; a time without a zone is of your own."""
    case = case_of(request, reference)
    query = QueryDict(urlencode(wanted.dict(exclude={"limit", "offset"})))
    found = asking.events(case, asking.read(query, person(request)))
    return page_of(found.prefetch_related("assets", "indicators", "tags", "techniques"), wanted)


@router.get("/cases/{reference}/events.csv", response={200: bytes}, summary="The timeline for a spreadsheet")
def get_event_sheet(request: HttpRequest, reference: str, wanted: Query[EventSheetAsked]) -> StreamingHttpResponse:
    """UTF-8 with a byte order mark. The header names the zone of the times; a cell that a spreadsheet would take for a
    formula begins with an apostrophe. What comes back into a case is the file for Timesketch, not this."""
    case, actor = case_of(request, reference), person(request)
    asked = asking.read(QueryDict(urlencode(wanted.dict(exclude={"zone"}))), actor)
    chunks = spreadsheet.hand_out(case=case, actor=actor, asked=asked, zone=wanted.zone)
    return delivery.attachment(chunks, name=spreadsheet.name_of(case))


@router.post("/cases/{reference}/events", response={201: EventOut}, summary="Add to the timeline")
def add_event(request: HttpRequest, reference: str, body: EventNew) -> Status[Event]:
    case = open_case_of(request, reference)
    values = body.dict() | _named(case, body.dict())
    return Status(201, findings.add_event(case=case, actor=person(request), **values))


def _named(case: Case, given: dict[str, Any]) -> dict[str, Any]:
    """What an event names, as rows of the case; 404 for what is not the case's."""
    found: dict[str, Any] = {}
    for name, rows in (("assets", case.assets), ("indicators", case.indicators)):
        if given.get(name) is not None:
            wanted = set(given[name])
            found[name] = list(rows.filter(uuid__in=wanted))
            if len(found[name]) != len(wanted):
                raise Http404(f"Not all of these {name} are the case's.")
    if given.get("techniques") is not None:
        found["techniques"] = [findings.Use(one["technique"], one["tactic"]) for one in given["techniques"]]
    return found


@router.get(_EVENT, response=EventOut, summary="One event")
def get_event(request: HttpRequest, reference: str, uuid: UUID) -> Event:
    return get_object_or_404(Event, case=case_of(request, reference), uuid=uuid)


@router.patch(_EVENT, response=EventOut, summary="Change its words or time")
def edit_event(request: HttpRequest, reference: str, uuid: UUID, body: EventEdit) -> Event:
    case = open_case_of(request, reference)
    event = get_object_or_404(Event, case=case, uuid=uuid)
    given = body.dict(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None or name in _EMPTIED}
    changes |= _named(case, changes)
    if changes.get("precision", event.precision) != Event.Precision.BETWEEN and event.until:
        changes["until"] = None
    return findings.edit_event(event=event, actor=person(request), **changes) if changes else event


@router.delete(_EVENT, response={204: None}, summary="Take off the timeline")
def remove_event(request: HttpRequest, reference: str, uuid: UUID, reason: str = "") -> Status[None]:
    event = get_object_or_404(Event, case=open_case_of(request, reference, access.LEAD), uuid=uuid)
    findings.remove_event(event=event, actor=person(request), reason=reason[:2000])
    return Status(204, None)
