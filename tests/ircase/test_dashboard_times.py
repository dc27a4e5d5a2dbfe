"""Times on the dashboard by hand-computed figures."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from ircase import dashboard
from ircase.dashboard import Filters, Scope
from ircase.dashboard.shape import difference, span
from ircase.dashboard.summary import summary
from ircase.metrics import Period
from ircase.models import Case, Milestone, PhaseEntry, Target, User
from ircase.services.managing import targets
from tests.cast import CastTestCase, make_case
from tests.ircase.test_dashboard import row

T0 = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
NOW = datetime(2026, 4, 30, 12, 0, tzinfo=UTC)
PERIOD = Period(datetime(2026, 3, 1).date(), datetime(2026, 3, 31).date())
HOUR = 3600


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class TestSummary:
    def test_median_mean_and_p90_of_one_to_ten(self) -> None:
        found = summary([float(n) for n in range(1, 11)])
        assert (found.n, found.median, found.mean) == (10, 5.5, 5.5)
        # Rank 0.9 * 9 = 8.1: a tenth of the way from the ninth to the tenth value.
        assert found.p90 == pytest.approx(9.1)

    def test_one_and_none(self) -> None:
        assert summary([7.0]).p90 == 7.0
        assert summary([]).median is None

    def test_words(self) -> None:
        assert [span(s) for s in (None, 0, 240, 7500, 97200, 172800)] == [
            "–",
            "0 min",
            "4 min",
            "2 h 5 min",
            "1 d 3 h",
            "2 d",
        ]
        assert difference(HOUR, 3 * HOUR, spans=True).text == "-2 h"
        assert difference(3 * HOUR, HOUR, spans=True).text == "+2 h"
        assert difference(3, None).text == "–"
        assert difference(3, 5).text == "-2"


class DashboardCases(CastTestCase):
    def setUp(self) -> None:
        Case.objects.update(exercise=True)  # the cast's own are of today, and of no concern here

    def made(self, title: str, detected: datetime | None = T0, *, lead: User | None = None, **moments: float) -> Case:
        """Milestones in hours after `detected`."""
        case = make_case(lead or self.bob, title=title, severity="high")
        Milestone.objects.filter(case=case).delete()
        Case.objects.filter(pk=case.pk).update(opened_at=T0)
        known = {"detected": 0.0, **moments} if detected else moments
        for kind, after in known.items():
            at = (detected or T0) + hours(after)
            Milestone.objects.create(case=case, kind=kind, at=at, set_by=self.bob)
        return case

    def scope(self, user: User | None = None, compare: str = "", **more: str) -> Scope:
        return Scope(user or self.bob, Filters(PERIOD, compare, **more), NOW)


class TimesTests(DashboardCases):
    def measures(self, name: str, **more: str) -> dict[str, object]:
        source = dashboard.source_of("times")
        assert source is not None
        found = row(source.panel(self.scope(**more)), "measures", name)
        return {label: cell.value for label, cell in found.items()}

    def test_counted_missing_and_in_the_wrong_order(self) -> None:
        for after in (2, 4, 9):
            self.made(f"{after}", contained=after)
        self.made("Missing")
        self.made("Wrong", contained=-1)
        found = self.measures("MTTC: Time to contain")
        # p90 of 2, 4, 9 hours: rank 1.8, so 4 + 0.8 * 5 = 8 hours.
        assert [found[n] for n in ("Median", "Mean", "90th percentile")] == [4 * HOUR, 5 * HOUR, 8 * HOUR]
        assert [found[n] for n in ("n", "Missing", "Wrong order")] == [3, 1, 1]

    def test_dwell_time_is_detected_less_occurred(self) -> None:
        self.made("Slept", occurred=-48)
        assert self.measures("MTTD: Time to detect (dwell time)")["Median"] == 48 * HOUR

    def test_a_case_that_nobody_detected_counts_by_its_opening_and_is_missing(self) -> None:
        self.made("Undated", None, contained=3)
        found = self.measures("MTTC: Time to contain")
        assert [found[n] for n in ("n", "Missing")] == [0, 1]

    def test_cases_of_other_months_and_exercises_are_left_out(self) -> None:
        self.made("Later", T0 + timedelta(days=40), contained=1)
        Case.objects.filter(pk=self.made("Drill", contained=1).pk).update(exercise=True)
        assert self.measures("MTTC: Time to contain")["n"] == 0

    def test_compared_with_the_period_before(self) -> None:
        self.made("Now", contained=6)
        for after in (1, 3):
            self.made("Then", T0 - timedelta(days=20), contained=after)
        found = self.measures("MTTC: Time to contain", compare="before")
        assert [found[n] for n in ("Median", "n", "Median before", "n before", "Difference")] == [
            6 * HOUR, 1, 2 * HOUR, 2, 4 * HOUR,
        ]  # fmt: skip

    def test_a_confidential_case_is_in_no_difference(self) -> None:
        hidden = self.made("Hidden", T0 - timedelta(days=20), lead=self.alice, contained=1)
        Case.objects.filter(pk=hidden.pk).update(confidential=True)
        self.made("Now", contained=6)
        own, other = (self.scope(user, "before") for user in (self.alice, self.carol))
        source = dashboard.source_of("times")
        assert source is not None
        seen = [row(source.panel(s), "measures", "MTTC: Time to contain") for s in (own, other)]
        assert [found["n before"].value for found in seen] == [1, 0]
        assert [found["Difference"].value for found in seen] == [5 * HOUR, None]

    def test_targets_by_severity(self) -> None:
        for after in (2, 4, 9):
            self.made(f"{after}", contained=after)
        low = self.made("Low", contained=30)
        Case.objects.filter(pk=low.pk).update(severity="low")
        targets.save(actor=self.ada, hours={("MTTC", "high"): 4.0, ("MTTC", ""): 48.0})
        source = dashboard.source_of("times")
        assert source is not None
        found = row(source.panel(self.scope()), "measures", "MTTC: Time to contain")
        assert found["Within target"].text == "3 of 4 (75 %)"
        self.sign_in(self.bob)
        reply = self.client.get(found["Within target"].url)
        assert [cells[1].text for cells in reply.context["rows"]] == ["9"]
        assert "Outside the target" in reply.content.decode()

    def test_months(self) -> None:
        source = dashboard.source_of("times")
        assert source is not None
        for day, after in ((0, 1), (25, 5), (26, 7)):
            self.made("x", T0 + timedelta(days=day), contained=after)
        wide = Filters(Period(PERIOD.first, datetime(2026, 4, 30).date()))
        table = source.panel(Scope(self.bob, wide, NOW)).table("months")
        assert table is not None
        heads = [column.label for column in table.columns]
        place = heads.index("MTTC")
        assert [(r[0].text, r[place].value, r[place + 1].value) for r in table.rows] == [
            ("2026-03", HOUR, 1),
            ("2026-04", 6 * HOUR, 2),
        ]

    def test_the_cases_behind_and_why_one_is_missing(self) -> None:
        self.made("Fast", contained=2)
        self.made("Slow", contained=4)
        self.made("Gap")
        self.made("Wrong", contained=-1)
        self.sign_in(self.bob)
        words = "first=2026-03-01&last=2026-03-31&of=MTTC"
        address = reverse("ircase:dashboard_behind", args=["times"])

        def rows(part: str) -> list[tuple[str, str, str, str, str]]:
            found = self.client.get(f"{address}?{words}&part={part}").context["rows"]
            return [tuple(cell.text for cell in (r[1], r[3], r[4], r[5], r[7])) for r in found]

        assert rows("counted") == [
            ("Slow", "2026-03-10 08:00", "2026-03-10 12:00", "4 h", ""),
            ("Fast", "2026-03-10 08:00", "2026-03-10 10:00", "2 h", ""),
        ]
        assert rows("missing") == [("Gap", "2026-03-10 08:00", "–", "–", "Contained is not set")]
        assert rows("inconsistent")[0][4] == "Contained lies before Detected"


class PhaseTests(DashboardCases):
    def stay(self, case: Case, phase: str, begin: float, end: float | None) -> None:
        left = None if end is None else T0 + hours(end)
        PhaseEntry.objects.create(case=case, phase=phase, entered_at=T0 + hours(begin), left_at=left, moved_by=self.bob)

    def staying(self, title: str, *stays: tuple[str, float, float | None]) -> Case:
        case = self.made(title)
        PhaseEntry.objects.filter(case=case).delete()
        for stay in stays:
            self.stay(case, *stay)
        return case

    def phases(self, **more: str) -> dict[str, object]:
        source = dashboard.source_of("phases")
        assert source is not None
        found = row(source.panel(self.scope(**more)), "phases", "Detection and Analysis")
        return {label: cell.value for label, cell in found.items()}

    def test_stays_add_up_and_what_goes_on_counts_up_to_now(self) -> None:
        self.staying("Twice", ("detection", 0, 3), ("containment", 3, 5), ("detection", 5, 10))
        self.staying("Once", ("detection", 0, 2))
        self.staying("Goes on", ("detection", 0, None))
        found = self.phases()
        since = (NOW - T0).total_seconds()
        assert [found[n] for n in ("Median", "n", "Still in it")] == [8 * HOUR, 3, 1]
        # 2, 8 and `since`: rank 1.8.
        assert found["90th percentile"] == round(8 * HOUR + 0.8 * (since - 8 * HOUR))

    def test_closing_ends_a_stay_and_the_time_until_reopening_is_in_none(self) -> None:
        case = self.staying("Reopened", ("detection", 0, 4), ("detection", 100, None))
        Case.objects.filter(pk=case.pk).update(closed_at=T0 + hours(101))
        found = self.phases()
        assert [found[n] for n in ("Median", "n", "Still in it")] == [5 * HOUR, 1, 0]

    def test_against_the_target(self) -> None:
        self.staying("Short", ("detection", 0, 1))
        self.staying("Long", ("detection", 0, 5))
        targets.save(actor=self.ada, hours={("detection", ""): 2.0})
        assert self.phases()["Within target"] == 50.0
        self.sign_in(self.bob)
        address = reverse("ircase:dashboard_behind", args=["phases"])
        reply = self.client.get(f"{address}?first=2026-03-01&last=2026-03-31&of=detection&part=outside")
        assert [cells[1].text for cells in reply.context["rows"]] == ["Long"]
        assert "2026-03-10 08:00 to 2026-03-10 13:00" in reply.content.decode()


class RulesTests(CastTestCase):
    def test_administrators_set_targets_and_they_are_logged(self) -> None:
        self.sign_in(self.ada)
        page = reverse("ircase:dashboard_rules")
        self.client.post(page, {"hours-MTTC-critical": "4", "hours-detection-every": "48.5"})
        assert targets.current() == {("MTTC", "critical"): 4.0, ("detection", ""): 48.5}
        self.client.post(page, {"hours-MTTC-critical": "", "hours-detection-every": "48.5"})
        assert targets.current() == {("detection", ""): 48.5}
        assert self.client.post(page, {"hours-MTTC-critical": "-1"}).status_code == 422
        assert self.client.post(page, {"hours-MTTC-critical": "nan"}).status_code == 422
        self.assertContains(self.client.get(reverse("ircase:site_log")), "MTTC critical: none")

    def test_the_assumption_needs_a_reason_and_stands_beside_the_figure(self) -> None:
        self.sign_in(self.ada)
        page = reverse("ircase:dashboard_rules")
        assert self.client.post(page, {"act": "assumption", "minutes": "20"}).status_code == 422
        self.client.post(page, {"act": "assumption", "minutes": "20", "reason": "Timed in May"})
        self.sign_in(self.carol)
        self.assertContains(
            self.client.get(reverse("ircase:dashboard") + "?show=hunts"), "20 minutes a finished run (Timed in May)"
        )
        self.sign_in(self.ada)
        self.client.post(page, {"act": "assumption", "minutes": ""})
        assert targets.assumption() is None

    def test_nobody_else(self) -> None:
        for user in (self.alice, self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                targets.save(actor=user, hours={("MTTC", ""): 1.0})
            with pytest.raises(PermissionDenied):
                targets.assume(actor=user, minutes=5, reason="So")
        assert not Target.objects.exists()
