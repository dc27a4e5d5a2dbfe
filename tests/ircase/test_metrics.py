"""Metrics by hand-computed figures."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from ircase import metrics
from ircase.models import Case, Milestone, PhaseEntry
from ircase.services import cases
from tests.cast import CastTestCase, make_case

T0 = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # the night Europe moves its clocks: UTC does not care


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class TestMeasure:
    def test_median_of_odd_and_even_numbers_and_the_missing_are_never_nothing(self) -> None:
        references = {1: "A", 2: "B", 3: "C", 4: "D"}
        moments = {
            1: {"occurred": T0, "detected": T0 + hours(1)},
            2: {"occurred": T0, "detected": T0 + hours(4)},
            3: {"detected": T0},
        }
        found = metrics.measure("MTTD", references, moments)
        assert (found.median, found.mean, found.n, found.missing) == (hours(2.5), hours(2.5), 2, 2)
        moments[4] = {"occurred": T0, "detected": T0 + hours(10)}
        found = metrics.measure("MTTD", references, moments)
        assert (found.median, found.mean, found.n, found.missing) == (hours(4), hours(5), 3, 1)
        assert [reference for reference, _ in found.cases] == ["D", "B", "A"]

    def test_milestones_in_the_wrong_order_are_said_not_counted(self) -> None:
        found = metrics.measure("MTTC", {1: "A"}, {1: {"detected": T0, "contained": T0 - hours(1)}})
        assert (found.median, found.n, found.missing, found.inconsistent) == (None, 0, 0, 1)


class TestPhaseTimes:
    def test_stays_of_one_case_add_up_and_open_ones_count_until_now(self) -> None:
        now = T0 + hours(20)
        stays = [
            (1, "detection", T0, T0 + hours(2), None),
            (1, "containment", T0 + hours(2), T0 + hours(5), None),
            (1, "detection", T0 + hours(5), T0 + hours(6), None),
            (1, "containment", T0 + hours(6), None, None),
            (2, "detection", T0, None, T0 + hours(9)),
        ]
        found = {row.phase: row for row in metrics.time_per_phase(stays, now)}
        assert found["detection"].median == hours(6)  # 3 h and 9 h
        assert (found["detection"].n, found["detection"].unfinished) == (2, 0)
        assert found["containment"].median == hours(17)  # 3 + 14
        assert found["containment"].unfinished == 1
        assert found["post_incident"].median is None


class BoardTests(CastTestCase):
    def test_only_what_the_reader_may_see_is_counted(self) -> None:
        make_case(self.alice, exercise=True)
        seen = {
            u.username: metrics.board(Case.objects.visible_to(u)).total for u in (self.alice, self.carol, self.mallory)
        }
        assert seen == {"alice": 2, "carol": 1, "mallory": 0}

    def test_a_period_takes_cases_by_their_detection(self) -> None:
        Milestone.objects.filter(case=self.case, kind="detected").update(at=T0)
        found = metrics.detected_between(Case.objects.visible_to(self.alice), T0, T0 + hours(1))
        assert [c.pk for c in found] == [self.case.pk]
        assert not metrics.detected_between(Case.objects.visible_to(self.alice), T0 - hours(1), T0).exists()

    def test_mean_times_from_real_rows(self) -> None:
        cases.set_milestone(case=self.case, actor=self.alice, kind="contained", at=timezone.now())
        by_name = {m.name: m for m in metrics.mean_times(Case.objects.visible_to(self.carol))}
        assert by_name["MTTC"].n == 1
        assert by_name["MTTD"].missing == 1
        assert by_name["MTTC"].median is not None
        assert abs(by_name["MTTC"].median - hours(2)) < timedelta(minutes=1)

    def test_reopening_and_moving_back_keep_the_stays(self) -> None:
        cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason="x")
        cases.move_phase(case=self.case, actor=self.alice, phase="detection", reason="y")
        assert PhaseEntry.objects.filter(case=self.case, phase="detection").count() == 2
        found = {r.phase: r for r in metrics.phase_times(Case.objects.visible_to(self.carol), timezone.now())}
        assert (found["detection"].n, found["detection"].unfinished) == (1, 1)

    def test_workload_counts_leads_and_owners(self) -> None:
        assert [(u.username, led) for u, led, _ in metrics.workload(Case.objects.visible_to(self.alice))] == [
            ("alice", 2)
        ]
