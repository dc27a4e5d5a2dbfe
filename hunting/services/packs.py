"""Packs on a case: frozen and queued together, each step when its condition is known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting import shelf
from hunting.binding import Frozen, Window, attach, fill
from hunting.catalogue import Hunt, Pack
from hunting.models import HuntRun, PackRun, PackStep, Source
from hunting.services import runs, steps
from hunting.services.sources import missing_tables
from ircase import access
from ircase.models import Asset, Case, User
from ircase.services import log


@dataclass(frozen=True)
class Skipped:
    """A hunt that was left out, and why, in a sentence."""

    hunt: Hunt
    why: str


@dataclass(frozen=True)
class QueuedPack:
    """The pack at work: the runs that were made, the hunts that wait for a run to have hits, and those left out."""

    pack_run: PackRun
    runs: list[HuntRun]
    waiting: list[PackStep]
    skipped: list[Skipped]


@transaction.atomic
def queue_pack(
    *, case: Case, actor: User, pack: Pack, given: Mapping[str, Any], source: Source, asset: Asset | None = None
) -> QueuedPack:
    """Freeze every hunt of the pack with the values of `given` that it knows; the rest comes from the case. What has no
    condition is queued now, all with one window.

    Raises ValidationError, and then nothing was queued: a value that does not fit, or that no hunt of the pack takes.
    """
    taken = {p.name for hunt in pack.hunts for p in hunt.parameters}
    unknown = sorted(set(given) - taken)
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, "No hunt of this pack has such a parameter."))
    skipped = [Skipped(hunt, why) for hunt in pack.hunts if (why := _why_not(case, hunt, source))]
    if len(skipped) == len(pack.steps):
        raise ValidationError({"source": f"{source.label} can answer no hunt of this pack: {skipped[0].why}"})
    pack_run = PackRun.objects.create(
        case=case, pack_id=pack.id, pack_version=pack.version, title=pack.title, source=source, requested_by=actor
    )
    left_out = {one.hunt.id: one.why for one in skipped}
    _freeze(pack_run, pack, given, asset, left_out)
    log.record(
        "hunt.pack_queued", case=case, actor=actor, title=pack.title, subject=str(pack_run.uuid), pack=pack.id,
        version=pack.version, hunts=len(pack.steps), left_out=len(skipped),
    )  # fmt: skip
    # A value that does not fit must reach the person who typed it, so here no step is refused quietly.
    queued = _advance(pack_run, quiet=False)
    return QueuedPack(pack_run, queued, steps.waiting(pack_run), skipped)


def _freeze(
    pack_run: PackRun, pack: Pack, given: Mapping[str, Any], asset: Asset | None, left_out: Mapping[str, str]
) -> None:
    now = timezone.now()
    made: dict[str, PackStep] = {}
    for position, step in enumerate(pack.steps, 1):
        hunt, why = step.hunt, left_out.get(step.hunt.id, "")
        mine = {name: value for name, value in given.items() if name in {p.name for p in hunt.parameters}}
        question = {}
        if not why:
            values = {**fill(hunt, pack_run.case, asset=asset), **mine}
            question = _written(attach(hunt=hunt, given=values, now=now))
        made[hunt.id] = PackStep.objects.create(
            pack_run=pack_run,
            position=position,
            hunt_id=hunt.id,
            hunt_version=hunt.version,
            title=hunt.title,
            only_if=made.get(step.only_if),
            question=question,
            state=PackStep.State.NOT_RUN if why else PackStep.State.WAITING,
            cause=PackStep.Cause.LEFT_OUT if why else "",
            why=why[:500],
        )


def _why_not(case: Case, hunt: Hunt, source: Source) -> str:
    """Why a hunt of the pack is left out; empty where it runs. One that lacks only some of its tables runs."""
    if hunt.retired:
        return "it is retired."
    if source not in hunt.sources:
        return f"it does not run on {source.label}."
    missing = missing_tables(case, hunt, source)
    owner = "the case" if source == Source.CASE else source.label
    return f"{owner} has no {', '.join(missing)}." if missing and len(missing) == len(hunt.tables) else ""


# --- going on


def advance(pk: int) -> list[HuntRun]:
    """Start what became due, and end what never will be. Harmless at any time, twice, and by two workers at once."""
    pack_run = PackRun.objects.select_related("case__connection", "requested_by").filter(pk=pk).first()
    return _advance(pack_run, quiet=True) if pack_run is not None else []


def _advance(pack_run: PackRun, *, quiet: bool) -> list[HuntRun]:
    queued: list[HuntRun] = []
    # In order: what a step's end decides for a later one is seen in the same walk.
    for step in steps.waiting(pack_run):
        if step.only_if is not None:
            step.only_if.refresh_from_db(fields=["state", "run"])
        verdict = steps.verdict_of(step)
        if verdict is None:
            continue
        if not verdict.starts:
            _leave(pack_run, step, verdict.cause, verdict.why)
        elif run := _start(pack_run, step, quiet=quiet):
            queued.append(run)
    return queued


def _start(pack_run: PackRun, step: PackStep, *, quiet: bool) -> HuntRun | None:
    """The step's run, unless another worker was first or it cannot be queued any more."""
    try:
        with transaction.atomic():
            mine = PackStep.objects.select_for_update().filter(pk=step.pk, state=PackStep.State.WAITING).first()
            if mine is None:
                return None
            _check_right(pack_run)
            run = runs.queue_run(
                case=pack_run.case,
                actor=pack_run.requested_by,
                frozen=_frozen(step),
                source=Source(pack_run.source),
                pack=pack_run.pack_id,
            )
            mine.run, mine.state = run, PackStep.State.STARTED
            mine.save(update_fields=["run", "state"])
            return run
    except ValidationError as error:
        if not quiet:
            raise
        _leave(pack_run, step, PackStep.Cause.REFUSED, " ".join(error.messages))
        return None


def _check_right(pack_run: PackRun) -> None:
    if not access.still_may(pack_run.requested_by, pack_run.case, access.ANALYST):
        raise ValidationError(f"{pack_run.requested_by.name} may no longer run hunts on this case.")


@transaction.atomic
def _leave(pack_run: PackRun, step: PackStep, cause: str, why: str, actor: User | None = None) -> bool:
    """WAITING -> NOT_RUN, once, with a word in the case's log."""
    open_still = PackStep.objects.filter(pk=step.pk, state=PackStep.State.WAITING)
    if not open_still.update(state=PackStep.State.NOT_RUN, cause=cause, why=why[:500]):
        return False
    log.record(
        "hunt.step_not_run", case=pack_run.case, actor=actor, title=step.title, subject=str(pack_run.uuid),
        pack=pack_run.title, reason=why,
    )  # fmt: skip
    return True


@transaction.atomic
def stop(*, pack_run: PackRun, actor: User) -> None:
    """What waits is not run, and what runs is cancelled. What has ended stays."""
    stopped = [
        step
        for step in steps.waiting(pack_run)
        if _leave(pack_run, step, PackStep.Cause.STOPPED, f"{actor.name} stopped the pack", actor)
    ]
    under_way = list(HuntRun.objects.filter(pack_step__pack_run=pack_run).unfinished().with_people())
    for run in under_way:
        runs.cancel(run=run, actor=actor)
    if stopped or under_way:
        log.record(
            "hunt.pack_stopped", case=pack_run.case, actor=actor, title=pack_run.title, subject=str(pack_run.uuid),
            not_run=len(stopped), cancelled=len(under_way),
        )  # fmt: skip


# --- a frozen question as JSON


def _written(frozen: Frozen) -> dict[str, Any]:
    return {
        "title": frozen.title,
        "kql": frozen.kql,
        "prelude": frozen.prelude,
        "parameters": dict(frozen.parameters),
        "window": [frozen.window.start.isoformat(), frozen.window.end.isoformat()],
        "at": frozen.at.isoformat(),
    }


def _frozen(step: PackStep) -> Frozen:
    """The question as frozen, whatever the library says by now. Raises ValidationError where the hunt is gone."""
    question = step.question
    hunt = shelf.hunt_version(step.hunt_id, step.hunt_version) or shelf.hunt(step.hunt_id)
    if hunt is None:
        raise ValidationError("The library no longer has this hunt.")
    start, end = (datetime.fromisoformat(moment) for moment in question["window"])
    return Frozen(
        title=question["title"],
        kql=question["kql"],
        window=Window(start, end),
        hunt=replace(hunt, version=step.hunt_version, kql=question["kql"]),
        prelude=question["prelude"],
        parameters=question["parameters"],
        at=datetime.fromisoformat(question["at"]),
    )


# --- how far a pack is


@dataclass(frozen=True)
class Progress:
    """A pack at work in numbers."""

    pack_run: PackRun
    steps: list[PackStep]

    def _runs(self) -> list[HuntRun]:
        return [step.run for step in self.steps if step.run is not None]

    @property
    def total(self) -> int:
        return len(self.steps)

    @property
    def ended(self) -> int:
        return sum(run.is_final for run in self._runs()) + self.not_run

    @property
    def with_hits(self) -> int:
        return sum(bool(run.row_count) for run in self._runs())

    @property
    def waiting(self) -> int:
        return sum(step.state == PackStep.State.WAITING for step in self.steps)

    @property
    def not_run(self) -> int:
        return sum(step.state == PackStep.State.NOT_RUN for step in self.steps)

    @property
    def is_open(self) -> bool:
        return self.ended < self.total


def of_run(run: HuntRun) -> Progress | None:
    """How far the pack is that the run is a step of; None for a run of no pack, and for one that was run again."""
    found = PackRun.objects.filter(steps__run=run).select_related("requested_by").first()
    return progress([found])[0] if found is not None else None


def progress(found: list[PackRun]) -> list[Progress]:
    """Each pack with its steps, in one query more than the packs themselves."""
    of: dict[int, list[PackStep]] = {one.pk: [] for one in found}
    rows = (
        PackStep.objects.filter(pack_run__in=found)
        .select_related("run", "only_if")
        .defer("question", "run__final_kql", "run__kql", "run__prelude")
    )
    for step in rows.order_by("pack_run", "position"):
        of[step.pack_run_id].append(step)
    return [Progress(one, of[one.pk]) for one in found]
