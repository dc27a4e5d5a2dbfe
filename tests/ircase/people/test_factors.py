"""The second factor, proving it again, and sessions."""

import time
from datetime import timedelta
from typing import Any
from unittest import mock

import pyotp
import pytest
from axes.models import AccessAttempt
from django.core.exceptions import ValidationError
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone

from ircase.addresses import address_of, device_of, is_inside
from ircase.models import AccessPolicy, ApiToken, LogEntry, RecoveryCode, SecondFactor, SessionRecord, User
from ircase.services.identity import accounts, factors, people, policies, sessions
from tests.cast import PASSWORD, CastTestCase

SIGN_IN = "/sign-in/"


def code_of(user: User, steps: int = 0) -> str:
    secret = factors.secret_of(SecondFactor.objects.get(user=user))
    return pyotp.TOTP(secret).at(int(time.time()) + steps * 30)


def enrol(user: User) -> list[str]:
    factors.begin(user=user)
    codes = factors.confirm(user=user, code=code_of(user))
    SecondFactor.objects.filter(user=user).update(last_step=0)  # the next code need not wait for half a minute
    return codes


class SecondFactorTests(CastTestCase):
    def enter(self, username: str = "bob", **more: str) -> Any:
        return self.client.post(SIGN_IN, {"username": username, "password": PASSWORD, **more})

    def give(self, code: str) -> Any:
        return self.client.post(reverse("ircase:sign_in_code"), {"code": code})

    def test_set_up_by_the_person(self) -> None:
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:factor"))
        self.assertContains(page, "<svg")
        assert "style=" not in page.content.decode().split("<svg")[1].split("</svg>")[0], "the policy forbids it"
        secret = page.context["secret"]
        assert secret not in str(SecondFactor.objects.values())
        assert self.client.post(reverse("ircase:factor"), {"code": "000000"}).status_code == 422
        assert self.client.get(reverse("ircase:factor")).context["secret"] == secret, "the same one goes on"
        done = self.client.post(reverse("ircase:factor"), {"code": code_of(self.bob)})
        codes = done.context["codes"]
        assert len(set(codes)) == 10
        assert codes[0] not in str(RecoveryCode.objects.values())
        self.assertContains(self.client.get(reverse("ircase:profile")), "10 recovery codes left")

    def test_the_password_alone_opens_nothing_then(self) -> None:
        enrol(self.bob)
        assert self.enter(next="/cases/").headers["Location"] == reverse("ircase:sign_in_code")
        assert self.client.get("/").status_code == 302
        assert self.give("123").status_code == 422
        right = code_of(self.bob)
        assert self.give(right).headers["Location"] == "/cases/"
        assert self.client.get("/").status_code == 200
        assert SessionRecord.objects.get(user=self.bob).method == "code"
        self.client.logout()
        self.enter()
        assert self.give(right).status_code == 422, "a code opens once"

    def test_a_recovery_code_opens_once(self) -> None:
        codes = enrol(self.bob)
        self.enter()
        assert self.give(codes[3].upper().replace("-", " ")).status_code == 302
        self.client.logout()
        self.enter()
        assert self.give(codes[3]).status_code == 422
        assert factors.codes_left(SecondFactor.objects.get()) == 9
        assert LogEntry.objects.filter(action="factor.recovery_used").exists()

    def test_wrong_codes_lock_and_the_right_one_waits_too(self) -> None:
        enrol(self.bob)
        self.enter()
        for _ in range(factors.TRIES):
            assert self.give("000000").status_code == 422
        self.assertContains(self.give(code_of(self.bob)), "Too many wrong codes", status_code=422)
        SecondFactor.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
        assert self.give(code_of(self.bob)).status_code == 302
        assert LogEntry.objects.filter(action="sign_in.code_locked").count() == 1

    def test_the_second_step_needs_the_first_and_does_not_wait_for_ever(self) -> None:
        enrol(self.bob)
        assert self.give(code_of(self.bob)).headers["Location"] == SIGN_IN
        self.enter()
        with mock.patch("ircase.views.signin.time.time", return_value=time.time() + 601):
            assert self.give(code_of(self.bob)).headers["Location"] == SIGN_IN

    def test_a_role_that_needs_it_sees_nothing_else_before(self) -> None:
        policies.save_policy(rules=AccessPolicy(second_factor_for=["lead"]), actor=self.ada)
        self.enter("alice")
        assert self.client.get("/cases/").headers["Location"] == reverse("ircase:factor")
        self.client.get(reverse("ircase:factor"))
        self.client.post(reverse("ircase:factor"), {"code": code_of(self.alice)})
        assert self.client.get("/cases/").status_code == 200
        with pytest.raises(ValidationError, match="needs a second factor"):
            factors.remove(user=self.alice, actor=self.alice)
        self.client.logout()
        self.enter("bob")
        assert self.client.get("/cases/").status_code == 200, "Bob leads nothing"

    def test_a_lost_telephone_is_an_administrators_matter(self) -> None:
        enrol(self.bob)
        bobs = Client()
        bobs.force_login(self.bob)
        self.sign_in(self.ada)
        self.client.post(reverse("ircase:person_factor", args=[self.bob.pk]))
        assert not SecondFactor.objects.exists()
        assert bobs.get("/").status_code == 302
        assert LogEntry.objects.get(action="factor.removed").actor == self.ada


class AgainTests(CastTestCase):
    """Tokens, people, connections, sign-in, destruction and whole-case exports want a fresh proof."""

    def setUp(self) -> None:
        self.sign_in(self.ada)
        session = self.client.session
        session["fresh_at"] = int(time.time()) - 901
        session.save()

    def test_every_grave_page_asks(self) -> None:
        bob, connection = self.bob.pk, self.connection.pk
        posts = [
            ("profile_token", []), ("person_new", []), ("person", [bob]), ("person_active", [bob]),
            ("person_password", [bob]), ("person_factor", [bob]), ("person_sessions", [bob]),
            ("everyones_sessions", []), ("connection_new", []), ("connection", [connection]),
            ("signin_provider", []), ("policies", []),
            ("teams", []), ("factor_codes", []), ("factor_remove", []), ("keeping", [self.case.reference]),
            ("case_exports", [self.case.reference]),
        ]  # fmt: skip
        before = LogEntry.objects.count()
        for name, args in posts:
            self.assertContains(self.client.post(reverse(f"ircase:{name}", args=args)), "Confirm that it is you")
        assert LogEntry.objects.count() == before

    def test_what_was_typed_goes_on_with_the_answer(self) -> None:
        url = reverse("ircase:profile_token")
        sent = {"name": 'nightly "<b>', "days": "30", "scopes": ["read", "hunt"]}
        asked = self.client.post(url, sent)
        assert dict(asked.context["kept"])["name"] == sent["name"]
        self.assertNotContains(asked, '"<b>')
        assert self.client.post(url, sent | {"confirm-it-is-you": "wrong"}).status_code == 422
        assert not ApiToken.objects.exists()
        self.client.post(url, sent | {"confirm-it-is-you": PASSWORD})
        assert ApiToken.objects.get().scopes == ["read", "hunt"]
        assert self.client.get(reverse("ircase:person_new")).status_code == 200
        self.assertNotContains(self.client.get(reverse("ircase:person_new")), "Confirm that it is you")

    def test_a_page_to_be_read_is_read_then(self) -> None:
        url = reverse("ircase:connection", args=[self.connection.pk])
        self.assertContains(self.client.get(url), "Confirm that it is you")
        page = self.client.post(url, {"confirm-method": "GET", "confirm-it-is-you": PASSWORD})
        self.assertContains(page, "The tenant and its app registration")
        assert page.status_code == 200

    def test_who_has_a_second_factor_gives_a_code_not_the_password(self) -> None:
        enrol(self.ada)
        url = reverse("ircase:person_sessions", args=[self.bob.pk])
        self.assertContains(self.client.post(url), "Code of your telephone")
        assert self.client.post(url, {"confirm-it-is-you": PASSWORD}).status_code == 422
        assert self.client.post(url, {"confirm-it-is-you": code_of(self.ada)}).status_code == 302

    def test_the_throttle_keeps_nothing_of_what_was_typed(self) -> None:
        url = reverse("ircase:connection", args=[self.connection.pk])
        sent = {"name": "Contoso", "secret": "the-client-secret", "confirm-it-is-you": "a-near-miss"}
        for _ in range(2):
            assert self.client.post(url, sent).status_code == 422
        kept = str(list(AccessAttempt.objects.values()))
        assert AccessAttempt.objects.get().failures_since_start == 2
        assert "the-client-secret" not in kept and "a-near-miss" not in kept

    @override_settings(AXES_FAILURE_LIMIT=3)
    def test_guessing_there_is_throttled_as_at_the_door(self) -> None:
        url = reverse("ircase:person_sessions", args=[self.bob.pk])
        for _ in range(3):
            last = self.client.post(url, {"confirm-it-is-you": "guess"})
        assert last.status_code == 429


class SessionTests(CastTestCase):
    def browser(self, user: User, agent: str = "") -> Client:
        client = Client(headers={"User-Agent": agent} if agent else None)
        client.force_login(user)
        return client

    def test_listed_and_ended_one_by_one(self) -> None:
        firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
        other = Client(headers={"User-Agent": firefox})
        other.post(SIGN_IN, {"username": "bob", "password": PASSWORD})
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:profile"))
        self.assertContains(page, "Firefox 140 on Windows")
        self.assertContains(page, "127.0.0.1")
        theirs = SessionRecord.objects.get(device="Firefox 140 on Windows")
        assert self.browser(self.alice).post(reverse("ircase:session_end", args=[theirs.uuid])).status_code == 404
        assert other.get("/").status_code == 200
        self.client.post(reverse("ircase:session_end", args=[theirs.uuid]))
        assert other.get("/").status_code == 302
        assert self.client.get("/").status_code == 200

    def test_a_new_password_ends_the_others(self) -> None:
        other = self.browser(self.bob)
        self.sign_in(self.bob)
        new = "staple battery horse"
        values = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        self.client.post(reverse("ircase:profile_password"), values)
        assert self.client.get("/").status_code == 200
        assert other.get("/").status_code == 302
        assert [row.session_key for row in sessions.live(self.bob)] == [self.client.session.session_key]

    def test_another_role_ends_them(self) -> None:
        other = self.browser(self.mallory)
        self.mallory.site_role = "analyst"
        accounts.edit_person(person=self.mallory, actor=self.ada)
        assert other.get("/").status_code == 302

    def test_an_administrator_ends_everyones_but_their_own(self) -> None:
        others = [self.browser(one) for one in (self.alice, self.bob, self.carol)]
        self.sign_in(self.ada)
        self.client.post(reverse("ircase:everyones_sessions"))
        assert {one.get("/").status_code for one in others} == {302}
        assert self.client.get("/").status_code == 200
        assert SessionRecord.objects.live().count() == 1

    def test_last_seen_costs_a_query_only_every_five_minutes(self) -> None:
        self.sign_in(self.bob)
        record = SessionRecord.objects.get()
        self.client.get(reverse("ircase:profile"))
        assert SessionRecord.objects.get().seen_at == record.seen_at
        with mock.patch("ircase.services.identity.sessions.time.time", return_value=time.time() + 301):
            self.client.get(reverse("ircase:profile"))
        assert SessionRecord.objects.get().seen_at > record.seen_at


class AddressTests(CastTestCase):
    def test_only_our_own_proxies_are_believed(self) -> None:
        request = RequestFactory().get("/", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7"}, REMOTE_ADDR="10.0.0.1")
        assert address_of(request) == "10.0.0.1"
        with override_settings(PROXY_HOPS=1):
            assert address_of(request) == "192.0.2.7"
        with override_settings(PROXY_HOPS=3):
            assert address_of(request) == "10.0.0.1", "who comes past the proxies is who they are"
        hostile = RequestFactory().get("/", headers={"X-Forwarded-For": "<script>"}, REMOTE_ADDR="x")
        with override_settings(PROXY_HOPS=1):
            assert address_of(hostile) == ""

    def test_networks(self) -> None:
        assert is_inside("192.0.2.7", ["192.0.2.0/24"])
        assert is_inside("::ffff:192.0.2.7", ["192.0.2.0/24"])
        assert not is_inside("198.51.100.1", ["192.0.2.0/24", "2001:db8::/32"])
        assert not is_inside("", ["0.0.0.0/0"])
        assert is_inside("", [])

    def test_browsers_in_words(self) -> None:
        def words(agent: str) -> str:
            return device_of(RequestFactory().get("/", headers={"User-Agent": agent}))

        chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"
        assert words(chrome) == "Chrome 139 on Linux"
        assert words(chrome + " Edg/139.0") == "Edge 139 on Linux"
        assert words("curl/8") == "An unknown program"
        assert words("<script>alert(1)</script>" * 100) == "An unknown program"


class TokenRuleTests(CastTestCase):
    def test_every_token_ends_within_the_rules(self) -> None:
        token, _ = people.create_token(user=self.bob, name="x")
        assert token.expires_at < timezone.now() + timedelta(days=91)
        with pytest.raises(ValidationError, match="365 days at most"):
            people.create_token(user=self.bob, name="x", expires_at=timezone.now() + timedelta(days=366))
        policies.save_policy(rules=AccessPolicy(token_days=30), actor=self.ada)
        with pytest.raises(ValidationError, match="30 days at most"):
            people.create_token(user=self.bob, name="x", expires_at=timezone.now() + timedelta(days=31))
        assert people.create_token(user=self.bob, name="y")[0].expires_at < timezone.now() + timedelta(days=31)

    def test_a_token_of_one_network_is_none_elsewhere(self) -> None:
        _, text = people.create_token(user=self.bob, name="x", networks=["192.0.2.0/24"])
        ask = {"headers": {"Authorization": f"Bearer {text}"}}
        assert self.client.get("/api/v1/me", **ask).status_code == 401
        assert self.client.get("/api/v1/me", **ask, REMOTE_ADDR="192.0.2.9").status_code == 200
        with pytest.raises(ValidationError, match="is no network"):
            people.create_token(user=self.bob, name="x", networks=["everywhere"])

    def test_use_stands_in_the_log_once_a_day(self) -> None:
        _, text = people.create_token(user=self.bob, name="x")
        for days in (0, 0, 1):
            ApiToken.objects.filter(last_used_at__isnull=False).update(
                last_used_at=timezone.now() - timedelta(days=days, minutes=2)
            )
            people.find_token(text, "127.0.0.1")
        assert LogEntry.objects.filter(action="token.used", actor=self.bob).count() == 2
