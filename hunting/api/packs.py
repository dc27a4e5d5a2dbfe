"""Packs and sweeps over HTTP: several hunts for one entity, one hunt over many."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from hunting import catalogue, shelf
from hunting.api.library import hunt_or_404
from hunting.api.runs import RunOut
from hunting.models import PackRun, PackStep, Source, Sweep
from hunting.services import packs, sweeps
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router

router = Router(tags=["Hunts"])
_CASE = "/cases/{reference}/hunts"


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


@router.get("/packs", response=list[PackOut], summary="The packs")
def list_packs(request: HttpRequest) -> list[catalogue.Pack]:
    return list(shelf.packs().values())


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
