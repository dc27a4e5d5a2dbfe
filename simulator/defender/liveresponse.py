"""Live Response by API: https://learn.microsoft.com/defender-endpoint/api/run-live-response"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Response

from simulator.core import Simulator
from simulator.defender import actions, folders
from simulator.defender.actions import Plan, Step
from simulator.defender.library import ALL_EVENTS_SCRIPT, DFIR_SCRIPT, EVENTS_SCRIPT, find_file
from simulator.defender.machines import find
from simulator.http import ApiFault, Call
from simulator.story.timeline import moment_of
from simulator.story.world import Device

SESSIONS = 25
SCRIPT_LIMIT = 600.0
DOWNLOADS = r"C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Downloads"
_NEEDED = {"PutFile": "FileName", "RunScript": "ScriptName", "GetFile": "Path"}
_OPTIONAL = {"PutFile": frozenset[str](), "RunScript": frozenset({"Args"}), "GetFile": frozenset[str]()}
_FORBIDDEN = re.compile(r"[;&|!$]")
_SECONDS = {"PutFile": 8.0, "GetFile": 20.0}
_SCRIPT_SECONDS = {
    DFIR_SCRIPT.lower(): 120.0, EVENTS_SCRIPT.lower(): 60.0, ALL_EVENTS_SCRIPT.lower(): 90.0,
    folders.FOLDER_SCRIPT.lower(): 40.0,
}  # fmt: skip
_NOT_FOUND = "The system cannot find the file specified."


def run_live_response(call: Call) -> Response:
    """POST /machines/{id}/runliveresponse"""
    device, simulator = find(call), call.simulator
    simulator.quotas.spend("liveresponse")
    body = call.json()
    unknown = sorted(set(body) - {"Commands", "Comment"})
    if unknown:
        raise ApiFault(400, "InvalidRequestBody", f"Request body is incorrect: unknown property '{unknown[0][:60]}'")
    comment = actions.required_comment(body)
    commands = _commands(simulator, body.get("Commands"))
    with simulator.state.lock:
        actions.refuse_twin(simulator, device, "LiveResponse")
        simulator.quotas.note_sessions(_refuse_crowd(simulator) + 1)
        plan = _plan(call, device, commands)
        return actions.create(call, device, "LiveResponse", comment, plan, commands=commands)


def _commands(simulator: Simulator, given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given:
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'Commands' must be a list of commands.")
    if len(given) > 100:
        raise ApiFault(400, "InvalidInput", "There are too many commands.")
    return [_command(simulator, command) for command in given]


def _command(simulator: Simulator, command: Any) -> dict[str, Any]:
    if not isinstance(command, dict) or command.get("type") not in _NEEDED:
        raise ApiFault(400, "InvalidInput", "A command's 'type' must be PutFile, RunScript or GetFile.")
    kind, params = str(command["type"]), command.get("params")
    if not isinstance(params, list) or not all(isinstance(entry, dict) for entry in params):
        raise ApiFault(400, "InvalidRequestBody", "A command's 'params' must be a list of key and value.")
    values = {str(entry.get("key")): entry.get("value") for entry in params}
    needed = _NEEDED[kind]
    if not isinstance(values.get(needed), str) or not values[needed].strip():
        raise ApiFault(400, "MissingRequiredParameter", f"{kind} needs the parameter '{needed}'.")
    for name, value in values.items():
        if name != needed and name not in _OPTIONAL[kind]:
            raise ApiFault(400, "InvalidInput", f"{kind} has no parameter '{name[:60]}'.")
        if not isinstance(value, str) or _FORBIDDEN.search(value):
            raise ApiFault(400, "InvalidInput", f"The parameter '{name}' must be a text without ; & | ! $.")
    if kind != "GetFile" and find_file(simulator, values[needed]) is None:
        raise ApiFault(400, "InvalidInput", f"File {values[needed][:120]} was not found in the library.")
    return {"type": kind, "params": [{"key": name, "value": value} for name, value in values.items()]}


def _refuse_crowd(simulator: Simulator) -> int:
    """The sessions that are open; ApiFault 429 where there is no room for another."""
    active = sum(
        1
        for action in actions.known_actions(simulator)
        if action["type"] == "LiveResponse" and actions.status_of(simulator, action) not in actions.FINAL
    )
    if active >= SESSIONS and simulator.quotas.on:
        text = f"The tenant has {SESSIONS} live response sessions already."
        wait = max(1, round(simulator.clock.real_seconds(30)))
        raise ApiFault(429, "TooManyRequests", text, headers={"Retry-After": str(wait)})
    return active


def _plan(call: Call, device: Device, commands: list[dict[str, Any]]) -> Plan:
    """What will happen, after the faults that strike a session under way."""
    plan = _undisturbed(call, device, commands)
    if stopped := call.faults.get("cancelled_in_portal"):
        return plan.cancelled_at(float(stopped.get("seconds", 12)))
    if lost := call.faults.get("vanishes"):
        return replace(plan, vanishes=float(lost.get("seconds", 10)))
    return plan


def _undisturbed(call: Call, device: Device, commands: list[dict[str, Any]]) -> Plan:
    """The first failed command ends the session."""
    if device.offline or "stays_pending" in call.faults:
        return actions.offline_plan()
    age = starts = 6.0
    steps: list[Step] = []
    for command in commands:
        step = _step(call, device, command, age + 1.0, steps)
        steps.append(step)
        age = step.end
        if step.status == "Failed":
            return Plan(starts, age + 1.0, "Failed", tuple(steps))
    return Plan(starts, age + 1.0, "Succeeded", tuple(steps))


def _step(call: Call, device: Device, command: dict[str, Any], start: float, earlier: list[Step]) -> Step:
    values = {entry["key"]: entry["value"] for entry in command["params"]}
    if "command_fails" in call.faults:
        return Step(start, start + 5.0, "Failed", ["The command failed on the device (0x80004005)."])
    if command["type"] == "RunScript":
        return _script(call, device, values["ScriptName"], values.get("Args", ""), start)
    if command["type"] == "PutFile":
        put = rf"{DOWNLOADS}\{values['FileName']}"
        return Step(start, start + _SECONDS["PutFile"], "Completed", produces=put)
    return _get_file(call.simulator, device, values["Path"], start, earlier)


def _script(call: Call, device: Device, name: str, arguments: str, start: float) -> Step:
    if "script_timeout" in call.faults:
        text = f"Command timed out: the script ran for more than {SCRIPT_LIMIT / 60:.0f} minutes."
        return Step(start, start + SCRIPT_LIMIT, "Failed", [text])
    known = find_file(call.simulator, name)
    spelled = known["fileName"] if known else name
    fails = "failing" in device.host or "script_fails" in call.faults
    end = start + _SCRIPT_SECONDS.get(name.lower(), 15.0)
    produces = "" if fails else _product(call.simulator, device, name, arguments)
    code = 1 if fails else folders.exit_code(arguments) if name.lower() == folders.FOLDER_SCRIPT.lower() else 0
    result = {"kind": "script", "code": code, "name": spelled, "args": arguments, "fails": fails, "produces": produces}
    return Step(start, end, "Completed", [], result, produces)


def _product(simulator: Simulator, device: Device, script: str, arguments: str) -> str:
    """The file that one of the known scripts leaves behind."""
    now = simulator.clock.wall()
    date = simulator.story.world.week.local(moment_of(now)).strftime("%Y-%m-%d")
    if script.lower() == folders.FOLDER_SCRIPT.lower():
        return "" if folders.is_missing(arguments) else rf"{DOWNLOADS}\{folders.zip_name(device.computer, now)}"
    names = {
        DFIR_SCRIPT.lower(): f"DFIR-{device.computer}-{date}.zip",
        EVENTS_SCRIPT.lower(): f"SecurityEvents-{date}.csv",
        ALL_EVENTS_SCRIPT.lower(): f"WindowsEvents-{date}.csv",
    }
    name = names.get(script.lower(), "")
    return rf"{DOWNLOADS}\{name}" if name else ""


def _get_file(simulator: Simulator, device: Device, path: str, start: float, earlier: list[Step]) -> Step:
    end = start + _SECONDS["GetFile"]
    base = path.rsplit("\\", 1)[-1].lower()
    kind = _kind_of(base)
    if kind:
        if not _produced(simulator, device, path, earlier):
            return Step(start, end, "Failed", [f"{_NOT_FOUND} ({path})"])
        return Step(start, end, "Completed", [], {"kind": kind, "path": path})
    if path.lower() == rf"{DOWNLOADS}\{base}".lower() and _produced(simulator, device, path, earlier):
        return Step(start, end, "Completed", [], {"kind": "put", "path": path})
    if "missing" in path.lower():
        return Step(start, end, "Failed", [f"{_NOT_FOUND} ({path})"])
    return Step(start, end, "Completed", [], {"kind": "sample", "path": path})


def _kind_of(base: str) -> str:
    """Which script makes a file of that name; "" for any other file."""
    if re.match(r"dfir-.*\.zip\Z", base):
        return "dfir"
    if re.match(r"(securityevents|windowsevents)-\d{4}-\d\d-\d\d\.csv\Z", base):
        return "events"
    return "folder" if folders.is_zip(base) else ""


def _produced(simulator: Simulator, device: Device, path: str, earlier: list[Step]) -> bool:
    """Whether a finished script of this or an earlier session left that file on the device."""
    wanted = path.lower()
    if any(step.produces.lower() == wanted for step in earlier):
        return True
    for action in actions.actions_of(simulator, device.id, "LiveResponse"):
        for index, step in enumerate(action["plan"]["steps"]):
            done = actions.command_status(simulator, action, index) == "Completed"
            if done and step["produces"].lower() == wanted:
                return True
    return False
