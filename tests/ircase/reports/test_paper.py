"""A report's PDF and HTML as a reader sees them: no word stands over another, and columns can be read."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import sync_playwright

from ircase.report import document as doc
from ircase.report import typeset, webpage
from ircase.report.data import collect
from ircase.report.document import Document, Piece
from ircase.report.kinds import compose
from ircase.services.analysis import findings
from tests.cast import CastTestCase

DIGEST = "4dceb53d61d105efdfb2d409d8cb2b6d343b72a77c4a8b55f090ea8bfea3e7ed"
DEVICE_ID = DIGEST[:40]  # as Defender gives them
LONG = (
    "W" * 24,
    "SuspiciousPowerShellStart",
    "2026-11-23T10:24:51.1234567Z",
    DIGEST,
    "10.20.30.40",
    "العربيةالعربية" * 2,
)
CHROMIUM = shutil.which("chromium")
RIGHT_EDGE = 595.3 - 20 / 25.4 * 72
_WORD = re.compile(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>')

Word = tuple[float, float, float, float, str]


def printed(document: Document, folder: Path) -> list[list[Word]]:
    """Its words by page, each with its box in points."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (Debian: apt install poppler-utils).")
    # The watermark stands across the page, over everything.
    path = typeset.write_pdf(replace(document, watermark=""), folder)
    said = subprocess.run(["pdftotext", "-bbox", str(path), "-"], capture_output=True, text=True, check=True).stdout
    pages = said.split("<page ")[1:]
    return [[(*map(float, found[:4]), found[4]) for found in _WORD.findall(page)] for page in pages]  # type: ignore[misc]


def faults(pages: list[list[Word]]) -> list[tuple[str, str]]:
    found = []
    for words in pages:
        for at, one in enumerate(words):
            if one[2] > RIGHT_EDGE + 1:
                found.append((one[4], "leaves the paper"))
            for other in words[at + 1 :]:
                wide = min(one[2], other[2]) - max(one[0], other[0])
                high = min(one[3], other[3]) - max(one[1], other[1])
                if wide > 1 and high > 0.5 * min(one[3] - one[1], other[3] - other[1]):
                    found.append((one[4], other[4]))
    return found


def paper(*pieces: Piece) -> Document:
    words = {"prepared": "Prepared", "page": "Page", "of": "of", "contents": "Contents", "contact": "Contact"}
    return Document(
        reference="IR-2026-0001", title="Long words", kind="Technical", language="en", tlp="amber",
        tlp_words="TLP:AMBER", generated_at="2026-11-23T10:00:00Z", prepared_by="Alice", watermark="", one_page=False,
        words=words, pieces=pieces,
    )  # fmt: skip


@pytest.mark.parametrize("columns", [1, 3, 5, 8, 12])
def test_long_words_stay_in_their_column(columns: int, tmp_path: Path) -> None:
    values = [LONG[number % len(LONG)] for number in range(columns)]
    rows = [[look(one) for one in values] for look in (doc.mono, doc.strong, doc.quiet, doc.badge)]
    made = doc.table(tuple(f"C{n}" for n in range(columns)), (0,) * columns, [tuple(row) for row in rows])
    pages = printed(paper(made), tmp_path)
    assert faults(pages) == []
    text = "".join(word[4] for words in pages for word in words).replace("\u200b", "")
    assert text.count(DIGEST[:4]) == len(rows) * values.count(DIGEST), "and nothing of them is lost"


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="needs chromium (Debian: apt install chromium)")
@pytest.mark.parametrize("width", [1200, 390])
def test_columns_of_the_html_file_keep_their_share(width: int, tmp_path: Path) -> None:
    event = doc.stack(doc.strong("schtasks.exe started"), doc.quiet('"C:\\ProgramData\\EdgeHelper" /sc minute ' * 12))
    narrow = doc.table(("Time (UTC)", "Event", "Source"), (24, 0, 29), [("2026-11-23 10:24:51", event, "Sysmon")])
    wide = doc.table(tuple(f"C{n}" for n in range(12)), (0,) * 12, [tuple(map(doc.mono, LONG * 2))])
    path = tmp_path / "report.html"
    with path.open("w", encoding="utf-8") as out:
        webpage.write(paper(narrow, wide), out)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # The date and the time are broken at their space and nowhere else.
        lines = """() => { const range = document.createRange(); range.selectNodeContents(document.querySelector('td'));
            return new Set([...range.getClientRects()].map(box => box.top)).size }"""
        assert page.evaluate(lines) <= 2
        cells = page.evaluate("[...document.querySelectorAll('td')].map(one => one.scrollWidth - one.clientWidth)")
        assert max(cells) <= 0, "no word stands over the next column"
        browser.close()


class FindingsTests(CastTestCase):
    def test_a_digest_and_a_device_id_are_in_one_piece(self) -> None:
        findings.add_asset(case=self.case, actor=self.alice, kind="device", name="ws-07", identifier=DEVICE_ID)
        findings.add_indicator(
            case=self.case, actor=self.alice, kind="sha256", value=DIGEST, verdict="malicious", tlp="amber+strict"
        )
        report = collect(self.case, now=timezone.now())
        pages = printed(compose(report), Path(self.enterContext(tempfile.TemporaryDirectory())))
        assert faults(pages) == []
        assert {DIGEST, DEVICE_ID} <= {word[4] for words in pages for word in words}
