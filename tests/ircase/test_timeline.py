"""The timeline: filters, adding, editing and taking off, with the source row and the way back to it."""

import uuid
from datetime import UTC, datetime

from django.urls import reverse

from ircase.models import Event, LogEntry
from ircase.services.analysis import findings
from tests.cast import CastTestCase
from tests.ircase.queries import at_most

RUN = "11111111-2222-4333-8444-555555555555"


class TimelineTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        device, _ = findings.add_asset(case=cls.case, actor=cls.bob, kind="device", name="ws-07")
        cls.run_event = findings.add_event(
            case=cls.case, actor=cls.bob, at=datetime(2026, 2, 1, 23, 30, tzinfo=UTC), title="Run key set",
            technique="T1547.001", source="DeviceRegistryEvents", row={"RegistryValueName": "OneDriveSync", "n": 7},
            provenance={"run": RUN, "row": 17}, assets=[device],
        )  # fmt: skip
        cls.call = findings.add_event(
            case=cls.case, actor=cls.bob, at=datetime(2026, 2, 2, 8, 0, tzinfo=UTC), title="Called the user",
            lane="defender",
        )  # fmt: skip

    def url(self, name: str = "timeline", *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *more])

    def test_who_may(self) -> None:
        values = {"at": "2026-02-01T10:00:00", "title": "x", "lane": "other"}
        for user, reads, writes in ((self.mallory, 404, 404), (self.carol, 200, 403)):
            self.sign_in(user)
            assert self.client.get(self.url()).status_code == reads
            assert self.client.get(self.url("event", self.call.uuid)).status_code == reads
            for name, more in (("event_new", ()), ("event", (self.call.uuid,)), ("event_remove", (self.call.uuid,))):
                assert self.client.post(self.url(name, *more), values).status_code == writes
        self.sign_in(self.bob)
        assert self.client.get(self.url("event", uuid.uuid4())).status_code == 404

    def test_an_event_is_not_reached_below_another_case(self) -> None:
        self.sign_in(self.alice)
        wrong = reverse("ircase:event", args=[self.secret_case.reference, self.call.uuid])
        assert self.client.get(wrong).status_code == 404

    def test_filters(self) -> None:
        self.sign_in(self.carol)
        for query, run_key, call in (
            ("", True, True), ("?lane=defender", False, True), ("?technique=T1547", True, False),
            ("?technique=T1547.001", True, False), ("?q=ws-07", True, False), ("?q=user+called", False, True),
            ("?q=%00", False, False),
        ):  # fmt: skip
            page = self.client.get(self.url() + query).content.decode()
            assert ("Run key set" in page, "Called the user" in page) == (run_key, call), query

    def test_days_and_hours_are_the_persons(self) -> None:
        self.carol.time_zone = "Europe/Copenhagen"
        self.carol.save()
        self.sign_in(self.carol)
        page = self.client.get(self.url()).content.decode()
        assert page.count("Monday, 2 February 2026") == 1
        assert "00:30:00" in page
        assert "Europe/Copenhagen" in page

    def test_the_row_and_the_run_are_a_click_away(self) -> None:
        self.sign_in(self.carol)
        page = self.client.get(self.url("event", self.run_event.uuid)).content.decode()
        assert reverse("hunting:run", args=[self.case.reference, RUN]) in page
        assert "hunt, row 17" in page
        assert "RegistryValueName" in page
        assert "OneDriveSync" in page
        assert "Registry Run Keys / Startup Folder" in page
        assert "Persistence" in page

    def test_add_with_a_technique_by_name(self) -> None:
        self.sign_in(self.bob)
        values = {"at": "2026-02-01T10:00:05", "title": "Dump", "lane": "attacker", "technique": "LSASS Memory"}
        assert self.client.post(self.url("event_new"), values).status_code == 302
        made = Event.objects.get(case=self.case, title="Dump")
        assert (made.technique, made.at, made.in_report) == (
            "T1003.001",
            datetime(2026, 2, 1, 10, 0, 5, tzinfo=UTC),
            True,
        )
        bad = self.client.post(self.url("event_new"), values | {"technique": "T9999"})
        self.assertContains(bad, "no such technique", status_code=422)

    def test_an_edit_keeps_row_and_provenance(self) -> None:
        self.sign_in(self.bob)
        page = self.client.get(self.url("event", self.run_event.uuid)).content.decode()
        assert 'value="2026-02-01T23:30:00"' in page
        values = {
            "at": "2026-02-01T23:30:00", "title": "Run key OneDriveSync", "lane": "attacker", "in_report": "on",
            "precision": "exact", "zone": "", "techniques": "T1547.001",
            "assets": [str(one.uuid) for one in self.run_event.assets.all()],
        }  # fmt: skip
        reply = self.client.post(self.url("event", self.run_event.uuid), values)
        assert reply.status_code == 302
        self.run_event.refresh_from_db()
        assert self.run_event.title == "Run key OneDriveSync"
        assert self.run_event.provenance == {"run": RUN, "row": 17}
        assert LogEntry.objects.get(case=self.case, action="event.edited").detail["fields"] == ["title"]

    def test_taking_off_is_a_leads_needs_a_reason_and_the_log_keeps_it(self) -> None:
        self.sign_in(self.bob)
        assert self.client.post(self.url("event_remove", self.call.uuid), {"reason": "No"}).status_code == 403
        self.sign_in(self.alice)
        self.client.post(self.url("event_remove", self.call.uuid), {"reason": " "})
        assert Event.objects.filter(pk=self.call.pk).exists()
        self.client.post(self.url("event_remove", self.call.uuid), {"reason": "Entered twice"})
        assert not Event.objects.filter(pk=self.call.pk).exists()
        assert LogEntry.objects.get(case=self.case, action="event.removed").detail["title"] == "Called the user"

    def test_many_events_cost_no_more_queries(self) -> None:
        for number in range(30):
            findings.add_event(case=self.case, actor=self.bob, at=self.call.at, title=f"E{number}", technique="T1059")
        self.sign_in(self.bob)
        with at_most(17):
            self.client.get(self.url())
