"""One definition on many devices: asked for, looked up, approved once, started, stopped, and asked for again."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import Activity, Approval, Asset, Case, CaseTable, User
from ircase.services import activity, approvals, connections, log
from ircase.services.analysis.devices import Device, note_devices
from ircase.services.analysis.tables import columns_of
from liveresponse import shelf
from liveresponse.catalogue import Definition, ParameterError
from liveresponse.models import Batch, BatchState, Collection, CollectionState
from liveresponse.services import collections, line

MOST: Final = 1000
DEVICE_COLUMNS: Final = ("DeviceId", "DeviceName", "MachineId", "ComputerDnsName", "Computer", "HostName", "Device")
AGAIN: Final = (
    CollectionState.FAILED,
    CollectionState.EXPIRED,
    CollectionState.CANCELLED,
    CollectionState.REFUSED,
)
LOOK_SECONDS: Final = 120.0
LOOKS: Final = 5
_SHOWN: Final = 200


# --- asking --------------------------------------------------------------------------------------------------------


@transaction.atomic
def request_batch(
    *,
    case: Case,
    actor: User,
    definition: str,
    origin: str,
    names: Sequence[str] = (),
    tag: str = "",
    table: str = "",
    column: str = "",
    parameters: dict[str, Any],
    reason: str = "",
    starts_itself: bool = False,
) -> Batch:
    """A batch whose devices a worker looks up next. Raises ValidationError with what to mend."""
    plan = shelf.definition(definition)
    if plan is None:
        raise ValidationError(f"There is no collection called {definition!r} that can be used.")
    collections.check_case(case)
    try:
        values = plan.clean(parameters)
    except ParameterError as error:
        raise ValidationError(str(error)) from error
    asked = _asked(case, origin, names, tag, table, column)
    return _save(case, actor, plan, values, reason, origin=origin, asked=asked, starts_itself=starts_itself)


def _save(case: Case, actor: User, plan: Definition, values: dict[str, Any], reason: str, **more: Any) -> Batch:
    batch = Batch(
        case=case,
        connection=case.connection,
        definition=plan.id,
        version=plan.version,
        title=plan.title,
        parameters=values,
        plan=dict(plan.content),
        files=collections.library_files(case, plan),
        reason=reason,
        requested_by=actor,
        deadline=timezone.now() + collections.time_limit(case, plan),
        **more,
    )
    batch.save()
    log.record(
        "collection.batch_drafted",
        case=case,
        actor=actor,
        title=batch.title,
        subject=str(batch.uuid),
        origin=batch.get_origin_display(),
        reason=reason,
    )
    jobs.enqueue("liveresponse.find_devices", batch.pk)
    return batch


def _asked(case: Case, origin: str, names: Sequence[str], tag: str, table: str, column: str) -> dict[str, Any]:
    if origin == Batch.Origin.ASSETS:
        return (
            {"names": case_devices(case)} if case_devices(case) else _refuse("The case has no device among its assets.")
        )
    if origin == Batch.Origin.NAMES:
        return {"names": _names(names)}
    if origin == Batch.Origin.TAG:
        return {"tag": tag.strip()[:200]} if tag.strip() else _refuse("Name the tag.")
    if origin == Batch.Origin.TABLE:
        return _table(case, table, column)
    return _refuse("Say where the devices come from.")


def _refuse(text: str) -> dict[str, Any]:
    raise ValidationError(text)


def _names(names: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(name.strip().lower()[:255] for name in names if name.strip()))
    if not found:
        raise ValidationError("Name at least one device.")
    if len(found) > MOST:
        raise ValidationError(f"{len(found):,} devices are too many: a batch takes {MOST:,}.")
    return found


def case_devices(case: Case) -> list[str]:
    """The case's device assets, by Defender's id where it is known: names change hands."""
    rows = Asset.objects.filter(case=case, kind=Asset.Kind.DEVICE).values_list("name", "identifier")
    return [identifier.lower() if len(identifier) == 40 else name.lower() for name, identifier in rows[: MOST + 1]]


def device_tables(case: Case) -> list[CaseTable]:
    """The case's tables that name devices, newest first."""
    rows = CaseTable.objects.filter(case=case).select_related("evidence").order_by("-pk")[:200]
    return [table for table in rows if device_column(table)]


def device_column(table: CaseTable, wanted: str = "") -> str:
    """The column that names devices: the one asked for, else the first known one; "" where there is none."""
    names = [column.name for column in columns_of(table)]
    if wanted:
        return wanted if wanted in names else ""
    return next((name for name in DEVICE_COLUMNS if name in names), "")


def _table(case: Case, table: str, column: str) -> dict[str, Any]:
    try:
        found = CaseTable.objects.filter(case=case, uuid=uuid.UUID(str(table))).first()
    except ValueError:
        found = None
    if found is None:
        raise ValidationError("Choose a table of the case.")
    name = device_column(found, column)
    if not name:
        raise ValidationError("That table has no column that names devices.")
    return {"table": str(found.uuid), "column": name, "title": f"{found.name} of {found.evidence.exhibit}"}


# --- looked up -----------------------------------------------------------------------------------------------------


def claim_look(pk: int) -> Batch | None:
    """The batch, for one worker to look its devices up; None where it is looked up or another is at it."""
    now = timezone.now()
    rows = Batch.objects.filter(pk=pk, state=BatchState.RESOLVING)
    batch = rows.first()
    if batch is None or (batch.look_until and batch.look_until > now):
        return None
    taken = rows.filter(looks=batch.looks).update(
        looks=batch.looks + 1, look_until=now + timedelta(seconds=LOOK_SECONDS)
    )
    return Batch.objects.select_related("case", "connection", "requested_by").get(pk=pk) if taken else None


@transaction.atomic
def looked_up(batch: Batch, devices: list[dict[str, Any]], problem: str = "") -> None:
    """RESOLVING -> DRAFT; one that starts itself is asked for at once, where any device is in."""
    changed = Batch.objects.filter(pk=batch.pk, state=BatchState.RESOLVING).update(
        state=BatchState.DRAFT, devices=devices, problem=problem, look_until=None
    )
    batch.refresh_from_db()
    if changed and batch.starts_itself and batch.included:
        try:
            start(batch=batch, actor=batch.requested_by)
        except ValidationError as error:
            Batch.objects.filter(pk=batch.pk).update(problem=" ".join(error.messages))


def later(batch: Batch, seconds: float, why: str) -> None:
    """Look again in a while; after a few times it is said that it could not be done."""
    if batch.looks >= LOOKS:
        looked_up(batch, [], f"The devices could not be looked up: {why}")
        return
    until = timezone.now() + timedelta(seconds=seconds)
    Batch.objects.filter(pk=batch.pk, state=BatchState.RESOLVING).update(look_until=until, problem=why[:500])


# --- one approval for the whole ------------------------------------------------------------------------------------


def binding_of(batch: Batch) -> str:
    """What the approval is bound to: the definition whole, every device with its id, every library file with its hash,
    parameters."""
    return approvals.binding(
        action=batch.definition,
        version=batch.version,
        connection=batch.connection_id,
        devices=[[one["name"], one["id"]] for one in batch.included],
        plan=batch.plan,
        files=batch.files,
        parameters=batch.parameters,
    )


def find_approval(row: Collection) -> Approval | None:
    """The yes that covers this job now: its own, or that of its batch, if the job is what the batch says."""
    if row.batch_id is None or row.batch is None:
        return approvals.find_valid(row.uuid, collections.binding_of(row))
    batch = row.batch
    same = all(
        getattr(row, name) == getattr(batch, name)
        for name in ("definition", "version", "plan", "connection_id", "files", "parameters")
    )
    inside = any((one["name"], one["id"]) == (row.device, row.machine_id) for one in batch.included)
    return approvals.find_valid(batch.uuid, binding_of(batch)) if same and inside else None


@transaction.atomic
def start(*, batch: Batch, actor: User, without: Iterable[str] = ()) -> Batch:
    """DRAFT -> REQUESTED, or STARTED where nobody has to be asked. `without` are devices (by id) that a person leaves
    out. Raises ValidationError."""
    batch = Batch.objects.select_for_update().select_related("case", "connection").get(pk=batch.pk)
    if batch.state != BatchState.DRAFT:
        raise ValidationError(f"This batch is already {batch.get_state_display().lower()}.")
    collections.check_case(batch.case)
    plan = shelf.definition(batch.definition)
    if plan is None or plan.content != batch.plan:
        raise ValidationError("The collection has changed since the devices were looked up. Begin again.")
    _leave_out(batch, set(without), actor)
    if not batch.included:
        raise ValidationError("No device is in.")
    batch.requested_by, batch.started_at = actor, timezone.now()
    batch.deadline = timezone.now() + collections.time_limit(batch.case, plan)
    batch.state = BatchState.REQUESTED
    batch.save(update_fields=["devices", "requested_by", "started_at", "deadline", "state"])
    _make_rows(batch, plan)
    asked = [Device(one["name"], one["id"], {"collection_batch": str(batch.uuid)}) for one in batch.included]
    note_devices(case=batch.case, actor=actor, devices=asked)
    log.record(
        "collection.batch_queued",
        case=batch.case,
        actor=actor,
        title=batch.title,
        subject=str(batch.uuid),
        devices=[one["name"] for one in batch.included],
        count=len(batch.included),
        left_out=len(batch.left_out),
        reason=batch.reason,
    )
    _ask_or_begin(batch, plan, actor)
    return batch


@transaction.atomic
def leave_out(*, batch: Batch, actor: User, without: Iterable[str]) -> int:
    """Take devices (by id) out of a draft; how many there were. Raises ValidationError where it is one no more."""
    batch = Batch.objects.select_for_update().get(pk=batch.pk)
    if batch.state != BatchState.DRAFT:
        raise ValidationError(f"This batch is already {batch.get_state_display().lower()}.")
    before = len(batch.included)
    _leave_out(batch, set(without), actor)
    batch.save(update_fields=["devices"])
    return before - len(batch.included)


def _leave_out(batch: Batch, without: set[str], actor: User) -> None:
    for one in batch.devices:
        if one["verdict"] == "in" and one["id"] in without:
            one.update(verdict="left_out", why=f"Left out by {actor.name}")


def _make_rows(batch: Batch, plan: Definition) -> None:
    rows = [_row(batch, plan, one) for one in batch.included]
    made = activity.begin_many([_activity(batch, plan, row) for row in rows])
    for row, its_activity in zip(rows, made, strict=True):
        row.activity = its_activity
    Collection.objects.bulk_create(rows, batch_size=200)


def _row(batch: Batch, plan: Definition, device: dict[str, Any]) -> Collection:
    return Collection(
        uuid=uuid.uuid4(),
        batch=batch,
        case=batch.case,
        connection=batch.connection,
        definition=batch.definition,
        version=batch.version,
        plan=batch.plan,
        parameters=batch.parameters,
        files=batch.files,
        device=device["name"],
        machine_id=device["id"],
        script_name=plan.script,
        script_sha256=collections.script_hash(plan, batch.files),
        reason=batch.reason,
        requested_by=batch.requested_by,
        deadline=batch.deadline,
    )


def _activity(batch: Batch, plan: Definition, row: Collection) -> Activity:
    return Activity(
        case=batch.case,
        kind=Activity.Kind.COLLECTION,
        title=f"{plan.title} on {row.device}"[:300],
        subject=row.uuid,
        url_name="liveresponse:collection",
        requested_by=batch.requested_by,
        state=CollectionState.REQUESTED,
        detail={
            "device": row.device,
            "collection": plan.id,
            "version": plan.version,
            "parameters": row.parameters,
            "script": plan.script,
            "script_sha256": row.script_sha256,
            "files": row.files,
            "reason": batch.reason,
            "batch": str(batch.uuid),
        },
    )


def _ask_or_begin(batch: Batch, plan: Definition, actor: User) -> None:
    standing = collections.standing_of(batch, plan)
    if not plan.needs_approval or standing:
        begin(batch, approved_by=collections.standing_text(standing) if standing else "No approval needed")
        return
    names = [one["name"] for one in batch.included]
    more = f" and {len(names) - _SHOWN:,} more (all stand on the batch's page)" if len(names) > _SHOWN else ""
    approvals.request(
        case=batch.case,
        actor=actor,
        kind=collections.APPROVAL_KIND,
        subject=batch.uuid,
        title=f"{batch.title} on {len(names):,} device{'' if len(names) == 1 else 's'}",
        detail=collections.question(
            batch, plan, {"Devices": f"{len(names):,}: {', '.join(names[:_SHOWN])}{more}"}, machine="each of them"
        ),
        digest=binding_of(batch),
        task="liveresponse.approval_decided",
        reason=batch.reason,
        # It has to hold for as long as an offline device is waited for.
        lifetime=max(approvals.LIFETIME, collections.time_limit(batch.case, plan)),
    )


def begin(batch: Batch, *, approved_by: str, deadline: datetime | None = None) -> None:
    """REQUESTED -> STARTED: the rows stand in line, each from the time at which its turn can come."""
    until = deadline or batch.deadline
    taken = Batch.objects.filter(pk=batch.pk, state=BatchState.REQUESTED).update(
        state=BatchState.STARTED, approved_by=approved_by, deadline=until
    )
    if not taken:
        return
    now, waiting = timezone.now(), Collection.objects.filter(batch=batch, state=CollectionState.REQUESTED)
    rows = list(waiting.only("pk", "activity_id").order_by("device", "pk"))
    for place, row in enumerate(rows):
        row.state, row.approved_by, row.changed_at = CollectionState.QUEUED, approved_by, now
        row.next_poll_at = now + line.stagger(batch.connection, place)
        row.status_text, row.deadline = "In line for Live Response", until
    Collection.objects.bulk_update(
        rows, ["state", "approved_by", "changed_at", "next_poll_at", "status_text", "deadline"], batch_size=200
    )
    begun = Activity.objects.filter(pk__in=[row.activity_id for row in rows])
    activity.progress_many(begun, CollectionState.QUEUED, at=now)
    for row in rows[: connections.limits(batch.connection).live_response_per_minute]:
        jobs.enqueue("liveresponse.step", row.pk)


@transaction.atomic
def approval_decided(subject: uuid.UUID) -> bool:
    """The request for the batch `subject` was decided: go on, or refuse with the reason. False: there is no such."""
    batch = Batch.objects.select_related("case", "connection", "requested_by").filter(uuid=subject).first()
    if batch is None:
        return False
    approval = Approval.objects.filter(subject=subject).select_related("decided_by").order_by("-pk").first()
    if batch.state != BatchState.REQUESTED or approval is None or approval.state == Approval.State.REQUESTED:
        return True
    if approval.state == Approval.State.APPROVED and approvals.find_valid(subject, binding_of(batch)):
        until = collections.waited_for(batch.deadline, batch.started_at or batch.requested_at, approval)
        begin(batch, approved_by=approval.decided_by.name if approval.decided_by else "", deadline=until)
        return True
    why = collections.why_not(approval)
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.REFUSED, problem=why)
    _end_waiting(batch, CollectionState.REFUSED, why)
    log.record("collection.batch_refused", case=batch.case, title=batch.title, subject=str(batch.uuid), reason=why)
    return True


# --- stopping, and again -------------------------------------------------------------------------------------------


@transaction.atomic
def cancel(*, batch: Batch, actor: User) -> int:
    """Stop all: what has not reached a device ends at once, the rest is cancelled in Defender by the worker. The number
    of jobs that this concerns."""
    for approval in Approval.objects.filter(subject=batch.uuid, state=Approval.State.REQUESTED):
        approvals.withdraw(approval=approval, actor=actor)
    not_started = (BatchState.RESOLVING, BatchState.DRAFT, BatchState.REQUESTED)
    Batch.objects.filter(pk=batch.pk, state__in=not_started).update(state=BatchState.CANCELLED)
    ended = _end_waiting(batch, CollectionState.CANCELLED, f"Cancelled by {actor.name}")
    going = Collection.objects.filter(batch=batch).unfinished()
    asked = list(going.values_list("pk", flat=True))
    going.update(cancel_requested=True, next_poll_at=timezone.now(), changed_at=timezone.now())
    for pk in asked:
        jobs.enqueue("liveresponse.step", pk)
    log.record(
        "collection.batch_cancelled",
        case=batch.case,
        actor=actor,
        title=batch.title,
        subject=str(batch.uuid),
        ended=ended,
        going=len(asked),
    )
    return ended + len(asked)


def _end_waiting(batch: Batch, state: CollectionState, why: str) -> int:
    """End the rows that nothing was sent for. A worker that holds one has lost it, before its intent is written."""
    rows = Collection.objects.filter(batch=batch, state__in=collections.NOT_SUBMITTED, action_id="")
    found = list(rows.values_list("pk", "activity_id", "uuid", "step", "attempt"))
    now = timezone.now()
    ended = rows.filter(pk__in=[pk for pk, *_ in found]).update(
        state=state, failure=why, status_text="", ended_at=now, changed_at=now, lease_owner="", lease_until=None
    )
    activity.end_many(Activity.objects.filter(pk__in=[one[1] for one in found]), state=state, outcome=why)
    line.leave(batch.connection, [pk for pk, *_ in found])
    return ended


@transaction.atomic
def retry(*, batch: Batch, actor: User) -> Batch:
    """A new batch of the devices on which this one did not succeed, looked up anew. Raises ValidationError."""
    rows = Collection.objects.filter(batch=batch, state__in=AGAIN)
    devices = list(rows.order_by("device").values_list("machine_id", flat=True))
    plan = shelf.definition(batch.definition)
    if not devices:
        raise ValidationError("No device of this batch failed, expired, was cancelled or refused.")
    if plan is None:
        raise ValidationError(f"There is no collection called {batch.definition!r} any more.")
    collections.check_case(batch.case)
    return _save(
        batch.case,
        actor,
        plan,
        batch.parameters,
        batch.reason,
        origin=Batch.Origin.RETRY,
        asked={"names": devices},
        retry_of=batch,
    )
