"""What response actions do to the simulated devices, and the tenant's indicators."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.conftest import Tenant

VALUE = {"indicatorValue": "Evil.example.com", "indicatorType": "DomainName", "action": "Block", "title": "t",
         "description": "IRCase"}  # fmt: skip


def said(tenant: Tenant, host: str) -> list[str]:
    query = f'DeviceInfo | where DeviceName startswith "{host}" | summarize arg_max(Timestamp, MitigationStatus)'
    return [row["MitigationStatus"] for row in tenant.rows(query)]


def shown(tenant: Tenant, host: str) -> dict[str, bool]:
    devices = tenant.client.get("/_sim/state").json["devices"]
    found = next(device for device in devices if device["name"].startswith(f"{host}."))
    return {name: found[name] for name in ("isolated", "restricted")}


def test_a_device_says_that_it_is_isolated_and_that_it_no_longer_is(tenant: Tenant) -> None:
    assert said(tenant, "ws-fin-01") == [""]
    tenant.defender("POST", "/machines/ws-fin-01/isolate", json={"Comment": "c", "IsolationType": "Full"})
    assert said(tenant, "ws-fin-01") == [""], "the action has not ended"
    tenant.advance(600)
    assert said(tenant, "ws-fin-01") == ['{"isolated": "True"}']
    assert shown(tenant, "ws-fin-01") == {"isolated": True, "restricted": False}
    tenant.defender("POST", "/machines/ws-fin-01/restrictCodeExecution", json={"Comment": "c"})
    tenant.advance(600)
    assert said(tenant, "ws-fin-01") == ['{"isolated": "True", "restricted": "True"}']
    tenant.defender("POST", "/machines/ws-fin-01/unisolate", json={"Comment": "c"})
    tenant.advance(600)
    assert said(tenant, "ws-fin-01") == ['{"restricted": "True"}']
    assert shown(tenant, "ws-fin-01") == {"isolated": False, "restricted": True}


def test_indicators_are_added_replaced_found_and_removed(tenant: Tenant) -> None:
    made = tenant.defender("POST", "/indicators", json=VALUE).json
    again = tenant.defender("POST", "/indicators", json={**VALUE, "action": "Warn"}).json
    assert (again["id"], again["action"]) == (made["id"], "Warn")
    found = tenant.defender("GET", "/indicators?$filter=indicatorValue eq 'evil.example.com'").json["value"]
    assert [one["id"] for one in found] == [made["id"]]
    assert tenant.defender("DELETE", f"/indicators/{made['id']}").status_code == 204
    assert tenant.defender("DELETE", f"/indicators/{made['id']}").status_code == 404
    assert tenant.defender("GET", "/indicators").json["value"] == []


def test_each_of_an_import_has_its_own_outcome(tenant: Tenant) -> None:
    body = {"Indicators": [VALUE, {**VALUE, "indicatorType": "IpAddress", "indicatorValue": "10.0.0.0/8"}]}
    first, second = tenant.defender("POST", "/indicators/import", json=body).json["value"]
    assert (first["isFailed"], second["isFailed"]) == (False, True)
    assert "ranges" in second["failureReason"]
    many = tenant.defender("POST", "/indicators/import", json={"Indicators": [VALUE] * 501})
    assert many.json["error"]["code"] == "MaximumBatchSizeExceeded"


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""}, {"indicatorType": "Domain"}, {"action": "Kill"}, {"action": "Audit"},
        {"indicatorType": "FileSha1", "indicatorValue": "abc"},
    ],
)  # fmt: skip
def test_indicators_that_are_refused(tenant: Tenant, change: dict[str, Any]) -> None:
    assert tenant.defender("POST", "/indicators", json={**VALUE, **change}).status_code == 400


def test_indicators_need_their_permission(tenant: Tenant) -> None:
    app = next(app.name for app in tenant.simulator.tenant.apps if app.name != "ircase" and app.consented)
    reply = tenant.defender("GET", "/indicators", app=app)
    assert reply.status_code in (401, 403)
