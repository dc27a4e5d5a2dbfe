"""The tenant's quota is on: a packed sweep takes one call, many runs keep to it, and an urgent one goes first."""

import math
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config import demo
from config.stack import Stack
from hunting.sweeping import BATCH_VALUES
from simulator.quotas import WINDOWS
from tests.journeys.client import RUNS, Api, Tenant, ended
from tests.journeys.conftest import make_stack

RUNS_THAT_CANNOT_BE_PACKED = 60
DEVICES = 1000
SPEED = 1.0
"""The tenant's minute is ours: its quota, not this machine, is what holds the runs up."""

KQL = "DeviceProcessEvents | summarize Events = count() by DeviceName | top 5 by Events"
URGENT = "DeviceInfo | summarize Urgent = count()"


def rows_of(number: int) -> int:
    """How many accounts logged on to a device: each a row of the hunt's answer."""
    return number % 4


def write_logons(folder: Path) -> None:
    """Logons to a thousand devices, half of them under their full names."""
    at = datetime.now(UTC) - timedelta(hours=2)
    lines = ["Timestamp,DeviceName,AccountDomain,AccountName,ActionType,LogonType"]
    for number in range(DEVICES):
        name = f"sweep{number:04}" + (".contoso.com" if number % 2 else "")
        for account in range(rows_of(number)):
            moment = (at + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
            lines.append(f"{moment},{name},contoso,user{account},LogonSuccess,Network")
    (folder / "DeviceLogonEvents.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def quota_stack() -> Iterator[Stack]:
    root = Path(tempfile.mkdtemp(prefix="ircase-quota-"))
    telemetry = root / "telemetry"
    telemetry.mkdir()
    write_logons(telemetry)
    story = ("--devices", "20", "--days", "2", "--connections", "20")
    stack = make_stack(root, *story, "--telemetry", str(telemetry))
    stack.speed = SPEED
    try:
        demo.start(stack)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)


def open_case(api: Api, title: str, severity: str) -> str:
    body = {"title": title, "connection": "Simulated tenant", "severity": severity}
    return str(api.post("/cases", body)["reference"])


def calls(stack: Stack) -> list[dict[str, Any]]:
    """Every hunting call that the tenant answered, in its order."""
    return Tenant(stack).requests("runHuntingQuery")


@dataclass(frozen=True)
class Outcome:
    """What came of many runs and an urgent one in the middle of them: seconds until all had ended, their states, the
    calls that went before the urgent one and how long it waited, calls that the tenant refused, and whether the last
    run showed its place in the line."""

    seconds: float
    states: set[str]
    ahead: int
    waited: timedelta
    refused: int
    placed: bool


def best_seconds(number: int) -> float:
    """When the tenant lets the last of `number` calls in, if all are asked as early as may be."""
    limit, seconds = WINDOWS["hunting"][0]
    return (number - 1) // limit * seconds


def queue_many(stack: Stack, api: Api, count: int) -> Outcome:
    """Queue `count` runs of one hunt for one case and, while the line stands, one for a case of high severity."""
    many, urgent = open_case(api, "Many", "medium"), open_case(api, "Urgent", "high")
    # The preflight of the connection asked too, without a turn: its call leaves the tenant's minute first.
    limit, window = WINDOWS["hunting"][0]
    time.sleep(window + 2)
    before = len(calls(stack))
    began = time.monotonic()
    queued = [
        api.post(RUNS.format(many), {"source": "defender", "kql": KQL, "title": f"{n}"})["uuid"] for n in range(count)
    ]
    # After a whole number of the tenant's minutes the line stands still, and each run that waits shows its place.
    while len(calls(stack)) - before < max(count // limit // 2, 1) * limit:
        time.sleep(0.5)
    time.sleep(10)
    waiting = api.get(f"{RUNS.format(many)}/{queued[-1]}")["progress"]
    urgent_run = api.post(RUNS.format(urgent), {"source": "defender", "kql": URGENT})
    queued_at = datetime.now(UTC)
    ends = [api.until(f"{RUNS.format(many)}/{uuid}", ended, timeout=900) for uuid in queued]
    took = time.monotonic() - began
    ends.append(api.until(f"{RUNS.format(urgent)}/{urgent_run['uuid']}", ended))
    asked = calls(stack)
    times = [(datetime.fromisoformat(call["at"]), "Urgent" in str(call["body"])) for call in asked]
    turn = next(at for at, is_urgent in times if is_urgent)
    return Outcome(
        seconds=took,
        states={str(run["state"]) for run in ends},
        ahead=sum(queued_at < at < turn for at, _ in times),
        waited=turn - queued_at,
        refused=sum(call.get("status") == 429 for call in asked),
        placed=bool(waiting.get("place")) and waiting.get("eta") is not None,
    )


@pytest.mark.timeout(900)
def test_a_packed_sweep_over_a_thousand_devices_is_one_call(quota_stack: Stack) -> None:
    api = Api(quota_stack, "bob")
    case = open_case(api, "Sweep", "medium")
    before = len(calls(quota_stack))
    names = [f"sweep{number:04}" for number in range(DEVICES)]
    body = {"hunt": "device-logons", "source": "defender", "values": names, "parameters": {"SearchWindow": "24h"}}
    queued = api.post(f"/cases/{case}/hunts/sweeps", body)
    assert queued["packed"] and len(queued["runs"]) == math.ceil(DEVICES / BATCH_VALUES) == 1
    run = api.until(f"{RUNS.format(case)}/{queued['runs'][0]}", ended, timeout=300)
    assert (run["state"], run["truncated"]) == ("done", False), run["reason"]
    assert len(calls(quota_stack)) - before == 1
    found = api.get(f"/cases/{case}/hunts/sweeps/{queued['uuid']}")["entities"]
    assert [(one["entity"], one["rows"]) for one in found] == [(name, rows_of(n)) for n, name in enumerate(names)]
    assert sum(one["rows"] for one in found) == run["row_count"]
    # The rows themselves, by the value under which the device stands in them.
    ((value, rows),) = found[7]["values"].items()
    condition = {"column": "DeviceName", "operator": "equals", "value": value}
    page = api.get(f"{RUNS.format(case)}/{run['uuid']}/rows", params=condition)
    assert (value, rows) == ("sweep0007.contoso.com", 3) and page["matched"] == 3


@pytest.mark.timeout(1500)
def test_many_runs_keep_to_the_quota_and_an_urgent_one_goes_first(quota_stack: Stack) -> None:
    """How long 300 of them take beside what the quota allows is measured by `python -m bench.quota`."""
    api = Api(quota_stack, "bob")
    outcome = queue_many(quota_stack, api, RUNS_THAT_CANNOT_BE_PACKED)
    assert outcome.states == {"done"}
    assert outcome.ahead <= 2, f"{outcome.ahead} calls went before the urgent one, which waited {outcome.waited}"
    # On a busy machine a call may take longer to arrive than the governor's slack: a few are forgiven.
    assert outcome.refused <= 3, f"the tenant refused {outcome.refused} calls"
    assert outcome.placed, "a run that waits shows its place and when its turn comes"
