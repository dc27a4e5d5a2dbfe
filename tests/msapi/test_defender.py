"""Devices, Live Response and response actions over sockets."""

from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from typing import Any

import pytest

from msapi import errors
from msapi.defender import Defender, GetFile, RunScript
from msapi.machines import ActionStatus, CommandStatus, read_action
from msapi.transport import Transport
from tests.msapi.conftest import Tenant
from tests.msapi.support import Answer, Request, answer, error

MACHINE = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"
ACTION = "988cc94e-7a8f-4b28-ab65-54970c5d5018"
API = "/mde/api"


@pytest.fixture
def defender(tenant: Tenant) -> Defender:
    return Defender(tenant.transport)


def action(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": ACTION,
        "type": "LiveResponse",
        "status": "Pending",
        "machineId": MACHINE,
        "requestorComment": f"IRCase run-{number:08}",
        "creationDateTimeUtc": f"2026-02-04T15:36:{number:02}.7788848Z",
        **more,
    }


def test_machines_over_pages(tenant: Tenant, defender: Defender) -> None:
    path = f"{API}/machines"
    link = f"{tenant.server.url}{path}?$skip=2"
    first = answer({"value": [{"id": "1", "machineTags": ["IR-1"]}, {"id": "2"}], "@odata.nextLink": link})
    tenant.server.on("GET", path, first, answer({"value": [{"id": "3"}]}))
    found = list(defender.machines("startswith(computerDnsName,'srv')"))
    assert [machine.id for machine in found] == ["1", "2", "3"] and found[0].tags == ("IR-1",)
    one, two = tenant.server.seen(path)
    assert one.query == {"$filter": ["startswith(computerDnsName,'srv')"]} and two.query == {"$skip": ["2"]}


def test_a_limit_is_a_limit(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on("GET", f"{API}/machines", answer({"value": [{"id": str(n)} for n in range(9)]}))
    assert len(list(defender.machines(limit=2))) == 2
    assert tenant.server.seen(f"{API}/machines")[0].query == {"$top": ["2"]}
    assert list(defender.machines(limit=0)) == []


def test_no_machines_may_come_as_404(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on("GET", f"{API}/machines", error(404, "NotFound"))
    assert list(defender.machines()) == []
    with pytest.raises(errors.NotFound):
        list(defender.logon_users(MACHINE))


def test_a_machine_by_id_or_name(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on(
        "GET", f"{API}/machines/", answer({"id": MACHINE, "computerDnsName": "ws01.contoso.com", "lastSeen": "t"})
    )
    assert defender.machine(MACHINE).dns_name == "ws01.contoso.com"
    assert defender.machine("ws01.contoso.com").id == MACHINE


@pytest.mark.parametrize("name", ["", "..", "a/b", "a?b", "a b", "../machineactions", "a..b", "ä", "-x."])
def test_machine_names_are_checked(tenant: Tenant, defender: Defender, name: str) -> None:
    for call in (
        lambda: defender.machine(name),
        lambda: defender.isolate(name, "c"),
        lambda: list(defender.alerts(name)),
    ):
        with pytest.raises(errors.InvalidParameter):
            call()
    assert tenant.server.requests == []


def test_users_alerts_and_tags(tenant: Tenant, defender: Defender) -> None:
    base = f"{API}/machines/{MACHINE}"
    tenant.server.on("GET", f"{base}/logonusers", answer({"value": [{"id": "c\\u", "isDomainAdmin": True}]}))
    tenant.server.on("GET", f"{base}/alerts", answer({"value": [{"id": "da1", "incidentId": 7, "severity": "High"}]}))
    tenant.server.on("POST", f"{base}/tags", answer({"id": MACHINE, "machineTags": ["IR-1"]}))
    assert next(defender.logon_users(MACHINE.upper())).is_domain_admin is True
    assert tenant.server.requests[-1].path == f"{base}/logonusers"
    assert next(defender.alerts(MACHINE)).incident_id == "7"
    assert defender.tag(MACHINE, "IR-1").tags == ("IR-1",)
    assert tenant.server.seen(f"{base}/tags")[0].json == {"Value": "IR-1", "Action": "Add"}


def parts_of(request: Request) -> dict[str, Message]:
    header = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(header + request.body)
    return {part.get_param("name", header="content-disposition"): part for part in message.get_payload()}


def test_a_library_upload(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on(
        "POST", f"{API}/libraryfiles", answer({"fileName": "a.ps1", "sha256": "6E21", "hasParameters": True})
    )
    found = defender.upload_library_file("a.ps1", b"Write-Host 1\r\n", description="d", parameters="-sw days")
    assert (found.name, found.sha256, found.has_parameters) == ("a.ps1", "6e21", True)
    parts = parts_of(tenant.server.seen(f"{API}/libraryfiles")[0])
    assert parts["file"].get_filename() == "a.ps1"
    assert parts["file"].get_payload(decode=True).rstrip() == b"Write-Host 1"
    texts = {name: parts[name].get_payload() for name in ("Description", "HasParameters", "OverrideIfExists")}
    assert texts == {"Description": "d", "HasParameters": "true", "OverrideIfExists": "false"}


def test_uploads_are_repeated_only_where_that_is_harmless(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on("POST", f"{API}/libraryfiles", error(503, "x"), answer({"fileName": "a.ps1"}))
    with pytest.raises(errors.Ambiguous):
        defender.upload_library_file("a.ps1", b"x")
    assert defender.upload_library_file("a.ps1", b"x", override=True).name == "a.ps1"


def test_uploads_are_capped_here(tenant: Tenant, defender: Defender) -> None:
    with pytest.raises(errors.InvalidParameter, match="20 MB"):
        defender.upload_library_file("a.ps1", b"x" * 20_000_001)
    assert tenant.server.requests == []


def test_the_library_is_listed_and_emptied(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on(
        "GET", f"{API}/libraryfiles", answer({"value": [{"fileName": "a.ps1", "parametersDescription": "-x"}]})
    )
    tenant.server.on("DELETE", f"{API}/libraryfiles/a.ps1", Answer(204))
    assert next(defender.library_files()).parameters == "-x"
    defender.delete_library_file("a.ps1")
    assert len(tenant.server.seen(f"{API}/libraryfiles/a.ps1")) == 1


def test_a_live_response_session(tenant: Tenant, defender: Defender) -> None:
    commands = [
        {
            "index": 0,
            "commandStatus": "Created",
            "errors": [],
            "command": {"type": "RunScript", "params": [{"key": "ScriptName", "value": "a.ps1"}]},
        }
    ]
    path = f"{API}/machines/{MACHINE}/runliveresponse"
    tenant.server.on("POST", path, answer(action(commands=commands), 201))
    found = defender.run_live_response(MACHINE, [RunScript("a.ps1", "-x 1"), GetFile("C:\\o.zip")], "IRCase 1")
    assert (found.id, found.status, found.is_final) == (ACTION, ActionStatus.PENDING, False)
    assert found.commands[0].params == {"ScriptName": "a.ps1"} and found.commands[0].status == CommandStatus.CREATED
    sent = tenant.server.seen(path)[0].json
    assert sent["Comment"] == "IRCase 1"
    assert [command["type"] for command in sent["Commands"]] == ["RunScript", "GetFile"]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (error(400, "ActiveRequestAlreadyExists", "busy"), errors.ActiveRequestExists),
        (error(403, "DisabledFeature", "off"), errors.DisabledFeature),
        (error(403, "Forbidden", "role"), errors.Forbidden),
        (error(500, "InternalServerError", "x"), errors.Ambiguous),
        (Answer(200, b"[]"), errors.BadReply),
    ],
)
def test_sessions_that_do_not_start(
    tenant: Tenant, defender: Defender, end: Answer, kind: type[errors.ApiError]
) -> None:
    path = f"{API}/machines/{MACHINE}/runliveresponse"
    tenant.server.on("POST", path, end)
    with pytest.raises(kind):
        defender.run_live_response(MACHINE, [RunScript("a.ps1")], "why")
    assert len(tenant.server.seen(path)) == 1


def test_the_twin_of_an_ambiguous_request_is_found(tenant: Tenant, defender: Defender) -> None:
    path = f"{API}/machineactions"
    items = [action(3), action(2, type="Isolate"), action(1), action(2, requestorComment="IRCase run-00000002 again")]
    tenant.server.on("GET", path, answer({"value": items}))
    found = defender.find_action(MACHINE, "IRCase run-00000002", type="LiveResponse")
    assert found is not None and found.comment.endswith("again")
    assert defender.find_action(MACHINE, "IRCase run-00000009") is None
    query = tenant.server.seen(path)[0].query
    assert query["$filter"] == [f"machineId eq '{MACHINE}'"] and query["$orderby"] == ["creationDateTimeUtc desc"]
    with pytest.raises(errors.InvalidParameter):
        defender.find_action(MACHINE, "IR")


def test_actions_are_read_in_both_spellings() -> None:
    assert read_action({"lastUpdateTimeUtc": "a"}).updated == "a"
    assert read_action({"lastUpdateDateTimeUtc": "b"}).updated == "b"
    failed = {
        "index": 1,
        "commandStatus": "failed",
        "errors": ["no such file", {"x": 1}],
        "command": {"type": "GetFile"},
    }
    half = read_action({"status": "succeeded", "commands": [{"commandStatus": "Completed"}, failed]})
    assert half.is_final and not half.is_success
    assert half.failure == 'GetFile (command 1): no such file; {"x": 1}'
    late = read_action({"type": "LiveResponse", "status": "TimeOut", "errorHResult": -2147024891})
    assert late.failure == "LiveResponse ended as TimeOut: error 0x80070005"
    assert read_action({"status": "Succeeded"}).is_success and read_action({"status": "Succeeded"}).failure == ""
    assert not read_action({"status": "BrandNew"}).is_final


@pytest.mark.parametrize(
    "raw", [{}, {"commands": 5}, {"commands": [None, {}]}, {"commands": [{"command": [], "errors": "x"}]}]
)
def test_actions_of_another_shape(raw: dict[str, Any]) -> None:
    assert not read_action(raw).is_final


def test_result_and_package_links(tenant: Tenant, defender: Defender) -> None:
    base = f"{API}/machineactions/{ACTION}"
    link = "https://localhost/c/b?sig=x"
    tenant.server.on("GET", f"{base}/GetLiveResponseResultDownloadLink(index=2)", answer({"value": link}))
    tenant.server.on("GET", f"{base}/getPackageUri", answer({"value": f'"{link}"'}))
    assert defender.live_response_result_link(ACTION, 2) == link
    assert defender.package_link(ACTION) == link
    tenant.server.on("GET", f"{base}/getPackageUri", error(404, "NotFound"))
    with pytest.raises(errors.NotFound):
        defender.package_link(ACTION)
    with pytest.raises(errors.InvalidParameter):
        defender.package_link("../machines")


@pytest.mark.parametrize(
    ("call", "verb", "body"),
    [
        (lambda d: d.isolate(MACHINE, "c"), "isolate", {"Comment": "c", "IsolationType": "Full"}),
        (lambda d: d.isolate(MACHINE, "c", "Selective"), "isolate", {"Comment": "c", "IsolationType": "Selective"}),
        (lambda d: d.unisolate(MACHINE, "c"), "unisolate", {"Comment": "c"}),
        (lambda d: d.restrict(MACHINE, "c"), "restrictCodeExecution", {"Comment": "c"}),
        (lambda d: d.unrestrict(MACHINE, "c"), "unrestrictCodeExecution", {"Comment": "c"}),
        (lambda d: d.scan(MACHINE, "c", full=True), "runAntiVirusScan", {"Comment": "c", "ScanType": "Full"}),
        (lambda d: d.collect_package(MACHINE, "c"), "collectInvestigationPackage", {"Comment": "c"}),
        (lambda d: d.quarantine(MACHINE, "c", "A" * 40), "StopAndQuarantineFile", {"Comment": "c", "Sha1": "a" * 40}),
        (lambda d: d.offboard(MACHINE, "c"), "offboard", {"Comment": "c"}),
    ],
)
def test_response_actions(tenant: Tenant, defender: Defender, call: Any, verb: str, body: dict[str, str]) -> None:
    path = f"{API}/machines/{MACHINE}/{verb}"
    tenant.server.on("POST", path, answer(action(type=verb), 201), error(503, "x"))
    assert call(defender).type == verb
    assert tenant.server.seen(path)[0].json == body
    with pytest.raises(errors.Ambiguous):
        call(defender)
    assert len(tenant.server.seen(path)) == 2


def test_actions_need_a_reason(tenant: Tenant, defender: Defender) -> None:
    calls = (
        lambda: defender.isolate(MACHINE, " "),
        lambda: defender.cancel(ACTION, ""),
        lambda: defender.isolate(MACHINE, "c", "Half"),
        lambda: defender.quarantine(MACHINE, "c", "x"),
    )
    for call in calls:
        with pytest.raises(errors.InvalidParameter):
            call()
    assert tenant.server.requests == []


def test_polling_and_cancelling(tenant: Tenant, defender: Defender) -> None:
    tenant.server.on("GET", f"{API}/machineactions/{ACTION}", answer(action(status="InProgress")))
    tenant.server.on(
        "POST",
        f"{API}/machineactions/{ACTION}/cancel",
        answer(action(status="Cancelled", cancellationComment="enough")),
    )
    assert defender.machine_action(ACTION).status == ActionStatus.IN_PROGRESS
    assert defender.cancel(ACTION, "enough").failure == "LiveResponse ended as Cancelled: enough"


def test_a_link_of_the_sister_host_is_followed_at_microsoft_only(tenant: Tenant) -> None:
    link = "https://api.securitycenter.microsoft.com/api/machines?$skip=1"
    tenant.server.on("GET", f"{API}/machines", answer({"value": [{"id": "1"}], "@odata.nextLink": link}))
    with pytest.raises(errors.BadReply, match="another host"):
        list(Defender(tenant.transport).machines())


def test_pages_end(tenant: Tenant) -> None:
    endpoint = replace(tenant.endpoint, limits=replace(tenant.endpoint.limits, pages=3))
    path = f"{API}/machines"
    tenant.server.on("GET", path, answer({"value": [{"id": "1"}], "@odata.nextLink": f"{tenant.server.url}{path}"}))
    with pytest.raises(errors.BadReply, match="more pages"):
        list(Defender(Transport(endpoint, tenant.tokens)).machines())


# Files


def test_a_file_by_its_hash(tenant: Tenant, defender: Defender) -> None:
    sha1 = "a1" * 20
    known = {
        "sha1": sha1.upper(), "globalPrevalence": 7, "globalFirstObserved": "2026-01-01T00:00:00Z", "size": "12",
        "isPeFile": True, "signer": "Contoso", "isValidCertificate": "false", "determinationValue": None,
    }  # fmt: skip
    tenant.server.on("GET", f"{API}/files/{sha1}", answer(known))
    found = defender.file(sha1.upper())
    assert (found.sha1, found.prevalence, found.size, found.signer) == (sha1, 7, 12, "Contoso")
    assert (found.is_certificate_valid, found.is_pe, found.threat) == (False, True, "")
    tenant.server.on("GET", f"{API}/files/", error(404, "ResourceNotFound"))
    with pytest.raises(errors.NotFound):
        defender.file("b2" * 32)


@pytest.mark.parametrize("name", ["", "a1", "../machines", "a1" * 16, "g" * 40, "a1" * 20 + "\n"])
def test_file_hashes_are_checked(tenant: Tenant, defender: Defender, name: str) -> None:
    with pytest.raises(errors.InvalidParameter):
        defender.file(name)
    assert tenant.server.seen(f"{API}/files") == []


def test_statistics_devices_and_alerts_of_a_file(tenant: Tenant, defender: Defender) -> None:
    sha1 = "a1" * 20
    stats = {"sha1": sha1.upper(), "organizationPrevalence": "3", "globallyPrevalence": 7, "topFileNames": ["a.exe"]}
    tenant.server.on("GET", f"{API}/files/{sha1}/stats", answer(stats))
    tenant.server.on("GET", f"{API}/files/{sha1}/machines", answer({"value": [{"id": MACHINE}]}))
    tenant.server.on("GET", f"{API}/files/{sha1}/alerts", answer({"value": [{"id": "1", "title": "T"}, 7]}))
    found = defender.file_stats(sha1.upper())
    assert (found.prevalence, found.world_prevalence, found.names, found.first_seen) == (3, 7, ("a.exe",), "")
    assert [one.id for one in defender.file_machines(sha1)] == [MACHINE]
    assert [one.title for one in defender.file_alerts(sha1)] == ["T"]
    with pytest.raises(errors.InvalidParameter, match="SHA-1"):
        list(defender.file_machines("b2" * 32))
