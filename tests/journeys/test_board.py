"""Many devices at once as people see them: the request in the lead's inbox, the board while it works, and its end."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.client import Api, Tenant, listed
from tests.journeys.film import Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
DEVICES = 6


def test_a_batch_from_the_inbox_to_its_board(analyst: Api, lead: Api, tenant: Tenant, studio: Studio) -> None:
    case = analyst.post("/cases", {"title": "Loader on many", "connection": "Simulated tenant"})
    reference = str(case["reference"])
    analyst.call("PUT", f"/cases/{reference}/members/alice", json={"role": "lead"})
    analyst.until(f"/cases/{reference}/library-scripts", listed)
    every = tenant.devices()
    chosen = [one for one in every if one["offline"]][:1] + [one for one in every if not one["offline"]][: DEVICES - 1]
    names = [str(one["name"]) for one in chosen]
    body = {"definition": "dfir-triage", "parameters": {"Days": 1}, "devices": names, "reason": "Loader seen"}
    batch: dict[str, Any] = analyst.post(f"/cases/{reference}/collection-batches", body)
    path = f"/cases/{reference}/collection-batches/{batch['uuid']}"

    inbox = studio.open("inbox")
    inbox.sign_in("alice")
    lead.until("/approvals", lambda page: any(one["subject"] == batch["uuid"] for one in page["items"]))
    inbox.go("/approvals/")
    expect(inbox.page.get_by_text(f"DFIR triage on {DEVICES} devices").first).to_be_visible()
    inbox.scene("approvals")
    inbox.small_and_dark("approvals")
    (waiting,) = [one for one in lead.get("/approvals")["items"] if one["subject"] == batch["uuid"]]
    lead.post(f"/approvals/{waiting['uuid']}/decision", {"approve": True, "comment": "go"})

    bob = studio.open("board")
    bob.sign_in("bob")
    bob.go(f"/cases/{reference}/live-response/batches/{batch['uuid']}/")
    for name in names:
        expect(bob.page.get_by_role("link", name=name).first).to_be_visible()
    bob.scene("board")
    bob.small_and_dark("board")
    analyst.until(path, lambda row: row["ended"] >= DEVICES - 1, timeout=300)
    row = analyst.until(path, lambda row: row["counts"].get("offline", 0) == 1 and not row["over"])
    assert row["counts"]["done"] + row["counts"].get("failed", 0) == DEVICES - 1, row["counts"]
    bob.go(f"/cases/{reference}/live-response/batches/{batch['uuid']}/")
    bob.scene("ended")
    bob.small_and_dark("ended")
