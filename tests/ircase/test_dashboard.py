"""The dashboard: every number is the length of the list it leads to, and nobody counts what they may not see."""

import csv
import io
import re
from datetime import date, timedelta
from html import unescape

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone

from ircase import dashboard
from ircase.forms.dashboard import PeriodForm
from ircase.metrics import Period
from ircase.models import Case, CaseMember, CaseRole, ChecklistItem, User
from ircase.services import cases
from tests.cast import CastTestCase, make_case, make_user

PAGE = "ircase:dashboard"


class DashboardTests(CastTestCase):
    def period(self) -> Period:
        today = timezone.localdate()
        return Period(today - timedelta(days=89), today)

    def board(self, user: User) -> dashboard.Dashboard:
        return dashboard.of(user, self.period(), timezone.now())

    def length(self, address: str) -> int:
        return int(self.client.get(address).context["page"].paginator.count)

    def test_each_number_is_the_length_of_its_list(self) -> None:
        make_case(self.bob, title="Small", severity="low", detected=timezone.now() - timedelta(days=3))
        make_case(self.bob, title="Drill", exercise=True, detected=timezone.now())
        closed = make_case(self.alice, title="Old", severity="critical", detected=timezone.now() - timedelta(days=5))
        Case.objects.filter(pk=closed.pk).update(closed_at=timezone.now())
        ChecklistItem.objects.create(
            case=self.case, key="late", phase="detection", title="Late", due_at=timezone.now() - timedelta(days=1)
        )
        self.sign_in(self.alice)
        board = self.board(self.alice)
        counts = [board.open, board.overdue, board.detected, *(count for _, count in board.severe)]
        counts += [cell for row in board.board for cell in (*row.cells, row.total)]
        assert (board.open.value, board.overdue.value, board.detected.value) == (3, 1, 4)
        for count in counts:
            assert self.length(count.url) == count.value, count

    def test_nobody_counts_what_they_may_not_see(self) -> None:
        seen = {
            user: self.board(user).open.value for user in (self.alice, self.bob, self.carol, self.mallory, self.ada)
        }
        assert seen == {self.alice: 2, self.bob: 1, self.carol: 1, self.mallory: 0, self.ada: 0}
        CaseMember.objects.create(case=self.secret_case, user=self.mallory, role=CaseRole.VIEWER)
        assert self.board(self.mallory).open.value == 1
        self.sign_in(self.bob)
        self.assertNotContains(self.client.get(reverse(PAGE)), self.secret_case.reference)

    def test_times_are_medians_with_their_number(self) -> None:
        detected = timezone.now() - timedelta(hours=10)
        for hours in (2, 4, 9):
            case = make_case(self.bob, title=f"{hours}", detected=detected)
            cases.set_milestone(case=case, actor=self.bob, kind="contained", at=detected + timedelta(hours=hours))
        figure = next(f for f in self.board(self.bob).figures if f.measure.name == "MTTC")
        assert figure.value == "4 h"
        assert figure.note == "n = 3, mean 5 h, 1 without the milestones"
        assert [took for _, took in figure.slowest] == ["9 h", "4 h", "2 h"]

    def test_the_page_for_everybody_and_every_period(self) -> None:
        for user in (self.alice, self.carol, self.mallory):
            self.sign_in(user)
            for query in (
                "",
                "?first=2020-01-01&last=2020-02-01",
                "?first=nonsense&last=0001-01-01",
                "?last=9999-12-31",
            ):
                assert self.client.get(reverse(PAGE) + query).status_code == 200, query
        self.assertContains(self.client.get(reverse(PAGE)), "No open case that you may see")
        self.client.logout()
        assert self.client.get(reverse(PAGE)).status_code == 302

    def test_marks_of_charts_lead_somewhere_and_no_style_is_inline(self) -> None:
        self.sign_in(self.alice)
        html = self.client.get(reverse(PAGE)).content.decode()
        links = re.findall(r'<svg[^>]*role="group".*?<a href="([^"]+)"', html, re.S)
        assert links
        assert self.client.get(unescape(links[0])).status_code == 200
        assert "style=" not in html

    def test_csv_is_safe_for_spreadsheets_and_holds_what_is_seen(self) -> None:
        make_case(self.bob, title='=HYPERLINK("http://x")', detected=timezone.now())
        self.sign_in(self.carol)
        response = self.client.get(reverse("ircase:dashboard_export"))
        assert isinstance(response, StreamingHttpResponse)
        rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))  # type: ignore[arg-type]
        assert [row["title"] for row in rows] == [self.case.title, '\'=HYPERLINK("http://x")']
        assert response["Content-Disposition"].startswith("attachment")
        assert rows[0]["MTTC"] == ""
        assert rows[0]["MTTA"].isdigit()

    def test_a_guest_without_cases_gets_an_empty_file(self) -> None:
        self.sign_in(make_user("nobody", User.SiteRole.GUEST))
        content = b"".join(self.client.get(reverse("ircase:dashboard_export")))  # type: ignore[arg-type]
        assert len(content.splitlines()) == 1

    def test_queries_do_not_grow_with_cases(self) -> None:
        self.sign_in(self.carol)
        self.client.get(reverse(PAGE))
        with self.assertNumQueries(QUERIES):
            self.client.get(reverse(PAGE))
        for number in range(5):
            make_case(self.bob, title=f"Case {number}", detected=timezone.now())
        with self.assertNumQueries(QUERIES):
            self.client.get(reverse(PAGE))


QUERIES = 12


class TestPeriod:
    def test_what_makes_no_sense_falls_back(self) -> None:
        today = date(2026, 3, 31)
        assert PeriodForm({}).period(today) == Period(date(2026, 1, 1), today)
        assert PeriodForm({"first": "x"}).period(today) == Period(date(2026, 1, 1), today)
        swapped = PeriodForm({"first": "2026-03-30", "last": "2026-03-01"}).period(today)
        assert swapped == Period(date(2026, 3, 1), date(2026, 3, 1))

    def test_months_are_cut_to_the_period(self) -> None:
        found = Period(date(2025, 12, 15), date(2026, 2, 10)).months()
        assert [(m.first.isoformat(), m.last.isoformat()) for m in found] == [
            ("2025-12-15", "2025-12-31"),
            ("2026-01-01", "2026-01-31"),
            ("2026-02-01", "2026-02-10"),
        ]
