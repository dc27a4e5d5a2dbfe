"""The evidence that the simulated devices give: layout, encodings and content."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from artifacts import load
from simulator.core import Simulator
from simulator.dfir.archive import CSV_FOLDER, dfir_zip, events_csv, search_window
from simulator.dfir.events import COLUMNS
from simulator.dfir.facts import facts_of
from simulator.dfir.package import investigation_package
from simulator.dfir.powershell import ascii_only, csv_lines, culture_date, list_lines, utf8_bom, utf16
from tests.simulator.conftest import NOW

ROOT = "DFIR-JUMP01-2026-05-15"


@pytest.fixture(scope="module")
def zipped(built: Simulator) -> bytes:
    device = built.device("jump01")
    assert device is not None
    return dfir_zip(facts_of(built, device, NOW), "")


def member(zipped: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        info = next(entry for entry in archive.infolist() if entry.orig_filename == f"{ROOT}\\{name}")
        return archive.read(info)


def table(zipped: bytes, name: str) -> list[dict[str, str]]:
    text = member(zipped, f"{CSV_FOLDER}\\{name}.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_writing_as_powershell_does() -> None:
    assert utf16(["ä"]) == b"\xff\xfe\xe4\x00\r\x00\n\x00"
    assert utf8_bom(["ä"]) == b"\xef\xbb\xbf\xc3\xa4\r\n"
    assert ascii_only(["ä"]) == b"?\r\n"
    assert csv_lines(("a", "b", "c"), [{"a": 'x"y', "b": None, "c": datetime(2026, 1, 18, 15, 35, 24)}]) == [
        '"a","b","c"', '"x""y",,"1/18/2026 3:35:24 PM"',
    ]  # fmt: skip
    assert csv_lines(("a",), []) == []
    assert culture_date(datetime(2026, 1, 2, 0, 5, 6)) == "1/2/2026 12:05:06 AM"
    assert list_lines(("Key", "Longer"), [{"Key": "one\r\ntwo", "Longer": 5}]) == [
        "", "Key    : one", "         two", "Longer : 5", "",
    ]  # fmt: skip


def test_names_begin_with_the_folder_and_have_backslashes(zipped: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        names = [entry.orig_filename for entry in archive.infolist()]
    assert all(name.startswith(f"{ROOT}\\") and "/" not in name for name in names)
    assert len(names) == len(set(names)) > 45


def test_encodings_are_those_of_the_script(zipped: bytes) -> None:
    assert member(zipped, "Persistence\\AutoRunInfo.txt").startswith(b"\xff\xfe")
    assert member(zipped, f"{CSV_FOLDER}\\LocalUsers.csv").startswith(b"\xef\xbb\xbf")
    assert "Opérations" in member(zipped, f"{CSV_FOLDER}\\LocalUsers.csv").decode("utf-8-sig")
    assert member(zipped, f"{CSV_FOLDER}\\Processes.csv").startswith(b'"Proc_Path","Proc_Hash"\r\n')
    for empty in ("OfficeConnections", "PowerShellHistory", "NetworkShares"):
        assert member(zipped, f"{CSV_FOLDER}\\{empty}.csv") == b"\xef\xbb\xbf"


def test_the_intruders_traces_are_in_it(zipped: bytes) -> None:
    autorun = {row["Name"]: row for row in table(zipped, "AutoRun")}
    assert autorun["EdgeHelper"]["Location"] == r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run"
    assert {row["TaskName"] for row in table(zipped, "ScheduledTasks")} >= {"UpdateCheck"}
    assert "EdgeHelperSvc" in {row["Name"] for row in table(zipped, "RunningServices")}
    assert "203.0.113.91" in {row["RemoteAddress"] for row in table(zipped, "OpenTCPConnections")}
    assert "telemetry.edge-sync.example" in {row["Entry"] for row in table(zipped, "DNSCache")}


def test_connections_join_the_process_list(zipped: bytes) -> None:
    text = member(zipped, "ProcessInformation\\ProcessList.csv").decode("ascii")
    processes = {row["Proc_ProcessId"]: row for row in csv.DictReader(io.StringIO(text))}
    control = next(row for row in table(zipped, "OpenTCPConnections") if row["RemoteAddress"] == "203.0.113.91")
    assert processes[control["OwningProcess"]]["Proc_Name"] == "edgehelper.exe"


def test_security_events_have_messages_of_many_lines(zipped: bytes) -> None:
    rows = table(zipped, "SecurityEvents")
    assert tuple(rows[0]) == COLUMNS
    success = next(
        row
        for row in rows
        if row["EventID"] == "4624" and "203.0.113.77" in row["Message"] and "\t10\r\n" in row["Message"]
    )
    assert "\tAccount Name:\t\tm.okafor\r\n" in success["Message"]
    assert success["TimeGenerated"] == "5/15/2026 1:52:11 PM"
    assert {row["EntryType"] for row in rows} == {"SuccessAudit", "FailureAudit"}


def test_the_search_window_limits_events_only(built: Simulator) -> None:
    assert (search_window(""), search_window("-sw 10"), search_window("-x")) == (2.0, 10.0, 2.0)
    device = built.device("srv-file01")
    assert device is not None
    facts = facts_of(built, device, NOW)
    short = len(list(csv.reader(io.StringIO(_events(dfir_zip(facts, ""))))))
    long = len(list(csv.reader(io.StringIO(_events(dfir_zip(facts, "-sw 7"))))))
    assert short < long


def _events(zipped: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        info = next(entry for entry in archive.infolist() if entry.orig_filename.endswith("\\SecurityEvents.csv"))
        return archive.read(info).decode("utf-8-sig")


def test_shifted_rows_and_headerless_exclusions(zipped: bytes) -> None:
    users = member(zipped, f"{CSV_FOLDER}\\ActiveUsers.csv").decode("utf-8-sig").splitlines()
    assert [line.count(",") for line in users] == [5, 5, 4]
    exclusions = member(zipped, f"{CSV_FOLDER}\\DefenderExclusions.csv").decode("utf-8-sig").splitlines()
    assert exclusions == [r"C:\ProgramData", "", "", "TideBook.exe"]


def test_another_device_tells_another_story(built: Simulator) -> None:
    device = built.device("ws-ops-01")
    assert device is not None
    zipped = dfir_zip(facts_of(built, device, NOW), "")
    assert b"EdgeHelper" not in zipped
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.infolist()[0].orig_filename.startswith("DFIR-WS-OPS-01-2026-05-15\\")


def test_artifacts_reads_all_of_it(tmp_path: Path, zipped: bytes, built: Simulator) -> None:
    device = built.device("srv-file01")
    assert device is not None
    (tmp_path / "collected.zip").write_bytes(zipped)
    (tmp_path / "SecurityEvents-2026-05-15.csv").write_bytes(events_csv(facts_of(built, device, NOW)))
    out = tmp_path / "out"
    out.mkdir()
    report = load([tmp_path / "collected.zip", tmp_path / "SecurityEvents-2026-05-15.csv"], out)
    assert not report.problems, json.dumps([problem.message for problem in report.problems])
    rows = {entry.name: entry.rows for entry in report.tables}
    assert rows["DFIR_AutoRun"] == 3 and rows["DFIR_ActiveUsers"] == 2
    assert rows["SecurityEvent"] > rows["DFIR_SecurityEvents"] > 100


def test_the_package_has_the_documented_folders(built: Simulator) -> None:
    device = built.device("jump01")
    assert device is not None
    with zipfile.ZipFile(io.BytesIO(investigation_package(facts_of(built, device, NOW)))) as package:
        folders = {name.split("/")[0] for name in package.namelist()}
        assert b"203.0.113.91" in package.read("Network connections/ActiveNetConnections.txt")
    assert {"Autoruns", "Network connections", "Processes", "Services", "WdSupportLogs", "Users and Groups"} <= folders
