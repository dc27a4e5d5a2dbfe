"""What is known to be in the real input is found: through a tenant, on the command line, in the case's own tables."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from evtx import PyEvtxParser

from config import demo
from config.stack import BASE_DIR, Stack
from tests.journeys.client import RUNS, Api, ended
from tests.journeys.conftest import make_stack

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
RUN_KEYS = DATA / "security-datasets/empire_persistence_registry_modification_run_keys_standard_user.zip"
EVTX = tuple(sorted((DATA / "evtx").glob("*.evtx")))
GOLDEN = tuple(sorted((DATA / "golden-saml").glob("*.[Zz]ip")))
pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not RUN_KEYS.is_file(), reason="the real input in ../shared/data is not on this machine"),
]

AS_OF = "2020-09-04T12:00:00Z"
"""The recording's own day: a tenant keeps 30 days, so its clock must show this for the rows to be in reach."""
HUNT = "registry-run-keys"
WORKSTATION = "workstation5.theshire.local"
TRUTH = (WORKSTATION, "Updater", "powershell.exe", "RegistryValueSet", "2020-09-04T07:06:21.311")
DEFENDERS_OWN = [
    (WORKSTATION, "WindowsDefender", "msmpeng.exe", "RegistryValueSet", "2020-09-04T07:08:01.140"),
    (WORKSTATION, "WindowsDefender", "msmpeng.exe", "RegistryValueDeleted", "2020-09-04T07:08:07.124"),
]
Fact = tuple[str, str, str, str, str]
Row = dict[str, Any]


def fact(row: Row) -> Fact:
    """What makes a row the same on every way: device, value, setter, action, time to the millisecond."""
    moment = datetime.fromisoformat(row["Timestamp"]).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return row["DeviceName"].lower(), row["ValueName"], row["SetBy"].lower(), row["ActionType"], moment


def of_workstation(rows: list[Row]) -> list[Fact]:
    return [fact(row) for row in rows if row["DeviceName"].lower() == WORKSTATION]


@pytest.fixture(scope="module")
def recorded() -> Iterator[Stack]:
    """A stack whose tenant holds the recording as it was made and whose clock shows that day."""
    root = Path(tempfile.mkdtemp(prefix="ircase-truth-"))
    story = ("--devices", "10", "--days", "1", "--connections", "20")
    stack = make_stack(root, *story, "--telemetry", str(RUN_KEYS.resolve()), "--now", AS_OF)
    try:
        demo.start(stack)
        # Its clock shows another year, so that IRCase must not think the rows gone.
        keep = "c.limits['hunting_retention_days'] = 36500; c.save()"
        stack.manage("shell", "-c", f"from ircase.models import Connection\nc = Connection.objects.get()\n{keep}")
        yield stack
    finally:
        stack.stop()
        if not os.environ.get("IRCASE_KEEP_JOURNEYS"):
            shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def bob(recorded: Stack) -> Api:
    return Api(recorded, "bob")


def open_case(bob: Api, title: str) -> str:
    return str(bob.post("/cases", {"title": title, "connection": "Simulated tenant"})["reference"])


def run_to_its_end(bob: Api, reference: str, **asked: Any) -> Row:
    queued = bob.post(RUNS.format(reference), asked)
    run: Row = bob.until(f"{RUNS.format(reference)}/{queued['uuid']}", ended)
    assert (run["state"], run["reason"], run["truncated"]) == ("done", "", False)
    return run


def ask(bob: Api, reference: str, kql: str) -> list[Row]:
    """The rows of a person's own KQL over the case's tables."""
    run = run_to_its_end(bob, reference, source="case", kql=kql)
    rows: list[Row] = bob.get(f"{RUNS.format(reference)}/{run['uuid']}/rows", params={"limit": 500})["rows"]
    assert len(rows) == run["row_count"]
    return rows


def record_of(bob: Api, reference: str, run: Row) -> list[Row]:
    """The rows as they were sealed; the file is what its hash says."""
    item = bob.get(f"/cases/{reference}/evidence/{run['evidence']}")
    record = bob.get(f"/cases/{reference}/evidence/{run['evidence']}/download")
    assert hashlib.sha256(record).hexdigest() == item["sha256"]
    assert item["manifest"]["query_sha256"] == run["kql_sha256"]
    return [json.loads(line) for line in record.splitlines()]


def upload_and_read(bob: Api, reference: str, files: dict[str, bytes]) -> dict[str, Row]:
    """Seal the files in one upload and wait until each has been read; the imports by file name."""
    parts = [("file", (name, content)) for name, content in files.items()]
    sealed = bob.call("POST", f"/cases/{reference}/evidence", files=parts)
    assert sealed["problems"] == []
    assert [item["name"] for item in sealed["sealed"]] == list(files)
    return {
        item["name"]: bob.until(f"/cases/{reference}/evidence/{item['uuid']}/import", ended)
        for item in sealed["sealed"]
    }


# --- the truth, three ways -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_the_tenant(bob: Api) -> list[Row]:
    """The library's hunt through Graph. What it brings is sealed."""
    reference = open_case(bob, "Run key, by the tenant")
    run = run_to_its_end(bob, reference, source="defender", hunt=HUNT, span="48h", as_of=AS_OF)
    assert run["window_start"] == "2020-09-02T12:00:00Z"
    assert run["request_ids"]
    return record_of(bob, reference, run)


@pytest.fixture(scope="module")
def by_the_command(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The library's text with a prelude, as a person would write it, over the zip as it is."""
    folder = tmp_path_factory.mktemp("command")
    text = yaml.safe_load((BASE_DIR / f"hunting/library/{HUNT}.yaml").read_text(encoding="utf-8"))["kql"]
    query = folder / "run-keys.kql"
    query.write_text(f'let TargetDevice = "";\nlet SearchWindow = 48h;\nlet AsOf = now();\n{text}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "manage.py", "kql", "--file", str(query), "--data", str(RUN_KEYS), "--now", AS_OF,
         "--format", "json"],
        # Nothing is configured: the command needs no database, no secret and no demo.
        env={"PATH": os.environ["PATH"], "IRCASE_DEMO_DIR": str(folder / "none")},
        cwd=BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rows: list[Row] = json.loads(done.stdout)
    return rows


@pytest.fixture(scope="module")
def by_the_case(bob: Api) -> list[Row]:
    """The library's hunt on the tables made of the zip, which is the case's evidence."""
    reference = open_case(bob, "Run key, by the case's own tables")
    (done,) = upload_and_read(bob, reference, {RUN_KEYS.name: RUN_KEYS.read_bytes()}).values()
    assert (done["state"], done["reason"], done["problems"]) == ("done", "", [])
    made = {table["name"]: table["row_count"] for table in bob.get(f"/cases/{reference}/tables")["items"]}
    assert made["WindowsEvent"] == 40_569 == made["SecurityEvent"] + made["Event"]
    run = run_to_its_end(bob, reference, source="case", hunt=HUNT, span="48h", as_of=AS_OF)
    return record_of(bob, reference, run)


class TestTheRunKey:
    def test_the_tenant_shows_who_set_it(self, by_the_tenant: list[Row]) -> None:
        assert of_workstation(by_the_tenant) == [TRUTH, *DEFENDERS_OWN]
        # The company's own devices are in the same answer: the hunt was asked for all of them.
        assert {row["DeviceName"] for row in by_the_tenant} > {WORKSTATION}

    def test_the_command_shows_who_set_it(self, by_the_command: list[Row]) -> None:
        assert [fact(row) for row in by_the_command] == [TRUTH, *DEFENDERS_OWN]

    def test_the_cases_own_tables_show_who_set_it(self, by_the_case: list[Row]) -> None:
        assert [fact(row) for row in by_the_case] == [TRUTH, *DEFENDERS_OWN]

    def test_all_three_say_the_same_in_every_column(
        self, by_the_tenant: list[Row], by_the_command: list[Row], by_the_case: list[Row]
    ) -> None:
        tenant = [row for row in by_the_tenant if row["DeviceName"].lower() == WORKSTATION]
        assert tenant == by_the_command == by_the_case

    def test_the_row_tells_the_attacker_from_defender(self, by_the_case: list[Row]) -> None:
        attacker, own, removed = by_the_case
        assert attacker["Hive"] == "user"
        assert attacker["Key"].endswith(r"\Software\Microsoft\Windows\CurrentVersion\Run")
        assert "powershell -Win Hidden -enc" in attacker["ValueData"]
        assert own["Hive"] == removed["Hive"] == "machine"
        assert own["SetByFolder"].endswith(r"\windows defender\msmpeng.exe")

    def test_out_of_the_window_it_is_not_shown(self, bob: Api) -> None:
        reference = open_case(bob, "Run key, the day before")
        run = run_to_its_end(bob, reference, source="defender", hunt=HUNT, span="48h", as_of="2020-09-04T07:06:21.310Z")
        assert of_workstation(record_of(bob, reference, run)) == []

    def test_what_was_sealed_verifies(self, recorded: Stack, by_the_tenant: list[Row], by_the_case: list[Row]) -> None:
        assert recorded.manage("verify_evidence")


# --- event logs and the rows of one intrusion ------------------------------------------------------------------------


def events_in(path: Path) -> int:
    """How many records a log holds, by the bare library."""
    return sum(1 for _ in PyEvtxParser(str(path)).records())


@pytest.fixture(scope="module")
def logs_in_one_upload(bob: Api) -> tuple[str, dict[str, Row]]:
    reference = open_case(bob, "Nineteen logs")
    return reference, upload_and_read(bob, reference, {path.name: path.read_bytes() for path in EVTX})


class TestEventLogs:
    def test_one_upload_of_nineteen_files_makes_nineteen_exhibits_that_are_read(
        self, bob: Api, logs_in_one_upload: tuple[str, dict[str, Row]]
    ) -> None:
        reference, imports = logs_in_one_upload
        assert len(imports) == 19
        assert {(row["state"], row["reason"]) for row in imports.values()} == {("done", "")}
        assert {name: row["problems"] for name, row in imports.items() if row["problems"]} == {}
        read = {row["evidence"]: name for name, row in imports.items()}
        rows = Counter[str]()
        for table in bob.get(f"/cases/{reference}/tables")["items"]:
            if table["name"] == "WindowsEvent":
                rows[read[table["evidence"]]] += table["row_count"]
        assert rows == {path.name: events_in(path) for path in EVTX}
        assert rows.total() == 165

    def test_hunts_run_over_all_logs_at_once(self, bob: Api, logs_in_one_upload: tuple[str, dict[str, Row]]) -> None:
        reference, _ = logs_in_one_upload
        channels = ask(bob, reference, "WindowsEvent | summarize Rows = count() by Channel | sort by Channel asc")
        assert sum(row["Rows"] for row in channels) == 165
        planted = 'DeviceProcessEvents | where FolderPath has "HarddiskVolumeShadowCopy7"'
        (row,) = ask(bob, reference, f"{planted} | project DeviceName, FileName, InitiatingProcessFileName")
        assert row == {
            "DeviceName": "iewin7",
            "FileName": "svhost64.exe",
            "InitiatingProcessFileName": "wmiprvse.exe",
        }

    def test_what_cannot_be_read_in_a_zip_is_named_and_the_rest_is_kept(self, bob: Api) -> None:
        reference = open_case(bob, "Nineteen logs and a broken one")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("logs/broken.evtx", b"ElfFile\x00" + bytes(range(256)) * 300)
            for path in EVTX:
                archive.writestr(f"logs/{path.name}", path.read_bytes())
        (done,) = upload_and_read(bob, reference, {"logs.zip": packed.getvalue()}).values()
        assert (done["state"], done["reason"]) == ("done", "")
        assert done["problems"]
        assert all("broken.evtx" in problem["member"] and problem["message"] for problem in done["problems"])
        assert ask(bob, reference, "WindowsEvent | count") == [{"Count": 165}]


@pytest.fixture(scope="module")
def golden(bob: Api) -> str:
    """The reference of a case that holds the four zips, read."""
    reference = open_case(bob, "Golden SAML")
    imports = upload_and_read(bob, reference, {path.name: path.read_bytes() for path in GOLDEN})
    assert len(imports) == 4
    assert {(row["state"], row["reason"], len(row["problems"])) for row in imports.values()} == {("done", "", 0)}
    return reference


class TestGoldenSaml:
    TABLES = {
        "AADAuditEvents": 4, "AuditLogs": 4, "Microsoft365DefenderEvents": 9, "DeviceEvents": 5, "CloudAppEvents": 2,
        "IdentityDirectoryEvents": 2, "OfficeActivity": 1, "OfficeActivityEvents": 1, "WindowsEvents": 38,
        "SecurityEvent": 35, "Event": 2,
    }  # fmt: skip

    def test_the_rows_of_one_intrusion_load_and_answer(self, bob: Api, golden: str) -> None:
        made = bob.get(f"/cases/{golden}/tables")["items"]
        assert {table["name"]: table["row_count"] for table in made if table["origin"] != "hunt"} == self.TABLES
        searched = ask(bob, golden, 'DeviceEvents | where ActionType == "LdapSearch" | distinct DeviceName')
        assert searched == [{"DeviceName": "adfs01.simulandlabs.com"}]
        mail = ask(bob, golden, "OfficeActivity | project Operation, Client_IPAddress")
        assert mail == [{"Operation": "MailItemsAccessed", "Client_IPAddress": "1.2.3.4"}]
        # One question over device, identity and cloud: what the intruder did, in order.
        parts = (
            f"({table} | project Timestamp, ActionType)"
            for table in ("CloudAppEvents", "IdentityDirectoryEvents", "DeviceEvents")
        )
        steps = ask(bob, golden, f"union {', '.join(parts)} | sort by Timestamp asc | project ActionType")
        replicated = "Directory Services replication"
        assert [row["ActionType"] for row in steps] == [
            replicated, "LdapSearch", "LdapSearch", "LdapSearch", "LdapSearch", replicated, "LdapSearch",
            "Add delegated permission grant.", "MailItemsAccessed",
        ]  # fmt: skip

    def test_a_pattern_leaves_out_second_views(self, bob: Api, golden: str) -> None:
        rows = ask(bob, golden, "union withsource=From * | summarize Rows = count() by From")
        second_views = {"AADAuditEvents", "Microsoft365DefenderEvents", "OfficeActivityEvents"}
        assert {row["From"]: row["Rows"] for row in rows} == {
            name: count for name, count in self.TABLES.items() if name not in second_views
        }
