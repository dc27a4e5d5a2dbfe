"""What is known of devices before somebody asks for a response action: it is so already, or the same waits in Defender.

Only what was read before is looked at: the case's own actions, and Defender's log of machine actions as the worker last
read it. The worker asks Defender itself right before the call (runner/actions.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q

from ircase.models import Asset, Case
from liveresponse.kinds import KINDS, OPPOSITES, Kind
from liveresponse.models import ActionRecord, ActionState, Effect, ResponseAction
from liveresponse.services import machine_actions
from msapi.machines import ActionStatus

_MOST: Final = 2000
_HAD: Final = (Effect.CONFIRMED, Effect.REPORTED)


@dataclass(frozen=True)
class Already:
    """One device of which it is known. `text` is a sentence; `waits`: it is under way, and not yet so."""

    device: str
    text: str
    at: datetime
    waits: bool


@dataclass(frozen=True)
class _Mark:
    """Something that was done, or is being done, to a device."""

    type: str
    at: datetime
    by: str
    waits: bool


def known(case: Case, kind: Kind, targets: Sequence[str]) -> list[Already]:
    """What speaks against asking, for each of these devices, in their order. Empty for what is not done to devices."""
    if not kind.api_type or case.connection is None:
        return []
    wanted = [target.strip().lower() for target in targets]
    identifiers = _identifiers(case, wanted)
    mine = _mine(case, kind, wanted)
    marks = {name: mine.get(name, []) for name in wanted}
    for record in _records(case, kind, wanted, identifiers):
        for name in wanted:
            if machine_actions.is_of(record, (name,), identifiers.get(name, ())):
                marks[name].append(_of_record(record))
    return [one for name in wanted if (one := _judge(kind, name, marks[name])) is not None]


def _identifiers(case: Case, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Defender's ids of the case's devices, by name."""
    rows = Asset.objects.filter(case=case, kind=Asset.Kind.DEVICE, name__in=names).exclude(identifier="")
    return {name.lower(): (identifier.lower(),) for name, identifier in rows.values_list("name", "identifier")}


def _types(kind: Kind) -> tuple[str, ...]:
    return tuple(filter(None, (kind.api_type, OPPOSITES.get(kind.api_type, ""))))


def _records(
    case: Case, kind: Kind, names: Sequence[str], identifiers: dict[str, tuple[str, ...]]
) -> list[ActionRecord]:
    """The tenant's log about these devices, newest first. What a confidential case began is told in that case alone."""
    ids = [one for known in identifiers.values() for one in known]
    about = Q(host__in={name.split(".")[0] for name in names}) | Q(machine_id__in=ids)
    rows = ActionRecord.objects.filter(about, connection=case.connection, type__in=_types(kind))
    return list(rows.exclude(Q(case__confidential=True) & ~Q(case=case)).defer("raw")[:_MOST])


def _of_record(record: ActionRecord) -> _Mark:
    waits = not record.is_final
    at = record.created_at if waits else record.updated_at or record.created_at
    done = waits or record.status == ActionStatus.SUCCEEDED
    return _Mark(record.type if done else "", at, record.requestor, waits)


def _mine(case: Case, kind: Kind, names: Sequence[str]) -> dict[str, list[_Mark]]:
    """The case's own actions that had an effect, where the log was not read since."""
    kinds = [one.id for one in KINDS.values() if one.api_type in _types(kind)]
    rows = ResponseAction.objects.for_case(case).filter(
        kind__in=kinds, target__in=names, state=ActionState.DONE, effect__in=_HAD
    )
    found: dict[str, list[_Mark]] = {}
    for row in rows.exclude(effect_at=None).select_related("requested_by"):
        assert row.effect_at is not None
        mark = _Mark(KINDS[row.kind].api_type, row.effect_at, row.requested_by.name, waits=False)
        found.setdefault(row.target, []).append(mark)
    return found


def _judge(kind: Kind, device: str, marks: Sequence[_Mark]) -> Already | None:
    if waiting := [mark for mark in marks if mark.waits and mark.type == kind.api_type]:
        newest = max(waiting, key=lambda mark: mark.at)
        return Already(device, f"{_asked(newest)} has not ended yet", newest.at, waits=True)
    done = [mark for mark in marks if mark.type and not mark.waits]
    newest_done = max(done, key=lambda mark: mark.at, default=None)
    # A scan may be repeated as often as one likes; only what lasts until it is taken back is “so already”.
    if newest_done is None or newest_done.type != kind.api_type or kind.api_type not in OPPOSITES:
        return None
    return Already(device, f"{_asked(newest_done)} succeeded and was not taken back since", newest_done.at, waits=False)


def _asked(mark: _Mark) -> str:
    return f"{mark.type}{f' by {mark.by}' if mark.by else ''}"
