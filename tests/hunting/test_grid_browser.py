"""The grid in Chromium, on the product's own pages: no violation, axe finding or overflow; keyboard, drawer, charts."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.urls import reverse
from playwright.sync_api import Page, expect, sync_playwright

from hunting.models import HuntRun
from ircase.models import Indicator, User
from tests.cast import make_case, make_connection, make_user
from tests.hunting.stage import done_run

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = ROOT / "node_modules/axe-core/axe.min.js"
ABSENT = [str(path) for path in (CHROMIUM, AXE, ROOT / "frontend/dist/ui/app.js") if not Path(path).exists()]
PICTURES = os.environ.get("IRCASE_PICTURES")
WATCH = """window.violations = [];
document.addEventListener('securitypolicyviolation', (e) =>
  violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
KQL = "DeviceProcessEvents | render timechart with (xcolumn=Timestamp, ycolumns=ProcessId, series=DeviceName)"
ROWS = [
    {"Timestamp": f"2026-11-20T17:{number % 60:02}:00Z", "DeviceName": f"ws{number % 3}.contoso.com",
     "FileName": f"tool{number}.exe", "AccountName": "bob", "ActionType": "ProcessCreated", "SHA256": f"{number:064x}",
     "ProcessId": number * 7 % 50, "AdditionalFields": '{"Parent": {"Id": 4, "Names": ["a", "b"]}}',
     "ProcessCommandLine": "<script>alert(1)</script> " + "-x " * (number % 40)}
    for number in range(120)
]  # fmt: skip


@pytest.mark.browser
@pytest.mark.skipif(bool(ABSENT) and not os.environ.get("CI"), reason=f"needs {', '.join(ABSENT)}")
class GridBrowserTests(StaticLiveServerTestCase):
    def setUp(self) -> None:
        # Playwright's loop runs in this thread; the queries of the test itself are as synchronous as ever.
        patched = mock.patch.dict(os.environ, {"DJANGO_ALLOW_ASYNC_UNSAFE": "1"})
        patched.start()
        self.addCleanup(patched.stop)
        self.alice = make_user("alice", User.SiteRole.ANALYST)
        self.case = make_case(self.alice, connection=make_connection())
        self.earlier = done_run(self.case, self.alice, ROWS[:100], KQL)
        self.run_ = done_run(self.case, self.alice, ROWS[20:], KQL)
        self.client.force_login(self.alice)

    def url(self, name: str, run: HuntRun) -> str:
        return self.live_server_url + reverse(f"hunting:{name}", args=[self.case.reference, run.uuid])

    @contextmanager
    def page(self, width: int = 1440, theme: Any = "light", *, script: bool = True) -> Iterator[Page]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=script
            )
            session = self.client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": self.live_server_url}])
            page = context.new_page()
            page.set_default_timeout(20_000)
            page.add_init_script(WATCH)
            yield page
            browser.close()

    def sound(self, page: Page, name: str) -> None:
        """Nothing sideways, no violation of the policy, nothing that axe finds."""
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/{name}.png", full_page="drawer" not in name)
        assert page.evaluate("violations") == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(r => r.violations.map(v => `${v.id}: ${v.nodes[0].html}`))")
        assert found == [], f"{name}: {found}"

    def test_every_page_is_sound_in_both_themes_and_on_a_phone(self) -> None:
        table = self.run_.table
        assert table is not None
        statistics = reverse("ircase:table_statistics", args=[self.case.reference, table.uuid])
        find = reverse("ircase:find", args=[self.case.reference])
        hunts = reverse("hunting:for_value", args=[self.case.reference])
        pages = {
            "run": self.url("run", self.run_) + "?sort=-Timestamp&c=DeviceName&o=contains&v=ws",
            "row": self.url("run_rows", self.run_) + "3/?column=AdditionalFields",
            "compare": self.url("compare", self.run_) + "?key=FileName",
            "statistics": f"{self.live_server_url}{statistics}?column=ProcessId",
            "find": f"{self.live_server_url}{find}?q=tool30",
            "hunts": f"{self.live_server_url}{hunts}?kind=device&value=ws1.contoso.com",
        }
        for theme, width in (("light", 1440), ("dark", 1440), ("light", 390)):
            with self.page(width, theme) as page:
                for name, address in pages.items():
                    assert page.goto(address).status == 200  # type: ignore[union-attr]
                    self.sound(page, f"{name}-{theme}-{width}")

    def test_the_grid_is_walked_by_keys_and_opens_at_the_cell(self) -> None:
        with self.page() as page:
            page.goto(self.url("run", self.run_))
            cell = page.locator("table[data-grid] tbody td").first
            cell.focus()
            for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
                page.keyboard.press(key)
            assert page.evaluate("document.activeElement.textContent") == "ws0.contoso.com"
            page.keyboard.press("Enter")
            opened = page.locator("#drawer-body .record > details[open] > summary")
            expect(opened).to_contain_text("DeviceName")
            self.sound(page, "drawer")
            page.locator("#drawer-body .record > details[open]").get_by_text("Only this value").click()
            expect(
                page.get_by_role("link", name="Remove the condition DeviceName equals ws0.contoso.com")
            ).to_be_visible()

    def test_columns_are_chosen_pinned_and_counted(self) -> None:
        with self.page() as page:
            page.goto(self.url("run", self.run_))
            page.locator("#columns > summary").click()
            page.get_by_label("Show SHA256").uncheck()
            page.get_by_label("Pin FileName").check()
            page.get_by_role("button", name="Show these").click()
            expect(page.locator("table[data-grid] thead th[data-column]").first).to_have_attribute(
                "data-column", "FileName"
            )
            expect(page.locator('th[data-column="SHA256"]')).to_have_count(0)
            expect(page.locator("td.pinned").first).to_be_visible()
            page.get_by_role("link", name="Statistics of DeviceName").click()
            expect(page.locator("#drawer-body")).to_contain_text("Different values")
            self.sound(page, "drawer-statistics")

    def test_picked_rows_become_indicators_without_script_too(self) -> None:
        for script, number in ((True, 2), (False, 3)):
            with self.page(script=script) as page:
                page.goto(self.url("run", self.run_))
                page.get_by_label(f"Pick row {number}", exact=True).check()
                page.locator("#rows_column").select_option("SHA256")
                page.get_by_role("button", name="Add as indicators").click()
                page.get_by_text("1 indicator added").wait_for()
        found = Indicator.objects.filter(case=self.case, kind="sha256").order_by("pk")
        assert [one.provenance["row"] for one in found] == [2, 3]
        assert {one.provenance["run"] for one in found} == {str(self.run_.uuid)}
