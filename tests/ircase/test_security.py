"""What protects every page: headers, cookies, CSRF, throttled sign-in, no content that runs."""

import re

from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from ircase.services import cases
from tests.cast import PASSWORD, CastTestCase, make_evidence

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7|add:7 }}"


class HeaderTests(CastTestCase):
    def test_every_kind_of_page_is_under_a_policy_without_inline_script(self) -> None:
        self.sign_in(self.alice)
        for path in (reverse("ircase:evidence", args=[self.case.reference]), "/approvals/", "/nowhere/", "/healthz"):
            headers = self.client.get(path).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert headers["X-Frame-Options"] == "DENY", path
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "same-origin", path

    def test_pages_hold_no_inline_script_style_or_handler(self) -> None:
        item = make_evidence(self.case, self.alice, name=HOSTILE)
        self.sign_in(self.alice)
        pages = [reverse("ircase:evidence", args=[self.case.reference]),
                 reverse("ircase:evidence_item", args=[self.case.reference, item.uuid]), "/approvals/"]  # fmt: skip
        self.assert_clean(pages)
        self.sign_in(self.ada)
        names = ("administration", "connections", "connection_new", "people", "person_new", "site_log")
        self.assert_clean([reverse(f"ircase:{name}") for name in names])

    def assert_clean(self, pages: list[str]) -> None:
        for page in pages:
            text = self.client.get(page).content.decode()
            assert not re.search(r"<script(?![^>]*\ssrc=)", text), page
            assert not re.search(r"<[^>]+\s(style|on[a-z]+|hx-on[^=]*)=", text), page
            assert "<style" not in text, page

    def test_text_from_outside_is_text(self) -> None:
        item = make_evidence(self.case, self.alice, name=HOSTILE, description=HOSTILE)
        cases.edit_case(case=self.case, actor=self.alice, title=HOSTILE)
        self.sign_in(self.alice)
        for path in ("evidence", "evidence_item"):
            more = [item.uuid] if path == "evidence_item" else []
            text = self.client.get(reverse(f"ircase:{path}", args=[self.case.reference, *more])).content.decode()
            assert "<script>alert" not in text and "<img src=x" not in text
            assert "&lt;script&gt;alert(1)" in text
            assert "{{ 7|add:7 }}" in text


class SessionTests(CastTestCase):
    def test_the_session_cookie_is_for_the_server_alone(self) -> None:
        self.client.post(reverse("ircase:sign_in"), {"username": "alice", "password": PASSWORD})
        cookie = self.client.cookies[settings.SESSION_COOKIE_NAME]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"

    def test_a_write_without_the_token_is_refused(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.ada)
        for name, args in (("person_new", []), ("person_password", [self.bob.pk]), ("connection_new", [])):
            assert client.post(reverse(f"ircase:{name}", args=args), {}).status_code == 403

    def test_sign_in_is_throttled_per_account_and_address_and_a_reset_lifts_it(self) -> None:
        call_command("axes_reset", verbosity=0)
        address = reverse("ircase:sign_in")
        for _ in range(settings.AXES_FAILURE_LIMIT):
            reply = self.client.post(address, {"username": "bob", "password": "wrong"})
        assert reply.status_code == 429
        assert self.client.post(address, {"username": "bob", "password": PASSWORD}).status_code == 429
        elsewhere = self.client.post(address, {"username": "bob", "password": PASSWORD}, REMOTE_ADDR="192.0.2.9")
        assert elsewhere.status_code == 302
        assert self.client.post(address, {"username": "alice", "password": PASSWORD}).status_code == 302
        call_command("axes_reset", verbosity=0)

    def test_the_same_words_for_a_wrong_password_and_an_unknown_name(self) -> None:
        call_command("axes_reset", verbosity=0)
        pages = []
        for name in ("alice", "nobody-of-that-name"):
            reply = self.client.post(reverse("ircase:sign_in"), {"username": name, "password": "wrong"})
            text = reply.content.decode().replace(name, "NAME")
            pages.append((reply.status_code, re.sub(r'(csrfmiddlewaretoken" value|X-CSRFToken": )[^>]+', "", text)))
        assert pages[0] == pages[1]
        call_command("axes_reset", verbosity=0)
