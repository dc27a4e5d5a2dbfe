"""Coming in by Microsoft: who it is, which role, who is refused; against the simulated tenant, without a socket."""

import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from ircase import secrets
from ircase.models import AccessPolicy, ApiToken, EntraIdentity, LogEntry, SessionRecord, SignInProvider, User
from ircase.models.signin import policy, provider
from ircase.services.identity import accounts, entra, people, policies
from msapi.signin import PeopleSignIn
from tests.cast import PASSWORD, CastTestCase
from tests.entra import HOST, Entra

GRACE, HEIDI, IVAN, NIELS = (f"{name}@northwind.example" for name in ("grace", "heidi", "ivan", "niels"))
JUDY = "judy_partner#EXT#@northwind.example"
ROLES = {"IRCase.Analyst": "analyst", "IRCase.Administrator": "administrator", "IRCase.Manager": "manager"}


class EntraTestCase(CastTestCase):
    tenant: Entra

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="ircase-entra-"))
        cls.tenant = Entra(cls.folder)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        cls.tenant.simulator.state.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self) -> None:
        app = self.tenant.app()
        self.provider = SignInProvider.objects.create(
            enabled=True,
            login_url=HOST,
            tenant=app.tenant,
            client_id=app.client_id,
            secret_encrypted=secrets.encrypt(app.secret.reveal()),
            allowed_tenants=[self.tenant.tid],
            role_map=ROLES,
        )
        self.tenant.simulator.roles_given.clear()
        self.tenant.simulator.faults.clear()
        entra._ways.clear()
        made = PeopleSignIn
        patched = mock.patch(
            "ircase.services.identity.entra.PeopleSignIn", lambda app: made(app, session=self.tenant.session)
        )
        patched.start()
        self.addCleanup(patched.stop)

    def go(self, account: str, browser: Client | None = None, path: str = "") -> Any:
        """The whole way, as a browser goes it."""
        browser = browser or self.client
        sent = browser.get(reverse("ircase:entra"), {"next": path} if path else {})
        assert sent.status_code == 302, sent.content
        answer = self.tenant.pick(sent.headers["Location"], account)
        return browser.get(reverse("ircase:entra_back"), answer)


class ComingInTests(EntraTestCase):
    def test_somebody_new_gets_an_account_and_the_role_of_their_app_role(self) -> None:
        page = self.client.get(reverse("ircase:sign_in"))
        self.assertContains(page, "Sign in with Microsoft")
        assert self.go(GRACE, path="/cases/").headers["Location"] == "/cases/"
        grace = User.objects.get(username=GRACE)
        assert (grace.name, grace.site_role, grace.has_usable_password()) == ("Grace Holm", "analyst", False)
        assert self.client.get("/cases/").status_code == 200
        assert SessionRecord.objects.get(user=grace).method == "entra"
        self.go(GRACE, Client())
        assert User.objects.filter(entra__isnull=False).count() == 1, "the second time it is the same person"

    def test_an_address_is_nobody(self) -> None:
        local = User.objects.create_user(GRACE, email=GRACE, password=PASSWORD, site_role="administrator")
        self.go(GRACE)
        came = EntraIdentity.objects.get().user
        assert came.pk != local.pk
        assert came.username == f"{GRACE}-2"
        assert came.site_role == "analyst"

    def test_next_leads_only_inside(self) -> None:
        assert self.go(GRACE, path="https://evil.example/").headers["Location"] == "/"

    def test_who_has_no_role_is_refused_in_plain_words(self) -> None:
        refused = self.go(IVAN)
        self.assertContains(refused, "none of your app roles lets you into IRCase", status_code=403)
        assert not EntraIdentity.objects.exists()
        assert self.client.get("/cases/").status_code == 302
        assert LogEntry.objects.get(action="sign_in.refused").detail["reason"] == "no role"

    def test_a_role_that_goes_away_takes_sessions_and_tokens_with_it(self) -> None:
        self.go(HEIDI)
        heidi = User.objects.get(username=HEIDI)
        token, text = people.create_token(user=heidi, name="script")
        assert heidi.administers
        self.tenant.give(HEIDI, "IRCase.Analyst")
        other = Client()
        self.go(HEIDI, other)
        heidi.refresh_from_db()
        assert heidi.site_role == "analyst"
        assert self.client.get("/cases/").status_code == 302, "the session with the old role has ended"
        self.tenant.give(HEIDI)
        assert self.go(HEIDI, Client()).status_code == 403
        heidi.refresh_from_db()
        assert heidi.site_role == "guest"
        assert other.get("/cases/").status_code == 302
        assert people.find_token(text) is None
        assert ApiToken.objects.get(pk=token.pk).revoked_at is not None

    def test_guests_by_policy(self) -> None:
        self.go(JUDY)
        assert EntraIdentity.objects.get().user.site_role == "guest"
        SignInProvider.objects.update(guests="refuse")
        assert self.go(JUDY, Client()).status_code == 403
        SignInProvider.objects.update(guests="allow")
        self.go(JUDY, Client())
        assert EntraIdentity.objects.get().user.site_role == "analyst"

    def test_who_is_shut_out_stays_out(self) -> None:
        self.go(GRACE)
        grace = User.objects.get(username=GRACE)
        accounts.set_active(person=grace, actor=self.ada, active=False)
        self.assertContains(self.go(GRACE, Client()), "shut out", status_code=403)

    def test_forged_and_stale_tokens_open_nothing(self) -> None:
        for how in ("nonce", "expired", "audience", "tenant", "issuer", "none", "hs256", "stranger"):
            self.tenant.fault(match="oauth2/v2.0/token", fault="id_token", how=how)
            reply = self.go(GRACE)
            assert reply.status_code == 400, how
            assert "Traceback" not in reply.content.decode()
        assert not EntraIdentity.objects.exists()
        assert LogEntry.objects.filter(action="sign_in.refused").count() == 8

    def test_an_answer_nobody_asked_for(self) -> None:
        other = Client()
        sent = other.get(reverse("ircase:entra"))
        answer = self.tenant.pick(sent.headers["Location"], GRACE)
        assert self.client.get(reverse("ircase:entra_back"), answer).status_code == 400
        assert self.client.get("/").status_code == 302
        assert other.get(reverse("ircase:entra_back"), answer).status_code == 302
        assert other.get(reverse("ircase:entra_back"), answer).status_code == 400, "the flow is used once"


class LeavingTests(EntraTestCase):
    def test_leaving_offers_to_leave_microsoft_too(self) -> None:
        self.go(GRACE)
        page = self.client.post(reverse("ircase:sign_out"), follow=True)
        assert "oauth2/v2.0/logout?post_logout_redirect_uri=" in page.content.decode()
        assert self.client.get("/").status_code == 302

    def test_leaving_at_microsoft_ends_the_session_here(self) -> None:
        self.go(GRACE)
        sid = SessionRecord.objects.get(user__username=GRACE).entra_sid
        assert sid
        Client().get(reverse("ircase:entra_left"), {"sid": "guessed"})
        assert self.client.get("/").status_code == 200
        Client().get(reverse("ircase:entra_left"), {"sid": sid})
        assert self.client.get("/").status_code == 302

    def test_proving_it_again_goes_by_microsoft_and_is_not_another_person(self) -> None:
        self.go(GRACE)
        session = self.client.session
        session["fresh_at"] = 0
        session.save()
        page = self.client.get(reverse("ircase:factor"))
        self.assertContains(page, "Sign in at Microsoft again")
        sent = self.client.get(reverse("ircase:entra"), {"next": reverse("ircase:factor")})
        assert parse_qs(urlsplit(sent.headers["Location"]).query)["prompt"] == ["login"]
        assert self.go(HEIDI).status_code == 403
        assert self.go(GRACE, path=reverse("ircase:factor")).headers["Location"] == reverse("ircase:factor")
        self.assertContains(self.client.get(reverse("ircase:factor")), "Scan this")

    def test_a_sign_in_by_microsofts_cookie_is_no_proof_of_who_sits_there(self) -> None:
        self.go(GRACE)
        self.assertContains(self.client.get(reverse("ircase:factor")), "Sign in at Microsoft again")

    def test_a_tenant_that_says_when_they_proved_it_is_believed(self) -> None:
        for how, asks in (("proved_earlier", True), ("proved_just_now", False)):
            self.tenant.fault(match="oauth2/v2.0/token", fault="id_token", how=how)
            browser = Client()
            self.go(GRACE, browser)
            page = browser.get(reverse("ircase:factor")).content.decode()
            assert ("Sign in at Microsoft again" in page) is asks, how

    def test_what_was_being_sent_waits_for_the_way_to_microsoft_and_back(self) -> None:
        self.go(GRACE)
        new = reverse("ircase:profile_token")
        values = {"name": "my <script>", "days": "30", "scopes": ["read"], "networks": ""}
        page = self.client.post(new, values).content.decode()
        assert f"?next={reverse('ircase:go_on').replace('/', '%2F')}" in page
        assert "my <script>" not in str(dict(self.client.session)), "nobody reads it in the database"
        early = self.client.get(reverse("ircase:go_on"))
        assert early.headers["Location"].startswith(reverse("ircase:entra")), "nor who finds the browser open"
        assert self.go(GRACE, path=reverse("ircase:go_on")).headers["Location"] == reverse("ircase:go_on")
        waiting = self.client.get(reverse("ircase:go_on")).content.decode()
        assert f'action="{new}"' in waiting
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', waiting))
        assert fields.pop("name") == "my &lt;script&gt;"
        assert {name: fields[name] for name in ("days", "scopes")} == {"days": "30", "scopes": "read"}
        self.assertRedirects(self.client.get(reverse("ircase:go_on")), reverse("ircase:my_work"))
        assert self.client.post(new, values).status_code == 200
        assert ApiToken.objects.get(user__username=GRACE).name == "my <script>"

    def test_what_waits_is_not_for_ever_nor_without_end(self) -> None:
        self.go(GRACE)
        new = reverse("ircase:profile_token")
        self.assertContains(self.client.post(new, {"name": "x" * 300_000}), "too large to wait")
        self.client.post(new, {"name": "x"})
        session = self.client.session
        session["fresh_waiting"][0] -= 901
        session["fresh_at"] = int(time.time())
        session.save()
        page = self.client.get(reverse("ircase:go_on"), follow=True)
        self.assertContains(page, "Nothing waits to be sent any more")

    def test_microsoft_is_asked_for_a_fresh_proof_and_its_answer_is_read(self) -> None:
        self.go(GRACE)
        factor = reverse("ircase:factor")
        sent = self.client.get(reverse("ircase:entra"), {"next": factor}).headers["Location"]
        assert parse_qs(urlsplit(sent).query)["max_age"] == ["900"]
        stripped = sent.replace("prompt=login", "prompt=none").replace("max_age=900", "x=1")
        reply = self.client.get(reverse("ircase:entra_back"), self.tenant.pick(stripped, GRACE))
        self.assertContains(reply, "does not say that it has just asked you", status_code=403)
        self.assertContains(reply, f"?next={factor.replace('/', '%2F')}", status_code=403)
        for how in ("proved_earlier", "proved_never"):
            self.tenant.fault(match="oauth2/v2.0/token", fault="id_token", how=how)
            assert self.go(GRACE, path=factor).status_code == 403, how
            self.assertContains(self.client.get(factor), "Sign in at Microsoft again")
        assert self.client.get("/cases/").status_code == 200, "they are still in"
        assert LogEntry.objects.filter(action="sign_in.refused").count() == 3
        assert self.go(GRACE, path=factor).headers["Location"] == factor


class SettingsTests(EntraTestCase):
    def form(self, **more: Any) -> dict[str, Any]:
        return {
            "enabled": "on",
            "login_url": "https://login.microsoftonline.com",
            "tenant": self.tenant.tid,
            "client_id": self.provider.client_id,
            "allowed_tenants": self.tenant.tid,
            "role_map": "IRCase.Analyst = analyst\nIRCase.Admin = administrator",
            "guests": "guest",
            **more,
        }

    def test_an_administrator_sets_it_up_and_the_secret_is_not_read_back(self) -> None:
        self.sign_in(self.ada)
        url = reverse("ircase:signin_provider")
        assert self.client.get(url).status_code == 200
        assert self.client.post(url, self.form(secret="s3cret-value")).status_code == 302
        kept = provider()
        assert kept.role_map == {"IRCase.Analyst": "analyst", "IRCase.Admin": "administrator"}
        assert secrets.decrypt(kept.secret_encrypted) == "s3cret-value"
        assert "s3cret-value" not in self.client.get(url).content.decode()
        assert "s3cret-value" not in str(list(LogEntry.objects.values_list("detail", flat=True)))
        assert self.client.post(url, self.form()).status_code == 302
        assert secrets.decrypt(provider().secret_encrypted) == "s3cret-value", "empty keeps it"

    def test_what_cannot_work_is_said(self) -> None:
        self.sign_in(self.ada)
        url = reverse("ircase:signin_provider")
        for changes in ({"role_map": "IRCase.Analyst"}, {"role_map": "x = king"}, {"allowed_tenants": "contoso"},
                        {"tenant": "contoso"}, {"login_url": "http://login.example"}, {"role_map": ""}):  # fmt: skip
            assert self.client.post(url, self.form(**changes)).status_code == 422, changes

    def test_nobody_locks_everybody_out(self) -> None:
        SignInProvider.objects.update(enabled=False)
        with pytest.raises(ValidationError, match="nobody could come in"):
            policies.save_policy(rules=AccessPolicy(local_passwords="nobody"), actor=self.ada)

    def test_who_may_still_use_a_password(self) -> None:
        policies.save_policy(rules=AccessPolicy(local_passwords="administrators"), actor=self.ada)
        values = {"password": PASSWORD}
        refused = self.client.post(reverse("ircase:sign_in"), values | {"username": "bob"})
        wrong = self.client.post(reverse("ircase:sign_in"), {"username": "bob", "password": "no"})
        said = "Please enter a correct username and password"
        self.assertContains(refused, said)
        self.assertContains(wrong, said)
        assert self.client.post(reverse("ircase:sign_in"), values | {"username": "ada"}).status_code == 302
        rules = policy()
        rules.local_passwords = "nobody"
        policies.save_policy(rules=rules, actor=self.ada)
        assert Client().post(reverse("ircase:sign_in"), values | {"username": "ada"}).status_code == 200
        link = accounts.break_glass(username="ada")
        browser, new = Client(), "staple battery horse"
        form = browser.get(reverse("ircase:set_password", args=[link.uid, link.token]))
        browser.post(form.headers["Location"], {"new_password1": new, "new_password2": new})
        assert Client().post(reverse("ircase:sign_in"), {"username": "ada", "password": new}).status_code == 302
