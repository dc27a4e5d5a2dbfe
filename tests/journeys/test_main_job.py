"""The main job through the API, as a script would do it: incident, case, triage pack, finding, collection, report."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from config.stack import Stack
from tests.journeys.client import Api, listed

pytestmark = pytest.mark.journey
PATIENT_ZERO = "jump01.northwharf.example"


def open_from_incident(analyst: Api) -> dict[str, Any]:
    """A new case of the tenant's main incident, led by Bob, with Alice as a second lead."""
    waiting = analyst.until("/incidents?show=all", lambda page: page["items"])["items"]
    main = max(waiting, key=lambda incident: incident["alert_count"])
    case: dict[str, Any] = analyst.post(f"/incidents/{main['id']}/accept", {"playbook": "device-compromise"})
    analyst.call("PUT", f"/cases/{case['reference']}/members/alice", json={"role": "lead"})
    return case


@pytest.fixture(scope="module")
def case(analyst: Api) -> dict[str, Any]:
    return open_from_incident(analyst)


def ended(row: dict[str, Any]) -> bool:
    return row["state"] in ("done", "failed", "cancelled")


def run_pack(api: Api, reference: str, pack: str = "device-triage") -> list[dict[str, Any]]:
    queued = api.post(
        f"/cases/{reference}/hunts/packs/{pack}", {"source": "defender", "parameters": {"TargetDevice": PATIENT_ZERO}}
    )
    return [api.until(f"/cases/{reference}/hunts/runs/{run['uuid']}", ended) for run in queued["runs"]]


class TestMainJob:
    def test_the_incident_became_a_case_with_its_entities(self, analyst: Api, case: dict[str, Any]) -> None:
        reference = case["reference"]
        names = {asset["name"] for asset in analyst.get(f"/cases/{reference}/assets")["items"]}
        assert PATIENT_ZERO in names
        assert analyst.get(f"/cases/{reference}/indicators")["total"] >= 5
        assert analyst.get(f"/cases/{reference}/events")["total"] >= 5
        required = [item for item in analyst.get(f"/cases/{reference}/checklist")["items"] if item["required"]]
        assert required
        milestones = {m["kind"] for m in analyst.get(f"/cases/{reference}/milestones")["items"]}
        assert {"detected", "acknowledged"} <= milestones

    def test_the_device_triage_pack_brings_evidence_home(self, analyst: Api, case: dict[str, Any]) -> None:
        reference = case["reference"]
        runs = run_pack(analyst, reference)
        assert {(run["hunt_id"], run["state"], run["reason"]) for run in runs if run["state"] != "done"} == set()
        with_rows = {run["hunt_id"]: run for run in runs if run["row_count"]}
        assert {"device-malicious-activity", "registry-run-keys", "device-process-list"} <= set(with_rows)
        exhibit = analyst.get(f"/cases/{reference}/evidence/{with_rows['registry-run-keys']['evidence']}")
        record = analyst.get(f"/cases/{reference}/evidence/{exhibit['uuid']}/download")
        assert hashlib.sha256(record).hexdigest() == exhibit["sha256"]
        assert len(record.splitlines()) == with_rows["registry-run-keys"]["row_count"]
        assert exhibit["manifest"]["query"] or exhibit["manifest"]["final_kql"]

    def test_a_finding_goes_to_the_timeline_with_its_provenance(self, analyst: Api, case: dict[str, Any]) -> None:
        reference = case["reference"]
        runs = analyst.get(f"/cases/{reference}/hunts/runs")["items"]
        run = next(r for r in runs if r["hunt_id"] == "registry-run-keys" and r["row_count"])
        rows = analyst.get(f"/cases/{reference}/hunts/runs/{run['uuid']}/rows")
        number = rows["numbers"][0]
        door = f"/cases/{reference}/hunts/runs/{run['uuid']}/rows/{number}/timeline"
        event = analyst.post(door, {"title": "Run key set by the loader"})
        assert event["provenance"]["run"] == run["uuid"]
        assert event["provenance"]["row"] == number

    def test_a_collection_is_approved_by_a_second_person_and_becomes_tables(
        self, analyst: Api, lead: Api, case: dict[str, Any]
    ) -> None:
        reference = case["reference"]
        analyst.until(f"/cases/{reference}/library-scripts", listed)
        asked = analyst.post(
            f"/cases/{reference}/collections",
            {"definition": "dfir-triage", "device": PATIENT_ZERO, "parameters": {"Days": 2}, "reason": "Loader seen"},
        )
        assert asked["state"] == "requested"
        waiting = [a for a in lead.get("/approvals")["items"] if a["subject"] == asked["uuid"]]
        lead.post(f"/approvals/{waiting[0]['uuid']}/decision", {"approve": True, "comment": "go"})
        row = analyst.until(f"/cases/{reference}/collections/{asked['uuid']}", lambda c: c["ended_at"])
        assert (row["state"], row["failure"]) == ("done", "")
        content = analyst.get(f"/cases/{reference}/evidence/{row['output']}/download")
        assert zipfile.ZipFile(io.BytesIO(content)).namelist()
        done = analyst.until(f"/cases/{reference}/evidence/{row['output']}/import", ended)
        assert done["state"] == "done", done
        tables = {table["name"]: table["row_count"] for table in analyst.get(f"/cases/{reference}/tables")["items"]}
        assert tables["DFIR_AutoRun"] > 0

    def test_the_same_kql_runs_on_the_cases_own_tables(self, analyst: Api, case: dict[str, Any]) -> None:
        reference = case["reference"]
        queued = analyst.post(
            f"/cases/{reference}/hunts/runs",
            {"source": "case", "kql": "DFIR_AutoRun | project Name, Command", "title": "Autoruns", "span": "7d"},
        )
        run = analyst.until(f"/cases/{reference}/hunts/runs/{queued['uuid']}", ended)
        assert (run["state"], run["reason"]) == ("done", "")
        assert run["row_count"] > 0

    def test_the_report_lists_every_exhibit_and_each_verifies(
        self, stack: Stack, analyst: Api, case: dict[str, Any], tmp_path: Path
    ) -> None:
        reference = case["reference"]
        analyst.call(
            "PATCH",
            f"/cases/{reference}",
            json={"summary": "An attacker came in by RDP.", "classification": "truePositive"},
        )
        build = analyst.post(f"/cases/{reference}/reports", {"seal": True})
        done = analyst.until(f"/cases/{reference}/reports/{build['uuid']}", ended)
        assert done["state"] == "done", done
        data = json.loads(_file(analyst, reference, done, "json"))
        exhibits = analyst.get(f"/cases/{reference}/evidence")["items"]
        for item in exhibits:
            content = analyst.get(f"/cases/{reference}/evidence/{item['uuid']}/download")
            assert hashlib.sha256(content).hexdigest() == item["sha256"]
        listed = json.dumps(data)
        assert all(item["sha256"] in listed for item in exhibits if item["kind"] != "report")
        pdf = PdfReader(io.BytesIO(_file(analyst, reference, done, "pdf")))
        text = "\n".join(page.extract_text() for page in pdf.pages)
        assert reference in text
        assert "An attacker came in by RDP." in text
        assert "registry" in text.lower()
        assert stack.manage("verify_evidence", reference)


def _file(api: Api, reference: str, build: dict[str, Any], kind: str) -> bytes:
    content = api.call("GET", f"/cases/{reference}/reports/{build['uuid']}/{kind}")
    return content if isinstance(content, bytes) else json.dumps(content).encode()


class TestTampering:
    def test_one_changed_byte_is_said_by_the_command_the_case_and_the_report(self, stack: Stack, analyst: Api) -> None:
        case = analyst.post("/cases", {"title": "Tampering drill"})
        reference = case["reference"]
        sealed = analyst.call(
            "POST", f"/cases/{reference}/evidence", files={"file": ("note.txt", b"the truth")}, data={"read": "false"}
        )
        item = sealed["sealed"][0]
        path = stack.root / "data" / "evidence" / item["sha256"][:2] / item["sha256"][2:4] / item["sha256"]
        path.chmod(0o640)
        path.write_bytes(b"the trutH")
        try:
            done = subprocess.run(
                [sys.executable, "manage.py", "verify_evidence", reference],
                env=stack.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            assert "E001" in done.stdout + done.stderr
            assert analyst.get(f"/cases/{reference}/evidence/{item['uuid']}")["integrity"] == "altered"
            build = analyst.post(f"/cases/{reference}/reports", {"seal": False})
            report = analyst.until(f"/cases/{reference}/reports/{build['uuid']}", ended)
            assert report["state"] == "done", report
            text = "\n".join(
                p.extract_text() for p in PdfReader(io.BytesIO(_file(analyst, reference, report, "pdf"))).pages
            )
            assert "ALTERED" in text.upper()
        finally:
            path.write_bytes(b"the truth")
            path.chmod(0o440)
