"""A case table copied to the cluster, the worker killed on the way, hunted there; and one question on three sources."""

import csv
import io
from collections import Counter
from typing import Any

import pytest

from config.stack import Stack
from tests.journeys.client import RUNS, Api, Tenant, ended
from tests.journeys.test_kill import kill

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
ROWS = 60_000
TABLE = "DeviceProcessEvents"
SLOW = 3


def exported() -> bytes:
    """A hunt's export as a person hands it in: so many rows that several requests carry them."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(["Timestamp", "DeviceName", "FileName", "ProcessCommandLine"])
    for number in range(ROWS):
        at = f"2026-11-20T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.0000000Z"
        out.writerow([at, f"ws{number % 7:02d}", f"{number}.exe", f"{number}.exe {'x' * 120}"])
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def case(analyst: Api, lead: Api) -> str:
    """A case of Bob's that Alice alone leads, with the export read into a table."""
    opened = analyst.post("/cases", {"title": "Outgrown", "connection": "Simulated tenant"})
    reference = str(opened["reference"])
    analyst.call("PUT", f"/cases/{reference}/members/alice", json={"role": "lead"})
    lead.call("PUT", f"/cases/{reference}/members/bob", json={"role": "analyst"})
    item = analyst.upload(reference, f"{TABLE}.csv", exported())
    path = f"/cases/{reference}/evidence/{item['uuid']}/import"
    assert analyst.until(path, ended)["state"] == "done"
    return reference


def place(stack: Stack) -> dict[str, str]:
    return {"cluster": f"https://localhost:{stack.simulator_port}", "database": "Cases"}


def there(analyst: Api, reference: str, kql: str) -> dict[str, Any]:
    asked = analyst.post(RUNS.format(reference), {"source": "kusto_case", "kql": kql, "span": "30d"})
    run: dict[str, Any] = analyst.until(f"{RUNS.format(reference)}/{asked['uuid']}", ended)
    assert run["state"] == "done", run["reason"]
    rows = analyst.get(f"{RUNS.format(reference)}/{asked['uuid']}/rows")
    return {**run, "rows": rows["rows"]}


def test_a_table_is_copied_over_a_kill_hunted_there_and_removed(
    stack: Stack, analyst: Api, lead: Api, tenant: Tenant, case: str
) -> None:
    copies = f"/cases/{case}/hunts/copies"
    names = [one["name"] for one in analyst.get(f"/cases/{case}/tables")["items"]]
    assert TABLE in names, names
    body = {"table": TABLE, **place(stack)}
    analyst.call("POST", copies, expect=403, json=body)
    tenant.fault("/v1/rest/ingest/", "slow", times=50, seconds=SLOW)
    asked = lead.post(copies, body)
    path = f"{copies}/{asked['uuid']}"
    lead.until(path, lambda row: row["state"] == "running" and row["progress"].get("rows", 0) > 0)
    kill(stack, "worker")
    tenant.clear_faults()
    copied = lead.until(path, ended, timeout=240)
    assert (copied["state"], copied["row_count"], copied["duplicates"]) == ("done", ROWS, 0), copied
    assert copied["attempt"] > 1
    assert 0 < copied["sent"] < ROWS, "nothing was there when the second worker began"

    counted = there(analyst, case, f"{TABLE} | summarize Rows = count(), Files = dcount(FileName)")
    assert [counted["rows"][0][name] for name in ("Rows", "Files")] == [ROWS, ROWS]
    assert f"let {TABLE} = {copied['target']}" in counted["final_kql"]

    actions = Counter(entry["action"] for entry in analyst.log(case))
    assert actions["push.queued"] == actions["push.done"] == 1
    assert "every chain holds" in stack.manage("verify_evidence", case)

    removed = lead.post(copies, {**body, "remove": True})
    assert lead.until(f"{copies}/{removed['uuid']}", ended)["state"] == "done"
    refused = {"source": "kusto_case", "kql": TABLE, "span": "30d"}
    assert "No table" in str(analyst.call("POST", RUNS.format(case), expect=422, json=refused))


def test_one_question_on_three_sources_comes_home_together(analyst: Api, case: str) -> None:
    kql = f"{TABLE} | summarize Rows = count() by DeviceName"
    body = {"sources": ["defender", "kusto", "case"], "kql": kql, "span": "30d", "title": "Rows by device"}
    asked = analyst.post(RUNS.format(case), body)
    path = f"/cases/{case}/hunts/batches/{asked['batch']}"
    found = analyst.until(path, lambda one: all(ended(run) for run in one["runs"]))
    assert [run["state"] for run in found["runs"]] == ["done"] * 3, [run["reason"] for run in found["runs"]]
    rows = analyst.get(f"{path}/rows", params={"limit": 500})
    assert rows["columns"][0] == ["Source", "string"]
    marks = Counter(row["Source"] for row in rows["rows"])
    counts = [run["row_count"] for run in found["runs"]]
    assert list(marks.values()) == counts and set(marks) == {
        "Defender XDR", "Azure Data Explorer", "The case's own tables"
    }  # fmt: skip
    # The cluster's database keeps what the tenant's tables hold.
    by = {mark: {row["DeviceName"]: row["Rows"] for row in rows["rows"] if row["Source"] == mark} for mark in marks}
    assert by["Defender XDR"].keys() == by["Azure Data Explorer"].keys()
    assert by["The case's own tables"]["ws00"] == len(range(0, ROWS, 7))
