"""`kill -9` of the worker at every step of a collection: each ends DONE exactly once, and each step is taken once."""

import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from config.stack import Stack
from tests.journeys.client import Api, Tenant, listed
from tests.journeys.test_kill import WORKERS, exhibits_of

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
PATIENCE = 240.0
HELD = 60
"""Seconds for which the tenant holds an answer back: longer than it takes until the worker is dead."""


class Steps:
    """One case and its collections, each stopped at a step of its own."""

    def __init__(self, stack: Stack, analyst: Api, lead: Api, tenant: Tenant) -> None:
        self.stack, self.analyst, self.lead, self.tenant = stack, analyst, lead, tenant
        case = analyst.post("/cases", {"title": "Killed at every step", "connection": "Simulated tenant"})
        self.reference = str(case["reference"])
        analyst.call("PUT", f"/cases/{self.reference}/members/alice", json={"role": "lead"})
        analyst.until(f"/cases/{self.reference}/library-scripts", listed)
        hosts = [one for one in tenant.devices() if not one["offline"] and "failing" not in one["name"]]
        self.devices = iter(hosts[-12:])
        self.asked: dict[str, tuple[str, int]] = {}

    def path(self, what: str) -> str:
        return f"/cases/{self.reference}/collections/{self.asked[what][0]}"

    def file_of(self, what: str, fault: str = "", **more: Any) -> dict[str, Any]:
        """Ask for a file of a device of its own; with `fault`, starting its session meets that."""
        device = next(self.devices)
        if fault:
            self.tenant.fault(f"machines/{device['id']}/runliveresponse", fault, **more)
        body = {"definition": "get-file", "device": device["name"], "parameters": {"Path": r"C:\Temp\a.log"}}
        made = self.analyst.post(f"/cases/{self.reference}/collections", body)
        self.asked[what] = (str(made["uuid"]), 1)
        return device

    def events_of(self, what: str) -> None:
        """Ask for a script's run, which a lead approves: before each run the library is read."""
        device = next(self.devices)
        body = {"definition": "windows-security-events", "device": device["name"], "parameters": {}, "reason": "x"}
        made = self.analyst.post(f"/cases/{self.reference}/collections", body)
        self.asked[what] = (str(made["uuid"]), 2)
        waiting = [one["uuid"] for one in self.lead.get("/approvals")["items"] if one["subject"] == made["uuid"]]
        self.lead.post(f"/approvals/{waiting[0]}/decision", {"approve": True})

    def until(self, what: str, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        row: dict[str, Any] = self.analyst.until(self.path(what), done, timeout=PATIENCE)
        return row

    def kill(self) -> None:
        victims = {name: self.stack.pid(name) for name in WORKERS}
        for victim in victims.values():
            os.kill(victim, signal.SIGKILL)
        self.tenant.clear_faults()
        for name, victim in victims.items():
            self.stack.wait_for(f"another {name}", lambda name=name, victim=victim: self.stack.pid(name) != victim)

    def check(self) -> None:
        """Every collection is DONE, every step of it was taken once, and everything it brought was sealed once."""
        rows = {what: self.until(what, lambda row: bool(row["ended_at"])) for what in self.asked}
        ends = {what: (row["state"], row["failure"]) for what, row in rows.items()}
        assert set(ends.values()) == {("done", "")}, ends
        taken = Counter(
            str(entry["body"]["Comment"])
            for entry in self.tenant.requests("/runliveresponse")
            if entry["status"] == 201
        )
        kept = Counter(
            item["manifest"]["collection"]
            for item in exhibits_of(self.analyst, self.reference)
            if item["kind"] == "collection"
        )
        for what, (uuid, steps) in self.asked.items():
            comments = [comment for comment in taken if uuid in comment]
            assert sorted(comments) == [f"IRCase {uuid} step {n + 1}" for n in range(steps)], (what, comments)
            assert {taken[comment] for comment in comments} == {1}, (what, "submitted twice")
            assert kept[uuid] == steps, (what, kept[uuid])
        ends_logged = Counter(
            entry["detail"]["subject"]
            for entry in self.analyst.log(self.reference)
            if entry["action"] == "collection.done"
        )
        assert ends_logged == Counter(uuid for uuid, _ in self.asked.values()), "an end was written twice"
        assert "every chain holds" in self.stack.manage("verify_evidence", self.reference)


def test_a_worker_killed_at_every_step(stack: Stack, analyst: Api, lead: Api, tenant: Tenant) -> None:
    steps = Steps(stack, analyst, lead, tenant)
    # One in each step, held there by the tenant; the order is that in which they are set up.
    tenant.fault("getliveresponseresultdownloadlink", "slow", seconds=HELD)
    steps.file_of("fetching: asking for the link")
    steps.until("fetching: asking for the link", lambda row: row["state"] == "fetching")
    tenant.fault("get /blob/", "stalled_blob", seconds=HELD)
    steps.file_of("fetching: in the middle of the download")
    steps.until("fetching: in the middle of the download", lambda row: row["state"] == "fetching")
    steps.file_of("intended, not taken", "reset")
    steps.until("intended, not taken", lambda row: any(one["what"] == "doubtful" for one in row["log"]))
    steps.file_of("taken, answer lost", "slow", seconds=HELD // 4)
    steps.until("taken, answer lost", lambda row: row["state"] == "submitted")
    tenant.fault("get /api/libraryfiles", "slow", seconds=HELD, times=20)
    steps.events_of("before the intent")
    steps.until("before the intent", lambda row: row["state"] in ("queued", "approved"))
    # Whether it has ended cannot be seen, so that it still runs as far as anybody knows.
    tenant.fault("get /api/machineactions ", "slow", seconds=HELD, times=20)
    steps.file_of("running")
    steps.until("running", lambda row: row["state"] == "running")
    steps.kill()
    steps.check()


def test_a_worker_killed_between_the_download_and_the_seal(
    stack: Stack, analyst: Api, lead: Api, tenant: Tenant
) -> None:
    steps = Steps(stack, analyst, lead, tenant)
    tenant.fault("get /blob/", "slow", seconds=4)
    steps.file_of("before the seal")
    steps.until("before the seal", lambda row: row["state"] == "fetching")
    before = len([entry for entry in tenant.requests("/blob/") if entry["status"] == 200])
    # While another writes, nothing can be sealed: the file is home and in the store, its row is not.
    book = sqlite3.connect(stack.root / "data" / "ircase.sqlite3", isolation_level=None, timeout=30)
    book.execute("BEGIN IMMEDIATE")
    try:
        end = time.monotonic() + 60
        while len([entry for entry in tenant.requests("/blob/") if entry["status"] == 200]) == before:
            assert time.monotonic() < end, "the file was not asked for"
            time.sleep(0.2)
        time.sleep(1)
        for name in WORKERS:
            os.kill(stack.pid(name), signal.SIGKILL)
    finally:
        book.execute("ROLLBACK")
        book.close()
    assert not steps.analyst.get(steps.path("before the seal"))["output"]
    steps.check()
