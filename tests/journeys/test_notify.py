"""Bob asks for a yes: Alice has a mail, a card and a piece of news; her hook was down, and is told once it is up."""

import hashlib
import hmac
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from config import demo
from config.stack import Stack
from tests.ircase.telling.support import MailServer
from tests.journeys.client import Api, listed
from tests.journeys.conftest import SETTINGS, make_stack
from tests.journeys.film import Studio, chromium_browser, film_folder
from tests.msapi.support import Answer, Request, Server

pytestmark = [pytest.mark.journey, pytest.mark.browser]
SITE = "https://ir.example.com"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def outside() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def stack(mail: MailServer) -> Iterator[Stack]:
    """A stack of its own: it knows a mail server, and may tell what is on this machine."""
    root = Path(tempfile.mkdtemp(prefix="ircase-notify-"))
    stack = make_stack(root, "--devices", "10", "--days", "2")
    stack.settings = {
        **SETTINGS,
        "IRCASE_SMTP_HOST": "127.0.0.1",
        "IRCASE_SMTP_PORT": str(mail.port),
        "IRCASE_SMTP_STARTTLS": "0",
        "IRCASE_MAIL_FROM": "IRCase <ircase@example.com>",
        "IRCASE_PUBLIC_URL": SITE,
        "IRCASE_HOOK_PRIVATE_HOSTS": "localhost",
        "IRCASE_DELIVERY_WAITS": "1,1,2,2,2",
    }
    try:
        demo.start(stack)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_browser(chromium) as browser:
        yield browser


@pytest.fixture
def studio(stack: Stack, browser: Browser, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(stack, browser, film_folder(tmp_path))
    yield studio
    if faults := studio.close():
        pytest.fail("\n".join(faults), pytrace=False)


def is_signed(request: Request, secret: str) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = headers["x-ircase-timestamp"].encode() + b"." + request.body
    return headers["x-ircase-signature"] == f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def test_an_approval_is_told_by_every_way_and_once(
    stack: Stack, mail: MailServer, outside: Server, studio: Studio
) -> None:
    outside.on("POST", "/card", Answer(202))
    outside.on("POST", "/signed", Answer(503), Answer(500), Answer(204))
    people = "from ircase.models import User; "
    stack.manage("shell", "-c", people + "User.objects.filter(username='alice').update(email='alice@example.com')")
    bob, alice = Api(stack, "bob"), Api(stack, "alice")
    reference = bob.post("/cases", {"title": "Told", "connection": "Simulated tenant"})["reference"]
    bob.call("PUT", f"/cases/{reference}/members/alice", json={"role": "lead"})

    film = studio.open("notify")
    film.sign_in("alice")
    film.go("/profile/notifications/")
    film.page.locator("#choices_approval_teams").select_option("now")
    film.page.get_by_label("Address of your Teams workflow").fill(outside.url + "/card?sig=verysecret")
    film.page.get_by_role("button", name="Save").click()
    expect(film.page.get_by_text("Your notifications are saved.")).to_be_visible()
    expect(film.page.get_by_text("One is kept, at localhost.")).to_be_visible()
    film.page.get_by_role("button", name="Send a test to Teams").click()
    expect(film.page.get_by_text("The test arrived")).to_be_visible()
    film.scene("settings")
    film.small_and_dark("settings")
    film.go(f"/cases/{reference}/notifications/")
    film.page.get_by_role("link", name="New hook").click()
    film.page.get_by_label("Kind").select_option("webhook")
    film.page.get_by_role("textbox", name="Name").fill("SOAR")
    film.page.get_by_role("textbox", name="Address").fill(outside.url + "/signed")
    film.page.get_by_label("An approval or a review is wanted").check()
    film.page.get_by_role("button", name="Save").click()
    expect(film.page.get_by_role("heading", name="Its secret")).to_be_visible()
    secret = film.page.locator("#new-secret").inner_text().strip().splitlines()[-1].strip()
    film.scene("hook")
    film.small_and_dark("hook")

    device = stack_device(bob, reference)
    bob.post(
        f"/cases/{reference}/collections",
        {"definition": "dfir-triage", "device": device, "parameters": {"Days": 1}, "reason": "Loader seen"},
    )
    ada = Api(stack, "ada")
    ada.until("/deliveries?state=waiting", lambda page: page["total"] == 0 and len(outside.seen("/signed")) >= 3)
    time.sleep(3)  # three ticks of the clock: nothing may be told again

    asked = [message for message in mail.messages if "asks for your yes" in str(message["Subject"])]
    assert [str(message["To"]) for message in asked] == ["alice@example.com"]
    assert f"{SITE}/approvals/" in asked[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    cards = [json.loads(request.body) for request in outside.seen("/card")]
    titles = [card["attachments"][0]["content"]["fallbackText"] for card in cards]
    assert len([title for title in titles if "asks for your yes" in title]) == 1
    posts = outside.seen("/signed")
    assert len(posts) == 3 and all(is_signed(request, secret) for request in posts)
    assert len({json.loads(request.body)["id"] for request in posts}) == 1
    told = json.loads(posts[-1].body)
    assert (told["code"], told["case"]) == ("approval", reference)
    assert {row["state"] for row in ada.get("/deliveries")["items"]} == {"sent"}

    film.go("/")
    film.page.get_by_role("button", name="News").first.click()
    expect(film.page.locator("#bell").get_by_text("asks for your yes").first).to_be_visible()
    film.scene("bell", whole=False)
    film.page.locator("#bell").get_by_text("asks for your yes").first.click()
    expect(film.page.get_by_role("heading", level=1)).to_be_visible()
    assert "/approvals/" in film.page.url
    film.go("/notices/")
    film.scene("news")
    film.small_and_dark("news")
    assert not [row for row in alice.get("/notices?unread=true")["items"] if row["code"] == "approval"]


def stack_device(api: Api, reference: str) -> str:
    """A device that the simulated tenant knows, and its library ready."""
    api.until(f"/cases/{reference}/library-scripts", listed)
    return "srv-app01.northwharf.example"
