"""The dashboard: every number is as many as the rows behind it, and nobody counts what they may not see."""

import re
from datetime import date, datetime, timedelta
from html import unescape
from unittest import mock

from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from ircase import dashboard
from ircase.dashboard import Behind, Filters, Panel, Scope
from ircase.dashboard.registry import _sources
from ircase.dashboard.scope import compared
from ircase.dashboard.shape import Cell
from ircase.forms.dashboard import DashboardForm
from ircase.metrics import Period
from ircase.models import (
    Asset,
    Case,
    CaseMember,
    CaseRole,
    CaseTeam,
    ChecklistItem,
    Event,
    EventTechnique,
    Improvement,
    Indicator,
    Team,
    TeamMember,
    User,
)
from ircase.services import savedviews
from tests.cast import CastTestCase, make_case, make_user
from tests.ircase.queries import at_most

PAGE = "ircase:dashboard"
COUNTS = ("n", "Missing", "Wrong order", "Cases", "All", "Open cases", "Open items", "Overdue items", "Still in it")
SECTIONS = [code for code, _ in dashboard.sections()]


def scope_of(user: User, compare: str = "", **more: str) -> Scope:
    today = timezone.localdate()
    return Scope(user, Filters(Period(today - timedelta(days=89), today), compare, **more), timezone.now())


def panel(user: User, key: str, **more: str) -> Panel:
    source = dashboard.source_of(key)
    assert source is not None
    return source.panel(scope_of(user, **more))


def row(found: Panel, table: str, name: str) -> dict[str, Cell]:
    """A row by its first cell, its cells by the column's label."""
    made = found.table(table)
    assert made is not None
    cells = next(cells for cells in made.rows if cells[0].text == name)
    return {column.label: cell for column, cell in zip(made.columns, cells, strict=True)}


def tile(found: Panel, label: str) -> float | None:
    return next(tile.number for tile in found.tiles if tile.label == label)


class AccessTests(CastTestCase):
    def test_nobody_counts_what_they_may_not_see(self) -> None:
        people = (self.alice, self.bob, self.carol, self.mallory, self.ada)
        seen = {user.username: tile(panel(user, "standing"), "Open cases") for user in people}
        assert seen == {"alice": 2, "bob": 1, "carol": 1, "mallory": 0, "ada": 0}
        CaseMember.objects.create(case=self.secret_case, user=self.mallory, role=CaseRole.VIEWER)
        assert tile(panel(self.mallory, "standing"), "Open cases") == 1

    def test_a_tile_of_a_severity_that_was_filtered_out_leads_to_no_cases_of_it(self) -> None:
        found = panel(self.alice, "standing", severity="low")
        high = next(one for one in found.tiles if one.label == "High")
        assert (high.number, high.url) == (0, "")

    def fill(self, case: Case) -> None:
        """What each panel could betray of a case."""
        other = make_case(self.alice, title="Quiet too", confidential=True)
        for one in (case, other):
            Asset.objects.create(case=one, kind="device", name="secret-host", added_by=self.alice)
            Indicator.objects.create(
                case=one, kind="domain", value="secret.example", value_digest="d" * 64, added_by=self.alice
            )
        event = Event.objects.create(case=case, at=timezone.now(), title="Quiet event", added_by=self.alice)
        EventTechnique.objects.create(event=event, technique="T1547.001")
        Improvement.objects.create(case=case, title="Quiet lesson", made_by=self.alice)
        team = Team.objects.create(name="Secret team")
        TeamMember.objects.create(team=team, user=self.alice)
        CaseTeam.objects.create(case=case, team=team, role=CaseRole.VIEWER)
        Case.objects.filter(pk=case.pk).update(playbook="secret-playbook", determination="maliciousUserActivity")
        due = timezone.now() - timedelta(days=1)
        ChecklistItem.objects.create(
            case=case, key="q", phase="detection", title="Quiet item", due_at=due, owner=self.alice
        )

    def test_no_panel_and_no_filter_tells_an_outsider_of_a_confidential_case(self) -> None:
        names = (f"?show={show}&compare={compare}" for show in SECTIONS for compare in ("before", "year"))
        addresses = [reverse(PAGE) + name for name in names]
        before, self.now = {}, timezone.now() + timedelta(hours=1)
        for user in (self.carol, self.bob, self.mallory):
            self.sign_in(user)
            before[user.pk] = [self.shown(address) for address in addresses]
        self.fill(self.secret_case)
        for user in (self.carol, self.bob, self.mallory):
            self.sign_in(user)
            assert [self.shown(address) for address in addresses] == before[user.pk], user
        self.sign_in(self.alice)
        html = "".join(self.shown(address) for address in addresses)
        for word in ("secret-host", "secret.example", "T1547.001", "Quiet lesson", "Secret team", "Quiet item"):
            assert word in html, word

    def shown(self, address: str) -> str:
        """The page as at one and the same moment, without its tokens."""
        with mock.patch("django.utils.timezone.now", return_value=self.now):
            html = self.client.get(address).content.decode()
        return re.sub(r'value="[A-Za-z0-9]{64}"|"X-CSRFToken": "[^"]+"', "", html)

    def test_a_filter_by_what_one_may_not_see_finds_nothing(self) -> None:
        self.fill(self.secret_case)
        assert tile(panel(self.alice, "standing", team="Secret team"), "Open cases") == 1
        for name, value in (("team", "Secret team"), ("playbook", "secret-playbook")):
            assert tile(panel(self.carol, "standing", **{name: value}), "Open cases") == 0

    def test_rows_behind_a_number_are_the_readers_own(self) -> None:
        self.fill(self.secret_case)
        address = reverse("ircase:dashboard_behind", args=["assets"]) + "?kind=device&name=secret-host"
        self.sign_in(self.alice)
        self.assertContains(self.client.get(address), self.secret_case.reference)
        self.sign_in(self.carol)
        self.assertNotContains(self.client.get(address), self.secret_case.reference)

    def test_strangers_sign_in_first(self) -> None:
        for name, args in ((PAGE, []), ("ircase:dashboard_behind", ["standing"]), ("ircase:dashboard_export", [])):
            assert self.client.get(reverse(name, args=args)).status_code == 302


class PageTests(CastTestCase):
    def lived_in(self) -> None:
        now = timezone.now()
        for number, severity in enumerate(("low", "critical", "critical", "medium")):
            detected = now - timedelta(days=number)
            case = make_case(self.bob, title=f"Case {number}", severity=severity, detected=detected)
            Case.objects.filter(pk=case.pk).update(determination="phishing")
            Asset.objects.create(case=case, kind="device", name="ws-01", added_by=self.bob)
            due = now + timedelta(hours=4 - 3 * number)
            ChecklistItem.objects.create(
                case=case, key="x", phase="detection", title="Do it", due_at=due, owner=self.bob, required=True
            )
        make_case(self.bob, title="Drill", exercise=True, detected=now)

    def test_each_number_is_as_many_as_the_rows_behind_it(self) -> None:
        self.lived_in()
        self.sign_in(self.alice)
        checked = 0
        for key, source in _sources.items():
            found = source.panel(scope_of(self.alice, "before"))
            for table in found.tables:
                for cells in table.rows:
                    for column, cell in zip(table.columns, cells, strict=True):
                        if f"/behind/{key}/" in cell.url and column.label in COUNTS:
                            assert self.behind(cell.url) == cell.value, (key, column.label, cell)
                            checked += 1
            for one in found.tiles:
                if one.label in ("Open cases", "Detected in the period", "Items overdue", "Critical"):
                    assert self.behind(one.url) == one.number, one
                    checked += 1
        assert checked > 15

    def behind(self, address: str) -> int:
        return int(self.client.get(address).context["page"].paginator.count)

    def test_the_page_for_everybody_and_every_address(self) -> None:
        nonsense = ("?first=2020-01-01&last=2020-02-01", "?first=x&last=0001-01-01", "?last=9999-12-31", "?show=x")
        for user in (self.alice, self.carol, self.mallory):
            self.sign_in(user)
            for query in (*(f"?show={code}" for code in SECTIONS), *nonsense, "?severity=%00&team=%00&compare=x"):
                assert self.client.get(reverse(PAGE) + query).status_code == 200, query

    def test_what_is_no_number_is_not_found(self) -> None:
        self.sign_in(self.alice)
        wrong = ("times/", "times/?of=MTTX", "phases/?of=preparation", "deadlines/?of=x", "people/?of=person",
                 "progress/?part=x", "causes/?determination=x", "standing/?age=x", "standing/?phase=x", "hunts/?part=x",
                 "actions/?effect=x", "collections/?state=x", "improvements/?part=x", "nothing/")  # fmt: skip
        for part in wrong:
            assert self.client.get(f"{reverse(PAGE)}behind/{part}").status_code == 404, part
        for key, value in (("assets", "kind"), ("indicators", "digest"), ("techniques", "technique")):
            address = reverse("ircase:dashboard_behind", args=[key]) + f"?{value}=%00'"
            assert self.client.get(address).status_code in (200, 404)

    def test_charts_lead_somewhere_and_no_style_is_inline(self) -> None:
        self.lived_in()
        self.sign_in(self.alice)
        for code in SECTIONS:
            html = self.client.get(f"{reverse(PAGE)}?show={code}").content.decode()
            assert "style=" not in html
            for link in re.findall(r'<svg[^>]*role="group".*?<a href="([^"]+)"', html, re.S):
                assert self.client.get(unescape(link)).status_code == 200
            assert html.count("<svg viewBox") == 0 or "<summary>Figures as a table</summary>" in html or code == "work"

    def test_queries_stay_few_and_do_not_grow_with_cases(self) -> None:
        self.sign_in(self.carol)
        for code in SECTIONS:
            address = f"{reverse(PAGE)}?show={code}&compare=before"
            self.client.get(address)
            with at_most(15):
                self.client.get(address)
        self.lived_in()
        for code in SECTIONS:
            with at_most(15):
                self.client.get(f"{reverse(PAGE)}?show={code}&compare=before")

    def test_a_view_is_saved_with_its_filters_and_section(self) -> None:
        self.sign_in(self.carol)
        asked = "show=times&severity=high&compare=year"
        reply = self.client.post(reverse("ircase:view_save"), {"page": "board", "name": "High", "asked": asked})
        assert reply.headers["Location"] == f"{reverse(PAGE)}?{savedviews.words_of(asked)}"
        self.assertContains(self.client.get(reverse(PAGE)), "High")

    @override_settings(TIME_ZONE="UTC")
    def test_ages_and_phases_of_open_cases(self) -> None:
        old = make_case(self.bob, title="Old", severity="low")
        Case.objects.filter(pk=old.pk).update(opened_at=timezone.now() - timedelta(days=8), phase="containment")
        found = panel(self.bob, "standing")
        assert row(found, "age", "7 to 30 days")["Low"].value == 1
        assert row(found, "age", "Up to 1 day")["All"].value == 1
        assert row(found, "phase", "Containment, Eradication and Recovery")["Low"].value == 1
        assert row(found, "phase", "Detection and Analysis")["High"].value == 1


class WorkTests(CastTestCase):
    def test_who_carries_what(self) -> None:
        team = Team.objects.create(name="Blue")
        TeamMember.objects.create(team=team, user=self.bob)
        CaseTeam.objects.create(case=self.case, team=team, role=CaseRole.ANALYST)
        late = timezone.now() - timedelta(hours=1)
        ChecklistItem.objects.filter(case=self.case).delete()
        for number, (owner, due) in enumerate(((self.bob, late), (self.bob, None), (None, late))):
            ChecklistItem.objects.create(
                case=self.case, key=f"k{number}", phase="detection", title="Do", owner=owner, due_at=due
            )
        found = panel(self.bob, "people")
        names = ("Open cases", "Critical and high", "Open items", "Overdue items")
        assert [row(found, "people", "Bob")[n].value for n in names] == [0, 0, 2, 1]
        assert [row(found, "people", "Alice")[n].value for n in names] == [1, 1, 0, 0]
        assert [row(found, "people", "Nobody")[n].value for n in names] == [0, 0, 1, 1]
        assert [row(found, "teams", "Blue")[n].value for n in names] == [1, 1, 2, 1]
        self.sign_in(self.bob)
        for label, many in (("Open items", 2), ("Overdue items", 1), ("Open cases", 1)):
            page = self.client.get(row(found, "teams", "Blue")[label].url).context["page"]
            assert page.paginator.count == many, label

    def test_checklists_by_phase_and_playbook(self) -> None:
        ChecklistItem.objects.filter(case=self.case).delete()
        Case.objects.filter(pk=self.case.pk).update(playbook="phishing")
        states = ("done", "done", "done", "skipped", "open")
        for number, state in enumerate(states):
            ChecklistItem.objects.create(
                case=self.case, key=f"k{number}", phase="detection", title="Do", state=state, required=number > 2
            )
        found = panel(self.bob, "progress")
        cells = row(found, "checklist", "Detection and Analysis")
        assert (cells["Done"].text, cells["Done"].value) == ("3 of 4 (75 %)", 75.0)
        assert [cells[name].value for name in ("Skipped", "Open", "Open and required")] == [1, 1, 1]
        assert row(found, "playbooks", "phishing")["Detection"].text == "3 of 4 (75 %)"

    def test_deadlines_late_and_soon(self) -> None:
        now = timezone.now()
        ChecklistItem.objects.filter(case=self.case).delete()
        for number, hours in enumerate((-30, -1, 71, 73)):
            ChecklistItem.objects.create(
                case=self.case, key=f"k{number}", phase="detection", title=f"In {hours}",
                due_at=now + timedelta(hours=hours),
            )  # fmt: skip
        found = panel(self.bob, "deadlines")
        assert tile(found, "Items overdue") == 2
        assert tile(found, "Items due within 72 hours") == 1
        made = found.table("items")
        assert made is not None
        assert [cells[0].text for cells in made.rows] == ["In -30", "In -1", "In 71"]
        assert made.rows[0][5].late
        assert made.rows[0][5].text == "1 d 6 h late"

    def test_recurring_things_need_two_cases_of_the_period(self) -> None:
        one = make_case(self.bob, title="One", detected=timezone.now())
        two = make_case(self.bob, title="Two", detected=timezone.now() - timedelta(days=100))
        for case in (one, two, self.case):
            Asset.objects.create(case=case, kind="device", name="ws-01", added_by=self.bob, compromise="confirmed")
        Asset.objects.create(case=one, kind="device", name="ws-02", added_by=self.bob)
        made = panel(self.bob, "assets").table("assets")
        assert made is not None
        assert [[cell.value for cell in cells] for cells in made.rows] == [["ws-01", "device", 2, 2]]


class SeamTests(CastTestCase):
    def test_a_panel_of_somebody_else_stands_in_its_section(self) -> None:
        class Weather:
            key, section = "weather", "work"

            def panel(self, scope: Scope) -> Panel:
                return Panel(self.key, "Weather", f"For {scope.user.name}")

            def behind(self, scope: Scope, part: object) -> Behind:
                raise LookupError

        dashboard.register(Weather())
        try:
            self.sign_in(self.carol)
            self.assertContains(self.client.get(f"{reverse(PAGE)}?show=work"), "For Carol")
        finally:
            _sources.pop("weather")

    def test_a_section_that_is_none_is_refused(self) -> None:
        class Lost:
            key, section = "lost", "nowhere"

        with self.assertRaisesMessage(ValueError, "there is no section 'nowhere'"):
            dashboard.register(Lost())  # type: ignore[arg-type]


class TestPeriods:
    def test_what_makes_no_sense_falls_back(self) -> None:
        today = date(2026, 3, 31)

        def period(**given: str) -> Period:
            return DashboardForm(given).filters(today).period

        assert period() == Period(date(2026, 1, 1), today)
        assert period(first="x") == Period(date(2026, 1, 1), today)
        swapped = period(first="2026-03-30", last="2026-03-01")
        assert swapped == Period(date(2026, 3, 1), date(2026, 3, 1))

    def test_months_are_cut_to_the_period(self) -> None:
        found = Period(date(2025, 12, 15), date(2026, 2, 10)).months()
        assert [(m.first.isoformat(), m.last.isoformat()) for m in found] == [
            ("2025-12-15", "2025-12-31"),
            ("2026-01-01", "2026-01-31"),
            ("2026-02-01", "2026-02-10"),
        ]

    def test_the_period_before_is_as_long_and_a_year_ago_has_the_same_days(self) -> None:
        march = Period(date(2024, 2, 1), date(2024, 2, 29))
        assert compared(march, "before") == Period(date(2024, 1, 3), date(2024, 1, 31))
        assert compared(march, "year") == Period(date(2023, 2, 1), date(2023, 2, 28))
        assert compared(march, "") is None

    def test_a_value_that_is_gone_stays_in_the_form(self) -> None:
        form = DashboardForm({"team": "Gone"})
        form.offer({"playbook": [], "connection": [], "team": [("Blue", "Blue")], "owner": []})
        assert "Gone" in str(form["team"])
        assert form.filters(datetime(2026, 1, 1).date()).team == "Gone"


def test_guests_without_cases_see_an_empty_page(db: None, client: object) -> None:
    person = make_user("nobody", User.SiteRole.GUEST)
    for key, source in _sources.items():
        made = source.panel(scope_of(person, "before"))
        assert all(not one.number for one in made.tiles), key
