"""Hunts that others wrote come into the library by the browser, and one of them finds something on a case."""

import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.client import Api, ended
from tests.journeys.film import PHONE, Film, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
SET = Path(__file__).resolve().parent.parent / "hunting" / "importing_set"
OFFICE, TOOL = "Encoded PowerShell started by an Office program", "Remote tool A"
WORK_MS = 120_000


def the_set() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path in sorted(p for p in SET.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(SET).as_posix())
    return made.getvalue()


def a_case_with_rows(lead: Api) -> str:
    """A case of Alice's, whose own table holds one start of PowerShell by Word and no remote tool."""
    reference: str = lead.post("/cases", {"title": "Hunts of others"})["reference"]
    at = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    row = {
        "Timestamp": at, "DeviceName": "ws01", "AccountName": "bob", "FileName": "powershell.exe",
        "InitiatingProcessFileName": "WINWORD.EXE", "ProcessCommandLine": "powershell -enc AAAA",
    }  # fmt: skip
    rows = [row, {**row, "ProcessCommandLine": "powershell -File x.ps1"}]
    content = "".join(json.dumps(one) + "\n" for one in rows).encode()
    item = lead.upload(reference, "DeviceProcessEvents.ndjson", content)
    lead.until(f"/cases/{reference}/evidence/{item['uuid']}/import", ended)
    return reference


def test_hunts_are_imported_chosen_and_run(studio: Studio, lead: Api) -> None:
    reference = a_case_with_rows(lead)
    alice = studio.open("import")
    alice.sign_in("alice")
    preview(alice)
    keep_two(alice)
    run_one(alice, reference)
    the_same_again(alice)
    make_a_pack(alice)
    run_the_pack(alice, lead, reference)
    on_a_phone_and_in_the_dark(studio, alice)


def bring(alice: Film) -> None:
    page = alice.page
    alice.go("/hunts/")
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").set_input_files(
        files=[{"name": "team-hunts.zip", "mimeType": "application/zip", "buffer": the_set()}]
    )
    page.get_by_role("button", name="Read and preview").first.click()
    expect(page.locator("#found")).to_be_visible(timeout=WORK_MS)


def preview(alice: Film) -> None:
    bring(alice)
    page = alice.page
    files = sum(1 for path in SET.rglob("*") if path.is_file())
    counts = [int(number) for number in re.findall(r"\d+", page.locator("dt:text-is('Files') + dd").inner_text())]
    assert len(counts) == 4 and sum(counts) == files, counts
    alice.scene("preview")
    expect(page.get_by_role("button", name=re.compile(r"^Refused \d+"))).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^Refused \d+")).click()
    expect(page.locator("#found")).to_contain_text("no query")
    alice.scene("refused")
    with page.expect_download() as report:
        page.get_by_role("link", name="What is not kept (CSV)").click()
    assert b"Member,Place,Line" in Path(report.value.path()).read_bytes()


def keep_two(alice: Film) -> None:
    page = alice.page
    page.get_by_role("button", name=re.compile(r"^All \d+")).click()
    page.get_by_role("button", name="Tick none").click()
    expect(page.locator("#keep")).to_be_disabled()
    for number, title in enumerate((OFFICE, TOOL), 1):
        box = page.get_by_label(f"Keep {title}", exact=True)
        while not box.count():  # the ticks of one page stay while another is looked at
            page.get_by_role("button", name="Next").click()
            page.wait_for_load_state("networkidle")
        box.check()
        expect(page.locator("#keep")).to_have_text(re.compile(rf"Keep {number} hunts?"))
    details = page.locator("tr[id^=item-]").filter(has_text=TOOL).locator("details")
    details.locator("summary").click()
    expect(details).to_contain_text("anydesk.exe")
    expect(details.locator("[data-kind=removed]")).to_contain_text("let Tools")
    alice.scene("two-ticked", whole=False)
    page.locator("#keep").click()
    expect(page.locator("#chosen")).to_contain_text("2 kept so far", timeout=WORK_MS)


def run_one(alice: Film, reference: str) -> None:
    page = alice.page
    alice.go("/hunts/?review=draft")
    page.get_by_role("link", name=OFFICE).click()
    expect(page.locator("main")).to_contain_text("team-hunts.zip")
    alice.scene("kept")
    alice.go(f"/cases/{reference}/hunts/attach/encoded-powershell-started-by-an-office-program/")
    for box in page.get_by_role("group", name="Run on").get_by_role("checkbox").all():
        box.set_checked(box.get_attribute("value") == "case")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#run header").first).to_contain_text("Done", timeout=WORK_MS)
    expect(page.locator("#run")).to_contain_text("1 row")


def the_same_again(alice: Film) -> None:
    bring(alice)
    page = alice.page
    page.get_by_role("button", name=re.compile(r"^Duplicates \d+")).click()
    row = page.get_by_role("row").filter(has_text=OFFICE)
    expect(row).to_contain_text("unchanged since it was imported")
    expect(row.get_by_role("link", name="encoded-powershell-started-by-an-office-program")).to_be_visible()


def make_a_pack(alice: Film) -> None:
    page = alice.page
    alice.go("/hunts/")
    page.get_by_role("link", name="New pack").click()
    page.get_by_label("Title").fill("Office to remote tool")
    page.get_by_label("Id").fill("office-to-tool")
    for title in (TOOL, OFFICE):
        page.get_by_label("Add a hunt").select_option(label=title)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("region", name="Hunts, in order")).to_contain_text(title)
    page.get_by_role("button", name=f"Move {OFFICE} up").press("Enter")
    expect(page.locator("tbody tr").first).to_contain_text(OFFICE)
    page.get_by_label(f"When {TOOL} runs").select_option(label=f"only if “{OFFICE}” had hits")
    page.get_by_label("Add a hunt").select_option(label="Access to LSASS memory")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("region", name="Hunts, in order")).to_contain_text("Access to LSASS memory")
    page.get_by_label("When Access to LSASS memory runs").select_option(label=f"only if “{TOOL}” had hits")
    alice.scene("pack-form")
    page.locator("#save-pack").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Office to remote tool")
    alice.scene("pack")


def run_the_pack(alice: Film, lead: Api, reference: str) -> None:
    """The first finds its row, so the second runs and finds none, so the third is not run, and the page says why."""
    page = alice.page
    alice.go(f"/cases/{reference}/hunts/")
    page.locator("#more-packs > summary").click()
    card = page.locator("#office-to-tool")
    card.get_by_label("Device").fill("ws01")
    card.get_by_label("Run on").select_option("case")
    card.get_by_role("button", name="Run office to remote tool").click()
    page.get_by_role("region", name="Runs").get_by_role("link", name="Office to remote tool").first.click()
    expect(page.locator("#pack-run")).to_contain_text("3 of 3 have ended, 1 with hits, 1 not run", timeout=WORK_MS)
    expect(page.locator("#pack-run")).to_contain_text(f"Not run: {TOOL} had no hits")
    alice.scene("pack-run")
    page.get_by_role("link", name=TOOL).click()
    expect(page.locator("#run")).to_contain_text("3 of 3 have ended")
    found: list[dict[str, Any]] = lead.get(f"/cases/{reference}/hunts/runs", params={"limit": 50})["items"]
    assert len({run["window_end"] for run in found if run["pack"] == "office-to-tool"}) == 1


def on_a_phone_and_in_the_dark(studio: Studio, alice: Film) -> None:
    phone = studio.open("import-phone", size=PHONE, theme="dark")
    phone.sign_in("alice")
    alice.go("/hunt-imports/")
    preview_path = alice.page.get_by_role("region", name="Imports").get_by_role("link").first.get_attribute("href")
    assert preview_path
    for name, path in (
        ("imports", "/hunt-imports/"),
        ("preview", preview_path),
        ("find", f"{preview_path}items/4/"),
        ("pack", "/hunt-packs/office-to-tool/"),
        ("pack-form", "/hunt-packs/office-to-tool/edit/"),
    ):
        phone.go(path)
        phone.scene(name)
