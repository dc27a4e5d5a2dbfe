"""Response actions over sockets: asked, approved, carried out, confirmed by the device, undone; frozen and killed."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from config.stack import Stack
from tests.journeys.client import Api, Tenant
from tests.journeys.film import Film, Studio
from tests.journeys.test_kill import WORKERS, kill

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
WORK_MS = 120_000


def open_case(analyst: Api, host: str) -> str:
    device = f"{host}.northwharf.example"
    made = analyst.post("/cases", {"title": f"Response on {host}", "connection": "Simulated tenant", "device": device})
    reference: str = made["reference"]
    analyst.call("PUT", f"/cases/{reference}/members/alice", json={"role": "lead"})
    return reference


def ask(analyst: Api, reference: str, kind: str, target: str, **more: Any) -> dict[str, Any]:
    body = {"kind": kind, "targets": [target], "reason": "It spreads", **more}
    asked: dict[str, Any] = analyst.post(f"/cases/{reference}/actions", body)[0]
    return asked


def approve(lead: Api, row: dict[str, Any]) -> None:
    (waiting,) = [one for one in lead.get("/approvals")["items"] if one["subject"] == row["batch"]]
    lead.post(f"/approvals/{waiting['uuid']}/decision", {"approve": True, "comment": "go"})


def the_end(api: Api, reference: str, row: dict[str, Any], done: Callable[[Any], bool] | None = None) -> dict[str, Any]:
    path = f"/cases/{reference}/actions/{row['uuid']}"
    ended: dict[str, Any] = api.until(path, done or (lambda found: found["ended_at"]))
    return ended


def state_of(tenant: Tenant, host: str) -> dict[str, Any]:
    devices = tenant.session.get(f"{tenant.base}/state", timeout=10).json()["devices"]
    found: dict[str, Any] = next(device for device in devices if device["name"].startswith(f"{host}."))
    return found


def taken(tenant: Tenant, part: str, row: dict[str, Any]) -> int:
    """How many calls of the row's marker the tenant has carried out."""
    mark = f"IRCase {row['uuid']}"
    return sum(1 for one in tenant.requests(part) if one["status"] in (200, 201) and mark in str(one["body"]))


class TestResponse:
    def test_isolated_confirmed_contained_and_released(self, analyst: Api, lead: Api, tenant: Tenant) -> None:
        reference, device = open_case(analyst, "ws-hr-08"), "ws-hr-08.northwharf.example"
        row = ask(analyst, reference, "isolate", device)
        own = [one for one in analyst.get("/approvals")["items"] if one["subject"] == row["batch"]]
        assert own == [], "nobody is asked to approve their own"
        approve(lead, row)
        ended = the_end(analyst, reference, row)
        assert (ended["state"], ended["effect"], ended["failure"]) == ("done", "confirmed", "")
        assert "Defender reports the device isolated since" in ended["effect_text"]
        assert state_of(tenant, "ws-hr-08")["isolated"] is True
        assert taken(tenant, "/isolate", row) == 1
        exhibit = analyst.get(f"/cases/{reference}/evidence/{ended['record']}")
        assert exhibit["kind"] == "action"
        back = ask(analyst, reference, "release", device)
        approve(lead, back)
        ended = the_end(analyst, reference, back)
        assert (ended["state"], ended["effect"]) == ("done", "confirmed")
        assert state_of(tenant, "ws-hr-08")["isolated"] is False

    def test_a_block_is_made_read_back_and_removed(self, analyst: Api, lead: Api, tenant: Tenant) -> None:
        reference = open_case(analyst, "ws-sales-09")
        row = ask(analyst, reference, "block", "evil.example.com", parameters={"days": 3})
        approve(lead, row)
        ended = the_end(analyst, reference, row)
        assert (ended["state"], ended["effect"], ended["failure"]) == ("done", "confirmed", "")
        assert ended["action_id"]
        back = ask(analyst, reference, "unblock", "evil.example.com")
        approve(lead, back)
        assert the_end(analyst, reference, back)["effect"] == "confirmed"

    def test_an_answer_that_is_lost_and_a_worker_that_dies_send_nothing_twice(
        self, stack: Stack, analyst: Api, lead: Api, tenant: Tenant
    ) -> None:
        reference, device = open_case(analyst, "ws-eng-10"), "ws-eng-10.northwharf.example"
        row = ask(analyst, reference, "isolate", device)
        tenant.fault(f"IRCase {row['uuid']}", "slow", seconds=5)
        approve(lead, row)
        the_end(analyst, reference, row, lambda found: found["state"] == "submitted")
        kill(stack, *WORKERS)
        ended = the_end(analyst, reference, row)
        assert (ended["state"], ended["failure"]) == ("done", "")
        assert taken(tenant, "/isolate", row) == 1
        back = ask(analyst, reference, "release", device)
        tenant.fault(f"IRCase {back['uuid']}", "reset_after")
        approve(lead, back)
        assert the_end(analyst, reference, back)["state"] == "done"
        assert sum(1 for one in tenant.requests("/unisolate") if back["uuid"] in str(one["body"])) == 1

    def test_disallowed_by_the_device_group_is_said(self, analyst: Api, lead: Api, tenant: Tenant) -> None:
        reference, device = open_case(analyst, "ws-legal-11"), "ws-legal-11.northwharf.example"
        row = ask(analyst, reference, "restrict", device)
        tenant.fault(f"IRCase {row['uuid']}", "disallowed_operation")
        approve(lead, row)
        ended = the_end(analyst, reference, row)
        assert ended["state"] == "failed"
        assert "remediation level" in ended["failure"]


@pytest.fixture
def thawed(stack: Stack) -> Iterator[None]:
    """Whatever the test freezes, the journeys after it find the stack thawed."""
    yield
    administrator = Api(stack, "ada")
    for one in administrator.get("/freezes")["items"]:
        administrator.post(f"/freezes/{one['id']}/thaw", {"reason": "The journey is over"})


@pytest.mark.browser
@pytest.mark.usefixtures("thawed")
class TestInTheBrowser:
    def test_isolate_freeze_approve_thaw_contained_and_undo(
        self, studio: Studio, analyst: Api, lead: Api, tenant: Tenant
    ) -> None:
        reference = open_case(analyst, "ws-fin-12")
        bob, alice, ada = (studio.open(name) for name in ("response-bob", "response-alice", "response-ada"))
        for film, name in ((bob, "bob"), (alice, "alice"), (ada, "ada")):
            film.sign_in(name)
        ask_in_the_browser(bob, reference)
        alice.go("/kill-switch/")
        alice.scene("kill-switch")
        alice.page.get_by_label("Why").fill("Wrong devices?")
        alice.page.get_by_role("button", name="Freeze everything now").click()
        expect(alice.page.locator("#frozen")).to_contain_text("Wrong devices?")
        alice.small_and_dark("frozen")
        alice.go("/approvals/")
        question = alice.page.get_by_role("article").filter(has_text=reference)
        alice.small_and_dark("inbox")
        question.get_by_label(re.compile(r"^Comment \(needed")).fill("Go ahead.")
        question.get_by_role("button", name=re.compile("^Approve")).click()
        expect(bob.page.get_by_text(re.compile("^Frozen: Everything")).first).to_be_visible(timeout=WORK_MS)
        bob.scene("held")
        assert state_of(tenant, "ws-fin-12")["isolated"] is False
        ada.go("/kill-switch/")
        ada.page.get_by_label("Why it is safe to go on").fill("The right ones")
        ada.page.get_by_role("button", name="Thaw").click()
        expect(ada.page.get_by_role("heading", name="Nothing is frozen")).to_be_visible()
        ada.scene("thawed")
        expect(bob.page.get_by_role("button", name="Set Contained")).to_be_visible(timeout=WORK_MS)
        bob.small_and_dark("confirmed")
        assert state_of(tenant, "ws-fin-12")["isolated"] is True
        bob.page.get_by_role("button", name="Set Contained").click()
        expect(bob.page.locator(".toasts")).to_contain_text("Contained")
        assert "contained" in {one["kind"] for one in analyst.get(f"/cases/{reference}/milestones")["items"]}
        bob.page.get_by_role("link", name="Release from isolation").click()
        expect(bob.page.get_by_role("heading", name="Release from isolation")).to_be_visible()
        bob.scene("undo")


def ask_in_the_browser(bob: Film, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/response/")
    bob.small_and_dark("tab")
    page.get_by_role("link", name="Isolate from the network").click()
    page.get_by_role("checkbox", name="ws-fin-12.northwharf.example").check()
    page.get_by_label("Why", exact=True).fill("Hands on keyboard")
    page.locator("#break-glass > summary").click()
    bob.small_and_dark("ask")
    page.get_by_role("button", name="Ask: Isolate").click()
    expect(page.get_by_text("Waits for a lead of the case to approve")).to_be_visible()
    bob.scene("asked")
