"""A case leaves the house by the browser, and a stranger with nothing but Python verifies it; then one bit flips.

Before that a laptop is taken into custody, handed over and confirmed; after it the case comes in again.
"""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from config.stack import Stack
from tests.journeys.client import Api
from tests.journeys.film import Film, Studio, chromium_browser, film_folder

pytestmark = [pytest.mark.journey, pytest.mark.browser]
READY_MS = 240_000


def verified(script: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """A bare Python: isolated, no site packages, an empty environment."""
    command = [sys.executable, "-I", "-S", str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={}, cwd="/", check=False, timeout=300)


def saved(film: Film, link: str, path: Path) -> Path:
    with film.page.expect_download() as taken:
        film.page.get_by_role("link", name=link).click()
    taken.value.save_as(path)
    return path


def test_a_case_leaves_and_a_stranger_verifies_it(stack: Stack, chromium: str, tmp_path: Path, lead: Api) -> None:
    case = lead.post("/cases", {"title": "Custody on the move"})["reference"]
    lead.call("PUT", f"/cases/{case}/members/bob", json={"role": "analyst"})
    lead.upload(case, "notes.csv", b"a,b\n1,2\n")
    with chromium_browser(chromium) as browser:
        studio = Studio(stack, browser, film_folder(tmp_path))
        alice, bob = studio.open("alice"), studio.open("bob")
        alice.sign_in("alice")
        bob.sign_in("bob")
        take_and_hand_over(alice, bob, case)
        form = saved(alice, "Custody form (PDF)", tmp_path / "form.pdf")
        assert form.read_bytes().startswith(b"%PDF-")
        export = make_export(alice, case, tmp_path)
        look_at(export, tmp_path)
        bring_in(bob, export, case)
        ada = studio.open("ada")
        ada.sign_in("ada")
        ada.go("/administration/statements/")
        ada.scene("statements")
        ada.small_and_dark("statements")
        assert studio.close() == []


def take_and_hand_over(alice: Film, bob: Film, case: str) -> None:
    alice.go(f"/cases/{case}/evidence/take/")
    page = alice.page
    for label, value in (
        ("What it is", "Laptop"),
        ("Description", "Grey, powered off"),
        ("Serial number or IMEI", "SN-7"),
        ("Where it was taken", "Desk 4"),
        ("Why it was taken", "Source of the mails"),
        ("Seal number", "A-1001"),
    ):
        page.get_by_label(label).fill(value)
    alice.scene("take")
    page.get_by_role("button", name="Take it into custody").click()
    page.locator("#act-transfer summary").click()
    page.locator("#id_transfer-receiver").select_option("bob")
    page.locator("#id_transfer-purpose").fill("Imaging")
    page.locator("#id_transfer-place").fill("Lab 2")
    alice.scene("hand-over")
    page.locator("#act-transfer").get_by_role("button", name="Hand over").click()
    expect(page.get_by_text("waits for the receiver").first).to_be_visible()
    bob.go("/")
    bob.scene("handed-to-you")
    bob.page.get_by_role("link", name=re.compile("Laptop")).first.click()
    bob.page.get_by_role("button", name="I have received it").click()
    expect(bob.page.get_by_text("You have it now")).to_be_visible()
    bob.scene("chain")
    bob.small_and_dark("chain")
    page.reload()


def make_export(alice: Film, case: str, folder: Path) -> Path:
    alice.go(f"/cases/{case}/exports/")
    page = alice.page
    page.get_by_label("Receiver").fill("P. Rosecutor")
    page.get_by_label("Purpose").fill("Court file 7781")
    alice.scene("export-new")
    page.get_by_role("button", name="Make the export").click()
    expect(page.get_by_role("link", name="Download")).to_be_visible(timeout=READY_MS)
    page.reload()
    alice.scene("export")
    alice.small_and_dark("export")
    return saved(alice, "Download", folder / "export.zip")


def look_at(export: Path, folder: Path) -> None:
    """As a stranger would: unzip, run the verifier that came with it, flip one bit, run it again."""
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(export) as archive:
        archive.extractall(unpacked)
    script = unpacked / "verify.py"
    for arguments in ((), (export,)):
        done = verified(script, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "2 exhibits with their custody" in done.stdout
    register = json.loads((unpacked / "export.json").read_text())
    for name in (register["exhibits"][0]["file"], "custody/E002.ndjson", "log.ndjson", "signature.json"):
        path = unpacked / name
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[len(changed) // 2] ^= 4
        path.write_bytes(changed)
        done = verified(script)
        assert done.returncode == 1
        assert f"FAULT {name}" in done.stdout
        path.write_bytes(whole)


def bring_in(bob: Film, export: Path, case: str) -> None:
    bob.go("/cases/import/")
    bob.scene("import-new")
    bob.page.locator("#import-file").set_input_files(export)
    bob.page.get_by_role("button", name="Verify and import").click()
    bob.page.get_by_label("Your uploads").get_by_role("link", name=export.name).click()
    opened = bob.page.get_by_role("link", name=re.compile("^Open IR-"))
    expect(opened).to_be_visible(timeout=READY_MS)
    bob.scene("import")
    bob.small_and_dark("import")
    opened.click()
    expect(bob.page.get_by_role("heading", name="Custody on the move")).to_be_visible()
    assert bob.reference != case
