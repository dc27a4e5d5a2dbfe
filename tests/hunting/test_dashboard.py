"""Hunts on the dashboard: runs, hits, rows and hours by hand-computed figures, for each reader their own."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from hunting.models import HuntRun
from ircase import dashboard
from ircase.dashboard import Filters, Scope
from ircase.metrics import Period
from ircase.models import Activity, Case, User
from ircase.services.managing import targets
from tests.cast import CastTestCase
from tests.hunting.stage import done_run
from tests.ircase.test_dashboard import panel, row, tile

HUNT = "registry-run-keys"
FOUND = [{"DeviceName": "ws-07", "Timestamp": "2026-11-20T17:00:00Z"}] * 3


class HuntPanelTests(CastTestCase):
    def a_run(self, rows: int, *, case: Case | None = None, days: int = 1, **fields: object) -> HuntRun:
        case = case or self.case
        actor = self.bob if case == self.case else self.alice
        run = done_run(case, actor, FOUND, "DeviceRegistryEvents")
        queued = timezone.now() - timedelta(days=days)
        HuntRun.objects.filter(pk=run.pk).update(**{"hunt_id": HUNT, "queued_at": queued, "row_count": rows, **fields})
        return run

    def setUp(self) -> None:
        self.secret_case.connection = self.connection
        self.secret_case.save(update_fields=["connection"])
        self.a_run(2, pack="device-triage")
        self.a_run(0, pack="device-triage")
        self.a_run(3, hunt_id="")
        failed = self.a_run(0)
        HuntRun.objects.filter(pk=failed.pk).update(state="failed", row_count=None)
        self.a_run(1, days=100)
        self.a_run(3, case=self.secret_case)

    def test_totals_of_what_the_reader_may_see(self) -> None:
        for user, figures in ((self.bob, (4, 67, 5)), (self.carol, (4, 67, 5)), (self.alice, (5, 75, 8))):
            found = panel(user, "hunts")
            assert tuple(tile(found, name) for name in ("Runs", "Hit rate", "Rows")) == figures, user
        assert tile(panel(self.mallory, "hunts"), "Runs") == 0

    def test_by_pack_technique_and_hunt(self) -> None:
        found = panel(self.bob, "hunts")
        names = ("Runs", "Done", "Failed", "Rows")
        assert [row(found, "by-pack", "Device triage")[n].value for n in names] == [2, 2, 0, 2]
        assert row(found, "by-pack", "Device triage")["With hits"].text == "1 of 2 (50 %)"
        assert [row(found, "by-pack", "Outside packs")[n].value for n in names] == [2, 1, 1, 3]
        assert [row(found, "by-hunt", "Own KQL")[n].value for n in names] == [1, 1, 0, 3]
        table = found.table("by-technique")
        assert table is not None
        technique = next(cells for cells in table.rows if cells[0].text.startswith("T1547.001"))
        assert [cell.value for cell in technique[1:4]] == [3, 2, 1]

    def test_compared_with_the_period_before(self) -> None:
        found = row(panel(self.bob, "hunts", compare="before"), "by-pack", "Outside packs")
        assert [found[n].value for n in ("Runs", "Runs before", "Difference")] == [2, 1, 1]

    def test_a_run_of_two_periods_that_overlap_counts_in_each(self) -> None:
        self.a_run(2, days=380, pack="long-ago")
        today = timezone.localdate()
        filters = Filters(Period(today - timedelta(days=399), today), "year")
        source = dashboard.source_of("hunts")
        assert source is not None
        found = row(source.panel(Scope(self.bob, filters, timezone.now())), "by-pack", "long-ago")
        self.sign_in(self.bob)
        for name, many in (("Runs", 1), ("Runs before", 1)):
            behind = self.client.get(found[name].url).context["page"].paginator.count
            assert (found[name].value, behind) == (many, many), name

    def test_hours_saved_only_by_a_stated_assumption(self) -> None:
        assert tile(panel(self.bob, "hunts"), "Hours saved") is None
        targets.assume(actor=self.ada, minutes=40, reason="Timed in May")
        found = next(one for one in panel(self.bob, "hunts").tiles if one.label == "Hours saved")
        assert (found.value, found.number) == ("2", 2.0)
        assert found.note == "Assumed: 40 minutes a finished run (Timed in May)"

    def test_the_runs_behind(self) -> None:
        Activity.objects.filter(pk__in=HuntRun.objects.filter(row_count=2).values("activity")).update(
            verdict="confirmed"
        )
        address = reverse("ircase:dashboard_behind", args=["hunts"])

        def behind(user: User, query: str) -> int:
            self.sign_in(user)
            return int(self.client.get(f"{address}?{query}").context["page"].paginator.count)

        assert behind(self.bob, "part=hits") == 2
        assert behind(self.alice, "part=hits") == 3
        assert behind(self.bob, "pack=device-triage&part=confirmed") == 1
        assert behind(self.bob, "technique=T1547.001") == 3
        assert behind(self.bob, "hunt=-") == 1
        assert behind(self.mallory, "part=all") == 0
