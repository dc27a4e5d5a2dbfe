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
    studio.close()


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
    form.get_by_label("Person").fill("alice")
    form.get_by_label("Role", exact=True).select_option("lead")
    form.get_by_role("button", name="Save member").click()
    expect(page.locator("#members")).to_contain_text("Alice")
