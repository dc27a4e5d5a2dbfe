"""The list of cases, opening one by hand, the overview and editing."""

from datetime import timedelta
from unittest import mock

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase import caselist
from ircase.casehead import head_of
from ircase.models import Asset, Case, ChecklistItem, Evidence, LogEntry, PhaseEntry
from ircase.services import cases
from ircase.services.casework import opening
from ircase.services.phases import checklist
from tests.cast import CastTestCase, make_case, make_evidence
from tests.ircase.queries import at_most


class CaseListTests(CastTestCase):
    def listed(self, user: object, query: str = "") -> str:
        self.client.force_login(user)  # type: ignore[arg-type]
        return self.client.get(reverse("ircase:case_list") + query).content.decode()

    def test_everybody_sees_what_they_may_and_nothing_tells_of_the_rest(self) -> None:
        for user, ordinary, secret in ((self.alice, True, True), (self.bob, True, False), (self.carol, True, False)):
            page = self.listed(user, "?state=all")
            assert (self.case.reference in page, self.secret_case.reference in page) == (ordinary, secret)
        assert "Quiet one" not in self.listed(self.bob, "?q=Quiet")
        page = self.listed(self.mallory)
        assert self.case.reference not in page
        assert "No open case that you may see" in page

    def test_filters_live_in_the_url(self) -> None:
        low = make_case(self.alice, title="Lost laptop", severity="low")
        assert low.reference not in self.listed(self.alice, "?severity=high")
        assert low.reference in self.listed(self.alice, "?severity=low&phase=detection&q=laptop")
        assert self.case.reference not in self.listed(self.alice, "?q=laptop")
        cases.edit_case(case=low, actor=self.alice, classification="falsePositive", exercise=True)
        cases.close_case(case=low, actor=self.alice, reason="A drill")
        assert low.reference not in self.listed(self.alice)
        assert low.reference in self.listed(self.alice, "?state=closed&exercise=1")

    def test_filters_that_are_folded_away_open_where_one_is_used(self) -> None:
        folded, opened = '<details class="more" id="more-filters">', '<details class="more" id="more-filters" open>'
        for query in ("", "?q=&state=open&phase=&severity=high&mine=on&exercise=&owner=&tag=&age=&show=tlp"):
            assert folded in self.listed(self.bob, query), query
        for query in ("?tag=vip", "?age=7", "?detected_from=2026-01-01", "?exercise=1"):
            assert opened in self.listed(self.bob, query), query

    def test_mine_is_what_i_am_a_member_of(self) -> None:
        other = make_case(self.alice, title="Not Bob's")
        page = self.listed(self.bob, "?mine=on")
        assert self.case.reference in page
        assert other.reference not in page

    def test_overdue_and_detected_between(self) -> None:
        item = checklist.add_item(case=self.case, actor=self.alice, title="Late thing", phase="detection")
        ChecklistItem.objects.filter(pk=item.pk).update(due_at=timezone.now() - timedelta(hours=1))
        other = make_case(self.alice, detected=timezone.now() - timedelta(days=9))
        late = caselist.find(self.alice, caselist.Filters(overdue=True))
        assert [case.reference for case in late] == [self.case.reference]
        today = timezone.localdate()
        recent = caselist.find(self.alice, caselist.Filters(detected_from=today - timedelta(days=1), detected_to=today))
        assert other.reference not in [case.reference for case in recent]
        assert self.case.reference in [case.reference for case in recent]

    def test_orders(self) -> None:
        make_case(self.alice, title="B", severity="critical")
        for sort in (*("severity", "phase", "reference", "title", "opened", "updated", "due"), "nonsense", ""):
            for sign in ("", "-"):
                found = list(caselist.find(self.alice, caselist.Filters(), sign + sort))
                assert len(found) == 3
        down = [case.severity for case in caselist.find(self.alice, caselist.Filters(), "-severity")]
        assert down == ["critical", "high", "high"]

    def test_senseless_filters_are_ignored(self) -> None:
        page = self.listed(self.alice, "?phase=never&severity=%00&detected_from=soon&page=999&sort=;drop")
        assert self.case.reference in page
        page = self.listed(self.alice, "?q=%00")
        assert self.case.reference in page
        assert "Null characters are not allowed" in page

    def test_queries_do_not_grow_with_the_list(self) -> None:
        for _ in range(12):
            make_case(self.alice)
        self.sign_in(self.alice)
        with self.assertNumQueries(11):  # the keys of the page come before its cases
            self.client.get(reverse("ircase:case_list"))


class NewCaseTests(CastTestCase):
    url = "/cases/new/"

    def post(self, **more: str) -> object:
        values = {"title": "Beacon from WS-07", "severity": "high", "tlp": "red", "playbook": "device-compromise"}
        return self.client.post(self.url, values | more)

    def test_an_analyst_opens_one_with_its_first_device_and_account(self) -> None:
        self.sign_in(self.bob)
        reply = self.post(device="WS-07.contoso.com", account="Ann@contoso.com", confidential="on")
        case = Case.objects.get(title="Beacon from WS-07")
        assert reply.status_code == 302  # type: ignore[attr-defined]
        assert reply.headers["Location"] == reverse("ircase:case", args=[case.reference])  # type: ignore[attr-defined]
        assert set(Asset.objects.filter(case=case).values_list("kind", "name")) == {
            ("device", "ws-07.contoso.com"),
            ("account", "ann@contoso.com"),
        }
        assert case.confidential
        assert case.checklist.filter(key="volatile", required=True).exists()
        assert case.checklist.filter(phase="preparation").count() == 14

    def test_who_does_not_open_cases_is_told_so(self) -> None:
        for user in (self.carol, self.mallory, self.ada):
            self.sign_in(user)
            assert self.client.get(self.url).status_code == 403
            assert self.post().status_code == 403  # type: ignore[attr-defined]
        assert not Case.objects.filter(title="Beacon from WS-07").exists()

    def test_what_is_wrong_is_said_and_what_was_typed_is_kept(self) -> None:
        self.sign_in(self.bob)
        ahead = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
        reply = self.post(detected=ahead, device="kept")
        assert reply.status_code == 422  # type: ignore[attr-defined]
        self.assertContains(reply, "cannot lie in the future", status_code=422)  # type: ignore[arg-type]
        self.assertContains(reply, 'value="kept"', status_code=422)  # type: ignore[arg-type]
        assert not Case.objects.filter(title="Beacon from WS-07").exists()

    def test_the_detected_time_is_read_in_the_persons_zone(self) -> None:
        self.bob.time_zone = "Asia/Kolkata"
        self.bob.save()
        self.sign_in(self.bob)
        self.post(detected="2026-02-01T12:00:00")
        case = Case.objects.get(title="Beacon from WS-07")
        assert case.milestones.get(kind="detected").at.isoformat() == "2026-02-01T06:30:00+00:00"

    def test_all_or_nothing(self) -> None:
        broken = mock.patch("ircase.services.analysis.findings.add_asset", side_effect=ValidationError("no"))
        before = Case.objects.count()
        with broken, self.assertRaises(ValidationError):
            opening.open_by_hand(actor=self.bob, title="X", device="d")
        assert Case.objects.count() == before


class OverviewTests(CastTestCase):
    def url(self, name: str = "case") -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference])

    def test_outsiders_learn_nothing_and_readers_read(self) -> None:
        for user, status in ((self.mallory, 404), (self.ada, 404), (self.carol, 200), (self.bob, 200)):
            self.sign_in(user)
            assert self.client.get(self.url()).status_code == status
        self.client.logout()
        assert self.client.get(self.url()).headers["Location"].startswith("/sign-in/")

    def test_readers_who_write_are_refused(self) -> None:
        self.sign_in(self.carol)
        for name in ("case_edit", "case_summary", "case_milestone", "case_phase", "closing", "case_member"):
            assert self.client.post(self.url(name), {}).status_code == 403
        self.sign_in(self.mallory)
        for name in ("case_edit", "case_summary", "case_milestone", "case_phase", "closing", "case_member"):
            assert self.client.post(self.url(name), {}).status_code == 404

    def test_the_head_says_what_matters(self) -> None:
        self.sign_in(self.bob)
        page = self.client.get(self.url()).content.decode()
        for words in (self.case.title, "TLP:AMBER", "Alice", "Detection and Analysis", "Detected", "Open for"):
            assert words in page

    def test_htmx_gets_the_panel_alone(self) -> None:
        self.sign_in(self.bob)
        page = self.client.get(self.url("timeline"), headers={"HX-Request": "true"}).content.decode()
        assert "<html" not in page
        assert 'aria-current="page"' in page
        assert "The timeline is empty" in page

    def test_altered_evidence_is_said_on_every_tab(self) -> None:
        item = make_evidence(self.case, self.alice, b"x")
        Evidence.objects.filter(pk=item.pk).update(integrity="altered")
        self.sign_in(self.bob)
        for name in ("case", "checklist", "timeline", "entities", "notes", "log"):
            page = self.client.get(self.url(name)).content.decode()
            assert "no longer what was sealed" in page
            assert "E001" in page

    def test_an_edit_writes_what_changed_and_nothing_else(self) -> None:
        self.sign_in(self.bob)
        values = {"title": self.case.title, "severity": "low", "tlp": "amber", "classification": "unknown"}
        seen = {f"initial-{k}": v for k, v in (values | {"severity": "high", "determination": "unknown"}).items()}
        reply = self.client.post(self.url("case_edit"), values | {"determination": "unknown"} | seen)
        assert reply.status_code == 302
        entry = LogEntry.objects.filter(case=self.case, action="case.edited").get()
        assert entry.detail["changes"] == {"severity": ["high", "low"]}

    def test_two_people_writing_the_summary_lose_nothing(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, summary="Alice was first.")
        self.sign_in(self.bob)
        values = {"summary": "Bob's view", "initial-summary": "", "lessons": "", "initial-lessons": ""}
        reply = self.client.post(self.url("case_summary"), values)
        self.assertContains(reply, "Alice was first.", status_code=422)
        self.assertContains(reply, "Bob&#x27;s view", status_code=422)
        values |= {"summary": "Alice was first. Bob's view", "initial-summary": "Alice was first."}
        assert self.client.post(self.url("case_summary"), values).status_code == 302
        self.case.refresh_from_db()
        assert self.case.summary == "Alice was first. Bob's view"

    def test_a_closed_case_is_not_written_to(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="done")
        self.sign_in(self.alice)
        assert self.client.post(self.url("case_edit"), {"title": "x"}).status_code == 403
        self.assertContains(self.client.get(self.url()), "This case is closed")

    def test_queries_are_bounded_on_every_tab(self) -> None:
        case = make_case(self.alice, playbook="ransomware", analysts=(self.bob,))
        for number in range(8):
            checklist.add_item(case=case, actor=self.alice, title=f"More {number}", phase="detection", owner=self.bob)
        self.sign_in(self.bob)
        for name in ("case", "checklist", "timeline", "entities", "notes", "log"):
            with self.subTest(name), at_most(18):
                self.client.get(reverse(f"ircase:{name}", args=[case.reference]))


class HeadTests(CastTestCase):
    def test_time_in_phases_and_spans_between_milestones(self) -> None:
        now = timezone.now()
        start = now - timedelta(hours=10)
        Case.objects.filter(pk=self.case.pk).update(opened_at=start, phase="containment")
        PhaseEntry.objects.filter(case=self.case).update(entered_at=start, left_at=now - timedelta(hours=7))
        PhaseEntry.objects.create(
            case=self.case, phase="containment", entered_at=now - timedelta(hours=7), moved_by=self.alice
        )
        for kind, hours in (("occurred", 12), ("detected", 9), ("acknowledged", 8), ("contained", 4)):
            cases.set_milestone(case=self.case, actor=self.alice, kind=kind, at=now - timedelta(hours=hours))
        self.case.refresh_from_db()
        head = head_of(self.case, now)
        spent = {stay.phase: (stay.state, stay.spent) for stay in head.phases}
        assert spent["detection"] == ("done", timedelta(hours=3))
        assert spent["containment"] == ("current", timedelta(hours=7))
        assert spent["post_incident"] == ("todo", timedelta())
        assert {m.name: m.took for m in head.metrics} == {
            "MTTD": timedelta(hours=3),
            "MTTA": timedelta(hours=1),
            "MTTC": timedelta(hours=5),
            "MTTR": None,
        }

    def test_next_is_the_first_required_item_that_waits_for_nothing(self) -> None:
        case = make_case(self.alice, playbook="device-compromise")
        next_item = head_of(case).next_item
        assert next_item is not None
        assert next_item.key == "validate"
        item = ChecklistItem.objects.get(case=case, key="validate")
        checklist.finish_item(item=item, actor=self.alice, result="It is real")
        next_item = head_of(case).next_item
        assert next_item is not None
        assert next_item.key == "record"
        assert head_of(case).overdue == 0
        assert head_of(case, timezone.now() + timedelta(days=2)).overdue >= 3
