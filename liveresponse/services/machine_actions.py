"""Defender's actions as rows: kept once each, tied to our own jobs and to the cases whose devices they touch."""

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from django.apps import apps
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from ircase import jobs
from ircase.models import Asset, Case, Connection
from ircase.services import log
from liveresponse.models import ActionInCase, ActionRecord, ActionWatch, Polled
from msapi.machines import MachineAction

T = TypeVar("T")
PACE: Final = 10.0
WHOLE_PACE: Final = 60.0
IDLE: Final = 5
"""Everything is read again each WHOLE_PACE seconds while a job of ours is under way, else that many times as seldom."""
FIRST: Final = timedelta(days=7)
"""How far back the first reading of a tenant goes."""
SKEW: Final = timedelta(minutes=5)
"""By how much Defender's clock and ours may differ."""
KEPT: Final = timedelta(days=4)
"""Defender keeps an action for an offline device for three days: what has not ended by then will not."""
_CHUNK: Final = 500
_MARKER: Final = re.compile(r"IRCase ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def seconds(connection: Connection, name: str, default: float) -> timedelta:
    return timedelta(seconds=float(connection.limits.get(name, default)))


def whole_pace(connection: Connection) -> timedelta:
    return seconds(connection, "machine_actions_seconds", WHOLE_PACE)


def patience(connection: Connection) -> timedelta:
    """How long a job relies on the list being read, before it asks for its own action."""
    return max(whole_pace(connection) * 3, seconds(connection, "live_response_poll_seconds", PACE) * 3)


def fresh(connection: Connection, action_id: str) -> ActionRecord | None:
    """The action as a recent list showed it; None where none did, so that Defender has to be asked."""
    since = timezone.now() - patience(connection)
    return ActionRecord.objects.filter(connection=connection, action_id=action_id, seen_at__gte=since).first()


# --- who waits -----------------------------------------------------------------------------------------------------


def watchers() -> list[Any]:
    """The kinds of rows that wait for a machine action."""
    models: list[Any] = list(apps.get_app_config("liveresponse").get_models())
    return [one for one in models if issubclass(one, Polled) and hasattr(one, "action_id")]


WAITING: Final = ("submitted", "running")
"""The states in which a job of any kind waits for its action. One that fetches has its own times to try again."""


def under_way(connection: Connection) -> Iterator[Any]:
    """Our jobs that wait for an action in Defender."""
    for model in watchers():
        rows = model.objects.filter(connection=connection, state__in=WAITING).exclude(action_id="")
        yield from rows.only("pk", "action_id", "submitted_at", "next_poll_at", "changed_at")


def due() -> list[int]:
    """The connections whose actions should be read now: those with jobs under way or with an open case, once their time
    has come."""
    busy: set[int] = set()
    for model in watchers():
        rows = model.objects.filter(state__in=WAITING).exclude(action_id="")
        busy |= set(rows.values_list("connection_id", flat=True).distinct())
    cases = set(Case.objects.filter(closed_at=None).exclude(connection=None).values_list("connection_id", flat=True))
    watched = {watch.connection_id: watch for watch in ActionWatch.objects.all()}
    now = timezone.now()
    wanted = Connection.objects.filter(enabled=True, pk__in=busy | cases).values_list("pk", flat=True)
    return [
        pk
        for pk in wanted
        if (watch := watched.get(pk)) is None or watch.next_at <= now and (pk in busy or watch.whole_at <= now)
    ]


def wake(connection: Connection, changed: set[str]) -> int:
    """Call a worker for each job whose action has ended or changed. Ended ones are called at every reading until they
    have moved, so that a worker killed in between loses nothing."""
    ended = {
        record.action_id
        for rows in _chunks([row.action_id for row in under_way(connection)])
        for record in ActionRecord.objects.filter(connection=connection, action_id__in=rows)
        if record.is_final
    }
    now, called = timezone.now(), 0
    for model in watchers():
        rows = model.objects.filter(connection=connection, action_id__in=ended | changed, lease_until=None)
        waiting = rows.filter(state__in=WAITING, next_poll_at__gt=now)
        for pk in list(waiting.values_list("pk", flat=True)):
            model.objects.filter(pk=pk, lease_until=None).update(next_poll_at=now)
            called += 1
            if model.TASK:
                jobs.enqueue(model.TASK, pk)
    return called


# --- keeping -------------------------------------------------------------------------------------------------------


def boundary(watch: ActionWatch, connection: Connection, *, whole: bool) -> datetime | None:
    """From which creation on the list is read. None: there is nothing to read for.

    The whole: from the newest action read before, or from the oldest that has not ended. Else: from the oldest job
    under way that is young; what has waited for long waits for the whole reading."""
    now = timezone.now()
    if whole:
        open_ones = ActionRecord.objects.filter(connection=connection, created_at__gte=now - KEPT)
        oldest = open_ones.exclude(status__in=_FINAL).order_by("created_at").values_list("created_at", flat=True)
        starts = [watch.since or now - FIRST, *oldest[:1], *_submissions(connection, now - KEPT)]
        return min(starts) - SKEW
    young = _submissions(connection, now - timedelta(hours=1))
    return min(young) - SKEW if young else None


_FINAL: Final = ("Succeeded", "Failed", "TimeOut", "Cancelled")


def _submissions(connection: Connection, since: datetime) -> list[datetime]:
    times = [getattr(row, "submitted_at", None) for row in under_way(connection)]
    return [at for at in times if at is not None and at >= since]


def moment(text: str) -> datetime | None:
    """A time as Defender writes it (seven digits of a second, UTC); None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def keep(connection: Connection, actions: Sequence[MachineAction]) -> set[str]:
    """Write what a list showed; the ids of those that are new or have changed. Safe to repeat."""
    changed: set[str] = set()
    for part in _chunks([action for action in actions if action.id and moment(action.created)]):
        known = {
            row.action_id: row
            for row in ActionRecord.objects.filter(connection=connection, action_id__in=[action.id for action in part])
        }
        owners = _owners(connection, [action for action in part if action.id not in known])
        new = [_record(connection, action, owners) for action in part if action.id not in known]
        ActionRecord.objects.bulk_create(new, ignore_conflicts=True)
        moved = [_update(known[action.id], action) for action in part if _differs(known.get(action.id), action)]
        ActionRecord.objects.bulk_update(moved, _CHANGING)
        seen = ActionRecord.objects.filter(connection=connection, action_id__in=[action.id for action in part])
        seen.update(seen_at=timezone.now())
        changed |= {row.action_id for row in (*new, *moved)}
    return changed


_CHANGING: Final = ("status", "updated_at", "cancelled_by", "cancel_comment", "failure", "raw")


def _differs(row: ActionRecord | None, action: MachineAction) -> bool:
    return row is not None and dict(action.raw) != row.raw


def _update(row: ActionRecord, action: MachineAction) -> ActionRecord:
    row.status, row.updated_at, row.failure = action.status[:32], moment(action.updated), action.failure
    row.cancelled_by, row.cancel_comment, row.raw = action.cancelled_by[:255], action.cancel_comment, dict(action.raw)
    return row


def _record(connection: Connection, action: MachineAction, owners: dict[str, int]) -> ActionRecord:
    case = owners.get(action.id)
    device = action.computer_name.lower()[:255]
    row = ActionRecord(
        connection=connection,
        action_id=action.id[:64],
        type=action.type[:64],
        machine_id=action.machine_id.lower()[:40],
        device=device,
        host=device.split(".")[0],
        requestor=action.requestor[:255],
        comment=action.comment,
        scope=action.scope[:64],
        source=str(action.raw.get("requestSource") or "")[:64],
        created_at=moment(action.created) or timezone.now(),
        case_id=case,
        ours=case is not None,
    )
    return _update(row, action)


def _owners(connection: Connection, actions: Sequence[MachineAction]) -> dict[str, int]:
    """The cases of those actions that a job of ours began: by its id, or by the mark in the comment while the worker
    has not yet read the id. A mark that no job of ours has is another's."""
    marked: dict[uuid.UUID, list[str]] = {}
    for action in actions:
        if found := _MARKER.search(action.comment):
            marked.setdefault(uuid.UUID(found[1]), []).append(action.id)
    owners: dict[str, int] = {}
    for model in watchers():
        rows = model.objects.filter(connection=connection)
        wanted = rows.filter(Q(action_id__in=[action.id for action in actions]) | Q(uuid__in=list(marked)))
        for mark, action_id, case in wanted.values_list("uuid", "action_id", "case_id"):
            owners |= {one: case for one in (action_id, *marked.get(mark, ())) if one}
    return owners


def link(connection: Connection) -> int:
    """Put each action on a device of an open case into that case, once; one that was started elsewhere is logged there
    with who and when. The number of new ones."""
    devices = _devices(connection)
    if not devices:
        return 0
    hosts = {name.split(".")[0] for names, _ in devices.values() for name in names}
    ids = {one for _, identifiers in devices.values() for one in identifiers}
    records = ActionRecord.objects.filter(connection=connection).filter(Q(host__in=hosts) | Q(machine_id__in=ids))
    found = list(records.select_related("case").order_by("created_at").defer("raw"))
    known = set(ActionInCase.objects.filter(case__in=devices).values_list("case_id", "record_id"))
    new = 0
    for case, (names, identifiers) in devices.items():
        for record in found:
            if (case.pk, record.pk) not in known and is_of(record, names, identifiers):
                new += _link_one(case, record)
    return new


def _devices(connection: Connection) -> dict[Case, tuple[set[str], set[str]]]:
    """Open cases of the connection with their devices' names and Defender ids, in lower case."""
    assets = Asset.objects.filter(kind=Asset.Kind.DEVICE, case__connection=connection, case__closed_at=None)
    devices: dict[Case, tuple[set[str], set[str]]] = {}
    for asset in assets.select_related("case").defer("details"):
        names, identifiers = devices.setdefault(asset.case, (set(), set()))
        names.add(asset.name.strip().lower())
        identifiers |= {asset.identifier.strip().lower()} - {""}
    return devices


def is_of(record: ActionRecord, names: Iterable[str], identifiers: Iterable[str]) -> bool:
    """By id, else by name. A name without a domain is the host of any; two with a domain must be the same."""
    if record.machine_id in identifiers or record.device in names:
        return True
    return record.host in names or any("." not in record.device and name.split(".")[0] == record.host for name in names)


@transaction.atomic
def _link_one(case: Case, record: ActionRecord) -> bool:
    if record.case is not None and record.case_id != case.pk and record.case.confidential:
        return False
    _, new = ActionInCase.objects.get_or_create(case=case, record=record)
    if new and not record.ours:
        log.record(
            "device_action.elsewhere",
            case=case,
            title=f"{record.type} on {record.device or record.machine_id}",
            by=record.requestor,
            at=record.created_at.isoformat(),
            status=record.status,
            comment=record.comment[:500],
            machine_action=record.action_id,
        )
    return new


# --- reading -------------------------------------------------------------------------------------------------------


def of_case(case: Case) -> QuerySet[ActionRecord]:
    """The actions on the case's devices, newest first. What a confidential case began is shown in that case alone."""
    rows = ActionRecord.objects.filter(in_cases__case=case).defer("raw")
    return rows.exclude(Q(case__confidential=True) & ~Q(case=case)).select_related("case")


def of_device(case: Case, device: str) -> QuerySet[ActionRecord]:
    """Those on one device of the case: `device` is its name, with or without the domain, or Defender's id."""
    name = device.strip().lower()
    by_name = Q(device=name) if "." in name else Q(host=name)
    return of_case(case).filter(by_name | Q(device=name.split(".")[0]) | Q(machine_id=name))


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
