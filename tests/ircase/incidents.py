"""Incidents as Graph gives them, for tests."""

from typing import Any

from django.utils import timezone

from ircase.models import Connection, IncomingIncident
from ircase.services.incidents import incidentkeeping
from msapi.incidents import read_incident


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@odata.type": f"#microsoft.graph.security.{kind}", "verdict": "suspicious", **fields}


def device(name: str) -> dict[str, Any]:
    return item("deviceEvidence", deviceDnsName=name, mdeDeviceId=name.split(".")[0])


def account(upn: str) -> dict[str, Any]:
    return item("userEvidence", userAccount={"userPrincipalName": upn})


def file(sha256: str) -> dict[str, Any]:
    return item("fileEvidence", fileDetails={"sha256": sha256, "fileName": "loader.exe"})


def ip(address: str) -> dict[str, Any]:
    return item("ipEvidence", ipAddress=address)


def alert(number: str, *evidence: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"al-{number}", "title": f"Alert {number}", "severity": "high",
            "createdDateTime": "2026-02-13T08:43:35Z", "evidence": list(evidence)}  # fmt: skip


def raw(number: str, *alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": number, "displayName": f"Incident {number}", "severity": "high", "status": "active",
        "createdDateTime": timezone.now().isoformat(), "lastUpdateDateTime": "2026-02-14T09:00:00Z",
        "alerts": list(alerts), **more,
    }  # fmt: skip


def keep(connection: Connection, number: str, *alerts: dict[str, Any], **more: Any) -> IncomingIncident:
    return incidentkeeping.keep_incident(connection=connection, incident=read_incident(raw(number, *alerts, **more)))
