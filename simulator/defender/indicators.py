"""Indicators of the tenant: https://learn.microsoft.com/defender-endpoint/api/ti-indicator"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.defender.machines import META, listing
from simulator.http import ApiFault, Call, json_response

_TYPES = ("FileSha1", "FileSha256", "FileMd5", "CertificateThumbprint", "IpAddress", "DomainName", "Url")
_ACTIONS = ("Allowed", "Audit", "Block", "BlockAndRemediate", "Warn", "Alert", "AlertAndBlock")
_HEX = {"FileSha1": 40, "FileSha256": 64, "FileMd5": 32, "CertificateThumbprint": 40}
_FILTER = (
    "indicatorValue", "indicatorType", "application", "title", "action", "severity", "creationTimeDateTimeUtc",
    "expirationTime", "createdBy", "id",
)  # fmt: skip
_IMPORTED = 500
ACTIVE = 15_000


def list_indicators(call: Call) -> Response:
    """GET /indicators"""
    return listing(call, call.simulator.state.all("indicator"), "Indicators", _FILTER)


def put_indicator(call: Call) -> Response:
    """POST /indicators: adds one, or replaces the one of this value."""
    stored = _put(call, call.json())
    return json_response({"@odata.context": f"{META}#Indicators/$entity", **stored})


def import_indicators(call: Call) -> Response:
    """POST /indicators/import: up to 500, each with its own outcome."""
    call.simulator.quotas.spend("indicatorimport")
    given = call.json().get("Indicators")
    if not isinstance(given, list) or not given:
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'Indicators' is required.")
    if len(given) > _IMPORTED:
        raise ApiFault(400, "MaximumBatchSizeExceeded", f"At most {_IMPORTED} indicators per call.")
    return json_response({"@odata.context": f"{META}#Collection(ImportIndicatorResult)",
                          "value": [_import_one(call, item) for item in given]})  # fmt: skip


def _import_one(call: Call, item: Any) -> dict[str, Any]:
    value = str(item.get("indicatorValue", "")) if isinstance(item, dict) else ""
    try:
        stored = _put(call, item if isinstance(item, dict) else {})
    except ApiFault as fault:
        return {"id": None, "indicator": value, "isFailed": True, "failureReason": fault.message}
    return {"id": stored["id"], "indicator": value, "isFailed": False, "failureReason": None}


def delete_indicator(call: Call) -> Response:
    """DELETE /indicators/{id}"""
    state = call.simulator.state
    with state.lock:
        found = next((one for one in state.all("indicator") if one["id"] == call.params["key"]), None)
        if found is None:
            raise ApiFault(404, "ResourceNotFound", f"Indicator {call.params['key'][:80]} was not found")
        state.delete("indicator", _key(found))
    return Response(status=204)


def delete_indicators(call: Call) -> Response:
    """POST /indicators/BatchDelete: up to 500 by their ids; unknown ones are passed over."""
    given = call.json().get("IndicatorIds")
    if not isinstance(given, list) or not given:
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'IndicatorIds' is required.")
    if len(given) > _IMPORTED:
        raise ApiFault(400, "MaximumBatchSizeExceeded", f"At most {_IMPORTED} indicators per call.")
    wanted, state = {str(one) for one in given}, call.simulator.state
    with state.lock:
        for found in [one for one in state.all("indicator") if one["id"] in wanted]:
            state.delete("indicator", _key(found))
    return Response(status=204)


def _key(indicator: dict[str, Any]) -> str:
    return f"{indicator['indicatorType']}:{indicator['indicatorValue'].lower()}"


def _put(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    value, kind, action = _checked(body)
    state, now = call.simulator.state, iso(call.simulator.clock.wall())
    with state.lock:
        known = state.get("indicator", f"{kind}:{value.lower()}")
        if known is None and sum(1 for _ in state.all("indicator")) >= ACTIVE:
            raise ApiFault(400, "BadRequest", f"The tenant has {ACTIVE} active indicators already.")
        number = (state.get("indicator-count", "count") or {"last": 2840})["last"] + 1
        state.put("indicator-count", "count", {"last": number})
        stored = {
            "id": known["id"] if known else str(number), "indicatorValue": value, "indicatorType": kind,
            "action": action, "title": body["title"], "description": body["description"],
            "application": body.get("application"), "severity": body.get("severity", "Informational"),
            "recommendedActions": body.get("recommendedActions"), "rbacGroupNames": body.get("rbacGroupNames", []),
            "rbacGroupIds": [], "expirationTime": body.get("expirationTime"), "educateUrl": body.get("educateUrl"),
            "generateAlert": body.get("generateAlert", False), "source": call.app_name, "sourceType": "AadApp",
            "createdBy": known["createdBy"] if known else call.app_name,
            "creationTimeDateTimeUtc": known["creationTimeDateTimeUtc"] if known else now,
            "lastUpdateTime": now, "lastUpdatedBy": call.app_name,
        }  # fmt: skip
        state.put("indicator", _key(stored), stored)
    return stored


def _checked(body: dict[str, Any]) -> tuple[str, str, str]:
    for name in ("indicatorValue", "indicatorType", "action", "title", "description"):
        if not isinstance(body.get(name), str) or not body[name].strip():
            raise ApiFault(400, "MissingRequiredParameter", f"The parameter '{name}' is required.")
    value, kind, action = body["indicatorValue"].strip(), body["indicatorType"], body["action"]
    if kind not in _TYPES or action not in _ACTIONS:
        raise ApiFault(400, "InvalidInput", "The indicator's type or action is not known.")
    if action == "Audit" and not body.get("generateAlert"):
        raise ApiFault(400, "InvalidInput", "Audit requires generateAlert to be true.")
    if kind in _HEX and not re.fullmatch(f"[0-9A-Fa-f]{{{_HEX[kind]}}}", value):
        raise ApiFault(400, "InvalidHashValue", f"The value is no {kind}.")
    if kind == "IpAddress":
        _check_ip(value)
    return value, kind, action


def _check_ip(value: str) -> None:
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise ApiFault(400, "InvalidIpAddress", "The value is no single IP address; ranges are not taken.") from error
