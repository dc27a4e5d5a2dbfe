"""Passkeys at their doors: registered, in place of a password, after it, before what is grave; and refused."""

import json
import time
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from axes.models import AccessAttempt
from django.core import mail
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.django import TestCase as HypothesisTestCase
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from ircase import tasks
from ircase.models import AccessPolicy, LogEntry, Passkey, SessionRecord, User
from ircase.services.identity import accounts, factors, passkeys, policies
from tests.authenticator import Authenticator
from tests.cast import PASSWORD, CastTestCase, make_user
from tests.ircase.people.test_factors import code_of, enrol

SIGN_IN, CODE = "/sign-in/", "/sign-in/code/"
WRONG = "does not open IRCase"


class PasskeyTestCase(CastTestCase):
    def setUp(self) -> None:
        self.device = Authenticator()

    def options(self, name: str, client: Client | None = None) -> dict[str, Any]:
        reply = (client or self.client).post(reverse(f"ircase:{name}"))
        assert reply.status_code == 200, reply.content
        assert reply.headers["Cache-Control"] == "no-store"
        found: dict[str, Any] = json.loads(reply.content)
        return found

    def register(self, user: User, name: str = "Key", device: Authenticator | None = None) -> Passkey:
        """By the pages, as `user` in a browser of theirs."""
        client = Client()
        client.force_login(user)
        answer = (device or self.device).create(self.options("passkey_options", client))
        reply = client.post(reverse("ircase:passkey_new"), {"name": name, "passkey": answer})
        assert reply.status_code == 302, reply.content.decode()
        SessionRecord.objects.all().delete()
        return Passkey.objects.get(user=user, name=name)

    def enter(self, answer: str, **more: str) -> Any:
        return self.client.post(reverse("ircase:sign_in_passkey"), {"passkey": answer, **more})

    def ask(self) -> dict[str, Any]:
        return self.options("sign_in_passkey_options")

    def is_in(self) -> bool:
        return self.client.get("/").status_code == 200


class RegisteringTests(PasskeyTestCase):
    def test_several_each_named(self) -> None:
        self.sign_in(self.bob)
        asked = self.options("passkey_options")
        assert asked["rp"] == {"name": "IRCase", "id": "localhost"}
        assert asked["attestation"] == "none"
        assert asked["authenticatorSelection"]["userVerification"] == "required"
        assert asked["authenticatorSelection"]["residentKey"] == "required"
        assert "bob" not in asked["user"]["id"]
        new = reverse("ircase:passkey_new")
        answer = self.device.create(asked)
        self.assertRedirects(self.client.post(new, {"name": " Key  one ", "passkey": answer}), "/profile/")
        again = self.options("passkey_options")
        assert [one["id"] for one in again["excludeCredentials"]] == [Passkey.objects.get().credential]
        assert again["user"]["id"] == asked["user"]["id"], "a device knows the account by one name"
        same = self.client.post(new, {"name": "Key one", "passkey": self.device.create(again)})
        self.assertContains(same, "passkey of that name", status_code=422)
        answer = self.device.create(self.options("passkey_options"))
        self.client.post(new, {"name": "Telephone", "passkey": answer})
        page = self.client.get(reverse("ircase:profile"))
        for text in ("Key one", "Telephone", "Never"):
            self.assertContains(page, text)
        entry = LogEntry.objects.filter(action="passkey.added").latest("pk")
        assert entry.actor == self.bob and entry.detail == {"user": "bob", "name": "Telephone"}

    def test_only_the_id_and_the_public_key_are_kept(self) -> None:
        self.register(self.bob)
        kept = {field.name for field in Passkey._meta.get_fields()}
        assert kept == {"id", "uuid", "user", "name", "credential", "handle", "public_key", "sign_count",
                        "last_challenge", "made_at", "used_at", "doubted_at"}  # fmt: skip

    def test_what_is_no_passkey_for_us(self) -> None:
        self.sign_in(self.bob)
        wrong = [
            self.device.but(origin="http://localhost:8000"),
            self.device.but(origin="https://evil.example"),
            self.device.but(rp_id="evil.example"),
            self.device.but(verifies=False),
        ]
        for device in wrong:
            answer = device.create(self.options("passkey_options"))
            reply = self.client.post(reverse("ircase:passkey_new"), {"name": "Key", "passkey": answer})
            self.assertContains(reply, "not a passkey that can be used here", status_code=422)
        assert not Passkey.objects.exists()

    def test_a_challenge_is_for_one_answer_one_browser_one_purpose_and_five_minutes(self) -> None:
        self.sign_in(self.bob)
        new = reverse("ircase:passkey_new")
        answer = self.device.create(self.options("passkey_options"))
        assert self.client.post(new, {"name": "A", "passkey": "{}"}).status_code == 422
        self.assertContains(self.client.post(new, {"name": "A", "passkey": answer}), "Begin again", status_code=422)
        other = Client()
        other.force_login(self.bob)
        answer = self.device.create(self.options("passkey_options"))
        self.assertContains(other.post(new, {"name": "A", "passkey": answer}), "Begin again", status_code=422)
        late = time.time() + passkeys.LASTS_SECONDS + 1
        with mock.patch("ircase.services.identity.passkeys.time.time", return_value=late):
            self.assertContains(self.client.post(new, {"name": "A", "passkey": answer}), "too long", status_code=422)
        self.register(self.bob)
        self.options("passkey_proof")
        answer = self.device.create({**self.options("passkey_proof"), "user": {"id": "QQ", "name": "x"}})
        self.assertContains(self.client.post(new, {"name": "A", "passkey": answer}), "Begin again", status_code=422)
        assert Passkey.objects.count() == 1

    def test_who_did_not_prove_lately_who_they_are_is_asked_first(self) -> None:
        passkey = self.register(self.bob)
        self.sign_in(self.bob)
        session = self.client.session
        session["fresh_at"] = int(time.time()) - 901
        session.save()
        for name, args in (("passkey_new", []), ("passkey_remove", [passkey.uuid])):
            reply = self.client.post(reverse(f"ircase:{name}", args=args), {"name": "B"})
            self.assertContains(reply, "Confirm that it is you")
        refused = self.client.post(reverse("ircase:passkey_options"))
        assert refused.status_code == 409 and "Reload" in refused.json()["problem"]
        assert Passkey.objects.count() == 1

    def test_not_for_who_comes_by_microsoft_alone(self) -> None:
        self.bob.set_unusable_password()
        self.bob.save()
        self.sign_in(self.bob)
        assert self.client.post(reverse("ircase:passkey_options")).status_code == 409
        self.assertRedirects(self.client.get(reverse("ircase:passkey_new")), "/profile/")
        self.assertNotContains(self.client.get(reverse("ircase:profile")), "Register a passkey")

    def test_a_list_has_an_end(self) -> None:
        for number in range(passkeys.MOST):
            Passkey.objects.create(user=self.bob, name=str(number), credential=str(number), handle="QQ")
        self.sign_in(self.bob)
        refused = self.client.post(reverse("ircase:passkey_options"))
        assert "20 passkeys are enough" in refused.json()["problem"]

    def test_depth_and_length_too(self) -> None:
        for answer in ("[" * 16_000, '{"a":' * 3000, "x" * 100_000):
            self.ask()
            assert self.enter(answer).status_code == 422


SAID = some.sampled_from(
    ["id", "rawId", "type", "response", "clientDataJSON", "attestationObject", "signature", "authenticatorData",
     "userHandle", "public-key"]
)  # fmt: skip
ANYTHING = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.text(max_size=8), SAID),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(SAID, inner, max_size=6),
    max_leaves=12,
)


class HostileTests(HypothesisTestCase):
    """Whatever a stranger, or a strange browser, sends: words at the end, and nobody in."""

    @settings(max_examples=60)
    @given(some.one_of(some.text(max_size=60), ANYTHING.map(json.dumps)))
    def test_any_text(self, answer: str) -> None:
        reply = Client().post(reverse("ircase:sign_in_passkey"), {"passkey": answer})
        assert reply.status_code in (422, 429)

    @settings(max_examples=40)
    @given(some.integers(0, 9), some.integers(0, 999), some.binary(max_size=4))
    def test_one_part_of_a_right_answer_is_something_else(self, number: int, place: int, other: bytes) -> None:
        bob, device, client = make_user("bob", "analyst"), Authenticator(), Client()
        client.force_login(bob)

        def asked(name: str) -> Any:
            return json.loads(client.post(reverse(f"ircase:{name}")).content)

        def spoilt(text: str) -> str:
            answer = json.loads(text)
            part = sorted(answer["response"])[number % len(answer["response"])]
            whole = base64url_to_bytes(answer["response"][part])
            at = place * len(whole) // 1000
            answer["response"][part] = bytes_to_base64url(whole[:at] + other + whole[at + 1 :])
            return json.dumps(answer)

        new = reverse("ircase:passkey_new")
        sent = {"name": "Spoilt", "passkey": spoilt(device.create(asked("passkey_options")))}
        assert client.post(new, sent).status_code in (302, 422)
        sent = {"name": "Key", "passkey": device.create(asked("passkey_options"))}
        assert client.post(new, sent).status_code == 302
        sent = {"passkey": spoilt(device.get(asked("passkey_proof")))}
        assert Client().post(reverse("ircase:sign_in_passkey"), sent).status_code in (422, 429)


class SignInTests(PasskeyTestCase):
    def test_in_place_of_password_and_code(self) -> None:
        enrol(self.bob)
        passkey = self.register(self.bob)
        asked = self.ask()
        assert not asked.get("allowCredentials"), "nobody says who they are before"
        assert asked["userVerification"] == "required"
        reply = self.enter(self.device.get(asked), next="/cases/")
        assert reply.headers["Location"] == "/cases/"
        assert self.is_in()
        record = SessionRecord.objects.get(user=self.bob, ended_at=None)
        assert record.get_method_display() == "Passkey"
        entry = LogEntry.objects.filter(action="sign_in.succeeded").latest("pk")
        assert entry.actor == self.bob and entry.detail["method"] == "passkey"
        passkey.refresh_from_db()
        assert passkey.used_at is not None and passkey.sign_count == self.device.count
        self.assertContains(self.client.get(reverse("ircase:profile")), "Passkey")
        assert self.enter("", next="https://evil.example/").headers["Location"] == "/", "who is in is sent on, inside"

    def test_the_session_is_a_new_one(self) -> None:
        self.register(self.bob)
        asked = self.ask()
        before = self.client.session.session_key
        self.enter(self.device.get(asked))
        assert self.client.session.session_key != before

    def test_a_synced_passkey_counts_nothing_and_goes_on(self) -> None:
        device = Authenticator(counts=False)
        self.register(self.bob, device=device)
        for _ in range(2):
            assert self.enter(device.get(self.ask())).status_code == 302
            self.client.logout()

    def test_what_is_refused_is_refused_alike(self) -> None:
        self.register(self.bob)
        self.register(self.alice, device=(other := Authenticator()))
        stranger = Authenticator()
        stranger.create({"challenge": "QQ", "user": {"id": "QQ", "name": "x"}})
        device, seen = self.device, set()
        changed: list[Any] = [
            lambda asked: device.but(origin="https://evil.example", count=50).get(asked),
            lambda asked: device.but(rp_id="evil.example", count=50).get(asked),
            lambda asked: device.but(verifies=False, count=50).get(asked),
            lambda asked: device.get({"challenge": "QQ"}),
            lambda asked: device.get(asked, signature="MEUCIQ"),
            lambda asked: device.get(asked, userHandle=None),
            lambda asked: device.get(asked, userHandle=json.loads(other.get(asked))["response"]["userHandle"]),
            lambda asked: json.dumps(json.loads(device.get(asked)) | {
                name: json.loads(other.get(asked))[name] for name in ("id", "rawId")}),
            stranger.get,
            lambda asked: "",
        ]  # fmt: skip
        for make in changed:
            with override_settings(AXES_FAILURE_LIMIT=100):
                reply = self.enter(make(self.ask()))
            assert reply.status_code == 422
            page = reply.content.decode()
            start = page.index('<div class="notice"')
            seen.add(page[start : page.index("</div></div>", start)])
        assert len(seen) == 1 and WRONG in seen.pop()
        assert not self.is_in()
        assert LogEntry.objects.filter(action="sign_in.failed").count() == len(changed)
        assert Passkey.objects.exclude(doubted_at=None).count() == 0, "what nobody signed raises no alarm"

    def test_an_answer_opens_once(self) -> None:
        device = Authenticator(counts=False)
        self.register(self.bob, device=device)
        answer = device.get(self.ask())
        assert self.enter(answer).status_code == 302
        self.client.logout()
        assert self.enter(answer).status_code == 422
        self.ask()
        assert self.enter(answer).status_code == 422
        assert not self.is_in()

    def test_of_two_answers_to_one_challenge_at_once_one_is_first(self) -> None:
        device = Authenticator(counts=False)
        self.register(self.bob, device=device)
        answer = device.get(self.ask())
        cookie = self.client.cookies["sessionid"].value
        kept = dict(self.client.session)
        assert self.enter(answer).status_code == 302
        racing = Client()
        racing.cookies["sessionid"] = cookie
        session = racing.session  # as it was when the other request read it
        session.update(kept)
        session.save()
        racing.cookies["sessionid"] = session.session_key
        assert racing.post(reverse("ircase:sign_in_passkey"), {"passkey": answer}).status_code == 422

    def test_after_a_refusal_the_password_is_given_at_its_own_door(self) -> None:
        url = reverse("ircase:sign_in_passkey")
        page = self.enter("{}", next="/cases/")
        self.assertContains(page, f'method="post" action="{SIGN_IN}"', status_code=422)
        self.assertContains(page, 'name="next" value="/cases/"', status_code=422)
        assert self.client.get(url).headers["Location"] == SIGN_IN

    def test_another_browsers_challenge_is_not_this_ones(self) -> None:
        self.register(self.bob)
        asked = self.options("sign_in_passkey_options", Client())
        assert self.enter(self.device.get(asked)).status_code == 422

    def test_a_challenge_does_not_wait_for_ever(self) -> None:
        self.register(self.bob)
        answer = self.device.get(self.ask())
        with mock.patch("ircase.services.identity.passkeys.time.time", return_value=time.time() + 301):
            assert self.enter(answer).status_code == 422

    def test_who_may_not_use_a_password_may_not_use_a_passkey(self) -> None:
        self.register(self.bob)
        rules = [
            lambda: User.objects.filter(pk=self.bob.pk).update(is_active=False),
            lambda: policies.save_policy(rules=AccessPolicy(local_passwords="administrators"), actor=self.ada),
            lambda: accounts.reset_password(person=User.objects.get(pk=self.bob.pk), actor=self.ada),
        ]
        for rule in rules:
            with mock.patch.object(passkeys, "_spend", side_effect=AssertionError):
                rule()
                self.assertContains(self.enter(self.device.get(self.ask())), WRONG, status_code=422)
            AccessPolicy.objects.all().delete()
            User.objects.filter(pk=self.bob.pk).update(is_active=True)

    @override_settings(AXES_FAILURE_LIMIT=3)
    def test_throttled_as_the_password_door_is(self) -> None:
        self.register(self.bob)
        for _ in range(3):
            last = self.enter(self.device.get(self.ask(), signature="MEUCIQ"))
        assert last.status_code == 429
        assert self.enter(self.device.get(self.ask())).status_code == 429
        assert self.client.post(SIGN_IN, {"username": "bob", "password": PASSWORD}).status_code == 429, "one throttle"
        elsewhere = self.client.post(
            reverse("ircase:sign_in_passkey"), {"passkey": self.device.get(self.ask())}, REMOTE_ADDR="192.0.2.9"
        )
        assert elsewhere.status_code == 302
        assert LogEntry.objects.filter(action="sign_in.locked_out").exists()

    @override_settings(AXES_FAILURE_LIMIT=3)
    def test_unknown_ones_are_throttled_too_and_lock_nobody_out(self) -> None:
        self.register(self.bob)
        for _ in range(3):
            last = self.enter("{}")
        assert last.status_code == 429
        assert self.enter(self.device.get(self.ask())).status_code == 302

    def test_a_count_that_goes_back_is_refused_logged_and_told(self) -> None:
        passkey = self.register(self.bob)
        User.objects.filter(pk=self.bob.pk).update(email="bob@example.com")
        copy = self.device.but()
        for _ in range(2):
            self.enter(self.device.get(self.ask()))
            self.client.logout()
        kept = Passkey.objects.get().sign_count
        with self.captureOnCommitCallbacks():
            self.assertContains(self.enter(copy.get(self.ask())), "counter went back", status_code=422)
        assert not self.is_in()
        entry = LogEntry.objects.get(action="passkey.counter_back")
        assert entry.detail == {"user": "bob", "name": "Key", "kept": kept, "given": copy.count}
        assert Passkey.objects.get().sign_count == kept
        with override_settings(EMAIL_HOST="mail.example.com"):
            tasks.tell_of_passkey(passkey.pk)
        assert "“Key” was refused" in mail.outbox[0].body and mail.outbox[0].to == ["bob@example.com"]
        assert self.enter(self.device.get(self.ask())).status_code == 302, "the one that goes on is the device"
        self.assertContains(self.client.get("/"), "somebody may have a copy")
        self.assertContains(self.client.get(reverse("ircase:profile")), "Counter went back")


class SecondStepTests(PasskeyTestCase):
    def password(self, username: str = "bob") -> Any:
        return self.client.post(SIGN_IN, {"username": username, "password": PASSWORD})

    def give(self, answer: str) -> Any:
        return self.client.post(CODE, {"passkey": answer})

    def test_after_the_password(self) -> None:
        self.register(self.bob)
        assert self.password().headers["Location"] == CODE
        assert not self.is_in(), "the password alone opens nothing any more"
        self.assertNotContains(self.client.get(CODE), 'name="code"')
        asked = self.options("sign_in_code_options")
        assert [one["id"] for one in asked["allowCredentials"]] == [Passkey.objects.get().credential]
        assert self.give(self.device.get(asked)).status_code == 302
        assert self.is_in()
        assert SessionRecord.objects.get(user=self.bob, ended_at=None).get_method_display() == "Password and passkey"

    def test_beside_codes(self) -> None:
        enrol(self.bob)
        self.register(self.bob)
        self.password()
        self.assertContains(self.client.get(CODE), "or use a passkey")
        assert self.client.post(CODE, {"code": code_of(self.bob)}).status_code == 302
        self.client.logout()
        self.password()
        assert self.give(self.device.get(self.options("sign_in_code_options"))).status_code == 302

    def test_of_that_person_alone_and_for_that_step_alone(self) -> None:
        self.register(self.bob)
        self.register(self.alice, device=(hers := Authenticator()))
        self.password()
        asked = self.options("sign_in_code_options")
        self.assertContains(self.give(hers.get(asked)), WRONG, status_code=422)
        self.assertContains(self.give(self.device.get(self.ask())), WRONG, status_code=422)
        answer = self.device.but(verifies=False, count=50).get(self.options("sign_in_code_options"))
        assert self.give(answer).status_code == 422
        assert self.enter(self.device.get(self.options("sign_in_code_options"))).status_code == 422
        assert not self.is_in()

    def test_without_the_first_step_there_is_nothing_to_ask(self) -> None:
        self.register(self.bob)
        assert self.client.post(reverse("ircase:sign_in_code_options")).status_code == 409
        assert self.give("{}").headers["Location"] == SIGN_IN

    def test_it_counts_where_a_second_factor_is_wanted(self) -> None:
        policies.save_policy(rules=AccessPolicy(second_factor_for=["lead"]), actor=self.ada)
        self.password("alice")
        assert self.client.get("/cases/").headers["Location"] == reverse("ircase:factor")
        self.assertContains(self.client.get(reverse("ircase:factor")), "Register a passkey")
        answer = self.device.create(self.options("passkey_options"))
        self.assertContains(self.client.get(reverse("ircase:passkey_new")), "Your role needs a second factor")
        self.client.post(reverse("ircase:passkey_new"), {"name": "Key", "passkey": "{}"})
        assert self.client.get("/cases/").status_code == 302
        answer = self.device.create(self.options("passkey_options"))
        self.client.post(reverse("ircase:passkey_new"), {"name": "Key", "passkey": answer})
        assert self.client.get("/cases/").status_code == 200
        url = reverse("ircase:passkey_remove", args=[Passkey.objects.get().uuid])
        self.assertContains(self.client.post(url, follow=True), "Your role needs a second factor")
        assert Passkey.objects.exists()
        enrol(self.alice)
        factors.remove(user=self.alice, actor=self.alice)
        enrol(self.alice)
        self.client.post(url)
        assert not Passkey.objects.exists()
        with pytest.raises(ValidationError, match="needs a second factor"):
            factors.remove(user=self.alice, actor=self.alice)

    def test_who_came_by_a_passkey_need_not_enrol(self) -> None:
        self.register(self.alice)
        policies.save_policy(rules=AccessPolicy(second_factor_for=["lead"]), actor=self.ada)
        self.enter(self.device.get(self.ask()))
        assert self.client.get("/cases/").status_code == 200


class ProvingTests(PasskeyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.register(self.ada)
        self.sign_in(self.ada)
        session = self.client.session
        session["fresh_at"] = int(time.time()) - 901
        session.save()
        self.url = reverse("ircase:person_sessions", args=[self.bob.pk])

    def test_a_passkey_proves_it_again_and_what_was_sent_goes_on(self) -> None:
        url = reverse("ircase:profile_token")
        sent = {"name": "nightly", "days": "30", "scopes": ["read", "hunt"]}
        asked = self.client.post(url, sent)
        self.assertContains(asked, "Use a passkey")
        self.assertNotContains(asked, 'type="password"')
        answer = self.device.get(self.options("passkey_proof"))
        done = self.client.post(url, sent | {"confirm-passkey": answer})
        assert done.context["tokens"].get().scopes == ["read", "hunt"]
        assert self.client.post(self.url).status_code == 302, "and holds for a while"

    def test_no_other_passkey_and_no_password_does(self) -> None:
        self.register(self.bob, device=(his := Authenticator()))
        for made in (
            {"confirm-passkey": his.get(self.options("passkey_proof"))},
            {"confirm-passkey": self.device.get({"challenge": "QQ"})},
            {"confirm-passkey": self.device.but(verifies=False, count=9).get(self.options("passkey_proof"))},
            {"confirm-it-is-you": PASSWORD},
        ):
            reply = self.client.post(self.url, made)
            self.assertContains(reply, "Confirm that it is you", status_code=422)

    def test_a_code_does_where_there_are_codes(self) -> None:
        enrol(self.ada)
        asked = self.client.post(self.url)
        self.assertContains(asked, "Code of your telephone")
        self.assertContains(asked, "Use a passkey")
        assert self.client.post(self.url, {"confirm-it-is-you": code_of(self.ada)}).status_code == 302

    @override_settings(AXES_FAILURE_LIMIT=3)
    def test_throttled(self) -> None:
        for _ in range(3):
            last = self.client.post(self.url, {"confirm-passkey": "{}"})
        assert last.status_code == 429


class RemovingTests(PasskeyTestCase):
    def test_ones_own_alone(self) -> None:
        passkey = self.register(self.bob)
        url = reverse("ircase:passkey_remove", args=[passkey.uuid])
        self.sign_in(self.alice)
        assert self.client.post(url).status_code == 404
        self.sign_in(self.bob)
        self.assertRedirects(self.client.post(url), "/profile/")
        assert LogEntry.objects.get(action="passkey.removed").detail == {"user": "bob", "name": "Key"}
        self.client.logout()
        self.assertContains(self.enter(self.device.get(self.ask())), WRONG, status_code=422)
        assert self.client.post(SIGN_IN, {"username": "bob", "password": PASSWORD}).headers["Location"] == "/"

    def test_a_lost_device_is_an_administrators_matter(self) -> None:
        passkey = self.register(self.bob)
        his = Client()
        his.force_login(self.bob)
        self.sign_in(self.ada)
        self.assertContains(self.client.get(reverse("ircase:person", args=[self.bob.pk])), "Key")
        self.assertContains(self.client.get(reverse("ircase:people")), "Password, passkey")
        other = reverse("ircase:person_passkey", args=[self.alice.pk, passkey.uuid])
        assert self.client.post(other).status_code == 404
        self.client.post(reverse("ircase:person_passkey", args=[self.bob.pk, passkey.uuid]))
        assert not Passkey.objects.exists()
        assert his.get("/").status_code == 302
        assert LogEntry.objects.get(action="passkey.removed").actor == self.ada

    def test_break_glass_takes_them_away(self) -> None:
        self.register(self.ada)
        accounts.break_glass(username="ada")
        assert not Passkey.objects.exists()

    def test_administrators_read_that_there_is_a_second_factor(self) -> None:
        self.register(self.bob)
        self.sign_in(self.ada)
        rows = {person.username: person.has_passkey for person in policies.reach()}  # type: ignore[attr-defined]
        assert rows["bob"] and not rows["alice"]


class SettingsTests(PasskeyTestCase):
    def test_the_host_of_a_request_has_no_say(self) -> None:
        reply = self.client.post(reverse("ircase:sign_in_passkey_options"), headers={"Host": "testserver"})
        assert reply.json()["rpId"] == "localhost"
        with override_settings(PASSKEY_RP_ID="example.com", PASSKEY_ORIGINS=["https://ir.example.com"]):
            assert self.ask()["rpId"] == "example.com"
            self.assertContains(self.client.get(SIGN_IN), 'data-origins="https://ir.example.com"')

    def test_what_cannot_work_is_off_and_said(self) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"PASSKEY_RP_ID": "127.0.0.1"}, "must be a domain"),
            ({"PASSKEY_RP_ID": ".example.com"}, "must be a domain"),
            ({"PASSKEY_RP_ID": "example.com"}, "does not lie in"),
            ({"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": ["http://example.com"]}, "https alone"),
            ({"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": ["https://notexample.com"]}, "does not lie in"),
        ]
        for given_settings, words in wrong:
            with override_settings(**given_settings):
                found = [one.msg for one in run_checks(include_deployment_checks=True) if one.id == "ircase.W006"]
                assert len(found) == 1 and words in found[0]
                self.assertNotContains(self.client.get(SIGN_IN), "data-passkey")
                assert self.client.post(reverse("ircase:sign_in_passkey_options")).status_code == 409
        with override_settings(PASSKEY_RP_ID=""):
            assert "ircase.W006" not in [one.id for one in run_checks(include_deployment_checks=True)]

    def test_what_was_answered_is_not_kept_by_the_throttle(self) -> None:
        self.enter('{"a": "secret of the answer"}')
        assert "secret of the answer" not in AccessAttempt.objects.get().post_data

    def test_a_passkey_of_yesterday_is_told_by_mail_once_only_while_it_is_there(self) -> None:
        tasks.tell_of_passkey(0)
        passkey = self.register(self.bob)
        Passkey.objects.update(doubted_at=timezone.now() - timedelta(days=1))
        tasks.tell_of_passkey(passkey.pk)
        assert not mail.outbox, "there is no mail server"
