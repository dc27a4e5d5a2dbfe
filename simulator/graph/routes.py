"""Paths and permissions of Graph security."""

from __future__ import annotations

from simulator.graph import incidents
from simulator.graph.hunting import run_hunting_query
from simulator.http import Handler, Route
from simulator.tenant import Service

_READ_INCIDENT = ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All")
_WRITE_INCIDENT = ("SecurityIncident.ReadWrite.All",)
_READ_ALERT = ("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All")
_WRITE_ALERT = ("SecurityAlert.ReadWrite.All",)


def _route(method: str, path: str, handler: Handler, roles: tuple[str, ...]) -> Route:
    return Route(method, f"/v1.0/security{path}", handler, Service.GRAPH, roles)


ROUTES = (
    _route("POST", "/runHuntingQuery", run_hunting_query, ("ThreatHunting.Read.All",)),
    _route("GET", "/incidents", incidents.list_incidents, _READ_INCIDENT),
    _route("GET", "/incidents/<key>", incidents.get_incident, _READ_INCIDENT),
    _route("PATCH", "/incidents/<key>", incidents.patch_incident, _WRITE_INCIDENT),
    _route("POST", "/incidents/<key>/comments", incidents.comment_incident, _WRITE_INCIDENT),
    _route("GET", "/alerts_v2", incidents.list_alerts, _READ_ALERT),
    _route("GET", "/alerts_v2/<key>", incidents.get_alert, _READ_ALERT),
    _route("PATCH", "/alerts_v2/<key>", incidents.patch_alert, _WRITE_ALERT),
    _route("POST", "/alerts_v2/<key>/comments", incidents.comment_alert, _WRITE_ALERT),
)
