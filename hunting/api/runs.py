"""Runs over HTTP: queued, watched, read and judged, and rows made into findings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from hunting import catalogue, results
from hunting.api.library import hunt_or_404
from hunting.binding import AS_OF, SPAN, Frozen, attach, attach_kql, fill
from hunting.models import HuntRun, Source
from hunting.services import batches, rows, runs, sources
from hunting.views.doors import run_of
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.evidence import Rows, RowWindow, filters_of, rows_of
from ircase.api.findings import AssetOut, EventOut, IndicatorOut
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import ActivityVerdict, AssetKind, IndicatorKind, IndicatorVerdict
from ircase.grid import Condition
from ircase.models import Asset, Case, ChecklistItem, Event, Indicator
from ircase.services.analysis import rowsets

router = Router(tags=["Hunts"])
_CASE = "/cases/{reference}/hunts"
_RUN = f"{_CASE}/runs/{{uuid}}"
_LONG = 20_000


class RunOut(Schema):
    """One run. `reason` says why it waits, failed or was cancelled; `truncated` results say how in `truncated_by`."""

    uuid: UUID
    title: str
    hunt_id: str
    hunt_version: int
    pack: str
    state: str
    reason: str
    progress: dict[str, Any]
    attempt: int
    source: str
    final_kql: str
    kql_sha256: str
    parameters: dict[str, Any]
    window_start: datetime
    window_end: datetime
    requested_by: str
    queued_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    row_count: int | None
    truncated: bool
    truncated_by: str
    slices: int = Field(description="Of how many time slices the result is made; 0 where it came at once.")
    evidence: UUID | None
    table: UUID | None = Field(description="The table of its rows, for exports and stars.")
    request_ids: list[str]
    identity: str
    retry_of: UUID | None
    batch: UUID | None = Field(description="Shared by the runs of one question on several sources.")
    outcome: str
    verdict: str
    sentence: str

    @staticmethod
    def resolve_requested_by(run: HuntRun) -> str:
        return run.requested_by.username

    @staticmethod
    def resolve_evidence(run: HuntRun) -> UUID | None:
        return run.evidence.uuid if run.evidence else None

    @staticmethod
    def resolve_table(run: HuntRun) -> UUID | None:
        return run.table.uuid if run.table else None

    @staticmethod
    def resolve_retry_of(run: HuntRun) -> UUID | None:
        return run.retry_of.uuid if run.retry_of else None

    @staticmethod
    def resolve_outcome(run: HuntRun) -> str:
        return run.activity.outcome

    @staticmethod
    def resolve_verdict(run: HuntRun) -> str:
        return run.activity.verdict

    @staticmethod
    def resolve_sentence(run: HuntRun) -> str:
        return run.activity.sentence


class RunNew(Schema):
    """Either `hunt` with its `parameters`, or `kql` of your own over the `span` before `as_of`."""

    source: Source | None = None
    sources: list[Source] = Field(default_factory=list, max_length=len(Source), description="Ask each; one `batch`.")
    hunt: str = Field("", max_length=64)
    parameters: dict[str, Any] = Field(default_factory=dict, description="What is not given comes from the case.")
    kql: str = Field("", max_length=100_000)
    title: str = Field("", max_length=200)
    span: str = Field("", max_length=30, description="As in 48h or 7d; for `kql`.")
    as_of: AwareDatetime | None = Field(None, description="The end of the window; now, where it is not given.")


class HuntBatchOut(Schema):
    batch: UUID
    runs: list[RunOut]


class Frame(Schema):
    """What would run, word for word, without running it."""

    title: str
    final_kql: str
    kql_sha256: str
    window_start: datetime
    window_end: datetime
    tables_missing: list[str] = Field(description="Tables of the hunt that the source does not have.")


class Conclusion(Schema):
    """`proves` is the key of a step of the checklist; the run is linked to it as a proof."""

    verdict: ActivityVerdict
    sentence: str = Field("", max_length=2000)
    proves: str = Field("", max_length=64)


class RowEvent(Schema):
    """What is not given is taken from the row."""

    at: AwareDatetime | None = None
    title: str = Field("", max_length=300)
    technique: str | None = Field(None, max_length=16)
    lane: Event.Lane = Event.Lane.ATTACKER
    description: str = Field("", max_length=_LONG)


class RowAsset(Schema):
    kind: AssetKind
    name: str = Field(min_length=1, max_length=255)
    description: str = Field("", max_length=_LONG)


class RowIndicator(Schema):
    kind: IndicatorKind
    value: str = Field(min_length=1, max_length=2048)
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN
    description: str = Field("", max_length=_LONG)


@router.get(f"{_CASE}/runs", response=Page[RunOut], summary="Runs of a case, latest first")
def list_runs(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    case = case_of(request, reference)
    return page_of(HuntRun.objects.for_case(case).with_people().select_related("retry_of").latest_first(), window)


@router.post(f"{_CASE}/runs", response={202: RunOut}, summary="Run a hunt or KQL of your own, in the background")
def queue_run(request: HttpRequest, reference: str, body: RunNew) -> Status[HuntRun]:
    case = open_case_of(request, reference)
    frozen = _frozen(body, case)
    wanted = [*([body.source] if body.source else []), *body.sources]
    return Status(202, runs.queue_runs(case=case, actor=person(request), frozen=frozen, sources=wanted)[0])


@router.post(f"{_CASE}/preview", response=Frame, summary="What would run, without running it")
def preview_run(request: HttpRequest, reference: str, body: RunNew) -> dict[str, Any]:
    case = open_case_of(request, reference)
    frozen = _frozen(body, case)
    return {
        "title": frozen.title,
        "final_kql": frozen.final_kql,
        "kql_sha256": frozen.sha256,
        "window_start": frozen.window.start,
        "window_end": frozen.window.end,
        "tables_missing": _missing(body, case, frozen.hunt) if frozen.hunt else [],
    }


@router.get(f"{_CASE}/batches/{{uuid}}", response=HuntBatchOut, summary="One question on several sources")
def get_batch(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    case = case_of(request, reference)
    found = batches.runs_of(case, uuid)
    if not found:
        raise Http404("No such batch.")
    return {"batch": uuid, "runs": found}


@router.get(f"{_CASE}/batches/{{uuid}}/rows", response=Rows, summary="Its rows together, marked by source")
def list_batch_rows(request: HttpRequest, reference: str, uuid: UUID, window: Query[RowWindow]) -> dict[str, Any]:
    together = batches.together(case_of(request, reference), uuid)
    if together is None:
        raise Http404("There are no rows to show.")
    batches.look(together, person(request))
    filters = filters_of(window.column, window.operator, window.value)
    page = together.page(offset=window.offset, limit=window.limit, sort=window.sort, filters=filters)
    return rows_of(page)


@router.get(_RUN, response=RunOut, summary="One run")
def get_run(request: HttpRequest, reference: str, uuid: UUID) -> HuntRun:
    return run_of(case_of(request, reference), uuid)


@router.get(f"{_RUN}/rows", response=Rows, summary="Rows of a run, sorted and filtered")
def list_rows(request: HttpRequest, reference: str, uuid: UUID, window: Query[RowWindow]) -> dict[str, Any]:
    run = run_of(case_of(request, reference), uuid)
    if not results.has_rows(run):
        raise Http404("This run has no rows to show.")
    results.look(run, person(request))
    page = results.page(run, offset=window.offset, limit=window.limit, sort=window.sort, filters=_filters(window, run))
    return rows_of(page)


@router.get(f"{_RUN}/rows/{{number}}", response=dict[str, Any], summary="One row as it was recorded")
def get_row(request: HttpRequest, reference: str, uuid: UUID, number: int) -> dict[str, Any]:
    run = run_of(case_of(request, reference), uuid)
    record = results.record(run, number) if run.evidence is not None else None
    if record is None:
        raise Http404("No such row.")
    results.look(run, person(request))
    return record


@router.post(f"{_RUN}/cancel", response=RunOut, summary="Stop a run")
def cancel_run(request: HttpRequest, reference: str, uuid: UUID) -> HuntRun:
    case = open_case_of(request, reference)
    runs.cancel(run=run_of(case, uuid), actor=person(request))
    return run_of(case, uuid)


@router.post(f"{_RUN}/retry", response={202: RunOut}, summary="The same query once more, in the background")
def retry_run(request: HttpRequest, reference: str, uuid: UUID) -> Status[HuntRun]:
    case = open_case_of(request, reference)
    return Status(202, runs.retry(run=run_of(case, uuid), actor=person(request)))


@router.post(f"{_RUN}/conclusion", response=RunOut, summary="What the result means")
def conclude_run(request: HttpRequest, reference: str, uuid: UUID, body: Conclusion) -> HuntRun:
    case = open_case_of(request, reference)
    step = get_object_or_404(ChecklistItem, case=case, key=body.proves) if body.proves else None
    runs.conclude(
        run=run_of(case, uuid), actor=person(request), verdict=body.verdict, sentence=body.sentence, proves=step
    )
    return run_of(case, uuid)


@router.post(f"{_RUN}/rows/{{number}}/timeline", response={201: EventOut}, summary="A row onto the timeline")
def row_to_timeline(request: HttpRequest, reference: str, uuid: UUID, number: int, body: RowEvent) -> Status[Event]:
    run = run_of(open_case_of(request, reference), uuid)
    return Status(201, rows.add_row_to_timeline(run=run, actor=person(request), number=number, **body.dict()))


@router.post(f"{_RUN}/rows/{{number}}/assets", response={200: AssetOut, 201: AssetOut}, summary="A row's asset")
def row_to_asset(request: HttpRequest, reference: str, uuid: UUID, number: int, body: RowAsset) -> Status[Asset]:
    run = run_of(open_case_of(request, reference), uuid)
    asset, new = rows.add_row_as_asset(run=run, actor=person(request), number=number, **body.dict())
    return Status(201 if new else 200, asset)


@router.post(
    f"{_RUN}/rows/{{number}}/indicators",
    response={200: IndicatorOut, 201: IndicatorOut},
    summary="A row's indicator",
)
def row_to_indicator(
    request: HttpRequest, reference: str, uuid: UUID, number: int, body: RowIndicator
) -> Status[Indicator]:
    run = run_of(open_case_of(request, reference), uuid)
    indicator, new = rows.add_row_as_indicator(run=run, actor=person(request), number=number, **body.dict())
    return Status(201 if new else 200, indicator)


def _missing(body: RunNew, case: Case, hunt: catalogue.Hunt) -> list[str]:
    wanted = [*([body.source] if body.source else []), *body.sources]
    return list(dict.fromkeys(name for source in wanted for name in sources.missing_tables(case, hunt, source)))


def _frozen(body: RunNew, case: Case) -> Frozen:
    if bool(body.hunt) == bool(body.kql.strip()):
        raise ValidationError({"hunt": "Give either a hunt of the library or KQL of your own."})
    moment = body.as_of.isoformat() if body.as_of else ""
    if not body.hunt:
        return attach_kql(kql=body.kql, span=body.span, as_of=moment, title=body.title)
    hunt = hunt_or_404(body.hunt)
    given = fill(hunt, case) | body.parameters
    named = {AS_OF: moment, SPAN: body.span}
    taken = {p.name for p in hunt.parameters}
    return attach(hunt=hunt, given=given | {k: v for k, v in named.items() if v and k in taken})


def _filters(window: RowWindow, run: HuntRun) -> list[Condition]:
    part = rowsets.conditions(run.table, window.only) if run.table else []
    return [*part, *filters_of(window.column, window.operator, window.value)]
