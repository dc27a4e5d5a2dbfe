"""Whether what was asked for has come about: the device is asked, not only the list of actions.

Asked of DeviceInfo by a hunt where the connection may hunt; else the last successful action of the pair wins, and the
row says that it is only Defender's word. A device reports every few hours: the question is asked again until a limit.
"""

from datetime import datetime
from typing import Any

from django.utils import timezone

from liveresponse.kinds import OPPOSITES
from liveresponse.models import ActionKind, ActionState, Effect
from liveresponse.runner.acting import Act, last_of, moment, words
from msapi.errors import ApiError
from msapi.mitigation import Mitigation

State = ActionState
_IS = {
    ActionKind.ISOLATE: "isolated",
    ActionKind.RELEASE: "not isolated",
    ActionKind.RESTRICT: "restricted to Microsoft's programs",
    ActionKind.UNRESTRICT: "free to run every program",
}


def confirm(work: Act) -> None:
    """CONFIRMING -> DONE, or another look later."""
    if not work.kind.is_for_devices:
        _read_back(work)
    elif work.kind.api_type in OPPOSITES:
        _ask_device(work)
    else:
        done = work.row.effect_at
        text = f"Defender reports success at {words(done)}; the device gives no separate proof of this."
        _done(work, Effect.REPORTED, text, done)


def _read_back(work: Act) -> None:
    row = work.row
    found = work.tenant.find_indicator(row.target)
    if row.kind == ActionKind.UNBLOCK:
        here, text = found is None, "The tenant no longer lists it."
    else:
        here = found is not None and row.marker in found.description
        action, until = row.parameters["action"], row.parameters["expires"]
        text = f"The tenant lists indicator {row.action_id}: {action} until {until}."
    if here:
        _done(work, Effect.CONFIRMED, text, row.effect_at)
    else:
        _not_yet(work, "The tenant's list of indicators does not show it.")


def _ask_device(work: Act) -> None:
    row = work.row
    known = work.tenant.actions_of(row.machine_id)
    last = last_of(work.kind.api_type, known)
    if last is not None and last.type != work.kind.api_type:
        text = f"Reversed since: {last.type} by {last.requestor or 'somebody'} at {words(moment(last.updated))}."
        _done(work, Effect.REVERSED, text, moment(last.updated))
        return
    since = row.effect_at or (moment(last.updated) if last else None)
    try:
        said = work.tenant.mitigation(row.machine_id)
    except ApiError as error:
        if not error.permanent:
            raise
        is_so = _IS[ActionKind(row.kind)]
        text = (
            f"Defender's last successful action says {is_so} since {words(since)}. The device's own report could not "
            f"be read: {error}"
        )
        _done(work, Effect.REPORTED, text, since)
        return
    _judge(work, said, since, moment(last.created) if last else row.submitted_at)


def _judge(work: Act, said: Mitigation | None, since: datetime | None, begun: datetime | None) -> None:
    is_so = _IS[ActionKind(work.row.kind)]
    at = moment(said.at) if said else None
    if said is None or at is None or (begun is not None and at < begun):
        newest = f"its last report is of {words(at)}" if at else "it has not reported"
        _not_yet(work, f"The device has not said so itself: {newest}.")
    elif _fact(work, said) is not _wanted(work):
        text = said.text or "empty"
        _not_yet(work, f"The device's report of {words(at)} does not say {is_so} (MitigationStatus: {text}).")
    else:
        text = f"Defender reports the device {is_so} since {words(since)} (DeviceInfo of {words(at)})."
        _done(work, Effect.CONFIRMED, text, since)


def _fact(work: Act, said: Mitigation) -> bool | None:
    return said.isolated if work.kind.api_type in ("Isolate", "Unisolate") else said.restricted


def _wanted(work: Act) -> bool:
    return work.row.kind in (ActionKind.ISOLATE, ActionKind.RESTRICT)


def _not_yet(work: Act, text: str) -> None:
    """Look again until the limit; then say that it is not confirmed."""
    row, now = work.row, timezone.now()
    if row.confirm_until is not None and now >= row.confirm_until:
        _done(work, Effect.UNCONFIRMED, f"Not confirmed. {text}", row.effect_at)
        return
    work.write(
        effect=Effect.UNCONFIRMED,
        effect_text=f"Not confirmed yet. {text}",
        looked_at=now,
        status_text=f"Not confirmed yet. {text}",
        after=work.pace("action_confirm_seconds", 60),
    )


def _done(work: Act, effect: Effect, text: str, since: datetime | None) -> None:
    row = work.row
    already = f"{row.effect_text} " if row.state == State.CONFIRMING and not row.action_id else ""
    more: dict[str, Any] = {"effect": effect, "effect_text": f"{already}{text}", "effect_at": since}
    work.end(State.DONE, f"{already}{text}", looked_at=timezone.now(), **more)
