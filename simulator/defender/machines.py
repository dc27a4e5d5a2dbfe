"""Machines and what belongs to them: https://learn.microsoft.com/defender-endpoint/api/machine"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Response

from simulator.clock import iso, parse_iso
from simulator.core import Simulator
from simulator.http import ApiFault, Call, json_response
from simulator.odata import FilterError, order_by, parse_filter
from simulator.story.timeline import DAY, HOUR, as_datetime
from simulator.story.world import NETBIOS, Device

PAGE = 10_000
META = "https://api.securitycenter.microsoft.com/api/$metadata"
_MACHINE_FILTER = (
    "computerDnsName", "id", "version", "deviceValue", "aadDeviceId", "machineTags", "lastSeen", "exposureLevel",
    "onboardingStatus", "lastIpAddress", "healthStatus", "osPlatform", "riskScore", "rbacGroupId",
)  # fmt: skip


def machine_resource(simulator: Simulator, device: Device) -> dict[str, Any]:
    """A device as the API shows it."""
    world = simulator.story.world
    hit = device in (world.patient_zero, world.second_host, world.file_server)
    last_seen = as_datetime(world.week.now - (2 * DAY if device.offline else HOUR))
    tags = (simulator.state.get("tags", device.id) or {"tags": []})["tags"]
    return {
        "id": device.id, "computerDnsName": device.name, "firstSeen": iso(as_datetime(world.week.now - 220 * DAY)),
        "lastSeen": iso(last_seen), "osPlatform": device.os_platform, "osVersion": None, "osProcessor": "x64",
        "osArchitecture": "64-bit", "version": device.os_version, "osBuild": device.os_build,
        "lastIpAddress": device.ip, "lastExternalIpAddress": device.external_ip, "agentVersion": "10.8760.26100.2000",
        "healthStatus": "Inactive" if device.offline else "Active", "onboardingStatus": "Onboarded",
        "deviceValue": "Normal" if device.is_workstation else "High",
        "rbacGroupId": 140 if device.is_workstation else 141, "rbacGroupName": device.group,
        "riskScore": "High" if hit else "None", "exposureLevel": "Medium", "isAadJoined": device.is_workstation,
        "aadDeviceId": device.aad_id, "machineTags": tags, "defenderAvStatus": "Updated", "mergedIntoMachineId": None,
        "ipAddresses": [
            {"ipAddress": device.ip, "macAddress": device.mac, "type": "Ethernet", "operationalStatus": "Up"}
        ],
    }  # fmt: skip


def find(call: Call, key: str | None = None) -> Device:
    """The device of the path; ApiFault 404 if it is unknown."""
    wanted = call.params["machine"] if key is None else key
    device = call.simulator.device(wanted)
    if device is None:
        raise ApiFault(404, "ResourceNotFound", f"Machine {wanted[:80]} was not found")
    return device


def listing(
    call: Call, items: Iterable[dict[str, Any]], context: str, allowed: tuple[str, ...], page: int = PAGE
) -> Response:
    """`$filter`, `$orderby`, `$top`, `$skip`. A nextLink is given only past a full page, and never with `$top`; the
    fault `small_pages` makes a page `size` items long."""
    arguments = call.request.args
    page = int(call.faults["small_pages"].get("size", 2)) or 1 if "small_pages" in call.faults else page
    chosen = list(items)
    try:
        if arguments.get("$filter"):
            test = parse_filter(arguments["$filter"], allowed)
            chosen = [item for item in chosen if test(item)]
        if arguments.get("$orderby"):
            chosen = order_by(chosen, arguments["$orderby"], allowed)
    except FilterError as error:
        raise ApiFault(400, "ODataError", str(error)) from error
    skip, top = call.integer("$skip", 0), call.integer("$top", page)
    body: dict[str, Any] = {"@odata.context": f"{META}#{context}"}
    if arguments.get("$count", "").lower() == "true":
        body["@odata.count"] = len(chosen)
    body["value"] = chosen[skip : skip + min(top, page)]
    if "$top" not in arguments and skip + page < len(chosen):
        base = call.simulator.base_url(call.request)
        asked = urlencode({**arguments.to_dict(), "$skip": str(skip + page)}, quote_via=quote, safe="$,'()/:")
        body["@odata.nextLink"] = f"{base}{call.request.path}?{asked}"
    return json_response(body)


def list_machines(call: Call) -> Response:
    """GET /machines"""
    simulator = call.simulator
    items = (machine_resource(simulator, device) for device in simulator.story.world.devices)
    return listing(call, items, "Machines", _MACHINE_FILTER)


def get_machine(call: Call) -> Response:
    """GET /machines/{id or name}, and the functions findbytag and findbyip."""
    key = call.params["machine"]
    if key.lower() == "findbytag":
        return _find_by_tag(call)
    if key.lower().startswith("findbyip("):
        return _find_by_ip(call, key)
    return json_response({"@odata.context": f"{META}#Machines/$entity", **machine_resource(call.simulator, find(call))})


def _find_by_tag(call: Call) -> Response:
    wanted = call.request.args.get("tag", "").lower()
    if not wanted:
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'tag' is required.")
    prefix = call.request.args.get("useStartsWithFilter", "").lower() == "true"
    simulator = call.simulator
    found = [
        machine
        for machine in (machine_resource(simulator, device) for device in simulator.story.world.devices)
        if any(tag.lower() == wanted or (prefix and tag.lower().startswith(wanted)) for tag in machine["machineTags"])
    ]
    return listing(call, found, "Machines", _MACHINE_FILTER)


def _find_by_ip(call: Call, text: str) -> Response:
    inside = text.partition("(")[2].rstrip(")")
    given = {name.strip(): value.strip(" '") for name, _, value in (part.partition("=") for part in inside.split(","))}
    try:
        moment = parse_iso(given["timestamp"])
    except (KeyError, ValueError) as error:
        raise ApiFault(400, "InvalidInput", "findbyip needs ip='...' and timestamp=...") from error
    now = call.simulator.clock.wall()
    if moment < now - timedelta(days=30):
        raise ApiFault(400, "InvalidInput", "The timestamp must be within the last 30 days.")
    devices = [device for device in call.simulator.story.world.devices if device.ip == given.get("ip")]
    return listing(call, [machine_resource(call.simulator, device) for device in devices], "Machines", _MACHINE_FILTER)


def logon_users(call: Call) -> Response:
    """GET /machines/{id}/logonusers"""
    device, world = find(call), call.simulator.story.world
    people = [(device.owner, "Interactive")]
    if device is world.patient_zero:
        people = [(world.victim, "Network, RemoteInteractive")]
    if device in (world.second_host, world.file_server):
        people.append((world.stolen_admin, "Network"))
    start, end = iso(as_datetime(world.week.start)), iso(as_datetime(world.week.now - HOUR))
    value = [
        {
            "id": f"{NETBIOS.lower()}\\{person.account}", "accountName": person.account,
            "accountDomain": NETBIOS.lower(), "accountSid": person.sid, "firstSeen": start, "lastSeen": end,
            "logonTypes": kinds, "isDomainAdmin": person.admin, "isOnlyNetworkUser": kinds == "Network",
        }
        for person, kinds in people
    ]  # fmt: skip
    return json_response({"@odata.context": f"{META}#Users", "value": value})


def tag_machine(call: Call) -> Response:
    """POST /machines/{id}/tags"""
    device, body = find(call), call.json()
    value, action = body.get("Value"), body.get("Action")
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'Value' is required, at most 200 characters.")
    if action not in ("Add", "Remove"):
        raise ApiFault(400, "InvalidInput", "The parameter 'Action' must be Add or Remove.")
    state = call.simulator.state
    with state.lock:
        tags = [tag for tag in (state.get("tags", device.id) or {"tags": []})["tags"] if tag != value]
        state.put("tags", device.id, {"tags": [*tags, value] if action == "Add" else tags})
    return json_response({"@odata.context": f"{META}#Machines/$entity", **machine_resource(call.simulator, device)})
