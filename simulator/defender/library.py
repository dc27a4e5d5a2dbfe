"""The Live Response library: https://learn.microsoft.com/defender-endpoint/api/upload-library"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.core import Simulator
from simulator.http import ApiFault, Call, json_response

UPLOAD_CAP = 20 * 2**20
DFIR_SCRIPT = "DFIR-Script.ps1"
EVENTS_SCRIPT = "CollectWindowsSecurityEvents.ps1"
ALL_EVENTS_SCRIPT = "CollectWindowsEvents.ps1"
_PRELOADED = (
    (DFIR_SCRIPT, "Device triage"), (EVENTS_SCRIPT, "Windows security events"),
    (ALL_EVENTS_SCRIPT, "Application, System and Security events"),
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")
_PLACEHOLDER = (
    "# {name}: a stand-in written for the simulator. The real script is not distributed with it.\n"
    "# A simulated device answers a run of this name as the real script would.\n"
    "param([int]$sw = 2)\n"
)


def ensure_preloaded(simulator: Simulator) -> None:
    """Put the third-party scripts of the collections into a library that has never been written to."""
    with simulator.state.lock:
        if simulator.state.get("library-made", "library") is not None:
            return
        for name, description in _PRELOADED:
            fields = {"Description": description, "HasParameters": "true", "ParametersDescription": "-sw days"}
            _store(simulator, name, _PLACEHOLDER.format(name=name).encode(), fields, "admin@northwharf.example")
        simulator.state.put("library-made", "library", {})


def _store(simulator: Simulator, name: str, content: bytes, fields: dict[str, str], author: str) -> dict[str, Any]:
    now = iso(simulator.clock.wall())
    known = simulator.state.get("library", name)
    entity: dict[str, Any] = {
        "fileName": name, "sha256": hashlib.sha256(content).hexdigest(), "description": fields.get("Description"),
        "creationTime": known["creationTime"] if known else now, "lastUpdatedTime": now, "createdBy": author,
        "hasParameters": fields.get("HasParameters", "").lower() == "true",
    }  # fmt: skip
    if fields.get("ParametersDescription"):
        entity["parametersDescription"] = fields["ParametersDescription"]
    simulator.state.put_blob(f"library/{name}", content)
    simulator.state.put("library", name, entity)
    return entity


def find_file(simulator: Simulator, name: str) -> dict[str, Any] | None:
    """The library entry of a file name, without regard to case."""
    ensure_preloaded(simulator)
    return next((entry for entry in simulator.state.all("library") if entry["fileName"].lower() == name.lower()), None)


def list_files(call: Call) -> Response:
    """GET /libraryfiles"""
    ensure_preloaded(call.simulator)
    return json_response({"value": list(call.simulator.state.all("library"))})


def upload(call: Call) -> Response:
    """POST /libraryfiles"""
    ensure_preloaded(call.simulator)
    request = call.request
    file = request.files.get("file") or request.files.get("File")
    if file is None or not file.filename:
        raise ApiFault(400, "MissingRequiredParameter", "The multipart body must hold a part 'file' with a file name.")
    name = file.filename
    if not _NAME.match(name):
        raise ApiFault(400, "InvalidInput", "A file name may hold letters, digits, '-', '_' and '.' only.")
    content = file.stream.read(UPLOAD_CAP + 1)
    if len(content) > UPLOAD_CAP:
        raise ApiFault(400, "InvalidInput", "The file is larger than 20 MB.")
    if not content:
        raise ApiFault(400, "InvalidInput", "The file is empty.")
    override = request.form.get("OverrideIfExists", "").lower() == "true"
    with call.simulator.state.lock:
        known = find_file(call.simulator, name)
        if known is not None and not override:
            raise ApiFault(400, "InvalidInput", f"File {name} already exists; set OverrideIfExists to replace it.")
        stored = known["fileName"] if known else name
        entity = _store(call.simulator, stored, content, dict(request.form.items()), call.app_name)
    return json_response(entity)


def delete(call: Call) -> Response:
    """DELETE /libraryfiles/{fileName}"""
    known = find_file(call.simulator, call.params["name"])
    if known is None:
        raise ApiFault(404, "ResourceNotFound", f"File {call.params['name'][:80]} was not found in the library")
    call.simulator.state.delete("library", known["fileName"])
    call.simulator.state.delete_blob(f"library/{known['fileName']}")
    return Response(b"", 204)
