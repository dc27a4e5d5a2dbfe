"""Metrics by hand-computed figures."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from ircase import metrics
from ircase.models import Case, PhaseEntry
from ircase.services import cases
from tests.cast import CastTestCase

T0 = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # the night Europe moves its clocks: UTC does not care


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


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


class StayTests(CastTestCase):
    def test_reopening_and_moving_back_keep_the_stays(self) -> None:
        cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason="x")
        cases.move_phase(case=self.case, actor=self.alice, phase="detection", reason="y")
        assert PhaseEntry.objects.filter(case=self.case, phase="detection").count() == 2
        found = {r.phase: r for r in metrics.phase_times(Case.objects.visible_to(self.carol), timezone.now())}
        assert (found["detection"].n, found["detection"].unfinished) == (1, 1)
