"""Software of a device, its weaknesses and what is advised. Products are the story's; the weaknesses are invented.

https://learn.microsoft.com/defender-endpoint/api/get-installed-software and .../api/get-discovered-vulnerabilities
"""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.defender.machines import find, listing
from simulator.http import Call
from simulator.story.timeline import DAY, as_datetime
from simulator.story.world import Device

# name, vendor, weaknesses, whether an exploit is public, only on workstations
_SOFTWARE = (
    ("windows", "microsoft", 4, False, False), ("edge", "microsoft", 2, True, False),
    ("office", "microsoft", 1, False, True), ("tidebook", "harbourware", 3, True, True),
    ("defender_antivirus", "microsoft", 0, False, False),
)  # fmt: skip
_SEVERITIES = (("Medium", 5.4), ("High", 7.8), ("Critical", 9.8), ("Low", 3.1))


def software(call: Call) -> Response:
    """GET /machines/{id}/software"""
    device = find(call)
    fleet = call.simulator.story.world.devices
    items = [
        {
            "id": f"{vendor}-_-{name}", "name": name, "vendor": vendor, "weaknesses": weaknesses,
            "publicExploit": exploit, "activeAlert": False, "impactScore": round(weaknesses * 3.7, 1),
            "exposedMachines": sum(1 for one in fleet if not workstations or one.is_workstation),
        }
        for name, vendor, weaknesses, exploit, workstations in _of(device)
    ]  # fmt: skip
    return listing(call, items, "Software", ("id", "name", "vendor"))


def vulnerabilities(call: Call) -> Response:
    """GET /machines/{id}/vulnerabilities: 50 calls a minute."""
    call.simulator.quotas.spend("vulnerabilities")
    now = as_datetime(call.simulator.story.world.week.now - 20 * DAY)
    items = [_weakness(product, number, iso(now)) for product in _of(find(call)) for number in range(product[2])]
    return listing(call, items, "Collection(microsoft.windowsDefenderATP.api.Vulnerability)", ("id", "severity"))


def _weakness(product: tuple[str, str, int, bool, bool], number: int, published: str) -> dict[str, Any]:
    name, vendor, _, exploit, _ = product
    place = 90_000 + 10 * [one[0] for one in _SOFTWARE].index(name) + number
    severity, score = _SEVERITIES[place % len(_SEVERITIES)]
    return {
        "id": f"CVE-2026-{place}", "name": f"CVE-2026-{place}",
        "description": f"An invented weakness of {vendor} {name}.", "severity": severity, "cvssV3": score,
        "exposedMachines": 1, "publishedOn": published, "updatedOn": published, "publicExploit": exploit,
        "exploitVerified": False, "exploitInKit": False, "exploitTypes": [], "exploitUris": [],
    }  # fmt: skip


def recommendations(call: Call) -> Response:
    """GET /machines/{id}/recommendations: one for each product that has weaknesses."""
    items = [
        {
            "id": f"va-_-{vendor}-_-{name}", "productName": name, "vendor": vendor,
            "recommendationCategory": "Application",
            "recommendationName": f"Update {vendor} {name}", "recommendedVersion": "latest", "severityScore": 3.0,
            "weaknesses": weaknesses, "publicExploit": exploit, "status": "Active", "remediationType": "Update",
        }
        for name, vendor, weaknesses, exploit, _ in _of(find(call))
        if weaknesses
    ]  # fmt: skip
    return listing(call, items, "Recommendations", ("id", "productName", "vendor"))


def _of(device: Device) -> list[tuple[str, str, int, bool, bool]]:
    return [product for product in _SOFTWARE if device.is_workstation or not product[4]]
