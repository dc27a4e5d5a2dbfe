"""The rows of a run in a real browser: walked by keys, starred, pivoted from, compared with those of another run."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from config.stack import Stack
from tests.journeys.client import RUNS, Api, Tenant, ended
from tests.journeys.film import PHONE, Film, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
KQL = 'DeviceProcessEvents | where FileName == "grid-tool.exe" | project Timestamp, DeviceName, SHA256, ProcessId'
AT = (datetime.now(UTC) - timedelta(minutes=30)).replace(microsecond=0)


def grow(tenant: Tenant, *numbers: int) -> None:
    rows = [
        {
            "Timestamp": (AT + timedelta(seconds=n)).isoformat().replace("+00:00", "Z"),
            "DeviceName": f"ws-{n}.contoso.example",
            "FileName": "grid-tool.exe",
            "SHA256": f"{n:064x}",
            "ProcessId": n,
        }
        for n in numbers
    ]
    body = {"table": "DeviceProcessEvents", "rows": rows}
    tenant.session.post(f"{tenant.base}/telemetry", json=body, timeout=30).raise_for_status()


def run(api: Api, case: str) -> str:
    body = {"source": "defender", "kql": KQL, "span": "1d", "title": "Tool starts"}
    queued = api.post(RUNS.format(case), body)
    done = api.until(f"{RUNS.format(case)}/{queued['uuid']}", ended)
    assert done["state"] == "done", done
    return str(done["uuid"])


def test_grid_star_pivot_and_diff(stack: Stack, analyst: Api, tenant: Tenant, studio: Studio) -> None:
    grow(tenant, 1, 2, 3, 4)
    case = analyst.post("/cases", {"title": "Walked by keys", "connection": "Simulated tenant"})["reference"]
    first = run(analyst, case)
    grow(tenant, 9)
    second = run(analyst, case)
    bob = studio.open("grid")
    bob.sign_in("bob")
    star_by_key(bob, case, first)
    pivot(bob, case, first, analyst)
    the_page_of_stars(bob, case)
    diff(bob, case, second)
    small = studio.open("grid-phone", PHONE, "dark")
    small.sign_in("bob")
    small.go(f"/cases/{case}/hunts/{first}/")
    small.scene("run")
    small.go(f"/cases/{case}/starred/")
    small.scene("stars")


def star_by_key(bob: Film, case: str, run: str) -> None:
    page = bob.page
    bob.go(f"/cases/{case}/hunts/{run}/")
    grid = page.get_by_role("region", name="Grid", exact=True)
    grid.locator("tbody td").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("s")
    expect(page.locator("#star-2")).to_have_attribute("aria-pressed", "true")
    page.locator("#star-3").click()
    expect(page.locator("#star-3")).to_have_attribute("aria-pressed", "true")
    page.locator("#star-3").click()
    expect(page.locator("#star-3")).to_have_attribute("aria-pressed", "false")
    bob.scene("starred-by-key")
    bob.go(f"/cases/{case}/hunts/{run}/")
    page.get_by_role("link", name=re.compile("Starred rows only")).click()
    expect(page).to_have_url(re.compile("only=starred"))
    expect(grid.locator("tbody tr")).to_have_count(1)
    expect(grid).to_contain_text("ws-2.contoso.example")


def pivot(bob: Film, case: str, run: str, analyst: Api) -> None:
    """From the open row: a note, the device as an asset, the hash as an indicator, the row on the timeline."""
    page = bob.page
    page.get_by_role("link", name="Row 2: details").click()
    drawer = page.locator("#drawer")
    drawer.get_by_label("Note on this row").fill("The tool's first start")
    drawer.get_by_role("button", name="Keep the note").click()
    expect(drawer).to_contain_text("Last written by")
    bob.scene("row-noted", whole=False)
    drawer.get_by_role("button", name=re.compile("ws-2.contoso.example")).first.click()
    expect(drawer).to_contain_text("ws-2.contoso.example is now an asset of the case")
    drawer.get_by_role("button", name=re.compile(f"{2:064x}"[:20])).first.click()
    expect(drawer).to_contain_text("is now an indicator of the case")
    drawer.get_by_text("Add to the timeline").first.click()
    drawer.get_by_label("What happened").fill("Tool started")
    drawer.get_by_role("button", name="Add to the timeline").click()
    expect(drawer).to_contain_text("is on the timeline")
    event = next(one for one in analyst.get(f"/cases/{case}/events")["items"] if one["title"] == "Tool started")
    star = analyst.get(f"/cases/{case}/stars")["items"][0]
    assert event["provenance"]["star"] == star["uuid"]
    assert (event["provenance"]["run"], event["provenance"]["row"], star["note"]) == (run, 2, "The tool's first start")
    page.keyboard.press("Escape")


def the_page_of_stars(bob: Film, case: str) -> None:
    page = bob.page
    bob.go(f"/cases/{case}/starred/")
    expect(page.get_by_text("Same row")).to_be_visible()
    expect(page.get_by_label("Note", exact=True)).to_have_value("The tool's first start")
    expect(page.get_by_role("link", name="Tool started")).to_be_visible()
    bob.scene("stars")


def diff(bob: Film, case: str, run: str) -> None:
    page = bob.page
    bob.go(f"/cases/{case}/hunts/{run}/")
    page.get_by_role("link", name="Compare", exact=True).click()
    changes = page.get_by_role("region", name="Changes")
    expect(changes.locator("tbody tr")).to_have_count(1)
    expect(changes).to_contain_text("ws-9.contoso.example")
    page.get_by_role("link", name=re.compile("^Gone")).click()
    expect(page.get_by_text("No difference")).to_be_visible()
    page.get_by_role("link", name=re.compile("^New")).click()
    changes.get_by_role("link", name=re.compile("Row 5 after")).click()
    expect(page.locator("#drawer")).to_contain_text("ws-9.contoso.example")
    bob.scene("diff", whole=False)
