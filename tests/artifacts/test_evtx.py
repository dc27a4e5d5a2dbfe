"""Event logs as files."""

from collections import Counter

import duckdb
import pytest

from tests.artifacts.conftest import DATA, Loaded, codes, counts, needs_data, rows

RECORDS = {
    "DE_EventLog_Service_Crashed.evtx": 4,
    "LM_NewShare_Added_Sysmon_12_13.evtx": 3,
    "LM_sysmon_3_12_13_1_SharpRDP.evtx": 38,
    "MSSQL_multiple_failed_logon_EventID_18456.evtx": 10,
    "Sysmon_10_Evasion_Suspicious_NtOpenProcess_CallTrace.evtx": 1,
    "Sysmon_13_1_UAC_Bypass_EventVwrBypass.evtx": 6,
    "Sysmon_UACME_53.evtx": 14,
    "discovery_sysmon_18_Invoke_UserHunter_NetSessionEnum_DC-srvsvc.evtx": 1,
    "exec_emotet_ps_800_get-item.evtx": 1,
    "exec_sysmon_1_ftp.evtx": 4,
    "lateral_movement_startup_3_11.evtx": 2,
    "persist_turla_outlook_backdoor_comhijack.evtx": 3,
    "privesc_seimpersonate_tosys_spoolsv_sysmon_17_18.evtx": 7,
    "process_suspend_sysmon_10_ga_800.evtx": 1,
    "remote_sam_registry_access_via_backup_operator_priv.evtx": 31,
    "sysmon_1_11_exec_as_system_via_schedtask.evtx": 6,
    "sysmon_exec_from_vss_persistence.evtx": 17,
    "tunna_iis_rdp_smb_tunneling_sysmon_3.evtx": 12,
    "wmighost_sysmon_20_21_1.evtx": 4,
}
SHARP_RDP = "LM_sysmon_3_12_13_1_SharpRDP.evtx"
_HEADER, _CHUNK = 4096, 65536


def content(name: str) -> bytes:
    return (DATA / "evtx" / name).read_bytes()


@needs_data
def test_all_nineteen_files_load(run: Loaded) -> None:
    report = run({name: content(name) for name in RECORDS})
    assert {file.name: file.records for file in report.files} == RECORDS
    assert report.problems == () and report.complete
    found = counts(report)
    # 1 event 1102, 7 of 4624, 7 of 4627, 6 of 4672, 2 of 4776 and 8 of 5145 stand in the one Security log
    assert (found["SecurityEvent"], found["Event"], found["WindowsEvent"]) == (31, 134, 165)
    assert found["DeviceProcessEvents"] == 54 and found["DeviceNetworkEvents"] == 17
    assert found["DeviceLogonEvents"] == 7 and found["DeviceRegistryEvents"] == 21 + 17
    actions = Counter(row["ActionType"] for row in rows(report, "DeviceEvents"))
    assert actions == {
        "NetworkShareObjectAccessChecked": 8, "NamedPipeEvent": 4, "OpenProcessApiCall": 3, "SecurityLogCleared": 1,
        "WmiBindEventFilterToConsumer": 1,
    }  # fmt: skip


@needs_data
def test_a_file_cut_in_half_keeps_its_readable_records_and_says_so(run: Loaded) -> None:
    whole = content(SHARP_RDP)
    report = run({SHARP_RDP: whole[: len(whole) // 2]})
    assert codes(report) == ["evtx.cut"] and "30 records kept" in report.problems[0].message
    assert counts(report)["Event"] == 30


@needs_data
def test_a_chunk_that_cannot_be_read_is_named_and_the_others_are_kept(run: Loaded) -> None:
    whole = bytearray(content(SHARP_RDP))
    whole[42:44] = (3).to_bytes(2, "little")
    bad = bytearray(whole[_HEADER:])
    bad[:8] = b"XXXXXXXX"
    report = run({"x.evtx": bytes(whole + bad + whole[_HEADER:])})
    assert codes(report) == ["evtx.chunk"] and "76 records kept" in report.problems[0].message
    assert counts(report)["Event"] == 76


@needs_data
def test_records_that_cannot_be_read_are_counted(run: Loaded) -> None:
    whole = bytearray(content(SHARP_RDP))
    at = _HEADER + 512 + 5000
    whole[at : at + 400] = b"\xff" * 400
    report = run({"x.evtx": bytes(whole)})
    assert codes(report) == ["evtx.record"]
    (file,) = report.files
    assert (file.records, file.skipped) == (30, 8)


@needs_data
def test_chunks_that_the_header_promises_but_the_file_lacks_are_said(run: Loaded) -> None:
    whole = bytearray(content(SHARP_RDP))
    whole[42:44] = (5).to_bytes(2, "little")
    report = run({"x.evtx": bytes(whole)})
    assert codes(report) == ["evtx.cut"] and "4 chunks of 64 KiB are missing" in report.problems[0].message
    assert counts(report)["Event"] == 38


@pytest.mark.parametrize("raw", [b"ElfFile\x00", b"ElfFile\x00" + b"\0" * 5000, b"not an event log at all"])
def test_what_is_no_event_log_is_named(run: Loaded, raw: bytes) -> None:
    report = run({"x.evtx": raw, "good.json": '{"A": 1}'})
    assert counts(report) == {"good": 1}
    assert [problem.member for problem in report.problems][0] == "x.evtx" or report.files[0].records == 0


@needs_data
def test_raw_rows_have_microsofts_columns(run: Loaded) -> None:
    name = "remote_sam_registry_access_via_backup_operator_priv.evtx"
    report = run({name: content(name)})
    logon = next(row for row in rows(report, "SecurityEvent") if row["EventID"] == 4624)
    assert logon["Activity"] == "4624 - An account was successfully logged on."
    assert logon["Channel"] == "Security" and logon["EventSourceName"] == "Microsoft-Windows-Security-Auditing"
    assert logon["LogonType"] == 3 and logon["LogonTypeName"] == "3 - Network"
    assert logon["Account"] == logon["TargetAccount"] == f"{logon['TargetDomainName']}\\{logon['TargetUserName']}"
    assert logon["EventData"].startswith(
        '<EventData xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><Data '
    )
    assert logon["TimeSource"] == "TimeCreated" and logon["SourceFile"] == name
    with duckdb.connect(":memory:") as connection:
        path = str(report.table("WindowsEvent").path)
        (user,) = connection.execute(
            "SELECT json_extract_string(EventData, '$.TargetUserName') FROM read_parquet(?) WHERE EventID = 4624",
            [path],
        ).fetchone() or ("",)
    assert user == logon["TargetUserName"]
    assert not report.table("WindowsEvent").wildcard
