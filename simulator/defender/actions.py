"""Machine actions: https://learn.microsoft.com/defender-endpoint/api/machineaction

An action is stored with its plan: at which simulated ages it starts, what each command does and when, how it ends. What
a client sees is a function of that plan and of the action's age, so that it is the same after a restart.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from simulator.clock import iso, parse_iso
from simulator.core import Simulator
from simulator.defender.machines import META, listing
from simulator.http import ApiFault, Call, json_response
from simulator.story.world import Device

OFFLINE_SECONDS = 3 * 86_400.0
PORTAL_USER = "t.lindqvist@northwharf.example"
PORTAL_COMMENT = "Stopped from the device's page"
FINAL = frozenset({"Succeeded", "Failed", "TimeOut", "Cancelled"})
_FILTER = ("id", "status", "machineId", "type", "requestor", "creationDateTimeUtc")
CANCEL_ROLES = {
    "LiveResponse": "Machine.LiveResponse", "Isolate": "Machine.Isolate", "Unisolate": "Machine.Isolate",
    "RestrictCodeExecution": "Machine.RestrictExecution", "UnrestrictCodeExecution": "Machine.RestrictExecution",
    "RunAntiVirusScan": "Machine.Scan", "CollectInvestigationPackage": "Machine.CollectForensics",
    "StopAndQuarantineFile": "Machine.StopAndQuarantine", "Offboard": "Machine.Offboard",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """What one command of a Live Response session will do. Ages in simulated seconds since the action was made.

    `result` is what its result link delivers (see `results`), `produces` a file that it leaves on the device.
    """

    start: float
    end: float
    status: str
    errors: list[str] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    produces: str = ""


@dataclass(frozen=True)
class Plan:
    """The fate of an action; `starts` None: the device never answers. `canceller`: who stops it in the portal at its
    end. `vanishes`: the age from which the service knows nothing of it any more."""

    starts: float | None
    ends: float
    status: str
    steps: tuple[Step, ...] = ()
    canceller: str = ""
    vanishes: float | None = None

    def cancelled_at(self, age: float) -> Plan:
        """The same session, stopped in the portal at that age."""
        done = tuple(step for step in self.steps if step.end <= age)
        return Plan(self.starts, age, "Cancelled", done, PORTAL_USER)


def offline_plan() -> Plan:
    """A device that is not there: the action stays pending for three days and times out."""
    return Plan(None, OFFLINE_SECONDS, "TimeOut")


def age_of(simulator: Simulator, action: dict[str, Any]) -> float:
    """Simulated seconds since the action was made, standing still once it was cancelled."""
    age = simulator.clock.age(parse_iso(action["created"]), action["advanced"])
    return min(age, action["cancelled"]["age"]) if action["cancelled"] else age


def status_of(simulator: Simulator, action: dict[str, Any]) -> str:
    """The action's status now."""
    age, plan = age_of(simulator, action), action["plan"]
    if age >= plan["ends"]:
        return str(plan["status"])
    if action["cancelled"]:
        return "Cancelled"
    return "InProgress" if plan["starts"] is not None and age >= plan["starts"] else "Pending"


def command_status(simulator: Simulator, action: dict[str, Any], index: int) -> str:
    """Created, Completed or Failed."""
    steps = action["plan"]["steps"]
    if index >= len(steps) or age_of(simulator, action) < steps[index]["end"]:
        return "Created"
    return str(steps[index]["status"])


def resource(simulator: Simulator, action: dict[str, Any], *, listed: bool = False) -> dict[str, Any]:
    """The action as the API shows it; lists spell the time of the last update differently."""
    created, age, plan = parse_iso(action["created"]), age_of(simulator, action), action["plan"]
    marks = [0.0, plan["ends"], plan["starts"] or 0.0, *(step["end"] for step in plan["steps"])]
    if action["cancelled"]:
        marks.append(action["cancelled"]["age"])
    updated = max(mark for mark in marks if mark <= age)
    cancelled = _cancellation(simulator, action)
    return {
        "id": action["id"], "type": action["type"], "title": None, "requestor": action["requestor"],
        "requestorComment": action["comment"], "status": status_of(simulator, action), "machineId": action["machine"],
        "computerDnsName": action["name"], "creationDateTimeUtc": action["created"],
        "lastUpdateTimeUtc" if listed else "lastUpdateDateTimeUtc": iso(simulator.clock.when(created, updated)),
        "cancellationRequestor": cancelled["by"] if cancelled else None,
        "cancellationComment": cancelled["comment"] if cancelled else None,
        "cancellationDateTimeUtc": cancelled["at"] if cancelled else None,
        "errorHResult": 0, "scope": action["scope"], "externalId": None, "requestSource": "PublicApi",
        "relatedFileInfo": action["file"], "troubleshootInfo": None,
        "commands": [_command(simulator, action, index) for index in range(len(action["commands"]))],
    }  # fmt: skip


def _cancellation(simulator: Simulator, action: dict[str, Any]) -> dict[str, Any] | None:
    """Who cancelled the action, when and why; None where nobody did."""
    if status_of(simulator, action) != "Cancelled":
        return None
    if action["cancelled"]:
        return dict(action["cancelled"])
    at = simulator.clock.when(parse_iso(action["created"]), action["plan"]["ends"])
    return {"by": action["plan"]["canceller"], "comment": PORTAL_COMMENT, "at": iso(at)}


def known_actions(simulator: Simulator) -> Iterator[dict[str, Any]]:
    """Every stored action that the service still knows, oldest first."""
    for action in simulator.state.all("action"):
        if not is_gone(simulator, action):
            yield action


def is_gone(simulator: Simulator, action: dict[str, Any]) -> bool:
    """Whether the service has lost the action."""
    vanishes = action["plan"].get("vanishes")
    return vanishes is not None and age_of(simulator, action) >= vanishes


def _command(simulator: Simulator, action: dict[str, Any], index: int) -> dict[str, Any]:
    steps, age, created = action["plan"]["steps"], age_of(simulator, action), parse_iso(action["created"])
    step = steps[index] if index < len(steps) else None
    started = step is not None and age >= step["start"]
    ended = step is not None and age >= step["end"]
    return {
        "index": index,
        "startTime": iso(simulator.clock.when(created, step["start"])) if step and started else None,
        "endTime": iso(simulator.clock.when(created, step["end"])) if step and ended else None,
        "commandStatus": step["status"] if step and ended else "Created",
        "errors": step["errors"] if step and ended else [],
        "command": action["commands"][index],
    }


def actions_of(simulator: Simulator, machine: str, kind: str | None = None) -> Iterator[dict[str, Any]]:
    """The stored actions of a device, oldest first."""
    for action in known_actions(simulator):
        if action["machine"] == machine and kind in (None, action["type"]):
            yield action


def refuse_twin(simulator: Simulator, device: Device, kind: str) -> None:
    """ApiFault 400 while the device has an unfinished action of that kind."""
    for action in actions_of(simulator, device.id, kind):
        if status_of(simulator, action) not in FINAL:
            text = f"An active {kind} action already exists on machine {device.id}: {action['id']}"
            raise ApiFault(400, "ActiveRequestAlreadyExists", text)


def create(
    call: Call, device: Device, kind: str, comment: str, plan: Plan, *, commands: list[dict[str, Any]] | None = None,
    scope: str | None = None, file: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """Store an action and answer 201 with it."""
    simulator = call.simulator
    key = str(uuid.uuid4())
    action = {
        "id": key, "type": kind, "machine": device.id, "name": device.name, "comment": comment,
        "requestor": call.app_name, "created": iso(simulator.clock.wall()), "advanced": simulator.clock.advanced,
        "commands": commands or [], "scope": scope, "file": file, "cancelled": None, "plan": asdict(plan),
    }  # fmt: skip
    simulator.state.put("action", key, action)
    return json_response({"@odata.context": f"{META}#MachineActions/$entity", **resource(simulator, action)}, 201)


def stored(call: Call) -> dict[str, Any]:
    """The action of the path; ApiFault 404 if it is unknown."""
    action = call.simulator.state.get("action", call.params["action"].lower())
    if action is None or is_gone(call.simulator, action):
        raise ApiFault(404, "ResourceNotFound", f"Machine action {call.params['action'][:80]} was not found")
    return action


def list_actions(call: Call) -> Response:
    """GET /machineactions, newest first unless ordered otherwise."""
    items = [resource(call.simulator, action, listed=True) for action in known_actions(call.simulator)]
    return listing(call, reversed(items), "MachineActions", _FILTER)


def get_action(call: Call) -> Response:
    """GET /machineactions/{id}"""
    body = resource(call.simulator, stored(call))
    return json_response({"@odata.context": f"{META}#MachineActions/$entity", **body})


def cancel(call: Call) -> Response:
    """POST /machineactions/{id}/cancel: needs the permission of the action's own kind."""
    simulator, comment = call.simulator, required_comment(call.json())
    with simulator.state.lock:
        action = stored(call)
        needed = CANCEL_ROLES[action["type"]]
        if call.grant is None or needed not in call.grant.roles:
            raise ApiFault(403, "Forbidden", f"The application lacks the permission {needed}.")
        if status_of(simulator, action) in FINAL:
            text = f"Machine action {action['id']} is {status_of(simulator, action)} and cannot be cancelled."
            raise ApiFault(400, "BadRequest", text)
        action["cancelled"] = {
            "age": age_of(simulator, action),
            "at": iso(simulator.clock.wall()),
            "by": call.app_name,
            "comment": comment,
        }
        simulator.state.put("action", action["id"], action)
    return json_response({"@odata.context": f"{META}#MachineActions/$entity", **resource(simulator, action)})


def required_comment(body: dict[str, Any]) -> str:
    """The `Comment` of a body (its key is case-sensitive); ApiFault 400 without one."""
    comment = body.get("Comment")
    if not isinstance(comment, str) or not comment.strip():
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'Comment' is required and must not be empty.")
    return comment[:5000]
