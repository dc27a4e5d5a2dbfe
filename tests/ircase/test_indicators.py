"""Indicators: pasted text, verdicts with reasons, what is harmless, other cases, the case's tables, Defender's CSV."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ircase import tasks
from ircase.indicators import elsewhere, harmless, pasting
from ircase.models import Indicator, IndicatorLook, LogEntry, Sighting
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.identity import people
from tests.cast import CastTestCase, make_case, make_evidence
from tests.ircase.queries import at_most
from tests.world import ROW, make_table

TEXT = "hxxps://evil[.]example/a and 203[.]0[.]113[.]7, our 192.0.2.10, 10.1.2.3, evil[.]example"


@pytest.mark.parametrize(
    ("kind", "value", "spelled"),
    [
        ("asn", "as 64500", "AS64500"),
        ("certificate", "AA:BB:" + "CC" * 18, "aabb" + "cc" * 18),
        ("account", "ANN@Example.com", "ann@example.com"),
        ("mutex", r"Global\X", r"Global\X"),
        ("domain", "Evil[dot]Example", "evil.example"),
        ("url", "hxxp[:]//a[.]example", "http://a.example"),
    ],
)
def test_one_spelling_per_kind(kind: str, value: str, spelled: str) -> None:
    assert findings.normalise(kind, value) == spelled


@pytest.mark.parametrize(("kind", "value"), [("asn", "AS4294967296"), ("asn", "x"), ("certificate", "abc")])
def test_what_is_none_of_its_kind_is_refused(kind: str, value: str) -> None:
    with pytest.raises(ValidationError):
        findings.normalise(kind, value)


@given(st.sets(st.integers(0, 60)))
def test_places_travel_in_few_letters(places: set[int]) -> None:
    assert pasting.from_ranges(pasting.as_ranges(places), 61) == places


@given(st.text(alphabet="0123456789-, x²", max_size=60))
def test_hostile_places_are_places_of_the_list(text: str) -> None:
    assert pasting.from_ranges(text, 40) <= set(range(40))


class IndicatorTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)

    def url(self, name: str = "entities", *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *more])

    def add(self, value: str = "203.0.113.7", kind: str = "ip", **more: str) -> Indicator:
        return findings.add_indicator(case=self.case, actor=self.bob, kind=kind, value=value, **more)[0]

    def test_a_text_is_shown_before_anything_is_kept_with_doubles_and_harmless_marked(self) -> None:
        self.add()
        harmless.add(actor=self.bob, match="cidr", value="192.0.2.0/24", reason="Our own net")
        page = self.client.post(self.url("indicators_paste"), {"text": TEXT})
        found = {one["value"]: one for one in page.context["found"]}
        assert list(found) == ["https://evil.example/a", "203.0.113.7", "192.0.2.10", "10.1.2.3", "evil.example"]
        assert [one["chosen"] for one in found.values()] == [True, False, False, False, True]
        assert found["203.0.113.7"]["double"] and not found["203.0.113.7"]["private"] and found["10.1.2.3"]["private"]
        assert found["192.0.2.10"]["harmless"] == "Our own net"
        assert self.case.indicators.count() == 1, "nothing is kept by looking"
        values = self.carried(page) | {"choose": "1", "one": ["0", "2", "99", "x"], "verdict": "suspicious",
                                       "tlp": "red", "pap": "green", "tags": "wave-1"}  # fmt: skip
        assert self.client.post(self.url("indicators_paste"), values).status_code == 302
        made = self.case.indicators.get(value="https://evil.example/a")
        assert (made.verdict, made.tlp, made.pap, made.verdict_by) == ("suspicious", "red", "green", self.bob)
        assert [tag.name for tag in made.tags.all()] == ["wave-1"]
        assert self.case.indicators.filter(value="192.0.2.10").exists(), "a harmless one is marked, not refused"
        self.assertContains(self.client.get(self.url()), "known harmless")
        assert {one.value for one in self.case.indicators.all()} == {
            "203.0.113.7", "https://evil.example/a", "192.0.2.10",
        }  # fmt: skip

    def carried(self, page: Any) -> dict[str, str]:
        """What the form of the choice carries besides its checkboxes, as a browser sends it: newlines as CR LF."""
        hidden = re.findall(
            r'<input type="hidden" name="(text|mark|picked|page)" value="([^"]*)"', page.content.decode()
        )
        assert len(hidden) == 4
        return {name: html.unescape(value).replace("\n", "\r\n") for name, value in hidden}

    def test_5000_of_one_text_are_chosen_page_by_page_and_added_at_once(self) -> None:
        values = [f"{number:064x}" for number in range(1, 5_001)]
        page = self.client.post(self.url("indicators_paste"), {"text": "\n".join(values)})
        assert (page.context["total"], len(page.context["found"])) == (5_000, 500)
        given = {"verdict": "malicious", "tlp": "green", "pap": "green", "tags": "feed", "description": "A feed"}
        ones = [str(one["place"]) for one in page.context["found"]]
        # The first row is unchosen, the last page looked at, and what was unchosen stays so.
        page = self.client.post(
            self.url("indicators_paste"), self.carried(page) | given | {"one": ones[1:], "turn": 10}
        )
        assert page.status_code == 200 and page.context["page"].number == 10
        assert page.context["elsewhere"] == 4_499 and page.context["picked"] == "1-4999"
        self.assertContains(page, 'value="feed"')
        ones = [str(one["place"]) for one in page.context["found"]]
        assert ones[0] == "4500" and all(one["chosen"] for one in page.context["found"])
        body = self.carried(page) | given | {"one": ones[:-1], "choose": "1"}
        with at_most(400):  # SQLite takes rows by the 50
            assert self.client.post(self.url("indicators_paste"), body).status_code == 302
        kept = Indicator.objects.filter(case=self.case)
        assert set(kept.values_list("value", flat=True)) == set(values[1:-1])
        assert kept.filter(tags__name="feed", verdict_by=self.bob, description="A feed").count() == 4_998
        counts = [entry.detail["count"] for entry in LogEntry.objects.filter(action="indicator.added_many")]
        assert sum(counts) == 4_998 and max(counts) <= 500
        found = self.client.get(reverse("ircase:search") + f"?q={values[2_500]}")
        self.assertContains(found, values[2_500][:20])
        again = self.client.post(self.url("indicators_paste"), body, follow=True)
        self.assertContains(again, "0 indicators added. 4998 were there already.")

    def test_a_text_that_was_changed_under_the_choice_is_shown_again(self) -> None:
        page = self.client.post(self.url("indicators_paste"), {"text": TEXT})
        body = self.carried(page) | {"text": "198.51.100.9", "choose": "1", "one": "0"}
        body |= {"verdict": "unknown", "tlp": "amber", "pap": "amber"}
        assert self.client.post(self.url("indicators_paste"), body).status_code == 200
        assert not self.case.indicators.exists()

    def test_the_api_adds_5000_at_once_and_names_what_it_cannot_keep(self) -> None:
        ones = [{"kind": "sha256", "value": f"{number:064X}"} for number in range(4_998)]
        ones += [{"kind": "sha1", "value": "none"}, {"kind": "ip", "value": "203[.]0[.]113[.]7"}]
        self.add()
        body = {"indicators": ones, "verdict": "suspicious", "tlp": "red", "tags": ["feed"]}
        path = f"/api/v1/cases/{self.case.reference}/indicators/chosen"
        _, token = people.create_token(user=self.bob, name="t", scopes=["read", "write"])
        bearer: dict[str, Any] = {"content_type": "application/json", "headers": {"Authorization": f"Bearer {token}"}}
        reply = self.client.post(path, body, **bearer)
        assert reply.status_code == 200, reply.content
        said = reply.json()
        assert (said["added"], said["known"], len(said["refused"])) == (4_998, 1, 1) and "“none”" in said["refused"][0]
        assert self.case.indicators.filter(tlp="red", tags__name="feed").count() == 4_998
        ones.append(ones[0])
        assert self.client.post(path, body, **bearer).status_code == 422

    def test_a_verdict_has_who_and_why(self) -> None:
        found = self.add()
        values = {"verdict": "malicious", "verdict_reason": "Beacons every minute", "tlp": "green", "pap": "red",
                  "first_seen": "2026-02-01T10:00:00", "last_seen": "2026-02-02T10:00:00", "tags": "c2"}  # fmt: skip
        assert self.client.post(self.url("indicator", found.uuid), values).status_code == 302
        found.refresh_from_db()
        assert (found.verdict, found.verdict_reason, found.verdict_by) == (
            "malicious",
            "Beacons every minute",
            self.bob,
        )
        assert (found.tlp, found.pap, found.first_seen) == ("green", "red", datetime(2026, 2, 1, 10, tzinfo=UTC))
        assert LogEntry.objects.get(action="indicator.judged").detail["reason"] == "Beacons every minute"
        page = self.client.get(self.url("indicator", found.uuid))
        self.assertContains(page, "Beacons every minute")
        self.assertContains(page, "PAP:RED")
        wrong = self.client.post(self.url("indicator", found.uuid), values | {"last_seen": "2026-01-01T10:00:00"})
        self.assertContains(wrong, "before it was first seen", status_code=422)

    def test_other_cases_are_counted_only_where_the_reader_may_see_them(self) -> None:
        found = self.add()
        other = make_case(self.alice, title="Another one", analysts=(self.bob,))
        for case in (other, self.secret_case):
            findings.add_indicator(case=case, actor=self.alice, kind="ip", value="203.0.113.7")
        (row,) = elsewhere.counted(Indicator.objects.filter(pk=found.pk), self.case, self.bob)
        assert (row.other_cases, row.in_tables) == (1, 0)
        (row,) = elsewhere.counted(Indicator.objects.filter(pk=found.pk), self.case, self.alice)
        assert row.other_cases == 2
        page = self.client.get(self.url("indicator", found.uuid))
        self.assertContains(page, other.reference)
        self.assertNotContains(page, self.secret_case.reference)
        self.assertNotContains(page, "Quiet one")
        self.assertContains(self.client.get(self.url()), "1 other case<")

    def test_a_worker_looks_through_the_tables(self) -> None:
        seen = self.add("WS-07", kind="file_name")
        self.add("198.51.100.200")
        make_table(make_evidence(self.case, self.alice), [ROW, ROW])
        values = {"act": "look", "indicator": [str(one.uuid) for one in self.case.indicators.all()]}
        self.client.post(self.url("indicators_change"), values)
        look = IndicatorLook.objects.get()
        self.assertContains(self.client.get(self.url("indicators_look")), "every 2s")
        tasks.look_for_indicators(look.pk)
        look.refresh_from_db()
        assert (look.state, look.found, look.problems) == ("done", 1, [])
        sighting = Sighting.objects.get(indicator=seen)
        assert sighting.rows == 2
        self.assertContains(self.client.get(self.url("indicator", seen.uuid)), f"{sighting.column}: 2 rows")
        self.assertContains(self.client.get(self.url("indicators_look")), "1 of 2")
        again = elsewhere.ask(case=self.case, actor=self.bob, uuids=[seen.uuid])
        with self.assertRaisesMessage(ValidationError, "at it already"):
            elsewhere.ask(case=self.case, actor=self.bob, uuids=[seen.uuid])
        tasks.look_for_indicators(again.pk)
        assert Sighting.objects.filter(indicator=seen).count() == 1

    def test_who_left_the_case_has_nothing_looked_for(self) -> None:
        self.add()
        look = elsewhere.ask(case=self.case, actor=self.bob)
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        type(self.case).objects.filter(pk=self.case.pk).update(confidential=True)
        tasks.look_for_indicators(look.pk)
        look.refresh_from_db()
        assert look.state == "failed" and "may no longer" in look.reason

    def test_many_are_changed_at_once(self) -> None:
        rows = [self.add(f"203.0.113.{n}") for n in range(3)]
        values = {"indicator": [str(one.uuid) for one in rows], "verdict": "malicious", "reason": "One campaign",
                  "tlp": "red", "pap": "red", "add_tags": "wave-1"}  # fmt: skip
        self.client.post(self.url("indicators_change"), values)
        for one in Indicator.objects.filter(case=self.case):
            assert (one.verdict, one.verdict_reason, one.tlp, one.pap) == ("malicious", "One campaign", "red", "red")
            assert [tag.name for tag in one.tags.all()] == ["wave-1"]
        assert LogEntry.objects.filter(action="indicator.changed_many").count() == 1
        page = self.client.get(self.url() + "?verdict=malicious&itag=wave-1&iq=113.2")
        assert [one.value for one in page.context["indicators"]] == ["203.0.113.2"]

    def test_the_way_to_defender_is_the_one_for_other_systems(self) -> None:
        self.add("203.0.113.7", verdict="malicious")
        way = reverse("ircase:shares", args=[self.case.reference]) + "?format=defender-audit"
        self.assertContains(self.client.get(self.url()), f'href="{way}#share-new"')
        self.assertContains(self.client.get(way), '<option value="defender-audit" selected>')


class HarmlessTests(CastTestCase):
    def test_values_networks_and_domains(self) -> None:
        for match, value in (
            ("value", "Tool.exe"), ("cidr", "198.51.100.7/25"), ("cidr", "2001:db8::/32"), ("suffix", "*.Example.com"),
        ):  # fmt: skip
            harmless.add(actor=self.bob, match=match, value=value, reason=f"r {value}")
        known = harmless.known()
        for kind, value, is_known in (
            ("file_name", "tool.EXE", True), ("ip", "198.51.100.100", True), ("ip", "198.51.100.200", False),
            ("ip", "2001:db8::1", True), ("domain", "a.b.example.com", True), ("domain", "example.com", True),
            ("domain", "badexample.com", False), ("email", "x@mail.example.com", True),
            ("url", "https://www.example.com:8443/x", True), ("url", "https://198.51.100.5/x", True),
            ("url", "https://evil.net/?example.com", False), ("url", "http://[", False),
        ):  # fmt: skip
            assert bool(known.of(kind, value)) == is_known, value

    def test_entries_end_and_are_kept(self) -> None:
        entry, new = harmless.add(actor=self.bob, match="suffix", value="example.com", reason="Ours")
        assert new and not harmless.add(actor=self.bob, match="suffix", value="example.com", reason="Again")[1]
        type(entry).objects.filter(pk=entry.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
        assert harmless.known().of("domain", "example.com") is None
        again, new = harmless.add(actor=self.bob, match="suffix", value="example.com", reason="Ours again")
        assert new and again.pk != entry.pk
        self.sign_in(self.bob)
        self.client.post(reverse("ircase:harmless_withdraw", args=[again.uuid]))
        assert harmless.known().of("domain", "example.com") is None
        assert type(entry).objects.count() == 2
        assert LogEntry.objects.filter(chain="site", action="harmless.withdrawn").count() == 2

    def test_what_cannot_be_an_entry_is_said_by_field(self) -> None:
        self.sign_in(self.bob)
        for match, value, says in (
            ("cidr", "10.0.0.0/4", "too wide"), ("cidr", "x", "Write the network"),
            ("suffix", "com", "Write the domain"),
        ):  # fmt: skip
            values = {"match": match, "value": value, "reason": "x"}
            self.assertContains(self.client.post(reverse("ircase:harmless"), values), says, status_code=422)
        self.sign_in(self.mallory)
        values = {"match": "value", "value": "x", "reason": "x"}
        assert self.client.post(reverse("ircase:harmless"), values).status_code == 403
        assert self.client.get(reverse("ircase:harmless")).status_code == 200
