"""Files and devices over HTTP: what Defender says, file analyses, snapshots compared."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from artifacts.analysis import MOST_BYTES
from artifacts.comparing import BY_NAME, Difference
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.api.schemas import IndicatorVerdict
from ircase.models import Evidence, Indicator, Tlp
from liveresponse.models import FileAnalysis, Lookup
from liveresponse.services import analyses, comparisons, lookups
from liveresponse.services import devices as device_services
from liveresponse.services import files as file_services

router = Router(tags=["Files and devices"])
_MOST = 500


class LookupOut(Schema):
    """What Defender was asked and answered; `answers` by question, each with its state and its time."""

    uuid: UUID
    kind: str
    key: str
    state: str
    status_text: str
    failure: str
    requested_at: datetime
    ended_at: datetime | None
    answers: dict[str, Any]
    evidence: UUID | None

    @staticmethod
    def resolve_evidence(row: Lookup) -> UUID | None:
        return row.evidence.uuid if row.evidence else None


class FileOut(Schema):
    """What the case knows of a file."""

    digest: str
    hashes: dict[str, str]
    verdict: str
    indicators: list[UUID]
    exhibits: list[UUID]
    analyses: list[UUID]
    lookup: LookupOut | None


class DeviceOut(Schema):
    """What the case knows of a device."""

    title: str
    names: list[str]
    machine_id: str
    asset: UUID | None
    collections: list[UUID]
    exhibits: list[UUID]
    lookup: LookupOut | None


class AnalysisIn(Schema):
    """An exhibit to read, or text, which becomes one."""

    evidence: UUID | None = None
    text: str = Field("", max_length=MOST_BYTES)
    file_hash: str = Field("", max_length=64)


class AnalysisOut(Schema):
    uuid: UUID
    state: str
    reason: str
    file_hash: str
    evidence: UUID
    queued_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_evidence(row: FileAnalysis) -> UUID:
        return row.evidence.uuid


class AnalysisDetail(AnalysisOut):
    document: dict[str, Any]


class TakeIn(Schema):
    """Numbers of the document's `entities`, from 0."""

    numbers: list[int] = Field(max_length=analyses.MOST_TAKEN)
    tlp: Tlp = Tlp.AMBER
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN


class TakenOut(Schema):
    new: int
    known: int
    refused: list[str]


class SnapshotOut(Schema):
    evidence: UUID
    table: str
    at: datetime
    family: str
    rows: int


class DifferenceOut(Schema):
    what: str
    title: str
    row: int
    facts: dict[str, str]
    changes: dict[str, tuple[str, str]]


class ComparisonOut(Schema):
    """Two snapshots of one category; `choices` are all there are, the oldest first."""

    category: str
    choices: list[SnapshotOut]
    before: SnapshotOut | None
    after: SnapshotOut | None
    same: int
    differences: list[DifferenceOut]


def digest_of(text: str) -> str:
    try:
        return lookups.clean_hash(text)
    except ValidationError:
        raise Http404("No such file.") from None


def device_of(text: str) -> str:
    try:
        return lookups.clean_device(text)
    except ValidationError:
        raise Http404("No such device.") from None


@router.get("/cases/{reference}/files/{digest}", response=FileOut, summary="What is known of a file, by its hash")
def get_file(request: HttpRequest, reference: str, digest: str) -> dict[str, Any]:
    known = file_services.known(case_of(request, reference), digest_of(digest))
    return {
        "digest": known.digest,
        "hashes": known.hashes,
        "verdict": known.indicator.verdict if known.indicator else "",
        "indicators": [one.uuid for one in known.indicators],
        "exhibits": [one.uuid for one in known.exhibits],
        "analyses": [one.uuid for one in known.analyses],
        "lookup": known.lookup,
    }


@router.post("/cases/{reference}/files/{digest}/ask", response={202: LookupOut}, summary="Ask Defender about it")
def ask_about_file(request: HttpRequest, reference: str, digest: str) -> Status[Lookup]:
    case = open_case_of(request, reference)
    return Status(202, lookups.ask(case=case, actor=person(request), kind="file", key=digest_of(digest)))


@router.get("/cases/{reference}/devices/{device}", response=DeviceOut, summary="What is known of a device")
def get_device(request: HttpRequest, reference: str, device: str) -> dict[str, Any]:
    case = case_of(request, reference)
    known = device_services.known(case, device_of(device))
    return {
        "title": known.title,
        "names": sorted(known.names),
        "machine_id": known.machine_id,
        "asset": known.asset.uuid if known.asset else None,
        "collections": [one.uuid for one in device_services.collections_of(case, known)],
        "exhibits": [one.uuid for one in device_services.exhibits_of(case, known)],
        "lookup": known.lookup,
    }


@router.post("/cases/{reference}/devices/{device}/ask", response={202: LookupOut}, summary="Ask Defender about it")
def ask_about_device(request: HttpRequest, reference: str, device: str) -> Status[Lookup]:
    case = open_case_of(request, reference)
    return Status(202, device_services.ask(case=case, actor=person(request), name=device_of(device)))


@router.get(
    "/cases/{reference}/devices/{device}/comparison",
    response=ComparisonOut,
    summary="What changed between two snapshots",
)
def compare_snapshots(
    request: HttpRequest, reference: str, device: str, category: str = "autoruns", before: str = "", after: str = ""
) -> dict[str, Any]:
    """Two snapshots of one device, by their exhibits; without them the last two."""
    case = case_of(request, reference)
    if category not in BY_NAME:
        raise ValidationError({"category": f"One of {', '.join(BY_NAME)}."})
    known = device_services.known(case, device_of(device))
    keys = comparisons.parse_keys([before, after])
    pair = comparisons.pair(comparisons.snapshots_of(case, known), category, *keys)
    compared = comparisons.compared(pair, known, person(request))
    return {
        "category": category,
        "choices": [_snapshot(one) for one in pair.choices],
        "before": _snapshot(pair.before) if pair.before else None,
        "after": _snapshot(pair.after) if pair.after else None,
        "same": compared.same if compared else 0,
        "differences": [_difference(one) for one in compared.all] if compared else [],
    }


def _snapshot(one: comparisons.Snapshot) -> dict[str, Any]:
    table = one.table
    return {
        "evidence": table.evidence.uuid,
        "table": table.name,
        "at": one.at,
        "family": one.family,
        "rows": table.row_count,
    }


def _difference(one: Difference) -> dict[str, Any]:
    thing = one.thing
    return {
        "what": one.what,
        "title": thing.title,
        "row": thing.number,
        "facts": {**thing.facts, **thing.shown},
        "changes": one.changes,
    }


@router.get("/cases/{reference}/file-analyses", response=list[AnalysisOut], summary="Analyses of files, newest first")
def list_analyses(request: HttpRequest, reference: str) -> Any:
    rows = FileAnalysis.objects.for_case(case_of(request, reference)).select_related("evidence").defer("document")
    return rows[:_MOST]


@router.post(
    "/cases/{reference}/file-analyses", response={202: AnalysisOut}, summary="Read an analysis that Live Response made"
)
def read_analysis(request: HttpRequest, reference: str, payload: AnalysisIn) -> Status[FileAnalysis]:
    case, actor = open_case_of(request, reference), person(request)
    digest = lookups.clean_hash(payload.file_hash) if payload.file_hash else ""
    if payload.evidence is None:
        return Status(202, analyses.seal_text(case=case, actor=actor, text=payload.text, file_hash=digest))
    item = get_object_or_404(Evidence, case=case, uuid=payload.evidence)
    return Status(202, analyses.queue(evidence=item, actor=actor, file_hash=digest))


@router.get("/cases/{reference}/file-analyses/{uuid}", response=AnalysisDetail, summary="One analysis")
def get_analysis(request: HttpRequest, reference: str, uuid: UUID) -> FileAnalysis:
    rows = FileAnalysis.objects.for_case(case_of(request, reference)).select_related("evidence")
    return get_object_or_404(rows, uuid=uuid)


@router.post(
    "/cases/{reference}/file-analyses/{uuid}/indicators",
    response=TakenOut,
    summary="Make some of it indicators of the case",
)
def take_indicators(request: HttpRequest, reference: str, uuid: UUID, payload: TakeIn) -> analyses.Taken:
    """Make indicators of what the analysis names, each once."""
    case = open_case_of(request, reference)
    row = get_object_or_404(FileAnalysis.objects.for_case(case).select_related("case", "evidence"), uuid=uuid)
    return analyses.take(
        row=row, actor=person(request), numbers=payload.numbers, tlp=payload.tlp, verdict=payload.verdict
    )
