"""A watch in the real stack, in a browser: the telemetry grows, and the new rows are told, once."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from config.stack import Stack
from tests.journeys.client import RUNS, Api, Tenant, ended
from tests.journeys.film import PHONE, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WATCHES = "/cases/{}/hunts/watches"
KQL = 'DeviceProcessEvents | where FileName == "watched-tool.exe" | project Timestamp, DeviceName, FileName, ProcessId'


def grow(tenant: Tenant, *processes: int) -> None:
    """A tool starts on a device, once for each process id."""
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    rows = [
        {"Timestamp": at, "DeviceName": f"ws-{n}.contoso.example", "FileName": "watched-tool.exe", "ProcessId": n}
        for n in processes
    ]
    body = {"table": "DeviceProcessEvents", "rows": rows}
    tenant.session.post(f"{tenant.base}/telemetry", json=body, timeout=30).raise_for_status()


def make_due(stack: Stack) -> None:
    """An hour is long for a test: the clock of every watch is put forward instead."""
    now = "from django.utils import timezone; from hunting.models import Watch; "
    stack.manage("shell", "-c", now + "Watch.objects.update(next_at=timezone.now())")


def next_turn(stack: Stack, api: Api, door: str, number: int) -> dict[str, Any]:
    make_due(stack)
    api.until(f"{door}/turns", lambda page: page["total"] == number and ended(page["items"][0]))
    turn: dict[str, Any] = api.get(f"{door}/turns")["items"][0]
    return turn


def test_new_rows_are_told_once(stack: Stack, analyst: Api, tenant: Tenant, studio: Studio) -> None:
    grow(tenant, 1, 2)
    case = analyst.post("/cases", {"title": "Watched", "connection": "Simulated tenant"})["reference"]
    queued = analyst.post(RUNS.format(case), {"source": "defender", "kql": KQL, "span": "1d", "title": "Tool starts"})
    run = analyst.until(f"{RUNS.format(case)}/{queued['uuid']}", ended)
    assert (run["state"], run["row_count"]) == ("done", 2), run
    bob = studio.open("watch")
    bob.sign_in("bob")
    bob.go(f"/cases/{case}/hunts/{run['uuid']}/")
    bob.page.get_by_role("link", name="Watch this").click()
    expect(bob.page.get_by_role("heading", name="Watch this")).to_be_visible()
    bob.scene("watch-new")
    bob.page.get_by_label("Every … hours").fill("1")
    bob.page.get_by_role("button", name="Watch", exact=True).click()
    expect(bob.page.get_by_text("Watching. It is asked again in 1 h.")).to_be_visible()
    bob.scene("watch-begun")
    watch = analyst.get(WATCHES.format(case))["items"][0]
    door = f"{WATCHES.format(case)}/{watch['uuid']}"
    assert (watch["key"], watch["every_hours"]) == ([], 1)

    first = next_turn(stack, analyst, door, 1)
    assert (first["state"], first["new_rows"]) == ("done", 0)
    assert notices(analyst, case) == []
    grow(tenant, 3)
    second = next_turn(stack, analyst, door, 2)
    assert (second["new_rows"], second["truncated"]) == (1, False)
    third = next_turn(stack, analyst, door, 3)
    assert third["new_rows"] == 0
    assert [one["title"] for one in notices(analyst, case)] == ["1 new row: Tool starts"]

    bob.go("/")
    news = bob.page.get_by_role("region", name="News for you")
    expect(news).to_contain_text("ws-3.contoso.example")
    expect(bob.page.locator("#my-watches")).to_contain_text("Tool starts")
    bob.scene("news")
    news.get_by_role("button", name="Show").first.click()
    expect(bob.page.get_by_role("region", name="Grid", exact=True).get_by_role("row")).to_have_count(2)
    expect(bob.page.get_by_role("region", name="Grid", exact=True)).to_contain_text("ws-3.contoso.example")
    bob.scene("new-rows")
    bob.go(f"/cases/{case}/hunts/watches/")
    bob.scene("watches")
    bob.page.get_by_role("link", name="Tool starts").click()
    expect(bob.page.locator("#turns")).to_contain_text("ProcessId: 3")
    bob.scene("turns")
    bob.page.get_by_role("button", name="Stop").click()
    expect(bob.page.get_by_text(re.compile("Stopped"))).not_to_have_count(0)
    small = studio.open("watch-phone", PHONE, "dark")
    small.sign_in("bob")
    small.go(f"/cases/{case}/hunts/watches/{watch['uuid']}/")
    small.scene("watch-dark")


def notices(api: Api, case: str) -> list[dict[str, Any]]:
    return [one for one in api.get("/notices")["items"] if one["case"] == case]
