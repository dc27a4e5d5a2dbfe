"""The main job in a real browser, filmed: no policy violation, no accessibility fault, no sideways scroll on the way."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from config.stack import Stack
from tests.journeys.client import Api
from tests.journeys.film import Film, Studio, chromium_browser, film_folder
from tests.journeys.test_main_job import PATIENT_ZERO

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WORK_MS = 120_000  # a pack, a collection or a report on a busy machine


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_browser(chromium) as browser:
        yield browser


@pytest.fixture
def studio(stack: Stack, browser: Browser, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(stack, browser, film_folder(tmp_path))
    yield studio
    assert studio.close() == []


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Parts of the case").get_by_role("link", name=name, exact=True).click()
    expect(page.locator("nav.tabs [aria-current]")).to_have_text(name)
    page.wait_for_load_state("networkidle")


def run_row(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name="Runs of this case").get_by_role("row").filter(has_text=title).first


class TestMainJob:
    """One path, told in chapters; what a chapter makes the next one needs."""

    def test_from_incident_to_report(self, studio: Studio, analyst: Api) -> None:
        bob = studio.open("job")
        open_case(bob, analyst)
        add_lead(bob.page)
        run_the_pack(bob)
        finding_to_the_timeline(bob)
        ask_for_the_collection(bob)
        approve(studio, bob.reference)
        collection_comes_home(bob)
        evidence_verified(bob)
        report_downloaded(bob)


def open_case(bob: Film, analyst: Api) -> None:
    page = bob.page
    bob.sign_in("bob")
    bob.scene("my-work")
    analyst.until("/incidents", lambda found: found["items"])
    page.get_by_role("link", name="Incidents").first.click()
    bob.scene("incidents")
    page.get_by_role("link", name=re.compile("Multi-stage incident")).first.click()
    bob.scene("incident")
    page.get_by_role("button", name="Open case").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Multi-stage incident")
    bob.scene("case")


def add_lead(page: Page) -> None:
    """A second lead, who will have to approve."""
    page.locator("#add-member > summary").click()
    form = page.locator("#add-member form")
    form.get_by_label("Person").select_option(label="Alice Berg (alice)")
    form.get_by_label("Role", exact=True).select_option("lead")
    form.get_by_role("button", name="Save member").click()
    expect(page.locator("#members")).to_contain_text("Alice")


def run_the_pack(bob: Film) -> None:
    """Device triage on patient zero, from the tab to the last hunt's end, without a reload."""
    page = bob.page
    tab(page, "Hunts")
    bob.scene("hunts")
    pack = page.get_by_role("region", name="Device triage")
    pack.get_by_label("Device", exact=True).fill(PATIENT_ZERO)
    pack.get_by_role("button", name="Run device triage").click()
    page.wait_for_url(re.compile(r"/hunts/$"))
    expect(page.get_by_text(re.compile(r"Device triage: \d+ hunts are queued"))).to_be_visible()
    bob.scene("pack-queued")
    expect(run_row(page, "Run and RunOnce")).to_contain_text("Done", timeout=WORK_MS)
    expect(page.locator("#runs [role=status]")).to_have_count(0, timeout=WORK_MS)
    bob.scene("pack-done")


def finding_to_the_timeline(bob: Film) -> None:
    page = bob.page
    run_row(page, "Run and RunOnce").get_by_role("link").first.click()
    expect(page.get_by_role("region", name="Result")).to_be_visible()
    bob.scene("run")
    page.get_by_role("region", name="Result").get_by_role("link", name=re.compile(r"Row \d+: details")).first.click()
    drawer = page.locator("#drawer")
    expect(drawer).to_be_visible()
    bob.scene("row", whole=False)
    drawer.get_by_text("Add to the timeline").first.click()
    drawer.get_by_label("What happened").fill("Run key set by the loader")
    drawer.get_by_role("button", name="Add to the timeline").click()
    expect(drawer).to_contain_text("is on the timeline")
    bob.scene("row-taken", whole=False)
    page.keyboard.press("Escape")
    page.get_by_label("What it means").select_option("malicious")
    page.get_by_label("In a sentence").fill("A loader starts with Windows.")
    page.get_by_role("button", name="Keep the conclusion").click()
    expect(page.locator("#run")).to_contain_text("A loader starts with Windows.")
    tab(page, "Timeline")
    expect(page.get_by_text("Run key set by the loader")).to_be_visible()
    bob.scene("timeline")


def ask_for_the_collection(bob: Film) -> None:
    page = bob.page
    tab(page, "Live Response")
    bob.scene("live-response")
    page.get_by_role("link", name="DFIR triage").first.click()
    page.get_by_label("Device", exact=True).fill(PATIENT_ZERO)
    page.get_by_label("Reason").fill("A loader was seen in the Run keys.")
    bob.scene("collection-form")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("Waits for a lead of the case to approve")).to_be_visible()
    bob.scene("collection-waits")


def approve(studio: Studio, reference: str) -> None:
    alice = studio.open("approval")
    page = alice.page
    alice.sign_in("alice")
    page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("Approvals")).click()
    alice.scene("inbox")
    row = page.get_by_role("region", name="Waiting for you").get_by_role("row").filter(has_text=reference)
    row.get_by_role("link").first.click()
    alice.scene("question")
    page.get_by_label(re.compile("Comment")).fill("Go ahead.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".toasts")).to_be_visible()
    alice.scene("decided")


def collection_comes_home(bob: Film) -> None:
    """Bob has left his page open: it tells him by itself."""
    page = bob.page
    home = page.get_by_role("region", name="What came home")
    expect(home).to_be_visible(timeout=WORK_MS)
    expect(home.get_by_text("Reading into tables")).to_be_visible(timeout=WORK_MS)
    expect(page.locator("#collection[hx-trigger]")).to_have_count(0, timeout=WORK_MS)
    bob.scene("collection-done")


def evidence_verified(bob: Film) -> None:
    page = bob.page
    tab(page, "Evidence")
    bob.scene("evidence")
    page.get_by_role("region", name="Exhibits").get_by_role("link", name=re.compile(r"^E")).first.click()
    bob.scene("exhibit")
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator("#integrity")).to_contain_text("Verified", timeout=WORK_MS)
    bob.scene("exhibit-verified")


def report_downloaded(bob: Film) -> None:
    page = bob.page
    tab(page, "Report")
    bob.scene("report")
    page.get_by_label("Seal the PDF as evidence of the case").check()
    page.get_by_role("button", name="Build report").click()
    link = page.get_by_role("link", name="PDF").first
    expect(link).to_be_visible(timeout=WORK_MS)
    bob.scene("report-built")
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
