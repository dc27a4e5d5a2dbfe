"""What a file is and what a device is, in the browser: Defender asked, an analysis taken in, snapshots compared."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from artifacts.printed import BEGIN, END
from simulator.story import images
from tests.journeys.client import Api, ended
from tests.journeys.film import Film, Studio
from tests.journeys.test_main_job import PATIENT_ZERO

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WORK_MS = 120_000
ANALYSIS = {
    "result": {
        "reports": [
            {"status": "not_found", "scan_time": "2026-11-20T16:28:04.3376221Z", "source": "Static", "report": None},
            {"status": "Malicious", "source": "Deep Analysis", "report": "Connects to a known control server."},
        ],
        "threat_type": "Backdoor", "has_file": True,
        "behavior": {
            "networkTcpIps": ["203.0.113.91:443", "fe80::5052:d740:21d8:bb2c"],
            "files": {"Created": ["C:\\ProgramData\\EdgeHelper\\pd64.exe"], "Modified": None, "Deleted": None},
            "registryKeys": ["HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\EdgeHelper"],
            "mutexes": ["Global\\edge-sync"],
        },
    },
    "scan_status": "malicious",
}  # fmt: skip


def test_from_a_hash_to_the_device_and_what_is_new_on_it(studio: Studio, analyst: Api) -> None:
    opened = {"title": "What is this file?", "connection": "Simulated tenant", "device": PATIENT_ZERO}
    reference = analyst.post("/cases", opened)["reference"]
    analyst.post(f"/cases/{reference}/indicators", {"kind": "sha1", "value": images.IMPLANT.sha1})
    bob = studio.open("files")
    bob.sign_in("bob")
    what_defender_says_of_the_file(bob, reference)
    the_teams_verdict(bob)
    an_analysis_becomes_indicators(bob, reference)
    snapshots_come_home(analyst, reference)
    the_device_and_what_is_new_on_it(bob, analyst, reference)


def what_defender_says_of_the_file(bob: Film, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/entities/")
    page.get_by_role("link", name=images.IMPLANT.sha1).click()
    page.get_by_role("link", name="What this file is").click()
    expect(page.get_by_text("Defender was not asked yet")).to_be_visible()
    page.get_by_role("button", name="Ask Defender").click()
    expect(page.get_by_role("region", name="The file")).to_contain_text("Backdoor:Win64/Edgehelp.A", timeout=WORK_MS)
    expect(page.get_by_role("region", name="Devices that saw it").first).to_contain_text(PATIENT_ZERO, timeout=WORK_MS)
    expect(page.locator("#answers[hx-trigger]")).to_have_count(0, timeout=WORK_MS)
    expect(page.locator("#in-tables")).to_contain_text("No table of the case has it")
    bob.scene("file")
    bob.small_and_dark("file")
    page.get_by_role("button", name="Keep as evidence").click()
    expect(page.get_by_role("link", name=re.compile("Sealed as E001"))).to_be_visible()


def the_teams_verdict(bob: Film) -> None:
    page = bob.page
    page.get_by_label("Verdict", exact=True).select_option("malicious")
    page.get_by_label("Reason").fill("It beacons to the control server.")
    page.get_by_role("button", name="Save the verdict").click()
    expect(page.get_by_text("by Bob").first).to_be_visible()


def an_analysis_becomes_indicators(bob: Film, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/files/")
    page.locator("summary", has_text="Paste an analysis").click()
    page.locator("#analysis_text").fill(f"C:\\> analyze file x -output json\n{json.dumps(ANALYSIS)}")
    page.locator("#analysis_file_hash").fill(images.IMPLANT.sha1)
    bob.scene("files")
    page.get_by_role("button", name="Seal and read it").click()
    expect(page.locator("#analysis")).to_contain_text("What it names", timeout=WORK_MS)
    expect(page.locator("#analysis")).to_contain_text("203[.]0[.]113[.]91")
    bob.scene("analysis")
    bob.small_and_dark("analysis")
    page.get_by_label("Take 203[.]0[.]113[.]91").check()
    page.get_by_label(re.compile("^Take HKLM")).check()
    page.get_by_label("Verdict", exact=True).select_option("malicious")
    page.get_by_role("button", name="Take the ticked as indicators").click()
    expect(page.get_by_text("2 indicators added.")).to_be_visible()


def snapshot(time: str, *, attacked: bool) -> str:
    """What the persistence script prints, in its transcript."""
    run = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run"
    autoruns = [{"Kind": "RunKey", "Location": run, "Name": "SecurityHealth", "Command": "SecurityHealthSystray.exe"}]
    services: list[dict[str, Any]] = [{"Name": "WinDefend", "StartMode": "Auto", "PathName": "MsMpEng.exe"}]
    tasks = [{"TaskPath": "\\Northwharf\\", "TaskName": "Inventory", "Command": "inventory.exe", "Enabled": True}]
    users = [{"AccountName": "localops", "Sid": "S-1-5-21-1-2-3-1001", "Kind": "LocalUser", "Enabled": True,
              "Groups": ["Administrators"]}]  # fmt: skip
    if attacked:
        autoruns.append({"Kind": "RunKey", "Location": run, "Name": "EdgeHelper", "Command": images.IMPLANT.path})
        services[0] = {**services[0], "StartMode": "Disabled"}
        users.append({**users[0], "AccountName": "svc-edgesync", "Sid": "S-1-5-21-1-2-3-1002"})
    tables = {"DeviceAutorunSnapshot": autoruns, "DeviceServiceSnapshot": services, "DeviceTaskSnapshot": tasks,
              "DeviceUserSnapshot": users}  # fmt: skip
    document = {"format": "ircase-snapshot", "version": 1, "device": PATIENT_ZERO, "snapshot_time": time,
                "tables": tables, "errors": [], "cut": {}}  # fmt: skip
    return f"Transcript started\r\n\x1b[0m{BEGIN}\r\n{json.dumps(document)}\r\n{END}\r\n"


def snapshots_come_home(analyst: Api, reference: str) -> None:
    for day, attacked in (("19", False), ("20", True)):
        text = snapshot(f"2026-11-{day}T15:00:00.000Z", attacked=attacked)
        analyst.upload(reference, f"snapshot-{day}.txt", text.encode())
    exhibits = analyst.get(f"/cases/{reference}/evidence")["items"]
    for one in (one for one in exhibits if one["name"].startswith("snapshot-")):
        done = analyst.until(f"/cases/{reference}/evidence/{one['uuid']}/import", ended)
        assert (done["state"], done["problems"]) == ("done", []), done


def the_device_and_what_is_new_on_it(bob: Film, analyst: Api, reference: str) -> None:
    page = bob.page
    bob.go(f"/cases/{reference}/entities/")
    page.get_by_role("link", name=PATIENT_ZERO).click()
    page.get_by_role("link", name="What is known of it").click()
    page.get_by_role("button", name="Ask Defender").click()
    expect(page.get_by_role("region", name="The device")).to_contain_text("High", timeout=WORK_MS)
    expect(page.get_by_role("region", name="Accounts that signed in").first).to_contain_text("m.okafor")
    expect(page.locator("#answers[hx-trigger]")).to_have_count(0, timeout=WORK_MS)
    expect(page.get_by_role("region", name="New")).to_contain_text("EdgeHelper")
    expect(page.locator("#in-tables")).to_contain_text("DeviceAutorunSnapshot")
    bob.scene("device")
    bob.small_and_dark("device")
    page.get_by_role("link", name="Services", exact=True).click()
    expect(page.get_by_role("region", name="Changed")).to_contain_text("Disabled")
    page.get_by_role("link", name="Users", exact=True).click()
    row = page.get_by_role("region", name="New").get_by_role("row").filter(has_text="svc-edgesync")
    bob.scene("snapshots")
    bob.small_and_dark("snapshots")
    row.get_by_role("button", name=re.compile("^Event: svc-edgesync")).click()
    expect(page.get_by_text("is on the timeline")).to_be_visible()
    (event,) = analyst.get(f"/cases/{reference}/events")["items"]
    assert event["at"].startswith("2026-11-20T15:00:00") and "svc-edgesync" in event["title"]
    compared = analyst.get(f"/cases/{reference}/devices/{PATIENT_ZERO}/comparison", params={"category": "users"})
    assert [(one["what"], one["title"]) for one in compared["differences"]] == [("new", "svc-edgesync")]
