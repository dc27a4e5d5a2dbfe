"""The zip of DFIR-Script.ps1 with the quirks its files have, and logs that Get-EventLog wrote."""

import gzip
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.culture import judged, read_local
from artifacts.dfir import dfir_member
from artifacts.eventcsv import message_fields
from tests.artifacts.conftest import DATA, Loaded, codes, counts, needs_data, rows, zipped

BOM = b"\xef\xbb\xbf"
ROOT = "DFIR-PC1-2026-01-18"
CSV = f"{ROOT}\\CSV Results (SIEM Import Data)"
LOGON = (
    "An account was successfully logged on.\r\n\r\n"
    "Subject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tPC1$\r\n"
    "\tAccount Domain:\t\tCONTOSO\r\n\tLogon ID:\t\t0x3E7\r\n\r\nLogon Information:\r\n\tLogon Type:\t\t10\r\n"
    "\tElevated Token:\t\tYes\r\n\r\nNew Logon:\r\n\tSecurity ID:\t\tS-1-5-21-1-2-3-1104\r\n\tAccount Name:\t\tann\r\n"
    "\tAccount Domain:\t\tCONTOSO\r\n\tLogon ID:\t\t0x1234\r\n\r\nProcess Information:\r\n\tProcess ID:\t\t0x5b4\r\n"
    "\tProcess Name:\t\tC:\\Windows\\System32\\svchost.exe\r\n\r\nNetwork Information:\r\n\tWorkstation Name:\tEVIL\r\n"
    "\tSource Network Address:\t203.0.113.7\r\n\tSource Port:\t\t50123\r\n"
)
SECURITY_HEADER = (
    '"EventID","MachineName","Data","Index","Category","CategoryNumber","EntryType","Message","Source",'
    '"ReplacementStrings","InstanceId","TimeGenerated","TimeWritten","UserName","Site","Container"\r\n'
)


def security_csv(*times: str) -> str:
    return SECURITY_HEADER + "".join(
        f'"4624","PC1.contoso.com","System.Byte[]","{900 + n}","(12544)","12544","SuccessAudit","{LOGON}",'
        f'"Microsoft-Windows-Security-Auditing","System.String[]","4624","{when}","{when}",,,\r\n'
        for n, when in enumerate(times)
    )


def dfir_zip(**more: bytes | str) -> bytes:
    members: dict[str, bytes | str] = {
        f"{CSV}\\AutoRun.csv": BOM
        + '"Name","Command","Location","User"\r\n"Vänta","=cmd|x","HKLM\\Run","PC1\\ann"\r\n'.encode(),
        f"{CSV}\\Processes.csv": '"Proc_Path","Proc_Hash"\r\n"C:\\a.exe","AB12"\r\n',
        f"{CSV}\\OpenTCPConnections.csv": BOM
        + b'"State","LocalAddress","LocalPort","RemoteAddress","RemotePort","OwningProcess","CreationTime"\r\n'
        b'"Established","10.0.0.5","50001","203.0.113.7","443","4120","18.01.2026 15:35:24"\r\n',
        f"{CSV}\\PowerShellHistory.csv": BOM,
        f"{CSV}\\ActiveUsers.csv": BOM
        + b" USERNAME,SESSIONNAME,ID,STATE,IDLE TIME,LOGON TIME\r\n>ann,rdp-tcp#1,2,Active,.,1/18/2026 3:35 PM\r\n"
        b" bob,3,Disc,5,1/17/2026 9:00 AM\r\n",
        f"{CSV}\\Drivers.csv": BOM + b"\r\nModule Name,Display Name,Driver Type,Link Date\r\n====,====,====,====\r\n"
        b"1394ohci,1394 OHCI,Kernel,\r\n",
        f"{CSV}\\DefenderExclusions.csv": BOM + b"C:\\Temp\r\n\r\n.ps1\r\n",
        f"{ROOT}\\DefenderExclusions\\ExclusionPath.txt": b"\xff\xfe" + "C:\\Temp\r\n".encode("utf-16-le"),
        f"{ROOT}\\ProcessInformation\\ProcessList.csv": (
            '"Proc_Name","Proc_ProcessId","Proc_CommandLine"\r\n"a.exe","4120","a -x"\r\n'
        ),
        f"{ROOT}\\ConnectedDevices\\ConnectedDevices.csv": '"Class","Status"\r\n"USB","OK"\r\n',
        f"{ROOT}\\ipconfig.txt": b"\xff\xfe" + "Windows IP\r\n".encode("utf-16-le"),
        **more,
    }
    return zipped(members)


def test_each_csv_becomes_a_table(run: Loaded) -> None:
    report = run({f"{ROOT}.zip": dfir_zip()})
    assert counts(report) == {
        "DFIR_ActiveUsers": 2, "DFIR_AutoRun": 1, "DFIR_DefenderExclusions": 2, "DFIR_Drivers": 1,
        "DFIR_ConnectedDevices": 1,        "DFIR_OpenTCPConnections": 1, "DFIR_ProcessList": 1, "DFIR_Processes": 1,
    }  # fmt: skip
    assert report.problems == ()
    (autorun,) = rows(report, "DFIR_AutoRun")
    assert (autorun["Name"], autorun["Command"], autorun["User"]) == ("Vänta", "=cmd|x", "PC1\\ann")
    assert (autorun["DeviceName"], autorun["CollectedOn"]) == ("pc1", "2026-01-18")
    assert autorun["SourceFile"].endswith("!DFIR-PC1-2026-01-18/CSV Results (SIEM Import Data)/AutoRun.csv")
    assert rows(report, "DFIR_ProcessList")[0]["Proc_ProcessId"] == 4120


def test_text_tables_are_set_right_where_a_cell_is_missing(run: Loaded) -> None:
    ann, bob = rows(run({f"{ROOT}.zip": dfir_zip()}), "DFIR_ActiveUsers")
    assert (ann["USERNAME"], ann["SESSIONNAME"], ann["ID"], ann["IsCurrent"]) == ("ann", "rdp-tcp#1", "2", "true")
    assert (bob["USERNAME"], bob.get("SESSIONNAME"), bob["ID"], bob["STATE"]) == ("bob", None, "3", "Disc")
    assert bob["RawLine"] == " bob,3,Disc,5,1/17/2026 9:00 AM" and bob["IsCurrent"] == "false"


def test_exclusions_without_header_keep_their_kind_where_a_file_tells_it(run: Loaded) -> None:
    found = {(row["Kind"], row["Value"]) for row in rows(run({f"{ROOT}.zip": dfir_zip()}), "DFIR_DefenderExclusions")}
    assert found == {("Unlabelled", ".ps1"), ("Path", "C:\\Temp")}


def test_dates_stay_text_and_get_a_typed_twin_only_where_plain(run: Loaded) -> None:
    (row,) = rows(run({f"{ROOT}.zip": dfir_zip()}), "DFIR_OpenTCPConnections")
    assert (row["CreationTime"], str(row["CreationTime_Local"])) == ("18.01.2026 15:35:24", "2026-01-18 15:35:24")
    assert (row["LocalPort"], row["OwningProcess"]) == (50001, 4120)


def test_as_the_blob_comes_gzip_around_the_zip(run: Loaded) -> None:
    assert counts(run({f"{ROOT}.zip": gzip.compress(dfir_zip())}))["DFIR_AutoRun"] == 1


def test_security_events_become_events_as_far_as_their_message_goes(run: Loaded) -> None:
    text = BOM + security_csv("1/18/2026 3:35:24 PM", "1/17/2026 11:00:00 AM").encode()
    report = run({f"{ROOT}.zip": dfir_zip(**{f"{CSV}\\SecurityEvents.csv": text})})
    assert counts(report)["DFIR_SecurityEvents"] == counts(report)["SecurityEvent"] == 2
    logon = rows(report, "DeviceLogonEvents")[0]
    assert (logon["ActionType"], logon["LogonType"], logon["AccountName"]) == (
        "LogonSuccess",
        "RemoteInteractive",
        "ann",
    )
    assert (logon["RemoteIP"], logon["RemotePort"], logon["DeviceName"]) == ("203.0.113.7", 50123, "pc1.contoso.com")
    raw = rows(report, "SecurityEvent")[0]
    assert str(raw["TimeGenerated"]) == "2026-01-18 15:35:24"
    assert raw["TimeSource"] == "TimeGenerated (local, offset unknown)" and raw["EventRecordId"] == "900"
    assert (raw["Account"], raw["SubjectAccount"], raw["LogonType"]) == ("CONTOSO\\ann", "CONTOSO\\PC1$", 10)


def test_a_culture_that_cannot_be_told_leaves_the_time_empty_and_says_so(run: Loaded) -> None:
    report = run({"SecurityEvents-x.csv": security_csv("2/1/2026 03:35:24")})
    (row,) = rows(report, "SecurityEvent")
    assert "TimeGenerated" not in row and row["TimeSource"] == "unread: 2/1/2026 03:35:24"
    assert codes(report) == ["csv.culture"]


def test_a_csv_that_breaks_off_is_counted_and_not_read_twice(run: Loaded) -> None:
    header = '"Name","Status","ServiceName"\r\n'
    broken = BOM + f'{header}"a","Running","a"\r\n"b","Running","b"\r\n"c","Run'.encode()
    text = "\r\n".join(f"Name        : {name}\r\nStatus      : Running\r\n" for name in "abc")
    report = run(
        {f"{ROOT}.zip": zipped({f"{CSV}\\RunningServices.csv": broken, f"{ROOT}\\Services\\RunningServices.txt": text})}
    )
    assert codes(report) == ["csv.broken"] and counts(report) == {"DFIR_RunningServices": 3}
    assert [(file.kind, file.records) for file in report.files] == [("dfir", 3), ("twin", 0), ("zip", 2)]


def test_a_log_as_csv_that_breaks_off_keeps_its_rows(run: Loaded) -> None:
    text = security_csv("1/18/2026 3:35:24 PM", "1/17/2026 11:00:00 AM")[:-200]
    report = run({f"{ROOT}.zip": zipped({f"{CSV}\\SecurityEvents.csv": text}), "SecurityEvents-x.csv": text})
    assert codes(report) == ["csv.broken", "csv.broken"]
    # The row that is cut in its message has lost its source.
    assert counts(report)["DFIR_SecurityEvents"] == counts(report)["SecurityEvent"] == counts(report)["Event"] == 2
    assert [file.records for file in report.files if file.kind == "csv"] == [2, 2]
    assert {str(row.get("TimeGenerated")) for row in rows(report, "SecurityEvent")} >= {"2026-01-18 15:35:24"}


@needs_data
def test_the_log_of_another_device_does_not_stand_for_a_csv(run: Loaded) -> None:
    log = (DATA / "evtx/remote_sam_registry_access_via_backup_operator_priv.evtx").read_bytes()
    members: dict[str, Any] = {
        "DFIR-PC1-2026-01-18/CSV Results (SIEM Import Data)/SecurityEvents.csv": security_csv("18.01.2026 15:35:24"),
        "DFIR-PC2-2026-01-18/Event Viewer/Security.evtx": log,
    }
    report = run({"both.zip": zipped(members)})
    assert "dfir.twin" not in codes(report) and counts(report)["SecurityEvent"] == 32


@needs_data
def test_event_logs_win_over_their_csv_and_lend_the_full_name(run: Loaded) -> None:
    log = (DATA / "evtx/remote_sam_registry_access_via_backup_operator_priv.evtx").read_bytes()
    first = rows(run({"Security.evtx": log}), "SecurityEvent")[0]["Computer"]
    root = f"DFIR-{first.partition('.')[0]}-2026-01-18"
    members: dict[str, Any] = {
        f"{root}\\CSV Results (SIEM Import Data)\\SecurityEvents.csv": security_csv("18.01.2026 15:35:24"),
        f"{root}\\Event Viewer\\Security.evtx": log,
    }
    report = run({f"{root}.zip": zipped(members)})
    assert codes(report) == ["dfir.twin"] and counts(report)["SecurityEvent"] == 31
    assert rows(report, "DFIR_SecurityEvents")[0]["DeviceName"] == first.lower()


@pytest.mark.parametrize(
    ("texts", "collected", "order"),
    [
        (["1/18/2026 3:35:24 PM"], None, "mdy"),
        (["18/01/2026 15:35:24"], None, "dmy"),
        (["18.01.2026 15:35:24", "01.02.2026 10:00:00"], None, "dmy"),
        (["2026/01/18 15:35:24"], None, "ymd"),
        (["2026-01-02 15:35:24"], None, "ymd"),
        (["1/2/2026 3:35:24 PM"], None, None),
        (["1/2/2026 3:35:24 PM", "1/1/2026 3:35:24 PM"], date(2026, 1, 3), "mdy"),
        (["2/1/2026 15:35:24"], date(2026, 1, 3), "dmy"),
        (["3/3/2026 15:35:24"], date(2026, 3, 3), None),
        (["garbage"], None, None),
        (["1/18/2026 3:35:24 PM", "18/1/2026 3:35:24 PM"], None, None),
        ([], None, None),
    ],
)
def test_the_order_of_day_and_month(texts: list[str], collected: date | None, order: str | None) -> None:
    assert judged(texts, collected=collected).order == order


def test_twelve_hour_clocks() -> None:
    assert str(read_local("1/18/2026 12:00:01 AM", "mdy")) == "2026-01-18 00:00:01"
    assert str(read_local("1/18/2026 12:00:01 PM", "mdy")) == "2026-01-18 12:00:01"
    assert read_local("1/18/2026 13:00:01 PM", "mdy") is None


@given(st.text(max_size=200))
def test_any_message_gives_fields_or_none(text: str) -> None:
    assert all(isinstance(value, str) for value in message_fields(text).values())


@pytest.mark.parametrize(
    ("name", "table"),
    [
        (f"{ROOT}.zip!{ROOT}/CSV Results (SIEM Import Data)/AutoRun.csv", "DFIR_AutoRun"),
        (f"{ROOT}/csv results (siem import data)/Shadow Copy.csv", "DFIR_Shadow_Copy"),
        (f"x/{ROOT}/ProcessInformation/UniqueProcessHash.csv", "DFIR_UniqueProcessHash"),
        (f"{ROOT}/ConnectedDevices/ConnectedDevices.csv", "DFIR_ConnectedDevices"),
        (f"{ROOT}/ipconfig.txt", "DFIR_IpConfig"),
        (f"{ROOT}/MPLogs/MPLog-20260101.log", None),
        (f"{ROOT}/Persistence/notes.txt", None),
        ("CSV Results (SIEM Import Data)/AutoRun.csv", None),
    ],
)
def test_which_members_become_tables(name: str, table: str | None) -> None:
    found = dfir_member(name)
    assert (found.table if found else None) == table
