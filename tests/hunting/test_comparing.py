"""Two runs side by side, charts of `render`, and the hunts that take a value."""

from urllib.parse import quote

from django.urls import reverse

from hunting import rendering
from hunting.models import HuntRun
from ircase.models import Case
from tests.cast import CastTestCase
from tests.hunting.stage import done_run

ROWS = [
    {"Timestamp": f"2026-11-20T17:0{number}:00Z", "DeviceName": f"ws{number}", "FileName": "a.exe", "ProcessId": number}
    for number in range(4)
]


class CompareTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)

    def run_of(
        self, rows: list[dict[str, object]], kql: str = "DeviceProcessEvents", case: Case | None = None
    ) -> HuntRun:
        return done_run(case or self.case, self.alice if case else self.bob, rows, kql)

    def url(self, run: HuntRun) -> str:
        return reverse("hunting:compare", args=[run.case.reference, run.uuid])

    def test_new_gone_and_changed_rows_by_a_key(self) -> None:
        was = self.run_of(ROWS)
        now = self.run_of([{**ROWS[0], "ProcessId": 99}, ROWS[1], ROWS[2], {**ROWS[3], "DeviceName": "ws9"}])
        for start in (was, now):  # whichever run it is asked of, the earlier one is before
            reply = self.client.get(self.url(start), {"key": "DeviceName"})
            found = reply.context["found"]
            assert (found.new, found.gone, found.changed, found.same) == (1, 1, 1, 2)
        changed = [one for one in reply.context["changes"] if one["kind"] == "changed"]
        assert changed[0]["cells"] == (("ProcessId", "0", "99"),)
        reply = self.client.get(self.url(now), {"key": "DeviceName", "kind": "gone"})
        assert [one["key"] for one in reply.context["changes"]] == [("ws3",)]
        assert reply.context["page"].paginator.count == 1

    def test_changes_as_a_file_that_a_spreadsheet_may_open(self) -> None:
        self.run_of(ROWS)
        now = self.run_of([{**ROWS[0], "ProcessId": 99}, *ROWS[1:], {**ROWS[3], "DeviceName": "=cmd"}])
        reply = self.client.get(self.url(now), {"key": "DeviceName", "format": "csv"})
        lines = b"".join(reply.streaming_content).decode("utf-8-sig").split("\r\n")
        assert lines[0] == "Change,DeviceName,Row before,Row after,Columns,Before,After"
        assert lines[1:3] == ["new,'=cmd,,5,,,", "changed,ws0,1,1,ProcessId,0,99"]
        assert now.evidence is not None and now.evidence.custody.filter(action="exported").exists()

    def test_times_are_compared_where_asked(self) -> None:
        self.run_of(ROWS)
        now = self.run_of([{**row, "Timestamp": "2026-11-20T18:00:00Z"} for row in ROWS])
        assert self.client.get(self.url(now)).context["found"].same == 4
        assert self.client.get(self.url(now), {"times": "1"}).context["found"].changed == 4

    def test_only_runs_of_the_same_hunt_and_case(self) -> None:
        run, other = self.run_of(ROWS), self.run_of(ROWS, "DeviceEvents")
        self.assertContains(self.client.get(self.url(run)), "There is no other run of this hunt")
        self.secret_case.connection = self.connection
        self.secret_case.save(update_fields=["connection"])
        foreign = self.run_of(ROWS, case=self.secret_case)
        for wrong in (other.uuid, foreign.uuid, run.uuid, "nonsense"):
            self.run_of(ROWS)
            assert self.client.get(self.url(run), {"with": str(wrong)}).status_code == 404
        assert self.client.get(self.url(foreign)).status_code == 404
        assert self.client.get(self.url(run), {"kind": "odd"}).status_code == 422


class ChartTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)

    def page(self, kql: str) -> str:
        run = done_run(self.case, self.bob, ROWS, kql)
        return self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid])).content.decode()

    def test_every_kind_is_drawn_with_its_figures_in_words(self) -> None:
        for kind in sorted(rendering._KINDS):
            page = self.page(
                f"T | render {kind} with (xcolumn=Timestamp, ycolumns=ProcessId, series=DeviceName, title='<b>T')"
            )
            assert f'aria-label="&lt;b&gt;T, {kind}"' in page, kind
            assert "ws3" in page
            assert "Figures as a table" in page

    def test_what_cannot_be_drawn_is_said(self) -> None:
        assert "does not have" in self.page("T | render timechart with (ycolumns=Nope)")
        assert "There is no drawing of a treemap here" in self.page("T | render treemap")
        assert "chart-title" not in self.page("T | render table")
        assert "chart-title" not in self.page("T | where Text == 'render timechart'")

    def test_points_stay_points(self) -> None:
        """Two rows of one moment are two points: nothing is added up that the query did not add up."""
        rows = [{**ROWS[0], "ProcessId": 3}, {**ROWS[0], "ProcessId": 4}]
        run = done_run(self.case, self.bob, rows, "T | render timechart with (ycolumns=ProcessId)")
        chart = rendering.chart_of(run)
        assert chart is not None
        assert chart.plot is not None
        assert [row[2] for row in chart.plot.drawing.rows] == ["3", "4"]


class ForValueTests(CastTestCase):
    def test_hunts_that_take_the_value_have_it_filled_in(self) -> None:
        self.sign_in(self.bob)
        address = reverse("hunting:for_value", args=[self.case.reference])
        reply = self.client.get(address, {"kind": "sha256", "value": "ab" * 32})
        assert [one["hunt"].id for one in reply.context["found"]] == ["file-activity"]
        self.assertContains(self.client.get(reply.context["found"][0]["url"]), "ab" * 32)
        reply = self.client.get(address, {"kind": "device", "value": "ws-07.contoso.com"})
        assert len(reply.context["found"]) == 13
        assert self.client.get(address, {"kind": "device", "value": 'ws"; drop'}).context["found"] == []
        techniques = self.client.get(address, {"kind": "technique", "value": "T1547.001"}).context["found"]
        assert "registry-run-keys" in {one["hunt"].id for one in techniques}
        assert self.client.get(f"{address}?kind=odd&value={quote('x')}").status_code == 422
