"""Clocks: started by milestones and leads, moved, ended with proof, told of once a stage."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.clocks import windows
from ircase.models import Case, Clock, LogEntry, Notice, NoticeCode, ServiceLevel
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.casework import decisions
from ircase.services.phases import clocks, reminding, servicelevels
from ircase.tasks import remind
from tests.cast import CastTestCase, make_case, make_evidence
from tests.ircase.queries import at_most

HOUR = timedelta(hours=1)


class ClockTestCase(CastTestCase):
    def policy(self, *regimes: str) -> None:
        for regime in regimes:
            clocks.set_policy(actor=self.ada, regime=regime, automatic=True)

    def set(self, kind: str, hours_ago: float) -> None:
        at = timezone.now() - timedelta(hours=hours_ago)
        cases.set_milestone(case=self.case, actor=self.alice, kind=kind, at=at)

    def clock(self, rule: str) -> Clock:
        return Clock.objects.get(case=self.case, rule=rule)


class StartTests(ClockTestCase):
    def test_nothing_starts_by_itself_until_an_administrator_says_the_law_applies(self) -> None:
        self.set("aware", 1)
        assert not Clock.objects.exists()
        with pytest.raises(PermissionDenied):
            clocks.set_policy(actor=self.alice, regime="nis2", automatic=True)

    def test_a_milestone_starts_the_clocks_of_the_organisations_laws(self) -> None:
        self.policy("nis2", "gdpr")
        self.set("aware", 2)
        aware = self.case.milestones.get(kind="aware").at
        due = {clock.rule: clock.due_at - aware for clock in Clock.objects.filter(case=self.case)}
        assert due == {"nis2-early-warning": 24 * HOUR, "nis2-notification": 72 * HOUR, "gdpr-notification": 72 * HOUR}
        assert LogEntry.objects.filter(case=self.case, action="clock.started").count() == 3

    def test_an_exercise_starts_none(self) -> None:
        self.policy("nis2")
        drill = make_case(self.alice, exercise=True)
        cases.set_milestone(case=drill, actor=self.alice, kind="aware", at=timezone.now())
        assert not Clock.objects.exists()

    def test_a_moved_milestone_moves_what_runs_and_leaves_what_ended(self) -> None:
        self.policy("nis2")
        self.set("aware", 2)
        clocks.dismiss(clock=self.clock("nis2-notification"), actor=self.alice, reason="Not significant")
        ended = self.clock("nis2-notification").due_at
        self.set("aware", 10)
        aware = self.case.milestones.get(kind="aware").at
        assert self.clock("nis2-early-warning").due_at == aware + 24 * HOUR
        assert self.clock("nis2-notification").due_at == ended
        assert LogEntry.objects.filter(case=self.case, action="clock.moved").count() == 1

    def test_a_time_that_a_person_typed_in_their_zone_counts_as_any_other(self) -> None:
        self.policy("gdpr")
        self.alice.time_zone = "Europe/Copenhagen"
        self.alice.save()
        self.sign_in(self.alice)
        page = reverse("ircase:case_milestone", args=[self.case.reference])
        # Friday evening in summer time; 72 hours later it is an hour earlier on the wall.
        self.client.post(page, {"kind": "aware", "at": "2025-10-24T18:00"})
        clock = self.clock("gdpr-notification")
        assert clock.started_at.isoformat() == "2025-10-24T16:00:00+00:00"
        assert clock.due_at.isoformat() == "2025-10-27T16:00:00+00:00"

    def test_doras_outer_limit_follows_awareness_that_is_learnt_later(self) -> None:
        self.set("major", 1)
        made = clocks.start(case=self.case, actor=self.alice, rule="dora-initial", reason="We are a bank")
        major = self.case.milestones.get(kind="major").at
        assert made.due_at == major + 4 * HOUR
        self.set("aware", 22)
        aware = self.case.milestones.get(kind="aware").at
        assert self.clock("dora-initial").due_at == aware + 24 * HOUR, "2 h from now come before 3 h from now"

    def test_only_a_lead_starts_one_with_a_reason_once(self) -> None:
        with pytest.raises(PermissionDenied):
            clocks.start(case=self.case, actor=self.bob, rule="gdpr-notification", reason="x")
        with pytest.raises(ValidationError, match="Say why"):
            clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason=" ")
        clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="Mailboxes were read")
        with pytest.raises(ValidationError, match="runs already"):
            clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="again")
        with pytest.raises(ValidationError, match="no such deadline"):
            clocks.start(case=self.case, actor=self.alice, rule="nothing", reason="x")


class EndTests(ClockTestCase):
    def test_delivered_with_its_proof_starts_what_the_law_counts_from_it(self) -> None:
        self.policy("nis2")
        self.set("aware", 30)
        sent = timezone.now() - HOUR
        proof = make_evidence(self.case, self.alice, b"receipt", name="receipt.txt")
        with pytest.raises(ValidationError, match="what shows it"):
            clocks.deliver(clock=self.clock("nis2-notification"), actor=self.alice, at=sent)
        ended = clocks.deliver(clock=self.clock("nis2-notification"), actor=self.alice, at=sent, evidence=proof)
        assert (ended.state, ended.is_late) == ("delivered", False)
        final = self.clock("nis2-final-report")
        assert final.started_at == sent
        assert final.due_at.day == sent.day or final.due_at.day < sent.day
        assert 28 <= (final.due_at - sent).days <= 31
        late = clocks.deliver(clock=self.clock("nis2-early-warning"), actor=self.alice, words="By phone, ticket 12")
        assert late.is_late
        entry = LogEntry.objects.filter(case=self.case, action="clock.delivered").order_by("sequence").last()
        assert entry is not None
        assert entry.detail["late"] is True

    def test_a_proof_of_another_case_is_refused(self) -> None:
        made = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        foreign = make_evidence(self.secret_case, self.alice)
        with pytest.raises(ValidationError, match="same case"):
            clocks.deliver(clock=made, actor=self.alice, evidence=foreign)
        elsewhere = decisions.record(case=self.secret_case, actor=self.alice, what="x", why="y")
        with pytest.raises(ValidationError, match="same case"):
            clocks.dismiss(clock=made, actor=self.alice, reason="x", decision=elsewhere)

    def test_ended_is_ended(self) -> None:
        made = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        clocks.dismiss(clock=made, actor=self.alice, reason="No personal data")
        with pytest.raises(ValidationError, match="ended already"):
            clocks.deliver(clock=made, actor=self.alice, words="y")
        clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="There was, after all")
        assert Clock.objects.filter(case=self.case).count() == 2


class ServiceLevelTests(ClockTestCase):
    def level(self, **more: object) -> ServiceLevel:
        values = {"name": "Contain", "severity": "high", "starts_from": "detected", "met_by": "contained",
                  "amount": 4, "unit": "hours", "deliver": "Contain it", "active": True}  # fmt: skip
        return servicelevels.save(actor=self.ada, **(values | more))

    def test_it_runs_from_one_milestone_to_another_for_its_severity(self) -> None:
        self.level()
        case, other = make_case(self.alice), make_case(self.alice, severity="low")
        detected = case.milestones.get(kind="detected").at
        clock = Clock.objects.get(case=case)
        assert (clock.kind, clock.due_at) == ("sla", detected + 4 * HOUR)
        assert not Clock.objects.filter(case=other).exists()
        cases.set_milestone(case=case, actor=self.alice, kind="contained", at=timezone.now())
        clock.refresh_from_db()
        assert (clock.state, clock.is_late) == ("delivered", False)

    def test_a_milestone_that_is_corrected_corrects_whether_the_promise_was_kept(self) -> None:
        self.level()
        case = make_case(self.alice, detected=timezone.now() - 6 * HOUR)
        for hours, late in ((3, False), (1, True), (2.5, False)):
            at = timezone.now() - hours * HOUR
            cases.set_milestone(case=case, actor=self.alice, kind="contained", at=at)
            clock = Clock.objects.get(case=case)
            assert (clock.state, clock.delivered_at, clock.is_late) == ("delivered", at, late)

    def test_what_a_person_delivered_is_not_moved_by_a_milestone(self) -> None:
        self.level()
        case = make_case(self.alice, detected=timezone.now() - 6 * HOUR)
        at = timezone.now() - 3 * HOUR
        clocks.deliver(clock=Clock.objects.get(case=case), actor=self.alice, at=at, words="By phone")
        cases.set_milestone(case=case, actor=self.alice, kind="contained", at=timezone.now() - HOUR)
        assert Clock.objects.get(case=case).delivered_at == at

    def test_a_case_that_opens_again_has_not_kept_the_promise_to_close(self) -> None:
        self.level(name="Close", met_by="closed", amount=3)
        case = make_case(self.alice, detected=timezone.now() - 6 * HOUR)
        cases.edit_case(case=case, actor=self.alice, classification="truePositive")
        due = Clock.objects.get(case=case).due_at
        cases.close_case(case=case, actor=self.alice, reason="Done")
        assert Clock.objects.get(case=case).state == "delivered"
        cases.reopen_case(case=case, actor=self.alice, reason="It is back")
        clock = Clock.objects.get(case=case)
        assert (clock.state, clock.due_at, clock.delivered_at) == ("running", due, None)
        cases.close_case(case=case, actor=self.alice, reason="Done now")
        clock.refresh_from_db()
        assert (clock.state, clock.delivered_at) == ("delivered", case.milestones.get(kind="closed").at)

    def test_another_severity_has_other_promises(self) -> None:
        self.level()
        self.level(name="Contain at once", severity="critical", amount=1)
        case = make_case(self.alice)
        cases.edit_case(case=case, actor=self.alice, severity="critical")
        states = {clock.title: clock.state for clock in Clock.objects.filter(case=case)}
        assert states == {"Contain": "not_applicable", "Contain at once": "running"}

    def test_what_makes_no_sense_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="calendar"):
            self.level(unit="business_days")
        with pytest.raises(ValidationError, match="starts it"):
            self.level(met_by="detected")
        with pytest.raises(PermissionDenied):
            servicelevels.save(actor=self.alice, name="x")


class RemindTests(ClockTestCase):
    def told(self) -> list[str]:
        return list(Notice.objects.filter(person=self.alice, code=NoticeCode.CLOCK).values_list("title", flat=True))

    def shift(self, clock: Clock, hours: float) -> None:
        start = timezone.now() - timedelta(hours=hours)
        Clock.objects.filter(pk=clock.pk).update(started_at=start, due_at=start + 10 * HOUR)

    def test_each_stage_is_told_once(self) -> None:
        made = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        seen = []
        for hours in (4, 6, 6, 9.5, 9.5, 11, 12):
            self.shift(made, hours)
            remind()
            seen.append(len(self.told()))
        assert seen == [0, 1, 1, 2, 2, 3, 3]
        assert {title.rsplit(": ", 1)[1] for title in self.told()} == {
            "50 % of its time is over", "90 % of its time is over", "its time is over"
        }  # fmt: skip
        assert not Notice.objects.filter(person=self.mallory).exists()

    def test_an_ended_clock_is_silent(self) -> None:
        made = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        clocks.dismiss(clock=made, actor=self.alice, reason="No")
        self.shift(made, 11)
        remind()
        assert self.told() == []

    def test_defenders_window_counts_from_the_first_event_and_is_told_once(self) -> None:
        findings.add_event(
            case=self.case, actor=self.alice, at=timezone.now() - timedelta(days=28), title="First logon"
        )
        (window,) = [one for one in windows.of_cases([self.case]) if one.key == "defender-data"]
        assert timedelta(days=1, hours=23) < window.due_at - timezone.now() <= timedelta(days=2)
        assert window.url(self.case) == reverse("hunting:panel", args=[self.case.reference])
        assert reminding.remind_of_windows() == 1
        assert reminding.remind_of_windows() == 0
        assert self.told() == ["Defender's data of the first events: 90 % of its time is over"]

    def test_a_case_without_tenant_or_closed_has_no_window(self) -> None:
        assert windows.of_cases([self.secret_case]) == []
        Case.objects.filter(pk=self.case.pk).update(closed_at=timezone.now())
        assert windows.of_cases([Case.objects.get(pk=self.case.pk)]) == []

    def test_many_cases_cost_no_query_each(self) -> None:
        for _ in range(4):
            make_case(self.alice, connection=self.connection)
        rows = list(Case.objects.all())
        with at_most(3):
            windows.of_cases(rows)


class PageTests(ClockTestCase):
    def test_a_lead_starts_and_ends_on_the_pages(self) -> None:
        self.sign_in(self.alice)
        page = reverse("ircase:clocks", args=[self.case.reference])
        start = reverse("ircase:clock_start", args=[self.case.reference])
        assert self.client.post(start, {"rule": "gdpr-notification", "reason": ""}).status_code == 422
        assert self.client.post(start, {"rule": "gdpr-notification", "reason": "Mail was read"}).status_code == 302
        made = self.clock("gdpr-notification")
        reply = self.client.get(page)
        self.assertContains(reply, "GDPR notification of a personal data breach")
        one = reverse("ircase:clock", args=[self.case.reference, made.uuid])
        self.assertContains(self.client.get(one), "Mail was read")
        assert self.client.post(one, {"act": "deliver"}).status_code == 422
        assert self.client.post(one, {"act": "deliver", "words": "Reference 77"}).status_code == 302
        self.assertContains(self.client.get(page), "Reference 77")

    def test_pages_are_cheap_and_lists_know_only_what_the_reader_may_see(self) -> None:
        clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        clocks.start(case=self.case, actor=self.alice, rule="nis2-early-warning", reason="x")
        clocks.start(case=self.secret_case, actor=self.alice, rule="gdpr-notification", reason="x")
        for user, texts in ((self.carol, [self.case]), (self.alice, [self.case, self.secret_case]), (self.mallory, [])):
            self.sign_in(user)
            for name in ("deadlines", "deadlines_calendar", "my_deadlines"):
                with at_most(15):
                    body = self.client.get(reverse(f"ircase:{name}")).content.decode()
                seen = [] if name == "my_deadlines" and user == self.carol else texts
                for case in (self.case, self.secret_case):
                    assert (case.reference in body) == (case in seen), (name, user.username, case.reference)
        self.sign_in(self.alice)
        for name in ("clocks", "clocks_card", "clocks_calendar", "case"):
            with at_most(19 if name == "case" else 17):
                reply = self.client.get(reverse(f"ircase:{name}", args=[self.case.reference]))
            assert reply.status_code == 200

    def test_what_can_soon_no_longer_be_had_stands_among_the_countdowns(self) -> None:
        early = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        late = clocks.start(case=self.case, actor=self.alice, rule="nis2-final-report", reason="x")
        assert early.due_at < timezone.now() + timedelta(days=29) < late.due_at
        self.sign_in(self.alice)
        titles = [early.title, "Defender&#x27;s data of the first events", late.title]
        for name in ("clocks", "clocks_card"):
            page = self.client.get(reverse(f"ircase:{name}", args=[self.case.reference])).content.decode()
            places = [page.index(f">{title}</a>") for title in titles]
            assert places == sorted(places), name
            assert "Collect before it is gone" in page

    def test_the_calendar_file_holds_the_end_and_the_address(self) -> None:
        made = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        self.sign_in(self.alice)
        reply = self.client.get(reverse("ircase:clocks_calendar", args=[self.case.reference]))
        assert reply["Content-Type"].startswith("text/calendar")
        text = reply.content.decode().replace("\r\n ", "")
        assert f"DTSTART:{made.due_at:%Y%m%dT%H%M%SZ}" in text
        assert f"/clocks/{made.uuid}/" in text

    def test_administration(self) -> None:
        self.sign_in(self.ada)
        page = reverse("ircase:deadline_rules")
        assert self.client.post(page, {"regime": "nis2", "automatic": "on"}).status_code == 302
        assert clocks.automatic_regimes() == {"nis2"}
        self.client.post(page, {"regime": "nis2"})
        assert clocks.automatic_regimes() == set()
        new = reverse("ircase:service_level_new")
        values = {"name": "Contain", "severity": "high", "starts_from": "detected", "met_by": "contained",
                  "amount": "4", "unit": "business_days", "calendar": "", "deliver": "Do", "active": "on"}  # fmt: skip
        assert self.client.post(new, values).status_code == 422
        assert self.client.post(new, values | {"calendar": "weekdays"}).status_code == 302
        level = ServiceLevel.objects.get()
        self.assertContains(self.client.get(page), "Contain")
        assert (
            self.client.post(reverse("ircase:service_level", args=[level.pk]), values | {"unit": "hours"}).status_code
            == 302
        )
        level.refresh_from_db()
        assert (level.unit, level.calendar) == ("hours", "")
