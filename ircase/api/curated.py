"""The timeline and the indicators beyond one at a time: bulk, files, ATT&CK, the graph, pasted text, known harmless."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, QueryDict
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import attackmatrix, libraries
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.onefile import ONE_FILE
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import IndicatorKind, IndicatorVerdict
from ircase.curated import asking, bringin, bulk, files
from ircase.entitygraph import graph
from ircase.indicators import bulk as many
from ircase.indicators import elsewhere, extract, harmless, pasting
from ircase.models import Event, FalsePositive, Indicator, IndicatorLook, Pap, Tlp
from ircase.services.transfer import uploads
from ircase.views.graph import as_json

router = Router(tags=["Findings"])
_TAGS: Any = Field(default_factory=list, max_length=20)


class EventsChange(Schema):
    """What is not given stays."""

    events: list[UUID] = Field(min_length=1, max_length=bulk.MOST)
    lane: Event.Lane | None = None
    in_report: bool | None = None
    add_technique: str = Field("", max_length=16)
    add_tags: list[str] = _TAGS
    remove_tags: list[str] = _TAGS


class Changed(Schema):
    changed: int


class BroughtIn(Schema):
    added: int
    doubles: int = Field(description="They were on the timeline, or stood in the file twice.")


class TechniqueSeen(Schema):
    technique: str
    name: str
    tactics: list[str]
    events: int
    alerts: int
    hunts: int
    hits: int = Field(description="Hunts that found rows.")
    former: list[str] = Field(description="Ids that were given up for this one and stand on the case.")


class AttackOut(Schema):
    version: str
    source: str
    techniques: list[TechniqueSeen]
    gaps: list[str] = Field(description="Seen in events, and no hunt has looked for them.")
    unknown: list[str]


class PasteIn(Schema):
    text: str = Field(max_length=extract.MOST_LETTERS)


class Recognised(Schema):
    kind: str
    value: str
    written: str = Field(description="How it stood there, where that differs.")
    times: int
    double: bool = Field(description="On the case already.")
    private: bool
    harmless: str = Field(description="Why the organisation knows it to be harmless; empty: it does not.")


class ChosenOne(Schema):
    kind: IndicatorKind
    value: str = Field(min_length=1, max_length=2048)


class IndicatorsChosen(Schema):
    """What the preview of a text gave, as far as it is wanted, and what all of them get."""

    indicators: list[ChosenOne] = Field(min_length=1, max_length=extract.MOST_FOUND)
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN
    tlp: Tlp = Tlp.AMBER
    pap: Pap = Pap.AMBER
    tags: list[str] = _TAGS
    description: str = Field("", max_length=1000)


class IndicatorsAdded(Schema):
    """`known` stood on the case already. `refused` says why others could not be kept, the first of them."""

    added: int
    known: int
    refused: list[str]


class IndicatorsChange(Schema):
    """What is not given stays."""

    indicators: list[UUID] = Field(min_length=1, max_length=many.MOST)
    verdict: IndicatorVerdict | None = None
    reason: str = Field("", max_length=2000)
    tlp: Tlp | None = None
    pap: Pap | None = None
    expires_at: AwareDatetime | None = None
    add_tags: list[str] = _TAGS
    remove_tags: list[str] = _TAGS


class LookIn(Schema):
    indicators: list[UUID] = Field(default_factory=list, max_length=elsewhere.MOST_WANTED, description="None: all.")


class LookOut(Schema):
    uuid: UUID
    state: str
    wanted: int
    found: int
    progress: dict[str, Any]
    problems: list[list[str]]
    reason: str

    @staticmethod
    def resolve_wanted(look: IndicatorLook) -> int:
        return len(look.wanted)


class SightingOut(Schema):
    table: UUID
    name: str
    column: str
    rows: int


class Elsewhere(Schema):
    case: str
    verdict: str


class Known(Schema):
    harmless: str
    tables: list[SightingOut]
    cases: list[Elsewhere] = Field(description="Other cases that you may see.")


class HarmlessIn(Schema):
    match: FalsePositive.Match
    value: str = Field(min_length=1, max_length=2048)
    reason: str = Field(min_length=1, max_length=500)
    expires_at: AwareDatetime | None = None


class HarmlessOut(Schema):
    uuid: UUID
    match: str
    value: str
    reason: str
    added_by: str
    added_at: datetime
    expires_at: datetime | None

    @staticmethod
    def resolve_added_by(entry: FalsePositive) -> str:
        return entry.added_by.username


@router.post("/cases/{reference}/events/changes", response=Changed, summary="Change many events at once")
def change_events(request: HttpRequest, reference: str, body: EventsChange) -> dict[str, int]:
    case = open_case_of(request, reference)
    values = body.dict(exclude={"events"}) | {"lane": body.lane or ""}
    return {"changed": bulk.change_events(case=case, actor=person(request), uuids=body.events, **values)}


@router.post(
    "/cases/{reference}/events/file",
    response=BroughtIn,
    openapi_extra=ONE_FILE,
    summary="Events of a JSONL or CSV onto the timeline",
)
def bring_events_in(request: HttpRequest, reference: str, zone: str = "") -> dict[str, int]:
    """The field `file` of multipart/form-data. A time that names no zone is one of `zone`; without it such a file is
    refused."""
    case = open_case_of(request, reference)
    file = uploads.receive_one(request, files.MOST_BYTES)
    data = file.read(files.MOST_BYTES + 1)
    done = bringin.bring_in(case=case, actor=person(request), data=data, name=file.name or "", zone=zone[:64])
    return {"added": done.added, "doubles": done.doubles}


@router.get("/cases/{reference}/attack", response=AttackOut, summary="ATT&CK of the case")
def attack_of_case(request: HttpRequest, reference: str) -> dict[str, Any]:
    case = case_of(request, reference)
    made = attackmatrix.matrix(case)
    seen, _, _ = attackmatrix.seen_of(case)
    known = made.release.techniques
    return {
        "version": made.release.version,
        "source": made.release.source,
        "techniques": [
            {"technique": number, "name": known[number].name, "tactics": list(known[number].tactics),
             "events": one.events, "alerts": one.alerts, "hunts": one.hunts, "hits": one.hits,
             "former": sorted(one.former)}
            for number, one in sorted(seen.items())
        ],
        "gaps": [one.id for one in made.gaps],
        "unknown": list(made.unknown),
    }  # fmt: skip


@router.get("/cases/{reference}/graph", response=dict[str, Any], summary="Assets and indicators, and what ties them")
def entity_graph(request: HttpRequest, reference: str, lane: str = "", since: str = "", until: str = "") -> Any:
    case = case_of(request, reference)
    query = QueryDict(mutable=True)
    query.update({"lane": lane, "since": since, "until": until})
    return as_json(case, graph(case, asking.read(query, person(request))))


@router.post("/cases/{reference}/indicators/preview", response=list[Recognised], summary="What a text holds; adds none")
def preview_indicators(request: HttpRequest, reference: str, body: PasteIn) -> list[dict[str, Any]]:
    return pasting.preview(open_case_of(request, reference), extract.extract(body.text))


@router.post("/cases/{reference}/indicators/chosen", response=IndicatorsAdded, summary="Add up to 5,000 at once")
def add_indicators(request: HttpRequest, reference: str, body: IndicatorsChosen) -> pasting.Added:
    case, more = open_case_of(request, reference), body.dict(exclude={"indicators"})
    chosen = [(one.kind, one.value) for one in body.indicators]
    return pasting.choose(case=case, actor=person(request), chosen=chosen, **more)


@router.post("/cases/{reference}/indicators/changes", response=Changed, summary="Change many indicators at once")
def change_indicators(request: HttpRequest, reference: str, body: IndicatorsChange) -> dict[str, int]:
    case = open_case_of(request, reference)
    given: dict[str, Any] = {name: value or "" for name, value in body.dict(include={"verdict", "tlp", "pap"}).items()}
    rest = body.dict(exclude={"indicators", *given})
    return {"changed": many.change_indicators(case=case, actor=person(request), uuids=body.indicators, **given, **rest)}


@router.post("/cases/{reference}/indicators/looks", response={202: LookOut}, summary="Look for them in the tables")
def look_for(request: HttpRequest, reference: str, body: LookIn) -> Status[IndicatorLook]:
    case = open_case_of(request, reference)
    return Status(202, elsewhere.ask(case=case, actor=person(request), uuids=body.indicators))


@router.get("/cases/{reference}/indicators/looks", response=Page[LookOut], summary="How far they are; the newest first")
def list_looks(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    return page_of(IndicatorLook.objects.filter(case=case_of(request, reference)), window)


@router.get("/cases/{reference}/indicators/{uuid}/known", response=Known, summary="Where else it is known")
def known_of(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    case = case_of(request, reference)
    indicator = get_object_or_404(case.indicators, uuid=uuid)
    entry = harmless.mark([indicator]).get(indicator.pk)
    return {
        "harmless": entry.reason if entry else "",
        "tables": [
            {"table": table.uuid, "name": table.name, "column": one.column, "rows": one.rows}
            for table, seen in elsewhere.sightings(indicator).items()
            for one in seen
        ],
        "cases": [
            {"case": one.case.reference, "verdict": one.verdict}
            for one in elsewhere.same(indicator, person(request))[:100]
        ],
    }


@router.get("/harmless", response=Page[HarmlessOut], summary="What the organisation knows to be harmless")
def list_harmless(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    return page_of(harmless.active().select_related("added_by"), window)


@router.post("/harmless", response={200: HarmlessOut, 201: HarmlessOut}, summary="Add; 200 if it was there")
def add_harmless(request: HttpRequest, body: HarmlessIn) -> Status[FalsePositive]:
    _keeper(request)
    entry, new = harmless.add(actor=person(request), **body.dict())
    return Status(201 if new else 200, entry)


@router.delete("/harmless/{uuid}", response={204: None}, summary="It marks nothing any more")
def withdraw_harmless(request: HttpRequest, uuid: UUID) -> Status[None]:
    _keeper(request)
    harmless.withdraw(entry=get_object_or_404(FalsePositive, uuid=uuid), actor=person(request))
    return Status(204, None)


def _keeper(request: HttpRequest) -> None:
    if not libraries.may_save(person(request)):
        raise PermissionDenied("This needs an analyst or an administrator.")
