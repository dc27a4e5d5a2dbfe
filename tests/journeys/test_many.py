"""One collection on a hundred devices, two of them offline and three that fail: the board ends true, the tenant's quota
is never exceeded, and it takes little longer than that quota allows."""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config import demo
from config.stack import Stack
from simulator.defender.liveresponse import SESSIONS
from simulator.quotas import WINDOWS
from tests.journeys.client import Api, Tenant
from tests.journeys.conftest import make_stack

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
DEVICES, OFFLINE, FAILING = 100, 2, 3
SPEED = 5.0
"""The tenant's minute is 12 s of ours: its quota, not this machine, is what holds the devices up."""
SESSION = 29.0
"""Simulated seconds from the taking of a GetFile to its end (simulator.defender.liveresponse)."""
BATCHES = "/cases/{}/collection-batches"


@dataclass(frozen=True)
class Outcome:
    """What came of it. Seconds are of this machine's clock: from the asking until every device that answers had ended,
    and what the quota allows at best."""

    seconds: float
    best: float
    states: Counter[str]
    calls: dict[str, list[dict[str, float]]]
    refused: dict[str, int]
    sessions: int
    submissions: Counter[str]
    board: dict[str, Any]


def best_seconds(calls: int, speed: float) -> float:
    """When the last of so many sessions can have ended, if each is begun as early as the quota lets it."""
    limit, window = WINDOWS["liveresponse"][0]
    return ((calls - 1) // limit * window + SESSION) / speed


def make_fleet_stack(root: Path, speed: float = SPEED) -> Stack:
    """A tenant with a few devices more than are asked, and no more history than it needs."""
    stack = make_stack(root, "--devices", str(DEVICES + 10), "--days", "1")
    stack.speed = speed
    return stack


@pytest.fixture(scope="module")
def fleet() -> Iterator[Stack]:
    root = Path(tempfile.mkdtemp(prefix="ircase-many-"))
    stack = make_fleet_stack(root)
    try:
        demo.start(stack)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)


def choose(tenant: Tenant) -> list[dict[str, Any]]:
    """A hundred devices, both that are offline among them."""
    devices = tenant.devices()
    offline = [one for one in devices if one["offline"]][:OFFLINE]
    return offline + [one for one in devices if not one["offline"]][: DEVICES - OFFLINE]


def collect(stack: Stack) -> Outcome:
    """Ask for a file of each device and wait until all but the offline ones have ended; then let those run out."""
    api, tenant = Api(stack, "bob"), Tenant(stack)
    devices = choose(tenant)
    for one in [one for one in devices if not one["offline"]][:FAILING]:
        tenant.fault(f"machines/{one['id']}/runliveresponse", "command_fails")
    case = str(api.post("/cases", {"title": "Many", "connection": "Simulated tenant"})["reference"])
    tenant.forget()
    body = {"definition": "get-file", "parameters": {"Path": r"C:\Windows\Temp\sample.log"}}
    began = time.monotonic()
    batch = api.post(BATCHES.format(case), {**body, "devices": [one["name"] for one in devices]})["uuid"]
    path = f"{BATCHES.format(case)}/{batch}"
    api.until(path, lambda row: row["total"] == DEVICES)
    row = ended(api, path, DEVICES - OFFLINE)
    seconds = time.monotonic() - began
    assert row["counts"].get("offline", 0) == OFFLINE and not row["over"], row["counts"]
    tenant.advance(timedelta(days=3, minutes=1).total_seconds())
    board = api.until(path, lambda row: row["over"])
    rows = api.get(f"{path}/collections", params={"limit": 1000})["items"]
    taken = Counter(
        str(entry["body"]["Comment"]) for entry in tenant.requests("/runliveresponse") if entry["status"] == 201
    )
    peaks = tenant.quotas()
    return Outcome(
        seconds=seconds,
        best=best_seconds(DEVICES, stack.speed),
        states=Counter(str(one["state"]) for one in rows),
        calls=peaks["calls"],
        refused=peaks["refused"],
        sessions=peaks["sessions"],
        submissions=taken,
        board=board,
    )


def ended(api: Api, path: str, number: int) -> dict[str, Any]:
    """Wait until so many have ended, asking seldom: what asks also keeps the machine busy."""
    end = time.monotonic() + 700
    while True:
        row: dict[str, Any] = api.get(path)
        if row["ended"] >= number:
            return row
        assert time.monotonic() < end, row["counts"]
        time.sleep(1)


def exceeded(outcome: Outcome) -> list[str]:
    """Every window of a quota that held more calls than it may."""
    return [
        f"{bucket}: {window['highest']} of {window['limit']} in {window['seconds']:.0f} s"
        for bucket in ("liveresponse", "defender")
        for window in outcome.calls[bucket]
        if window["highest"] > window["limit"]
    ]


def test_a_hundred_devices_two_offline_three_failing(fleet: Stack) -> None:
    outcome = collect(fleet)
    sys.stdout.write(
        f"{DEVICES} devices: {outcome.seconds:.1f} s; the quota allows {outcome.best:.1f} s at best"
        f" ({outcome.seconds / outcome.best:.3f} times). Highest: {outcome.calls['liveresponse']},"
        f" {outcome.calls['defender']}; {outcome.sessions} sessions; refused {outcome.refused}.\n"
    )
    busy = os.getloadavg()[0]
    assert outcome.states == {"done": DEVICES - OFFLINE - FAILING, "failed": FAILING, "expired": OFFLINE}
    assert outcome.board["counts"] == dict(outcome.states)
    assert len(outcome.submissions) == DEVICES and set(outcome.submissions.values()) == {1}, "submitted twice"
    assert exceeded(outcome) == [] and outcome.refused == {}
    assert outcome.sessions <= SESSIONS
    if busy > (os.cpu_count() or 1):
        pytest.skip(
            f"All is true, but the machine was too busy (load {busy:.1f}) to judge the time; see bench.devices."
        )
    assert outcome.seconds <= outcome.best * 1.1, f"{outcome.seconds:.1f} s where {outcome.best:.1f} s would do"
