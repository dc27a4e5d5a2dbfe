"""The super-timeline in a real browser: walked by keys, marked, narrowed by a drag, exported and read in again."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from config.stack import Stack
from tests.journeys.client import Api, ended
from tests.journeys.film import Film, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
SUPER = "/cases/{}/super-timeline"
FIRST = 30
"""Events that the page shows before any is scrolled to."""


def processes() -> bytes:
    rows = [
        {
            "Timestamp": f"2026-11-20T{n // 60 % 24:02d}:{n % 60:02d}:00.123456Z",
            "ActionType": "ProcessCreated",
            "DeviceId": f"{n % 3:040x}",
            "DeviceName": f"ws-{n % 3}.contoso.example",
            "FileName": "powershell.exe" if n % 10 == 0 else "svchost.exe",
            "ProcessCommandLine": f"run number {n}",
            "AccountName": "bob" if n % 2 else "eve",
            "InitiatingProcessFileName": "explorer.exe",
        }
        for n in range(600)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FOREIGN = (
    b"message,datetime,timestamp_desc,hostname,tag\r\n"
    b'"File: C:\\loot.zip, 7 bytes",2026-11-20T03:04:05.000001+00:00,Content Modification Time,WS-9,x\r\n'
    b"=SUM(A1),2026-11-20T05:00:00.000000+02:00,Creation Time,ws-9,\r\n"
)


def read(api: Api, case: str, name: str, content: bytes) -> None:
    exhibit = api.upload(case, name, content)
    done = api.until(f"/cases/{case}/evidence/{exhibit['uuid']}/import", ended)
    assert done["state"] == "done" and not done["problems"], done


def until_events(api: Api, case: str, total: int, **asked: Any) -> list[dict[str, Any]]:
    end = time.monotonic() + 120
    while True:
        found = api.get(SUPER.format(case), params={"limit": 1000, **asked})
        if found["total"] == total:
            items: list[dict[str, Any]] = found["items"]
            return items
        assert time.monotonic() < end, found["total"]
        time.sleep(0.5)


def exported(api: Api, case: str, kind: str, **asked: Any) -> bytes:
    path = SUPER.format(case) + "/exports"
    job = api.post(path, {"format": kind, **asked})
    done = api.until(f"{path}/{job['uuid']}", ended)
    assert done["state"] == "done", done
    content: bytes = api.get(f"{path}/{job['uuid']}/file")
    return content


def told(items: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted((one["at"], one["message"], one["timestamp_desc"], one["device"], one["account"]) for one in items)


def test_a_super_timeline(stack: Stack, analyst: Api, studio: Studio) -> None:
    case = analyst.post("/cases", {"title": "All that happened", "connection": "Simulated tenant"})["reference"]
    bob = studio.open("super")
    bob.sign_in("bob")
    bob.go(f"/cases/{case}/super-timeline/")
    bob.scene("empty")
    read(analyst, case, "DeviceProcessEvents.ndjson", processes())
    read(analyst, case, "plaso.csv", FOREIGN)
    items = until_events(analyst, case, 602)
    assert [one["message"] for one in items if one["source"] == "plaso"] == ["=SUM(A1)", "File: C:\\loot.zip, 7 bytes"]
    walk(bob, case)
    narrow(bob, case)
    for name in ("page", "mappings"):
        bob.go(f"/cases/{case}/super-timeline/" + ("mappings/" if name == "mappings" else ""))
        bob.small_and_dark(name)
    small = studio.open("super-dark", theme="dark")
    small.sign_in("bob")
    small.go(f"/cases/{case}/super-timeline/?technique=T1059&source=DeviceProcessEvents")
    small.scene("filtered")
    export(bob, case)
    again(analyst, case)


def walk(bob: Film, case: str) -> None:
    page = bob.page
    bob.go(f"/cases/{case}/super-timeline/")
    bob.scene("page")
    rows = page.locator("[data-super] [data-row]")
    expect(rows).to_have_count(FIRST)
    page.locator("h2#super-title").click()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1).locator("a[data-open]")).to_be_focused()
    page.keyboard.press("s")
    expect(rows.nth(1).locator("button.star")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("t")
    page.get_by_label("Tags, with blanks between").fill("first c2")
    bob.scene("tags", whole=False)
    page.get_by_role("button", name="Keep the tags").click()
    expect(rows.nth(1)).to_contain_text("c2")
    rows.nth(1).locator("a[data-open]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-body")).to_contain_text("run number 1")
    bob.scene("row", whole=False)
    page.keyboard.press("Escape")
    rows.nth(1).locator("a[data-open]").focus()
    page.keyboard.press("e")
    button = page.locator("#drawer-body").get_by_role("button", name="Add to the timeline")
    expect(button).to_be_visible()
    button.click()
    expect(page.locator("#drawer-body")).to_contain_text("is on the timeline")
    page.keyboard.press("Escape")
    page.locator("#more-events").scroll_into_view_if_needed()
    expect(rows).not_to_have_count(FIRST)
    bob.go(f"/cases/{case}/super-timeline/?only=marked")
    expect(rows).to_have_count(1)


def narrow(bob: Film, case: str) -> None:
    page = bob.page
    bob.go(f"/cases/{case}/super-timeline/")
    page.get_by_label("All of these words").fill("powershell eve")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("[data-brush]")).to_contain_text("60 of 602 events pass")
    assert "device=" not in page.url
    bars = page.locator("[data-brush] svg a")
    first, last = bars.first.bounding_box(), bars.nth(9).bounding_box()
    assert first and last
    y = page.locator("[data-brush] svg").bounding_box()["y"] + 80  # type: ignore[index]
    page.mouse.move(first["x"] + 1, y)
    page.mouse.down()
    page.mouse.move(last["x"] + 1, y, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("since="))
    expect(page.locator("[data-brush]")).to_contain_text("10 of 602 events pass")
    page.locator("#super-save > summary").click()
    page.get_by_label("Name of the view").fill("Shells of eve")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#super-views")).to_be_visible()
    bob.scene("narrowed")


def export(bob: Film, case: str) -> None:
    page = bob.page
    bob.go(f"/cases/{case}/super-timeline/?source=plaso")
    page.get_by_label("Format of the export").select_option("csv")
    page.get_by_role("button", name="Export these").click()
    link = page.get_by_role("link", name="Download the events")
    expect(link).to_be_visible()
    bob.scene("export")
    with page.expect_download() as download:
        link.click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 3 and lines[1].startswith("=SUM(A1),2026-11-20T03:00:00.000000+00:00,")
    bob.go(f"/cases/{case}/super-timeline/exports/")
    bob.scene("exports")


def again(api: Api, case: str) -> None:
    """What was exported, read into another case, has the same times and words."""
    before = told(until_events(api, case, 602))
    for kind in ("jsonl", "csv"):
        other = api.post("/cases", {"title": f"Read again from {kind}"})["reference"]
        read(api, other, f"events.{kind}", exported(api, case, kind))
        assert told(until_events(api, other, 602)) == before
    marked = exported(api, case, "jsonl", only="marked").splitlines()
    assert [json.loads(line)["tag"] for line in marked] == [["c2", "first"]]
