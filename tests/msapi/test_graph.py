"""Hunting, incidents and alerts over sockets."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from msapi import errors
from msapi.endpoint import ApiLimits
from msapi.evidence import (
    DeviceEvidence,
    MessageEvidence,
    ProcessEvidence,
    RegistryEvidence,
    UserEvidence,
    read_evidence,
)
from msapi.graph import GraphSecurity
from msapi.incidents import Classification, Severity
from msapi.transport import Transport
from tests.msapi.conftest import Tenant
from tests.msapi.support import Answer, Request, answer, error

HUNT = "/graph/v1.0/security/runHuntingQuery"
INCIDENTS = "/graph/v1.0/security/incidents"
ALERTS = "/graph/v1.0/security/alerts_v2"
SCHEMA = [{"name": "Timestamp", "type": "DateTime"}, {"name": "FileName", "type": "String"}]


@pytest.fixture
def graph(tenant: Tenant) -> GraphSecurity:
    return GraphSecurity(tenant.transport)


def test_a_hunt(tenant: Tenant, graph: GraphSecurity) -> None:
    rows = [{"FileName": "cmd.exe", "Timestamp": "2026-03-26T09:39:50.7688641Z"}]
    tenant.server.on("POST", HUNT, answer({"schema": SCHEMA, "results": rows}, request_id="r-1"))
    with graph.hunt('DeviceProcessEvents | where FileName == "ä"', "P7D") as result:
        assert [column.type for column in result.columns] == ["datetime", "string"]
        assert list(result.rows) == [("2026-03-26T09:39:50.7688641Z", "cmd.exe")]
        assert (result.truncated, result.request_id) == (False, "r-1")
    assert tenant.server.seen(HUNT)[0].json == {
        "Query": 'DeviceProcessEvents | where FileName == "ä"',
        "Timespan": "P7D",
    }


def test_a_hunt_at_the_row_limit_is_truncated(tenant: Tenant) -> None:
    endpoint = replace(tenant.endpoint, limits=replace(tenant.endpoint.limits, hunting_rows=2))
    transport = Transport(endpoint, tenant.tokens)
    rows = [{"FileName": "a"}, {"FileName": "b"}]
    tenant.server.on("POST", HUNT, answer({"schema": SCHEMA, "results": rows}))
    with GraphSecurity(transport).hunt("x") as result:
        assert result.truncated


def test_the_limit_of_microsoft_is_the_default() -> None:
    assert ApiLimits().hunting_rows == 100_000


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (error(400, "BadRequest", "A recognition error occurred"), errors.BadQuery),
        (error(403, "Forbidden", "no"), errors.Forbidden),
        (error(429, "TooManyRequests", "exceeded processing resources", Retry_After="700"), errors.Throttled),
        (error(504, "UnknownError", ""), errors.QueryTimeout),
        (answer({"results": []}), errors.BadReply),
    ],
)
def test_hunts_that_fail(tenant: Tenant, graph: GraphSecurity, end: Answer, kind: type[errors.ApiError]) -> None:
    tenant.server.on("POST", HUNT, end)
    with pytest.raises(kind):
        graph.hunt("T | take 1")


@pytest.mark.parametrize(("query", "timespan"), [("  ", None), ("T", ""), ("T", "P7D\r\nX: 1"), ("T", "P" * 200)])
def test_hunts_refused_here(tenant: Tenant, graph: GraphSecurity, query: str, timespan: str | None) -> None:
    with pytest.raises(errors.InvalidParameter):
        graph.hunt(query, timespan)
    assert tenant.server.requests == []


def incident(number: int, second: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "lastUpdateDateTime": f"2026-02-14T09:00:{second:02}.1133333Z", **more}


def serve_incidents(tenant: Tenant, items: Iterable[dict[str, Any]], *, links: bool, clamp: int = 1000) -> None:
    """Graph's paging: order, a boundary in $filter, $skip up to 500, and a link only where `links`."""

    def page(request: Request) -> Answer:
        query = {key: values[0] for key, values in request.query.items()}
        down = query["$orderby"].endswith("desc")
        found = sorted(items, key=lambda item: item["lastUpdateDateTime"], reverse=down)
        for term in query.get("$filter", "").split(" and "):
            parts = term.strip("()").split(" ")
            if parts[0] == "lastUpdateDateTime":
                keep = {"ge": lambda at, edge: at >= edge, "le": lambda at, edge: at <= edge}[parts[1]]
                found = [item for item in found if keep(item["lastUpdateDateTime"], parts[2])]
        skip, top = int(query.get("$skip", 0)), min(int(query["$top"]), clamp)
        if skip > 500:
            return error(400, "BadRequest", "skip")
        rest = found[skip:]
        more = {}
        if links and len(rest) > top:
            order = query["$orderby"].replace(" ", "%20")
            link = f"{tenant.server.url}{INCIDENTS}?$orderby={order}&$top={top}&$skip={skip + top}"
            more["@odata.nextLink"] = link
        return answer({"value": rest[:top], **more})

    tenant.server.on("GET", INCIDENTS, page)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("top", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("newest_first", [True, False])
def test_every_incident_comes_once_whatever_the_paging(
    tenant: Tenant, graph: GraphSecurity, links: bool, top: int, newest_first: bool
) -> None:
    seconds = [1, 2, 2, 2, 2, 3, 4, 4, 5, 5, 5]
    serve_incidents(tenant, [incident(n, second) for n, second in enumerate(seconds)], links=links)
    found = [int(item.id) for item in graph.incidents(top=top, newest_first=newest_first)]
    assert sorted(found) == list(range(len(seconds)))
    in_order = [seconds[n] for n in found]
    assert in_order == sorted(seconds, reverse=newest_first)


def test_a_service_that_clamps_its_pages_loses_nothing(tenant: Tenant, graph: GraphSecurity) -> None:
    serve_incidents(tenant, [incident(n, n) for n in range(9)], links=False, clamp=2)
    assert len(list(graph.incidents(top=50))) == 9


def test_since_and_filter_are_joined(tenant: Tenant, graph: GraphSecurity) -> None:
    serve_incidents(tenant, [incident(n, n) for n in range(5)], links=False)
    since = "2026-02-14T09:00:03.0000000Z"
    found = graph.incidents("status eq 'active' or status eq 'inProgress'", since=since)
    assert [item.id for item in found] == ["3", "4"]
    asked = tenant.server.seen(INCIDENTS)[0].query["$filter"][0]
    assert asked == f"(status eq 'active' or status eq 'inProgress') and lastUpdateDateTime ge {since}"


def test_too_many_at_one_moment_is_said_not_lost(tenant: Tenant, graph: GraphSecurity) -> None:
    serve_incidents(tenant, [incident(n, 1) for n in range(600)], links=False)
    with pytest.raises(errors.BadReply, match="share the time"):
        list(graph.incidents(top=100))


def test_a_link_elsewhere_is_not_followed(tenant: Tenant, graph: GraphSecurity) -> None:
    tenant.server.on("GET", INCIDENTS, answer({"value": [incident(1, 1)], "@odata.nextLink": "https://evil.example/"}))
    with pytest.raises(errors.BadReply, match="another host"):
        list(graph.incidents(newest_first=True))
    assert [item.id for item in graph.incidents()] == ["1"], "oldest first, no link is followed at all"


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T00:00:00Z or 1 eq 1", "2026-01-01"])
def test_moments_are_checked(graph: GraphSecurity, since: str) -> None:
    with pytest.raises(errors.InvalidParameter):
        list(graph.incidents(since=since))


def test_a_redirected_incident_leads_to_the_other(tenant: Tenant, graph: GraphSecurity) -> None:
    tenant.server.on("GET", f"{INCIDENTS}/1", answer(incident(1, 1, status="Redirected", redirectIncidentId="2")))
    tenant.server.on(
        "GET", f"{INCIDENTS}/2", answer(incident(2, 1, status="Active", severity="HIGH", alerts=[{"id": "a"}]))
    )
    found = graph.incident("1")
    assert (found.id, found.redirected_from, found.status) == ("2", ("1",), "active")
    assert found.severity is Severity.HIGH and [alert.id for alert in found.alerts] == ["a"]
    request = tenant.server.seen(f"{INCIDENTS}/2")[0]
    assert request.query == {"$expand": ["alerts"]}
    assert request.headers["Prefer"] == "include-unknown-enum-members"


def test_a_circle_of_redirects_ends(tenant: Tenant, graph: GraphSecurity) -> None:
    tenant.server.on("GET", f"{INCIDENTS}/1", answer(incident(1, 1, redirectIncidentId="2")))
    tenant.server.on("GET", f"{INCIDENTS}/2", answer(incident(2, 1, redirectIncidentId="1")))
    with pytest.raises(errors.BadReply, match="circle"):
        graph.incident("1")


@pytest.mark.parametrize("number", ["", "..", "1/2", "x", "1?x", "٣"])
def test_incident_ids_are_numbers(tenant: Tenant, graph: GraphSecurity, number: str) -> None:
    with pytest.raises(errors.InvalidParameter):
        graph.incident(number)
    assert tenant.server.requests == []


def test_a_comment_is_sent_once(tenant: Tenant, graph: GraphSecurity) -> None:
    reply = {"value": [{"comment": "hi", "createdByDisplayName": "app", "createdDateTime": "t"}]}
    tenant.server.on("POST", f"{INCIDENTS}/7/comments", answer(reply), Answer(drop=True))
    assert [(item.text, item.author) for item in graph.add_comment("7", "hi")] == [("hi", "app")]
    sent = tenant.server.seen(f"{INCIDENTS}/7/comments")[0].json
    assert sent == {"@odata.type": "microsoft.graph.security.alertComment", "comment": "hi"}
    with pytest.raises(errors.Ambiguous):
        graph.add_comment("7", "again")


def test_an_update_sets_only_what_is_given(tenant: Tenant, graph: GraphSecurity) -> None:
    tenant.server.on("PATCH", f"{INCIDENTS}/7", error(503, "x"), answer(incident(7, 1, classification="TruePositive")))
    found = graph.update_incident("7", status="INPROGRESS", classification="truepositive", custom_tags=("IR",))
    assert found.classification is Classification.TRUE_POSITIVE
    sent = {"status": "inProgress", "classification": "truePositive", "customTags": ["IR"]}
    assert [request.json for request in tenant.server.seen(f"{INCIDENTS}/7")] == [sent, sent]
    with pytest.raises(errors.InvalidParameter):
        graph.update_incident("7")


def test_an_alert(tenant: Tenant, graph: GraphSecurity) -> None:
    raw = {
        "id": "da_1",
        "severity": "Medium",
        "status": "new",
        "mitreTechniques": ["T1059"],
        "evidence": [{"x": 1}],
        "detectionSource": "brandNew",
    }
    tenant.server.on("GET", f"{ALERTS}/da_1", answer(raw))
    found = graph.alert("da_1")
    assert (found.severity, found.techniques, found.detection) == ("medium", ("T1059",), "brandNew")
    assert found.evidence[0].detail is None and found.evidence[0].raw == {"x": 1}
    tenant.server.on("GET", ALERTS, answer({"value": []}))
    assert list(graph.alerts()) == []


def kind(name: str, **facts: Any) -> dict[str, Any]:
    return {"@odata.type": f"#microsoft.graph.security.{name}", "verdict": "malicious", "roles": ["attacked"], **facts}


def test_evidence_of_the_main_kinds() -> None:
    device = read_evidence(
        kind("deviceEvidence", mdeDeviceId="ab", deviceDnsName="ws01.contoso.com", loggedOnUsers=[{"accountName": "u"}])
    )
    assert isinstance(device.detail, DeviceEvidence)
    assert (device.detail.device_id, device.detail.host_name, device.detail.logged_on[0].name) == ("ab", "ws01", "u")
    assert (device.kind, device.verdict, device.roles) == ("deviceEvidence", "malicious", ("attacked",))
    user = read_evidence(kind("userEvidence", userAccount={"userPrincipalName": "a@b.c", "userSid": "S-1"}))
    assert isinstance(user.detail, UserEvidence) and user.detail.account.upn == "a@b.c"
    process = read_evidence(
        kind(
            "processEvidence",
            processId=4,
            processCommandLine="x",
            imageFile={"sha1": "f", "fileSize": 9},
            userAccount={},
        )
    )
    assert isinstance(process.detail, ProcessEvidence)
    assert (process.detail.process_id, process.detail.image.sha1, process.detail.image.size) == (4, "f", 9)
    value = read_evidence(kind("registryValueEvidence", registryKey="K", registryValueName="N", registryValue="V"))
    assert isinstance(value.detail, RegistryEvidence) and value.detail.value_name == "N"
    mail = read_evidence(kind("analyzedMessageEvidence", subject="s", p1Sender={"emailAddress": "p1"}, p2Sender=None))
    assert isinstance(mail.detail, MessageEvidence) and mail.detail.sender == "p1"


@pytest.mark.parametrize(
    "name",
    ["deviceEvidence", "userEvidence", "fileEvidence", "processEvidence", "ipEvidence", "urlEvidence",
     "registryKeyEvidence", "registryValueEvidence", "mailboxEvidence", "analyzedMessageEvidence"],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [1], {"a": {"b": 1}}])
def test_evidence_with_values_of_another_shape(name: str, value: object) -> None:
    keys = ("userAccount", "fileDetails", "imageFile", "loggedOnUsers", "processId", "urls", "roles", "createdDateTime")
    item = read_evidence(kind(name, **dict.fromkeys(keys, value)))
    assert item.detail is not None and item.raw["userAccount"] == value


def test_unknown_evidence_is_kept() -> None:
    raw = kind("quantumEvidence", something={"deep": [1]})
    item = read_evidence(raw)
    assert (item.kind, item.detail, json.dumps(item.raw)) == ("quantumEvidence", None, json.dumps(raw))
