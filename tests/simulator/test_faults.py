"""Faults and quotas."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from simulator.clock import Clock
from simulator.faults import FaultError, Faults, parse_fault
from simulator.http import ApiFault
from simulator.quotas import Quotas
from tests.simulator.conftest import Tenant, local_part


@pytest.mark.parametrize(
    ("fault", "status", "code", "wait"),
    [
        ("429", 429, "TooManyRequests", "2"),
        ("500", 500, "InternalServerError", None),
        ("503", 503, "ServiceUnavailable", None),
        ("401", 401, "InvalidAuthenticationToken", None),
        ("unknown_error", 504, "UnknownError", None),
        ("cpu_quota", 429, "TooManyRequests", "2"),
    ],
)
def test_a_fault_answers_as_often_as_asked(
    tenant: Tenant, fault: str, status: int, code: str, wait: str | None
) -> None:
    tenant.fault(match="runHuntingQuery", fault=fault, times=2)
    for _ in range(2):
        answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"})
        assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
        assert answer.headers.get("Retry-After") == wait
    assert tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"}).status_code == 200


def test_a_fault_bites_only_where_it_matches(tenant: Tenant) -> None:
    tenant.fault(match="DeviceInfo", fault="503", times=1, retry_after=7)
    assert tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"}).status_code == 200
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": "DeviceInfo | take 1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_faults_are_listed_and_cleared(tenant: Tenant) -> None:
    tenant.fault(match="GET /api/machines", fault="429", times=3, retry_after=None)
    assert tenant.client.get("/_sim/faults").json["faults"] == [
        {"match": "get /api/machines", "fault": "429", "times": 3, "retry_after": None}
    ]
    assert "Retry-After" not in tenant.defender("GET", "/machines").headers
    assert tenant.client.delete("/_sim/faults").json["faults"] == []
    assert tenant.defender("GET", "/machines").status_code == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"match": "x", "fault": "418"}, {"fault": "429"}, {"match": "x", "fault": "429", "times": 0},
     {"match": "x", "fault": "slow", "seconds": "1"}, {"match": "x", "fault": "429", "times": True}],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(tenant: Tenant, body: dict[str, Any]) -> None:
    answer = tenant.client.post("/_sim/faults", json=body)
    assert answer.status_code == 400 and answer.json["error"]["message"]
    with pytest.raises(FaultError):
        parse_fault(body)


def test_one_request_takes_one_answering_fault() -> None:
    faults = Faults()
    for kind in ("slow", "429", "503"):
        faults.add(parse_fault({"match": "get", "fault": kind}))
    assert list(faults.take("get /a")) == ["slow", "429"]
    assert list(faults.take("get /a")) == ["503"]
    assert faults.take("get /a") == {}


def test_a_reset_raises_into_the_server(tenant: Tenant) -> None:
    tenant.fault(match="/machines", fault="reset")
    with pytest.raises(ConnectionResetError):
        tenant.defender("GET", "/machines")


def test_a_reset_after_the_work_leaves_the_action_behind(tenant: Tenant) -> None:
    tenant.fault(match="runliveresponse", fault="reset_after")
    with pytest.raises(ConnectionResetError):
        tenant.live_response("jump01", ("GetFile", "Path", "C:\\a"), comment="IRCase twin-1")
    found = tenant.defender("GET", f"/machineactions?$filter=machineId eq '{tenant.machine('jump01')}'").json["value"]
    assert found[0]["requestorComment"] == "IRCase twin-1"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("disabled_feature", 403, "DisabledFeature"), ("disallowed_operation", 403, "DisallowedOperation")],
)
def test_features_that_are_off(tenant: Tenant, fault: str, status: int, code: str) -> None:
    tenant.fault(match="runliveresponse", fault=fault)
    answer = tenant.live_response("jump01", ("GetFile", "Path", "C:\\a"))
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)


def finished(tenant: Tenant, fault: str, *commands: tuple[str, str, str]) -> dict[str, Any]:
    tenant.fault(match="runliveresponse", fault=fault)
    key = tenant.live_response("ws-ops-01", *commands).json["id"]
    tenant.advance(1_000)
    return tenant.action(key)


def test_what_can_go_wrong_on_the_device(tenant: Tenant) -> None:
    script = ("RunScript", "ScriptName", "DFIR-Script.ps1")
    action = finished(tenant, "script_fails", script)
    assert json.loads(tenant.download(action["id"]).decode("utf-8-sig"), strict=False)["exit_code"] == 1
    action = finished(tenant, "script_timeout", script)
    assert action["status"] == "Failed" and "timed out" in action["commands"][0]["errors"][0]
    action = finished(tenant, "command_fails", ("GetFile", "Path", "C:\\a"))
    assert action["commands"][0]["commandStatus"] == "Failed"
    assert finished(tenant, "stays_pending", script)["status"] == "Pending"


def test_what_can_go_wrong_with_a_download(tenant: Tenant) -> None:
    key = tenant.live_response("ws-ops-01", ("GetFile", "Path", "C:\\a")).json["id"]
    tenant.advance(600)
    address = f"/machineactions/{key}/GetLiveResponseResultDownloadLink(index=0)"
    link = local_part(tenant.defender("GET", address).json["value"])
    whole = tenant.client.get(link).data
    tenant.fault(match="/blob/", fault="expired_link")
    assert tenant.client.get(link).status_code == 403
    tenant.fault(match="/blob/", fault="not_gzip")
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(tenant.client.get(link).data)
    tenant.fault(match="/blob/", fault="truncated_blob")
    cut = tenant.client.get(link)
    assert whole.startswith(cut.data) and int(cut.headers["Content-Length"]) == len(whole) > len(cut.data)
    assert tenant.client.get(link).data == whole


def test_answers_that_are_no_answers(tenant: Tenant) -> None:
    tenant.fault(match="/machines", fault="not_json")
    assert tenant.defender("GET", "/machines").mimetype == "text/html"
    tenant.fault(match="/machines", fault="empty")
    assert tenant.defender("GET", "/machines").data == b""
    tenant.fault(match="/machines", fault="no_content")
    assert tenant.defender("GET", "/machines").status_code == 204


def test_a_partial_workspace_answer_keeps_its_rows(tenant: Tenant) -> None:
    tenant.fault(match="/query", fault="partial")
    body = tenant.workspace("print 1").json
    assert body["tables"][0]["rows"] == [[1]] and body["error"]["code"] == "PartialError"


def test_the_hunting_quota_is_45_calls_a_minute(tenant: Tenant) -> None:
    for _ in range(45):
        tenant.simulator.quotas.spend("hunting")
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"})
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
    tenant.advance(61)
    assert tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"}).status_code == 200


def test_live_response_is_ten_calls_a_minute(tenant: Tenant) -> None:
    for number in range(10):
        answer = tenant.live_response("ws-ops-01", ("GetFile", "Path", f"C:\\{number}"))
        assert answer.status_code in {201, 400}
    assert tenant.live_response("ws-ops-01", ("GetFile", "Path", "C:\\x")).status_code == 429


def test_the_processor_quota_blocks_until_the_cycle_ends(tenant: Tenant) -> None:
    tenant.simulator.quotas.spend_cpu(600)
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"})
    assert answer.status_code == 429 and "processing resources" in answer.json["error"]["message"]
    tenant.advance(901)
    assert tenant.graph("POST", "/runHuntingQuery", json={"Query": "print 1"}).status_code == 200


def test_speed_shortens_the_wait() -> None:
    quotas = Quotas(Clock(speed=20))
    for _ in range(45):
        quotas.spend("hunting")
    with pytest.raises(ApiFault) as caught:
        quotas.spend("hunting")
    assert caught.value.headers == {"Retry-After": "3"}


def test_quotas_off_count_nothing() -> None:
    quotas = Quotas(Clock(), on=False)
    for _ in range(500):
        quotas.spend("hunting")
    quotas.spend_cpu(1e6)
    quotas.check_cpu()


def test_25_sessions_are_all_a_tenant_has(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.defender.liveresponse.SESSIONS", 2)
    for host in ("jump01", "ws-fin-01"):
        assert tenant.live_response(host, ("GetFile", "Path", "C:\\a")).status_code == 201
    answer = tenant.live_response("ws-fin-02", ("GetFile", "Path", "C:\\a"))
    assert answer.status_code == 429 and "Retry-After" in answer.headers


def test_the_clock_moves_actions_but_not_the_telemetry(tenant: Tenant) -> None:
    before = tenant.client.get("/_sim/state").json
    tenant.advance(86_400)
    after = tenant.client.get("/_sim/state").json
    assert after["advanced"] - before["advanced"] == 86_400
    assert after["now"][:13] == before["now"][:13]
    for bad in ({"advance": -1}, {"advance": "1"}, {}, {"advance": 1e12}):
        assert tenant.client.post("/_sim/clock", json=bad).status_code == 400


def test_state_names_what_there_is(tenant: Tenant) -> None:
    state = tenant.client.get("/_sim/state").json
    assert state["patient_zero"] == "jump01.northwharf.example"
    assert {entry["name"] for entry in state["devices"] if entry["offline"]} == {
        "ws-offline-01.northwharf.example", "srv-offline-01.northwharf.example",
    }  # fmt: skip
    assert "DeviceProcessEvents" in state["tables"]["hunting"] and "SigninLogs" in state["tables"]["workspace"]


def test_telemetry_can_grow_until_the_next_start(tenant: Tenant) -> None:
    def count() -> int:
        return int(tenant.rows('DeviceProcessEvents | where FileName == "grown.exe" | count')[0]["Count"])

    row = {"Timestamp": "2026-01-01T00:00:00Z", "DeviceName": "ws-1", "FileName": "grown.exe", "ProcessId": 7}
    for table, rows in (("Nothing", [row]), ("DeviceProcessEvents", [{"ProcessId": "no number"}]), ("T", {})):
        reply = tenant.client.post("/_sim/telemetry", json={"table": table, "rows": rows})
        assert reply.status_code == 400, table
    assert count() == 0
    now = tenant.client.get("/_sim/state").get_json()["now"]
    grown = [{**row, "Timestamp": now, "ProcessId": number} for number in range(3)]
    assert (
        tenant.client.post("/_sim/telemetry", json={"table": "DeviceProcessEvents", "rows": grown}).status_code == 201
    )
    assert count() == 3
