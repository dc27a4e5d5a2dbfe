"""The machine of a collection: what each state does with one poll.

The only thing that cannot be repeated, submitting to Defender, is preceded by a written intent (SUBMITTED without an
action id): a worker that finds an intent looks for the action's twin before anything is sent again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from django.utils import timezone

from ircase import access, jobs, quota
from ircase.services.analysis.devices import Device, note_devices
from liveresponse.catalogue import platform_of
from liveresponse.models import Collection
from liveresponse.providers import Opener, Tenant, open_tenant
from liveresponse.runner import giving_way, polling
from liveresponse.runner.governed import govern
from liveresponse.runner.polling import Refused
from liveresponse.runner.results import fetch, next_step
from liveresponse.runner.work import State, Work, end
from liveresponse.services import collections, freezing, line, machine_actions
from liveresponse.services.batches import find_approval
from msapi.errors import (
    ActiveRequestExists,
    Ambiguous,
    ApiError,
    GovernorUnavailable,
    NotFound,
    Throttled,
)
from msapi.governor import Granted, Wait
from msapi.machines import ActionStatus, CommandStatus, MachineAction

_ANOTHER: Final = {False: "Another session is open on the device", True: "A package is being collected already"}
LONGEST_SLEEP: Final = 600.0
"""Seconds that a row of a long line sleeps; its ticket is believed for longer."""
TWIN_GRACE: Final = timedelta(seconds=30)
"""How long after an intent a missing twin may still appear in the list of actions."""
FETCH_MORE: Final = timedelta(hours=24)
"""How much longer than for its device a job is tried whose device has answered: its result only has to be fetched."""


def advance(pk: int, owner: str, opener: Opener = open_tenant) -> None:
    """Lease collection `pk` and make one move. Nothing happens when it is not due or another worker has it."""
    polling.advance(_MACHINE, pk, owner, opener)


def _turn(row: Collection, owner: str, tenant: Tenant) -> None:
    governor = quota.governor()
    governed = govern(tenant, governor, row.connection, str(row.uuid))
    _move(Work(row, owner, governed, governor))


def _stop(row: Collection, state: Literal["failed", "refused"], reason: str) -> None:
    """The poller gives up. What Defender has taken is not undone by that, and the sentence says so."""
    if row.state == State.RUNNING:
        reason = f"{reason} Defender still has machine action {row.action_id}: look at the device in the portal."
    elif row.state == State.FETCHING:
        reason = f"{reason} The session itself has ended: look for its result at machine action {row.action_id}."
    elif row.state == State.SUBMITTED and state == "failed":
        reason = f"{reason} {polling.UNCERTAIN}"
    # What Defender has taken can be gone on with: `going_on`.
    had = {"stopped_in": row.state} if state == "failed" and row.state in (State.RUNNING, State.FETCHING) else {}
    end(row, State(state), reason, **had)


def _move(work: Work) -> None:
    row = work.row
    if row.cancel_requested:
        _cancel(work)
    elif timezone.now() > row.deadline + (FETCH_MORE if row.state == State.FETCHING else timedelta(0)):
        _expire(work)
    else:
        _MOVES[State(row.state)](work)


def _approved(work: Work) -> None:
    """Find the device, then stand in line."""
    _may_act(work)
    machine = work.tenant.machine(work.row.machine_id or work.row.device)
    platform = platform_of(machine.os_platform)
    if platform and platform not in work.plan.platforms:
        wanted = ", ".join(work.plan.platforms)
        raise Refused(f"{machine.dns_name} is {machine.os_platform}; {work.plan.title} is for {wanted}.")
    work.write(
        "device",
        f"{machine.dns_name} is device {machine.id}",
        state=State.QUEUED,
        machine_id=machine.id,
        status_text="In line",
    )
    if work.row.batch_id is None:
        found = Device(machine.dns_name, machine.id, {"collection": str(work.row.uuid)})
        note_devices(case=work.row.case, actor=work.row.requested_by, devices=[found])


def _may_act(work: Work) -> None:
    """Everything that was true when it was asked for must still be true. Raises Refused."""
    row = work.row
    if closed := _closed_to_changes(row):
        raise Refused(closed)
    if not row.case.is_open:
        raise Refused("The case was closed meanwhile.")
    if not access.still_may(row.requested_by, row.case, access.ANALYST):
        raise Refused(f"{row.requested_by.name} may no longer act on this case.")
    if not work.plan.needs_approval:
        return
    valid = find_approval(row)
    if valid is None and not collections.standing_of(row, work.plan):
        raise Refused(
            "No approval covers this act any more: it ran out, was withdrawn, or something changed. Ask again."
        )


def _closed_to_changes(row: Collection) -> str:
    """Why no device may be touched through the connection; "" where it may."""
    if row.connection.enabled and not row.connection.read_only:
        return ""
    return f"The connection {row.connection.name} is now for hunting only."


def _held(work: Work) -> bool:
    """Whether the kill switch holds it; then the row waits where it is and says so."""
    reason = freezing.hold_on(work.row.connection)
    if reason:
        work.write(status_text=reason[:300], after=timedelta(seconds=freezing.LOOK_AGAIN))
    return bool(reason)


def _same_files(work: Work) -> None:
    """Before a script runs or a file is put on the device, the library must still hold the very files that were
    approved: all that the collection uses. Raises Refused."""
    if not work.step.file:
        return
    there = {file.name.lower(): file.sha256.lower() for file in work.tenant.library_files()}
    for file in collections.files_of(work.row):
        if file["name"].lower() not in there:
            raise Refused(f"{file['name']} is no longer in the tenant's library.")
        if there[file["name"].lower()] != file["sha256"]:
            raise Refused(
                f"{file['name']} in the tenant's library is not the file that was approved (its SHA-256 differs). "
                "Ask again."
            )


@dataclass(frozen=True)
class _Order:
    """One thing to ask of Defender: what it is in words, and the call that does it."""

    words: str
    send: Callable[[], MachineAction]


def _order(work: Work) -> _Order:
    """Raises InvalidParameter where a value cannot be sent."""
    row = work.row
    if work.step.package:
        return _Order(
            "CollectInvestigationPackage", lambda: work.tenant.collect_package(row.machine_id, row.step_marker)
        )
    command = work.step.command(work.values)
    return _Order(
        _words(command.as_json()),
        lambda: work.tenant.run_live_response(row.machine_id, [command], row.step_marker),
    )


def _queued(work: Work) -> None:
    """Wait for a turn; then write the intent and submit."""
    _may_act(work)
    order = _order(work)
    if _held(work) or _late_twin(work):
        return
    if not work.step.package and _device_is_taken(work):
        text = "Another job of ours is on the device; waiting for its end"
        work.write(status_text=text, after=work.pace("live_response_busy_seconds", 30))
        return
    answer = work.governor.acquire(work.bucket, work.row.step_marker, flow=work.flow)
    if isinstance(answer, Wait):
        asked = "a package" if work.step.package else "Live Response"
        text = f"In line for {asked}: place {answer.place}, about {answer.eta:.0f} s"
        work.write(status_text=text, after=timedelta(seconds=min(max(answer.eta, 0.05), LONGEST_SLEEP)))
        return
    work.row.turn = answer.nonce
    try:
        _intend(work, order)
    except BaseException:
        _release(work)
        raise
    line.call_one(work.row.connection)
    _submit(work, order)


def _late_twin(work: Work) -> bool:
    """Whether what seemed not to have been taken is there after all: looked for before it is sent a second time."""
    row = work.row
    if not row.commands.filter(step=row.step, what="not_taken").exists():
        return False
    twin = work.tenant.find_action(row.machine_id, row.step_marker)
    if twin is not None:
        _running_now(work, twin, "found")
    return twin is not None


def _device_is_taken(work: Work) -> bool:
    """One session per device: what Defender would refuse is not asked of it, for that would cost a call."""
    row, open_ones = work.row, Collection.objects.filter(state__in=(State.SUBMITTED, State.RUNNING))
    return open_ones.filter(connection=row.connection_id, machine_id=row.machine_id).exclude(pk=row.pk).exists()


def _intend(work: Work, order: _Order) -> None:
    """The last look before the act, and the intent. Raises Refused, NotYet or Lost, before anything was sent."""
    _same_files(work)
    if not work.step.package:
        # A session has turns of its own; the call that starts it is one of Defender's too.
        work.tenant.turn()
    work.write(
        "submitting",
        f"{work.step.title}: {order.words}",
        state=State.SUBMITTED,
        action_id="",
        turn=work.row.turn,
        submitted_at=timezone.now(),
        status_text="Submitting",
        waits_for_device=False,
    )


def _submit(work: Work, order: _Order) -> None:
    row = work.row
    if reason := freezing.hold_on(row.connection):
        _release(work)
        again = timedelta(seconds=freezing.LOOK_AGAIN)
        work.write("frozen", reason, state=State.QUEUED, status_text=reason[:300], turn="", after=again)
        return
    try:
        action = _call(work, order)
    except ActiveRequestExists:
        _release(work)
        text = f"{_ANOTHER[work.step.package]}; waiting for its end"
        work.write(
            "busy",
            text,
            state=State.QUEUED,
            status_text=text,
            turn="",
            after=work.pace("live_response_busy_seconds", 30),
        )
    except Throttled as error:
        wait = error.retry_after or 60.0
        work.governor.penalise(work.bucket, wait)
        _release(work)
        work.write(
            "throttled", str(error), state=State.QUEUED, status_text=str(error), turn="", after=timedelta(seconds=wait)
        )
    except ApiError as error:
        if error.permanent and not isinstance(error, Ambiguous):
            # Defender has refused it: that is certain.
            _release(work)
            end(row, State.FAILED, str(error))
            return
        # Nobody knows whether Defender took it: the intent stays, and the next move looks for the twin.
        work.write(
            "doubtful",
            str(error),
            status_text="Not certain that Defender took it; looking",
            after=work.pace("live_response_poll_seconds", 10),
        )
    else:
        _running_now(work, action, "submitted")


def _call(work: Work, order: _Order) -> MachineAction:
    try:
        return order.send()
    finally:
        with suppress(GovernorUnavailable):
            work.governor.made(Granted(work.bucket, work.row.step_marker, work.row.turn))


def _running_now(work: Work, action: MachineAction, what: str) -> None:
    work.write(
        what,
        f"Machine action {action.id} is {action.status}",
        state=State.RUNNING,
        action_id=action.id,
        status_text=_status_text(work, action),
        after=machine_actions.patience(work.row.connection),
    )
    # The list of all actions is read from now on: it calls the row when something has changed.
    pace = work.pace("live_response_poll_seconds", 10).total_seconds()
    jobs.send("liveresponse.watch_actions", work.row.connection_id, after=pace)


def _too_early(row: Collection) -> bool:
    """Whether a twin that is missing may still appear."""
    return row.submitted_at is not None and timezone.now() - row.submitted_at < TWIN_GRACE


def _submitted(work: Work) -> None:
    """An intent without an action: find the twin, or go back into the line once it can no longer appear."""
    row = work.row
    twin = work.tenant.find_action(row.machine_id, row.step_marker)
    if twin is not None:
        _running_now(work, twin, "found")
    elif _too_early(row):
        work.write(after=timedelta(seconds=5))
    else:
        _release(work)
        work.write(
            "not_taken",
            "Defender did not take the request; submitting again",
            state=State.QUEUED,
            turn="",
            status_text="In line",
        )


def _running(work: Work) -> None:
    row = work.row
    known = machine_actions.fresh(row.connection, row.action_id)
    try:
        action = known.as_action() if known else work.tenant.machine_action(row.action_id)
    except NotFound:
        _release(work)
        end(row, State.FAILED, f"Defender no longer knows machine action {row.action_id}. Ask again.")
        return
    with suppress(GovernorUnavailable):
        work.governor.renew(Granted(work.bucket, row.step_marker, row.turn))
    if action.is_final:
        _release(work)
        _final(work, action)
    elif giving_way.should(work, action) and not _closed_to_changes(row) and freezing.may_send(row.connection):
        _give_way(work)
    else:
        _still_running(work, action, listed=known is not None)


def _still_running(work: Work, action: MachineAction, *, listed: bool) -> None:
    """Look again soon, or, where the list of the tenant's actions is read, when that wakes the row."""
    pending = action.status == ActionStatus.PENDING
    text = _status_text(work, action)
    changed = text != work.row.status_text
    pace = ("live_response_offline_seconds", 30.0) if pending else ("live_response_poll_seconds", 10.0)
    after = machine_actions.patience(work.row.connection) if listed else work.pace(*pace)
    work.write("status" if changed else "", text, status_text=text, waits_for_device=pending, after=after)


def _give_way(work: Work) -> None:
    """Cancel the session of a device that does not answer, so that others get a turn; and line up again, later."""
    if _cancel_action(work, giving_way.WHY):
        # It has begun or ended just now: what comes of it is seen with the next look.
        work.write(after=work.pace("live_response_poll_seconds", 10))
        return
    _line_up_again(work)


def _line_up_again(work: Work) -> None:
    _release(work)
    after = giving_way.pause(work)
    work.write(
        "gave_way",
        "The device does not answer: its session was given to others, and is asked for again later",
        state=State.QUEUED,
        action_id="",
        turn="",
        submitted_at=None,
        attempt=work.row.attempt + 1,
        status_text=f"The device does not answer; asked again in {after.total_seconds() / 60:.0f} min",
        waits_for_device=True,
        after=after,
    )


def _final(work: Work, action: MachineAction) -> None:
    """The action has ended: fetch what there is, or say why there is nothing."""
    if giving_way.did(work, action):
        # A worker that was killed between the cancelling and its row: nobody wanted this job to end.
        _line_up_again(work)
    elif action.status == ActionStatus.CANCELLED:
        end(
            work.row,
            State.CANCELLED,
            f"Cancelled in Defender by {action.cancelled_by or 'somebody'}: {action.cancel_comment}",
        )
    elif action.status == ActionStatus.TIMED_OUT:
        end(work.row, State.EXPIRED, "The device did not come online in the time that Defender keeps a request.")
    elif work.step.put_file and _is_done(action):
        next_step(work)
    elif _is_done(action) or (work.step.package and action.status == ActionStatus.SUCCEEDED):
        work.write(
            "status",
            f"Machine action {action.id} ended as {action.status}",
            state=State.FETCHING,
            status_text="Fetching the result",
        )
    else:
        end(
            work.row, State.FAILED, action.failure or f"Defender ended the session as {action.status} without a reason."
        )


def _is_done(action: MachineAction) -> bool:
    return any(command.status == CommandStatus.COMPLETED for command in action.commands)


def _status_text(work: Work, action: MachineAction) -> str:
    if action.status == ActionStatus.PENDING:
        return f"{work.step.title}: waiting for the device, which is offline or busy"
    return f"{work.step.title}: {action.status} on the device"


def _cancel(work: Work) -> None:
    """A person asked to stop: cancel in Defender what was submitted, then end."""
    row = work.row
    if row.state == State.SUBMITTED and not row.action_id:
        twin = work.tenant.find_action(row.machine_id, row.step_marker)
        if twin is None and _too_early(row):
            work.write(after=timedelta(seconds=5), status_text="Cancelling")
            return
        row.action_id = twin.id if twin else ""
    said = "Cancelled"
    if row.action_id and row.state in (State.SUBMITTED, State.RUNNING):
        if closed := _closed_to_changes(row):
            said = (
                f"Cancelled here. Machine action {row.action_id} was not cancelled in Defender: {closed} Cancel it in "
                "the portal if it must not go on."
            )
        elif _held(work):
            return
        elif refusal := _cancel_action(work):
            said = (
                f"Cancelled here. Defender did not cancel machine action {row.action_id}, which may run to its end: "
                f"{refusal}"
            )
    _release(work)
    end(row, State.CANCELLED, said)


def _cancel_action(work: Work, why: str = "cancelled in the case") -> str:
    """Why Defender did not cancel it, "" where it did: one that has just ended cannot be cancelled, and need not be."""
    try:
        work.tenant.cancel(work.row.action_id, f"{work.row.marker}: {why}")
        collections.note(work.row, "cancelled", f"Machine action {work.row.action_id} cancelled in Defender")
    except (Ambiguous, Throttled):
        raise
    except ApiError as error:
        if not error.permanent:
            raise
        collections.note(work.row, "cancelled", f"Defender did not cancel machine action {work.row.action_id}: {error}")
        return str(error) or "It gave no reason."
    return ""


def _expire(work: Work) -> None:
    """Past the deadline. What Defender has is looked at first: what the device has done meanwhile is not given up."""
    row = work.row
    if row.state == State.FETCHING:
        _stop(row, "failed", "Given up: the result could not be fetched in time.")
        return
    if row.state == State.SUBMITTED:
        twin = work.tenant.find_action(row.machine_id, row.step_marker)
        if twin is not None:
            _running_now(work, twin, "found")
        elif _too_early(row):
            work.write(after=timedelta(seconds=5))
            return
    if row.state == State.RUNNING and not _given_up(work):
        return
    _release(work)
    end(row, State.EXPIRED, _why_expired(work))


def _given_up(work: Work) -> bool:
    """Cancel at the deadline what Defender has, where it may be; False where the row goes on or waits."""
    row = work.row
    action = work.tenant.machine_action(row.action_id)
    if action.is_final:
        _release(work)
        _final(work, action)
        return False
    if not _closed_to_changes(row):
        if _held(work):
            return False
        with suppress(ApiError):
            _cancel_action(work)
    return True


def _why_expired(work: Work) -> str:
    row, steps = work.row, len(work.plan.steps)
    if row.state == State.RUNNING and (closed := _closed_to_changes(row)):
        return (
            f"Given up at its deadline: the device did not come online. Machine action {row.action_id} was not "
            f"cancelled in Defender: {closed}"
        )
    if row.step and row.state != State.RUNNING:
        return f"Given up at its deadline after step {row.step} of {steps}: what came home until then is kept."
    return "Given up at its deadline: the device did not come online, or the line was too long."


def _release(work: Work) -> None:
    """Give the session back, or the place in the line; whoever is next is called."""
    row = work.row
    with suppress(GovernorUnavailable):
        if row.turn:
            work.governor.release(Granted(work.bucket, row.step_marker, row.turn))
        else:
            work.governor.leave(work.bucket, row.step_marker, work.flow)
        row.turn = ""
        line.session_ended(work.governor, work.bucket)


def _words(command: dict[str, Any]) -> str:
    return f"{command['type']} " + ", ".join(f"{p['key']}={p['value']}" for p in command["params"])


_MOVES = {
    State.APPROVED: _approved,
    State.QUEUED: _queued,
    State.SUBMITTED: _submitted,
    State.RUNNING: _running,
    State.FETCHING: fetch,
}

_MACHINE: Final = polling.Machine(
    rows=Collection.objects.all, task="liveresponse.step", move=_turn, end=_stop, note=collections.note
)
