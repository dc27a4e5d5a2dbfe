"""The log in words, with filters and pages."""

from django.urls import reverse

from ircase.models import LogEntry
from ircase.sentences import sentence_of
from ircase.services import cases, log
from ircase.services.analysis import findings
from tests.cast import CastTestCase


class LogTests(CastTestCase):
    def url(self) -> str:
        return reverse("ircase:log", args=[self.case.reference])

    def test_who_may(self) -> None:
        for user, status in ((self.mallory, 404), (self.carol, 200), (self.bob, 200)):
            self.sign_in(user)
            assert self.client.get(self.url()).status_code == status

    def test_known_codes_are_sentences_and_unknown_ones_are_shown(self) -> None:
        cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason="Two hosts beacon")
        log.record("weather.changed", case=self.case, to="rain")
        self.sign_in(self.carol)
        page = self.client.get(self.url()).content.decode()
        assert "moved the case from Detection and Analysis to Containment, Eradication and Recovery" in page
        assert "Two hosts beacon" in page
        assert "weather.changed" in page
        assert "IRCase" in page

    def test_filters(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws-07")
        self.sign_in(self.carol)
        page = self.client.get(self.url() + "?area=asset").content.decode()
        assert "added the device" in page
        assert "opened the case" not in page
        assert "added the device" not in self.client.get(self.url() + "?actor=Alice").content.decode()
        assert "No entry fits" in self.client.get(self.url() + "?area=report").content.decode()

    def test_pages(self) -> None:
        for number in range(130):
            log.record("test.tick", case=self.case, actor=self.bob, number=number)
        self.sign_in(self.carol)
        first = self.client.get(self.url()).content.decode()
        second = self.client.get(self.url() + "?page=2").content.decode()
        assert "opened the case" in second
        assert "opened the case" not in first

    def test_every_code_of_the_case_has_words(self) -> None:
        for entry in LogEntry.objects.filter(case=self.case):
            assert sentence_of(entry).text != entry.action

    def test_a_strange_detail_stops_nothing(self) -> None:
        for action in ("case.edited", "event.edited", "checklist.planned", "incident.imported", "hunt.judged"):
            for detail in ({}, {"changes": 3, "fields": 7, "due": 5, "title": ["x"]}, {"fields": None}):
                entry = log.record(action, case=self.case, **detail)
                assert sentence_of(entry).text
