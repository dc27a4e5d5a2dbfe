"""Things that lie elsewhere come onto a case from a CSV, and lists say where people talk, as people see it."""

import pytest
from playwright.sync_api import expect

from tests.journeys.client import Api
from tests.journeys.film import Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
DIGEST = "ab" * 32
LINES = f"""name,kind,serial,place,acquired_at,acquired_by,sha256
Laptop of Eve,computer,SN-1,Safe 2,2026-11-20 14:30,Dana,
disk.e01,file,,nas/cases,2026-11-20T18:00:00Z,Dana,{DIGEST}
"""


def test_a_list_of_things_becomes_exhibits(analyst: Api, studio: Studio) -> None:
    reference = str(analyst.post("/cases", {"title": "A safe full of disks"})["reference"])
    bob = studio.open("register")
    bob.sign_in("bob")
    bob.go(f"/cases/{reference}/evidence/register/")
    page = bob.page
    bob.scene("asked")
    bob.small_and_dark("asked")
    file = {"name": "safe.csv", "mimeType": "text/csv", "buffer": LINES.encode()}
    page.get_by_label("File", exact=True).set_input_files(files=[file])
    page.get_by_label("Zone of times without one").fill("Europe/Copenhagen")
    page.get_by_label("Why they were acquired").fill("Seized")
    page.get_by_role("button", name="Show what is in it").click()
    expect(page.get_by_role("heading", name="2 things of safe.csv")).to_be_visible()
    expect(page.get_by_text("written 2026-11-20 14:30 (Europe/Copenhagen)")).to_be_visible()
    bob.scene("seen")
    bob.small_and_dark("seen")
    page.get_by_role("button", name="Register 2 exhibits").click()
    expect(page.get_by_text("E001 to E002 are registered.")).to_be_visible()
    (image,) = [one for one in analyst.get(f"/cases/{reference}/evidence")["items"] if one["stated_sha256"]]
    analyst.post(
        f"/cases/{reference}/comments", {"kind": "evidence", "subject": image["uuid"], "body": "Who has the key?"}
    )
    bob.go(f"/cases/{reference}/evidence/")
    expect(page.get_by_role("link", name="1 comment")).to_be_visible()
    bob.scene("exhibits")
    bob.small_and_dark("exhibits")
    page.get_by_role("link", name="1 comment").click()
    expect(page.get_by_text("Who has the key?")).to_be_visible()
    bob.go(f"/cases/{reference}/evidence/{image['uuid']}/")
    expect(page.get_by_text("Stated, not verified")).to_be_visible()
    bob.scene("record")
    bob.small_and_dark("record")
