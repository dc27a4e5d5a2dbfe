"""The control endpoints below `/_sim`: faults, recorded requests, state, clock, telemetry. They need no token."""

from __future__ import annotations

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.defender.actions import is_gone, status_of
from simulator.defender.effects import mitigation_of
from simulator.faults import FaultError, parse_fault
from simulator.graph.incidents import put_incident
from simulator.http import ApiFault, Call, Route, json_response
from simulator.tenant import Service, rotate

MAXIMUM_ADVANCE = 366 * 86_400
MAXIMUM_ROWS = 10_000


def add_fault(call: Call) -> Response:
    """Switch a fault on."""
    try:
        call.simulator.faults.add(parse_fault(call.json()))
    except FaultError as error:
        raise ApiFault(400, "BadFault", str(error)) from error
    return json_response({"faults": call.simulator.faults.listing()}, 201)


def list_faults(call: Call) -> Response:
    """The faults still on."""
    return json_response({"faults": call.simulator.faults.listing()})


def clear_faults(call: Call) -> Response:
    """Switch all faults off."""
    call.simulator.faults.clear()
    return json_response({"faults": []})


def list_requests(call: Call) -> Response:
    """The recorded requests, oldest first; `?path=` keeps those whose path contains it."""
    wanted = call.request.args.get("path", "").lower()
    kept = [entry for entry in list(call.simulator.requests) if wanted in entry["path"].lower()]
    return json_response({"requests": kept})


def clear_requests(call: Call) -> Response:
    """Forget the recorded requests and the quota counters."""
    call.simulator.requests.clear()
    call.simulator.quotas.reset()
    return json_response({"requests": []})


def show_quotas(call: Call) -> Response:
    """The highest number of calls in any window of each quota, the refused ones, and of sessions open at once."""
    return json_response(call.simulator.quotas.peaks())


def show_state(call: Call) -> Response:
    """Who and when the simulator is, and what it holds."""
    simulator = call.simulator
    world = simulator.story.world
    return json_response(
        {
            "tenant": simulator.tenant.id,
            "workspace": simulator.tenant.workspace,
            "now": iso(simulator.clock.wall()),
            "speed": simulator.clock.speed,
            "advanced": simulator.clock.advanced,
            "quotas": simulator.quotas.on,
            "rows": simulator.story.rows,
            "tables": {
                "hunting": sorted(simulator.telemetry.hunting),
                "workspace": sorted(simulator.telemetry.workspace),
            },
            "patient_zero": world.patient_zero.name,
            "devices": [
                {
                    "id": device.id,
                    "name": device.name,
                    "kind": device.kind,
                    "offline": device.offline,
                    **mitigation_of(simulator, device.id),
                }
                for device in world.devices
            ],
            "actions": sum(1 for _ in simulator.state.all("action")),
        }
    )


def list_actions(call: Call) -> Response:
    """Every machine action that was ever made, oldest first, also those that the service has lost."""
    simulator = call.simulator
    made = [
        {
            "id": action["id"], "type": action["type"], "device": action["name"], "comment": action["comment"],
            "status": status_of(simulator, action), "gone": is_gone(simulator, action), "commands": action["commands"],
        }
        for action in simulator.state.all("action")
    ]  # fmt: skip
    return json_response({"actions": made})


def move_clock(call: Call) -> Response:
    """`{"advance": seconds}`: push actions, links and quota windows forward."""
    seconds = call.json().get("advance")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAXIMUM_ADVANCE:
        raise ApiFault(400, "BadClock", "'advance' must be a number of seconds, from 0 to a year.")
    return json_response({"advanced": call.simulator.advance(float(seconds))})


def grow_telemetry(call: Call) -> Response:
    """`{"table": name, "rows": [{...}, ...]}`: more rows of a table, as if a device had just sent them."""
    body = call.json()
    table, rows = body.get("table"), body.get("rows")
    if not isinstance(table, str) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiFault(400, "BadTelemetry", "'table' must be a name and 'rows' a list of objects.")
    try:
        return json_response({"rows": call.simulator.grow(table, rows[:MAXIMUM_ROWS])}, 201)
    except KeyError:
        raise ApiFault(400, "BadTelemetry", f"There is no table {table[:80]}.") from None
    except ValueError as error:
        raise ApiFault(400, "BadTelemetry", f"Nothing was added: {error}.") from error


def rotate_keys(call: Call) -> Response:
    """A new signing key in place of the old one, as Microsoft does without notice."""
    with call.simulator.lock:
        call.simulator.tenant = rotate(call.simulator.state)
    return json_response({"key_id": call.simulator.tenant.key_id})


def give_roles(call: Call) -> Response:
    """`{"username": name, "roles": [...]}`: the app roles of a person from their next sign-in on."""
    body = call.json()
    name, roles = body.get("username"), body.get("roles")
    if not isinstance(name, str) or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise ApiFault(400, "BadRoles", "'username' must be a name and 'roles' a list of texts.")
    call.simulator.roles_given[name] = tuple(roles)
    return json_response({"username": name, "roles": roles})


def put_incidents(call: Call) -> Response:
    """`{"incidents": [{"id": "50001", …}, ...]}`: incidents beside the story's, as Graph shows them, with `alerts`."""
    given = call.json().get("incidents")
    if not isinstance(given, list) or not all(
        isinstance(one, dict) and str(one.get("id", "")).isdecimal() for one in given
    ):
        raise ApiFault(400, "BadIncident", "'incidents' must be a list of objects with a number as 'id'.")
    return json_response({"incidents": [put_incident(call.simulator, one) for one in given[:MAXIMUM_ROWS]]}, 201)


ROUTES = (
    Route("POST", "/_sim/keys", rotate_keys, Service.CONTROL),
    Route("POST", "/_sim/roles", give_roles, Service.CONTROL),
    Route("POST", "/_sim/faults", add_fault, Service.CONTROL),
    Route("GET", "/_sim/faults", list_faults, Service.CONTROL),
    Route("DELETE", "/_sim/faults", clear_faults, Service.CONTROL),
    Route("GET", "/_sim/requests", list_requests, Service.CONTROL),
    Route("DELETE", "/_sim/requests", clear_requests, Service.CONTROL),
    Route("GET", "/_sim/quotas", show_quotas, Service.CONTROL),
    Route("GET", "/_sim/actions", list_actions, Service.CONTROL),
    Route("GET", "/_sim/state", show_state, Service.CONTROL),
    Route("POST", "/_sim/clock", move_clock, Service.CONTROL),
    Route("POST", "/_sim/incidents", put_incidents, Service.CONTROL),
    Route("POST", "/_sim/telemetry", grow_telemetry, Service.CONTROL),
)
