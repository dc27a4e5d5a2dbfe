"""The blob host: result files and packages behind signed links."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta

from werkzeug.wrappers import Response

from simulator import links
from simulator.clock import parse_iso
from simulator.defender.results import result_bytes
from simulator.dfir.facts import facts_of
from simulator.dfir.package import investigation_package
from simulator.http import ApiFault, Call, Route
from simulator.tenant import Service

_NOT_FOUND = ApiFault(404, "BlobNotFound", "The specified blob does not exist.")


def get_result(call: Call) -> Response:
    """The result of a Live Response command."""
    links.check(call)
    action = call.simulator.state.get("action", call.params["action"])
    index = call.params["index"]
    if action is None or not index.isdigit() or int(index) >= len(action["plan"]["steps"]):
        raise _NOT_FOUND
    name, content = result_bytes(call.simulator, action, int(index), frozenset(call.faults))
    return _deliver(call, name, content)


def get_package(call: Call) -> Response:
    """An investigation package."""
    links.check(call)
    action = call.simulator.state.get("action", call.params["action"])
    device = call.simulator.device(action["machine"]) if action else None
    if action is None or device is None:
        raise _NOT_FOUND
    seconds = call.simulator.clock.real_seconds(action["plan"]["ends"])
    ended = parse_iso(action["created"]) + timedelta(seconds=seconds)
    content = investigation_package(facts_of(call.simulator, device, ended))
    return _deliver(call, f"InvestigationPackage-{device.host}.zip", content)


def _deliver(call: Call, name: str, content: bytes) -> Response:
    """The bytes; the faults `not_gzip`, `cut_blob`, `flipped_blob`, `truncated_blob` and `stalled_blob` spoil them."""
    if "not_gzip" in call.faults:
        content = b"This is neither gzip nor zip.\r\n"
    if "cut_blob" in call.faults:
        content = content[: len(content) // 2]
    response = Response(content, content_type="application/octet-stream")
    response.headers["Content-MD5"] = base64.b64encode(hashlib.md5(content).digest()).decode()
    response.headers["Content-Disposition"] = f'attachment; filename="{_plain(name)}"'
    response.headers["x-ms-blob-type"] = "BlockBlob"
    response.headers["x-ms-version"] = "2019-07-07"
    if "flipped_blob" in call.faults:
        response.set_data(content[:-1] + bytes([content[-1] ^ 1]))
    if "truncated_blob" in call.faults:
        response.set_data(content[: len(content) // 2])
        response.headers["Content-Length"] = str(len(content))
        response.headers["Connection"] = "close"
    if "stalled_blob" in call.faults:
        response.response = _halting(content, float(call.faults["stalled_blob"].get("seconds", 30)))
        response.headers["Content-Length"] = str(len(content))
    return response


def _halting(content: bytes, seconds: float) -> Iterator[bytes]:
    """The first half, nothing for a while, and the rest."""
    middle = max(len(content) // 2, 1)
    yield content[:middle]
    time.sleep(seconds)
    yield content[middle:]


def _plain(name: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)


ROUTES = (
    Route("GET", "/blob/results/<action>/<index>", get_result, Service.BLOB),
    Route("GET", "/blob/packages/<action>", get_package, Service.BLOB),
)
