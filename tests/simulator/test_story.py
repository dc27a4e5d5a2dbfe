"""The story: deterministic, complete, and consistent from table to table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kql.catalogue import TABLES
from simulator.story import images, telling
from simulator.story.intrusion import ATTACKER_IP, CONTROL_IP, ENCODED
from simulator.story.recorder import Recorder
from simulator.story.timeline import Week, as_datetime, moment_of, stamp
from simulator.story.world import World, build_world
from tests.simulator.conftest import NOW, Tenant

TENANT = "0d7a2d3c-0000-4000-8000-000000000001"
EXPECTED = {
    "DeviceProcessEvents", "DeviceNetworkEvents", "DeviceFileEvents", "DeviceRegistryEvents", "DeviceImageLoadEvents",
    "DeviceLogonEvents", "DeviceEvents", "DeviceInfo", "DeviceNetworkInfo", "DeviceFileCertificateInfo", "AlertInfo",
    "AlertEvidence", "IdentityLogonEvents", "IdentityInfo", "EmailEvents", "CloudAppEvents", "EntraIdSignInEvents",
    "AADSignInEventsBeta", "SigninLogs", "AuditLogs", "OfficeActivity", "SecurityEvent",
}  # fmt: skip


def world_of(seed: int = 5) -> World:
    return build_world(seed, Week(moment_of(NOW), 2), 10, TENANT)


def recorded(folder: Path, seed: int = 5) -> dict[str, bytes]:
    """Table -> its rows as they are written before they become Parquet, and the alerts."""
    world = world_of(seed)
    with Recorder(world, folder) as recorder:
        alerts = telling.record(recorder, world, 12)
    return {path.stem: path.read_bytes() for path in folder.glob("*.ndjson")} | {"alerts": json.dumps(alerts).encode()}


def test_the_calendar_ends_on_friday_half_past_five() -> None:
    week = Week(moment_of(NOW), 7)
    assert as_datetime(week.at(0, "17:30:00")) == NOW
    assert as_datetime(week.at(-1, "09:00:00")) == datetime(2026, 5, 14, 8, 0, tzinfo=UTC)
    assert str(week.local_offset) == "1:00:00"
    assert week.local(moment_of(NOW)) == datetime(2026, 5, 15, 17, 30)
    assert [day for day in range(-7, 1) if week.is_weekend(day)] == [-6, -5]


def test_times_have_seven_digits() -> None:
    assert stamp(moment_of(datetime(2026, 5, 15, 16, 30, 1, 250_000, tzinfo=UTC))) == "2026-05-15T16:30:01.2500007Z"


def test_the_same_seed_tells_the_same_story(tmp_path: Path) -> None:
    one, two, other = recorded(tmp_path / "1"), recorded(tmp_path / "2"), recorded(tmp_path / "3", seed=6)
    assert one == two
    assert one["DeviceNetworkEvents"] != other["DeviceNetworkEvents"]
    assert set(one) - {"alerts"} == EXPECTED


def test_every_key_is_a_column(tmp_path: Path) -> None:
    for table, content in recorded(tmp_path).items():
        if table == "alerts":
            continue
        keys = {key for line in content.splitlines() for key in json.loads(line)}
        extra = keys - {column.name for column in TABLES[table]} - {"Timestamp", "TimeGenerated", "TenantId", "Type"}
        assert not extra, table


def test_a_second_telling_reads_the_cache_and_drops_older_ones(tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    first = telling.tell(world_of(), tmp_path, 12)
    assert set(first.tables) == EXPECTED and not (tmp_path / "older").exists()
    before = {path: path.stat().st_mtime_ns for path in first.tables.values()}
    again = telling.tell(world_of(), tmp_path, 12)
    assert {path: path.stat().st_mtime_ns for path in again.tables.values()} == before
    assert (again.rows, again.alerts) == (first.rows, first.alerts)


def test_nothing_lies_in_the_future_or_before_the_start(tenant: Tenant) -> None:
    for source in tenant.simulator.telemetry.workspace.values():
        assert source.first is not None and source.last is not None
        assert source.last <= NOW, source.name
        assert (NOW - source.first).days <= 7, source.name


def test_too_few_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 10 devices"):
        build_world(1, Week(moment_of(NOW), 2), 9, TENANT)


def test_device_names_and_accounts_are_unique() -> None:
    world = build_world(1, Week(moment_of(NOW), 7), 120, TENANT)
    for values in (
        [device.name for device in world.devices], [device.id for device in world.devices],
        [device.ip for device in world.devices], [person.account for person in world.people],
    ):  # fmt: skip
        assert len(set(values)) == len(values)
    assert all(len(device.host) <= 15 for device in world.devices)


def test_the_intruder_signs_in_after_guessing(tenant: Tenant) -> None:
    rows = tenant.rows(
        "DeviceLogonEvents | where RemoteIP == '203.0.113.77' and DeviceName startswith 'jump01' "
        "| summarize First = min(Timestamp), Tries = count() by ActionType, AccountName | sort by First asc"
    )
    success = [row for row in rows if row["ActionType"] == "LogonSuccess"]
    assert [row["AccountName"] for row in success] == ["m.okafor"]
    assert success[0]["First"] == "2026-05-15T12:52:11.0000000Z"
    assert sum(row["Tries"] for row in rows if row["ActionType"] == "LogonFailed") > 20


def test_one_union_finds_all_malicious_activity_of_the_device(tenant: Tenant) -> None:
    rows = tenant.rows(
        """let Device = "jump01.northwharf.example"; let SearchWindow = 48h;
        let Asr = DeviceEvents | where Timestamp > ago(SearchWindow) | where DeviceName == Device
            | where ActionType startswith "Asr" | project Timestamp, ActionType, FileName;
        let Rest = DeviceEvents | where Timestamp > ago(SearchWindow) | where DeviceName == Device
            | where ActionType has_any ("SmartScreenUrlWarning", "SmartScreenAppWarning", "AntivirusDetection",
                "TamperingAttempt", "AmsiScriptDetection") or ActionType startswith "ExploitGuard"
            | project Timestamp, ActionType, FileName;
        union isfuzzy=true (Asr), (Rest) | sort by Timestamp asc"""
    )
    assert [row["ActionType"] for row in rows] == [
        "SmartScreenUrlWarning", "AsrObfuscatedScriptBlocked", "AmsiScriptDetection", "SmartScreenAppWarning",
        "AntivirusDetection", "ExploitGuardNetworkProtectionBlocked", "TamperingAttempt",
        "AsrLsassCredentialTheftBlocked",
    ]  # fmt: skip


def test_the_run_key_is_set_by_the_implant(tenant: Tenant) -> None:
    rows = tenant.rows(
        r"DeviceRegistryEvents | where RegistryKey endswith @'\CurrentVersion\Run' and DeviceName startswith 'jump01' "
        "| project RegistryValueName, RegistryValueData, InitiatingProcessFileName, InitiatingProcessSHA256"
    )
    assert rows == [
        {
            "RegistryValueName": "EdgeHelper",
            "RegistryValueData": '"C:\\ProgramData\\EdgeHelper\\edgehelper.exe" --sync',
            "InitiatingProcessFileName": "edgehelper.exe",
            "InitiatingProcessSHA256": images.IMPLANT.sha256,
        }
    ]


def test_every_initiating_process_of_the_intrusion_was_created(tenant: Tenant) -> None:
    rows = tenant.rows(
        f"""let Hostile = DeviceProcessEvents | where ProcessCommandLine contains "{ENCODED[:40]}"
            or FileName in~ ("wupdmgr.exe", "edgehelper.exe", "pd64.exe", "WHSVC.exe")
            | project DeviceName, ProcessId;
        DeviceNetworkEvents | where RemoteIP == "{CONTROL_IP}" and InitiatingProcessFileName !in~ ("cmd.exe")
        | join kind=leftanti (Hostile) on DeviceName, $left.InitiatingProcessId == $right.ProcessId
        | summarize count()"""
    )
    assert rows == [{"count_": 0}]


def test_alerts_evidence_and_incident_agree(tenant: Tenant) -> None:
    incident = tenant.graph("GET", "/incidents/48211?$expand=alerts").json
    rows = tenant.rows("AlertEvidence | summarize by AlertId, EntityType, SHA1, RemoteIP")
    ids = {alert["id"] for alert in incident["alerts"]}
    assert len(ids) == 14
    assert ids <= {row["AlertId"] for row in rows}
    hashes = {
        evidence["fileDetails"]["sha1"]
        for alert in incident["alerts"]
        for evidence in alert["evidence"]
        if evidence["@odata.type"].endswith("fileEvidence")
    }
    assert images.LOADER.sha1 in hashes and hashes <= {row["SHA1"] for row in rows}
    assert ATTACKER_IP in {row["RemoteIP"] for row in rows}
    kinds = {
        evidence["@odata.type"].rsplit(".", 1)[1] for alert in incident["alerts"] for evidence in alert["evidence"]
    }
    assert kinds == {
        "deviceEvidence", "userEvidence", "fileEvidence", "processEvidence", "ipEvidence", "urlEvidence",
        "registryKeyEvidence", "registryValueEvidence", "mailboxEvidence", "analyzedMessageEvidence",
        "cloudApplicationEvidence",
    }  # fmt: skip


def test_both_sign_in_tables_tell_of_the_takeover(tenant: Tenant) -> None:
    hunted = tenant.rows(
        f"EntraIdSignInEvents | where IPAddress == '{ATTACKER_IP}' | summarize count() by ErrorCode, AccountUpn"
    )
    assert {row["ErrorCode"]: row["count_"] for row in hunted} == {50126: 6, 0: 1}
    answer = tenant.workspace(
        f"SigninLogs | where IPAddress == '{ATTACKER_IP}' | summarize count() by ResultType | sort by ResultType asc"
    )
    assert answer.json["tables"][0]["rows"] == [["0", 1], ["50126", 6]]
    rules = tenant.workspace("OfficeActivity | where Operation == 'New-InboxRule' | project UserId, ClientIP").json
    assert rules["tables"][0]["rows"] == [["m.okafor@northwharf.example", ATTACKER_IP]]
