"""The approvals inbox and page: who sees what, who decides, and nobody for themselves."""

import uuid
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase.models import Approval, Case, User
from ircase.services import approvals, cases, inbox
from tests.cast import CastTestCase


class ApprovalPageTests(CastTestCase):
    def ask(self, case: Case, actor: User) -> Approval:
        return approvals.request(
            case=case, actor=actor, kind="liveresponse.script", subject=uuid.uuid4(), title="Run <x>.ps1",
            detail={"Script": "<x>.ps1", "SHA-256": "a" * 64}, digest="d" * 64, task="liveresponse.approval_decided",
        )  # fmt: skip

    def setUp(self) -> None:
        self.asked = self.ask(self.case, self.bob)
        self.url = reverse("ircase:approval", args=[self.asked.uuid])

    def test_it_waits_for_the_lead_and_for_nobody_else(self) -> None:
        hidden = self.ask(self.secret_case, self.alice)
        assert list(inbox.waiting_for(self.alice)) == [self.asked]
        for person in (self.bob, self.carol, self.mallory, self.ada):
            assert not inbox.waiting_for(person).exists()
        assert set(inbox.mine(self.alice)) == {hidden}
        assert set(inbox.mine(self.bob)) == {self.asked}

    def test_what_was_asked_is_shown_escaped(self) -> None:
        self.sign_in(self.carol)
        page = self.client.get(self.url).content.decode()
        assert "&lt;x&gt;.ps1" in page
        assert "<x>" not in page
        assert "Only a lead of the case can decide this." in page

    def test_a_lead_approves_with_a_comment_and_the_task_is_woken(self) -> None:
        self.sign_in(self.alice)
        with self.captureOnCommitCallbacks() as queued:
            self.client.post(self.url, {"decision": "approve", "comment": "Fine"})
        self.asked.refresh_from_db()
        assert (self.asked.state, self.asked.decided_by, self.asked.comment) == ("approved", self.alice, "Fine")
        assert len(queued) == 1
        assert list(inbox.decided(self.alice)) == [self.asked]
        assert not inbox.waiting_for(self.alice).exists()

    def test_one_s_own_request_is_refused_with_the_reason(self) -> None:
        own = self.ask(self.case, self.alice)
        self.sign_in(self.alice)
        address = reverse("ircase:approval", args=[own.uuid])
        assert "You asked for this yourself" in self.client.get(address).content.decode()
        reply = self.client.post(address, {"decision": "approve"})
        assert reply.status_code == 403
        assert "another lead of the case has to decide" in reply.content.decode()

    def test_readers_strangers_and_those_who_may_not_know(self) -> None:
        for person, reads, writes in ((self.bob, 200, 403), (self.carol, 200, 403), (self.mallory, 404, 404)):
            self.sign_in(person)
            assert self.client.get(self.url).status_code == reads
            assert self.client.post(self.url, {"decision": "approve"}).status_code == writes
        hidden = reverse("ircase:approval", args=[self.ask(self.secret_case, self.alice).uuid])
        self.sign_in(self.carol)
        assert self.client.get(hidden).status_code == 404
        self.asked.refresh_from_db()
        assert self.asked.state == "requested"

    def test_a_late_yes_changes_nothing(self) -> None:
        Approval.objects.filter(pk=self.asked.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
        self.sign_in(self.alice)
        reply = self.client.post(self.url, {"decision": "approve"}, follow=True)
        assert "past its time" in reply.content.decode()
        self.asked.refresh_from_db()
        assert self.asked.decided_by is None

    def test_who_leaves_the_case_sees_its_questions_no_more(self) -> None:
        quiet = self.ask(self.secret_case, self.alice)
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.bob, role="lead")
        assert quiet in inbox.waiting_for(self.bob)
        cases.remove_member(case=self.secret_case, actor=self.alice, user=self.bob)
        assert quiet not in inbox.waiting_for(self.bob)

    def test_the_empty_inbox_says_what_it_is_for(self) -> None:
        self.sign_in(self.mallory)
        assert "Nothing waits for you" in self.client.get(reverse("ircase:approvals")).content.decode()
