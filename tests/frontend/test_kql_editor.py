"""The KQL editor in Chromium over the real application: completion, markers, values, keys, and life without script."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from hunting.models import HuntRun
from ircase.models import Case, User
from ircase.services.analysis import findings
from tests.cast import make_case, make_connection, make_user
from tests.frontend import rendering
from tests.hunting.stage import make_table

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = rendering.ROOT / "node_modules/axe-core/axe.min.js"
BUILT = rendering.ROOT / "frontend/dist/ui/kql-editor.js"
ABSENT = [str(path) for path in (CHROMIUM, AXE, BUILT) if not Path(path).exists()]
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WATCH = """window.violations = [];
document.addEventListener('securitypolicyviolation', (e) =>
  violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));"""
ROWS = [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-07", "Zorbulator": "1"}]
READY = "[data-kql][data-state=ready][data-schema-of]"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def alice() -> User:
    return make_user("alice", User.SiteRole.ANALYST)


@pytest.fixture
def case(alice: User) -> Case:
    case = make_case(alice, connection=make_connection())
    make_table(case, alice, "DeviceEvents", ROWS)
    findings.add_asset(case=case, actor=alice, kind="device", name="ws-07")
    return case


@pytest.fixture
def session(alice: User, case: Case) -> str:
    client = Client()
    client.force_login(alice)
    return client.cookies["sessionid"].value


@pytest.fixture
def browser(case: Case, session: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Started after what the tests write: Playwright's loop runs in this thread, and Django asks for none there."""
    if ABSENT:
        missing = f"needs {', '.join(ABSENT)}: install chromium, run python frontend/setup.py"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, live_server: Any, session: str, case: Case) -> Iterator[Open]:
    pages: list[Page] = []

    def make(name: str = "own_kql", *, width: int = 1440, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        context.add_init_script(WATCH)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.route("**/*.worker*.js", under_its_own_policy)
        pages.append(page)
        page.goto(live_server.url + reverse(f"hunting:{name}", args=[case.reference]))
        return page

    yield make
    for page in pages:
        page.context.close()


def under_its_own_policy(route: Route) -> None:
    """A worker obeys the policy of its own file: under the strictest it has neither eval nor network."""
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": "default-src 'none'"})


def tick_case_tables(page: Page) -> None:
    for box in page.get_by_role("group", name="Run on").get_by_role("checkbox").all():
        box.set_checked(box.get_attribute("value") == "case")


def use_case_tables(page: Page) -> None:
    tick_case_tables(page)
    page.wait_for_selector("[data-kql][data-state=ready][data-schema-of=case]")


def write(page: Page, text: str) -> None:
    """Replace the editor's text as a paste does: what is typed would be completed."""
    page.locator("#id_kql-editor").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    page.keyboard.press("Escape")


def test_the_journey_of_a_query(open_page: Open, case: Case) -> None:
    page = open_page()
    page.wait_for_selector(READY)
    use_case_tables(page)
    write(page, "DeviceEvents\n| where ")
    page.keyboard.press("Control+Space")
    page.keyboard.type("Zorb")
    expect(page.locator(".suggest-widget .monaco-list-row").first).to_contain_text("Zorbulator")
    page.keyboard.press("Enter")
    expect(page.locator("#id_kql")).to_have_value(re.compile(r"DeviceEvents\n\| where Zorbulator ?"))
    page.keyboard.press("Escape")
    page.locator(".view-line span.Column", has_text="Zorbulator").hover()
    expect(page.locator(".monaco-hover").get_by_text("Zorbulator: string")).to_be_visible()
    write(page, "DeviceEvents\n\n| where Frobnicator == 1")
    expect(page.locator(".kql-problem").first).to_contain_text("line 3: The name 'Frobnicator'")
    expect(page.locator(".squiggly-error").first).to_be_visible()
    write(page, "DeviceEvents\n\n| take 1")
    expect(page.locator(".kql-problem")).to_have_count(0)
    assert page.evaluate("violations") == []
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/hunts/*-*-*-*-*/")
    assert HuntRun.objects.get(case=case).kql == "DeviceEvents\r\n\r\n| take 1"


def test_a_tenants_unknown_names_are_warnings_and_hunts_are_functions(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector("[data-kql][data-schema-of=defender]")
    write(page, "DeviceEvents\n| where Frobnicator == 1")
    expect(page.locator(".kql-problem").first).to_contain_text("Warning, line 2: The name 'Frobnicator'")
    expect(page.locator(".kql-problem").first).to_contain_text("the tenant may")
    write(page, "")
    page.keyboard.press("Control+Space")
    page.keyboard.type("device_logons")
    expect(page.locator(".suggest-widget .monaco-list-row").first).to_contain_text("hunt of the library")
    page.keyboard.press("Enter")
    text = page.locator("#id_kql")
    expect(text).to_have_value(
        re.compile(r'^let device_logons = \(TargetDevice: string.*\};\ndevice_logons\("", ', re.S)
    )
    assert page.evaluate("violations") == []


def test_constants_are_typed_values_and_the_engines_limits_are_warnings(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(READY)
    use_case_tables(page)
    write(page, 'let device = "DC-01";\nDeviceEvents\n| where DeviceName == device or DeviceName == "{HostName}"')
    values = page.get_by_role("group", name="Values in this text")
    values.get_by_label("Device", exact=True).fill("WS-07")
    values.get_by_label("Device", exact=True).press("Enter")
    text = page.locator("#id_kql")
    expect(text).to_have_value(re.compile(r'let device = "ws-07";'))
    values.get_by_label("Target device").fill("not a name")
    values.get_by_label("Target device").press("Tab")
    expect(values.get_by_text("A device name is a DNS name")).to_be_visible()
    values.get_by_label("Target device").fill("ws-07")
    values.get_by_label("Target device").press("Tab")
    expect(text).to_have_value(re.compile(r'DeviceName == "ws-07"$'))
    write(page, "DeviceEvents\n| evaluate autocluster()")
    expect(page.locator(".kql-problem").first).to_contain_text("Warning, line 2")
    expect(page.locator(".squiggly-warning").first).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_editor_is_clean_and_gives_the_keyboard_back(open_page: Open, width: int, scheme: str) -> None:
    page = open_page(width=width, color_scheme=scheme)
    page.wait_for_selector(READY)
    write(page, "DeviceEvents | where Frobnicator == 1 | take 1")
    expect(page.locator(".kql-problem").first).to_be_visible()
    page.keyboard.press("Shift+Alt+f")
    expect(page.locator("#id_kql")).to_have_value("DeviceEvents\n| where Frobnicator == 1\n| take 1")
    page.keyboard.press("Control+/")
    expect(page.locator("#id_kql")).to_have_value(re.compile("^// |\n// "))
    page.keyboard.press("Control+z")
    page.keyboard.press("F1")
    page.keyboard.type("Run this")
    expect(page.locator(".quick-input-list .monaco-list-row").first).to_contain_text("Run this query")
    page.keyboard.press("Escape")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(rule["id"], rule["nodes"][0]["target"], rule["nodes"][0]["failureSummary"]) for rule in found] == []
    assert page.evaluate("violations") == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    editor = page.get_by_role("textbox", name="KQL")
    expect(editor).to_be_focused()
    page.keyboard.press("Tab")
    expect(editor).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(editor).not_to_be_focused()
    page.get_by_role("button", name="Plain text").click()
    expect(page.locator("#id_kql")).to_be_visible()
    expect(page.locator("#id_kql")).to_have_value(re.compile("^DeviceEvents"))
    expect(page.locator(".kql-box, .kql-widgets")).to_have_count(0)
    page.reload()
    expect(page.locator("#id_kql")).to_be_visible()


def test_the_tab_fetches_the_editor_with_the_first_focus_and_keeps_what_was_typed(open_page: Open) -> None:
    page = open_page("panel")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.wait_for_load_state("networkidle")
    assert page.evaluate("performance.getEntriesByType('resource').filter((r) => r.name.includes('kql-')).length") == 0
    page.locator("#id_kql").press_sequentially("DeviceEvents")
    page.wait_for_selector(READY)
    expect(page.get_by_role("textbox", name="KQL")).to_be_focused()
    page.keyboard.type(" | take 1")
    expect(page.locator("#id_kql")).to_have_value(re.compile(r"^DeviceEvents \| take 1"))
    assert any("kusto.worker" in url for url in fetched)
    page.get_by_role("link", name="Timeline").first.click()
    expect(page.locator(".kql-box, .kql-widgets")).to_have_count(0)


def test_without_script_the_text_area_posts(open_page: Open, case: Case) -> None:
    page = open_page(java_script_enabled=False)
    expect(page.get_by_role("button", name="Format")).to_be_hidden()
    tick_case_tables(page)
    page.get_by_role("textbox", name="KQL").fill("DeviceEvents | take 1")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url("**/hunts/*-*-*-*-*/")
    assert HuntRun.objects.get(case=case).kql == "DeviceEvents | take 1"


def test_a_touch_screen_gets_the_text_area_and_may_ask_for_the_editor(open_page: Open) -> None:
    page = open_page(width=390, has_touch=True, is_mobile=True)
    page.locator("#id_kql").fill("DeviceEvents")
    expect(page.locator(".kql-box")).to_have_count(0)
    page.get_by_role("button", name="Use the editor").click()
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
