"""A harmful file at hand: it is looked into and never opened, its strings become indicators, and it leaves packed."""

import io
from pathlib import Path

import pytest
import pyzipper
from PIL import Image
from playwright.sync_api import expect

from config.stack import Stack
from tests.journeys.client import Api
from tests.journeys.film import Film, Studio, chromium_browser, film_folder

pytestmark = pytest.mark.journey
READY_MS = 60_000
LOADER = b"MZ\x00\x00http://evil.example.com/gate\x00\x00\x01C:\\Users\\Public\\run me.exe\x00" + bytes(9_000)
SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/evtx"


def picture() -> bytes:
    drawn = io.BytesIO()
    Image.linear_gradient("L").resize((320, 200)).convert("RGB").save(drawn, "JPEG")
    return drawn.getvalue()


def zipped() -> bytes:
    packed = io.BytesIO()
    with pyzipper.ZipFile(packed, "w", pyzipper.ZIP_DEFLATED) as archive:
        archive.writestr("../escape.txt", b"x")
        archive.writestr("inv\u202ecod.exe", bytes(3_000_000))
    return packed.getvalue()


def test_a_harmful_file_is_looked_into_and_leaves_packed(
    stack: Stack, chromium: str, tmp_path: Path, lead: Api
) -> None:
    case = lead.post("/cases", {"title": "A loader at hand"})["reference"]
    files = {
        "loader.exe": LOADER,
        "notes.txt": "Grün\x1b[2J\n\u202egnp.exe\n".encode() + b"line\n" * 700,
        "rows.csv": b"host,address\n" + b"ws-07,192.0.2.7\n" * 90,
        "facts.json": b'{"device": {"name": "ws-07", "users": ["anna", "ben"]}}',
        "photo.jpg": picture(),
        "archive.zip": zipped(),
    }
    sample = SAMPLES / "DE_EventLog_Service_Crashed.evtx"
    if sample.is_file():
        files["system.evtx"] = sample.read_bytes()
    uuids = {name: lead.upload(case, name, content, read=False)["uuid"] for name, content in files.items()}
    with chromium_browser(chromium) as browser:
        studio = Studio(stack, browser, film_folder(tmp_path))
        alice = studio.open("handling")
        alice.sign_in("alice")
        for name, kind in (
            ("loader.exe", "metadata"), ("loader.exe", "hex"), ("notes.txt", "text"), ("rows.csv", "table"),
            ("facts.json", "json"), ("photo.jpg", "image"), ("archive.zip", "archive"), ("system.evtx", "events"),
            ("notes.txt", "image"),
        ):  # fmt: skip
            if name in uuids:
                look(alice, f"/cases/{case}/evidence/{uuids[name]}/preview/{kind}/", f"{kind}-{name}")
        take_strings(alice, f"/cases/{case}/evidence/{uuids['loader.exe']}")
        hand_out(alice, f"/cases/{case}/evidence/{uuids['loader.exe']}/", tmp_path)
        assert studio.close() == []


def look(film: Film, url: str, scene: str) -> None:
    film.go(url)
    expect(film.page.locator("#look[data-announce]")).to_be_visible(timeout=READY_MS)
    film.scene(scene)
    film.small_and_dark(scene)


def take_strings(film: Film, exhibit: str) -> None:
    look(film, f"{exhibit}/preview/strings/", "strings")
    page = film.page
    page.locator("#seen summary").click()
    page.get_by_label("Take http://evil.example.com/gate").check()
    page.get_by_label("Judged as").select_option("malicious")
    film.scene("strings-ticked")
    page.get_by_role("button", name="Add the ticked ones to the case").click()
    expect(page.get_by_text("1 added to the case.").first).to_be_visible()


def hand_out(film: Film, exhibit: str, folder: Path) -> None:
    film.go(exhibit)
    film.scene("exhibit")
    film.small_and_dark("exhibit")
    page = film.page
    page.get_by_label("Password of the zip").fill("our own word")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download in a zip with this password").click()
    taken.value.save_as(folder / "loader.zip")
    with pyzipper.AESZipFile(folder / "loader.zip") as archive:
        assert archive.read(archive.namelist()[0], pwd=b"our own word") == LOADER
    page.locator("#handling summary").click()
    page.get_by_label("Mark", exact=True).select_option("safe")
    page.get_by_label("Reason").fill("Known tool of the red team")
    page.get_by_role("button", name="Keep the mark").click()
    expect(page.get_by_text("Custody keeps the reason").first).to_be_visible()
    expect(page.get_by_role("link", name="Download", exact=True)).to_be_visible()
    film.scene("marked")
