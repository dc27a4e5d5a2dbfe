"""Hunts over HTTP: packs, runs queued, watched, read and judged, and rows made into findings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, Field

from hunting import catalogue, results, shelf
from hunting.binding import AS_OF, SPAN, Frozen, attach, attach_kql, fill
from hunting.libraryapi import hunt_or_404
from hunting.libraryapi import router as library_router
from hunting.models import HuntRun, PackRun, PackStep, Source, Sweep, TablePush
from hunting.services import batches, packs, pushes, rows, runs, sources, sweeps
from hunting.views.doors import run_of
from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.evidence import Rows, RowWindow, filters_of
from ircase.api.findings import AssetOut, EventOut, IndicatorOut
from ircase.api.paging import Page, Window, page_of
from ircase.api.schemas import ActivityVerdict, AssetKind, IndicatorKind, IndicatorVerdict
from ircase.grid import Condition
from ircase.models import Asset, Case, ChecklistItem, Event, Indicator
from ircase.services import rowsets

router = Router(tags=["Hunts"])
router.add_router("", library_router)
_CASE = "/cases/{reference}/hunts"
_RUN = f"{_CASE}/runs/{{uuid}}"
_LONG = 20_000


class PackStepOut(Schema):
    """A hunt of a pack; with `only_if` it runs only if that earlier hunt had hits."""

    hunt: str
    only_if: str

    @staticmethod
    def resolve_hunt(step: catalogue.Step) -> str:
        return step.hunt.id


class PackOut(Schema):
    id: str
    version: int
    title: str
    description: str
    entity: str
    hunts: list[str]
    steps: list[PackStepOut]

    @staticmethod
    def resolve_hunts(pack: catalogue.Pack) -> list[str]:
        return [hunt.id for hunt in pack.hunts]


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


class BatchOut(Schema):
    batch: UUID
    runs: list[RunOut]


class CopyNew(Schema):
    """`cluster` and `database` must be those of the case's connection: whoever asks says where the data goes."""

    table: str = Field(min_length=1, max_length=128)
    cluster: str = Field(max_length=300)
    database: str = Field(max_length=260)
    remove: bool = False


class CopyOut(Schema):
    uuid: UUID
    act: str
    table: str = Field(alias="name")
    cluster: str
    database: str
    target: str
    state: str
    reason: str
    outcome: str
    progress: dict[str, Any]
    attempt: int
    row_count: int
    sent: int
    duplicates: int
    requested_by: str
    queued_at: datetime
    finished_at: datetime | None
    removed_at: datetime | None

    @staticmethod
    def resolve_requested_by(push: TablePush) -> str:
        return push.requested_by.username

    @staticmethod
    def resolve_outcome(push: TablePush) -> str:
        return push.activity.outcome


class PackNew(Schema):
    source: Source
    parameters: dict[str, Any] = Field(default_factory=dict, description="For every hunt of the pack that takes them.")


class PackStepState(Schema):
    """`state` is waiting, started or not_run; `why` says why it was not run, `only_if` which hunt it waits for."""

    hunt_id: str
    title: str
    only_if: str
    state: str
    why: str
    run: UUID | None
    run_state: str
    row_count: int | None

    @staticmethod
    def resolve_only_if(step: PackStep) -> str:
        return step.only_if.hunt_id if step.only_if else ""

    @staticmethod
    def resolve_run(step: PackStep) -> UUID | None:
        return step.run.uuid if step.run else None

    @staticmethod
    def resolve_run_state(step: PackStep) -> str:
        return step.run.state if step.run else ""

    @staticmethod
    def resolve_row_count(step: PackStep) -> int | None:
        return step.run.row_count if step.run else None


class PackRunOut(Schema):
    """A pack at work; it has ended when nothing is `open` any more."""

    uuid: UUID
    title: str
    pack: str
    version: int
    open: bool
    steps: list[PackStepState]


class PackQueued(Schema):
    runs: list[RunOut]
    skipped: list[str] = Field(description="Hunts that this source cannot answer.")
    waiting: list[str] = Field(description="Hunts that run only if an earlier one has hits.")
    pack_run: UUID


class SweepNew(Schema):
    """`values` are what to sweep over; without any, all that the case knows."""

    hunt: str = Field(max_length=64)
    source: Source
    parameter: str = Field("", max_length=64, description="The one filled from the case, where it is not given.")
    values: list[str] = Field(default_factory=list, max_length=10_000)
    parameters: dict[str, Any] = Field(default_factory=dict, description="The hunt's other parameters.")


class SweepEntity(Schema):
    """One entity's share. `values`: its values of the sweep's column, each with its rows."""

    entity: str
    rows: int
    waiting: bool
    failed: bool
    runs: list[str]
    values: dict[str, int]


class SweepOut(Schema):
    """`why_not` says what kept the hunt from being packed; then there is one run for each entity."""

    uuid: UUID
    title: str
    hunt_id: str
    parameter: str
    column: str
    packed: bool = Field(alias="is_packed")
    why_not: str
    runs: list[UUID]
    entities: list[SweepEntity]

    @staticmethod
    def resolve_runs(sweep: Sweep) -> list[UUID]:
        return list(sweep.runs.order_by("pk").values_list("uuid", flat=True))

    @staticmethod
    def resolve_entities(sweep: Sweep) -> list[sweeps.Found]:
        return sweeps.share(sweep)


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


@router.get("/packs", response=list[PackOut], summary="The packs")
def list_packs(request: HttpRequest) -> list[catalogue.Pack]:
    return list(shelf.packs().values())


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


@router.post(f"{_CASE}/packs/{{pack_id}}", response={202: PackQueued}, summary="Run a pack, in the background")
def queue_pack(request: HttpRequest, reference: str, pack_id: str, body: PackNew) -> Status[dict[str, Any]]:
    case = open_case_of(request, reference)
    pack = shelf.packs().get(pack_id)
    if pack is None:
        raise Http404("No such pack.")
    queued = packs.queue_pack(case=case, actor=person(request), pack=pack, given=body.parameters, source=body.source)
    return Status(
        202,
        {
            "runs": queued.runs,
            "skipped": [one.hunt.id for one in queued.skipped],
            "waiting": [step.hunt_id for step in queued.waiting],
            "pack_run": queued.pack_run.uuid,
        },
    )


@router.get(f"{_CASE}/pack-runs/{{uuid}}", response=PackRunOut, summary="A pack at work, step by step")
def get_pack_run(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    found: PackRun = get_object_or_404(PackRun, case=case_of(request, reference), uuid=uuid)
    [how] = packs.progress([found])
    return {
        "uuid": found.uuid, "title": found.title, "pack": found.pack_id, "version": found.pack_version,
        "open": how.is_open, "steps": how.steps,
    }  # fmt: skip


@router.post(f"{_CASE}/pack-runs/{{uuid}}/stop", response=PackRunOut, summary="Stop a pack and what of it runs")
def stop_pack_run(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, Any]:
    found: PackRun = get_object_or_404(PackRun, case=open_case_of(request, reference), uuid=uuid)
    packs.stop(pack_run=found, actor=person(request))
    return get_pack_run(request, reference, uuid)


@router.post(f"{_CASE}/sweeps", response={202: SweepOut}, summary="One hunt over many entities, in few queries")
def queue_sweep(request: HttpRequest, reference: str, body: SweepNew) -> Status[Sweep]:
    case = open_case_of(request, reference)
    sweep = sweeps.queue_sweep(
        case=case,
        actor=person(request),
        hunt=hunt_or_404(body.hunt),
        source=body.source,
        parameter=body.parameter,
        values=body.values,
        given=body.parameters,
    )
    return Status(202, sweep)


@router.get(f"{_CASE}/sweeps/{{uuid}}", response=SweepOut, summary="A sweep, split by entity")
def get_sweep(request: HttpRequest, reference: str, uuid: UUID) -> Sweep:
    sweep: Sweep = get_object_or_404(Sweep, case=case_of(request, reference), uuid=uuid)
    return sweep


@router.get(f"{_CASE}/batches/{{uuid}}", response=BatchOut, summary="One question on several sources")
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
    names = [column.name for column in page.columns]
    return {
        "columns": [[column.name, column.type] for column in page.columns],
        "rows": [dict(zip(names, row.cells, strict=True)) for row in page.rows],
        "numbers": [row.number for row in page.rows],
        "total": page.total,
        "matched": page.matched,
        "limit": page.limit,
        "offset": page.offset,
    }


@router.get(f"{_CASE}/copies", response=Page[CopyOut], summary="Copies of tables on the cluster, latest first")
def list_copies(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    case = case_of(request, reference)
    return page_of(TablePush.objects.for_case(case).select_related("activity", "requested_by"), window)


@router.post(f"{_CASE}/copies", response={202: CopyOut}, summary="Copy a table to the cluster, or remove its copy")
def queue_copy(request: HttpRequest, reference: str, body: CopyNew) -> Status[TablePush]:
    case = open_case_of(request, reference, access.LEAD)
    act = pushes.request_removal if body.remove else pushes.request_push
    given = {"name": body.table, "cluster": body.cluster, "database": body.database}
    return Status(202, act(case=case, actor=person(request), **given))


@router.get(f"{_CASE}/copies/{{uuid}}", response=CopyOut, summary="One copy or removal")
def get_copy(request: HttpRequest, reference: str, uuid: UUID) -> TablePush:
    rows = TablePush.objects.for_case(case_of(request, reference)).select_related("activity", "requested_by")
    found: TablePush = get_object_or_404(rows, uuid=uuid)
    return found


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
    names = [column.name for column in page.columns]
    return {
        "columns": [[column.name, column.type] for column in page.columns],
        "rows": [dict(zip(names, row.cells, strict=True)) for row in page.rows],
        "numbers": [row.number for row in page.rows],
        "total": page.total,
        "matched": page.matched,
        "limit": page.limit,
        "offset": page.offset,
    }


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
