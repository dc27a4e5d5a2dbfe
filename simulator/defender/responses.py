"""Response actions: isolation, restriction, scan, quarantine, offboarding, the investigation package."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.wrappers import Response

from simulator import links
from simulator.defender import actions
from simulator.defender.actions import Plan
from simulator.defender.machines import META, find
from simulator.http import ApiFault, Call, Handler, json_response

_SHA1 = re.compile(r"[0-9A-Fa-f]{40}\Z")
_SECONDS = {
    "Isolate": 25.0, "Unisolate": 25.0, "RestrictCodeExecution": 20.0, "UnrestrictCodeExecution": 20.0,
    "RunAntiVirusScan": 240.0, "CollectInvestigationPackage": 180.0, "StopAndQuarantineFile": 30.0, "Offboard": 60.0,
}  # fmt: skip


def _start(
    call: Call, kind: str, body: dict[str, Any], scope: str | None = None, file: dict[str, str] | None = None
) -> Response:
    device, comment = find(call), actions.required_comment(body)
    with call.simulator.state.lock:
        actions.refuse_twin(call.simulator, device, kind)
        offline = device.offline or "stays_pending" in call.faults
        plan = actions.offline_plan() if offline else Plan(4.0, 4.0 + _SECONDS[kind], "Succeeded")
        return actions.create(call, device, kind, comment, plan, scope=scope, file=file)


def plain(kind: str) -> Handler:
    """A handler for an action whose body is only a comment. Offboarding alone is documented to answer 200."""

    def handler(call: Call) -> Response:
        answer = _start(call, kind, call.json())
        answer.status_code = 200 if kind == "Offboard" else answer.status_code
        return answer

    return handler


def _choice(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = body.get(name)
    if value is None:
        raise ApiFault(400, "MissingRequiredParameter", f"The parameter '{name}' is required.")
    if value not in choices:
        raise ApiFault(400, "InvalidInput", f"The parameter '{name}' must be one of {', '.join(choices)}.")
    return str(value)


def isolate(call: Call) -> Response:
    """POST /machines/{id}/isolate"""
    body = call.json()
    scope = _choice(body, "IsolationType", ("Full", "Selective", "UnManagedDevice"))
    return _start(call, "Isolate", body, scope=scope)


def scan(call: Call) -> Response:
    """POST /machines/{id}/runAntiVirusScan"""
    body = call.json()
    return _start(call, "RunAntiVirusScan", body, scope=_choice(body, "ScanType", ("Quick", "Full")))


def quarantine(call: Call) -> Response:
    """POST /machines/{id}/StopAndQuarantineFile"""
    body = call.json()
    sha1 = body.get("Sha1")
    if not isinstance(sha1, str) or not _SHA1.match(sha1):
        raise ApiFault(400, "InvalidHashValue", "The parameter 'Sha1' must be 40 hexadecimal digits.")
    file = {"fileIdentifier": sha1, "fileIdentifierType": "Sha1"}
    return _start(call, "StopAndQuarantineFile", body, file=file)


def package_uri(call: Call) -> Response:
    """GET /machineactions/{id}/getPackageUri: the link stands in a second pair of quotes, as in Microsoft's samples."""
    call.simulator.quotas.spend("packageuri")
    action = actions.stored(call)
    if action["type"] != "CollectInvestigationPackage":
        raise ApiFault(400, "BadRequest", "The action is not an investigation package collection.")
    if actions.status_of(call.simulator, action) != "Succeeded":
        raise ApiFault(404, "ResourceNotFound", "The investigation package is not ready.")
    link = links.make(call, f"/blob/packages/{action['id']}")
    return json_response({"@odata.context": f"{META}#Edm.String", "value": f'"{link}"'})
