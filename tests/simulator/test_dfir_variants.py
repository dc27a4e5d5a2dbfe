"""The DFIR zips that faults give: read as far as they can be, everything else named."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import duckdb
import pytest

from artifacts import LoadReport, load
from simulator.core import Simulator
from simulator.dfir.archive import dfir_zip
from simulator.dfir.facts import facts_of
from simulator.dfir.variants import changed, german
from simulator.faults import parse_fault
from tests.simulator.conftest import NOW


@pytest.fixture(scope="module")
def usual(built: Simulator) -> bytes:
    device = built.device("jump01")
    assert device is not None
    return dfir_zip(facts_of(built, device, NOW), "")


def loaded(folder: Path, content: bytes) -> LoadReport:
    path = folder / "collected.zip"
    path.write_bytes(content)
    return load([path], folder / "out")


def cells(report: LoadReport, table: str, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:") as connection:
        return connection.execute(f"SELECT {sql} FROM read_parquet(?)", [str(report.table(table).path)]).fetchall()


def test_without_a_fault_nothing_changes(usual: bytes) -> None:
    assert changed(usual, frozenset()) is usual
    assert {parse_fault({"match": "/blob/", "fault": kind}).kind for kind in ("hostile_zip", "german_device")}


def test_german_dates_and_words_keep_their_encoding() -> None:
    assert german("\ufeff5/15/2026 1:52:11 PM".encode("utf-16-le")) == "\ufeff15.05.2026 13:52:11".encode("utf-16-le")
    assert german(b'\xef\xbb\xbf"5/6/2026 12:02 AM"') == b'\xef\xbb\xbf"06.05.2026 00:02"'
    assert german(b"Account Domain:\tx") == b"Kontodom?ne:\tx"


def test_the_german_zip_gives_the_same_events(tmp_path: Path, usual: bytes) -> None:
    (tmp_path / "en").mkdir()
    english, report = loaded(tmp_path / "en", usual), loaded(tmp_path, changed(usual, {"german_device"}))
    assert report.problems == ()
    counted = "count(*), count(RemoteIP), count(DISTINCT AccountName), min(Timestamp), max(Timestamp)"
    assert cells(report, "DeviceLogonEvents", counted) == cells(english, "DeviceLogonEvents", counted)
    notes = {note.message.partition(":")[0] for note in report.notes if "SecurityEvents.csv" in note.member}
    assert any("day, month, year" in note for note in notes)


def test_the_hostile_zip_is_survived_and_every_part_named(tmp_path: Path, usual: bytes) -> None:
    content = changed(usual, {"hostile_zip"})
    report = loaded(tmp_path, content)
    codes = [problem.code for problem in report.problems]
    assert codes.count("archive.name") == 3 and report.complete
    for code in ("archive.bomb", "archive.link", "archive.encrypted", "text.nul"):
        assert code in codes, code
    assert cells(report, "DFIR_AutoRun", "Name, Command") == [("=cmd|' /C calc'!A1", "@SUM(1+1)")]
    assert cells(report, "DFIR_ShadowCopy", "ID") == [("{1}",)]
    assert cells(report, "PowerShellHistory", "count(*)")[0][0] >= 1  # type: ignore[operator]
    assert report.table("DFIR_RunningServices").rows and "DFIR_ProcessList" in {table.name for table in report.tables}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not any("ScheduledTask\\" in info.orig_filename for info in archive.infolist())
    assert not list(tmp_path.parent.glob("evil*")) and not Path("/etc/cron.d/evil.csv").exists()
