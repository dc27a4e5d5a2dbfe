"""Two people write the same note in two browsers, one of them signed out, offline and crashed on the way: no word of
either is lost, and whoever came late is told."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.client import Api
from tests.journeys.film import PHONE, Film, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]
BASE = "First call at 10:00.\n\nThe loader came by mail.\n\nNext: ask the user."


@pytest.fixture
def note(lead: Api) -> str:
    """The address of a note on a case of Alice's that Bob may write on."""
    case = lead.post("/cases", {"title": "Written by two", "connection": "Simulated tenant"})["reference"]
    lead.call("PUT", f"/cases/{case}/members/bob", json={"role": "analyst"})
    made = lead.post(f"/cases/{case}/notes", {"title": "Call minutes", "body": BASE})
    return f"/cases/{case}/notes/{made['uuid']}/"


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Text (optional)")


def text(page: Page) -> str:
    return field(page).input_value()


def expected(film: Film, *words: str) -> None:
    """The browser's own complaints about what the test does on purpose."""
    film.faults[:] = [fault for fault in film.faults if not any(word in fault for word in words)]


def test_the_later_save_never_overwrites(note: str, studio: Studio, lead: Api) -> None:
    alice, bob = studio.open("alice"), studio.open("bob")
    for film, name in ((alice, "alice"), (bob, "bob")):
        film.sign_in(name)
        film.go(f"{note}edit/")
    expect(bob.page.get_by_text("Alice Berg is editing this note")).to_be_visible()
    field(alice.page).fill(BASE.replace("by mail", "by Teams").replace("10:00", "10:05"))
    alice.page.get_by_role("button", name="Save").click()
    expect(alice.page.get_by_text("Version 2, saved by")).to_be_visible()
    field(bob.page).fill(BASE.replace("by mail", "on a stick").replace("the user", "the user's manager"))
    bob.page.get_by_role("button", name="Save").click()
    expect(bob.page.get_by_text("Two people wrote at the same time")).to_be_visible()
    expected(bob, "409")
    bob.scene("merge")
    bob.small_and_dark("merge")
    assert "<<<<<<<" in text(bob.page)
    bob.page.get_by_role("button", name="Save the merged text").click()
    expect(bob.page.get_by_text("still holds both texts").first).to_be_visible()
    expected(bob, "422")
    bob.page.get_by_role("radio", name="Both, one after the other").check()
    bob.page.get_by_role("button", name="Put these into the text below").click()
    expect(field(bob.page)).to_have_value(re.compile("by Teams.*on a stick.*manager", re.DOTALL))
    bob.page.get_by_role("button", name="Save the merged text").click()
    expect(bob.page.get_by_text("Version 3, saved by")).to_be_visible()
    bob.scene("merged")
    case, uuid = note.split("/")[2], note.split("/")[4]
    revisions = lead.get(f"/cases/{case}/notes/{uuid}/revisions")["items"]
    kept = [row["body"] for row in revisions]
    assert sum("by Teams" in body and "on a stick" not in body for body in kept) == 1
    assert sum("on a stick" in body and "by Teams" not in body for body in kept) == 1
    assert "10:05" in lead.get(f"/cases/{case}/notes/{uuid}")["body"]


def test_what_is_typed_survives_a_crash_a_sign_out_and_a_lost_line(note: str, studio: Studio) -> None:
    bob = studio.open("drafts")
    bob.sign_in("bob")
    page = bob.page
    bob.go(f"{note}edit/")
    field(page).fill("Typed before the crash")
    expect(page.get_by_text(re.compile("Kept on this device at .* and on the server at"))).to_be_visible()
    bob.scene("kept")
    crash(bob, note)
    signed_out(bob)
    offline(bob, note)


def crash(bob: Film, note: str) -> None:
    """The tab goes without a word; the next one finds the text, and where the browser forgot it, the server has it."""
    context = bob.page.context
    bob.page.close(run_before_unload=False)
    bob.page = context.new_page()
    bob.go(f"{note}edit/")
    expect(bob.page.get_by_text("kept on this device,")).to_be_visible()
    bob.scene("offered")
    bob.page.evaluate("localStorage.clear()")
    bob.go(f"{note}edit/")
    expect(bob.page.get_by_text("kept on the server,")).to_be_visible()
    bob.page.get_by_role("button", name="Bring it back").click()
    assert text(bob.page) == "Typed before the crash"


def signed_out(bob: Film) -> None:
    page, context = bob.page, bob.page.context
    context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your session has ended; nothing was sent.").first).to_be_visible()
    assert text(page) == "Typed before the crash"
    bob.scene("signed-out")
    with context.expect_page() as opened:
        page.get_by_role("link", name="Sign in in a new tab").click()
    other = opened.value
    bob.page = other
    other.set_default_timeout(30_000)
    bob.sign_in("bob")
    other.close()
    bob.page = page
    page.bring_to_front()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The note is saved.").first).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('ircase.draft.')).length") == 0


def offline(bob: Film, note: str) -> None:
    page = bob.page
    bob.go(f"{note}edit/")
    page.context.set_offline(True)
    field(page).fill("Typed in a tunnel")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("No connection to the server; nothing was sent.").first).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".prose").get_by_text("Typed in a tunnel")).to_be_visible()
    expected(bob, "ERR_INTERNET_DISCONNECTED")
    bob.go(f"{note}edit/")
    expect(page.locator(".draft-offer")).to_have_count(0)


def test_comments_name_people_and_tell_them(note: str, studio: Studio) -> None:
    bob = studio.open("comments")
    bob.sign_in("bob")
    page = bob.page
    bob.go(note)
    written = page.get_by_role("textbox", name="Comment")
    written.fill("Is this ")
    page.keyboard.press("Control+End")
    page.keyboard.press("Control+b")
    page.keyboard.type("right")
    page.keyboard.press("End")
    page.keyboard.type(", @al")
    option = page.get_by_role("option", name=re.compile("alice"))
    expect(option).to_be_visible()
    bob.scene("offer", whole=False)
    page.keyboard.press("Enter")
    expect(written).to_have_value("Is this **right**, @alice ")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview").locator(".mention")).to_have_text("@alice")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".talk .mention")).to_have_text("@alice")
    expect(written).to_have_value("")
    expect(page.locator(".draft-offer")).to_have_count(0)
    bob.scene("commented")
    alice = studio.open("told")
    alice.sign_in("alice")
    news = alice.page.get_by_role("listitem").filter(has_text="names you in a comment on Call minutes").first
    news.get_by_role("button", name="Show").click()
    expect(alice.page.locator(".talk .mention")).to_be_visible()
    alice.page.get_by_role("button", name="Resolve").click()
    expect(alice.page.locator(".talk").get_by_text("Resolved")).to_be_visible()
    alice.scene("resolved")
    small = studio.open("phone", PHONE, "dark")
    small.sign_in("bob")
    for name, path in (("note", note), ("edit", f"{note}edit/"), ("compare", f"{note}compare/")):
        small.go(path)
        small.page.wait_for_load_state("networkidle")
        small.scene(name)
