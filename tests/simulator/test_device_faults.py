"""Faults kept to one device, and what becomes of a session under way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.conftest import Tenant, local_part

FILE = ("GetFile", "Path", "C:\\a")
LINK = "/machineactions/{}/GetLiveResponseResultDownloadLink(index=0)"


def shown(tenant: Tenant, what: str) -> Any:
    """What the control door says of `faults` or `actions`."""
    answer: Any = tenant.client.get(f"/_sim/{what}")
    return answer.json[what]


def made(tenant: Tenant, host: str, **fault: Any) -> str:
    """A session that meets a fault; its action."""
    tenant.fault(match="runliveresponse", device=host, **fault)
    return str(tenant.live_response(host, FILE).json["id"])


def test_a_fault_of_one_device_leaves_the_others_alone(tenant: Tenant) -> None:
    tenant.fault(match="runliveresponse", fault="503", device="WS-Ops-01", times=2)
    assert tenant.live_response("ws-fin-01", FILE).status_code == 201
    assert tenant.live_response("ws-ops-01", FILE).status_code == 503
    path = "/machines/ws-ops-01.northwharf.example/runliveresponse"
    assert tenant.defender("POST", path, json={}).status_code == 503
    assert shown(tenant, "faults") == []


def test_the_device_of_an_action_and_of_its_file_is_known(tenant: Tenant) -> None:
    keys = {host: tenant.live_response(host, FILE).json["id"] for host in ("ws-ops-01", "ws-fin-01")}
    tenant.advance(600)
    tenant.fault(match="GetLiveResponseResultDownloadLink", fault="404", device="ws-ops-01")
    tenant.fault(match="/blob/", fault="expired_link", device="ws-fin-01")
    assert tenant.defender("GET", LINK.format(keys["ws-fin-01"])).status_code == 200
    assert tenant.defender("GET", LINK.format(keys["ws-ops-01"])).status_code == 404
    links = {host: local_part(tenant.defender("GET", LINK.format(key)).json["value"]) for host, key in keys.items()}
    assert [tenant.client.get(links[host]).status_code for host in keys] == [200, 403]


@pytest.mark.parametrize("device", [7, ["a"], None])
def test_a_device_is_named_by_a_text(tenant: Tenant, device: Any) -> None:
    body = {"match": "a", "fault": "503", "device": device}
    assert tenant.client.post("/_sim/faults", json=body).status_code == 400


def test_somebody_stops_the_session_in_the_portal(tenant: Tenant) -> None:
    key = made(tenant, "ws-ops-01", fault="cancelled_in_portal", seconds=12)
    tenant.advance(10)
    assert tenant.action(key)["status"] == "InProgress"
    tenant.advance(10)
    action = tenant.action(key)
    assert (action["status"], action["commands"][0]["commandStatus"]) == ("Cancelled", "Created")
    assert action["cancellationRequestor"] == "t.lindqvist@northwharf.example"
    assert action["cancellationComment"] and action["cancellationDateTimeUtc"]
    assert tenant.defender("POST", f"/machineactions/{key}/cancel", json={"Comment": "c"}).status_code == 400
    assert tenant.live_response("ws-ops-01", FILE).status_code == 201, "the device is free again"


def test_a_lost_action_is_nowhere_but_in_our_record(tenant: Tenant) -> None:
    key = made(tenant, "ws-ops-01", fault="vanishes", seconds=10)
    assert tenant.action(key)["status"] == "Pending"
    tenant.advance(15)
    assert tenant.defender("GET", f"/machineactions/{key}").status_code == 404
    assert tenant.defender("GET", LINK.format(key)).status_code == 404
    assert tenant.defender("GET", f"/machineactions?$filter=id eq '{key}'").json["value"] == []
    recorded = [one for one in shown(tenant, "actions") if one["id"] == key]
    assert [(one["gone"], one["comment"], one["device"]) for one in recorded] == [
        (True, "IRCase test", "ws-ops-01.northwharf.example")
    ]


def test_a_blob_cut_in_the_store_passes_for_whole(tenant: Tenant) -> None:
    key = tenant.live_response("ws-ops-01", FILE).json["id"]
    tenant.advance(600)
    whole = tenant.download(key)
    tenant.fault(match="/blob/", fault="cut_blob")
    cut = tenant.download(key)
    assert whole.startswith(cut) and len(cut) == len(whole) // 2
    assert tenant.download(key) == whole


def test_a_blob_changed_on_the_way_has_the_checksum_of_the_right_one(tenant: Tenant) -> None:
    key = tenant.live_response("ws-ops-01", FILE).json["id"]
    tenant.advance(600)
    link = local_part(tenant.defender("GET", LINK.format(key)).json["value"])
    tenant.fault(match="/blob/", fault="flipped_blob")
    changed, right = tenant.client.get(link), tenant.client.get(link)
    assert len(changed.data) == len(right.data) and changed.data != right.data
    assert changed.headers["Content-MD5"] == right.headers["Content-MD5"]


def test_a_package_is_asked_for_twice_a_minute(tenant: Tenant) -> None:
    path = f"/machines/{tenant.machine('ws-ops-01')}/collectInvestigationPackage"
    key = tenant.defender("POST", path, json={"Comment": "IRCase test"}).json["id"]
    ask = f"/machineactions/{key}/getPackageUri"
    assert [tenant.defender("GET", ask).status_code for _ in range(3)] == [404, 404, 429]
    tenant.advance(600)
    assert tenant.defender("GET", ask).status_code == 200


def test_a_list_in_small_pages_keeps_what_was_asked(tenant: Tenant) -> None:
    tenant.fault(match="GET /api/machines", fault="small_pages", size=3, times=10)
    path, found = "/machines?$filter=osPlatform ne 'none'", []
    for _ in range(10):
        page = tenant.defender("GET", path).json
        found += [machine["computerDnsName"] for machine in page["value"]]
        assert len(page["value"]) <= 3
        if "@odata.nextLink" not in page:
            break
        assert "$filter=osPlatform%20ne%20'none'" in page["@odata.nextLink"]
        path = local_part(page["@odata.nextLink"]).removeprefix("/api")
    assert len(found) == len(set(found)) == 12
