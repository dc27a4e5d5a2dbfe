"""Incidents and alerts of Graph."""

from __future__ import annotations

import pytest

from tests.simulator.conftest import Tenant, local_part


def test_the_list_has_the_three_incidents_newest_first(tenant: Tenant) -> None:
    body = tenant.graph("GET", "/incidents?$count=true").json
    assert body["@odata.count"] == 3
    assert [(entry["id"], entry["status"]) for entry in body["value"]] == [
        ("48213", "redirected"), ("48211", "active"), ("48190", "resolved"),
    ]  # fmt: skip
    assert all("alerts" not in entry for entry in body["value"])


def test_the_redirected_one_names_its_target(tenant: Tenant) -> None:
    incident = tenant.graph("GET", "/incidents/48213?$expand=alerts").json
    assert (incident["redirectIncidentId"], incident["alerts"]) == ("48211", [])


def test_pages_follow_the_next_link(tenant: Tenant) -> None:
    first = tenant.graph("GET", "/alerts_v2?$top=10").json
    assert len(first["value"]) == 10
    path = local_part(first["@odata.nextLink"]).removeprefix("/v1.0/security")
    second = tenant.graph("GET", path).json
    assert len(second["value"]) == 5 and "@odata.nextLink" not in second
    assert not {entry["id"] for entry in first["value"]} & {entry["id"] for entry in second["value"]}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("$filter=status eq 'active'", ["48211"]),
        ("$filter=severity eq 'HIGH' and status ne 'redirected'", ["48211"]),
        ("$filter=createdDateTime gt 2026-05-15T00:00:00Z&$orderby=lastUpdateDateTime asc", ["48213", "48211"]),
        ("$filter=lastUpdateDateTime gt 2026-05-15T15:00:00Z", ["48211"]),
        ("$filter=not (status eq 'active' or status eq 'redirected')", ["48190"]),
        ("$filter=status in ('active','resolved')", ["48211", "48190"]),
        ("$top=1&$skip=1", ["48211"]),
    ],
)
def test_filters(tenant: Tenant, query: str, ids: list[str]) -> None:
    assert [entry["id"] for entry in tenant.graph("GET", f"/incidents?{query}").json["value"]] == ids


@pytest.mark.parametrize(
    "query",
    [
        "$filter=displayName eq 'x'",
        "$filter=status eq active",
        "$filter=status eq 'a' and",
        "$skip=501",
        "$top=x",
        "$filter=((((",
        "$orderby=title",
    ],
)
def test_what_is_not_supported_is_a_400(tenant: Tenant, query: str) -> None:
    answer = tenant.graph("GET", f"/incidents?{query}")
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "BadRequest")


def test_changes_and_comments_stay(tenant: Tenant) -> None:
    before = tenant.graph("GET", "/incidents/48190").json["lastUpdateDateTime"]
    changed = tenant.graph(
        "PATCH", "/incidents/48190", json={"assignedTo": "a@b.example", "customTags": ["IR-2026-0001"]}
    )
    assert changed.status_code == 200 and changed.json["customTags"] == ["IR-2026-0001"]
    for text in ("one", "two"):
        answer = tenant.graph("POST", "/incidents/48190/comments", json={"comment": text})
    assert [entry["comment"] for entry in answer.json["value"]][-2:] == ["one", "two"]
    incident = tenant.graph("GET", "/incidents/48190").json
    assert incident["assignedTo"] == "a@b.example" and incident["lastUpdateDateTime"] > before
    assert incident["comments"][-1]["createdByDisplayName"] == "ircase"


def test_wrong_changes_are_refused(tenant: Tenant) -> None:
    assert tenant.graph("PATCH", "/incidents/48190", json={"id": "1"}).status_code == 400
    assert tenant.graph("PATCH", "/incidents/48190", json={"status": "gone"}).status_code == 400
    assert tenant.graph("POST", "/incidents/48190/comments", json={"comment": "x" * 1001}).status_code == 400
    assert tenant.graph("PATCH", "/incidents/1", json={"status": "resolved"}).status_code == 404


def test_alerts_one_by_one(tenant: Tenant) -> None:
    alert = tenant.graph("GET", "/alerts_v2?$filter=serviceSource eq 'microsoftCloudAppSecurity'").json["value"][0]
    assert alert["title"] == "Suspicious inbox manipulation rule"
    assert tenant.graph("GET", f"/alerts_v2/{alert['id']}").json["mitreTechniques"] == ["T1114.003", "T1564.008"]
    assert (
        tenant.graph("PATCH", f"/alerts_v2/{alert['id']}", json={"status": "inProgress"}).json["status"] == "inProgress"
    )
    answer = tenant.graph("POST", f"/alerts_v2/{alert['id']}/comments", json={"comment": "seen"})
    assert answer.json["value"][-1]["comment"] == "seen"
    assert tenant.graph("GET", "/alerts_v2/none").status_code == 404


def test_the_pascal_case_variant(tenant: Tenant) -> None:
    tenant.fault(match="/incidents", fault="pascal_case")
    assert tenant.graph("GET", "/incidents/48211").json["status"] == "Active"
    assert tenant.graph("GET", "/incidents/48211").json["status"] == "active"
