"""Defender's smaller endpoints: alerts and what they name, addresses, domains, software, weaknesses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simulator.story.intrusion import ATTACKER_IP, CONTROL_HOST, CONTROL_IP
from tests.simulator.conftest import Tenant

JUMP = "jump01.northwharf.example"


@pytest.fixture(autouse=True)
def unedited(tenant: Tenant) -> Iterator[None]:
    """No edit of an alert outlives its test."""
    yield
    for alert in tenant.simulator.story.alerts:
        tenant.simulator.state.delete("alert-edits", alert["id"])


def values(tenant: Tenant, path: str) -> list[dict[str, Any]]:
    answer = tenant.defender("GET", path)
    assert answer.status_code == 200, answer.text
    return list(answer.json["value"])


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def one_alert(tenant: Tenant, title: str) -> dict[str, Any]:
    return next(one for one in values(tenant, "/alerts?$expand=evidence") if title in one["title"])


# --- machines: the operators of $filter


@pytest.mark.parametrize(
    ("operator", "hosts"),
    [
        ("osBuild lt 1", 400),
        ("lastSeen gt 2000-01-01T00:00:00Z", 12),
        ("lastSeen lt 2000-01-01T00:00:00Z", 0),
        ("rbacGroupId ge 141", 7),
        ("rbacGroupId lt 141", 5),
        ("rbacGroupId eq 140 or rbacGroupId eq 141", 12),
        ("riskScore ne 'None'", 3),
        ("startswith(computerDnsName,'ws-fin') and riskScore eq 'None'", 1),
    ],
)
def test_every_operator_of_a_filter(tenant: Tenant, operator: str, hosts: int) -> None:
    answer = tenant.defender("GET", f"/machines?$filter={operator}")
    assert (answer.status_code if hosts == 400 else len(answer.json["value"])) == hosts


def test_a_tag_is_found_by_its_beginning_where_that_is_asked(tenant: Tenant) -> None:
    tenant.defender("POST", f"/machines/{JUMP}/tags", json={"Value": "IR-7", "Action": "Add"})
    found = {
        query: len(values(tenant, f"/machines/findbytag?tag=ir&{query}"))
        for query in ("useStartsWithFilter=true", "useStartsWithFilter=false")
    }
    tenant.defender("POST", f"/machines/{JUMP}/tags", json={"Value": "IR-7", "Action": "Remove"})
    assert found == {"useStartsWithFilter=true": 1, "useStartsWithFilter=false": 0}
    assert code(tenant.defender("GET", "/machines/findbytag")) == (400, "MissingRequiredParameter")


def test_an_address_of_long_ago_is_refused(tenant: Tenant) -> None:
    answer = tenant.defender("GET", "/machines/findbyip(ip='10.42.10.13',timestamp=2026-01-01T08:00:00Z)")
    assert code(answer) == (400, "InvalidInput")


# --- alerts


def test_an_alert_is_edited_and_graph_shows_it_too(tenant: Tenant) -> None:
    key = one_alert(tenant, "Suspicious PowerShell")["id"]
    body = {"status": "Resolved", "classification": "TruePositive", "determination": "Malware", "comment": "Seen",
            "assignedTo": "kai@northwharf.example"}  # fmt: skip
    edited = tenant.defender("PATCH", f"/alerts/{key}", json=body).json
    assert {name: edited[name] for name in body if name != "comment"} | {
        "comment": edited["comments"][0]["comment"]
    } == body
    assert edited["resolvedTime"] == edited["lastUpdateTime"] > edited["alertCreationTime"]
    same = tenant.graph("GET", f"/alerts_v2/{key}").json
    assert (same["status"], same["determination"], same["comments"][0]["comment"]) == ("resolved", "malware", "Seen")
    again = tenant.graph("PATCH", f"/alerts_v2/{key}", json={"status": "inProgress"})
    assert again.status_code == 200
    assert tenant.defender("GET", f"/alerts/{key}").json["status"] == "InProgress"
    assert [one["id"] for one in values(tenant, "/alerts?$filter=status eq 'InProgress'")] == [key]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [({}, "InvalidRequestBody"), ({"Status": "New"}, "InvalidRequestBody"), ({"status": "resolved"}, "InvalidInput"),
     ({"determination": "APT"}, "InvalidInput"), ({"comment": 1}, "InvalidInput")],
)  # fmt: skip
def test_edits_that_are_refused_change_nothing(tenant: Tenant, body: dict[str, Any], wanted: str) -> None:
    alert = one_alert(tenant, "password guessing")
    assert code(tenant.defender("PATCH", f"/alerts/{alert['id']}", json=body)) == (400, wanted)
    assert one_alert(tenant, "password guessing") == alert


def test_many_alerts_are_edited_at_once_ten_times_a_minute(tenant: Tenant) -> None:
    keys = [one["id"] for one in values(tenant, f"/machines/{JUMP}/alerts")][:3]
    answer = tenant.defender("POST", "/alerts/batchUpdate", json={"alertIds": keys, "assignedTo": "me"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert {tenant.defender("GET", f"/alerts/{key}").json["assignedTo"] for key in keys} == {"me"}
    bad = {"alertIds": [*keys, "nobody"], "assignedTo": "you"}
    assert tenant.defender("POST", "/alerts/batchUpdate", json=bad).status_code == 404
    assert tenant.defender("GET", f"/alerts/{keys[0]}").json["assignedTo"] == "me"
    assert code(tenant.defender("POST", "/alerts/batchUpdate", json={"status": "New"}))[0] == 400
    last = [tenant.defender("POST", "/alerts/batchUpdate", json=bad).status_code for _ in range(8)]
    assert last == [404] * 7 + [429]


def test_what_an_alert_is_about(tenant: Tenant) -> None:
    alert = one_alert(tenant, "password guessing")
    at = f"/alerts/{alert['id']}"
    assert tenant.defender("GET", f"{at}/machine").json["computerDnsName"] == JUMP
    assert tenant.defender("GET", f"{at}/user").json["accountName"] == "m.okafor" == alert["relatedUser"]["userName"]
    assert values(tenant, f"{at}/ips") == [{"id": ATTACKER_IP}]
    files = {
        one["sha256"] for other in values(tenant, "/alerts") for one in values(tenant, f"/alerts/{other['id']}/files")
    }
    assert files and all(tenant.defender("GET", f"/files/{sha}").status_code == 200 for sha in files)
    hosts = [
        one["host"] for other in values(tenant, "/alerts") for one in values(tenant, f"/alerts/{other['id']}/domains")
    ]
    assert set(hosts) == {"files.update-mirror.example"}
    assert tenant.defender("GET", f"{at}/nothing").status_code == 404


def test_alerts_of_a_machine_are_counted(tenant: Tenant) -> None:
    answer = tenant.defender("GET", f"/machines/{JUMP}/alerts/$count")
    assert int(answer.data) == len(values(tenant, f"/machines/{JUMP}/alerts")) > 3
    assert tenant.defender("GET", f"/machines/{JUMP}/alerts/$count?$filter=severity eq 'None'").data == b"0"


# --- addresses and domains


def test_how_often_an_address_was_spoken_to(tenant: Tenant) -> None:
    stats = tenant.defender("GET", f"/ips/{CONTROL_IP}/stats").json
    query = f'DeviceNetworkEvents | where RemoteIP == "{CONTROL_IP}" | summarize n = dcount(DeviceName)'
    assert stats["organizationPrevalence"] == tenant.rows(query)[0]["n"] > 0
    assert stats["orgFirstSeen"] < stats["orgLastSeen"] and stats["orgLastSeen"].endswith("Z")
    unknown = tenant.defender("GET", "/ips/192.0.2.254/stats").json
    assert (unknown["organizationPrevalence"], unknown["orgFirstSeen"]) == (0, None)
    assert code(tenant.defender("GET", "/ips/10.0.0.0%2F8/stats")) in ((400, "InvalidIpAddress"), (404, "NotFound"))
    assert code(tenant.defender("GET", "/ips/nobody/stats")) == (400, "InvalidIpAddress")
    assert code(tenant.defender("GET", f"/ips/{CONTROL_IP}/stats?lookBackHours=721")) == (400, "InvalidInput")
    assert JUMP in {one["computerDnsName"] for one in values(tenant, f"/ips/{ATTACKER_IP}/alerts")}


def test_who_spoke_to_a_domain(tenant: Tenant) -> None:
    stats = tenant.defender("GET", f"/domains/{CONTROL_HOST.upper()}/stats").json
    names = {one["computerDnsName"] for one in values(tenant, f"/domains/{CONTROL_HOST}/machines")}
    assert JUMP in names and stats["organizationPrevalence"] == len(names)
    assert tenant.defender("GET", "/domains/unknown.example/stats").json["organizationPrevalence"] == 0
    assert code(tenant.defender("GET", "/domains/nothing/stats")) == (400, "InvalidDomainName")
    assert values(tenant, "/domains/files.update-mirror.example/alerts")
    assert values(tenant, "/domains/mirror.example/alerts") == []


# --- software and weaknesses


def test_software_weaknesses_and_advice_agree(tenant: Tenant) -> None:
    products = values(tenant, "/machines/ws-fin-01/software")
    assert {
        "id",
        "name",
        "vendor",
        "weaknesses",
        "publicExploit",
        "activeAlert",
        "exposedMachines",
        "impactScore",
    } == set(products[0])
    weak = values(tenant, "/machines/ws-fin-01/vulnerabilities")
    assert len(weak) == sum(one["weaknesses"] for one in products) == len({one["id"] for one in weak})
    advised = values(tenant, "/machines/ws-fin-01/recommendations")
    assert len(advised) == sum(1 for one in products if one["weaknesses"])
    assert len(values(tenant, "/machines/srv-sql01/software")) < len(products)
    assert tenant.defender("GET", "/machines/nobody/software").status_code == 404


def test_weaknesses_are_asked_for_fifty_times_a_minute(tenant: Tenant) -> None:
    statuses = [tenant.defender("GET", "/machines/jump01/vulnerabilities").status_code for _ in range(51)]
    assert statuses == [200] * 50 + [429]


# --- indicators


def test_indicators_go_in_one_call(tenant: Tenant) -> None:
    value = {"indicatorType": "IpAddress", "action": "Block", "title": "t", "description": "d"}
    body = {"Indicators": [{**value, "indicatorValue": f"198.51.100.{number}"} for number in range(1, 4)]}
    made = [one["id"] for one in tenant.defender("POST", "/indicators/import", json=body).json["value"]]
    assert tenant.defender("POST", "/indicators/BatchDelete", json={"IndicatorIds": [*made, "0"]}).status_code == 204
    assert not {one["id"] for one in values(tenant, "/indicators")} & set(made)
    assert code(tenant.defender("POST", "/indicators/BatchDelete", json={})) == (400, "MissingRequiredParameter")
    assert code(tenant.defender("POST", "/indicators/BatchDelete", json={"IndicatorIds": ["1"] * 501})) == (
        400, "MaximumBatchSizeExceeded",
    )  # fmt: skip
    statuses = [tenant.defender("POST", "/indicators/import", json=body).status_code for _ in range(30)]
    assert statuses == [200] * 29 + [429]
    left = [one["id"] for one in values(tenant, "/indicators")]
    assert tenant.defender("POST", "/indicators/BatchDelete", json={"IndicatorIds": left}).status_code == 204
