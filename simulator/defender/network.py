"""Addresses and domains that devices of the story spoke to.

https://learn.microsoft.com/defender-endpoint/api/get-ip-statistics and .../api/get-domain-statistics
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from typing import Any

import duckdb
from werkzeug.wrappers import Response

from kql.sql import quote_text
from simulator.clock import iso
from simulator.core import Simulator
from simulator.defender.alerts import alert_resource, naming, of_devices
from simulator.defender.machines import META, machine_resource
from simulator.http import ApiFault, Call, json_response
from simulator.story.timeline import as_datetime

_MOST_HOURS = 720
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z")
_OF_DOMAIN = "(lower(RemoteUrl) = $1 OR contains(lower(RemoteUrl), '//' || $1 || '/'))"


def ip_stats(call: Call) -> Response:
    """GET /ips/{ip}/stats: an address that nobody spoke to has a prevalence of 0."""
    address = _address(call)
    stats = _stats(call, "RemoteIP = $1", address)
    return json_response({"@odata.context": f"{META}#InOrgIPStats", "ipAddress": address, **stats})


def ip_alerts(call: Call) -> Response:
    """GET /ips/{ip}/alerts"""
    found = naming(call.simulator, ipAddress=_address(call))
    return json_response({"@odata.context": f"{META}#Alerts", "value": found})


def domain_stats(call: Call) -> Response:
    """GET /domains/{domain}/stats: an unknown one is 200 with 0."""
    domain = _domain(call)
    return json_response(
        {"@odata.context": f"{META}#InOrgDomainStats", "host": domain, **_stats(call, _OF_DOMAIN, domain)}
    )


def domain_alerts(call: Call) -> Response:
    """GET /domains/{domain}/alerts"""
    domain, simulator = _domain(call), call.simulator
    found = [
        alert_resource(simulator, alert)
        for alert in of_devices(simulator)
        if any(f"//{domain}/" in one.get("url", "").lower() for one in alert["flat"])
    ]
    return json_response({"@odata.context": f"{META}#Alerts", "value": found})


def domain_machines(call: Call) -> Response:
    """GET /domains/{domain}/machines: devices that spoke to it."""
    names = {row[0] for row in _rows(call.simulator, "DISTINCT DeviceName", _OF_DOMAIN, _domain(call))}
    known = call.simulator.story.world.devices
    value = [machine_resource(call.simulator, device) for device in known if device.name in names]
    return json_response({"@odata.context": f"{META}#Machines", "value": value})


def _address(call: Call) -> str:
    try:
        return str(ipaddress.ip_address(call.params["ip"]))
    except ValueError as error:
        raise ApiFault(400, "InvalidIpAddress", "The value is no IP address.") from error


def _domain(call: Call) -> str:
    domain = call.params["domain"].lower()
    if not _DOMAIN.match(domain):
        raise ApiFault(400, "InvalidDomainName", "The value is no domain name.")
    return domain


def _stats(call: Call, where: str, value: str) -> dict[str, Any]:
    hours = call.integer("lookBackHours", _MOST_HOURS)
    if not 1 <= hours <= _MOST_HOURS:
        raise ApiFault(400, "InvalidInput", f"lookBackHours must be between 1 and {_MOST_HOURS}.")
    start = as_datetime(call.simulator.story.world.week.now) - timedelta(hours=hours)
    recent = f"{where} AND Timestamp >= TIMESTAMP {quote_text(start.strftime('%Y-%m-%d %H:%M:%S'))}"
    columns = "count(DISTINCT DeviceName), min(Timestamp), max(Timestamp)"
    ((devices, first, last),) = _rows(call.simulator, columns, recent, value)
    return {"organizationPrevalence": devices, "orgFirstSeen": _iso(first), "orgLastSeen": _iso(last)}


def _iso(moment: datetime | None) -> str | None:
    # DuckDB gives UTC times without their zone.
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z" if moment and moment.tzinfo is None else iso(moment) if moment else None


def _rows(simulator: Simulator, columns: str, where: str, value: str) -> list[tuple[Any, ...]]:
    path = quote_text(str(simulator.story.tables["DeviceNetworkEvents"]))
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        found: list[tuple[Any, ...]] = connection.execute(
            f"SELECT {columns} FROM read_parquet({path}) WHERE {where}", [value]
        ).fetchall()
    return found
