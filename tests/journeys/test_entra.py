"""Coming in, in a real browser: by Microsoft, set up by an administrator, used by two people and left again; and by a
passkey, in place of the password and after it."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from config.stack import Stack
from tests.journeys.film import Film, Studio

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def ready(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stack.simulator_state / "ready.json").read_text(encoding="utf-8"))
    return found


class TestEntra:
    def test_set_up_and_used(self, studio: Studio, stack: Stack, browser: Browser, ready: dict[str, Any]) -> None:
        ada = studio.open("entra")
        ada.sign_in("ada")
        set_up(ada, ready)
        look_around(ada)
        # The simulator's certificate is its own: the browser is told to take it, IRCase has its authority as a setting.
        context = browser.new_context(base_url=stack.url, ignore_https_errors=True)
        try:
            is_refused(context.new_page())
        finally:
            context.close()
        come_in(studio.open("grace", ignore_https_errors=True), stack)


def set_up(ada: Film, ready: dict[str, Any]) -> None:
    page, app = ada.page, ready["apps"]["ircase"]
    ada.go("/administration/sign-in/")
    page.get_by_label("People sign in by Microsoft Entra ID").check()
    page.get_by_label("Sign-in URL").fill(ready["base_url"])
    page.get_by_label("Tenant", exact=True).fill(ready["tenant_id"])
    page.get_by_label("Client id").fill(app["client_id"])
    page.get_by_label("Client secret").fill(app["client_secret"])
    page.get_by_label("Tenants people may come from").fill(ready["tenant_id"])
    page.get_by_label("App roles").fill("IRCase.Analyst = analyst\nIRCase.Administrator = administrator")
    page.get_by_label("Certificate authority").fill(Path(ready["ca"]).read_text(encoding="ascii"))
    ada.scene("sign-in-settings")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A client secret is in use.")).to_be_visible()


def look_around(ada: Film) -> None:
    """The pages of people and access, as they are seen and as axe sees them."""
    for name, path in (
        ("people", "/administration/people/"),
        ("teams", "/administration/teams/"),
        ("policies", "/administration/policies/"),
        ("reach", "/administration/access/"),
        ("audit", "/audit/"),
        ("profile", "/profile/"),
        ("factor", "/profile/second-factor/"),
    ):
        ada.go(path)
        ada.scene(name)
        ada.small_and_dark(name)


def is_refused(page: Page) -> None:
    page.goto("/sign-in/")
    page.get_by_role("link", name="Sign in with Microsoft").click()
    page.get_by_role("button", name="Ivan Dahl").click()
    expect(page.get_by_text("none of your app roles lets you into IRCase")).to_be_visible()


def come_in(grace: Film, stack: Stack) -> None:
    page = grace.page
    page.goto("/cases/")
    grace.scene("sign-in")
    page.get_by_role("link", name="Sign in with Microsoft").click()
    page.get_by_role("button", name="Grace Holm").click()
    expect(page).to_have_url(f"{stack.url}/cases/")
    grace.scene("in")
    proves_it_again(grace)
    page.get_by_role("button", name="Your menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out of IRCase")).to_be_visible()
    grace.scene("out")
    page.get_by_role("link", name="Sign out of Microsoft too").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def proves_it_again(grace: Film) -> None:
    """Microsoft let her in by its cookie, for all we know; what she sends waits until she has proved who she is."""
    page = grace.page
    grace.go("/profile/")
    form = page.locator("#tokens form.form")
    form.get_by_label("Name").fill("Nightly export")
    form.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    grace.scene("confirm")
    page.get_by_role("link", name="Sign in at Microsoft again").click()
    page.get_by_role("button", name="Grace Holm").click()
    expect(page.get_by_role("heading", name="Go on with what you were doing")).to_be_visible()
    grace.scene("go-on")
    grace.small_and_dark("go-on")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("region", name="Table of API tokens")).to_contain_text("Nightly export")


class TestPasskey:
    def test_registered_used_and_removed(self, studio: Studio, stack: Stack, browser: Browser) -> None:
        stack.manage("shell", "-c", MAKE_KIM)
        kim = studio.open("passkey")
        give_a_device(kim.page)
        kim.page.goto("/sign-in/")
        by_password(kim.page)
        is_in(kim.page)
        register(kim)
        leave(kim.page)
        kim.scene("passkey-sign-in")
        kim.small_and_dark("passkey-sign-in")
        kim.page.get_by_role("button", name="Use a passkey").click()
        is_in(kim.page)
        leave(kim.page)
        by_password(kim.page)
        expect(kim.page.get_by_role("heading", name="Your passkey")).to_be_visible()
        kim.scene("second-step")
        kim.page.get_by_role("button", name="Use a passkey").click()
        is_in(kim.page)
        kim.go("/profile/")
        passkeys(kim.page).get_by_role("button", name="Remove").click()
        kim.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(kim.page.get_by_text("opens nothing any more")).to_be_visible()
        knows_no_passkeys(browser, stack)


PASSWORD = "a long enough sentence"
MAKE_KIM = f"from ircase.models import User; User.objects.create_user('kim', password='{PASSWORD}', first_name='Kim')"


def give_a_device(page: Page) -> None:
    """https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/"""
    door = page.context.new_cdp_session(page)
    door.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    door.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def by_password(page: Page) -> None:
    page.get_by_label("Username").fill("kim")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def is_in(page: Page) -> None:
    expect(page.get_by_role("button", name="Your menu")).to_be_visible()


def leave(page: Page) -> None:
    page.get_by_role("button", name="Your menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def passkeys(page: Page) -> Locator:
    return page.get_by_role("region", name="Table of passkeys")


def register(kim: Film) -> None:
    kim.go("/profile/")
    kim.page.get_by_role("link", name="Register a passkey").click()
    kim.scene("new-passkey")
    kim.small_and_dark("new-passkey")
    kim.page.get_by_label("Name").fill("This laptop")
    kim.page.get_by_role("button", name="Register").click()
    expect(passkeys(kim.page)).to_contain_text("This laptop")
    kim.scene("profile-passkeys")
    kim.small_and_dark("profile-passkeys")


def knows_no_passkeys(browser: Browser, stack: Stack) -> None:
    """A browser without them, and an address that they do not hold for: the password stays."""
    for base, script in ((stack.url, "delete window.PublicKeyCredential"), (f"http://127.0.0.1:{stack.port}", "")):
        context = browser.new_context(base_url=base)
        try:
            page = context.new_page()
            page.add_init_script(script)
            page.goto("/sign-in/")
            expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
            expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
        finally:
            context.close()
