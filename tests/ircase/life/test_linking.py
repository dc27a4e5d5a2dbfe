"""Links, merges and patterns: nobody learns of a case they may not see."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import Asset, Case, CaseLink, CaseRole, ChecklistItem, Event, Indicator, LogEntry
from ircase.services import cases, templating
from ircase.services.analysis import findings
from ircase.services.casework import casemerging, linking
from ircase.services.phases import checklist, clocks
from ircase.services.writing import comments
from tests.cast import CastTestCase, make_case, make_evidence
from tests.ircase.queries import at_most


class LinkTests(CastTestCase):
    def page(self, user: object, case: Case) -> str:
        self.sign_in(user)  # type: ignore[arg-type]
        return self.client.get(reverse("ircase:links", args=[case.reference])).content.decode()

    def test_both_sides_say_it_in_their_words(self) -> None:
        other = make_case(self.alice, title="The first host")
        linking.link(case=self.case, actor=self.alice, other=other, kind="caused_by", reason="Same loader")
        assert [(s.words, s.other.pk) for s in linking.seen_by(self.case, self.alice)] == [("Caused by", other.pk)]
        assert [(s.words, s.other.pk) for s in linking.seen_by(other, self.alice)] == [("Caused", self.case.pk)]
        with pytest.raises(ValidationError, match="already"):
            linking.link(case=other, actor=self.alice, other=self.case, kind="caused_by", reason="x")

    def test_an_outsider_of_the_other_learns_nothing(self) -> None:
        linking.link(case=self.case, actor=self.alice, other=self.secret_case, kind="related", reason="The insider")
        assert self.secret_case.reference in self.page(self.alice, self.case)
        for user in (self.bob, self.carol):
            body = self.page(user, self.case)
            assert "No linked case that you may see" in body
            for word in (self.secret_case.reference, "Quiet one", "The insider"):
                assert word not in body
        entries = LogEntry.objects.filter(case=self.case)
        assert not entries.filter(action="case.linked").exists(), "its log must not tell its readers of a hidden case"
        assert LogEntry.objects.filter(case=self.secret_case, action="case.linked").count() == 1
        assert self.secret_case.reference not in str(list(LogEntry.objects.values_list("detail", flat=True)))

    def test_a_hidden_and_an_unknown_case_are_answered_alike(self) -> None:
        self.sign_in(self.bob)
        page = reverse("ircase:links", args=[self.case.reference])
        said = []
        for reference in (self.secret_case.reference, "IR-2020-XAAAAAA"):
            reply = self.client.post(page, {"kind": "related", "other": reference, "reason": "x"})
            assert reply.status_code == 422
            said.append(reply.content.decode().count("There is no such case, or you may not see it."))
        assert said[0] == said[1] > 0
        assert not CaseLink.objects.exists()

    def test_two_hidden_cases_leave_their_link_in_the_sites_log_by_its_id(self) -> None:
        other = make_case(self.alice, confidential=True)
        made = linking.link(case=self.secret_case, actor=self.alice, other=other, kind="child", reason="One group")
        entry = LogEntry.objects.get(action="case.linked")
        assert (entry.case, entry.detail) == (None, {"link": str(made.uuid)})

    def test_removed_it_is_gone_and_can_be_made_again(self) -> None:
        other = make_case(self.alice)
        made = linking.link(case=self.case, actor=self.alice, other=other, kind="related", reason="x")
        self.sign_in(self.carol)
        remove = reverse("ircase:link_remove", args=[self.case.reference, made.uuid])
        assert self.client.post(remove).status_code == 403
        self.sign_in(self.alice)
        assert self.client.post(remove).status_code == 302
        assert linking.seen_by(self.case, self.alice) == []
        linking.link(case=self.case, actor=self.alice, other=other, kind="related", reason="again")

    def test_the_page_is_cheap(self) -> None:
        for _ in range(3):
            linking.link(case=self.case, actor=self.alice, other=make_case(self.alice), kind="related", reason="x")
        self.sign_in(self.alice)
        with at_most(17):
            self.client.get(reverse("ircase:links", args=[self.case.reference]))


class MergeTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.into = make_case(cls.alice, title="The whole thing", severity="high")
        cases.edit_case(case=cls.into, actor=cls.alice, classification="truePositive")
        at = timezone.now() - timedelta(hours=3)
        for case, names in ((cls.case, ("ws-07", "ws-08")), (cls.into, ("ws-07",))):
            for name in names:
                findings.add_asset(case=case, actor=cls.alice, kind="device", name=name)
            findings.add_indicator(case=case, actor=cls.alice, kind="ip", value="192.0.2.7")
            findings.add_event(case=case, actor=cls.alice, at=at, title="First logon")
        findings.add_indicator(case=cls.case, actor=cls.alice, kind="domain", value="bad.example", verdict="malicious")
        findings.add_event(case=cls.case, actor=cls.alice, at=at, title="A loader ran")
        make_evidence(cls.case, cls.alice)

    def merge(self) -> CaseLink:
        return casemerging.merge(case=self.case, into=self.into, actor=self.alice, reason="Same incident")

    def counts(self, case: Case) -> tuple[int, int, int]:
        return (
            Asset.objects.filter(case=case).count(),
            Indicator.objects.filter(case=case).count(),
            Event.objects.filter(case=case).count(),
        )

    def test_the_plan_counts_and_changes_nothing(self) -> None:
        plan = casemerging.plan(self.case, self.into, self.alice)
        assert (plan.new_assets, plan.joined_assets) == (1, 1)
        assert (plan.new_indicators, plan.joined_indicators) == (1, 1)
        assert (plan.new_events, plan.joined_events) == (1, 1)
        assert (plan.exhibits, plan.people, plan.hold) == (1, ("Bob",), ())
        assert self.counts(self.into) == (1, 1, 1)

    def test_findings_join_evidence_stays_the_duplicate_closes(self) -> None:
        made = self.merge()
        assert self.counts(self.into) == (2, 2, 2)
        assert self.counts(self.case) == (2, 2, 2)
        assert self.into.evidence.count() == 0
        assert Indicator.objects.get(case=self.into, value="bad.example").verdict == "malicious"
        closed = Case.objects.get(pk=self.case.pk)
        assert (closed.is_open, closed.classification) == (False, "truePositive")
        entry = LogEntry.objects.get(case=self.case, action="case.closed")
        assert self.into.reference not in str(entry.detail)
        assert made.merge is not None
        assert {name: len(found) for name, found in made.merge.items()} == {"assets": 1, "indicators": 1, "events": 1}

    def test_a_compromised_device_that_comes_has_its_steps_and_undone_they_are_skipped(self) -> None:
        into = make_case(self.alice, playbook="device-compromise")
        device, _ = findings.add_asset(case=self.case, actor=self.alice, kind="device", name="ws-20")
        findings.judge_asset(asset=device, actor=self.alice, compromise="confirmed", description="")
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        made = casemerging.merge(case=self.case, into=into, actor=self.alice, reason="Same incident")
        steps = ChecklistItem.objects.filter(case=into, asset_name="ws-20")
        assert steps.exists() and not steps.exclude(state="open").exists()
        casemerging.undo(made=made, actor=self.alice, reason="No")
        assert not into.assets.exists()
        assert not steps.exclude(state="skipped").exists()

    def test_what_was_linked_or_spoken_of_since_stays(self) -> None:
        made = self.merge()
        step = checklist.add_item(case=self.into, actor=self.alice, title="Look", phase="detection")
        checklist.add_proof(item=step, actor=self.alice, event=Event.objects.get(case=self.into, title="A loader ran"))
        bad = Indicator.objects.get(case=self.into, value="bad.example")
        comments.write(case=self.into, actor=self.alice, kind="indicator", subject=str(bad.uuid), body="Ours?")
        kept = casemerging.undo(made=made, actor=self.alice, reason="Two actors after all")
        assert kept == {"assets": 0, "indicators": 1, "events": 1}
        assert step.proofs.count() == 1

    def test_undone_it_takes_back_what_nobody_worked_on(self) -> None:
        made = self.merge()
        asset = Asset.objects.get(case=self.into, name="ws-08")
        findings.judge_asset(asset=asset, actor=self.alice, compromise="confirmed", description="Seen by us")
        with pytest.raises(ValidationError, match="Say why"):
            casemerging.undo(made=made, actor=self.alice, reason=" ")
        kept = casemerging.undo(made=made, actor=self.alice, reason="Two actors after all")
        assert kept == {"assets": 1, "indicators": 0, "events": 0}
        assert self.counts(self.into) == (2, 1, 1)
        assert Case.objects.get(pk=self.case.pk).is_open
        assert linking.seen_by(self.into, self.alice) == []

    def test_who_does_not_lead_both_does_not_merge(self) -> None:
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)
        with pytest.raises(PermissionDenied):
            casemerging.merge(case=self.case, into=self.into, actor=self.bob, reason="x")

    def test_a_hidden_case_does_not_spill_into_an_open_one(self) -> None:
        with pytest.raises(ValidationError, match="confidential"):
            casemerging.merge(case=self.secret_case, into=self.into, actor=self.alice, reason="x")
        assert self.counts(self.into) == (1, 1, 1)

    def test_a_merge_is_no_way_round_the_second_person_nor_into_an_exercise(self) -> None:
        cases.edit_case(case=self.into, actor=self.alice, severity="low")
        with pytest.raises(ValidationError, match="closed by two people"):
            self.merge()
        cases.edit_case(case=self.case, actor=self.alice, classification="falsePositive")
        assert casemerging.plan(self.case, self.into, self.alice).hold == ()
        drill = make_case(self.alice, exercise=True)
        with pytest.raises(ValidationError, match="an exercise"):
            casemerging.merge(case=self.case, into=drill, actor=self.alice, reason="x")

    def test_a_running_deadline_holds_the_merge(self) -> None:
        clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        with pytest.raises(ValidationError, match="Deadlines of the law run"):
            self.merge()

    def test_the_page_shows_the_counts_first(self) -> None:
        self.sign_in(self.alice)
        page = reverse("ircase:merge", args=[self.case.reference])
        assert self.client.get(page, {"into": self.secret_case.reference + "Z"}).status_code == 422
        self.assertContains(self.client.get(page, {"into": self.into.reference.lower()}), "What would happen")
        reply = self.client.post(page, {"into": self.into.reference, "reason": "Same incident"})
        assert reply.status_code == 302
        made = CaseLink.objects.get()
        undo = reverse("ircase:merge_undo", args=[self.into.reference, made.uuid])
        assert self.client.post(undo, {"reason": "No"}).status_code == 302
        assert Case.objects.get(pk=self.case.pk).is_open


class PatternTests(CastTestCase):
    def test_a_case_like_another_has_its_own_items_and_no_findings(self) -> None:
        source = make_case(self.alice, playbook="ransomware", connection=self.connection)
        checklist.add_item(case=source, actor=self.alice, title="Call the insurer", phase="detection", required=True)
        findings.add_asset(case=source, actor=self.alice, kind="device", name="ws-07")
        made = templating.open_from(source=source, actor=self.bob, title="The next one")
        assert (made.playbook, made.severity, made.connection) == ("ransomware", "high", self.connection)
        own = ChecklistItem.objects.get(case=made, title="Call the insurer")
        assert (own.required, own.state) == (True, "open")
        planned = ChecklistItem.objects.filter(case=source).exclude(phase="preparation").count()
        assert ChecklistItem.objects.filter(case=made).exclude(phase="preparation").count() == planned
        assert not made.assets.exists()
        assert source.reference not in str(list(LogEntry.objects.filter(case=made).values_list("detail", flat=True)))

    def test_after_a_hidden_case_comes_a_hidden_one(self) -> None:
        made = templating.open_from(source=self.secret_case, actor=self.alice, title="Again", confidential=False)
        assert made.confidential
        with pytest.raises(PermissionDenied):
            templating.open_from(source=self.secret_case, actor=self.bob, title="x")

    def test_the_page(self) -> None:
        self.sign_in(self.bob)
        page = reverse("ircase:case_like", args=[self.case.reference])
        self.assertContains(self.client.get(page), "Open a case like this one")
        reply = self.client.post(page, {"title": "Another", "severity": "low"})
        assert reply.status_code == 302
        assert Case.objects.get(title="Another").severity == "low"
        assert self.client.get(reverse("ircase:case_like", args=[self.secret_case.reference])).status_code == 404
