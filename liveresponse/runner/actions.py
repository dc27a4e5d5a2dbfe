"""The machine of a response action: what each state does with one poll.

What cannot be repeated, the call that changes something, is preceded by a written intent (SUBMITTED without an id): a
worker that finds one looks for its twin in the tenant before anything is sent again. Right before the call everything
that allowed it is looked at once more: the kill switch, the connection, the case, the approval, both persons' rights.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Literal

from django.utils import timezone

from ircase import access
from ircase.models import Connection
from ircase.services import approvals
from ircase.services.analysis.devices import Device, note_devices
from liveresponse.kinds import OPPOSITES
from liveresponse.models import ActionKind, ActionState, Effect, ResponseAction
from liveresponse.responding import Responder, ResponderOpener, open_responder
from liveresponse.runner import polling
from liveresponse.runner.acting import Act, last_of, moment, words
from liveresponse.runner.effects import confirm
from liveresponse.runner.indicators import delete_block, look_for_block, put_block, refuse_foreign
from liveresponse.runner.polling import Refused
from liveresponse.services import actions, exchange, freezing
from msapi.errors import ActiveRequestExists, Ambiguous, ApiError, NotFound, Throttled
from msapi.machines import ActionStatus, Machine, MachineAction

State = ActionState
TWIN_GRACE: Final = timedelta(seconds=30)
"""How long after an intent a missing twin may still appear in the list of actions."""


def act(pk: int, owner: str, opener: ResponderOpener = open_responder) -> None:
    """Lease response action `pk` and make one move. Nothing happens when it is not due or another worker has it."""
    polling.advance(_MACHINE, pk, owner, opener)


def _turn(row: ResponseAction, owner: str, tenant: Responder) -> None:
    _move(Act(row, owner, tenant))


def _stop(row: ResponseAction, state: Literal["failed", "refused"], reason: str) -> None:
    """The poller gives up. What Defender has taken is not undone by that, and the sentence says so."""
    if row.state == State.CONFIRMING:
        text = f"Not confirmed. Defender says that it succeeded, but asking the device did not work: {reason}"
        actions.end(row, State.DONE, text, effect=Effect.UNCONFIRMED, effect_text=text, looked_at=timezone.now())
        return
    if row.state == State.RUNNING:
        reason = f"{reason} Defender still has machine action {row.action_id}: look at the device in the portal."
    elif row.state == State.SUBMITTED and state == "failed":
        reason = f"{reason} {polling.UNCERTAIN}"
    actions.end(row, State(state), reason)


def _move(work: Act) -> None:
    row = work.row
    if row.state == State.CONFIRMING:
        confirm(work)
    elif row.cancel_requested and (work.kind.is_for_devices or row.state == State.APPROVED):
        _cancel(work)
    elif timezone.now() > row.deadline:
        _expire(work)
    else:
        _MOVES[State(row.state)](work)


def _may_act(row: ResponseAction) -> None:
    """Everything that was true when it was asked for must still be true, as the database has it now. Raises Refused."""
    if closed := _closed_to_changes(row):
        raise Refused(closed)
    row.case.refresh_from_db(fields=["closed_at", "confidential"])
    row.requested_by.refresh_from_db()
    if not row.case.is_open:
        raise Refused("The case was closed meanwhile.")
    if not access.still_may(row.requested_by, row.case, access.ANALYST):
        raise Refused(f"{row.requested_by.name} may no longer act on this case.")
    together = list(ResponseAction.objects.filter(batch=row.batch))
    digest = actions.binding_of(together)
    if row.break_glass and row.binding == digest:
        return
    if approvals.find_valid(row.batch, digest) is None:
        raise Refused(
            "No approval covers this act any more: it ran out, was withdrawn, its approver is no longer a lead, or "
            "something changed. Ask again."
        )


def _closed_to_changes(row: ResponseAction) -> str:
    """Why nothing may be changed through the connection, as the database has it now; "" where it may."""
    connection = Connection.objects.get(pk=row.connection_id)
    if connection.enabled and not connection.read_only:
        return ""
    return f"The connection {connection.name} is read-only now: nothing may be changed through it."


def _held(work: Act) -> bool:
    """Whether the kill switch holds it; then the row waits and says so."""
    reason = freezing.hold_on(work.row.connection)
    if reason:
        first = work.row.status_text != reason[:300]
        work.write("frozen" if first else "", reason, status_text=reason, after=timedelta(seconds=freezing.LOOK_AGAIN))
    return bool(reason)


def _approved(work: Act) -> None:
    """Look at what is there; then write the intent and send."""
    _may_act(work.row)
    if _held(work):
        return
    if not work.kind.is_for_devices:
        if work.row.kind == ActionKind.BLOCK and refuse_foreign(work):
            return
        _send(work)
        return
    machine = _machine(work)
    found = Device(machine.dns_name, machine.id, {"action": str(work.row.uuid)})
    note_devices(case=work.row.case, actor=work.row.requested_by, devices=[found])
    known = work.tenant.actions_of(machine.id)
    twin = next((action for action in known if work.row.marker in action.comment), None)
    if twin is not None:
        work.write(machine_id=machine.id)
        _running_now(work, twin, "found")
    elif (last := _already(work, known)) is not None:
        _nothing_to_do(work, machine, last)
    elif (other := _pending(work, known)) is not None:
        work.end(State.FAILED, _whose(other))
    else:
        if not work.row.machine_id:
            work.write("device", f"{machine.dns_name} is device {machine.id}", machine_id=machine.id)
        _send(work)


def _machine(work: Act) -> Machine:
    """The device, which must be the one that was approved. Raises Refused."""
    row = work.row
    machine = work.tenant.machine(row.machine_id or row.device_id or row.target)
    name = machine.dns_name.lower()
    if row.target not in (name, name.partition(".")[0]):
        raise Refused(
            f"Device {machine.id} is called {machine.dns_name or 'nothing'} in Defender, not {row.target}: this is not "
            "what was approved. Mend the asset's identifier and ask again."
        )
    return machine


def _already(work: Act, known: Sequence[MachineAction]) -> MachineAction | None:
    """The last successful action of the kind's family, if it has brought about what is asked for and nothing under way
    takes it back."""
    last = last_of(work.kind.api_type, known)
    if last is None or last.type != work.kind.api_type:
        return None
    if any(action.type == OPPOSITES[last.type] and not action.is_final for action in known):
        return None
    wanted = work.row.parameters.get("isolation", "")
    return last if not wanted or last.scope in ("", wanted) else None


def _nothing_to_do(work: Act, machine: Machine, last: MachineAction) -> None:
    text = (
        f"Nothing was sent: it is so already. {last.type} succeeded at {words(moment(last.updated))}, asked for by "
        f"{last.requestor or 'somebody'} ({last.comment[:160] or 'no comment'})."
    )
    work.write(
        "already",
        text,
        state=State.CONFIRMING,
        machine_id=machine.id,
        status_text="It is so already; asking the device",
        effect_text=text,
        confirm_until=timezone.now(),
    )


def _pending(work: Act, known: Sequence[MachineAction]) -> MachineAction | None:
    """An unfinished action of the same kind that is not ours."""
    return next((a for a in known if a.type == work.kind.api_type and not a.is_final), None)


def _whose(other: MachineAction | None) -> str:
    if other is None:
        return "Defender is busy with the same action on this device, asked for by somebody else. Nothing was changed."
    return (
        f"{other.requestor or 'Somebody'} has asked Defender for {other.type} already, at "
        f"{words(moment(other.created))}; it is {other.status} (machine action {other.id}, comment: "
        f"{other.comment[:200] or 'none'}). Nothing was added to it. Wait for its end, or ask them."
    )


def _send(work: Act) -> None:
    """Intent, last look, call."""
    row = work.row
    text = f"{work.kind.title}: {row.target}"
    work.write(
        "submitting",
        text,
        state=State.SUBMITTED,
        action_id="",
        submitted_at=timezone.now(),
        status_text="Submitting",
        detail={"call": work.kind.api_type or row.kind, "parameters": row.parameters, "comment": row.comment},
    )
    try:
        _may_act(row)
    except Refused as error:
        row.submitted_at = None
        work.end(State.REFUSED, str(error), submitted_at=None)
        return
    if reason := freezing.hold_on(row.connection):
        _back(work, "frozen", reason, timedelta(seconds=freezing.LOOK_AGAIN))
        return
    _call(work)


def _back(work: Act, what: str, text: str, after: timedelta) -> None:
    """Nothing was taken: as if it had not been tried."""
    work.write(what, text, state=State.APPROVED, submitted_at=None, status_text=text, after=after)


def _call(work: Act) -> None:
    try:
        if work.row.kind == ActionKind.BLOCK:
            put_block(work)
        elif work.row.kind == ActionKind.UNBLOCK:
            delete_block(work)
        else:
            _running_now(work, _submit(work), "submitted")
    except ActiveRequestExists:
        _busy(work)
    except Throttled as error:
        _back(work, "throttled", str(error), timedelta(seconds=error.retry_after or 60.0))
    except ApiError as error:
        if error.permanent and not isinstance(error, Ambiguous):
            # Defender has refused it: that is certain.
            work.end(State.FAILED, str(error))
            return
        # Nobody knows whether Defender took it: the intent stays, and the next move looks for the twin.
        text = "Not certain that Defender took it; looking"
        work.write("doubtful", str(error), status_text=text, after=work.pace("live_response_poll_seconds", 10))


def _submit(work: Act) -> MachineAction:
    row, tenant = work.row, work.tenant
    machine, comment = row.machine_id, row.comment
    match row.kind:
        case ActionKind.ISOLATE:
            return tenant.isolate(machine, comment, row.parameters["isolation"])
        case ActionKind.RELEASE:
            return tenant.unisolate(machine, comment)
        case ActionKind.RESTRICT:
            return tenant.restrict(machine, comment)
        case ActionKind.UNRESTRICT:
            return tenant.unrestrict(machine, comment)
        case ActionKind.SCAN:
            return tenant.scan(machine, comment, full=row.parameters["scan"] == "Full")
        case ActionKind.QUARANTINE:
            return tenant.quarantine(machine, comment, row.parameters["sha1"])
    raise Refused(f"There is no call for {row.kind}.")


def _busy(work: Act) -> None:
    """Defender has such an action: ours, if an earlier try was taken after all, or another's, which stays another's."""
    known = work.tenant.actions_of(work.row.machine_id)
    twin = next((action for action in known if work.row.marker in action.comment), None)
    if twin is not None:
        _running_now(work, twin, "found")
    else:
        work.end(State.FAILED, _whose(_pending(work, known)))


def _running_now(work: Act, action: MachineAction, what: str) -> None:
    work.write(
        what,
        f"Machine action {action.id} is {action.status}",
        state=State.RUNNING,
        action_id=action.id,
        submitted_at=work.row.submitted_at or timezone.now(),
        status_text=_status_text(action),
        after=work.pace("live_response_poll_seconds", 10),
        detail={"answer": dict(action.raw)},
    )


def _submitted(work: Act) -> None:
    """An intent without an id: find the twin, or begin again once it can no longer appear."""
    row = work.row
    if not work.kind.is_for_devices:
        if not look_for_block(work):
            _again(work)
        return
    twin = work.tenant.find_action(row.machine_id, row.marker)
    if twin is not None:
        _running_now(work, twin, "found")
    elif not _again(work):
        work.write(after=timedelta(seconds=5))


def _again(work: Act) -> bool:
    """Back to the start once a late twin is no longer to be expected; False while it is too early."""
    row = work.row
    if row.submitted_at and timezone.now() - row.submitted_at < TWIN_GRACE:
        work.write(after=timedelta(seconds=5))
        return False
    _back(work, "not_taken", "Defender did not take the request; submitting again", timedelta(0))
    return True


def _running(work: Act) -> None:
    row = work.row
    try:
        action = work.tenant.machine_action(row.action_id)
    except NotFound:
        work.end(State.FAILED, f"Defender no longer knows machine action {row.action_id}. Look at the device, then "
                 "ask again if it is needed.")  # fmt: skip
        return
    if action.is_final:
        _final(work, action)
        return
    text = _status_text(action)
    pending = action.status == ActionStatus.PENDING
    pace = ("live_response_offline_seconds", 30.0) if pending else ("live_response_poll_seconds", 10.0)
    work.write("status" if text != row.status_text else "", text, status_text=text, after=work.pace(*pace))


def _status_text(action: MachineAction) -> str:
    if action.status == ActionStatus.PENDING:
        return "Defender has it; waiting for the device, which is offline or busy"
    return f"{action.status} on the device"


def _final(work: Act, action: MachineAction) -> None:
    answer = {"answer": dict(action.raw)}
    if action.status == ActionStatus.SUCCEEDED:
        hours = float(work.row.connection.limits.get("action_confirm_hours", 24))
        work.write(
            "succeeded",
            f"Machine action {action.id} succeeded",
            state=State.CONFIRMING,
            effect_at=moment(action.updated) or timezone.now(),
            confirm_until=timezone.now() + timedelta(hours=hours),
            status_text="Defender says it succeeded; asking the device",
            detail=answer,
        )
        return
    exchange.note(work.row, "answer", f"Machine action {action.id} ended as {action.status}", **answer)
    if action.status == ActionStatus.CANCELLED:
        who = action.cancelled_by or "somebody"
        work.end(State.CANCELLED, f"Cancelled in Defender by {who}: {action.cancel_comment}")
    elif action.status == ActionStatus.TIMED_OUT:
        work.end(State.EXPIRED, "The device did not come online in the time that Defender keeps a request.")
    else:
        work.end(State.FAILED, action.failure or f"Defender ended the action as {action.status} without a reason.")


def _cancel(work: Act) -> None:
    """A person asked to stop. What Defender has taken ends as Defender says, not as we wish."""
    row = work.row
    if row.state == State.APPROVED:
        work.end(State.CANCELLED, "Cancelled; nothing was sent")
        return
    if not row.action_id:
        twin = work.tenant.find_action(row.machine_id, row.marker)
        if twin is not None:
            _running_now(work, twin, "found")
        elif row.submitted_at and timezone.now() - row.submitted_at < TWIN_GRACE:
            work.write(after=timedelta(seconds=5), status_text="Cancelling: looking whether Defender took it")
        else:
            work.end(State.CANCELLED, "Cancelled; Defender had not taken it")
        return
    if not _held(work):
        _cancel_in_defender(work)


def _cancel_in_defender(work: Act) -> None:
    action = work.row.action_id
    if closed := _closed_to_changes(work.row):
        text = f"Machine action {action} was not cancelled: {closed} Cancel it in the Defender portal."
        work.write("cancel", text, cancel_requested=False, status_text=text)
        return
    try:
        work.tenant.cancel(action, f"{work.row.marker}: cancelled in the case")
        text = f"Machine action {action}: asked Defender to cancel"
    except (Ambiguous, Throttled):
        raise
    except ApiError as error:
        if not error.permanent:
            raise
        text = f"Defender did not cancel machine action {action}: {error}"
    work.write("cancel", text, cancel_requested=False, status_text=text)


def _expire(work: Act) -> None:
    """Past the deadline. An action that Defender has is cancelled there first, or its end is taken as it is."""
    row = work.row
    if row.state == State.RUNNING:
        action = work.tenant.machine_action(row.action_id)
        if action.is_final:
            _final(work, action)
            return
        if _held(work):
            return
        if closed := _closed_to_changes(row):
            work.end(State.EXPIRED, "Given up at its deadline: the device did not come online. Defender was not asked "
                     f"to cancel machine action {row.action_id}. {closed} Cancel it in the portal.")  # fmt: skip
            return
        with suppress(ApiError):
            work.tenant.cancel(row.action_id, f"{row.marker}: given up at its deadline")
        work.end(State.EXPIRED, "Given up at its deadline: the device did not come online. Defender was asked to "
                 "cancel; look at the device before asking again.")  # fmt: skip
    elif row.state == State.SUBMITTED:
        work.end(State.EXPIRED, "Given up at its deadline without certainty that Defender took it: look at the "
                 "device's actions in the portal.")  # fmt: skip
    else:
        work.end(State.EXPIRED, "Given up at its deadline; nothing was sent.")


_MOVES = {
    State.APPROVED: _approved,
    State.SUBMITTED: _submitted,
    State.RUNNING: _running,
}
_MACHINE: Final = polling.Machine(
    rows=ResponseAction.objects.all, task="liveresponse.act", move=_turn, end=_stop, note=exchange.note
)
