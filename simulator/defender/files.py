"""Files of the story by their hashes: https://learn.microsoft.com/defender-endpoint/api/get-file-information"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from typing import Any

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.core import Simulator
from simulator.defender.alerts import naming
from simulator.defender.machines import META, machine_resource
from simulator.http import ApiFault, Call, json_response
from simulator.story import images
from simulator.story.images import Image
from simulator.story.intrusion import DUMP_FILE
from simulator.story.lateral import ARCHIVE
from simulator.story.timeline import DAY, as_datetime
from simulator.story.world import Device

# What the intruder's programs wrote: no programs themselves.
_LEFT = (DUMP_FILE, ARCHIVE)
_HASH = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")
_MOST_HOURS = 720


@cache
def _known() -> dict[str, Image]:
    known = (*images.ORDINARY, *images.HOSTILE, *_LEFT)
    return {digest: image for image in known for digest in (image.sha1, image.sha256)}


def file_resource(simulator: Simulator, image: Image) -> dict[str, Any]:
    """A file as the API shows it. What the intruder brought is rare and unsigned; the implant is known."""
    now = as_datetime(simulator.story.world.week.now)
    left = image in _LEFT
    hostile = left or image in images.HOSTILE
    own = not hostile and image.company != "Microsoft Corporation"
    first = now - timedelta(days=3 if hostile else 400)
    return {
        "sha1": image.sha1, "sha256": image.sha256, "md5": image.md5, "globalPrevalence": _prevalence(image),
        "globalFirstObserved": iso(first), "globalLastObserved": iso(now), "size": image.size,
        "fileType": None if left else "APP", "isPeFile": not left,
        "filePublisher": image.company or None, "fileProductName": image.product or None,
        "signer": image.signer or None,
        "issuer": None if hostile else "Harbour CA" if own else "Microsoft Windows Production PCA 2011",
        "signerHash": None if hostile else image.sha1[::-1], "isValidCertificate": None if hostile else True,
        "determinationType": "Malware" if image is images.IMPLANT else "Unknown" if hostile else "Clean",
        "determinationValue": "Backdoor:Win64/Edgehelp.A" if image is images.IMPLANT else None,
    }  # fmt: skip


def _prevalence(image: Image) -> int:
    """The same at each call: a handful for what the intruder brought, thousands for the rest."""
    seed = int(image.sha1[:6], 16)
    return 1 if image in _LEFT else 1 + seed % 6 if image in images.HOSTILE else 10_000 + seed


def get_file(call: Call) -> Response:
    """GET /files/{sha1 or sha256}"""
    resource = file_resource(call.simulator, _find(call))
    return json_response({"@odata.context": f"{META}#Files/$entity", **resource})


def file_stats(call: Call) -> Response:
    """GET /files/{sha1 or sha256}/stats"""
    hours = call.integer("lookBackHours", _MOST_HOURS)
    if not 1 <= hours <= _MOST_HOURS:
        raise ApiFault(400, "InvalidInput", f"lookBackHours must be between 1 and {_MOST_HOURS}.")
    image = _find(call)
    resource = file_resource(call.simulator, image)
    now = call.simulator.story.world.week.now
    devices = len(_devices(call.simulator, image))
    return json_response({
        "@odata.context": f"{META}#microsoft.windowsDefenderATP.api.InOrgFileStats",
        "sha1": image.sha1, "organizationPrevalence": devices, "orgFirstSeen": iso(as_datetime(now - 3 * DAY)),
        "orgLastSeen": iso(as_datetime(now)), "globallyPrevalence": resource["globalPrevalence"],
        "globalFirstObserved": resource["globalFirstObserved"],
        "globalLastObserved": resource["globalLastObserved"], "topFileNames": [image.name],
    })  # fmt: skip


def file_alerts(call: Call) -> Response:
    """GET /files/{sha1 or sha256}/alerts: those whose evidence names the file."""
    wanted = _checked(call.params["file"])
    found = naming(call.simulator, sha1=wanted, sha256=wanted)
    return json_response({"@odata.context": f"{META}#Alerts", "value": found})


def file_machines(call: Call) -> Response:
    """GET /files/{sha1}/machines: an unknown file is 200 with an empty list, another kind of hash is refused."""
    wanted = _checked(call.params["file"])
    if len(wanted) != 40:
        raise ApiFault(400, "InvalidHashValue", "Only a SHA1 is supported here.")
    image = _known().get(wanted)
    simulator = call.simulator
    value = [machine_resource(simulator, device) for device in _devices(simulator, image)] if image else []
    return json_response({"@odata.context": f"{META}#Machines", "value": value})


def _devices(simulator: Simulator, image: Image) -> list[Device]:
    """What the intruder brought lies where the story put it; the rest is everywhere."""
    world = simulator.story.world
    if image in _LEFT:
        return [world.patient_zero if image is DUMP_FILE else world.file_server]
    if image in images.HOSTILE:
        return [world.patient_zero, world.second_host, world.file_server]
    return list(world.devices)


def _checked(wanted: str) -> str:
    if not _HASH.fullmatch(wanted):
        raise ApiFault(400, "InvalidInput", "The file's identifier must be a SHA1 or a SHA256.")
    return wanted.lower()


def _find(call: Call) -> Image:
    wanted = _checked(call.params["file"])
    image = _known().get(wanted)
    if image is None:
        raise ApiFault(404, "ResourceNotFound", f"File {wanted[:64]} was not found")
    return image
