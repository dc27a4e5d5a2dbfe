"""``python -m bench.timelinepage``: the super-timeline's page of a million events in Chromium, served by gunicorn.

First paint and last paint of the page, the time from reaching the end of the list to the next rows, and from pressing
Filter to the page that answers. Nothing is kept; ``--film FOLDER`` takes pictures of the pages.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from playwright.sync_api import Page, sync_playwright

from config.stack import BASE_DIR, free_port

PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
SERVER = "performance.getEntriesByType('navigation')[0].responseEnd"
# The chip of the condition stands there: the list is the new one.
PASSING = "document.querySelector('[aria-label=Conditions]') !== null"
CHART = "document.querySelector('#super-chart figcaption') !== null"
# Milliseconds from `since` to the first frame after the one in which `there()` holds: that one is on the screen.
_PAINTED = """
window.painted = async (there, since) => {
  const frame = () => new Promise(requestAnimationFrame);
  const start = since ? await since : performance.now();
  while (!there()) await frame();
  await frame();
  return performance.now() - start;
}"""
ROWS = 30  # as ircase.views.supertimeline.PER_PAGE
LAST = "document.querySelectorAll('[data-super] [data-row]').length"
SETUP = """
import sys
import django
django.setup()
from bench import timelinecase
timelinecase.make(int(sys.argv[1]))
"""


def main() -> None:
    """Set up a case in a temporary folder, serve it, and print what a browser takes."""
    parser = argparse.ArgumentParser(prog="python -m bench.timelinepage", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--film", type=Path, help="a folder for pictures")
    parser.add_argument("--folder", type=Path, help="where the case is made, and kept for the next time")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ircase-bench-") as passing:
        folder = str((asked.folder or Path(passing)).resolve())
        os.environ |= {
            "IRCASE_DATA_DIR": folder, "IRCASE_DEBUG": "", "IRCASE_INSECURE_HTTP": "1", "IRCASE_SECRET_KEY": "b" * 50,
            "IRCASE_ALLOWED_HOSTS": "127.0.0.1", "DJANGO_SETTINGS_MODULE": "config.settings",
            "IRCASE_STATIC_DIR": f"{folder}/static", "IRCASE_FIELD_KEYS": "A" * 43 + "=",
            "IRCASE_LOG_LEVEL": "ERROR",
        }  # fmt: skip
        reference, session = _case(Path(folder) / "made", asked.rows)
        _measure(asked, reference, session)


def _case(note: Path, rows: int) -> list[str]:
    """The case's reference and a session of its lead, made unless `note` says that they are there."""
    if not note.is_file():
        manage = [sys.executable, str(BASE_DIR / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], check=True)
        subprocess.run([*manage, "collectstatic", "--no-input", "-v0"], check=True)
        command = [sys.executable, "-c", SETUP, str(rows)]
        note.write_text(subprocess.run(command, check=True, capture_output=True, text=True, cwd=BASE_DIR).stdout)
    return note.read_text().split()[-2:]


def _measure(asked: argparse.Namespace, reference: str, session: str) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:config.gunicorn",
        "config.wsgi",
        "-b",
        f"127.0.0.1:{port}",
    ]
    server = subprocess.Popen(command, cwd=BASE_DIR)
    try:
        _until_up(f"http://127.0.0.1:{port}/healthz")
        with sync_playwright() as playwright:
            executable = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
            base = f"http://127.0.0.1:{port}"
            context = browser.new_context(base_url=base, viewport={"width": 1440, "height": 900}, bypass_csp=True)
            context.add_cookies([{"name": "sessionid", "value": session, "url": base}])
            page = context.new_page()
            page.set_default_timeout(120_000)
            path = f"/cases/{reference}/super-timeline/"
            print(f"load {os.getloadavg()[0]:.1f}, {asked.rows:,} events")
            _walk(page, path, asked.rounds)
            if asked.film:
                _film(page, path, asked.film)
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def _until_up(url: str) -> None:
    for _ in range(600):
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise SystemExit("The server did not come up.")


def _walk(page: Page, path: str, rounds: int) -> None:
    took: dict[str, list[float]] = {"first paint": [], "answer whole": [], "next rows": []}
    took |= {"filter to its page": [], "filter to its chart": []}
    for number in range(rounds):
        page.goto(path)
        page.wait_for_function(f"{LAST} >= {ROWS} && ({PAINT}) > 0")
        took["first paint"].append(page.evaluate(PAINT))
        took["answer whole"].append(page.evaluate(SERVER))
        for times in (2, 3):
            took["next rows"].append(_scroll(page, ROWS * times))
        page.get_by_label("All of these words").fill(f"svc{number}.exe")
        took["filter to its page"].append(_filter(page))
        took["filter to its chart"].append(page.evaluate("window.charted"))
    for name, seconds in took.items():
        found = sorted(seconds)
        p50, p95 = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))]
        print(f"  {name:22} first {seconds[0]:7.0f} ms   p50 {p50:7.0f} ms   p95 {p95:7.0f} ms", flush=True)


def _scroll(page: Page, wanted: int) -> float:
    """From the end of the list in sight to the next rows on the screen."""
    page.evaluate(f"{_PAINTED}; window.shown = painted(() => {LAST} >= {wanted}); undefined")
    page.evaluate("document.querySelector('#more-events').scrollIntoView()")
    return float(page.evaluate("window.shown"))


def _filter(page: Page) -> float:
    """From the press of Filter to the rows that pass on the screen; `window.charted` is when their chart is."""
    page.evaluate(f"""{_PAINTED};
        const pressed = new Promise((done) => {{
            document.addEventListener('click', (one) => done(one.timeStamp), {{once: true}});
        }});
        const passing = () => location.search.includes('q=') && ({PASSING}) && {LAST} > 0;
        window.shown = painted(passing, pressed);
        window.charted = painted(() => passing() && {CHART}, pressed);
        undefined""")
    page.get_by_role("button", name="Filter", exact=True).click()
    return float(page.evaluate("window.shown"))


def _film(page: Page, path: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, tail in (("page", ""), ("filtered", "?technique=T1059.001&q=powershell"), ("mappings", "mappings/")):
        for theme in ("light", "dark"):
            for width, height in ((1440, 900), (390, 844)):
                page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                page.set_viewport_size({"width": width, "height": height})
                page.goto(path + tail)
                page.screenshot(path=folder / f"{name}-{theme}-{width}.png")
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                if wide > 0:
                    print(f"  {name} at {width}: scrolls sideways by {wide} px")


if __name__ == "__main__":
    main()
