"""What a connection can do, said feature by feature."""

from dataclasses import replace

import pytest

from msapi.endpoint import Audience, Endpoint
from msapi.preflight import FEATURES, PreflightReport, ProbeReport, check
from tests.msapi.support import TENANT, Server, answer, error, sign_in

WORKSPACE = "99999999-8888-7777-6666-555555555555"
DEFENDER = [feature for feature in FEATURES if feature.audience is Audience.DEFENDER]
ALL = {
    "graph.microsoft.com": ["ThreatHunting.Read.All", "SecurityIncident.ReadWrite.All", "SecurityAlert.Read.All"],
    "securitycenter": ["Machine.ReadWrite.All", *(group[0] for feature in DEFENDER for group in feature.needs)],
    "loganalytics": ["Data.Read"],
}


@pytest.fixture
def healthy(server: Server) -> Server:
    sign_in(server, ALL)
    one = {"schema": [{"name": "print_0", "type": "SByte"}], "results": [{"print_0": 1}]}
    server.on("POST", "/graph/v1.0/security/runHuntingQuery", answer(one))
    server.on("GET", "/graph/v1.0/security/incidents", answer({"value": []}))
    server.on("GET", "/mde/api/machines", answer({"value": [{"id": "1"}]}))
    server.on("GET", "/mde/api/libraryfiles", answer({"value": []}))
    table = {"name": "PrimaryResult", "columns": [{"name": "print_0", "type": "long"}], "rows": [[1]]}
    server.on("POST", f"/v1/workspaces/{WORKSPACE}/query", answer({"tables": [table]}))
    return server


def probe(report: PreflightReport, key: str) -> ProbeReport:
    return next(item for item in report.probes if item.key == key)


def test_all_is_well(healthy: Server, endpoint: Endpoint) -> None:
    report = check(endpoint, workspace_id=WORKSPACE)
    assert report.is_ok, report
    assert [item.audience for item in report.audiences] == list(Audience)
    assert all(report.works(feature.key) for feature in FEATURES)
    assert {item.key for item in report.probes} == {"hunting", "incidents", "machines", "library", "loganalytics"}
    assert healthy.seen("/graph/v1.0/security/runHuntingQuery")[0].json == {"Query": "print 1"}
    assert healthy.seen("/mde/api/machines")[0].query == {"$top": ["1"]}


def test_a_missing_role_is_named_feature_by_feature(healthy: Server, endpoint: Endpoint) -> None:
    sign_in(healthy, {"securitycenter": ["Machine.Read.All", "Machine.LiveResponse"], "loganalytics": ["Data.Read"]})
    healthy.on("POST", "/graph/v1.0/security/runHuntingQuery", error(403, "Forbidden", "no role"))
    report = check(endpoint)
    assert not report.is_ok
    assert report.works("live_response") and report.works("machines.read")
    assert not report.works("isolate") and not report.works("hunting")
    isolate = next(item for item in report.features if item.feature.key == "isolate")
    assert isolate.lacking == (("Machine.Isolate",),) and "Machine.Isolate" in isolate.problem
    hunting = probe(report, "hunting")
    assert hunting.is_ok is False and "ThreatHunting.Read.All" in hunting.problem
    assert "no roles" in report.audiences[0].problem


def test_a_role_may_be_there_in_two_ways(endpoint: Endpoint, healthy: Server) -> None:
    quarantine = next(feature for feature in FEATURES if feature.key == "quarantine")
    assert quarantine.lacking(frozenset({"Machine.StopAndQuarantine"})) == (
        ("Machine.Read.All", "Machine.ReadWrite.All"),
    )
    assert quarantine.lacking(frozenset({"Machine.StopAndQuarantine", "Machine.ReadWrite.All"})) == ()


def test_no_sign_in_means_no_feature_and_no_tries(healthy: Server, endpoint: Endpoint) -> None:
    refusal = {"error": "invalid_client", "error_description": "AADSTS7000222: expired", "error_codes": [7000222]}
    healthy.on("POST", f"/{TENANT}/oauth2/v2.0/token", answer(refusal, 401))
    report = check(endpoint, workspace_id=WORKSPACE)
    assert not any(item.is_ok for item in report.audiences) and not any(item.is_ok for item in report.features)
    assert all("secret has expired" in item.problem for item in report.audiences)
    assert all(item.is_ok is None for item in report.probes)
    assert healthy.seen("/graph") == []


def test_without_a_workspace_its_try_is_left_out(healthy: Server, endpoint: Endpoint) -> None:
    report = check(endpoint)
    assert report.is_ok
    assert probe(report, "loganalytics").is_ok is None and "no workspace" in probe(report, "loganalytics").problem


def test_a_wrong_workspace_is_a_problem(healthy: Server, endpoint: Endpoint) -> None:
    assert probe(check(endpoint, workspace_id="name"), "loganalytics").is_ok is False


def test_bad_settings_are_named_and_nothing_is_sent(server: Server, endpoint: Endpoint) -> None:
    report = check(replace(endpoint, client_id="x", tenant_id="?"))
    assert len(report.settings) == 2 and not report.is_ok
    assert server.requests == []


def test_features_are_well_formed() -> None:
    keys = [feature.key for feature in FEATURES]
    assert len(keys) == len(set(keys))
    assert all(feature.needs and all(feature.needs) for feature in FEATURES)
