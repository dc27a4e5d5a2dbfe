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
from ircase.models import Asset, Case, User


@dataclass(frozen=True)
class QueuedPack:
    """The runs that were made, and the hunts that the source cannot answer."""

    runs: list[HuntRun]
    skipped: list[Hunt]


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
    now = timezone.now()
    able = [hunt for hunt in pack.hunts if source in hunt.sources]
    queued = []
    for hunt in able:
        mine = {name: value for name, value in given.items() if name in {p.name for p in hunt.parameters}}
        frozen = attach(hunt=hunt, given={**fill(hunt, case, asset=asset), **mine}, now=now)
        queued.append(runs.queue_run(case=case, actor=actor, frozen=frozen, source=source, pack=pack.id))
    return QueuedPack(queued, [hunt for hunt in pack.hunts if hunt not in able])
