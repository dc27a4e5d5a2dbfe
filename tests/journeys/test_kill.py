"""`kill -9` in the middle of the work: whatever dies, every run and collection ends exactly once."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from config.stack import Stack
from tests.journeys.client import PACKS, RUNS, Api, Tenant, ended, listed

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
PATIENCE = 180.0
HUNT_SECONDS, SUBMIT_SECONDS, FETCH_SECONDS = 3, 6, 45
"""How long the tenant takes to answer a hunt, to take a session and to give a file, so that a kill falls into it."""


@dataclass(frozen=True)
class Work:
    """A case whose triage pack and collection are under way."""

    reference: str
    device: str
    runs: tuple[str, ...]
    collection: str

    def run(self, uuid: str) -> str:
        return f"{RUNS.format(self.reference)}/{uuid}"

    @property
    def collected(self) -> str:
        return f"/cases/{self.reference}/collections/{self.collection}"


def ask_collection(analyst: Api, lead: Api, tenant: Tenant, host: str, *, slow: bool) -> Work:
    """A case with a DFIR triage that a lead has approved; with `slow`, its session is slow to begin."""
    device = f"{host}.northwharf.example"
    case = analyst.post("/cases", {"title": f"Kill on {host}", "connection": "Simulated tenant", "device": device})
    reference = case["reference"]
    analyst.call("PUT", f"/cases/{reference}/members/alice", json={"role": "lead"})
    analyst.until(f"/cases/{reference}/library-scripts", listed)
    body = {"definition": "dfir-triage", "device": device, "parameters": {"Days": 1}, "reason": "Loader seen"}
    asked = analyst.post(f"/cases/{reference}/collections", body)["uuid"]
    if slow:
        tenant.fault(f"IRCase {asked} step 1", "slow", seconds=SUBMIT_SECONDS)
    waiting = [row["uuid"] for row in lead.get("/approvals")["items"] if row["subject"] == asked]
    assert len(waiting) == 1
    lead.post(f"/approvals/{waiting[0]}/decision", {"approve": True})
    return Work(reference, device, (), asked)


def begin(analyst: Api, lead: Api, tenant: Tenant, host: str) -> Work:
    """The collection on its way to Defender, not yet known to be taken, and hunts running beside it."""
    work = ask_collection(analyst, lead, tenant, host, slow=True)
    analyst.until(work.collected, lambda row: row["state"] == "submitted")
    tenant.fault(work.device, "slow", times=6, seconds=HUNT_SECONDS)
    pack = analyst.post(f"{PACKS.format(work.reference)}/device-triage", {"source": "defender"})
    runs = tuple(run["uuid"] for run in pack["runs"])
    assert len(runs) == 13
    analyst.until(RUNS.format(work.reference), _is_running)
    assert analyst.get(work.collected)["state"] in ("submitted", "running")
    return Work(work.reference, work.device, runs, work.collection)


def _is_running(page: dict[str, Any]) -> bool:
    states = Counter(run["state"] for run in page["items"])
    assert states["done"] + states["failed"] < len(page["items"]), "over before it could be killed"
    return any(run["state"] == "running" and run["progress"].get("phase") == "querying" for run in page["items"])


WORKERS = ("worker", "devices")
"""What does the background work: one takes hunts and files, the other what devices wait for."""


def kill(stack: Stack, *names: str) -> None:
    """SIGKILL parts at once, and wait until the supervisor has others in their place."""
    victims = {name: stack.pid(name) for name in names}
    for victim in victims.values():
        os.kill(victim, signal.SIGKILL)
    for name, victim in victims.items():
        stack.wait_for(f"another {name}", lambda name=name, victim=victim: stack.pid(name) != victim)


def the_end(analyst: Api, work: Work) -> dict[str, Any]:
    """Wait for everything; the collection as it ended."""
    for uuid in work.runs:
        analyst.until(work.run(uuid), ended, timeout=PATIENCE)
    collection: dict[str, Any] = analyst.until(work.collected, lambda row: row["ended_at"], timeout=PATIENCE)
    if collection["output"]:
        path = f"/cases/{work.reference}/evidence/{collection['output']}/import"
        assert analyst.until(path, ended, timeout=PATIENCE)["state"] == "done"
    return collection


def check_runs(analyst: Api, work: Work) -> None:
    """Every run is DONE with one exhibit of its own, or FAILED with a reason."""
    runs = [analyst.get(work.run(uuid)) for uuid in work.runs]
    done = [run for run in runs if run["state"] == "done"]
    assert done
    assert all(run["state"] == "failed" and run["reason"] for run in runs if run not in done), runs
    exhibits = exhibits_of(analyst, work.reference)
    hunts = Counter(item["manifest"]["run"] for item in exhibits if item["kind"] == "hunt")
    assert hunts == Counter(run["uuid"] for run in done)
    assert {run["evidence"] for run in done} == {item["uuid"] for item in exhibits if item["kind"] == "hunt"}


def check_collection(analyst: Api, tenant: Tenant, work: Work, collection: dict[str, Any]) -> None:
    """DONE with the transcript and one zip, each step submitted once; or ended with a reason."""
    taken = Counter(
        entry["body"]["Comment"]
        for entry in tenant.requests("/runliveresponse")
        if entry["status"] == 201 and work.collection in entry["body"]["Comment"]
    )
    steps = [f"IRCase {work.collection} step {number}" for number in (1, 2)]
    assert set(taken) <= set(steps)
    assert set(taken.values()) == {1}, taken
    kept = [item for item in exhibits_of(analyst, work.reference) if item["kind"] == "collection"]
    assert {item["uuid"] for item in kept} == set(collection["evidence"])
    if collection["state"] == "done":
        assert set(taken) == set(steps)
        assert [item["manifest"]["step"] for item in sorted(kept, key=lambda item: item["exhibit"])] == ["run", "fetch"]
        assert kept[-1]["uuid"] == collection["output"] or kept[0]["uuid"] == collection["output"]
    else:
        assert collection["failure"], collection


def exhibits_of(analyst: Api, reference: str) -> list[dict[str, Any]]:
    listed = analyst.get(f"/cases/{reference}/evidence", params={"limit": 1000})["items"]
    return [analyst.get(f"/cases/{reference}/evidence/{item['uuid']}") for item in listed]


def check_case(stack: Stack, analyst: Api, work: Work) -> None:
    """Nothing is left open, log and register agree, every file and chain verifies, and the whole is ready again."""
    activities = analyst.get(f"/cases/{work.reference}/activities", params={"limit": 1000})["items"]
    final = {"done", "partial", "failed", "cancelled", "expired", "refused"}
    assert {row["state"] for row in activities} <= final
    sealed = [
        entry["detail"]["exhibit"] for entry in analyst.log(work.reference) if entry["action"] == "evidence.sealed"
    ]
    assert sorted(sealed) == sorted(item["exhibit"] for item in exhibits_of(analyst, work.reference))
    assert "every chain holds" in stack.manage("verify_evidence", work.reference)
    stack.wait_for("/readyz", stack.web_is_ready)


@pytest.mark.parametrize(("victim", "host"), [("redis", "ws-fin-02"), ("web", "ws-ops-01")])
def test_killed_in_the_middle_of_a_pack_and_a_collection(
    stack: Stack, analyst: Api, lead: Api, tenant: Tenant, victim: str, host: str
) -> None:
    work = begin(analyst, lead, tenant, host)
    kill(stack, victim)
    collection = the_end(analyst, work)
    check_runs(analyst, work)
    check_collection(analyst, tenant, work, collection)
    check_case(stack, analyst, work)


def test_a_worker_killed_while_it_hunts_submits_and_fetches(
    stack: Stack, analyst: Api, lead: Api, tenant: Tenant
) -> None:
    # Of the results of the first device the transcript comes at once, the file only long after the kill.
    tenant.fault("GET /blob/", "slow", seconds=0)
    tenant.fault("GET /blob/", "slow", seconds=FETCH_SECONDS)
    fetching = ask_collection(analyst, lead, tenant, "srv-app01", slow=False)
    analyst.until(fetching.collected, lambda row: (row["state"], row["step"]) == ("fetching", 1))
    work = begin(analyst, lead, tenant, "ws-fin-01")
    assert analyst.get(fetching.collected)["state"] == "fetching"
    kill(stack, *WORKERS)
    for each in (fetching, work):
        collection = the_end(analyst, each)
        assert (collection["state"], collection["failure"]) == ("done", "")
        check_collection(analyst, tenant, each, collection)
        check_case(stack, analyst, each)
    check_runs(analyst, work)
    assert any(analyst.get(work.run(uuid))["attempt"] > 1 for uuid in work.runs), "it held no run when it was killed"
