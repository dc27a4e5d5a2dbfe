"""Signing in and out, the throttle, the profile, and tokens."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core.exceptions import ValidationError
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from ircase.models import ApiToken, LogEntry
from ircase.services.identity import people
from tests.cast import PASSWORD, CastTestCase

SIGN_IN = "/sign-in/"


class SignInTests(CastTestCase):
    def enter(self, username: str, password: str, **more: str) -> object:
        return self.client.post(SIGN_IN, {"username": username, "password": password, **more})

    def test_in_and_out(self) -> None:
        assert self.client.get(SIGN_IN).status_code == 200
        reply = self.enter("bob", PASSWORD)
        assert reply.headers["Location"] == "/"  # type: ignore[attr-defined]
        assert self.client.get("/").status_code == 200
        assert self.client.get("/sign-out/").status_code == 405, "leaving is a POST: a link must not sign people out"
        self.client.post("/sign-out/")
        assert self.client.get("/").headers["Location"] == "/sign-in/?next=/"

    def test_next_leads_only_inside(self) -> None:
        assert self.enter("bob", PASSWORD, next="/cases/").headers["Location"] == "/cases/"  # type: ignore[attr-defined]
        self.client.logout()
        outside = self.enter("bob", PASSWORD, next="https://evil.example/")
        assert outside.headers["Location"] == "/"  # type: ignore[attr-defined]

    def test_every_wrong_pair_is_answered_alike(self) -> None:
        self.carol.is_active = False
        self.carol.save()
        pages = set()
        for username, password in (("bob", "wrong"), ("nobody", "wrong"), ("carol", PASSWORD), ("bob", "")):
            reply = self.enter(username, password or "also wrong")
            page = reply.content.decode()  # type: ignore[attr-defined]
            start = page.index('<div class="notice"')
            pages.add(page[start : page.index("</div></div>", start)])
        assert len(pages) == 1

    @override_settings(AXES_FAILURE_LIMIT=3)
    def test_after_too_many_tries_the_right_password_waits_too(self) -> None:
        for _ in range(3):
            last = self.enter("bob", "wrong")
        assert last.status_code == 429  # type: ignore[attr-defined]
        assert self.enter("bob", PASSWORD).status_code == 429  # type: ignore[attr-defined]
        assert self.enter("alice", PASSWORD).status_code == 302, "a colleague is not locked out"  # type: ignore[attr-defined]


class ProfileTests(CastTestCase):
    def test_name_and_zone(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:profile")
        assert self.client.get(url).status_code == 200
        values = {"first_name": "Bob", "last_name": "Berg", "email": "b@example.com", "time_zone": "Europe/Copenhagen"}
        assert self.client.post(url, values | {"site_role": "administrator"}).status_code == 302
        self.bob.refresh_from_db()
        assert (self.bob.name, self.bob.time_zone, self.bob.site_role) == ("Bob Berg", "Europe/Copenhagen", "analyst")
        assert self.client.post(url, values | {"time_zone": "Mars/Olympus"}).status_code == 422

    def test_the_password_changes_and_this_session_goes_on(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:profile_password")
        new = "staple battery horse"
        bad = {"old_password": "wrong", "new_password1": new, "new_password2": new}
        assert self.client.post(url, bad).status_code == 422
        assert self.client.post(url, bad | {"old_password": PASSWORD, "new_password2": "other"}).status_code == 422
        assert self.client.post(url, bad | {"old_password": PASSWORD}).status_code == 302
        assert self.client.get("/").status_code == 200
        self.bob.refresh_from_db()
        assert self.bob.check_password(new)
        entry = LogEntry.objects.get(action="person.password_changed")
        assert new not in str(entry.detail)

    @override_settings(AXES_FAILURE_LIMIT=3)
    def test_guessing_the_old_password_is_throttled_as_at_the_door(self) -> None:
        self.sign_in(self.bob)
        new = "staple battery horse"
        sent = {"old_password": "guess", "new_password1": new, "new_password2": new}
        for _ in range(3):
            last = self.client.post(reverse("ircase:profile_password"), sent)
        assert last.status_code == 429
        right = self.client.post(reverse("ircase:profile_password"), sent | {"old_password": PASSWORD})
        assert right.status_code == 429, "the right one waits too"
        self.bob.refresh_from_db()
        assert self.bob.check_password(PASSWORD)
        assert LogEntry.objects.filter(action="sign_in.failed").exists()
        assert not AccessAttempt.objects.filter(post_data__contains=new).exists(), "nor is the new one kept"

    def test_a_token_is_shown_once_and_revoked(self) -> None:
        self.sign_in(self.bob)
        page = self.client.post(reverse("ircase:profile_token"), {"name": "nightly", "days": "30", "scopes": ["read"]})
        token = ApiToken.objects.get(user=self.bob)
        text = page.content.decode().split('<pre id="new-token"')[1].split("<code>")[1].split("</code>")[0]
        assert people.find_token(text) == token
        assert page.headers["Cache-Control"] == "no-store"
        later = self.client.get(reverse("ircase:profile")).content.decode()
        assert text not in later
        assert "nightly" in later
        self.client.post(reverse("ircase:profile_token_revoke", args=[token.pk]))
        assert people.find_token(text) is None

    def test_nobody_revokes_anothers_token(self) -> None:
        token, _ = people.create_token(user=self.alice, name="hers")
        self.sign_in(self.bob)
        assert self.client.post(reverse("ircase:profile_token_revoke", args=[token.pk])).status_code == 404


class TokenTests(CastTestCase):
    def test_only_the_digest_is_kept(self) -> None:
        token, text = people.create_token(user=self.bob, name="script")
        assert text.startswith("irc_")
        assert token.digest == people.digest_of(text)
        assert text not in str(ApiToken.objects.filter(pk=token.pk).values())
        assert text not in str(LogEntry.objects.filter(action="token.created").values())

    def test_ended_tokens_and_people_are_refused(self) -> None:
        token, text = people.create_token(user=self.bob, name="x", expires_at=timezone.now() + timedelta(days=1))
        assert people.find_token(text) == token
        ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert people.find_token(text) is None
        _, other = people.create_token(user=self.bob, name="y")
        self.bob.is_active = False
        self.bob.save()
        assert people.find_token(other) is None
        assert people.find_token("irc_guess") is None
        with pytest.raises(ValidationError, match="not active"):
            people.create_token(user=self.bob, name="z")

    def test_use_is_noted_once_a_minute(self) -> None:
        _, text = people.create_token(user=self.bob, name="x")
        people.find_token(text)  # the first of the day stands in the log too
        ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
        with self.assertNumQueries(2):
            people.find_token(text)
        with self.assertNumQueries(1):
            people.find_token(text)

    def test_there_is_an_end_to_their_number_and_to_yesterday(self) -> None:
        with pytest.raises(ValidationError, match="later day"):
            people.create_token(user=self.bob, name="x", expires_at=timezone.now())
        for number in range(people.MOST_TOKENS):
            people.create_token(user=self.bob, name=str(number))
        with pytest.raises(ValidationError, match="enough"):
            people.create_token(user=self.bob, name="one more")
