"""The machine of a collection: what each state does with one poll.

The only thing that cannot be repeated, submitting to Defender, is preceded by a written intent (SUBMITTED without an
action id): a worker that finds an intent looks for the action's twin before anything is sent again.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Literal

from django.utils import timezone

from ircase import access, quota
from ircase.services import approvals
from liveresponse.models import Collection
from liveresponse.providers import Opener, Tenant, open_tenant
from liveresponse.runner import polling
from liveresponse.runner.polling import Refused
from liveresponse.runner.results import fetch
from liveresponse.runner.work import State, Work, end
from liveresponse.services import collections, freezing
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

TWIN_GRACE: Final = timedelta(seconds=30)
"""How long after an intent a missing twin may still appear in the list of actions."""


def advance(pk: int, owner: str, opener: Opener = open_tenant) -> None:
    """Lease collection `pk` and make one move. Nothing happens when it is not due or another worker has it."""
    polling.advance(_MACHINE, pk, owner, opener)


def _turn(row: Collection, owner: str, tenant: Tenant) -> None:
    _move(Work(row, owner, tenant, quota.governor()))


def _stop(row: Collection, state: Literal["failed", "refused"], reason: str) -> None:
    end(row, State(state), reason)


def _move(work: Work) -> None:
    row = work.row
    if row.cancel_requested:
        _cancel(work)
    elif timezone.now() > row.deadline:
        _expire(work)
    else:
        _MOVES[State(row.state)](work)


def _approved(work: Work) -> None:
    """Find the device, then stand in line."""
    _may_act(work)
    machine = work.tenant.machine(work.row.machine_id or work.row.device)
    work.write(
        "device",
        f"{machine.dns_name} is device {machine.id}",
        state=State.QUEUED,
        machine_id=machine.id,
        status_text="In line",
    )


def _may_act(work: Work) -> None:
    """Everything that was true when it was asked for must still be true. Raises Refused."""
    row = work.row
    if not row.connection.enabled or row.connection.read_only:
        raise Refused(f"The connection {row.connection.name} is now for hunting only.")
    if not row.case.is_open:
        raise Refused("The case was closed meanwhile.")
    if not access.still_may(row.requested_by, row.case, access.ANALYST):
        raise Refused(f"{row.requested_by.name} may no longer act on this case.")
    if not work.plan.needs_approval:
        return
    valid = approvals.find_valid(row.uuid, collections.binding_of(row))
    if valid is None and approvals.find_standing(row.connection, row.script_sha256) is None:
        raise Refused(
            "No approval covers this act any more: it ran out, was withdrawn, or something changed. Ask again."
        )


def _same_script(work: Work) -> None:
    """The library must still hold the very script that was approved. Raises Refused."""
    name = work.step.run_script
    files = {file.name.lower(): file.sha256.lower() for file in work.tenant.library_files()} if name else {}
    if name and name.lower() not in files:
        raise Refused(f"{name} is no longer in the tenant's library.")
    if name and files[name.lower()] != work.row.script_sha256:
        raise Refused(
            f"{name} in the tenant's library is not the file that was approved (its SHA-256 differs). Ask again."
        )


def _queued(work: Work) -> None:
    """Wait for a turn; then write the intent and submit."""
    _may_act(work)
    _same_script(work)
    if reason := freezing.hold_on(work.row.connection):
        work.write(status_text=reason[:300], after=timedelta(seconds=freezing.LOOK_AGAIN))
        return
    command = work.step.command(work.values)
    answer = work.governor.acquire(work.bucket, work.row.step_marker)
    if isinstance(answer, Wait):
        text = f"In line for Live Response: place {answer.place}, about {answer.eta:.0f} s"
        work.write(status_text=text, after=timedelta(seconds=max(answer.seconds, 0.5)))
        return
    work.write(
        "submitting",
        f"{work.step.title}: {_words(command.as_json())}",
        state=State.SUBMITTED,
        action_id="",
        turn=answer.nonce,
        submitted_at=timezone.now(),
        status_text="Submitting",
    )
    _submit(work, command)


def _submit(work: Work, command: Any) -> None:
    row = work.row
    if reason := freezing.hold_on(row.connection):
        _release(work)
        again = timedelta(seconds=freezing.LOOK_AGAIN)
        work.write("frozen", reason, state=State.QUEUED, status_text=reason[:300], turn="", after=again)
        return
    try:
        action = work.tenant.run_live_response(row.machine_id, [command], row.step_marker)
    except ActiveRequestExists:
        _release(work)
        text = "Another session is open on the device; waiting for its end"
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
            _release(work)
            raise
        # Nobody knows whether Defender took it: the intent stays, and the next move looks for the twin.
        work.write(
            "doubtful",
            str(error),
            status_text="Not certain that Defender took it; looking",
            after=work.pace("live_response_poll_seconds", 10),
        )
    else:
        _running_now(work, action, "submitted")


def _running_now(work: Work, action: MachineAction, what: str) -> None:
    work.write(
        what,
        f"Machine action {action.id} is {action.status}",
        state=State.RUNNING,
        action_id=action.id,
        status_text=_status_text(work, action),
        after=work.pace("live_response_poll_seconds", 10),
    )


def _submitted(work: Work) -> None:
    """An intent without an action: find the twin, or go back into the line once it can no longer appear."""
    row = work.row
    twin = work.tenant.find_action(row.machine_id, row.step_marker)
    if twin is not None:
        _running_now(work, twin, "found")
    elif row.submitted_at and timezone.now() - row.submitted_at < TWIN_GRACE:
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
    try:
        action = work.tenant.machine_action(row.action_id)
    except NotFound:
        _release(work)
        end(row, State.FAILED, f"Defender no longer knows machine action {row.action_id}. Ask again.")
        return
    with suppress(GovernorUnavailable):
        work.governor.renew(Granted(work.bucket, row.step_marker, row.turn))
    if not action.is_final:
        text = _status_text(work, action)
        changed = text != row.status_text
        pace = (
            ("live_response_offline_seconds", 30.0)
            if action.status == ActionStatus.PENDING
            else ("live_response_poll_seconds", 10.0)
        )
        work.write("status" if changed else "", text, status_text=text, after=work.pace(*pace))
        return
    _release(work)
    _final(work, action)


def _final(work: Work, action: MachineAction) -> None:
    """The action has ended: fetch what there is, or say why there is nothing."""
    if action.status == ActionStatus.CANCELLED:
        end(
            work.row,
            State.CANCELLED,
            f"Cancelled in Defender by {action.cancelled_by or 'somebody'}: {action.cancel_comment}",
        )
    elif action.status == ActionStatus.TIMED_OUT:
        end(work.row, State.EXPIRED, "The device did not come online in the time that Defender keeps a request.")
    elif any(command.status == CommandStatus.COMPLETED for command in action.commands):
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


def _status_text(work: Work, action: MachineAction) -> str:
    if action.status == ActionStatus.PENDING:
        return f"{work.step.title}: waiting for the device, which is offline or busy"
    return f"{work.step.title}: {action.status} on the device"


def _cancel(work: Work) -> None:
    """A person asked to stop: cancel in Defender what was submitted, then end."""
    row = work.row
    if row.state == State.SUBMITTED and not row.action_id:
        twin = work.tenant.find_action(row.machine_id, row.step_marker)
        if twin is None and row.submitted_at and timezone.now() - row.submitted_at < TWIN_GRACE:
            work.write(after=timedelta(seconds=5), status_text="Cancelling")
            return
        row.action_id = twin.id if twin else ""
    if row.action_id and row.state in (State.SUBMITTED, State.RUNNING):
        _cancel_action(work)
    _release(work)
    end(row, State.CANCELLED, "Cancelled")


def _cancel_action(work: Work) -> None:
    """Best effort: an action that has just ended cannot be cancelled, and need not be."""
    try:
        work.tenant.cancel(work.row.action_id, f"{work.row.marker}: cancelled in the case")
        collections.note(work.row, "cancelled", f"Machine action {work.row.action_id} cancelled in Defender")
    except (Ambiguous, Throttled):
        raise
    except ApiError as error:
        if not error.permanent:
            raise
        collections.note(work.row, "cancelled", f"Defender did not cancel machine action {work.row.action_id}: {error}")


def _expire(work: Work) -> None:
    if work.row.action_id and work.row.state == State.RUNNING:
        with suppress(ApiError):
            _cancel_action(work)
    _release(work)
    end(work.row, State.EXPIRED, "Given up at its deadline: the device did not come online, or the line was too long.")


def _release(work: Work) -> None:
    if work.row.turn:
        with suppress(GovernorUnavailable):
            work.governor.release(Granted(work.bucket, work.row.step_marker, work.row.turn))


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
