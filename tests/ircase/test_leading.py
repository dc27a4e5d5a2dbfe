"""Phases, closing, confidentiality, members, milestones, and the administrator's door."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase.models import Case, CaseMember, LogEntry, Notice
from ircase.services import cases
from tests.cast import CastTestCase, make_connection


class LeadingTests(CastTestCase):
    def post(self, name: str, *more: str, **values: str) -> int:
        return self.client.post(reverse(f"ircase:{name}", args=[self.case.reference, *more]), values).status_code

    def test_only_a_lead_leads(self) -> None:
        acts = ("case_phase", "closing", "case_reopen", "case_confidentiality", "case_member")
        for user, status in ((self.mallory, 404), (self.carol, 403), (self.bob, 403)):
            self.sign_in(user)
            for name in acts:
                assert self.post(name, reason="x") == status
            assert self.post("case_member_remove", "bob") == status

    def test_a_case_without_a_tenant_gets_one_once(self) -> None:
        first, second = (make_connection(name=name) for name in ("North", "South"))
        Case.objects.filter(pk=self.case.pk).update(connection=None)
        self.sign_in(self.bob)
        assert self.post("case_connection", connection=str(first.pk)) == 403
        self.sign_in(self.alice)
        assert self.post("case_connection") == 422
        assert self.post("case_connection", connection=str(first.pk)) == 302
        assert self.post("case_connection", connection=str(second.pk)) == 302
        self.case.refresh_from_db()
        assert self.case.connection == first, "what was done belongs to one tenant"
        assert [e.detail["name"] for e in LogEntry.objects.filter(case=self.case, action="case.connected")] == ["North"]

    def test_a_phase_move_keeps_its_reason(self) -> None:
        self.sign_in(self.alice)
        assert self.post("case_phase", phase="containment", reason="") == 422
        assert self.post("case_phase", phase="containment", reason="Two hosts beacon") == 302
        self.case.refresh_from_db()
        assert self.case.phase == "containment"
        entry = LogEntry.objects.get(case=self.case, action="case.phase_moved")
        assert entry.detail["reason"] == "Two hosts beacon"

    def test_close_and_open_again(self) -> None:
        self.sign_in(self.alice)
        self.post("closing", reason="done")
        assert Case.objects.get(pk=self.case.pk).is_open, "a case without classification stays open"
        cases.edit_case(case=self.case, actor=self.alice, classification="falsePositive")
        self.post("closing", reason="done")
        assert not Case.objects.get(pk=self.case.pk).is_open
        self.post("case_reopen", reason="It came back")
        assert Case.objects.get(pk=self.case.pk).is_open

    def test_confidential_and_back(self) -> None:
        self.sign_in(self.alice)
        self.post("case_confidentiality", reason="")
        assert not Case.objects.get(pk=self.case.pk).confidential
        self.post("case_confidentiality", reason="An insider may be involved")
        assert Case.objects.get(pk=self.case.pk).confidential
        self.sign_in(self.carol)
        assert self.client.get(reverse("ircase:case", args=[self.case.reference])).status_code == 404

    def test_members_come_change_and_go(self) -> None:
        self.sign_in(self.alice)
        assert self.post("case_member", user=str(self.mallory.pk), role="viewer", duty="Counsel") == 302
        assert CaseMember.objects.get(case=self.case, user=self.mallory).duty == "Counsel"
        reply = self.client.post(
            reverse("ircase:case_member", args=[self.case.reference]), {"user": self.carol.pk, "role": "lead"}
        )
        self.assertContains(reply, "A manager reads", status_code=422)
        assert self.post("case_member_remove", "mallory") == 302
        assert not CaseMember.objects.filter(case=self.case, user=self.mallory).exists()
        self.post("case_member_remove", "alice")
        assert CaseMember.objects.filter(case=self.case, user=self.alice).exists(), "the last lead stays"
        assert self.post("case_member_remove", "nobody") == 404

    def test_milestones_are_set_by_analysts_in_their_zone(self) -> None:
        self.bob.time_zone = "America/New_York"
        self.bob.save()
        self.sign_in(self.bob)
        assert self.post("case_milestone", kind="contained", at="2026-01-10T09:00:00", note="by hand") == 302
        assert self.case.milestones.get(kind="contained").at.isoformat() == "2026-01-10T14:00:00+00:00"
        later = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S")
        assert self.post("case_milestone", kind="recovered", at=later) == 422
        assert self.post("case_milestone", kind="closed", at="2026-01-10T09:00:00") == 422

    def test_an_administrator_joins_with_a_reason_that_the_leads_see(self) -> None:
        url = reverse("ircase:case_join")
        self.sign_in(self.bob)
        assert self.client.get(url).status_code == 403
        self.sign_in(self.ada)
        assert self.client.post(url, {"reference": self.secret_case.reference, "reason": ""}).status_code == 422
        assert self.client.post(url, {"reference": "IR-1999-0001", "reason": "x"}).status_code == 422
        reply = self.client.post(url, {"reference": self.secret_case.reference.lower(), "reason": "Restore a backup"})
        assert reply.status_code == 302
        assert CaseMember.objects.get(case=self.secret_case, user=self.ada).role == "viewer"
        entry = LogEntry.objects.get(case=self.secret_case, action="case.administrator_joined")
        assert entry.detail["reason"] == "Restore a backup"
        told = Notice.objects.get(code="alarm")
        assert (told.person, told.case, told.lines) == (self.alice, self.secret_case, ["Restore a backup"])
        assert "Ada" in told.title
        assert self.client.post(url, {"reference": self.secret_case.reference, "reason": "again"}).status_code == 302
        assert Notice.objects.filter(code="alarm").count() == 1, "who is on it already joins no more"
