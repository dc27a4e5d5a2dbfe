"""The case notebook in a real browser: written by keyboard, one result read by the next cell, all run, printed."""

import io
import re
from pathlib import Path
from typing import Any

import pypdf
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.client import Api, ended
from tests.journeys.film import PHONE, Film, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WORK_MS = 120_000
READY = "[data-kql][data-state=ready][data-schema-of]"
DOORS = "Badge,Door,Minutes\n" + "".join(f"{badge},{door},{n}\n" for n, (badge, door) in enumerate(
    [("anna", "lab"), ("anna", "gate"), ("zorro", "lab"), ("zorro", "lab"), ("zorro", "vault")], 10))  # fmt: skip


@pytest.fixture(scope="module")
def reference(analyst: Api) -> str:
    """A case with a table of its own."""
    made = analyst.post("/cases", {"title": "Who was at the vault", "connection": "Simulated tenant"})
    case = str(made["reference"])
    exhibit = analyst.upload(case, "Doors.csv", DOORS.encode())
    analyst.until(f"/cases/{case}/evidence/{exhibit['uuid']}/import", ended)
    return case


def cell(page: Page, number: int) -> Locator:
    return page.locator("#cells > li").nth(number - 1)


def write(page: Page, text: str, name: str = "", keys: str = "Control+Enter") -> None:
    """Into the cell that is open: its name, then its query, typed as a person types, which the editor completes."""
    page.wait_for_selector(READY)
    if name:
        page.get_by_label("Name", exact=True).fill(name)
    page.locator(".kql-box .view-lines").click()
    page.keyboard.insert_text(text)
    page.keyboard.press("Escape")
    page.keyboard.press(keys)


def rows_of(one: Locator) -> Locator:
    return one.locator("table[data-grid] tbody tr")


class TestNotebook:
    def test_from_the_first_cell_to_the_report(self, studio: Studio, analyst: Api, reference: str) -> None:
        bob = studio.open("notebook")
        bob.sign_in("bob")
        begin(bob, reference)
        three_cells(bob)
        run_all(bob)
        reload_keeps_the_results(bob)
        by_keyboard(bob)
        exported(bob)
        printed(bob, analyst, reference)

    def test_on_a_phone_and_in_the_dark(self, studio: Studio, analyst: Api, reference: str) -> None:
        book = analyst.get(f"/cases/{reference}/notebooks")["items"][0]["uuid"]
        for name, more in (("notebook-phone", {"size": PHONE}), ("notebook-dark", {"theme": "dark"})):
            film = studio.open(name, **more)  # type: ignore[arg-type]
            film.sign_in("bob")
            film.go(f"/cases/{reference}/notebooks/{book}/")
            expect(cell(film.page, 1)).to_contain_text("Done")
            film.scene("page")

    def test_without_script(self, studio: Studio, reference: str) -> None:
        bob = studio.open("notebook-plain", java_script_enabled=False)
        page = bob.page
        bob.sign_in("bob")
        bob.go(f"/cases/{reference}/notebooks/")
        page.get_by_label("Title", exact=True).fill("By hand")
        page.get_by_role("button", name="New notebook").click()
        page.get_by_role("button", name="KQL", exact=True).click()
        page.get_by_role("textbox", name="KQL").fill("Doors | where Door == 'vault'")
        page.get_by_role("button", name="Save and run").click()
        for _ in range(60):
            if cell(page, 1).get_by_text("1 row", exact=True).is_visible():
                break
            page.wait_for_timeout(500)
            page.reload()
        expect(cell(page, 1)).to_contain_text("zorro")
        cell(page, 1).get_by_role("button", name="Delete the cell").click()
        page.get_by_text("Deleted cells (1)").click()
        page.get_by_role("button", name=re.compile("Bring back")).click()
        expect(cell(page, 1)).to_contain_text("zorro")
        bob.scene("page")


def begin(bob: Film, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/")
    page.get_by_role("navigation", name="Parts of the case").get_by_role("link", name="Notebooks").click()
    expect(page.get_by_text("No notebook yet")).to_be_visible()
    bob.scene("none")
    page.get_by_label("Title", exact=True).fill("Doors")
    page.get_by_role("button", name="New notebook").click()
    expect(page.get_by_text("An empty notebook")).to_be_visible()
    bob.scene("empty")


def three_cells(bob: Film) -> None:
    page = bob.page
    page.get_by_role("button", name="KQL", exact=True).click()
    write(page, "Doors | summarize Visits = count() by Badge, Door", "Visits")
    expect(rows_of(cell(page, 1))).to_have_count(4, timeout=WORK_MS)
    expect(cell(page, 1)).to_be_focused()
    assert page.locator("[data-kql]").count() == 0, "no editor stays behind"

    page.get_by_role("button", name="Text", exact=True).click()
    page.get_by_label("Text", exact=True).fill("Who comes **often**?")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(cell(page, 2).locator("strong")).to_have_text("often")

    page.get_by_role("button", name="KQL", exact=True).click()
    page.locator("#notebook-tables summary").filter(has_text="Visits").click()
    page.wait_for_selector(READY)
    page.locator(".kql-box .view-lines").click()
    page.get_by_role("button", name="Insert Visits into the query").click()
    write(page, " | summarize Visits = sum(Visits) by Badge | render columnchart", "ByBadge", "Shift+Enter")
    expect(cell(page, 3).locator("figure.chart")).to_be_visible(timeout=WORK_MS)
    expect(cell(page, 3)).to_contain_text("read Visits (E")
    expect(page.get_by_role("button", name="KQL", exact=True)).to_be_focused()

    page.keyboard.press("Enter")
    write(page, "ByBadge | where Badge == 'zorro'")
    expect(rows_of(cell(page, 4))).to_have_count(1, timeout=WORK_MS)
    bob.scene("three-cells")


def run_all(bob: Film) -> None:
    page = bob.page
    before = cell(page, 4).get_by_role("link", name=re.compile(r"^E\d+$")).inner_text()
    cell(page, 1).get_by_role("button", name="Run", exact=True).click()
    expect(cell(page, 1)).to_contain_text("it was not run again")
    page.get_by_label("Also what has not changed").check()
    page.get_by_role("button", name="Run all").click()
    expect(page.get_by_text("0 of 3 queries").or_(page.get_by_text("Last run of all"))).to_be_visible()
    expect(page.get_by_text("Last run of all")).to_be_visible(timeout=WORK_MS)
    link = cell(page, 4).get_by_role("link", name=re.compile(r"^E\d+$"))
    expect(link).not_to_have_text(before, timeout=WORK_MS)
    expect(cell(page, 4)).to_contain_text("Done")
    bob.scene("run-all")


def reload_keeps_the_results(bob: Film) -> None:
    page = bob.page
    page.reload()
    expect(rows_of(cell(page, 1))).to_have_count(4)
    expect(rows_of(cell(page, 4))).to_contain_text("zorro")
    expect(page.locator("[data-kql]")).to_have_count(0)


def by_keyboard(bob: Film) -> None:
    """Insert, leave, move, delete and take back, without the mouse."""
    page = bob.page
    cell(page, 2).focus()
    page.keyboard.press("b")
    page.wait_for_selector(READY)
    expect(page.locator("#cells > li")).to_have_count(5)
    bob.scene("open")
    page.get_by_role("link", name="Cancel").click()
    expect(cell(page, 3)).to_be_focused()
    expect(cell(page, 3)).to_contain_text("Empty so far")
    page.keyboard.press("Alt+ArrowUp")
    expect(cell(page, 2)).to_be_focused()
    expect(cell(page, 2)).to_contain_text("Empty so far")
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.get_by_text("The cell is deleted.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(cell(page, 2)).to_contain_text("Empty so far")
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.get_by_text("The cell is deleted.")).to_be_visible()
    page.reload()
    expect(page.locator("#cells > li")).to_have_count(4)


def exported(bob: Film) -> None:
    page = bob.page
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export Markdown").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert "# Doors" in text and "| zorro | 3 |" in text and "name=ByBadge" in text


def printed(bob: Film, analyst: Api, reference: str) -> None:
    """The report's PDF holds the chosen notebook's cells and rows."""
    page = bob.page
    bob.go(f"/cases/{reference}/report/")
    page.get_by_label("Doors").check()
    bob.scene("report")
    page.get_by_role("button", name="Build report").click()
    path = f"/cases/{reference}/reports"
    built = analyst.until(path, lambda found: found["items"] and ended(found["items"][0]))["items"][0]
    assert built["state"] == "done", built["reason"]
    content: Any = analyst.get(f"{path}/{built['uuid']}/pdf")
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
    assert "Notebooks" in text and "render columnchart" in text
    assert re.search(r"zorro\s+3", text) and "Visits (E" in text
