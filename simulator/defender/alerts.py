"""Alerts of devices in Defender's older, flat shape: https://learn.microsoft.com/defender-endpoint/api/alerts

An edit is kept as Graph spells it, so that both services show the same alert.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.core import Simulator
from simulator.defender.machines import META, find, listing, machine_resource
from simulator.http import ApiFault, Call, json_response

FILTER = (
    "alertCreationTime", "lastUpdateTime", "incidentId", "investigationId", "id", "assignedTo", "detectionSource",
    "lastEventTime", "status", "severity", "category",
)  # fmt: skip
_CHOICES = {
    "status": ("Unknown", "New", "InProgress", "Resolved"),
    "classification": ("TruePositive", "InformationalExpectedActivity", "FalsePositive"),
    "determination": (
        "MultiStagedAttack", "MaliciousUserActivity", "CompromisedUser", "Malware", "Phishing", "UnwantedSoftware",
        "SecurityTesting", "LineOfBusinessApplication", "ConfirmedActivity", "ConfirmedUserActivity", "NotMalicious",
        "Clean", "InsufficientData", "Other",
    ),
}  # fmt: skip
_EDITABLE = (*_CHOICES, "assignedTo", "comment")
_BATCH = 1_000


def alert_resource(simulator: Simulator, alert: dict[str, Any]) -> dict[str, Any]:
    """An alert as the API shows it, with later edits."""
    edits = simulator.state.get("alert-edits", alert["id"]) or {"fields": {}, "comments": []}
    now = {**alert, **edits["fields"]}
    status, updated = _pascal(now["status"]), now.get("lastUpdateDateTime") or max(alert["last"], alert["created"])
    return {
        "id": alert["id"], "incidentId": alert["incident"], "investigationId": None,
        "assignedTo": now.get("assignedTo"), "severity": alert["severity"].capitalize(), "status": status,
        "classification": _said(now["classification"]), "determination": _said(now["determination"]),
        "investigationState": "UnsupportedAlertType", "detectionSource": "WindowsDefenderAtp",
        "detectorId": f"sim-{alert['id'][-4:]}", "category": alert["category"], "threatFamilyName": alert["family"],
        "threatName": None, "title": alert["title"], "description": alert["description"] or alert["title"],
        "alertCreationTime": alert["created"], "firstEventTime": alert["first"], "lastEventTime": alert["last"],
        "lastUpdateTime": updated, "resolvedTime": updated if edits["fields"] and status == "Resolved" else None,
        "machineId": alert["deviceId"],
        "computerDnsName": alert["deviceName"], "rbacGroupName": None, "aadTenantId": simulator.tenant.id,
        "mitreTechniques": alert["techniques"], "relatedUser": _user(alert),
        "comments": [
            {"comment": one["comment"], "createdBy": one["createdByDisplayName"],
             "createdTime": one["createdDateTime"]}
            for one in edits["comments"]
        ],
        "evidence": [{**entity, "evidenceCreationTime": alert["created"]} for entity in alert["flat"]],
    }  # fmt: skip


def _pascal(value: str) -> str:
    return value[:1].upper() + value[1:]


def _said(value: str | None) -> str | None:
    return None if value in (None, "unknown") else _pascal(value)


def _user(alert: dict[str, Any]) -> dict[str, str] | None:
    found = next((one for one in alert["flat"] if one["entityType"] == "User"), None)
    return {"userName": found["accountName"], "domainName": found["domainName"]} if found else None


def of_devices(simulator: Simulator) -> list[dict[str, Any]]:
    """The story's alerts that are about a device: Defender for Endpoint has no others."""
    return [alert for alert in simulator.story.alerts if alert["deviceId"]]


def naming(simulator: Simulator, **wanted: str) -> list[dict[str, Any]]:
    """Alerts, as the API shows them, of which one piece of evidence has one of these values."""
    return [
        alert_resource(simulator, alert)
        for alert in of_devices(simulator)
        if any(one.get(name) == value for one in alert["flat"] for name, value in wanted.items())
    ]


def list_alerts(call: Call) -> Response:
    """GET /alerts: those of endpoints; `$expand=evidence` gives what they are about."""
    items = [alert_resource(call.simulator, alert) for alert in of_devices(call.simulator)]
    if "evidence" not in call.request.args.get("$expand", "").lower():
        items = [{**item, "evidence": []} for item in items]
    return listing(call, items, "Alerts", FILTER)


def _found(call: Call, key: str | None = None) -> dict[str, Any]:
    wanted = call.params["key"] if key is None else key
    for alert in of_devices(call.simulator):
        if alert["id"] == wanted:
            return alert
    raise ApiFault(404, "ResourceNotFound", f"Alert {wanted[:80]} was not found")


def get_alert(call: Call) -> Response:
    """GET /alerts/{id}"""
    return json_response(alert_resource(call.simulator, _found(call)))


def machine_alerts(call: Call) -> Response:
    """GET /machines/{id}/alerts"""
    return listing(call, _of_machine(call), "Alerts", FILTER)


def count_machine_alerts(call: Call) -> Response:
    """GET /machines/{id}/alerts/$count: a bare number."""
    whole = listing(call, _of_machine(call), "Alerts", FILTER).get_json()
    return Response(str(len(whole["value"])), content_type="text/plain; charset=utf-8")


def _of_machine(call: Call) -> list[dict[str, Any]]:
    device = find(call)
    mine = [alert for alert in of_devices(call.simulator) if alert["deviceId"] == device.id]
    return [alert_resource(call.simulator, alert) for alert in mine]


def patch_alert(call: Call) -> Response:
    """PATCH /alerts/{id}: https://learn.microsoft.com/defender-endpoint/api/update-alert"""
    alert, body = _found(call), call.json()
    _edit(call, [alert], body)
    return json_response(alert_resource(call.simulator, alert))


def update_alerts(call: Call) -> Response:
    """POST /alerts/batchUpdate, 10 a minute: https://learn.microsoft.com/defender-endpoint/api/batch-update-alerts"""
    call.simulator.quotas.spend("alertbatch")
    body = call.json()
    keys = body.pop("alertIds", None)
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise ApiFault(400, "MissingRequiredParameter", "The parameter 'alertIds' must be a list of ids.")
    if len(keys) > _BATCH:
        raise ApiFault(400, "MaximumBatchSizeExceeded", f"At most {_BATCH} alerts per call.")
    _edit(call, [_found(call, key) for key in keys], body)
    return Response(b"", 200)


def _edit(call: Call, alerts: list[dict[str, Any]], body: dict[str, Any]) -> None:
    """Raises ApiFault before anything was changed."""
    unknown = sorted(set(body) - set(_EDITABLE))
    if unknown or not body:
        named = f"unknown property '{unknown[0][:60]}'" if unknown else "nothing to update"
        raise ApiFault(400, "InvalidRequestBody", f"Request body is incorrect: {named}")
    for name, value in body.items():
        if not isinstance(value, str) or value not in _CHOICES.get(name, (value,)):
            raise ApiFault(400, "InvalidInput", f"'{str(value)[:60]}' is no {name}.")
    now, state = iso(call.simulator.clock.wall()), call.simulator.state
    fields = {name: value if name == "assignedTo" else value[:1].lower() + value[1:] for name, value in body.items()}
    comment = body.get("comment")
    fields.pop("comment", None)
    with state.lock:
        for alert in alerts:
            edits = state.get("alert-edits", alert["id"]) or {"fields": {}, "comments": []}
            edits["fields"] |= {**fields, "lastUpdateDateTime": now}
            if comment:
                edits["comments"].append(
                    {"@odata.type": "microsoft.graph.security.alertComment", "comment": comment,
                     "createdByDisplayName": call.app_name, "createdDateTime": now}
                )  # fmt: skip
            state.put("alert-edits", alert["id"], edits)


def alert_entities(call: Call) -> Response:
    """GET /alerts/{id}/machine, /user, /files, /ips, /domains: what an alert is about."""
    alert, kind = _found(call), call.params["entity"]
    if kind == "machine":
        resource = machine_resource(call.simulator, find(call, alert["deviceId"]))
        return json_response({"@odata.context": f"{META}#Machines/$entity", **resource})
    if kind == "user":
        return json_response({"@odata.context": f"{META}#Users/$entity", **_whole_user(alert)})
    known = {"files": _files, "ips": _addresses, "domains": _domains}
    if kind not in known:
        raise ApiFault(404, "NotFound", "There is no such resource.")
    return json_response({"@odata.context": f"{META}#{kind.capitalize()}", "value": known[kind](alert)})


def _whole_user(alert: dict[str, Any]) -> dict[str, Any]:
    found = next((one for one in alert["flat"] if one["entityType"] == "User"), None)
    if found is None:
        raise ApiFault(404, "ResourceNotFound", "The alert names no user")
    return {
        "id": f"{found['domainName']}\\{found['accountName']}".lower(), "accountName": found["accountName"],
        "accountDomain": found["domainName"], "accountSid": found["userSid"],
    }  # fmt: skip


def _files(alert: dict[str, Any]) -> list[dict[str, Any]]:
    found = {one["sha1"]: one for one in alert["flat"] if one.get("sha1")}
    return [{"sha1": sha1, "sha256": one["sha256"]} for sha1, one in found.items()]


def _addresses(alert: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": value} for value in dict.fromkeys(one["ipAddress"] for one in alert["flat"] if "ipAddress" in one)]


def _domains(alert: dict[str, Any]) -> list[dict[str, Any]]:
    hosts = [urlsplit(one["url"]).hostname for one in alert["flat"] if "url" in one]
    return [{"host": host} for host in dict.fromkeys(hosts) if host]
