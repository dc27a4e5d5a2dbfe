"""The gate of a phase, what a required item closes with, what a finished one unlocks, and honest clocks."""

from datetime import UTC, date, datetime, timedelta
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from ircase import dashboard
from ircase.casehead import head_of
from ircase.dashboard import Filters, Scope
from ircase.dashboard.measured import Spent, stays
from ircase.metrics import Period
from ircase.models import Case, ChecklistItem, LogEntry, Notice, NoticeCode, Phase, PhaseEntry
from ircase.report.data import collect
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.phases import checklist, gate
from tests.cast import CastTestCase, make_case
from tests.ircase.test_dashboard import row


class GateCase(CastTestCase):
    plan: Case

    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.plan = make_case(cls.alice, playbook="device-compromise", analysts=(cls.bob,))

    def item(self, key: str) -> ChecklistItem:
        return ChecklistItem.objects.get(case=self.plan, key=key)

    def end_all(self, phase: str) -> None:
        for item in self.plan.checklist.filter(phase=phase, required=True):
            decision = [] if item.proof_rule == "result" else [("decision", "Seen and decided")]
            checklist.finish_item(item=item, actor=self.bob, result="Done so", proofs=decision)


class GateTests(GateCase):
    def test_required_items_hold_the_way_forward_and_name_what_they_lack(self) -> None:
        held = gate.held_by(self.plan, "containment")
        assert {one.item.phase for one in held} == {"detection"}
        by_key = {one.item.key: one for one in held}
        assert "write the result" in by_key["validate"].lacks
        assert "evidence, a run, an event or a decision" in by_key["entry"].lacks
        assert by_key["entry"].waits_for == (self.item("validate").title,)
        with pytest.raises(ValidationError, match="required items are not done"):
            cases.move_phase(case=self.plan, actor=self.alice, phase="containment", reason="It spreads")
        assert PhaseEntry.objects.filter(case=self.plan).count() == 1

    def test_a_reason_passes_it_and_stays_in_the_log_and_the_report(self) -> None:
        why = "The CISO wants it cut off now"
        entry = cases.move_phase(
            case=self.plan, actor=self.alice, phase="containment", reason="It spreads", despite=why
        )
        assert entry.despite == why
        assert self.item("entry").title in entry.passed_open
        log = LogEntry.objects.filter(case=self.plan, action="case.phase_moved").latest("sequence")
        assert log.detail["despite"] == why
        assert "entry" in log.detail["required_left_open"]
        move = collect(Case.objects.get(pk=self.plan.pk), now=entry.entered_at).phase_moves[-1]
        assert why in move.reason
        assert self.item("entry").title in move.reason

    def test_nothing_holds_when_all_is_done_nor_on_the_way_back(self) -> None:
        self.end_all("detection")
        assert gate.held_by(self.plan, "containment") == []
        entry = cases.move_phase(
            case=self.plan, actor=self.alice, phase="containment", reason="Known enough", despite="not needed"
        )
        assert (entry.despite, entry.passed_open) == ("", [])
        cases.move_phase(case=self.plan, actor=self.alice, phase="detection", reason="Another host")

    def test_a_phase_that_is_skipped_over_holds_too(self) -> None:
        phases = {one.item.phase for one in gate.held_by(self.plan, "post_incident")}
        assert phases == {"detection", "containment"}

    def test_the_gate_costs_two_queries_however_long_the_list(self) -> None:
        with self.assertNumQueries(2):
            gate.held_in_each(self.plan)


class ProofTests(GateCase):
    def test_a_required_item_closes_only_with_a_proof(self) -> None:
        checklist.finish_item(item=self.item("validate"), actor=self.bob, result="It is real")
        with pytest.raises(ValidationError, match="link what proves it"):
            checklist.finish_item(item=self.item("entry"), actor=self.bob, result="By RDP")
        assert self.item("entry").state == "open"
        checklist.finish_item(
            item=self.item("entry"), actor=self.bob, result="By RDP", proofs=[("decision", "Agreed with Alice")]
        )
        assert self.item("entry").state == "done"
        assert self.item("entry").proofs.get().decision == "Agreed with Alice"

    def test_what_is_not_required_closes_with_nothing(self) -> None:
        checklist.skip_item(item=self.item("restore"), actor=self.bob, reason="The device is scrapped")
        assert checklist.finish_item(item=self.item("watch"), actor=self.bob, result="").state == "done"


class UnlockTests(GateCase):
    def test_finishing_gives_what_opens_to_whoever_has_the_duty_and_tells_the_owner(self) -> None:
        ChecklistItem.objects.filter(case=self.plan, key="entry").update(role="Analyst")
        checklist.plan_item(item=self.item("spread"), actor=self.bob, owner=self.bob, due_at=None)
        cases.set_member(case=self.plan, actor=self.alice, user=self.bob, role="analyst", duty="analyst")
        assert self.item("entry").owner is None, "it waits, so nobody is given it yet"
        checklist.finish_item(item=self.item("validate"), actor=self.alice, result="Real")
        assert self.item("entry").owner == self.bob
        told = Notice.objects.filter(person=self.bob, code=NoticeCode.ASSIGNMENT, title__startswith="You can begin")
        assert [one.title for one in told] == [f"You can begin: {self.item('entry').title}"]

    def test_an_item_that_waits_for_two_opens_with_the_second(self) -> None:
        item = self.item("reset")
        item.owner = self.bob
        item.save(update_fields=["owner"])
        checklist.skip_item(item=self.item("isolate"), actor=self.alice, reason="Off already")
        assert not Notice.objects.filter(person=self.bob, title__contains=item.title).exists()
        checklist.skip_item(item=self.item("credentials"), actor=self.alice, reason="None exposed")
        assert Notice.objects.filter(person=self.bob, title__contains=item.title).count() == 1

    def test_a_duty_given_later_takes_what_may_begin(self) -> None:
        ChecklistItem.objects.filter(case=self.plan, key="record").update(role="Scribe")
        cases.set_member(case=self.plan, actor=self.alice, user=self.bob, role="analyst", duty="Scribe")
        assert self.item("record").owner == self.bob
        told = Notice.objects.filter(person=self.bob, path__endswith=f"/{self.item('record').pk}/")
        assert told.count() == 1


HOUR = timedelta(hours=1)
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class ClockTests(GateCase):
    """Opened at 08:00; contained from 10:00; closed at 13:00; open again from 20:00; closed at 22:00. The detection
    took 2 h, containment 3 h + 2 h, and the 7 h in between are nobody's."""

    def at(self, hours: float) -> "mock._patch[mock.Mock]":
        return mock.patch("django.utils.timezone.now", return_value=START + hours * HOUR)

    def closed_and_opened_again(self) -> Case:
        with self.at(0):
            case = make_case(self.alice, detected=START)
        with self.at(2):
            cases.move_phase(case=case, actor=self.alice, phase="containment", reason="x")
        cases.edit_case(case=case, actor=self.alice, classification="truePositive")
        with self.at(5):
            cases.close_case(case=case, actor=self.alice, reason="")
        case.refresh_from_db()
        with self.at(12):
            cases.reopen_case(case=case, actor=self.alice, reason="It came back")
        case.refresh_from_db()
        PhaseEntry.objects.filter(case=case, left_at=None).update(entered_at=START + 12 * HOUR)
        return case

    def stays(self, case: Case, now: datetime) -> dict[str, Spent]:
        """What the dashboard counts with."""
        scope = Scope(self.alice, Filters(Period(date(2026, 3, 1), date(2026, 3, 31))), now)
        return {phase: row for phase, rows in stays(scope).items() for row in rows if row.case.pk == case.pk}

    def spent(self, case: Case, now: datetime) -> dict[str, float]:
        return {phase: row.seconds / 3600 for phase, row in self.stays(case, now).items()}

    def test_an_event_that_alone_proves_a_required_item_stays(self) -> None:
        case = make_case(self.alice)
        item = checklist.add_item(case=case, actor=self.alice, title="Contain it", phase="detection", required=True)
        event = findings.add_event(case=case, actor=self.alice, at=START, title="The port was closed")
        checklist.finish_item(item=item, actor=self.alice, result="", proofs=[("event", event)])
        with pytest.raises(ValidationError, match="Contain it"):
            findings.remove_event(event=event, actor=self.alice, reason="Noise")
        self.sign_in(self.alice)
        page = reverse("ircase:event_remove", args=[case.reference, event.uuid])
        shown = self.client.post(page, {"reason": "Noise"}, follow=True)
        self.assertContains(shown, "It is the proof of what was done: Contain it.")
        assert item.proofs.count() == 1
        checklist.add_proof(item=item, actor=self.alice, decision="The firewall's log, line 12")
        findings.remove_event(event=event, actor=self.alice, reason="Noise")
        assert item.proofs.count() == 1

    def test_two_leads_open_it_again_once(self) -> None:
        case = make_case(self.alice)
        cases.edit_case(case=case, actor=self.alice, classification="truePositive")
        cases.close_case(case=case, actor=self.alice, reason="")
        mine, theirs = Case.objects.get(pk=case.pk), Case.objects.get(pk=case.pk)
        cases.reopen_case(case=theirs, actor=self.alice, reason="It came back")
        with pytest.raises(ValidationError, match="The case is open"):
            cases.reopen_case(case=mine, actor=self.alice, reason="It came back")
        assert PhaseEntry.objects.filter(case=case, left_at=None).count() == 1

    def test_the_time_between_closing_and_reopening_is_in_no_phase(self) -> None:
        case = self.closed_and_opened_again()
        now = START + 13 * HOUR
        assert self.spent(case, now)["detection"] == 2
        assert self.spent(case, now)["containment"] == 3 + 1
        head = head_of(case, now)
        assert {stay.phase.value: stay.spent / HOUR for stay in head.phases}["containment"] == 4
        assert head.open_for == 6 * HOUR, "2 + 3 before it was closed, 1 since"

    def test_a_second_closing_ends_it_again(self) -> None:
        case = self.closed_and_opened_again()
        with self.at(14):
            cases.close_case(case=case, actor=self.alice, reason="")
        case.refresh_from_db()
        later = START + 100 * HOUR
        assert self.spent(case, later)["containment"] == 5
        assert head_of(case, later).open_for == 7 * HOUR
        assert case.milestones.get(kind="closed").at == START + 14 * HOUR
        reasons = [entry.reason for entry in PhaseEntry.objects.filter(case=case)]
        assert reasons == ["Case opened", "x", "Opened again: It came back"]

    def test_while_it_is_closed_no_stay_goes_on(self) -> None:
        case = self.closed_and_opened_again()
        with self.at(14):
            cases.close_case(case=case, actor=self.alice, reason="")
        found = self.stays(case, START + 50 * HOUR)
        assert set(found) == {"detection", "containment"} and not any(row.goes_on for row in found.values())

    def test_going_back_to_a_phase_adds_to_its_stays_and_what_goes_on_counts_until_now(self) -> None:
        with self.at(0):
            case = make_case(self.alice, detected=START)
        for hour, phase in ((2, "containment"), (5, "detection"), (6, "containment")):
            with self.at(hour):
                cases.move_phase(case=case, actor=self.alice, phase=phase, reason="x")
        assert PhaseEntry.objects.filter(case=case, phase="detection").count() == 2
        found = self.stays(case, START + 20 * HOUR)
        assert {phase: (row.seconds / 3600, row.goes_on) for phase, row in found.items()} == {
            "detection": (2 + 1, False), "containment": (3 + 14, True),
        }  # fmt: skip

    def test_phases_have_the_median_over_cases(self) -> None:
        with self.at(0):
            first, second = (make_case(self.alice, detected=START) for _ in range(2))
        for case, hour in ((first, 3), (second, 9)):
            with self.at(hour):
                cases.move_phase(case=case, actor=self.alice, phase="containment", reason="x")
        source = dashboard.source_of("phases")
        assert source is not None
        scope = Scope(self.alice, Filters(Period(date(2026, 3, 1), date(2026, 3, 31))), START + 20 * HOUR)
        found = row(source.panel(scope), "phases", str(Phase.DETECTION.label))
        assert [found[name].value for name in ("Median", "n", "Still in it")] == [6 * 3600, 2, 0]
