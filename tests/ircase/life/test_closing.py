"""Closing: what holds, what is advised, and the second person."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from ircase.models import Activity, Approval, Case, CaseRole, LogEntry, Notice
from ircase.services import activity, approvals, cases
from ircase.services.casework import closing
from ircase.services.phases import clocks
from ircase.tasks import close_decided
from liveresponse.models import ResponseAction
from liveresponse.services import actions
from tests.cast import CastTestCase, make_evidence
from tests.ircase.queries import at_most


class ClosingTests(CastTestCase):
    def codes(self, *, holds: bool) -> set[str]:
        return {one.code for one in closing.look_over(Case.objects.get(pk=self.case.pk)) if one.holds is holds}

    def classify(self, value: str = "truePositive") -> None:
        cases.edit_case(case=self.case, actor=self.alice, classification=value)

    def second_lead(self) -> None:
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)

    def ask(self, reason: str = "It is over") -> Approval:
        self.classify()
        self.second_lead()
        asked = closing.close(case=self.case, actor=self.alice, reason=reason)
        assert asked is not None
        return asked

    def is_open(self) -> bool:
        return Case.objects.get(pk=self.case.pk).is_open

    def test_the_check_names_what_holds_and_what_is_advised(self) -> None:
        assert self.codes(holds=True) == {"classification"}
        assert self.codes(holds=False) == {"milestones", "texts"}
        make_evidence(self.case, self.alice)
        clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        activity.begin(
            case=self.case, kind=Activity.Kind.IMPORT, title="An import", subject=uuid4(), url_name="ircase:import",
            actor=self.alice,
        )  # fmt: skip
        approvals.request(
            case=self.case, actor=self.bob, kind="x", subject=uuid4(), title="Run it", detail={}, digest="d", task=""
        )
        assert self.codes(holds=True) == {"classification", "clocks", "running", "approvals"}
        assert self.codes(holds=False) == {"milestones", "texts", "evidence_unchecked"}

    def test_an_isolated_device_is_named_until_it_is_released(self) -> None:
        (act,) = actions.request_actions(
            case=self.case, actor=self.bob, kind="isolate", targets=["ws-07"], parameters={}, reason="It spreads"
        )
        ResponseAction.objects.filter(pk=act.pk).update(state="done", effect="confirmed", ended_at=timezone.now())
        (found,) = [one for one in closing.look_over(self.case) if one.code == "isolated"]
        assert found.names == ("ws-07",)
        (back,) = actions.request_actions(
            case=self.case, actor=self.bob, kind="release", targets=["ws-07"], parameters={}, reason="Clean"
        )
        later = timezone.now() + timedelta(seconds=5)
        ResponseAction.objects.filter(pk=back.pk).update(state="done", ended_at=later)
        assert "isolated" not in self.codes(holds=False)

    def test_what_holds_cannot_be_passed_over(self) -> None:
        with pytest.raises(ValidationError, match="Set the classification"):
            closing.close(case=self.case, actor=self.alice, reason="never mind")
        self.classify()
        with pytest.raises(ValidationError, match="Say why it closes anyway"):
            closing.close(case=self.case, actor=self.alice, reason="")
        with pytest.raises(PermissionDenied):
            closing.close(case=self.case, actor=self.bob, reason="x")

    def test_a_severe_case_needs_a_second_lead(self) -> None:
        self.classify()
        with pytest.raises(ValidationError, match="closed by two people"):
            closing.close(case=self.case, actor=self.alice, reason="over")

    def test_asked_approved_closed(self) -> None:
        asked = self.ask()
        assert self.is_open()
        assert Notice.objects.filter(person=self.bob, code="approval").count() == 1
        with pytest.raises(ValidationError, match="asked already"):
            closing.close(case=self.case, actor=self.alice, reason="again")
        approvals.decide(approval=asked, actor=self.bob, approve=True)
        close_decided(str(asked.subject))
        assert not self.is_open()
        entry = LogEntry.objects.get(case=self.case, action="case.closed")
        assert (entry.detail["approved_by"], entry.detail["reason"]) == ("Bob", "It is over")
        assert set(entry.detail["passed_over"]) == {"milestones", "texts"}
        close_decided(str(asked.subject))
        assert LogEntry.objects.filter(case=self.case, action="case.closed").count() == 1

    def test_sent_back_with_words(self) -> None:
        asked = self.ask()
        with pytest.raises(PermissionDenied):
            approvals.decide(approval=asked, actor=self.alice, approve=True)
        approvals.decide(approval=asked, actor=self.bob, approve=False, comment="Write the summary first")
        close_decided(str(asked.subject))
        assert self.is_open()
        notice = Notice.objects.get(person=self.alice, code="decided")
        assert notice.lines == ["Write the summary first"]
        self.sign_in(self.alice)
        page = reverse("ircase:closing", args=[self.case.reference])
        self.assertContains(self.client.get(page), "Write the summary first")
        again = closing.close(case=self.case, actor=self.alice, reason="Written")
        assert again is not None
        assert again.pk != asked.pk

    def test_a_yes_does_not_cover_what_came_up_since(self) -> None:
        asked = self.ask()
        make_evidence(self.case, self.bob)
        approvals.decide(approval=asked, actor=self.bob, approve=True)
        close_decided(str(asked.subject))
        assert self.is_open()
        assert LogEntry.objects.filter(case=self.case, action="case.close_overtaken").count() == 1

    def test_a_yes_covers_what_was_put_right_since(self) -> None:
        asked = self.ask()
        cases.edit_case(case=self.case, actor=self.alice, summary="It was bad.", lessons="Patch sooner.")
        approvals.decide(approval=asked, actor=self.bob, approve=True)
        close_decided(str(asked.subject))
        assert not self.is_open()

    def test_a_yes_does_not_cover_another_classification(self) -> None:
        asked = self.ask()
        self.classify("informationalExpectedActivity")
        approvals.decide(approval=asked, actor=self.bob, approve=True)
        close_decided(str(asked.subject))
        assert self.is_open()

    def test_a_false_positive_and_a_small_case_are_closed_alone(self) -> None:
        self.classify("falsePositive")
        assert closing.close(case=self.case, actor=self.alice, reason="A scanner of ours") is None
        assert not self.is_open()

    @override_settings(CLOSE_REVIEW=["critical"])
    def test_the_setting_says_which_severities(self) -> None:
        self.classify()
        assert closing.close(case=self.case, actor=self.alice, reason="over") is None

    def test_the_page_closes_and_stays_cheap(self) -> None:
        page = reverse("ircase:closing", args=[self.case.reference])
        self.sign_in(self.carol)
        self.assertContains(self.client.get(page), "Set the classification")
        assert self.client.post(page).status_code == 403
        self.classify("falsePositive")
        self.sign_in(self.alice)
        self.assertContains(self.client.post(page, {"reason": ""}), "Say why it closes anyway", status_code=422)
        with at_most(29):
            self.client.get(page)
        assert self.client.post(page, {"reason": "A scanner"}).status_code == 302
        assert not self.is_open()
