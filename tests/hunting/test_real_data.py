"""The library's Run-key hunt over a case's own tables, made from events that were recorded during an attack."""

import tempfile
from pathlib import Path

import pytest

from artifacts import load
from ircase.services.analysis import tables
from tests.cast import CastTestCase, make_evidence
from tests.hunting.stage import queue_hunt, record_of, work

DATA = Path(__file__).resolve().parents[2] / "../shared/data/security-datasets"
RUN_KEYS = DATA / "empire_persistence_registry_modification_run_keys_standard_user.zip"


@pytest.mark.skipif(not RUN_KEYS.is_file(), reason=f"{RUN_KEYS.name} is not on this machine (../shared/data)")
class RunKeyTests(CastTestCase):
    def test_the_attackers_value_is_found_with_who_set_it(self) -> None:
        item = make_evidence(self.case, self.bob, b"stands for the zip", RUN_KEYS.name)
        with tempfile.TemporaryDirectory() as folder:
            report = load([RUN_KEYS], Path(folder), only={"DeviceRegistryEvents"})
            new = [
                tables.NewTable(t.name, t.path, t.columns, t.rows, t.first_time, t.last_time, t.origin)
                for t in report.tables
            ]
            tables.keep(evidence=item, tables=new)
        asked = {"AsOf": "2020-09-04T12:00:00Z", "SearchWindow": "48h"}
        run = work(queue_hunt(self.case, self.bob, "registry-run-keys", **asked))
        assert (run.state, run.reason) == ("done", "")
        found = {row["ValueName"]: row for row in record_of(run) if row["ActionType"] == "RegistryValueSet"}
        updater = found["Updater"]
        assert updater["Timestamp"].startswith("2020-09-04T07:06:21.311")
        assert updater["DeviceName"] == "workstation5.theshire.local"
        assert updater["SetBy"].lower() == "powershell.exe"
        assert updater["Hive"] == "user"
        assert updater["Key"].endswith(r"\Software\Microsoft\Windows\CurrentVersion\Run")
        assert found["WindowsDefender"]["SetBy"].lower() == "msmpeng.exe"
        named = work(queue_hunt(self.case, self.bob, "registry-run-keys", TargetDevice="workstation5", **asked))
        assert "Updater" in {row["ValueName"] for row in record_of(named)}
