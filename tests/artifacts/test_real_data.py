"""The real input: counts as its README states them, and the truth to find in it."""

import json
from datetime import UTC, datetime

import pytest

from artifacts import LoadReport, load
from kql import Table, query
from tests.artifacts.conftest import DATA, Loaded, counts, needs_data, rows

pytestmark = needs_data


def ask(report: LoadReport, text: str, now: str = "2020-09-04T12:00:00+00:00") -> list[dict[str, object]]:
    tables = [Table(table.name, (table.path,), "parquet", table.columns) for table in report.tables]
    with query(text, tables, now=datetime.fromisoformat(now)) as result:
        return [dict(zip((column.name for column in result.columns), row, strict=True)) for row in result]


RUN_KEY_HUNT = r"""
DeviceRegistryEvents
| where Timestamp > ago(48h)
| where ActionType == "RegistryValueSet"
| where RegistryKey endswith @"\Microsoft\Windows\CurrentVersion\Run" or RegistryKey endswith @"\CurrentVersion\RunOnce"
| project Timestamp, DeviceName, RegistryKey, RegistryValueName, InitiatingProcessFileName
| sort by Timestamp asc
"""


def test_the_run_key_that_the_attacker_set_is_found(run_keys: LoadReport) -> None:
    attacker, defender = ask(run_keys, RUN_KEY_HUNT)
    assert attacker == {
        "Timestamp": datetime(2020, 9, 4, 7, 6, 21, 311000, tzinfo=UTC),
        "DeviceName": "workstation5.theshire.local",
        "RegistryKey": "HKEY_CURRENT_USER\\S-1-5-21-3125456671-949036322-3048627137-1104"
        "\\Software\\Microsoft\\Windows\\CurrentVersion\\Run",
        "RegistryValueName": "Updater",
        "InitiatingProcessFileName": "powershell.exe",
    }
    assert (defender["RegistryValueName"], defender["InitiatingProcessFileName"]) == ("WindowsDefender", "msmpeng.exe")


def test_every_event_is_a_raw_row_and_says_its_time(run_keys: LoadReport) -> None:
    found = counts(run_keys)
    assert found["WindowsEvent"] == 40_569 == found["SecurityEvent"] + found["Event"]
    # by hand from the file: 7,839 of Sysmon 12 and 5,376 of 13 (each one row), 34 of Security 4657
    assert found["DeviceRegistryEvents"] == 7_839 + 5_376 + 34
    assert found["DeviceImageLoadEvents"] == 3_907
    assert found["DeviceProcessEvents"] == 120 + 546
    assert run_keys.problems == () and run_keys.complete
    sources = {row["TimeSource"]: row["n"] for row in ask(run_keys, "WindowsEvent | summarize n=count() by TimeSource")}
    # 20,156 events carry UtcTime; the others all learned their host's offset
    assert sources == {"UtcTime": 20_156, "EventTime+offset": 20_413}


def test_no_time_lies_outside_the_recording(run_keys: LoadReport) -> None:
    for table in run_keys.tables:
        assert table.first_time is not None and table.last_time is not None
        assert table.first_time >= "2020-09-04T07:06:0" and table.last_time < "2020-09-04T07:09:58", table.name


@pytest.mark.parametrize(
    ("name", "events", "first", "last"),
    [
        ("rdp_interactive_taskmanager_lsass_dump.zip", 5_489, "2020-09-22T08:37", "2020-09-22T08:39"),
        ("empire_enable_rdp.tar.gz", 2_668, "2019-05-07T11:50", "2019-05-18T20:37"),
        ("psh_mshta_html_application_execution.zip", 1_553, "2020-10-22T07:52", "2020-10-22T07:52"),
        ("cmd_bitsadmin_download_psh_script.zip", 424, "2020-10-23T06:36", "2020-10-23T06:36"),
    ],
)
def test_the_other_recordings_load(run: Loaded, name: str, events: int, first: str, last: str) -> None:
    report = run({name: (DATA / "security-datasets" / name).read_bytes()})
    assert report.problems == () and report.table("WindowsEvent").rows == events
    assert report.table("WindowsEvent").first_time[:16] == first  # type: ignore[index]
    assert report.table("WindowsEvent").last_time[:16] == last  # type: ignore[index]


def test_the_golden_saml_rows_fall_into_their_tables_and_keep_their_files(run: Loaded) -> None:
    report = run({path.name: path.read_bytes() for path in sorted((DATA / "golden-saml").iterdir())})
    assert counts(report) == {
        "AADAuditEvents": 4, "AuditLogs": 4, "Microsoft365DefenderEvents": 9, "DeviceEvents": 5, "CloudAppEvents": 2,
        "IdentityDirectoryEvents": 2, "OfficeActivity": 1, "OfficeActivityEvents": 1, "WindowsEvents": 38,
        "SecurityEvent": 35, "Event": 2,
    }  # fmt: skip
    assert report.problems == ()
    searches = ask(report, 'DeviceEvents | where ActionType == "LdapSearch" | project AdditionalFields, DeviceName')
    assert {row["DeviceName"] for row in searches} == {"adfs01.simulandlabs.com"}
    assert all(isinstance(row["AdditionalFields"], dict) for row in searches)
    (mail,) = ask(report, "OfficeActivity | project Operation, Client_IPAddress")
    assert mail == {"Operation": "MailItemsAccessed", "Client_IPAddress": "1.2.3.4"}
    assert {table.name for table in report.tables if not table.wildcard} == {
        "AADAuditEvents", "Microsoft365DefenderEvents", "OfficeActivityEvents",
    }  # fmt: skip


def test_powershell_and_lsass_are_found_by_defenders_words(run: Loaded) -> None:
    name = "rdp_interactive_taskmanager_lsass_dump.zip"
    report = run({name: (DATA / "security-datasets" / name).read_bytes()})
    access = ask(
        report,
        'DeviceEvents | where ActionType == "OpenProcessApiCall" and FileName =~ "lsass.exe"'
        ' | summarize n=count() by InitiatingProcessFileName | where InitiatingProcessFileName == "taskmgr.exe"',
    )
    assert access and access[0]["n"]
    dumped = [row for row in rows(report, "DeviceFileEvents") if row["FileName"].lower() == "lsass.dmp"]
    assert dumped and dumped[0]["InitiatingProcessFileName"] == "taskmgr.exe"


def test_the_report_survives_json(run_keys: LoadReport) -> None:
    assert LoadReport.from_json(json.loads(json.dumps(run_keys.to_json()))) == run_keys


def test_a_folder_of_everything_loads_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    report = load([DATA / "evtx", DATA / "golden-saml"], tmp_path_factory.mktemp("all"))
    assert report.complete and report.problems == ()
    assert sum(file.records for file in report.files if file.kind == "evtx") == 165
