"""Packs: several hunts for one entity, queued together or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting.binding import attach, fill
from hunting.catalogue import Hunt, Pack
from hunting.models import HuntRun, Source
from hunting.services import runs
from hunting.services.sources import missing_tables
from ircase.models import Asset, Case, User


@dataclass(frozen=True)
class Skipped:
    """A hunt that was left out, and why, in a sentence."""

    hunt: Hunt
    why: str


@dataclass(frozen=True)
class QueuedPack:
    """The runs that were made, and the hunts that the source cannot answer."""

    runs: list[HuntRun]
    skipped: list[Skipped]


@transaction.atomic
def queue_pack(
    *, case: Case, actor: User, pack: Pack, given: Mapping[str, Any], source: Source, asset: Asset | None = None
) -> QueuedPack:
    """Queue every hunt of the pack with the values of `given` that it knows; the rest comes from the case.

    Raises ValidationError, and then nothing was queued: a value that does not fit, or that no hunt of the pack takes.
    """
    taken = {p.name for hunt in pack.hunts for p in hunt.parameters}
    unknown = sorted(set(given) - taken)
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, "No hunt of this pack has such a parameter."))
    skipped = [Skipped(hunt, why) for hunt in pack.hunts if (why := _why_not(case, hunt, source))]
    able = [hunt for hunt in pack.hunts if hunt not in [one.hunt for one in skipped]]
    if not able:
        raise ValidationError({"source": f"{source.label} can answer no hunt of this pack: {skipped[0].why}"})
    now = timezone.now()
    queued = []
    for hunt in able:
        mine = {name: value for name, value in given.items() if name in {p.name for p in hunt.parameters}}
        frozen = attach(hunt=hunt, given={**fill(hunt, case, asset=asset), **mine}, now=now)
        queued.append(runs.queue_run(case=case, actor=actor, frozen=frozen, source=source, pack=pack.id))
    return QueuedPack(queued, skipped)


def _why_not(case: Case, hunt: Hunt, source: Source) -> str:
    """Why a hunt of the pack is left out; empty where it runs. One that lacks only some of its tables runs."""
    if source not in hunt.sources:
        return f"it does not run on {source.label}."
    missing = missing_tables(case, hunt, source)
    owner = "the case" if source == Source.CASE else source.label
    return f"{owner} has no {', '.join(missing)}." if missing and len(missing) == len(hunt.tables) else ""
