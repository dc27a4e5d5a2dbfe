"""Event channels beyond Sysmon: what becomes a row of a Device table, and what stays in the raw log."""

from collections.abc import Iterable
from typing import Any

import pytest

from artifacts.mapping import MappingError, load_rules, raw_only
from artifacts.records import Record
from artifacts.scriptblocks import ScriptBlocks
from tests.artifacts.conftest import Loaded, codes, counts, ndjson, rows

POWERSHELL = "Microsoft-Windows-PowerShell"
SESSIONS = "Microsoft-Windows-TerminalServices-LocalSessionManager"


def event(provider: str, number: int, data: dict[str, Any], *, user_data: str = "", record: int = 1) -> dict[str, Any]:
    """An event as the EVTX parser writes it; ``user_data`` names the element around the values."""
    values = {"UserData": {user_data: data}} if user_data else {"EventData": data}
    return {
        "Event": {
            "System": {
                "Provider": {"#attributes": {"Name": provider}}, "EventID": number, "EventRecordID": record,
                "Channel": f"{provider}/Operational", "Computer": "PC1.contoso.com",
                "TimeCreated": {"#attributes": {"SystemTime": f"2026-01-18T15:35:2{record % 10}.000Z"}},
                "Security": {"#attributes": {"UserID": "S-1-5-21-1-2-3-1104"}},
            },
            **values,
        }
    }  # fmt: skip


def device_rows(run: Loaded, table: str, *events: dict[str, Any]) -> list[dict[str, Any]]:
    report = run({"log.json": ndjson(*events)})
    assert codes(report) == []
    return rows(report, table) if table in counts(report) else []


def test_remote_sessions(run: Loaded) -> None:
    remote = {"User": "CONTOSO\\Ann", "SessionID": "3", "Address": "203.0.113.7"}
    found = device_rows(
        run,
        "DeviceLogonEvents",
        event(SESSIONS, 21, remote, user_data="EventXML"),
        event(SESSIONS, 21, {**remote, "Address": "LOCAL"}, user_data="EventXML", record=2),
        event(SESSIONS, 25, remote, user_data="EventXML", record=3),
    )
    assert [(row["ActionType"], row["LogonType"], row.get("RemoteIP")) for row in found] == [
        ("LogonSuccess", "RemoteInteractive", "203.0.113.7"), ("LogonSuccess", "Interactive", None),
    ]  # fmt: skip
    assert (found[0]["AccountName"], found[0]["AccountDomain"], found[0]["RemoteIPType"]) == (
        "ann",
        "contoso",
        "Public",
    )


def test_a_remote_desktop_connection(run: Loaded) -> None:
    provider = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
    data = {"Param1": "Ann", "Param2": "CONTOSO", "Param3": "203.0.113.7"}
    (row,) = device_rows(run, "DeviceEvents", event(provider, 1149, data, user_data="EventXML"))
    assert (row["ActionType"], row["AccountName"], row["RemoteIP"]) == ("RemoteDesktopConnection", "ann", "203.0.113.7")


def test_a_permanent_wmi_subscription(run: Loaded) -> None:
    data = {"Namespace": r"\\.\root\subscription", "ESS": "Updater", "CONSUMER": "CommandLine", "PossibleCause": "x"}
    name = "Operation_ESStoConsumerBinding"
    provider = "Microsoft-Windows-WMI-Activity"
    events = [event(provider, number, data, user_data=name, record=number) for number in (5857, 5858, 5860, 5861)]
    (row,) = device_rows(run, "DeviceEvents", *events)
    assert row["ActionType"] == "WmiBindEventFilterToConsumer" and '"Filter":"Updater"' in row["AdditionalFields"]


DEFENDER = "Microsoft-Windows-Windows Defender"
LSASS = "9E6C4E1F-7D60-472F-BA1A-A39EF669E4B2"


@pytest.mark.parametrize(
    ("number", "data", "action"),
    [
        (1116, {"Threat Name": "X", "Path": "file:_C:\\x"}, "AntivirusDetection"),
        (1117, {"Threat Name": "X"}, "AntivirusDetectionActionType"),
        (1118, {"Threat Name": "X"}, "AntivirusMalwareActionFailed"),
        (1119, {"Threat Name": "X"}, "AntivirusError"),
        (1001, {"Scan ID": "{1}", "User": "SYSTEM"}, "AntivirusScanCompleted"),
        (1002, {"Scan ID": "{1}"}, "AntivirusScanCancelled"),
        (1005, {"Scan ID": "{1}"}, "AntivirusScanFailed"),
        (2000, {}, "AntivirusDefinitionsUpdated"),
        (2001, {}, "AntivirusDefinitionsUpdateFailed"),
        (5013, {"Changed Type": "Blocked"}, "TamperingAttempt"),
        (1121, {"ID": LSASS}, "AsrLsassCredentialTheftBlocked"),
        (1122, {"ID": LSASS}, "AsrLsassCredentialTheftAudited"),
        (1122, {"ID": "00000000-0000-0000-0000-000000000000"}, None),
        (1126, {"Destination": "http://evil.example"}, "ExploitGuardNetworkProtectionBlocked"),
        (5001, {}, None),
        (5007, {"Old Value": "", "New Value": "HKLM\\x"}, None),
    ],
)
def test_defenders_own_log(run: Loaded, number: int, data: dict[str, Any], action: str | None) -> None:
    found = device_rows(run, "DeviceEvents", event(DEFENDER, number, data))
    assert [row["ActionType"] for row in found] == ([action] if action else [])


@pytest.mark.parametrize(
    ("provider", "number", "data", "action"),
    [
        ("Service Control Manager", 7045, {"ServiceName": "x", "ImagePath": "C:\\x.exe"}, "ServiceInstalled"),
        ("Microsoft-Windows-Eventlog", 1102, {"SubjectUserName": "ann"}, "SecurityLogCleared"),
        ("Microsoft-Windows-Eventlog", 104, {"SubjectUserName": "ann", "Channel": "System"}, None),
        ("Microsoft-Windows-Kernel-General", 1, {"NewTime": "x"}, None),
        ("Microsoft-Windows-Security-Auditing", 4616, {"SubjectUserName": "ann"}, None),
        (
            "Microsoft-Windows-TaskScheduler",
            106,
            {"TaskName": "\\x", "UserContext": "PC1\\ann"},
            "ScheduledTaskCreated",
        ),
        ("Microsoft-Windows-TaskScheduler", 140, {"TaskName": "\\x", "UserName": "PC1\\ann"}, "ScheduledTaskUpdated"),
        ("Microsoft-Windows-TaskScheduler", 141, {"TaskName": "\\x", "UserName": "PC1\\ann"}, "ScheduledTaskDeleted"),
        ("Microsoft-Windows-TaskScheduler", 142, {"TaskName": "\\x", "UserName": "PC1\\ann"}, "ScheduledTaskDisabled"),
        ("Microsoft-Windows-TaskScheduler", 200, {"TaskName": "\\x", "ActionName": "cmd"}, None),
        ("Microsoft-Windows-TaskScheduler", 201, {"TaskName": "\\x", "ActionName": "cmd"}, None),
        (POWERSHELL, 4103, {"Payload": "CommandInvocation(x)"}, "PowerShellCommand"),
        ("Microsoft-Windows-Security-Auditing", 6416, {"DeviceId": "USB\\x"}, "PnpDeviceConnected"),
        ("Microsoft-Windows-Security-Auditing", 4717, {"AccessGranted": "SeServiceLogonRight"}, None),
        ("Microsoft-Windows-AppLocker", 8004, {"FilePath": "%OSDRIVE%\\x.exe"}, "AppControlExecutableBlocked"),
    ],
)
def test_the_other_channels(run: Loaded, provider: str, number: int, data: dict[str, Any], action: str | None) -> None:
    report = run({"log.json": ndjson(event(provider, number, data))})
    assert counts(report)["Event"] == 1, "the raw log has every event"
    found = rows(report, "DeviceEvents") if "DeviceEvents" in counts(report) else []
    assert [row["ActionType"] for row in found] == ([action] if action else [])


def part(number: int, total: int, text: str, block: str = "b1") -> dict[str, Any]:
    data = {"ScriptBlockText": text, "ScriptBlockId": block, "MessageNumber": number, "MessageTotal": total, "Path": ""}
    return event(POWERSHELL, 4104, data, record=number)


def test_a_script_block_is_put_together_from_its_parts(run: Loaded) -> None:
    events = [
        part(2, 3, "two "),
        part(1, 3, "one "),
        part(1, 1, "alone", "b2"),
        part(3, 3, "three"),
        part(1, 2, "half", "b3"),
    ]
    report = run({"log.json": ndjson(*events)})
    assert counts(report)["Event"] == 5
    found = [row["AdditionalFields"] for row in rows(report, "DeviceEvents")]
    assert len(found) == 3
    assert '"Command":"alone"' in found[0] and '"Command":"one two three"' in found[1]
    assert "MissingParts" not in found[1] and '"Command":"half"' in found[2] and '"MissingParts":1' in found[2]


def taken(blocks: ScriptBlocks, events: Iterable[dict[str, Any]]) -> list[str]:
    out = []
    for one in events:
        data = one["Event"]["EventData"]
        record = Record(POWERSHELL, 4104, "c", "PC1", data)
        out += [str(whole.data["ScriptBlockText"]) for whole in blocks.take(record)]
    return out


def test_a_block_that_claims_endless_parts_or_comes_twice() -> None:
    blocks = ScriptBlocks()
    assert taken(blocks, [part(1, 10**9, "x")]) == ["x"]
    assert taken(blocks, [part(1, 2, "a"), part(1, 2, "a"), part(2, 2, "b")]) == ["ab"]
    assert taken(blocks, [part(n, 9_000, "y" * 1_000_000, "big") for n in range(1, 36)])[0].startswith("yyy")
    assert list(blocks.rest()) == [] or all(record.data["MissingParts"] for record in blocks.rest())


def test_no_rule_uses_a_word_that_is_not_published(tmp_path: Any) -> None:
    (tmp_path / "m.yaml").write_text(
        "providers: [P]\nevents:\n  - {id: 1, title: t, table: DeviceEvents, action: Invented, source: s}\n"
    )
    with pytest.raises(MappingError, match="'Invented' is no ActionType"):
        load_rules(tmp_path)
    mapped = set(load_rules())
    for entry in raw_only():
        for number in str(entry["id"]).split(","):
            assert (entry["provider"].casefold(), int(number)) not in mapped
