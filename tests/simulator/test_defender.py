"""Machines, library, Live Response and response actions of Defender."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from typing import Any

import pytest

from simulator.story import images
from tests.simulator.conftest import NOW, Tenant, local_part


def test_machines_by_id_name_and_host(tenant: Tenant) -> None:
    machine = tenant.defender("GET", "/machines/jump01.northwharf.example").json
    assert machine["id"] == hashlib.sha1(b"jump01.northwharf.example").hexdigest()
    assert tenant.defender("GET", f"/machines/{machine['id']}").json["computerDnsName"] == machine["computerDnsName"]
    assert tenant.defender("GET", "/MACHINES/JUMP01").json["id"] == machine["id"]
    answer = tenant.defender("GET", "/machines/nobody")
    assert answer.status_code == 404
    assert (
        set(answer.json["error"]) == {"code", "message", "target"}
        and answer.json["error"]["code"] == "ResourceNotFound"
    )


@pytest.mark.parametrize(
    ("query", "hosts"),
    [
        ("$filter=startswith(computerDnsName,'srv-')", {"srv-file01", "srv-app01", "srv-offline-01", "srv-sql01"}),
        ("$filter=healthStatus eq 'Inactive'", {"ws-offline-01", "srv-offline-01"}),
        ("$filter=riskScore+eq+'High'+and+startswith(computerDnsName,'ws')", {"ws-fin-02"}),
        ("$filter=lastIpAddress eq '10.42.10.13'", {"jump01"}),
        ("$filter=machineTags/any(t: t eq 'nothing')", set()),
    ],
)
def test_machine_filters(tenant: Tenant, query: str, hosts: set[str]) -> None:
    value = tenant.defender("GET", f"/machines?{query}").json["value"]
    assert {entry["computerDnsName"].split(".")[0] for entry in value} == hosts


def test_paging_by_top_and_skip_gives_no_link(tenant: Tenant) -> None:
    first = tenant.defender("GET", "/machines?$top=8").json
    second = tenant.defender("GET", "/machines?$top=8&$skip=8").json
    assert (len(first["value"]), len(second["value"])) == (8, 4)
    assert "@odata.nextLink" not in first
    assert tenant.defender("GET", "/machines?$filter=nothing eq 1").json["error"]["code"] == "ODataError"


def test_tags_are_added_found_and_removed(tenant: Tenant) -> None:
    path = f"/machines/{tenant.machine('ws-fin-01')}/tags"
    assert tenant.defender("POST", path, json={"Value": "IR-1", "Action": "Add"}).json["machineTags"] == ["IR-1"]
    assert len(tenant.defender("GET", "/machines/findbytag?tag=ir-1").json["value"]) == 1
    assert tenant.defender("POST", path, json={"Value": "IR-1", "Action": "Remove"}).json["machineTags"] == []
    assert tenant.defender("POST", path, json={"value": "IR-1", "Action": "Add"}).status_code == 400
    found = tenant.defender("GET", "/machines/findbyip(ip='10.42.10.13',timestamp=2026-05-15T08:00:00Z)").json["value"]
    assert [entry["computerDnsName"] for entry in found] == ["jump01.northwharf.example"]
    old = tenant.defender("GET", "/machines/findbyip(ip='10.42.10.13',timestamp=2026-01-15T08:00:00Z)")
    assert old.status_code == 400


def test_logon_users_and_alerts_of_a_machine(tenant: Tenant) -> None:
    users = tenant.defender("GET", "/machines/srv-file01/logonusers").json["value"]
    assert {user["accountName"]: user["isDomainAdmin"] for user in users}["adm-lindqvist"] is True
    alerts = tenant.defender("GET", "/machines/srv-file01/alerts").json["value"]
    assert {alert["incidentId"] for alert in alerts} == {48211}
    assert {"Event log was cleared", "Remote service started a suspicious file"} <= {alert["title"] for alert in alerts}
    listed = tenant.defender("GET", "/alerts?$filter=severity eq 'High'&$expand=evidence").json["value"]
    assert any(entity["entityType"] == "Process" for alert in listed for entity in alert["evidence"])
    assert tenant.defender("GET", f"/alerts/{alerts[0]['id']}").json["machineId"] == tenant.machine("srv-file01")


def upload(tenant: Tenant, name: str, content: bytes, **fields: str) -> Any:
    return tenant.defender("POST", "/libraryfiles", data={"file": (io.BytesIO(content), name), **fields})


def test_the_library_comes_with_two_scripts(tenant: Tenant) -> None:
    files = {entry["fileName"]: entry for entry in tenant.defender("GET", "/libraryfiles").json["value"]}
    assert {"DFIR-Script.ps1", "CollectWindowsSecurityEvents.ps1"} <= set(files)
    assert len(files["DFIR-Script.ps1"]["sha256"]) == 64 and files["DFIR-Script.ps1"]["hasParameters"] is True


def test_upload_replace_and_delete(tenant: Tenant) -> None:
    entity = upload(tenant, "mine.ps1", b"Write-Output 1", Description="mine", HasParameters="false").json
    assert entity["sha256"] == hashlib.sha256(b"Write-Output 1").hexdigest()
    assert "parametersDescription" not in entity and entity["hasParameters"] is False
    assert upload(tenant, "mine.ps1", b"Write-Output 2").status_code == 400
    assert upload(tenant, "mine.ps1", b"Write-Output 2", OverrideIfExists="true").status_code == 200
    assert tenant.defender("DELETE", "/libraryfiles/MINE.ps1").status_code == 204
    assert tenant.defender("DELETE", "/libraryfiles/mine.ps1").status_code == 404


@pytest.mark.parametrize(
    ("name", "size"), [("a/../b.ps1", 1), ("x y.ps1", 1), ("empty.ps1", 0), ("big.ps1", 20 * 2**20 + 1)]
)
def test_uploads_that_are_refused(tenant: Tenant, name: str, size: int) -> None:
    assert upload(tenant, name, b"x" * size).status_code == 400
    assert tenant.defender("POST", "/libraryfiles", data={"Description": "no file"}).status_code == 400


SCRIPT = ("RunScript", "ScriptName", "DFIR-Script.ps1")


def test_the_states_of_a_session(tenant: Tenant) -> None:
    made = tenant.live_response("jump01", SCRIPT, ("GetFile", "Path", r"C:\Temp\a.txt"))
    assert made.status_code == 201
    assert (made.json["status"], made.json["type"], made.json["requestor"]) == ("Pending", "LiveResponse", "ircase")
    assert [entry["commandStatus"] for entry in made.json["commands"]] == ["Created", "Created"]
    key = made.json["id"]
    tenant.advance(10)
    action = tenant.action(key)
    assert action["status"] == "InProgress" and action["commands"][0]["startTime"] is not None
    tenant.advance(120)
    action = tenant.action(key)
    assert (action["status"], [entry["commandStatus"] for entry in action["commands"]]) == (
        "InProgress",
        ["Completed", "Created"],
    )
    assert (
        tenant.defender("GET", f"/machineactions/{key}/GetLiveResponseResultDownloadLink(index=1)").status_code == 404
    )
    tenant.advance(60)
    action = tenant.action(key)
    assert (action["status"], action["commands"][1]["commandStatus"]) == ("Succeeded", "Completed")
    listed = tenant.defender("GET", f"/machineactions?$filter=id eq '{key}'").json["value"][0]
    assert "lastUpdateTimeUtc" in listed and "lastUpdateDateTimeUtc" not in listed
    assert "lastUpdateDateTimeUtc" in action


def test_one_session_per_device(tenant: Tenant) -> None:
    first = tenant.live_response("jump01", SCRIPT).json
    answer = tenant.live_response("jump01", SCRIPT)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "ActiveRequestAlreadyExists")
    assert tenant.live_response("ws-fin-01", SCRIPT).status_code == 201
    tenant.advance(600)
    assert tenant.action(first["id"])["status"] == "Succeeded"
    assert tenant.live_response("jump01", SCRIPT).status_code == 201


def test_a_dfir_collection_end_to_end(tenant: Tenant) -> None:
    key = tenant.live_response("jump01", SCRIPT).json["id"]
    tenant.advance(600)
    raw = tenant.download(key)
    assert raw.startswith(b"\xef\xbb\xbf") and b"\x00" in raw and b"\r\n" in raw
    with pytest.raises(ValueError):
        json.loads(raw.decode("utf-8-sig"))
    result = json.loads(raw.decode("utf-8-sig"), strict=False)
    assert (result["exit_code"], result["script_errors"], result["script_name"]) == (0, "", "DFIR-Script.ps1")
    path = result["script_output"].split("Write results to ")[1].split("...")[0]
    assert path.endswith(r"\Downloads\DFIR-JUMP01-2026-05-15.zip")
    key = tenant.live_response("jump01", ("GetFile", "Path", path)).json["id"]
    tenant.advance(600)
    content = gzip.decompress(tenant.download(key))
    assert content == gzip.decompress(tenant.download(key))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {info.orig_filename for info in archive.infolist()}
    assert "DFIR-JUMP01-2026-05-15\\CSV Results (SIEM Import Data)\\AutoRun.csv" in names


def test_script_and_get_file_in_one_session(tenant: Tenant) -> None:
    path = (
        r"C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Downloads\SecurityEvents-2026-05-15.csv"
    )
    key = tenant.live_response(
        "srv-file01", ("RunScript", "ScriptName", "CollectWindowsSecurityEvents.ps1"), ("GetFile", "Path", path)
    ).json["id"]
    tenant.advance(600)
    content = gzip.decompress(tenant.download(key, 1))
    assert content.startswith(b'"EventID","MachineName","Data"') and b"The audit log was cleared." in content


def test_a_file_nobody_made_is_not_there(tenant: Tenant) -> None:
    for path in (r"C:\x\DFIR-WS-FIN-01-2026-05-15.zip", r"C:\missing.txt"):
        key = tenant.live_response("ws-fin-01", ("GetFile", "Path", path), SCRIPT).json["id"]
        tenant.advance(600)
        action = tenant.action(key)
        assert action["status"] == "Failed"
        assert [entry["commandStatus"] for entry in action["commands"]] == ["Failed", "Created"]
        assert path in action["commands"][0]["errors"][0]


def test_any_other_file_is_small_and_always_the_same(tenant: Tenant) -> None:
    key = tenant.live_response("ws-fin-01", ("GetFile", "Path", r"C:\Users\ä\notes.txt")).json["id"]
    tenant.advance(600)
    content = gzip.decompress(tenant.download(key))
    assert content.decode().splitlines()[2] == r"Path: C:\Users\ä\notes.txt"


def test_an_offline_device_stays_pending_for_three_days(tenant: Tenant) -> None:
    key = tenant.live_response("ws-offline-01", SCRIPT).json["id"]
    tenant.advance(3 * 86_400 - 60)
    assert tenant.action(key)["status"] == "Pending"
    tenant.advance(120)
    assert tenant.action(key)["status"] == "TimeOut"


def test_a_failing_device_runs_the_script_badly(tenant: Tenant) -> None:
    key = tenant.live_response("ws-failing-01", SCRIPT).json["id"]
    tenant.advance(600)
    assert tenant.action(key)["status"] == "Succeeded"
    result = json.loads(tenant.download(key).decode("utf-8-sig"), strict=False)
    assert result["exit_code"] == 1 and "denied" in result["script_errors"]
    assert "Write results" not in result["script_output"]


def test_cancelling(tenant: Tenant) -> None:
    key = tenant.live_response("jump01", SCRIPT).json["id"]
    tenant.advance(20)
    path = f"/machineactions/{key}/cancel"
    assert tenant.defender("POST", path, json={"comment": "x"}).status_code == 400
    action = tenant.defender("POST", path, json={"Comment": "enough"}).json
    assert (action["status"], action["cancellationComment"]) == ("Cancelled", "enough")
    tenant.advance(600)
    action = tenant.action(key)
    assert (action["status"], action["commands"][0]["commandStatus"]) == ("Cancelled", "Created")
    assert tenant.defender("POST", path, json={"Comment": "again"}).status_code == 400
    assert tenant.defender("GET", "/machineactions/none").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"Commands": [], "Comment": "c"},
        {"Comment": "c"},
        {"Commands": [{"type": "GetFile", "params": [{"key": "Path", "value": "C:\\a"}]}]},
        {"commands": [{"type": "GetFile", "params": [{"key": "Path", "value": "C:\\a"}]}], "Comment": "c"},
        {"Commands": [{"type": "DeleteFile", "params": []}], "Comment": "c"},
        {"Commands": [{"type": "GetFile", "params": [{"key": "path", "value": "C:\\a"}]}], "Comment": "c"},
        {"Commands": [{"type": "GetFile", "params": [{"key": "Path", "value": "C:\\a & del"}]}], "Comment": "c"},
        {"Commands": [{"type": "RunScript", "params": [{"key": "ScriptName", "value": "none.ps1"}]}], "Comment": "c"},
        {"Commands": [{"type": "GetFile", "params": "Path"}], "Comment": "c"},
        {"Commands": "x", "Comment": "c"},
    ],
)
def test_wrong_bodies_start_nothing(tenant: Tenant, body: dict[str, Any]) -> None:
    before = sum(1 for _ in tenant.simulator.state.all("action"))
    assert tenant.defender("POST", "/machines/jump01/runliveresponse", json=body).status_code == 400
    assert sum(1 for _ in tenant.simulator.state.all("action")) == before


def test_links_expire_and_refuse_a_bearer(tenant: Tenant) -> None:
    key = tenant.live_response("ws-fin-01", ("GetFile", "Path", "C:\\a.txt")).json["id"]
    tenant.advance(600)
    address = f"/machineactions/{key}/GetLiveResponseResultDownloadLink(index=0)"
    link = local_part(tenant.defender("GET", address).json["value"])
    assert tenant.client.get(link).status_code == 200
    refused = tenant.client.get(link, headers=tenant.token("https://graph.microsoft.com/.default"))
    assert refused.status_code == 403 and "InvalidAuthenticationInfo" in refused.text
    assert tenant.client.get(link.replace("sig=", "sig=0")).status_code == 403
    assert tenant.client.get(link.replace(key, "0" * 36)).status_code == 403
    tenant.advance(1802)
    expired = tenant.client.get(link)
    assert expired.status_code == 403 and "<Code>AuthenticationFailed</Code>" in expired.text
    assert tenant.client.get(local_part(tenant.defender("GET", address).json["value"])).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "kind", "scope"),
    [
        ("isolate", {"IsolationType": "Selective"}, "Isolate", "Selective"),
        ("unisolate", {}, "Unisolate", None),
        ("restrictCodeExecution", {}, "RestrictCodeExecution", None),
        ("unrestrictCodeExecution", {}, "UnrestrictCodeExecution", None),
        ("runAntiVirusScan", {"ScanType": "Quick"}, "RunAntiVirusScan", "Quick"),
        ("StopAndQuarantineFile", {"Sha1": "a" * 40}, "StopAndQuarantineFile", None),
        ("offboard", {}, "Offboard", None),
    ],
)
def test_response_actions(tenant: Tenant, path: str, body: dict[str, Any], kind: str, scope: str | None) -> None:
    assert tenant.defender("POST", f"/machines/ws-fin-01/{path}", json=body).status_code == 400
    made = tenant.defender("POST", f"/machines/ws-fin-01/{path}", json={**body, "Comment": "IR"})
    assert made.status_code == (200 if path == "offboard" else 201)
    assert (made.json["type"], made.json["scope"], made.json["status"]) == (kind, scope, "Pending")
    again = tenant.defender("POST", f"/machines/ws-fin-01/{path}", json={**body, "Comment": "IR"})
    assert again.json["error"]["code"] == "ActiveRequestAlreadyExists"
    tenant.advance(600)
    assert tenant.action(made.json["id"])["status"] == "Succeeded"


def test_bad_choices_of_response_actions(tenant: Tenant) -> None:
    for path, body in (
        ("isolate", {"IsolationType": "full"}), ("isolate", {}), ("runAntiVirusScan", {"ScanType": "Deep"}),
        ("StopAndQuarantineFile", {"Sha1": "xyz"}),
    ):  # fmt: skip
        assert tenant.defender("POST", f"/machines/ws-fin-01/{path}", json={**body, "Comment": "c"}).status_code == 400


def test_the_investigation_package(tenant: Tenant) -> None:
    key = tenant.defender("POST", "/machines/jump01/collectInvestigationPackage", json={"Comment": "c"}).json["id"]
    assert tenant.defender("GET", f"/machineactions/{key}/getPackageUri").status_code == 404
    tenant.advance(600)
    value = tenant.defender("GET", f"/machineactions/{key}/getPackageUri").json["value"]
    assert value.startswith('"https://') and value.endswith('"')
    blob = tenant.client.get(local_part(value.strip('"')))
    with zipfile.ZipFile(io.BytesIO(blob.data)) as package:
        assert "Autoruns/Autoruns.csv" in package.namelist()
        assert b"EdgeHelper" in package.read("Autoruns/Autoruns.csv")
    tenant.defender("GET", f"/machineactions/{key}/getPackageUri")
    refused = tenant.defender("GET", f"/machineactions/{key}/getPackageUri")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 50


def test_paths_are_found_in_any_case(tenant: Tenant) -> None:
    body = {"Commands": [{"type": "GetFile", "params": [{"key": "Path", "value": "C:\\a"}]}], "Comment": "c"}
    assert tenant.defender("POST", "/Machines/jump01/RunLiveResponse", json=body).status_code == 201
    assert (
        tenant.client.get(
            "/API/MachineActions", headers=tenant.token("https://api.securitycenter.microsoft.com/.default")
        ).status_code
        == 200
    )
    assert (
        NOW.isoformat()[:10] in tenant.defender("GET", "/machineactions?$top=1").json["value"][0]["creationDateTimeUtc"]
    )


def test_files_of_the_story_are_known_by_either_hash(tenant: Tenant) -> None:
    implant = tenant.defender("GET", f"/files/{images.IMPLANT.sha1}").json
    assert (implant["sha256"], implant["signer"]) == (images.IMPLANT.sha256, None)
    assert implant["determinationType"] == "Malware" and implant["globalPrevalence"] < 10
    shell = tenant.defender("GET", f"/files/{images.CMD.sha256.upper()}").json
    assert (shell["sha1"], shell["isValidCertificate"]) == (images.CMD.sha1, True)
    assert tenant.defender("GET", f"/files/{'ab' * 20}").status_code == 404
    assert tenant.defender("GET", "/files/cmd.exe").status_code == 400


def test_how_often_a_file_was_seen(tenant: Tenant) -> None:
    stats = tenant.defender("GET", f"/files/{images.IMPLANT.sha1}/stats?lookBackHours=48").json
    assert (stats["organizationPrevalence"], stats["topFileNames"]) == (3, ["edgehelper.exe"])
    assert tenant.defender("GET", f"/files/{images.IMPLANT.sha1}/stats?lookBackHours=900").status_code == 400
