"""A person at a browser, filmed: a picture of every scene, and what must hold on every page of IRCase."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect, sync_playwright

from config import demo
from config.stack import BASE_DIR, Stack

AXE = BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
]  # fmt: skip
# A refused script or style is an event of the document; the console says it in words that differ by version.
LISTEN = (
    "window.addEventListener('securitypolicyviolation',"
    " e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
JUDGE = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(
    one => one.id + ': ' + one.nodes.slice(0, 4).map(node => node.target).join(' | ')))"""
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)
DESKTOP, PHONE = (1440, 900), (390, 844)


@contextmanager
def chromium_browser(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Film:
    """One person's window. `faults` keeps what was wrong on the way, so that one film shows all of it."""

    def __init__(self, stack: Stack | None, context: BrowserContext, folder: Path, name: str, scripted: bool) -> None:
        self.stack, self.folder, self.name = stack, folder, name
        self.scripted = scripted  # axe-core never answers in a page whose own script is off
        self.number, self.at = 0, "start"
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.page.add_init_script(LISTEN)
        self.faults: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on("response", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(message.text)

    def _see(self, response: Response) -> None:
        if response.status >= 500:
            self._complain(f"{response.status} {response.url}")

    def sign_in(self, username: str) -> None:
        assert self.stack is not None
        self.page.goto("/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password", exact=True).fill(demo.passwords(self.stack.root)[username])
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Your menu")).to_be_visible()

    def go(self, path: str) -> None:
        reply = self.page.goto(path)
        assert reply is not None and reply.ok, f"{path}: {reply and reply.status}"

    def scene(self, name: str, *, whole: bool = True) -> None:
        """A picture, and the checks that hold for every page: no sideways scroll, nothing that axe-core finds."""
        self.number, self.at = self.number + 1, name
        if whole:  # the top bar sticks where the page is scrolled to
            self.page.evaluate("scrollTo(0, 0)")
        self.page.screenshot(path=self.folder / f"{self.name}-{self.number:02d}-{name}.png", full_page=whole)
        if (wide := self.page.evaluate(SIDEWAYS)) > 0:
            self._complain(f"scrolls sideways by {wide} px")
        if AXE.is_file() and self.scripted:
            for barrier in self._barriers():
                self._complain(barrier)

    def small_and_dark(self, name: str) -> None:
        """The same page once more as a phone at night shows it, and back."""
        before = self.page.viewport_size
        assert before is not None
        for theme in ("light", "dark"):
            self.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            self.page.emulate_media(color_scheme=theme)
            self.scene(f"{name}-{PHONE[0]}-{theme}")
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(before)

    def _complain(self, what: str) -> None:
        self.faults.append(f"{self.name} {self.number:02d} {self.at}: {what}")

    def _barriers(self) -> list[str]:
        """What axe-core finds wrong. By evaluate, not as a script element: the page's policy refuses foreign script."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(JUDGE)
        return found

    @property
    def reference(self) -> str:
        """The case whose page this is."""
        found = re.search(r"/cases/(IR-\d{4}-\w+)/", self.page.url)
        assert found, self.page.url
        return found[1]


class Studio:
    """Makes windows; each is closed at the end of its test. Without a stack each is told its address."""

    def __init__(self, stack: Stack | None, browser: Browser, folder: Path) -> None:
        self.stack, self.browser, self.folder = stack, browser, folder
        self.contexts: list[BrowserContext] = []
        self.films: list[Film] = []

    def open(self, name: str, size: tuple[int, int] = DESKTOP, theme: str = "light", **more: Any) -> Film:
        width, height = size
        context = self.browser.new_context(
            base_url=more.pop("base_url", None) or self.stack.url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            # A picture in the middle of a transition shows colours that no reader ever rests on.
            reduced_motion="reduce",
            **more,
        )
        self.contexts.append(context)
        scripted = bool(more.get("java_script_enabled", True))
        self.films.append(Film(self.stack, context, self.folder, name, scripted))
        return self.films[-1]

    def close(self) -> list[str]:
        """Close every window; what was wrong in them."""
        for context in self.contexts:
            context.close()
        return [fault for film in self.films for fault in film.faults]


def film_folder(otherwise: Path) -> Path:
    """Where the pictures go: IRCASE_FILM_DIR, for whoever wants to look at them."""
    folder = Path(os.environ.get("IRCASE_FILM_DIR", str(otherwise)))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
