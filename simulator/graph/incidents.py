"""Incidents and alerts: https://learn.microsoft.com/graph/api/resources/security-incident"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from simulator.clock import iso
from simulator.core import Simulator
from simulator.http import ApiFault, Call, json_response
from simulator.odata import FilterError, order_by, parse_filter

TOP_LIMIT = 1000
SKIP_LIMIT = 500
PAGE = 50
_META = "https://graph.microsoft.com/v1.0/$metadata#security"
_INCIDENT_FILTER = (
    "assignedTo", "classification", "createdDateTime", "determination", "lastUpdateDateTime", "severity", "status",
)  # fmt: skip
_ALERT_FILTER = (*_INCIDENT_FILTER, "serviceSource")
_INCIDENT_EDIT = frozenset(
    {
        "assignedTo", "classification", "determination", "status", "customTags", "resolvingComment", "severity",
        "displayName", "description", "summary",
    }
)  # fmt: skip
_ALERT_EDIT = frozenset({"assignedTo", "classification", "determination", "status"})
_STATUSES = {
    "incident": frozenset({"active", "inprogress", "resolved", "redirected", "awaitingaction"}),
    "alert": frozenset({"new", "inprogress", "resolved", "unknown"}),
}
_COMMENT_LIMIT = 1000


def _portal(path: str, tenant: str) -> str:
    return f"https://security.microsoft.com/{path}?tid={tenant}"


def alert_resource(simulator: Simulator, alert: dict[str, Any]) -> dict[str, Any]:
    """An alert of the story as Graph shows it, with later edits."""
    tenant, key, incident = simulator.tenant.id, alert["id"], str(alert["incident"])
    resource = {
        "@odata.type": "#microsoft.graph.security.alert", "id": key, "providerAlertId": key, "incidentId": incident,
        "status": alert["status"], "severity": alert["severity"], "classification": alert["classification"],
        "determination": alert["determination"], "serviceSource": alert["service"],
        "detectionSource": alert["detection"], "productName": alert["service"], "detectorId": f"sim-{key[-4:]}",
        "tenantId": tenant, "title": alert["title"], "description": alert["description"] or alert["title"],
        "recommendedActions": "Check the device and the account.", "category": alert["category"], "assignedTo": None,
        "alertWebUrl": _portal(f"alerts/{key}", tenant), "incidentWebUrl": _portal(f"incidents/{incident}", tenant),
        "actorDisplayName": None, "threatDisplayName": alert["family"], "threatFamilyName": alert["family"],
        "mitreTechniques": alert["techniques"], "createdDateTime": alert["created"],
        "lastUpdateDateTime": alert["last"] if alert["last"] > alert["created"] else alert["created"],
        "resolvedDateTime": None, "firstActivityDateTime": alert["first"], "lastActivityDateTime": alert["last"],
        "systemTags": [], "additionalData": None,
        "evidence": [{**entity, "createdDateTime": alert["created"]} for entity in alert["graph"]],
    }  # fmt: skip
    return _edited(simulator, "alert", key, resource)


def incident_resource(simulator: Simulator, case: dict[str, Any]) -> dict[str, Any]:
    """An incident of the story as Graph shows it, with later edits."""
    tenant, key = simulator.tenant.id, str(case["id"])
    resource = {
        "@odata.type": "#microsoft.graph.security.incident", "id": key, "tenantId": tenant,
        "incidentWebUrl": _portal(f"incidents/{key}", tenant),
        "redirectIncidentId": str(case["redirect"]) if case["redirect"] else None, "displayName": case["title"],
        "createdDateTime": case["created"], "lastUpdateDateTime": case["updated"], "assignedTo": case["assigned_to"],
        "classification": case["classification"], "determination": case["determination"], "status": case["status"],
        "severity": case["severity"], "customTags": [], "systemTags": [], "description": case["description"],
        "summary": None, "resolvingComment": None, "lastModifiedBy": "Microsoft 365 Defender-AlertCorrelation",
    }  # fmt: skip
    return _edited(simulator, "incident", key, resource)


def _edited(simulator: Simulator, kind: str, key: str, resource: dict[str, Any]) -> dict[str, Any]:
    edits = simulator.state.get(f"{kind}-edits", key) or {"fields": {}, "comments": []}
    return {**resource, **edits["fields"], "comments": edits["comments"]}


def put_incident(simulator: Simulator, given: dict[str, Any]) -> dict[str, Any]:
    """An incident beside the story's, or a newer version of one put before, with the alerts that it names."""
    tenant, key, now = simulator.tenant.id, str(given["id"]), iso(simulator.clock.wall())
    alerts = [
        {"incidentId": key, "createdDateTime": now, "lastUpdateDateTime": now, **alert}
        for alert in given.get("alerts", [])
    ]
    body = {
        "@odata.type": "#microsoft.graph.security.incident", "id": key, "tenantId": tenant,
        "incidentWebUrl": _portal(f"incidents/{key}", tenant), "redirectIncidentId": None,
        "displayName": f"Incident {key}", "createdDateTime": now, "lastUpdateDateTime": now, "assignedTo": None,
        "classification": "unknown", "determination": "unknown", "status": "active", "severity": "medium",
        "customTags": [], "systemTags": [], "description": "", "summary": None, "resolvingComment": None,
        **{name: value for name, value in given.items() if name not in ("id", "alerts")},
    }  # fmt: skip
    simulator.state.put("incident", key, {"incident": body, "alerts": alerts})
    return body


def _all_incidents(simulator: Simulator) -> list[dict[str, Any]]:
    told = [incident_resource(simulator, case) for case in simulator.story.incidents]
    put = [document["incident"] for document in simulator.state.all("incident")]
    return told + [_edited(simulator, "incident", incident["id"], incident) for incident in put]


def _all_alerts(simulator: Simulator) -> list[dict[str, Any]]:
    told = [alert_resource(simulator, alert) for alert in simulator.story.alerts]
    put = [alert for document in simulator.state.all("incident") for alert in document["alerts"]]
    return told + [_edited(simulator, "alert", str(alert["id"]), alert) for alert in put]


def _selected(call: Call, items: list[dict[str, Any]], allowed: tuple[str, ...]) -> list[dict[str, Any]]:
    arguments = call.request.args
    try:
        if arguments.get("$filter"):
            test = parse_filter(arguments["$filter"], allowed)
            items = [item for item in items if test(item)]
        if arguments.get("$orderby"):
            return order_by(items, arguments["$orderby"], allowed)
    except FilterError as error:
        raise ApiFault(400, "BadRequest", f"Invalid filter clause: {error}") from error
    return sorted(items, key=lambda item: str(item["createdDateTime"]), reverse=True)


def _page(call: Call, items: list[dict[str, Any]], collection: str) -> Response:
    """One page, with `@odata.nextLink` while more follow. `$top` is clamped; `$skip` beyond 500 is refused."""
    skip = call.integer("$skip", 0)
    if skip > SKIP_LIMIT:
        raise ApiFault(400, "BadRequest", f"Invalid value for $skip: the limit is {SKIP_LIMIT}.")
    top = max(1, min(call.integer("$top", PAGE), TOP_LIMIT))
    body: dict[str, Any] = {"@odata.context": f"{_META}/{collection}"}
    if call.request.args.get("$count", "").lower() == "true":
        body["@odata.count"] = len(items)
    body["value"] = items[skip : skip + top]
    if skip + top < len(items):
        others = {key: value for key, value in call.request.args.items() if key != "$skip"}
        query = "&".join(
            f"{key}={value}" for key, value in {**others, "$top": str(top), "$skip": str(skip + top)}.items()
        )
        base = call.simulator.base_url(call.request)
        body["@odata.nextLink"] = f"{base}/v1.0/security/{collection}?{query.replace(' ', '%20')}"
    return json_response(body)


def _expanding(call: Call) -> bool:
    return "alerts" in call.request.args.get("$expand", "").lower()


def _with_alerts(call: Call, incident: dict[str, Any]) -> dict[str, Any]:
    key = incident["id"]
    return {**incident, "alerts": [alert for alert in _all_alerts(call.simulator) if alert["incidentId"] == key]}


def _spelled(call: Call, incident: dict[str, Any]) -> dict[str, Any]:
    """Some samples of Microsoft show enum members in PascalCase; the fault `pascal_case` does."""
    if "pascal_case" not in call.faults:
        return incident
    changed = {name: str(incident[name])[:1].upper() + str(incident[name])[1:] for name in ("status", "severity")}
    return {**incident, **changed}


def list_incidents(call: Call) -> Response:
    """GET /security/incidents"""
    items = _selected(call, _all_incidents(call.simulator), _INCIDENT_FILTER)
    if _expanding(call):
        items = [_with_alerts(call, item) for item in items]
    return _page(call, [_spelled(call, item) for item in items], "incidents")


def _find(call: Call, items: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    for item in items:
        if item["id"] == call.params["key"]:
            return item
    raise ApiFault(404, "ResourceNotFound", f"{kind} {call.params['key'][:80]} was not found.")


def get_incident(call: Call) -> Response:
    """GET /security/incidents/{id}"""
    incident = _find(call, _all_incidents(call.simulator), "Incident")
    if _expanding(call):
        incident = _with_alerts(call, incident)
    return json_response({"@odata.context": f"{_META}/incidents/$entity", **_spelled(call, incident)})


def list_alerts(call: Call) -> Response:
    """GET /security/alerts_v2"""
    return _page(call, _selected(call, _all_alerts(call.simulator), _ALERT_FILTER), "alerts_v2")


def get_alert(call: Call) -> Response:
    """GET /security/alerts_v2/{id}"""
    alert = _find(call, _all_alerts(call.simulator), "Alert")
    return json_response({"@odata.context": f"{_META}/alerts_v2/$entity", **alert})


def patch_incident(call: Call) -> Response:
    """PATCH /security/incidents/{id}"""
    _find(call, _all_incidents(call.simulator), "Incident")
    _edit(call, "incident", _INCIDENT_EDIT)
    return json_response(_find(call, _all_incidents(call.simulator), "Incident"))


def patch_alert(call: Call) -> Response:
    """PATCH /security/alerts_v2/{id}"""
    _find(call, _all_alerts(call.simulator), "Alert")
    _edit(call, "alert", _ALERT_EDIT)
    return json_response(_find(call, _all_alerts(call.simulator), "Alert"))


def _edit(call: Call, kind: str, editable: frozenset[str]) -> None:
    body = call.json()
    unknown = sorted(key for key in body if key not in editable and not key.startswith("@odata"))
    if unknown:
        raise ApiFault(400, "BadRequest", f"The property '{unknown[0][:80]}' cannot be changed.")
    status = body.get("status")
    if status is not None and str(status).lower() not in _STATUSES[kind]:
        raise ApiFault(400, "BadRequest", f"'{str(status)[:80]}' is not a status.")
    fields = {key: value for key, value in body.items() if not key.startswith("@odata")}
    fields |= {"lastUpdateDateTime": iso(call.simulator.clock.wall()), "lastModifiedBy": call.app_name}
    if kind == "alert":
        fields.pop("lastModifiedBy")
    _change(call, kind, lambda edits: edits["fields"].update(fields))


def _change(call: Call, kind: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    state, key = call.simulator.state, call.params["key"]
    with state.lock:
        edits = state.get(f"{kind}-edits", key) or {"fields": {}, "comments": []}
        change(edits)
        state.put(f"{kind}-edits", key, edits)
    return edits


def _comment(call: Call, kind: str) -> Response:
    text = call.json().get("comment")
    if not isinstance(text, str) or not text.strip():
        raise ApiFault(400, "BadRequest", "The 'comment' must be a non-empty text.")
    if len(text) > _COMMENT_LIMIT:
        raise ApiFault(400, "BadRequest", f"The comment is longer than {_COMMENT_LIMIT} characters.")
    entry = {
        "@odata.type": "#microsoft.graph.security.alertComment", "comment": text,
        "createdByDisplayName": call.app_name, "createdDateTime": iso(call.simulator.clock.wall()),
    }  # fmt: skip
    edits = _change(call, kind, lambda known: known["comments"].append(entry))
    return json_response({"@odata.context": f"{_META}/comments", "value": edits["comments"]})


def comment_incident(call: Call) -> Response:
    """POST /security/incidents/{id}/comments: answers with all comments."""
    _find(call, _all_incidents(call.simulator), "Incident")
    return _comment(call, "incident")


def comment_alert(call: Call) -> Response:
    """POST /security/alerts_v2/{id}/comments"""
    _find(call, _all_alerts(call.simulator), "Alert")
    return _comment(call, "alert")
