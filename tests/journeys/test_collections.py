"""Collections of every kind over sockets: our own script, an investigation package, a definition of the team's own."""

import io
import zipfile
from typing import Any

import pytest

from tests.journeys.client import Api, ended, listed
from tests.journeys.test_main_job import PATIENT_ZERO, open_from_incident

pytestmark = pytest.mark.journey
FOLDER = "IRCase-Get-Folder.ps1"


@pytest.fixture(scope="module")
def case(analyst: Api) -> dict[str, Any]:
    return open_from_incident(analyst)


def connection_of(lead: Api) -> int:
    return next(int(row["id"]) for row in lead.get("/connections")["items"] if row["name"] == "Simulated tenant")


def files(api: Api, pk: int) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in api.get(f"/connections/{pk}/library-files")["items"]}


def approve(lead: Api, uuid: str) -> None:
    waiting = [a for a in lead.get("/approvals")["items"] if a["subject"] == uuid]
    lead.post(f"/approvals/{waiting[0]['uuid']}/decision", {"approve": True, "comment": "read"})


def collect(analyst: Api, lead: Api, reference: str, definition: str, **parameters: Any) -> dict[str, Any]:
    body = {"definition": definition, "device": PATIENT_ZERO, "parameters": parameters, "reason": "Loader seen"}
    asked = analyst.post(f"/cases/{reference}/collections", body)
    if asked["state"] == "requested":
        approve(lead, asked["uuid"])
    row: dict[str, Any] = analyst.until(f"/cases/{reference}/collections/{asked['uuid']}", lambda c: c["ended_at"])
    return row


def read(analyst: Api, reference: str, row: dict[str, Any]) -> tuple[set[str], dict[str, int]]:
    """Names in the zip that came home, and the tables it became."""
    content = analyst.get(f"/cases/{reference}/evidence/{row['output']}/download")
    done = analyst.until(f"/cases/{reference}/evidence/{row['output']}/import", ended)
    assert done["state"] == "done", done
    tables = {table["name"]: table["row_count"] for table in analyst.get(f"/cases/{reference}/tables")["items"]}
    return set(zipfile.ZipFile(io.BytesIO(content)).namelist()), tables


def put_shipped(lead: Api, pk: int, name: str) -> None:
    """Our script into the tenant's library, by one click."""
    lead.post(f"/connections/{pk}/library-files/{name}/shipped")
    path = f"/connections/{pk}/library-files"
    lead.until(path, lambda page: {row["name"]: row["shipped"] for row in page["items"]}[name] == "same")


def test_our_script_goes_up_is_approved_and_brings_a_folder_home(analyst: Api, lead: Api, case: dict[str, Any]) -> None:
    pk, reference = connection_of(lead), case["reference"]
    analyst.until(f"/cases/{reference}/library-scripts", listed)
    assert files(analyst, pk)[FOLDER]["shipped"] == "missing"
    put_shipped(lead, pk, FOLDER)
    row = collect(analyst, lead, reference, "get-folder", Path="C:\\Users\\Public", Megabytes=10)
    assert (row["state"], row["failure"]) == ("done", "")
    assert row["files"] == [{"name": FOLDER, "sha256": files(analyst, pk)[FOLDER]["sha256"]}]
    names, tables = read(analyst, reference, row)
    assert {"notes.txt", "IRCaseFolderFiles.ndjson"} <= names
    assert tables["IRCaseFolderFiles"] == 3


def test_a_snapshot_that_a_script_prints_becomes_typed_tables(analyst: Api, lead: Api, case: dict[str, Any]) -> None:
    pk, reference = connection_of(lead), case["reference"]
    put_shipped(lead, pk, "IRCase-Snapshot-Persistence.ps1")
    row = collect(analyst, lead, reference, "snapshot-persistence")
    assert (row["state"], row["failure"]) == ("done", "")
    done = analyst.until(f"/cases/{reference}/evidence/{row['output']}/import", ended)
    assert done["state"] == "done", done
    tables = {
        table["name"]: dict(map(tuple, table["columns"]))
        for table in analyst.get(f"/cases/{reference}/tables")["items"]
    }
    assert {"DeviceAutorunSnapshot", "DeviceServiceSnapshot", "DeviceTaskSnapshot", "DeviceUserSnapshot"} <= set(tables)
    assert tables["DeviceTaskSnapshot"]["SnapshotTime"] == "datetime"
    assert tables["DeviceUserSnapshot"]["Groups"] == "dynamic"


def test_an_investigation_package_comes_home(analyst: Api, lead: Api, case: dict[str, Any]) -> None:
    row = collect(analyst, lead, case["reference"], "investigation-package")
    assert (row["state"], row["failure"]) == ("done", "")
    names, _ = read(analyst, case["reference"], row)
    assert {"Autoruns/Autoruns.csv", "Network connections/pfirewall.log", "CollectionSummaryReport.xls"} <= names


def test_a_teams_own_collection_puts_a_file_and_runs_once_it_is_approved(
    analyst: Api, lead: Api, case: dict[str, Any]
) -> None:
    pk, reference = connection_of(lead), case["reference"]
    lead.call("PUT", f"/connections/{pk}/library-files/tool.exe", data=b"MZ a tool", params={"reason": "For a journey"})
    changes = f"/connections/{pk}/library-changes"
    analyst.until(changes, lambda page: (page["items"][0]["name"], page["items"][0]["state"]) == ("tool.exe", "done"))
    path = r"C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Downloads\tool.exe"
    content = {
        "title": "Put and fetch", "description": "", "platforms": ["Windows"], "parameters": [],
        "steps": [{"key": "put", "title": "Put", "put_file": "tool.exe"},
                  {"key": "get", "title": "Get", "get_file": path, "output": True}],
        "changes": "Leaves a tool on the device.", "approval": "person", "time_limit": "2h",
    }  # fmt: skip
    analyst.post("/collection-definitions/put-and-fetch/versions", {"content": content})
    body = {"definition": "put-and-fetch", "device": PATIENT_ZERO}
    analyst.call("POST", f"/cases/{reference}/collections", json=body, expect=(400, 422))
    lead.post("/collection-definitions/put-and-fetch/approval", {"version": 1})
    row = collect(analyst, lead, reference, "put-and-fetch")
    assert (row["state"], row["failure"], row["version"]) == ("done", "", 1)
    assert analyst.get(f"/cases/{reference}/evidence/{row['output']}/download") == b"MZ a tool"
