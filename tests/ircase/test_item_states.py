"""The states of an item with their times, due dates that follow milestones, reminders, and steps per asset."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from ircase.models import Asset, CaseRole, ChecklistItem, Notice, NoticeCode
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.phases import checklist, reminders, repeats
from tests.ircase.test_phase_gate import GateCase

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class StateTests(GateCase):
    def test_every_change_is_kept_with_its_time_and_its_person(self) -> None:
        item = self.item("validate")
        checklist.start_item(item=item, actor=self.bob)
        assert (item.state, item.owner) == ("in_work", self.bob)
        checklist.wait_item(item=item, actor=self.bob, waiting_for="The plant's IT")
        assert self.item("validate").waiting_for == "The plant's IT"
        checklist.ask_review(item=item, actor=self.bob, reviewer=self.alice, result="Looks real")
        assert (item.reviewer, item.waiting_for) == (self.alice, "")
        checklist.finish_item(item=item, actor=self.alice, result="")
        changes = list(item.changes.all())
        assert [(one.before, one.state, one.by) for one in changes] == [
            ("open", "in_work", self.bob),
            ("in_work", "waiting", self.bob),
            ("waiting", "review", self.bob),
            ("review", "done", self.alice),
        ]
        assert changes[1].note == "The plant's IT"
        assert self.item("validate").result == "Looks real"
        assert self.item("validate").state_at == changes[-1].at

    def test_a_review_is_a_second_persons(self) -> None:
        item = self.item("validate")
        with pytest.raises(ValidationError, match="second person"):
            checklist.ask_review(item=item, actor=self.bob, reviewer=self.bob)
        with pytest.raises(ValidationError, match="cannot work on this case"):
            checklist.ask_review(item=item, actor=self.bob, reviewer=self.mallory)
        checklist.ask_review(item=item, actor=self.bob, reviewer=None, result="Real")
        assert Notice.objects.get(code=NoticeCode.APPROVAL).person == self.alice, "no name: the leads"
        with pytest.raises(ValidationError, match="somebody else ends it"):
            checklist.finish_item(item=item, actor=self.bob, result="Real")
        checklist.reopen_item(item=item, actor=self.bob)
        assert checklist.finish_item(item=item, actor=self.bob, result="Real").state == "done"

    def test_what_has_ended_does_not_end_again_nor_wait(self) -> None:
        item = checklist.skip_item(item=self.item("watch"), actor=self.bob, reason="Scrapped")
        for act in (
            lambda: checklist.finish_item(item=item, actor=self.bob, result="x"),
            lambda: checklist.skip_item(item=item, actor=self.bob, reason="x"),
            lambda: checklist.wait_item(item=item, actor=self.bob, waiting_for="x"),
        ):
            with pytest.raises(ValidationError, match="Open it again"):
                act()

    def test_two_browsers_end_it_once(self) -> None:
        mine, theirs = self.item("validate"), self.item("validate")
        checklist.skip_item(item=theirs, actor=self.alice, reason="A drill")
        with pytest.raises(ValidationError, match="Meanwhile it is skipped"):
            checklist.finish_item(item=mine, actor=self.bob, result="Done")
        assert self.item("validate").state == "skipped"

    def test_one_that_waits_for_another_cannot_begin(self) -> None:
        with pytest.raises(ValidationError, match="waits for"):
            checklist.start_item(item=self.item("entry"), actor=self.bob)


class DueTests(GateCase):
    def test_a_date_follows_its_milestone_unless_a_person_has_set_it(self) -> None:
        now = timezone.now()
        cases.set_milestone(case=self.plan, actor=self.bob, kind="detected", at=now - 10 * HOUR)
        assert self.item("validate").due_at == now - 9 * HOUR
        checklist.plan_item(item=self.item("volatile"), actor=self.bob, owner=None, due_at=now + 2 * DAY)
        cases.set_milestone(case=self.plan, actor=self.bob, kind="detected", at=now - 5 * HOUR)
        assert self.item("validate").due_at == now - 4 * HOUR
        assert self.item("volatile").due_at == now + 2 * DAY

    def test_it_is_told_a_day_before_at_the_time_and_once_a_day_after(self) -> None:
        due = timezone.now() + 3 * DAY
        checklist.plan_item(item=self.item("watch"), actor=self.alice, owner=self.bob, due_at=due)
        self.plan.checklist.exclude(key="watch").update(due_at=None)

        def told() -> list[str]:
            found = Notice.objects.filter(person=self.bob, code=NoticeCode.DUE).order_by("pk")
            return [one.title.split(":")[0] for one in found]

        for hours, words in (
            (-48, []),
            (-23, ["Due within a day"]),
            (-22, ["Due within a day"]),
            (0.1, ["Due within a day", "Due now"]),
            (5, ["Due within a day", "Due now"]),
            (24.2, ["Due within a day", "Due now", "Overdue for 1 day"]),
            (30, ["Due within a day", "Due now", "Overdue for 1 day"]),
            (48.5, ["Due within a day", "Due now", "Overdue for 1 day", "Overdue for 2 days"]),
        ):
            reminders.remind(due + hours * HOUR)
            assert told() == words, hours
        checklist.skip_item(item=self.item("watch"), actor=self.bob, reason="no")
        assert reminders.remind(due + 90 * HOUR) == 0

    def test_what_is_due_within_the_day_is_not_announced_at_once(self) -> None:
        self.plan.checklist.update(due_at=None)
        due = timezone.now() + 3 * HOUR
        checklist.plan_item(item=self.item("watch"), actor=self.alice, owner=self.bob, due_at=due)
        assert reminders.remind(timezone.now() + HOUR) == 0
        assert reminders.remind(due + timedelta(minutes=1)) == 1

    def test_what_is_nobodys_goes_to_the_leads_where_it_is_required_and_a_closed_case_is_quiet(self) -> None:
        self.plan.checklist.exclude(key__in=["entry", "watch"]).update(due_at=None)
        self.plan.checklist.filter(key__in=["entry", "watch"]).update(due_at=timezone.now() - HOUR, reminded_at=None)
        assert reminders.remind() == 1
        assert Notice.objects.get(code=NoticeCode.DUE).person == self.alice
        cases.edit_case(case=self.plan, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.plan, actor=self.alice, reason="Enough")
        assert reminders.remind(timezone.now() + 3 * DAY) == 0


class RepeatTests(GateCase):
    def asset(self, name: str, compromise: str = "suspected", kind: str = "device") -> Asset:
        asset, _ = findings.add_asset(case=self.plan, actor=self.bob, kind=kind, name=name, compromise=compromise)
        return asset

    def steps(self, asset: Asset) -> list[str]:
        return [item.repeat_of for item in ChecklistItem.objects.filter(case=self.plan, asset=asset)]

    def test_each_compromised_device_has_its_steps_in_order(self) -> None:
        assert not self.plan.checklist.exclude(repeat_of="").exists()
        known = self.asset("ws-01", "unknown")
        assert self.steps(known) == []
        first = self.asset("ws-07")
        assert self.steps(first) == ["each_triage", "each_contain", "each_clean"]
        findings.judge_asset(asset=known, actor=self.bob, compromise="confirmed", description="")
        assert self.steps(known) == ["each_triage", "each_contain", "each_clean"]
        findings.judge_asset(asset=known, actor=self.bob, compromise="suspected", description="")
        assert len(self.steps(known)) == 3, "made once"
        triage = ChecklistItem.objects.get(asset=first, repeat_of="each_triage")
        assert triage.title == "Triage the device (ws-07)"
        assert triage.short_title == "Triage the device"
        contain = ChecklistItem.objects.get(asset=first, repeat_of="each_contain")
        assert list(contain.depends_on.all()) == [triage], "of its own device, not of the other"
        assert [one.key for one in triage.depends_on.all()] == ["validate"]

    def test_an_account_has_others(self) -> None:
        assert self.steps(self.asset("eve@contoso.com", "confirmed", "account")) == ["each_reset"]

    def test_assets_that_are_there_before_the_playbook(self) -> None:
        asset = self.asset("ws-07")
        ChecklistItem.objects.filter(asset=asset).delete()
        plan = repeats.plan_of(self.plan)
        assert plan is not None
        assert len(repeats.spread(case=self.plan, playbook=plan)) == 3
        assert repeats.spread(case=self.plan, playbook=plan) == []

    def test_a_clean_device_leaves_its_steps_skipped_and_a_change_of_mind_opens_them(self) -> None:
        asset = self.asset("ws-07")
        checklist.finish_item(item=self.item("validate"), actor=self.bob, result="Real")
        triage = ChecklistItem.objects.get(asset=asset, repeat_of="each_triage")
        checklist.finish_item(item=triage, actor=self.bob, result="", proofs=[("decision", "Nothing on it")])
        findings.judge_asset(asset=asset, actor=self.bob, compromise="clean", description="")
        states = dict(ChecklistItem.objects.filter(asset=asset).values_list("repeat_of", "state"))
        assert states == {"each_triage": "done", "each_contain": "skipped", "each_clean": "skipped"}
        contain = ChecklistItem.objects.get(asset=asset, repeat_of="each_contain")
        assert contain.result == "ws-07 was judged clean."
        findings.judge_asset(asset=asset, actor=self.bob, compromise="confirmed", description="")
        states = dict(ChecklistItem.objects.filter(asset=asset).values_list("repeat_of", "state"))
        assert states == {"each_triage": "done", "each_contain": "open", "each_clean": "open"}

    def test_a_removed_device_leaves_its_steps_skipped_with_the_reason(self) -> None:
        asset = self.asset("ws-07")
        findings.remove_asset(asset=asset, actor=self.bob, reason="It is a printer")
        left = ChecklistItem.objects.filter(case=self.plan, asset_name="ws-07")
        assert {item.state for item in left} == {"skipped"}
        assert {item.result for item in left} == {"ws-07 was taken off the case: It is a printer"}
        assert not Asset.objects.filter(case=self.plan).exists()

    def test_its_steps_go_to_the_duty_where_nothing_holds_them(self) -> None:
        checklist.finish_item(item=self.item("validate"), actor=self.bob, result="Real")
        cases.set_member(case=self.plan, actor=self.alice, user=self.bob, role=CaseRole.ANALYST, duty="Analyst")
        asset = self.asset("ws-07")
        triage = ChecklistItem.objects.get(asset=asset, repeat_of="each_triage")
        assert triage.required
        assert triage.owner == self.bob


class ManyTests(GateCase):
    def test_items_of_several_cases_are_planned_where_one_may(self) -> None:
        mine = list(self.plan.checklist.all()[:3])
        hidden = checklist.add_item(case=self.secret_case, actor=self.alice, title="Quiet work", phase="detection")
        planned, refused = checklist.plan_many(items=[*mine, hidden], actor=self.bob, owner=self.alice)
        assert planned == 3
        assert refused == [f"You may not plan items of {self.secret_case.reference}."]
        planned, refused = checklist.plan_many(items=[hidden], actor=self.alice, owner=self.bob)
        assert (planned, refused) == (0, [f"{self.bob.name} cannot see {self.secret_case.reference}."])
