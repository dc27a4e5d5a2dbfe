"""Many rows into the case at once: looked at before, taken whole or not at all, and each leads back to its row."""

from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from ircase import grid
from ircase.models import Asset, CaseTable, Event, Indicator, JobState, RowTake
from ircase.services import cases
from ircase.services.analysis import mapping, stars
from ircase.services.analysis.mapping import Plan
from ircase.tasks import take_rows
from tests.cast import CastTestCase
from tests.hunting.stage import make_table, quiet_heart

HASH = "a" * 64
ROWS = [
    {"Timestamp": "2026-11-20T17:00:01Z", "DeviceName": "WS-01", "RemoteIP": "203.0.113.1", "SHA256": HASH},
    {"Timestamp": "2026-11-20T17:00:02Z", "DeviceName": "ws-01", "RemoteIP": "203.0.113.2", "SHA256": "zz"},
    {"Timestamp": None, "DeviceName": "ws-02", "RemoteIP": "", "SHA256": HASH.upper()},
]
PLAN = Plan(
    columns={"DeviceName": "asset:device", "RemoteIP": "indicator:", "SHA256": "indicator:sha256"},
    time="Timestamp",
    title="{DeviceName} talked to {RemoteIP}",
    technique="T1071",
)


def figures(counts: list[mapping.Count]) -> dict[str, tuple[int, int, int]]:
    return {one.label: (one.new, one.known, one.wrong) for one in counts}


class MappingTests(CastTestCase):
    table: CaseTable

    def setUp(self) -> None:
        self.table = make_table(self.case, self.bob, "DeviceNetworkEvents", ROWS)
        self.table.case = self.table.evidence.case = self.case
        self.sign_in(self.bob)

    def test_the_preview_is_what_taking_does(self) -> None:
        expected = {
            "Asset: Device": (2, 0, 0),
            "Indicator: IP address": (2, 0, 0),
            "Indicator: SHA-256": (1, 0, 1),
            "Events": (2, 0, 1),
        }
        assert figures(mapping.preview(self.table, [1, 2, 3], PLAN)) == expected
        assert not Indicator.objects.exists() and not Event.objects.exists()
        assert figures(mapping.take(table=self.table, actor=self.bob, numbers=[1, 2, 3], plan=PLAN)) == expected
        assert set(Asset.objects.values_list("name", flat=True)) == {"ws-01", "ws-02"}
        event = Event.objects.get(title="WS-01 talked to 203.0.113.1")
        assert event.row["RemoteIP"] == "203.0.113.1" and event.technique == "T1071"
        assert event.provenance["evidence"] == str(self.table.evidence.uuid) and event.provenance["row"] == 1
        assert Indicator.objects.get(value="203.0.113.2").provenance["row"] == 2
        again = figures(mapping.take(table=self.table, actor=self.bob, numbers=[1, 2, 3], plan=PLAN))
        assert again == {name: (0, new, wrong) for name, (new, _, wrong) in expected.items()}
        assert figures(mapping.preview(self.table, [1, 2, 3], PLAN)) == again

    def test_an_event_of_a_starred_row_keeps_its_star(self) -> None:
        (star,) = stars.star_rows(table=self.table, actor=self.bob, numbers=[2])
        mapping.take(table=self.table, actor=self.bob, numbers=[1, 2], plan=PLAN)
        assert Event.objects.get(provenance__star=str(star.uuid)).provenance["row"] == 2

    def test_what_the_table_lacks_is_refused(self) -> None:
        for wrong in (
            Plan(columns={"Nope": "asset:device"}),
            Plan(columns={"DeviceName": "asset:planet"}),
            Plan(),
            Plan(time="DeviceName", title="x"),
            Plan(time="Timestamp"),
            Plan(time="Timestamp", title="{Nope}"),
        ):
            with pytest.raises(ValidationError):
                mapping.preview(self.table, [1], wrong)

    def test_filtered_rows_up_to_the_cap(self) -> None:
        found = mapping.numbers_of(self.table, [grid.Filter("DeviceName", "ws-01")])
        assert found == [1, 2]
        with mock.patch.object(mapping, "MOST_ROWS", 1), pytest.raises(ValidationError, match="More than 1 rows"):
            mapping.numbers_of(self.table, [])

    def test_many_rows_are_taken_by_a_worker_once(self) -> None:
        job = mapping.request(table=self.table, actor=self.bob, numbers=[1, 2, 3], plan=PLAN)
        with quiet_heart():
            take_rows(job.pk)
            take_rows(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.DONE and Event.objects.count() == 2
        job.activity.refresh_from_db()
        assert "Events: 2 new" in job.activity.outcome
        page = self.client.get(reverse("ircase:row_take", args=[self.case.reference, job.uuid]))
        self.assertContains(page, "Indicator: SHA-256")

    def test_a_worker_that_dies_has_done_nothing(self) -> None:
        job = mapping.request(table=self.table, actor=self.bob, numbers=[1, 2], plan=PLAN)
        dies = mock.patch("ircase.services.analysis.mapping.findings.add_event", side_effect=SystemExit)
        with dies, quiet_heart(), pytest.raises(SystemExit):
            take_rows(job.pk)
        assert not Indicator.objects.exists() and RowTake.objects.get().state == JobState.RUNNING

    def test_the_right_is_checked_in_the_worker(self) -> None:
        job = mapping.request(table=self.table, actor=self.bob, numbers=[1], plan=PLAN)
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        with quiet_heart():
            take_rows(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.FAILED and "may no longer" in job.reason
        assert not Event.objects.exists()

    def test_from_the_grid(self) -> None:
        url = reverse("ircase:table_map", args=[self.case.reference, self.table.uuid])
        page = self.client.post(url, {"rows": ["1", "2"]})
        form = page.context["form"]
        chosen = {field.label: field.initial for field in form.column_fields()}
        assert chosen["DeviceName"] == "asset:device" and chosen["RemoteIP"] == "indicator:ip"
        names = {field.label: field.html_name for field in form.column_fields()}
        data = {"rows": ["1", "2"], names["DeviceName"]: "asset:device", "time": "Timestamp", "title": "{DeviceName}"}
        preview = self.client.post(url, {**data, "step": "preview"})
        assert figures(preview.context["counts"]) == {"Asset: Device": (1, 0, 0), "Events": (2, 0, 0)}
        assert self.client.post(url, {**data, "step": "preview", "title": ""}).status_code == 422
        assert self.client.post(url, {**data, "step": "add"}).status_code == 302
        assert Event.objects.count() == 2
        filtered = self.client.get(url, {"c": "DeviceName", "o": "equals", "v": "ws-02"})
        assert filtered.context["numbers"] == [3]
        with mock.patch.object(mapping, "AT_ONCE", 1):
            reply = self.client.post(url, {**data, "step": "add"})
        assert reply["Location"] == reverse("ircase:row_take", args=[self.case.reference, RowTake.objects.get().uuid])
