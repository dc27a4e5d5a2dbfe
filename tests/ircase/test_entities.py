"""Assets and indicators: adding, recognising, judging."""

import pytest
from django.test import SimpleTestCase
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from ircase.models import Asset, Indicator
from ircase.recognition import recognise
from ircase.services.analysis import findings
from tests.cast import CastTestCase
from tests.ircase.queries import at_most

KINDS = [
    ("a" * 64, "sha256"),
    ("A" * 40, "sha1"),
    ("0123456789abcdef0123456789abcdef", "md5"),
    ("203.0.113.7", "ip"),
    ("203[.]0[.]113[.]7", "ip"),
    ("2001:db8::1", "ip"),
    ("hxxps://evil[.]example/a?b=1", "url"),
    ("http://evil.example", "url"),
    ("evil[.]example.com", "domain"),
    ("evil.example.com", "domain"),
    ("xn--bcher-kva.example", "domain"),
    ("ann@evil.example", "email"),
    ("ann[@]evil[.]example", "email"),
    (r"C:\Users\Public\a.exe", "file_path"),
    (r"%TEMP%\a.exe", "file_path"),
    (r"\\srv\share\a.dll", "file_path"),
    ("/tmp/x", "file_path"),
    (r"HKLM\Software\Microsoft\Windows\CurrentVersion\Run", "registry"),
    (r"HKEY_CURRENT_USER\Software\x", "registry"),
    ("loader.exe", "file_name"),
    ("invoice 2026.pdf", "file_name"),
    ("something else", "other"),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_what_it_is_is_recognised(text: str, kind: str) -> None:
    assert recognise(text) == kind


class RecogniseTests(SimpleTestCase):
    @given(st.text(max_size=300))
    def test_any_text_has_a_kind(self, text: str) -> None:
        assert recognise(text) in Indicator.Kind.values


class EntitiesTests(CastTestCase):
    def url(self, name: str = "entities", *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *more])

    def test_who_may(self) -> None:
        asset, _ = findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws-07")
        found, _ = findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value="203.0.113.7")
        for user, reads, writes in ((self.mallory, 404, 404), (self.carol, 200, 403)):
            self.sign_in(user)
            for url in (self.url(), self.url("asset", asset.uuid), self.url("indicator", found.uuid)):
                assert self.client.get(url).status_code == reads
            for name, more in (
                ("asset_new", ()), ("indicators_new", ()), ("asset", (asset.uuid,)), ("indicator", (found.uuid,)),
            ):  # fmt: skip
                assert self.client.post(self.url(name, *more), {}).status_code == writes
        self.sign_in(self.alice)
        elsewhere = reverse("ircase:asset", args=[self.secret_case.reference, asset.uuid])
        assert self.client.get(elsewhere).status_code == 404

    def test_an_asset_is_added_once(self) -> None:
        self.sign_in(self.bob)
        values = {"kind": "device", "name": "WS-07", "compromise": "suspected"}
        for _ in range(2):
            assert self.client.post(self.url("asset_new"), values).status_code == 302
        assert Asset.objects.get(case=self.case).name == "ws-07"
        assert self.client.post(self.url("asset_new"), values | {"kind": "planet"}).status_code == 422

    def test_indicators_are_pasted_defanged_and_mixed(self) -> None:
        self.sign_in(self.bob)
        pasted = f"hxxp://evil[.]example/x\n\n203[.]0[.]113[.]7\n{'B' * 64}\n203.0.113.7\n"
        reply = self.client.post(self.url("indicators_new"), {"values": pasted, "verdict": "malicious", "tlp": "red"})
        assert reply.status_code == 302
        assert set(Indicator.objects.filter(case=self.case).values_list("kind", "value", "verdict")) == {
            ("url", "http://evil.example/x", "malicious"),
            ("ip", "203.0.113.7", "malicious"),
            ("sha256", "b" * 64, "malicious"),
        }

    def test_what_cannot_be_kept_comes_back_and_the_rest_is_kept(self) -> None:
        self.sign_in(self.bob)
        values = {"values": f"{'c' * 64}\nnot-a-hash", "kind": "sha256", "verdict": "unknown", "tlp": "amber"}
        reply = self.client.post(self.url("indicators_new"), values)
        self.assertContains(reply, "A SHA-256 is 64 hexadecimal digits", status_code=422)
        self.assertContains(reply, "not-a-hash</textarea>", status_code=422)
        assert Indicator.objects.get(case=self.case).value == "c" * 64

    def test_too_many_or_too_long(self) -> None:
        self.sign_in(self.bob)
        common = {"verdict": "unknown", "tlp": "amber"}
        many = "\n".join(f"10.0.{n // 250}.{n % 250}" for n in range(501))
        self.assertContains(
            self.client.post(self.url("indicators_new"), common | {"values": many}), "too many", status_code=422
        )
        long = "http://e.example/" + "x" * 2100
        self.assertContains(
            self.client.post(self.url("indicators_new"), common | {"values": long}), "2,048", status_code=422
        )
        assert not Indicator.objects.filter(case=self.case).exists()

    def test_judging(self) -> None:
        asset, _ = findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws-07")
        found, _ = findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value="203.0.113.7")
        self.sign_in(self.bob)
        self.client.post(self.url("asset", asset.uuid), {"compromise": "confirmed", "description": "Loader ran"})
        self.client.post(self.url("indicator", found.uuid), {"verdict": "malicious", "description": "C2"})
        asset.refresh_from_db()
        found.refresh_from_db()
        assert (asset.compromise, asset.description) == ("confirmed", "Loader ran")
        assert (found.verdict, found.description) == ("malicious", "C2")
        assert self.client.post(self.url("asset", asset.uuid), {"compromise": "eaten"}).status_code == 422

    def test_many_entities_cost_no_more_queries(self) -> None:
        for number in range(20):
            findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value=f"10.0.0.{number}")
            findings.add_asset(case=self.case, actor=self.bob, kind="device", name=f"ws-{number}")
        self.sign_in(self.bob)
        with at_most(19):
            self.client.get(self.url())
