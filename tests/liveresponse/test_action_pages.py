"""The pages of response actions, the kill switch and the approvals inbox, as people open them."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ircase.models import Approval, CaseRole, Milestone, Proof
from ircase.report.data import collect
from ircase.services import approvals, cases
from ircase.services.analysis import findings
from ircase.services.phases import checklist
from liveresponse import runner
from liveresponse.models import ActionState, Effect, Freeze, ResponseAction
from liveresponse.services import actions, freezing
from tests.cast import CastTestCase
from tests.liveresponse.responder import NAME, FakeResponder

WHY = "Hands on keyboard; nobody else is awake"


class ActionPageTests(CastTestCase):
    def setUp(self) -> None:
        self.tenant = FakeResponder()
        self.sign_in(self.bob)

    def url(self, name: str, *arguments: Any) -> str:
        return reverse(f"liveresponse:{name}", args=[self.case.reference, *arguments])

    def text(self, url: str) -> str:
        page = self.client.get(url)
        assert page.status_code == 200
        return str(page.content.decode())

    def ask(self, **form: Any) -> ResponseAction:
        values = {"other": NAME, "reason": "It spreads", "isolation": "Full", **form}
        reply = self.client.post(self.url("action_ask", "isolate"), values)
        assert reply.status_code == 302, reply.content.decode()[-3000:]
        return ResponseAction.objects.latest("pk")

    def done(self, row: ResponseAction) -> ResponseAction:
        approval = Approval.objects.filter(subject=row.batch).first()
        if approval:
            approvals.decide(approval=approval, actor=self.alice, approve=True)
            actions.decided(row.batch)
        for _ in range(8):
            ResponseAction.objects.update(next_poll_at=timezone.now(), lease_owner="", lease_until=None)
            runner.act(row.pk, "worker", self.tenant)
        row.refresh_from_db()
        assert row.state == ActionState.DONE, row.failure
        return row

    def test_the_tab_says_what_each_kind_does_and_lists_what_was_done(self) -> None:
        empty = self.text(self.url("actions"))
        assert "No response action yet" in empty
        assert "Isolate from the network" in empty
        row = self.ask()
        page = self.text(self.url("actions"))
        assert self.url("action", row.uuid) in page
        assert "Waiting for approval" in page

    def test_the_form_says_what_it_does_who_notices_and_how_to_undo_it(self) -> None:
        for kind in ("isolate", "release", "restrict", "unrestrict", "scan", "quarantine", "block", "unblock"):
            page = self.text(self.url("action_ask", kind))
            for words in ("What it does", "What people notice", "How to undo it", "Alice"):
                assert words in page, kind
        assert self.client.get(self.url("action_ask", "explode")).status_code == 404

    def test_several_devices_at_once(self) -> None:
        from_case = ["ws-08.contoso.com", "ws-09.contoso.com"]
        for name in from_case:
            findings.add_asset(case=self.case, actor=self.bob, kind="device", name=name)
        self.ask(targets=from_case, other="")
        assert sorted(ResponseAction.objects.values_list("target", flat=True)) == from_case
        assert Approval.objects.count() == 1
        assert "2 devices" in Approval.objects.get().title

    def test_what_cannot_be_done_is_said_on_the_form(self) -> None:
        self.ask()
        again = self.client.post(self.url("action_ask", "isolate"), {"other": NAME, "reason": "x", "isolation": "Full"})
        assert again.status_code == 422
        assert "already asked for" in again.content.decode()
        nobody = self.client.post(self.url("action_ask", "scan"), {"other": "", "reason": "x", "scan": "Quick"})
        assert "Choose a device." in nobody.content.decode()

    def test_from_effect_to_milestone_to_proof_to_release(self) -> None:
        item = checklist.add_item(case=self.case, actor=self.alice, title="Isolate the devices", phase="containment")
        type(item).objects.filter(pk=item.pk).update(suggested_actions=["isolate"])
        row = self.done(self.ask())
        page = self.text(self.url("action", row.uuid))
        assert "Defender reports the device isolated since" in page
        assert "Set Contained" in page
        assert "Isolate the devices" in page
        self.client.post(self.url("action_contained", row.uuid))
        contained = Milestone.objects.get(case=self.case, kind=Milestone.Kind.CONTAINED)
        assert contained.at == row.effect_at
        self.client.post(self.url("action_prove", row.uuid, item.pk))
        assert Proof.objects.get(item=item).activity == row.activity
        page = self.text(self.url("action", row.uuid))
        assert "Set Contained" not in page
        assert "Link as proof" not in page
        undo = f"{self.url('action_ask', 'release')}?undoes={row.uuid}"
        assert undo in page
        reply = self.client.post(undo, {"other": NAME, "reason": "Clean"})
        released = ResponseAction.objects.latest("pk")
        assert reply.status_code == 302
        assert (released.kind, released.undoes) == ("release", row)
        assert self.done(released).effect == Effect.CONFIRMED

    def test_contained_is_not_set_without_an_effect(self) -> None:
        row = self.ask()
        self.client.post(self.url("action_contained", row.uuid))
        assert not Milestone.objects.filter(case=self.case, kind=Milestone.Kind.CONTAINED).exists()

    def test_break_glass_by_the_form_with_its_banner_until_it_is_reviewed(self) -> None:
        bad = {"without": "on", "glass_reason": "short", "glass_name": NAME}
        reply = self.client.post(
            self.url("action_ask", "isolate"), {"other": NAME, "reason": "x", "isolation": "Full", **bad}
        )
        assert reply.status_code == 422
        row = self.ask(without="on", glass_reason=WHY, glass_name=NAME)
        assert row.break_glass
        banner = "acted without approval"
        for tab in (self.url("actions"), reverse("ircase:case", args=[self.case.reference])):
            assert banner in self.text(tab)
        self.client.post(self.url("action_review", row.uuid), {"review": "I find my own act good."})
        self.sign_in(self.alice)
        assert "What do you think of it?" in self.text(self.url("action", row.uuid))
        self.client.post(self.url("action_review", row.uuid), {"review": "It was right to do so at once."})
        page = self.text(reverse("ircase:case", args=[self.case.reference]))
        assert banner not in page
        row.refresh_from_db()
        assert row.reviewed_by == self.alice

    def test_text_from_people_is_escaped_everywhere(self) -> None:
        evil = "<script>alert(1)</script> because of it"
        row = self.ask(reason=evil, without="on", glass_reason=evil, glass_name=NAME)
        log = reverse("ircase:log", args=[self.case.reference])
        for url in (self.url("action", row.uuid), self.url("actions"), log):
            assert "<script>alert" not in self.text(url)

    def test_lists_ask_the_database_as_often_for_many_as_for_one(self) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as counted:
                self.client.get(self.url("actions"))
            return len(counted)

        self.ask()
        queries()
        one = queries()
        for number in range(6):
            self.ask(other=f"ws-1{number}.contoso.com")
        assert queries() == one

    def test_the_report_marks_break_glass_and_finds_the_shared_approval(self) -> None:
        self.done(self.ask())
        glass = self.ask(other="ws-08.contoso.com", without="on", glass_reason=WHY, glass_name="ws-08.contoso.com")
        entries = {entry.device: entry for entry in collect(self.case, now=timezone.now()).devices}
        assert [approval.decided_by for approval in entries[NAME].approvals] == ["Alice"]
        marked = entries[glass.target]
        assert marked.work.title.startswith("Break-glass")
        assert any(pair.name == "break_glass" and WHY in pair.value for pair in marked.more)


class KillSwitchPageTests(CastTestCase):
    PAGE = "/kill-switch/"

    def test_one_button_a_banner_on_every_page_and_two_leads_to_thaw(self) -> None:
        self.sign_in(self.bob)
        assert "Freeze everything now" not in self.client.get(self.PAGE).content.decode()
        assert self.client.post(self.PAGE).status_code == 403
        self.sign_in(self.alice)
        assert "Freeze everything now" in self.client.get(self.PAGE).content.decode()
        self.client.post(self.PAGE)
        frozen = Freeze.objects.get()
        for url in ("/", "/cases/", "/approvals/", reverse("ircase:case", args=[self.case.reference])):
            assert "Outgoing actions are frozen" in self.client.get(url).content.decode()
        assert "Outgoing actions" not in self.client_class().get("/sign-in/").content.decode()
        thaw = reverse("liveresponse:thaw", args=[frozen.pk])
        assert "has to agree" in self.client.post(thaw, {"reason": "checked"}, follow=True).content.decode()
        assert freezing.standing() == [frozen]
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)
        self.sign_in(self.bob)
        self.client.post(thaw, {"reason": "agreed"})
        assert freezing.standing() == []
        assert "Outgoing actions are frozen" not in self.client.get("/").content.decode()

    def test_one_connection_alone(self) -> None:
        self.sign_in(self.ada)
        self.client.post(self.PAGE, {"connection": self.connection.pk})
        assert [one.connection for one in freezing.standing()] == [self.connection]
        page = self.client.get(self.PAGE).content.decode()
        assert "Frozen: Contoso" in page
        assert "Freeze everything now" in page


class InboxTests(CastTestCase):
    def setUp(self) -> None:
        rows = actions.request_actions(
            case=self.case, actor=self.bob, kind="isolate", targets=[NAME], parameters={}, reason="It spreads fast"
        )
        self.approval = Approval.objects.get(subject=rows[0].batch)
        self.decision = reverse("ircase:approval", args=[self.approval.uuid])

    def inbox(self) -> str:
        return str(self.client.get("/approvals/").content.decode())

    def test_everything_needed_to_decide_is_there_and_so_is_the_decision(self) -> None:
        self.sign_in(self.alice)
        page = self.inbox()
        for words in ("It spreads fast", NAME, "Bob", "What it does", "How to undo it", "Approve", "Reject"):
            assert words in page
        self.client.post(self.decision, {"decision": "approve", "comment": "go"})
        self.approval.refresh_from_db()
        assert self.approval.state == "approved"

    def test_a_no_needs_its_reason(self) -> None:
        self.sign_in(self.alice)
        reply = self.client.post(self.decision, {"decision": "reject"}, follow=True)
        assert "Say why not" in reply.content.decode()
        self.approval.refresh_from_db()
        assert self.approval.state == "requested"

    def test_what_is_decided_stands_in_its_own_list_only(self) -> None:
        self.sign_in(self.bob)
        mine = self.client.get("/approvals/").context
        assert (list(mine["mine"]), list(mine["decided"])) == ([self.approval], [])
        approvals.decide(approval=self.approval, actor=self.alice, approve=True)
        mine = self.client.get("/approvals/").context
        assert (list(mine["mine"]), list(mine["decided"])) == ([], [self.approval])

    def test_what_ran_out_waits_for_nobody_and_is_not_counted(self) -> None:
        self.sign_in(self.alice)
        assert self.client.get("/").context["approvals_waiting"] == 1
        Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        page = self.client.get("/approvals/").context
        assert (list(page["waiting"]), list(page["decided"])) == ([], [self.approval])
        assert page["approvals_waiting"] == 0
