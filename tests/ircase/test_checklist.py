"""The checklist in the browser: both orders, one item's life, proofs, and the row that htmx swaps."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase.models import Case, ChecklistItem, Event
from ircase.services import findings
from tests.cast import CastTestCase, make_case, make_evidence
from tests.ircase.queries import at_most


class ChecklistCase(CastTestCase):
    plan: Case

    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.plan = make_case(cls.alice, playbook="device-compromise", analysts=(cls.bob,))

    def item(self, key: str) -> ChecklistItem:
        return ChecklistItem.objects.get(case=self.plan, key=key)

    def url(self, key: str) -> str:
        return reverse("ircase:checklist_item", args=[self.plan.reference, self.item(key).pk])

    def act(self, key: str, action: str, **values: str) -> int:
        return self.client.post(self.url(key), {"action": action, **values}).status_code


class ChecklistTests(ChecklistCase):
    def test_both_orders_show_every_item_once(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:checklist", args=[self.plan.reference])
        for view in ("", "?view=csf"):
            page = self.client.get(url + view).content.decode()
            for item in self.plan.checklist.all():
                assert page.count(f'id="item-{item.pk}"') == 1, item.key
        assert "Respond (RS)" in self.client.get(url + "?view=csf").content.decode()

    def test_a_long_checklist_costs_no_more_queries(self) -> None:
        self.sign_in(self.bob)
        for view in ("", "?view=csf"):
            with at_most(17):
                self.client.get(reverse("ircase:checklist", args=[self.plan.reference]) + view)

    def test_an_own_item(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:checklist_add", args=[self.plan.reference])
        assert self.client.post(url, {"title": "", "phase": "detection"}).status_code == 422
        values = {"title": "Call the plant", "phase": "containment", "owner": self.bob.pk, "required": "on"}
        assert self.client.post(url, values | {"due_at": "2026-03-01T10:00:00"}).status_code == 302
        made = ChecklistItem.objects.get(case=self.plan, title="Call the plant")
        assert (made.owner, made.required, made.due_at is not None) == (self.bob, True, True)
        for user, status in ((self.mallory, 404), (self.carol, 403)):
            self.sign_in(user)
            assert self.client.post(url, values).status_code == status


class ItemTests(ChecklistCase):
    def test_who_may_look_and_who_may_act(self) -> None:
        for user, reads, writes in ((self.mallory, 404, 404), (self.carol, 200, 403), (self.bob, 200, 302)):
            self.sign_in(user)
            assert self.client.get(self.url("validate")).status_code == reads
            assert self.act("validate", "finish", result="yes") == writes

    def test_an_item_of_another_case_is_not_found_below_this_one(self) -> None:
        other = make_case(self.alice, playbook="phishing")
        item = other.checklist.first()
        assert item is not None
        self.sign_in(self.alice)
        url = reverse("ircase:checklist_item", args=[self.plan.reference, item.pk])
        assert self.client.get(url).status_code == 404
        assert self.client.post(url, {"action": "finish", "result": "x"}).status_code == 404

    def test_finish_needs_what_it_waits_for_and_a_word_or_a_proof(self) -> None:
        self.sign_in(self.bob)
        assert self.act("volatile", "finish", result="done") == 422, "validate is open"
        assert self.act("validate", "finish", result="") == 422, "required, and nothing shows it"
        assert self.act("validate", "finish", result="Malware ran as SYSTEM") == 302
        assert self.act("volatile", "finish", result="E002") == 302
        assert self.item("volatile").state == "done"
        assert self.item("volatile").ended_by == self.bob

    def test_skip_plan_reopen(self) -> None:
        self.sign_in(self.bob)
        assert self.act("watch", "skip", reason="") == 422
        assert self.act("watch", "skip", reason="The device is scrapped") == 302
        assert self.act("watch", "reopen") == 302
        assert self.item("watch").is_open
        assert self.act("watch", "plan", owner=str(self.alice.pk), due_at="2026-05-01T08:00:00") == 302
        assert self.item("watch").owner == self.alice
        assert self.act("watch", "explode") == 404

    def test_proofs_of_every_kind(self) -> None:
        exhibit = make_evidence(self.plan, self.alice)
        event = findings.add_event(case=self.plan, actor=self.bob, at=timezone.now(), title="Beacon")
        self.sign_in(self.bob)
        assert self.act("validate", "prove", evidence=str(exhibit.uuid)) == 302
        assert self.act("validate", "prove", event=str(event.uuid)) == 302
        assert self.act("validate", "prove", decision="The CISO declared it by phone") == 302
        assert self.act("validate", "prove") == 422
        assert self.act("validate", "prove", evidence=str(exhibit.uuid), decision="both") == 422
        assert self.act("validate", "finish") == 302, "a proof stands for a word"
        page = self.client.get(self.url("validate")).content.decode()
        for words in ("E001 note.txt", "Beacon", "The CISO declared it by phone"):
            assert words in page

    def test_a_proof_of_another_case_is_refused(self) -> None:
        foreign = make_evidence(self.case, self.alice)
        self.sign_in(self.bob)
        assert self.act("validate", "prove", evidence=str(foreign.uuid)) == 422
        assert Event.objects.filter(case=self.plan).count() == 0

    def test_the_row_comes_back_with_what_it_unlocks_and_the_count(self) -> None:
        self.sign_in(self.bob)
        values = {"action": "finish", "row": "1", "next": "list"}
        refused = self.client.post(self.url("validate"), values, headers={"HX-Request": "true"})
        self.assertContains(refused, "link what proves it")
        self.assertContains(refused, 'data-state="todo"')
        reply = self.client.post(self.url("validate"), values | {"result": "Real"}, headers={"HX-Request": "true"})
        page = reply.content.decode()
        assert "<html" not in page
        assert f'id="item-{self.item("validate").pk}"' in page
        assert f'<li data-state="todo" data-row id="item-{self.item("entry").pk}" hx-swap-oob="true">' in page
        assert "1 of 10" in page

    def test_without_script_the_row_leads_back_to_the_list(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post(self.url("watch"), {"action": "skip", "reason": "no", "row": "1", "next": "list"})
        assert reply.headers["Location"] == reverse("ircase:checklist", args=[self.plan.reference])

    def test_late_is_said(self) -> None:
        ChecklistItem.objects.filter(pk=self.item("record").pk).update(due_at=timezone.now() - timedelta(hours=2))
        self.sign_in(self.bob)
        self.assertContains(self.client.get(reverse("ircase:checklist", args=[self.plan.reference])), "Overdue since")
