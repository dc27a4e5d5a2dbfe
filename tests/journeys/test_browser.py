"""The main job in a real browser, filmed. On the way: no policy violation, no barrier, no sideways scroll."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from config import demo
from config.stack import Stack
from tests.journeys.client import Api, ended
from tests.journeys.film import DESKTOP, PHONE, Film, Studio
from tests.journeys.test_main_job import PATIENT_ZERO, open_from_incident

pytestmark = [pytest.mark.journey, pytest.mark.browser]
CASE = re.compile(r"IR-\d{4}-\w+")
WORK_MS = 120_000  # a pack, a collection or a report on a busy machine


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Parts of the case").get_by_role("link", name=name, exact=True).click()
    expect(page.locator("nav[aria-label='Parts of the case'] [aria-current]")).to_have_text(name)
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
    analyst.until("/incidents?show=all", lambda found: found["items"])
    page.get_by_role("link", name="Incidents").first.click()
    bob.scene("incidents")
    # Another journey on this stack may have made a case of it already: then it waits no more, and its page leads to the
    # case by a notice. That page also lists similar cases, so the way is not told by what a reference looks like.
    page.get_by_label("Show", exact=True).select_option("all")
    page.wait_for_url(re.compile("show=all"))
    page.get_by_role("link", name=re.compile("Multi-stage incident")).first.click()
    bob.scene("incident")
    made = page.locator(".notice").filter(has_text="There is a case of this incident").get_by_role("link").first
    page.get_by_role("button", name="Open case").or_(made).click()
    expect(page).to_have_url(CASE)
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
    expect(page.get_by_text(re.compile(r"Device triage: .*hunts are queued"))).to_be_visible()
    bob.scene("pack-queued")
    expect(run_row(page, "Run and RunOnce")).to_contain_text("Done", timeout=WORK_MS)
    expect(page.locator("#runs [role=status]")).to_have_count(0, timeout=WORK_MS)
    bob.scene("pack-done")


def finding_to_the_timeline(bob: Film) -> None:
    page = bob.page
    run_row(page, "Run and RunOnce").get_by_role("link").first.click()
    grid = page.get_by_role("region", name="Grid", exact=True)
    expect(grid).to_be_visible()
    bob.scene("run")
    grid.get_by_role("link", name=re.compile(r"Row \d+: details")).first.click()
    drawer = page.locator("#drawer")
    expect(drawer).to_be_visible()
    bob.scene("row", whole=False)
    drawer.get_by_text("Add to the timeline").first.click()
    drawer.get_by_label("What happened").fill("Run key set by the loader")
    drawer.get_by_role("button", name="Add to the timeline").click()
    expect(drawer).to_contain_text("is on the timeline")
    bob.scene("row-taken", whole=False)
    page.keyboard.press("Escape")
    page.get_by_label("What it means").select_option("confirmed")
    page.get_by_label("In a sentence").fill("A loader starts with Windows.")
    page.get_by_role("button", name="Keep the conclusion").click()
    expect(page.locator("#run")).to_contain_text("A loader starts with Windows.")
    tab(page, "Timeline")
    expect(page.get_by_role("link", name="Run key set by the loader").first).to_be_visible()
    bob.scene("timeline")


def ask_for_the_collection(bob: Film) -> None:
    page = bob.page
    tab(page, "Live Response")
    bob.scene("live-response")
    page.get_by_role("link", name="DFIR triage").first.click()
    page.get_by_label("Device", exact=True).fill(PATIENT_ZERO)
    page.get_by_label(re.compile("^Why")).fill("A loader was seen in the Run keys.")
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
    row = page.get_by_role("region", name="Waiting for you").get_by_role("article").filter(has_text=reference)
    row.get_by_role("link").first.click()
    alice.scene("question")
    page.get_by_label(re.compile(r"^Comment \(needed")).fill("Go ahead.")
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
    page.get_by_role("region", name="Exhibits").get_by_role("link", name=re.compile(r"^E\d")).first.click()
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


@pytest.fixture(scope="module")
def reference(stack: Stack, analyst: Api, chromium: str) -> str:
    """The case of the main incident, with at least one run that has rows."""
    case = str(open_from_incident(analyst)["reference"])
    if not [run for run in analyst.get(f"/cases/{case}/hunts/runs")["items"] if run["row_count"]]:
        body = {"source": "defender", "hunt": "registry-run-keys", "parameters": {"TargetDevice": PATIENT_ZERO}}
        queued = analyst.post(f"/cases/{case}/hunts/runs", body)
        analyst.until(f"/cases/{case}/hunts/runs/{queued['uuid']}", ended)
    return case


def pages_of(analyst: Api, reference: str) -> list[tuple[str, str]]:
    """What an analyst sees in a day, by name and path."""
    runs = analyst.get(f"/cases/{reference}/hunts/runs")["items"]
    run = next(run["uuid"] for run in runs if run["row_count"])
    exhibit = analyst.get(f"/cases/{reference}/evidence")["items"][0]["uuid"]
    collections = analyst.get(f"/cases/{reference}/collections")["items"][:1]
    tabs = ("checklist", "hunts", "live-response", "evidence", "timeline", "entities", "notes", "report", "log")
    return [
        ("my-work", "/"),
        ("cases", "/cases/"),
        ("new-case", "/cases/new/"),
        ("incidents", "/incidents/"),
        ("hunt", "/hunts/registry-run-keys/"),
        ("search", "/search/?q=jump01"),
        ("overview", f"/cases/{reference}/"),
        *((name, f"/cases/{reference}/{name}/") for name in tabs),
        ("set-up", f"/cases/{reference}/hunts/attach/registry-run-keys/"),
        ("run", f"/cases/{reference}/hunts/{run}/"),
        ("row", f"/cases/{reference}/hunts/{run}/rows/1/"),
        ("exhibit", f"/cases/{reference}/evidence/{exhibit}/"),
        *(("collection", f"/cases/{reference}/live-response/{one['uuid']}/") for one in collections),
    ]


class TestEveryPage:
    @pytest.mark.parametrize(
        ("name", "size", "theme"),
        [("wide-dark", DESKTOP, "dark"), ("phone-light", PHONE, "light"), ("phone-dark", PHONE, "dark")],
    )
    def test_an_analysts_pages(
        self, studio: Studio, analyst: Api, reference: str, name: str, size: tuple[int, int], theme: str
    ) -> None:
        bob = studio.open(name, size, theme)
        bob.page.goto("/")
        bob.scene("sign-in")
        bob.sign_in("bob")
        for page, path in pages_of(analyst, reference):
            bob.go(path)
            bob.scene(page)

    def test_the_menu_of_a_phone(self, studio: Studio) -> None:
        bob = studio.open("menu", PHONE)
        bob.sign_in("bob")
        bob.page.get_by_role("button", name="Main menu").click()
        expect(bob.page.get_by_role("link", name="Hunt library")).to_be_visible()
        bob.scene("open", whole=False)
        bob.page.get_by_role("link", name="Hunt library").click()
        expect(bob.page.get_by_role("heading", level=1)).to_have_text("Hunts")

    def test_a_manager_reads_and_writes_nothing(self, studio: Studio, reference: str) -> None:
        carol = studio.open("manager")
        carol.sign_in("carol")
        carol.go("/dashboard/")
        carol.scene("dashboard")
        carol.go(f"/cases/{reference}/hunts/")
        expect(carol.page.get_by_role("region", name="Runs of this case")).to_be_visible()
        expect(carol.page.get_by_role("button", name=re.compile("^Run "))).to_have_count(0)
        carol.scene("hunts")

    def test_an_administrators_pages(self, studio: Studio) -> None:
        ada = studio.open("administrator")
        page = ada.page
        ada.sign_in("ada")
        ada.go("/administration/")
        ada.scene("overview")
        ada.go("/administration/connections/")
        ada.scene("connections")
        connection = page.get_by_role("link", name="Simulated tenant").first.get_attribute("href")
        ada.go(f"{connection}preflight/")
        page.get_by_role("button", name="Check again").click()
        expect(page.get_by_text(re.compile("^Checked "))).to_be_visible(timeout=WORK_MS)
        expect(page.get_by_text("ThreatHunting.Read.All").first).to_be_visible(timeout=WORK_MS)
        ada.scene("preflight")
        ada.go("/administration/people/")
        ada.scene("people")
        page.get_by_role("link", name="Carol").first.click()
        ada.scene("person")


def reach(page: Page, target: Locator, steps: int = 120) -> None:
    """Press Tab until `target` has the focus, as a person without a mouse does."""
    expect(target).to_be_visible()
    for _ in range(steps):
        page.keyboard.press("Tab")
        if target.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"{target} cannot be reached with Tab")


def optional_box(page: Page) -> Locator:
    """The box of an item that is open and asks for no proof, however its line is replaced."""
    item = page.locator("#case-body li[data-state=todo]:visible").filter(has_not_text="Required").first
    name = item.locator("button.tick").get_attribute("id")
    return page.locator(f"#{name}")


class TestByKeyboardAlone:
    def test_from_signing_in_to_a_row(self, studio: Studio, stack: Stack, reference: str) -> None:
        bob = studio.open("keyboard")
        page, keys = bob.page, bob.page.keyboard
        page.goto("/")
        expect(page.get_by_label("Username")).to_be_focused()
        keys.type("bob")
        keys.press("Tab")
        keys.type(demo.passwords(stack.root)["bob"])
        keys.press("Enter")
        expect(page.get_by_role("heading", name="My work")).to_be_visible()

        keys.press("/")
        expect(page.get_by_role("searchbox").first).to_be_focused()
        keys.type(reference)
        keys.press("Enter")
        expect(page.get_by_role("navigation", name="Parts of the case")).to_be_visible()
        page.wait_for_load_state()  # the keys are the script's, which comes after what is seen

        help_dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
        keys.press("?")
        expect(help_dialog).to_be_visible()
        bob.scene("help", whole=False)
        keys.press("Escape")
        expect(help_dialog).to_be_hidden()

        self.tick_an_item(page)
        self.refuse_a_dialog(page)
        self.open_a_row(bob)

    def tick_an_item(self, page: Page) -> None:
        """And take it back: the focus stays on the box while its line is replaced."""
        reach(page, page.locator("#tab-checklist"))
        page.keyboard.press("Enter")
        # The overview lists open items too: the boxes of the checklist are the ones to tick.
        expect(page.locator("#case-body #detection")).to_be_visible()
        same = optional_box(page)
        reach(page, same)
        for pressed in ("true", "false"):
            page.keyboard.press("Space")
            expect(same).to_have_attribute("aria-pressed", pressed)
            expect(same).to_be_focused()

    def refuse_a_dialog(self, page: Page) -> None:
        page.locator("#tab-overview").focus()
        page.keyboard.press("Enter")
        opener = page.get_by_role("button", name="Make confidential")
        reach(page, opener)
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Members only?")
        expect(dialog).to_be_visible()
        assert dialog.evaluate("one => one.contains(document.activeElement)")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()

    def open_a_row(self, bob: Film) -> None:
        page = bob.page
        page.locator("#tab-hunts").focus()
        page.keyboard.press("Enter")
        with_rows = page.locator("#runs").get_by_role("link", name=re.compile("Run and RunOnce keys")).first
        reach(page, with_rows)
        page.keyboard.press("Enter")
        row = page.get_by_role("link", name="Row 1: details")
        reach(page, row)
        page.keyboard.press("Enter")
        drawer = page.locator("#drawer")
        expect(drawer.get_by_role("heading", name="Row 1")).to_be_visible()
        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()
        expect(row).to_be_focused()
        bob.scene("run", whole=False)


class TestWithoutScript:
    def test_a_case_can_be_worked_on(self, studio: Studio, reference: str) -> None:
        bob = studio.open("no-script", java_script_enabled=False)
        page = bob.page
        bob.sign_in("bob")
        page.get_by_role("link", name="Cases", exact=True).click()
        page.get_by_role("link", name=reference).first.click()
        page.get_by_role("link", name="Checklist", exact=True).click()
        same = optional_box(page)
        for pressed in ("true", "false"):
            same.click()
            expect(same).to_have_attribute("aria-pressed", pressed)
        bob.scene("checklist")

        page.get_by_role("link", name="Hunts", exact=True).click()
        bob.scene("hunts")
        page.get_by_role("heading", name="Devices").click()
        page.get_by_role("link", name="Set up Run and RunOnce keys").click()
        page.get_by_label("Target device").fill(PATIENT_ZERO)
        page.get_by_role("button", name="Show the final KQL").click()
        expect(page.locator("#final")).to_contain_text(f'let TargetDevice = "{PATIENT_ZERO}";')
        bob.scene("set-up")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("heading", name=re.compile("^Run and RunOnce keys"))).to_be_visible()
        self.reload_until_done(page)
        page.get_by_role("link", name="Row 1: details").click()
        page.get_by_text("Add to the timeline").first.click()
        expect(page.get_by_label("What happened")).to_be_visible()
        bob.scene("row")

    def reload_until_done(self, page: Page) -> None:
        for _ in range(60):
            if page.get_by_role("region", name="Grid", exact=True).is_visible():
                return
            page.wait_for_timeout(500)
            page.reload()
        pytest.fail("The run did not end.")
