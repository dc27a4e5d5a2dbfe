"""What response actions have done to the devices: isolated, restricted; and DeviceInfo's rows that say so.

The service documents no values of DeviceInfo's column MitigationStatus; the simulator writes a JSON object of the flags
that are set, and an empty text where none is.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from simulator.clock import iso, parse_iso
from simulator.core import Simulator
from simulator.defender.actions import actions_of, status_of
from simulator.story.world import Device

_SETS = {
    "Isolate": ("isolated", True), "Unisolate": ("isolated", False),
    "RestrictCodeExecution": ("restricted", True), "UnrestrictCodeExecution": ("restricted", False),
}  # fmt: skip


def _ended(simulator: Simulator, action: dict[str, Any]) -> datetime:
    return simulator.clock.when(parse_iso(action["created"]), action["plan"]["ends"])


def mitigation_of(simulator: Simulator, machine: str, until: str | None = None) -> dict[str, bool]:
    """`{"isolated": …, "restricted": …}` of a device now, or after action `until`."""
    state = {"isolated": False, "restricted": False}
    for action in actions_of(simulator, machine):
        if action["type"] in _SETS and status_of(simulator, action) == "Succeeded":
            name, value = _SETS[action["type"]]
            state[name] = value
        if action["id"] == until:
            break
    return state


def report_effects(simulator: Simulator) -> None:
    """The devices report: a row of DeviceInfo for each action that has succeeded since they last did."""
    with simulator.lock:
        for action in simulator.state.all("action"):
            if action["type"] not in _SETS or action["id"] in simulator.reported:
                continue
            device = simulator.device(action["machine"])
            if device is None or status_of(simulator, action) != "Succeeded":
                continue
            simulator.reported.add(action["id"])
            simulator.grow("DeviceInfo", [_row(simulator, device, action)])


def _row(simulator: Simulator, device: Device, action: dict[str, Any]) -> dict[str, Any]:
    flags = {name: "True" for name, on in mitigation_of(simulator, device.id, action["id"]).items() if on}
    return {
        "Timestamp": iso(_ended(simulator, action)), "DeviceId": device.id, "DeviceName": device.name,
        "OSPlatform": device.os_platform, "OSVersion": "10.0", "OSVersionInfo": device.os_version,
        "OnboardingStatus": "Onboarded", "SensorHealthState": "Active",
        "MitigationStatus": json.dumps(flags) if flags else "",
    }  # fmt: skip
