"""Paths and permissions of Defender for Endpoint. Sources: the page of each endpoint below
https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
"""

from __future__ import annotations

from simulator.defender import (
    actions,
    alerts,
    files,
    indicators,
    library,
    machines,
    network,
    responses,
    results,
    vulnerabilities,
)
from simulator.defender.liveresponse import run_live_response
from simulator.http import Handler, Route
from simulator.tenant import Service

_READ = ("Machine.Read.All", "Machine.ReadWrite.All")
_WRITE = ("Machine.ReadWrite.All",)
_LIBRARY = ("Library.Manage",)
_INDICATORS = ("Ti.ReadWrite.All", "Ti.ReadWrite")
_ALERTS = ("Alert.Read.All", "Alert.ReadWrite.All")
_EDIT_ALERTS = ("Alert.ReadWrite.All",)

# Every literal part of a path in its spelling here, by its lower case; a client may spell it any way.
CANONICAL: dict[str, str] = {
    name.lower(): name
    for name in (
        "api", "machines", "machineactions", "libraryfiles", "files", "stats", "alerts", "runliveresponse",
        "logonusers", "tags", "cancel", "getPackageUri", "GetLiveResponseResultDownloadLink", "isolate", "unisolate",
        "restrictCodeExecution", "unrestrictCodeExecution", "runAntiVirusScan", "collectInvestigationPackage",
        "StopAndQuarantineFile", "offboard", "indicators", "import", "BatchDelete", "software", "vulnerabilities",
        "recommendations", "batchUpdate", "ips", "domains", "machine", "user",
    )
}  # fmt: skip


def _route(method: str, path: str, handler: Handler, roles: tuple[str, ...]) -> Route:
    return Route(method, f"/api{path}", handler, Service.DEFENDER, roles)


def _action(name: str, handler: Handler, role: str) -> Route:
    return _route("POST", f"/machines/<machine>/{name}", handler, (role,))


ROUTES = (
    _route("GET", "/machines", machines.list_machines, _READ),
    _route("GET", "/machines/<machine>", machines.get_machine, _READ),
    _route("GET", "/machines/<machine>/logonusers", machines.logon_users, ("User.Read.All",)),
    _route("GET", "/machines/<machine>/alerts", alerts.machine_alerts, _ALERTS),
    _route("GET", "/machines/<machine>/alerts/$count", alerts.count_machine_alerts, _ALERTS),
    _route("GET", "/machines/<machine>/software", vulnerabilities.software, ("Software.Read.All",)),
    _route("GET", "/machines/<machine>/vulnerabilities", vulnerabilities.vulnerabilities, ("Vulnerability.Read.All",)),
    _route(
        "GET",
        "/machines/<machine>/recommendations",
        vulnerabilities.recommendations,
        ("SecurityRecommendation.Read.All",),
    ),
    _route("POST", "/machines/<machine>/tags", machines.tag_machine, _WRITE),
    _route("GET", "/alerts", alerts.list_alerts, _ALERTS),
    _route("POST", "/alerts/batchUpdate", alerts.update_alerts, _EDIT_ALERTS),
    _route("GET", "/alerts/<key>", alerts.get_alert, _ALERTS),
    _route("PATCH", "/alerts/<key>", alerts.patch_alert, _EDIT_ALERTS),
    _route("GET", "/alerts/<key>/<entity>", alerts.alert_entities, _ALERTS),
    _route("GET", "/ips/<ip>/stats", network.ip_stats, ("Ip.Read.All",)),
    _route("GET", "/ips/<ip>/alerts", network.ip_alerts, _ALERTS),
    _route("GET", "/domains/<domain>/stats", network.domain_stats, ("URL.Read.All",)),
    _route("GET", "/domains/<domain>/alerts", network.domain_alerts, _ALERTS),
    _route("GET", "/domains/<domain>/machines", network.domain_machines, _READ),
    _route("GET", "/files/<file>", files.get_file, ("File.Read.All",)),
    _route("GET", "/files/<file>/stats", files.file_stats, ("File.Read.All",)),
    _route("GET", "/files/<file>/alerts", files.file_alerts, _ALERTS),
    _route("GET", "/files/<file>/machines", files.file_machines, _READ),
    _route("GET", "/indicators", indicators.list_indicators, _INDICATORS),
    _route("POST", "/indicators", indicators.put_indicator, _INDICATORS),
    _route("POST", "/indicators/import", indicators.import_indicators, _INDICATORS),
    _route("POST", "/indicators/BatchDelete", indicators.delete_indicators, _INDICATORS),
    _route("DELETE", "/indicators/<key>", indicators.delete_indicator, _INDICATORS),
    _route("GET", "/libraryfiles", library.list_files, _LIBRARY),
    _route("POST", "/libraryfiles", library.upload, _LIBRARY),
    _route("DELETE", "/libraryfiles/<name>", library.delete, _LIBRARY),
    _action("runliveresponse", run_live_response, "Machine.LiveResponse"),
    _action("isolate", responses.isolate, "Machine.Isolate"),
    _action("unisolate", responses.plain("Unisolate"), "Machine.Isolate"),
    _action("restrictCodeExecution", responses.plain("RestrictCodeExecution"), "Machine.RestrictExecution"),
    _action("unrestrictCodeExecution", responses.plain("UnrestrictCodeExecution"), "Machine.RestrictExecution"),
    _action("runAntiVirusScan", responses.scan, "Machine.Scan"),
    _action("collectInvestigationPackage", responses.plain("CollectInvestigationPackage"), "Machine.CollectForensics"),
    _action("StopAndQuarantineFile", responses.quarantine, "Machine.StopAndQuarantine"),
    _action("offboard", responses.plain("Offboard"), "Machine.Offboard"),
    _route("GET", "/machineactions", actions.list_actions, _READ),
    _route("GET", "/machineactions/<action>", actions.get_action, _READ),
    _route(
        "POST", "/machineactions/<action>/cancel", actions.cancel, tuple(dict.fromkeys(actions.CANCEL_ROLES.values()))
    ),
    _route("GET", "/machineactions/<action>/getPackageUri", responses.package_uri, _READ),
    _route("GET", "/machineactions/<action>/<function>", results.result_link, _READ),
)
