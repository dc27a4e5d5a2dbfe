"""A query becomes the team's own hunt: saved with a found parameter, run, changed, compared, approved, counted."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.client import Api
from tests.journeys.film import PHONE, Film, Studio
from tests.journeys.test_main_job import PATIENT_ZERO

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WORK_MS = 120_000
TITLE = "Processes of one device"
TEXT = f"""let Host = "{PATIENT_ZERO}";
DeviceProcessEvents
| where DeviceName =~ Host
| project Timestamp, DeviceName, FileName, ProcessCommandLine
| take 50"""


def test_a_query_becomes_a_hunt_of_the_team(studio: Studio, analyst: Api) -> None:
    opened = {"title": "Our own hunt", "connection": "Simulated tenant", "device": PATIENT_ZERO}
    case = analyst.post("/cases", opened)
    analyst.call("PUT", f"/cases/{case['reference']}/members/alice", json={"role": "lead"})
    bob = studio.open("library")
    bob.sign_in("bob")
    save_from_own_kql(bob, case["reference"])
    run_it(bob, case["reference"])
    change_it(bob)
    approve(studio)
    the_run_names_its_version(bob, case["reference"])
    counted(bob)
    on_a_phone_and_in_the_dark(studio)


def write(page: Page, text: str) -> None:
    """Into the plain field, so that no completion changes what is typed."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-kql]")).to_have_attribute("data-state", re.compile("ready|plain"))
    if page.locator("[data-kql]").get_attribute("data-state") == "ready":
        page.locator("[data-kql-switch]").click()
    page.get_by_label("KQL", exact=True).fill(text)


def save_from_own_kql(bob: Film, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/hunts/own-kql/")
    write(page, TEXT)
    page.get_by_label(re.compile("^Title")).fill(TITLE)
    page.get_by_role("button", name="Save as hunt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Save as hunt")
    expect(page.get_by_label("KQL", exact=True)).to_have_value(TEXT)
    bob.scene("form")
    row = page.locator("fieldset.parameter").filter(has_text="let Host").first
    row.get_by_label("Make it a parameter").check()
    row.get_by_label("Name").fill("TargetDevice")
    row.get_by_label("Filled from").select_option("asset.device.name")
    page.get_by_label("What a hit means").fill("The device started these programs. Look for what does not belong.")
    page.get_by_role("button", name="Check, and look for values").click()
    expect(page.get_by_label("KQL", exact=True)).to_have_value(re.compile("let Host = TargetDevice;"))
    bob.scene("form-checked")
    page.get_by_role("button", name="Save as hunt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(page.get_by_role("region", name="Review")).to_contain_text("Draft")
    bob.scene("draft")


def run_it(bob: Film, reference: str) -> None:
    page = bob.page
    page.get_by_role("region", name="Run it in a case").get_by_role("link", name=re.compile(reference)).click()
    expect(page.get_by_label(re.compile("^Target device"))).to_have_value(PATIENT_ZERO)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#run")).to_contain_text("Draft hunt")
    expect(page.locator("#run header").first).to_contain_text("Done", timeout=WORK_MS)
    bob.scene("run")


def change_it(bob: Film) -> None:
    page = bob.page
    page.get_by_role("link", name=re.compile(r"processes-of-one-device, version 1")).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    write(page, page.get_by_label("KQL", exact=True).input_value().replace("take 50", "top 20 by Timestamp desc"))
    page.get_by_label(re.compile("^What is different")).fill("The latest first.")
    bob.scene("edit")
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Version 2 is saved")).to_be_visible()
    bob.scene("two-versions")
    page.get_by_role("region", name="Versions", exact=True).get_by_role("button", name="Compare").click()
    expect(page.get_by_role("region", name="Query").locator("ins")).to_contain_text(["top"])
    expect(page.get_by_role("heading", name="Query")).to_be_visible()
    bob.scene("compare")


def approve(studio: Studio) -> None:
    alice = studio.open("library-alice")
    alice.sign_in("alice")
    alice.go("/hunts/?review=draft")
    alice.page.get_by_role("link", name=TITLE).click()
    alice.page.get_by_role("button", name="Approve version 2").click()
    expect(alice.page.get_by_role("region", name="Review")).to_contain_text("Approved")
    alice.scene("approved")


def the_run_names_its_version(bob: Film, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/hunts/")
    page.get_by_role("region", name="Runs of this case").get_by_role("link", name=re.compile(TITLE)).first.click()
    expect(page.locator("#run")).to_contain_text("version 1")
    expect(page.locator("#run")).to_contain_text("The hunt has a newer version")


def counted(bob: Film) -> None:
    bob.go("/hunts/?origin=-")
    row = bob.page.get_by_role("row").filter(has_text=TITLE)
    expect(row).to_contain_text("Approved")
    expect(row).to_contain_text("100 %")
    bob.scene("library")
    bob.go("/hunts/")
    bob.scene("library-whole")


def on_a_phone_and_in_the_dark(studio: Studio) -> None:
    phone = studio.open("library-phone", size=PHONE, theme="dark")
    phone.sign_in("bob")
    for name, path in (
        ("library", "/hunts/"),
        ("hunt", "/hunts/processes-of-one-device/"),
        ("edit", "/hunts/processes-of-one-device/edit/"),
        ("compare", "/hunts/processes-of-one-device/compare/"),
    ):
        phone.go(path)
        phone.scene(name)
