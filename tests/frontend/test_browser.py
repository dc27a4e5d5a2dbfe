"""The look in Debian's Chromium, under the product's policy: no violation, axe finding or overflow; then behaviour."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django import forms
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

from tests.frontend import rendering
from tests.frontend.serving import serving

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = rendering.ROOT / "node_modules/axe-core/axe.min.js"
ABSENT = [str(path) for path in (CHROMIUM, AXE, rendering.ROOT / "frontend/dist/ui/app.css") if not Path(path).exists()]
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WATCH = """window.violations = [];
document.addEventListener('securitypolicyviolation', (e) =>
  violations.push(`${e.violatedDirective} ${e.blockedURI}`));"""
NO_OVERFLOW = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
FRAGMENTS = """{% extends "base.html" %}{% block main %}<h1>Fragments</h1>
<div id="poll" class="card"><details id="more"><summary>More</summary><p>text</p></details>
<button id="act" class="btn">Act</button></div>
<a id="swap" class="btn" href="/new" hx-get="/new" hx-target="#poll" hx-swap="outerHTML">Swap</a>
<a id="gone" class="btn" href="/gone" hx-get="/gone" hx-target="#poll">Gone</a>
<a id="ended" class="btn" href="/ended" hx-get="/ended" hx-target="#poll">Ended</a>
<a id="row" class="btn" href="/row" hx-get="/row" hx-target="#drawer-body">Row</a>
<nav class="tabs" aria-label="Case"><a href="/fragments" aria-current="page">One</a>
<a href="/new" id="second" hx-get="/new" hx-target="#poll" hx-swap="outerHTML" hx-push-url="true">Two</a></nav>
<a id="told" class="btn" href="/told" hx-get="/told" hx-target="#poll" hx-swap="outerHTML">Told</a>
<form data-guard method="post" action="/"><textarea id="note" name="note"></textarea></form>
<textarea id="kql" data-code aria-label="Query"></textarea>
<button type="button" class="btn" id="copy" data-copy="9f2c">Copy</button>{% endblock %}"""
NEW = """<div id="poll" class="card" data-announce="Run done: 12 rows">
<details id="more"><summary>More</summary><p>new</p></details>
<button id="act" class="btn">Act</button></div>"""


class SignIn(forms.Form):
    username = forms.CharField()
    password = forms.CharField(widget=forms.PasswordInput)


@dataclass
class Tab:
    """One browser tab with what it complained about."""

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("violations")
        return found


def stretched(value: Any) -> Any:
    """The sample values with every text of a row replaced by one that nothing can break between words."""
    if isinstance(value, dict):
        texts = {
            "title",
            "value",
            "text",
            "detail",
            "actor",
            "object",
            "quote",
            "source",
            "note",
            "label",
            "sub",
            "due",
        }
        return {k: "A" * 300 if k in texts and isinstance(v, str) else stretched(v) for k, v in value.items()}
    return [stretched(inner) for inner in value] if isinstance(value, list) else value


def pages() -> dict[str, tuple[int, str]]:
    failed = SignIn({"username": "bob"})
    failed.add_error(None, "Please enter a correct username and password.")
    fragments = rendering.ENGINE.from_string(FRAGMENTS)
    return {
        "/guide": (200, rendering.style_guide()),
        "/sign-in-page": (200, rendering.page("registration/login.html", user=None, form=failed)),
        **{f"/{name}": (200, rendering.page(f"{name}.html", user=None)) for name in ("403", "404", "429")},
        "/400": (200, rendering.plain("400.html")),
        "/500": (200, rendering.plain("500.html")),
        "/fragments": (200, rendering.from_template(fragments)),
        "/long": (200, rendering.page("styleguide.html", **stretched(rendering.styleguide.sample_context()))),
        "/new": (200, NEW),
        "/told": (200, NEW + rendering.page("components/messages.html", messages=rendering.SAMPLE_MESSAGES, oob=True)),
        "/row": (200, "<h2 data-focus>Row 12</h2><p>ActionType</p>"),
        "/ended": (302, "/sign_in/"),
        "/sign_in/": (200, "<h1>the whole sign-in page</h1>"),
        "/gone": (404, "<h1>the whole 404 page</h1>"),
        "/case_list/": (200, "<title>Cases</title>"),
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if ABSENT:
        missing = f"needs {', '.join(ABSENT)}: install chromium, run python frontend/setup.py"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving(pages()) as url:
        yield url


@pytest.fixture
def new_tab(browser: Browser, base: str) -> Iterator[Callable[..., Tab]]:
    contexts = []

    def make(width: int = 1440, scheme: str = "light", **options: Any) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", **options
        )
        context.add_init_script(WATCH)
        contexts.append(context)
        tab = Tab(context.new_page(), base)
        tab.page.set_default_timeout(10_000)
        tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
        return tab

    yield make
    for context in contexts:
        context.close()


LOOKED_AT = ["/guide", "/sign-in-page", "/404", "/500"]  # the other error pages share the shell of 404


@pytest.mark.parametrize(
    ("width", "scheme", "paths"),
    [(1440, "light", LOOKED_AT), (1440, "dark", ["/guide"]), (390, "light", ["/guide"]), (390, "dark", LOOKED_AT)],
)
def test_pages_are_clean(new_tab: Callable[..., Tab], width: int, scheme: str, paths: list[str]) -> None:
    tab = new_tab(width, scheme)
    axe = AXE.read_text(encoding="utf-8")
    for path in paths:
        page = tab.open(path)
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(path, rule["id"], rule["nodes"][0]["target"]) for rule in found] == []
        assert tab.violations() == [], path
        assert page.evaluate(NO_OVERFLOW), f"{path} scrolls sideways at {width}"
    assert tab.errors == []


def test_the_theme_is_kept_and_there_before_the_first_paint(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(scheme="dark")
    page = tab.open("/guide")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    switch = page.locator("[data-theme-switch]")
    switch.click()
    expect(switch).to_have_attribute("aria-label", "Theme: light. Change it")
    light = page.evaluate(background)
    assert light != dark
    page.reload(wait_until="commit")
    page.wait_for_selector("body", state="attached")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    switch.click()
    switch.click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")
    assert page.evaluate("localStorage.getItem('ircase.theme')") is None


def test_keys(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab()
    page = tab.open("/guide")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("?j")
    expect(page.locator("[data-search]")).to_have_value("?j")
    page.locator("main").focus()
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first.locator(":focus")).to_have_count(1)
    page.keyboard.press("j")
    expect(page.locator("[data-row]").nth(1).locator(":focus")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/case_list/")


def test_what_is_wrong_with_a_form_is_in_sight_when_its_page_comes(new_tab: Callable[..., Tab]) -> None:
    page = new_tab(width=390).open("/guide")
    wrong = page.locator("main .notice[data-focus]")
    expect(wrong).to_be_focused()
    expect(wrong).to_be_in_viewport()
    assert page.evaluate("scrollY") > 0
    page = new_tab().open("/guide#top")  # an address that names a place leads there
    expect(page.locator("main .notice[data-focus]")).not_to_be_focused()


def test_keys_can_be_switched_off(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/guide")
    page.locator("button[commandfor=shortcuts]").first.click()
    page.locator("[data-shortcuts-toggle]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).not_to_be_focused()


def test_confirm_asks_and_needs_the_reason(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/guide")
    page.get_by_role("button", name="Close the case").first.click()
    dialog = page.locator("dialog#sample-confirm")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("d => d.matches(':modal')")
    dialog.get_by_role("button", name="Close the case").click()
    expect(dialog).to_be_visible()
    assert dialog.locator("textarea").evaluate("t => t.validity.valueMissing")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()


def test_menus_work_without_script_and_close_with_it(new_tab: Callable[..., Tab]) -> None:
    bare = new_tab(java_script_enabled=False).open("/guide")
    bare.locator("details.menu > summary").first.click()
    expect(bare.locator(".menu-list").first).to_be_visible()
    expect(bare.locator("[data-theme-switch]").first).to_be_hidden()
    bare.get_by_role("button", name="Your menu").click()
    expect(bare.get_by_role("button", name="Sign out")).to_be_visible()
    page = new_tab().open("/guide")
    page.locator("details.menu > summary").first.click()
    page.keyboard.press("Escape")
    expect(page.locator(".menu-list").first).to_be_hidden()
    expect(page.locator("details.menu > summary").first).to_be_focused()


def test_navigation_on_a_phone(new_tab: Callable[..., Tab]) -> None:
    page = new_tab(390).open("/guide")
    expect(page.locator("#nav")).to_be_hidden()
    page.get_by_role("button", name="Main menu").click()
    expect(page.get_by_role("link", name="Approvals")).to_be_visible()


def test_a_swap_keeps_what_was_open_and_focused(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab()
    page = tab.open("/fragments")
    page.locator("#more > summary").click()
    page.locator("#act").focus()
    page.evaluate("htmx.ajax('GET', '/new', {target: '#poll', swap: 'outerHTML'})")
    expect(page.locator("#more")).to_contain_text("new")
    expect(page.locator("#more")).to_have_attribute("open", "")
    expect(page.locator("#act")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Run done: 12 rows")
    assert tab.violations() == []


def test_a_tab_marks_itself_and_a_fragment_brings_messages(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/fragments")
    page.locator("#told").click()
    expect(page.locator("#toasts > .toast")).to_have_count(2)
    expect(page.locator("#toasts")).to_have_count(1)
    page.locator("#second").click()
    expect(page.locator("#second")).to_have_attribute("aria-current", "page")
    expect(page.locator(".tabs [aria-current]")).to_have_count(1)


def test_no_part_widens_the_page_whatever_it_holds(new_tab: Callable[..., Tab]) -> None:
    for width in (320, 1024):
        page = new_tab(width).open("/long")
        assert page.evaluate(NO_OVERFLOW), width


def test_details_open_in_the_drawer(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/fragments")
    page.locator("#row").click()
    expect(page.locator("#drawer")).to_be_visible()
    expect(page.get_by_role("heading", name="Row 12")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    page.locator("#row").click()
    expect(page.locator("#drawer")).to_be_visible()
    page.evaluate("htmx.trigger(document.body, 'closeDialog')")
    expect(page.locator("#drawer")).to_be_hidden()


def test_an_ended_session_is_said_and_not_swapped_in(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/fragments?x=1")
    page.locator("#ended").click()
    problems = page.locator("#problems")
    expect(problems).to_contain_text("Your session has ended")
    expect(problems.get_by_role("link", name="Sign in")).to_have_attribute(
        "href", "/sign_in/?next=%2Ffragments%3Fx%3D1"
    )
    expect(page.locator("#poll")).not_to_contain_text("whole sign-in page")


def test_failed_requests_are_said_until_one_succeeds(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/fragments")
    page.locator("#gone").click()
    expect(page.locator("#problems")).to_contain_text("no longer here (404)")
    expect(page.locator("#poll")).not_to_contain_text("404 page")
    page.locator("[data-close-problems]").click()
    expect(page.locator("#problems")).to_be_hidden()

    def cut(route: Route, request: Request) -> None:
        route.abort()

    page.route("**/new", cut)
    page.locator("#swap").click()
    expect(page.locator("#problems")).to_contain_text("No connection to the server")
    page.unroute("**/new", cut)
    page.locator("#swap").click()
    expect(page.locator("#problems")).to_be_hidden()


def test_tab_indents_a_query_and_escape_leaves_it(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/fragments")
    query = page.locator("#kql")
    query.fill("T\n| take 1")
    query.press("Control+a")
    query.press("Tab")
    expect(query).to_have_value("    T\n    | take 1")
    query.press("Shift+Tab")
    expect(query).to_have_value("T\n| take 1")
    query.press("Escape")
    query.press("Tab")
    expect(query).not_to_be_focused()


def test_unsaved_text_is_guarded(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/fragments")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("#note").press_sequentially("x")
    page.goto(page.url.replace("/fragments", "/404"))
    assert asked == ["beforeunload"]


def test_copy_and_toasts(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(permissions=["clipboard-read", "clipboard-write"])
    page = tab.open("/fragments")
    page.locator("#copy").click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "9f2c"
    page = tab.open("/guide")
    toasts = page.locator(".toast")
    expect(toasts).to_have_count(2)
    toasts.nth(1).get_by_role("button", name="Close this message").click()
    expect(toasts).to_have_count(1)


def test_picking_all_rows(new_tab: Callable[..., Tab]) -> None:
    page = new_tab().open("/guide")
    everything = page.locator("[data-check-all=rows]")
    everything.check()
    expect(page.locator("input[name=rows]:checked")).to_have_count(12)
    page.locator("input[name=rows]").first.uncheck()
    assert everything.evaluate("b => b.indeterminate")
