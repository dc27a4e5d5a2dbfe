"""The main job in a real browser, filmed: no policy violation, no accessibility fault, no sideways scroll on the way."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from config import demo
from config.stack import BASE_DIR, Stack
from tests.journeys.client import Api
from tests.journeys.test_main_job import PATIENT_ZERO

pytestmark = [pytest.mark.journey, pytest.mark.browser]
AXE = BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
LISTEN = "window.addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


class Film:
    """A signed-in person's window: takes a picture of every scene and keeps what went wrong."""

    def __init__(self, stack: Stack, context: BrowserContext, folder: Path) -> None:
        self.stack, self.folder, self.number = stack, folder, 0
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.add_init_script(LISTEN)
        self.faults: list[str] = []
        self.page.on("console", lambda m: self.faults.append(m.text) if m.text.startswith("CSP ") else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def sign_in(self, username: str) -> None:
        self.page.goto(self.stack.url)
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password", exact=True).fill(demo.passwords(self.stack.root)[username])
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def scene(self, name: str) -> None:
        """A picture, and the checks that hold for every page."""
        self.number += 1
        self.page.screenshot(path=self.folder / f"{self.number:02d}-{name}.png", full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide} px"
        assert self.faults == [], name
        if AXE.is_file():
            # By evaluate, not as a script element: the page's policy refuses foreign script, as it should.
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
            found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target).join(' | ')))")
            assert found == [], name


@pytest.fixture
def film(request: pytest.FixtureRequest, stack: Stack, browser: Browser, tmp_path: Path) -> Iterator[Film]:
    kind = getattr(request, "param", {})
    folder = Path(os.environ.get("IRCASE_FILM_DIR", str(tmp_path)))
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}, **kind)
    yield Film(stack, context, folder)
    context.close()


def test_from_incident_to_report(film: Film, stack: Stack, analyst: Api, lead: Api) -> None:
    page = film.page
    film.sign_in("bob")
    film.scene("my-work")
    analyst.until("/incidents", lambda found: found["items"])
    page.get_by_role("link", name="Incidents").first.click()
    film.scene("incidents")
    page.get_by_role("link", name=re.compile("Multi-stage incident")).first.click()
    film.scene("incident")
    page.get_by_role("button", name="Open case").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Multi-stage incident")
    reference = re.search(r"IR-\d{4}-\w+", page.url)
    assert reference
    base = f"/cases/{reference[0]}"
    film.scene("case")
    analyst.call("PUT", f"{base}/members/alice", json={"role": "lead"})

    page.get_by_role("link", name="Hunts", exact=True).click()
    expect(page).to_have_url(re.compile(r"/hunts/"))
    film.scene("hunts")
