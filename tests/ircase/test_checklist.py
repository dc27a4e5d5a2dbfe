"""The checklist in the browser: both orders, one item's life, proofs, and the row that htmx swaps."""

import re
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase import profile
from ircase.models import Case, ChecklistItem, Event, LogEntry
from ircase.nist import frameworks
from ircase.services.analysis import findings
from ircase.services.phases import checklist
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
        assert self.act("volatile", "finish", result="E002") == 422, "its playbook wants more than a word"
        exhibit = make_evidence(self.plan, self.alice)
        assert self.act("volatile", "finish", result="E001", evidence=str(exhibit.uuid)) == 302
        assert self.item("volatile").proofs.get().evidence == exhibit
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

    def plan_as_shown(self, key: str) -> dict[str, str]:
        """What a browser sends back of the form of the plan, where nothing is changed."""
        form = self.client.get(self.url(key)).context["plan_form"]
        page = form.as_p()
        return dict(re.findall(r'<input[^>]*? name="([a-z_-]+)"[^>]*? value="([^"]*)"', page)) | {"action": "plan"}

    def test_a_new_owner_leaves_the_date_to_its_milestone(self) -> None:
        self.sign_in(self.bob)
        due = self.item("validate").due_at
        assert due is not None and due.microsecond, "kept finer than a browser shows it"
        assert self.client.post(self.url("validate"), self.plan_as_shown("validate") | {"owner": self.alice.pk})
        item = self.item("validate")
        assert (item.owner, item.due_at, item.due_by_hand) == (self.alice, due, False)
        assert self.act("validate", "plan", owner="", due_at=f"{due:%Y-%m-%dT%H:%M:%S}") == 302
        assert (self.item("validate").owner, self.item("validate").due_by_hand) == (None, False)

    def test_two_who_plan_at_once_lose_nothing(self) -> None:
        self.sign_in(self.bob)
        mine = self.plan_as_shown("validate")
        later = timezone.now().replace(microsecond=0) + timedelta(days=2)
        checklist.plan_item(item=self.item("validate"), actor=self.alice, owner=None, due_at=later)
        self.client.post(self.url("validate"), mine | {"owner": self.bob.pk})
        assert (self.item("validate").owner, self.item("validate").due_at) == (self.bob, later)

    def test_two_who_write_the_result_at_once_lose_nothing(self) -> None:
        self.sign_in(self.bob)
        checklist.note_result(item=self.item("validate"), actor=self.bob, result="Seen\nat nine")
        seen = {"initial-result": "Seen\r\nat nine"}
        checklist.note_result(item=self.item("validate"), actor=self.alice, result="Seen at ten")
        # What Bob leaves as it stood on his page takes nothing back.
        decided = seen | {"action": "prove", "result": "Seen\r\nat nine", "decision": "Go on"}
        assert self.client.post(self.url("validate"), decided).status_code == 302
        assert self.item("validate").result == "Seen at ten"
        # What he changes is shown beside hers first, and the item stays open.
        finish = {"action": "finish", "result": "Seen at noon"}
        refused = self.client.post(self.url("validate"), seen | finish)
        self.assertContains(refused, "Theirs: “Seen at ten”", status_code=422)
        self.assertContains(refused, "Seen at noon", status_code=422)
        assert (self.item("validate").state, self.item("validate").result) == ("open", "Seen at ten")
        again = re.search(r'name="initial-result" value="([^"]*)"', refused.content.decode())
        assert again is not None and again[1] == "Seen at ten", "saving again is knowing"
        assert self.client.post(self.url("validate"), finish | {"initial-result": again[1]}).status_code == 302
        assert self.item("validate").result == "Seen at noon"

    def test_the_log_keeps_the_result_that_others_take_the_place_of(self) -> None:
        long = "A trail. " * 60
        for act in (
            lambda item: checklist.note_result(item=item, actor=self.bob, result="Another"),
            lambda item: checklist.ask_review(item=item, actor=self.bob, reviewer=None, result="Look"),
            lambda item: checklist.skip_item(item=item, actor=self.bob, reason="A drill"),
        ):
            ChecklistItem.objects.filter(case=self.plan, key="watch").update(result=long, state="open")
            act(self.item("watch"))
            assert LogEntry.objects.filter(case=self.plan).order_by("pk").last().detail["before"] == long

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

    def test_in_work_waiting_review_and_back(self) -> None:
        self.sign_in(self.bob)
        assert self.act("entry", "start") == 422, "validate is open"
        assert self.act("validate", "start") == 302
        assert self.act("validate", "wait", waiting_for="") == 422
        assert self.act("validate", "wait", waiting_for="The <b>plant</b>") == 302
        self.assertContains(self.client.get(self.url("validate")), "Waits for The &lt;b&gt;plant&lt;/b&gt;")
        assert self.act("validate", "review", reviewer=str(self.bob.pk)) == 422
        assert self.act("validate", "review", reviewer=str(self.alice.pk), result="Real") == 302
        assert self.act("validate", "finish", result="Real") == 422, "the review is Alice's"
        self.sign_in(self.alice)
        assert self.act("validate", "finish", result="Real") == 302
        page = self.client.get(self.url("validate"))
        self.assertContains(page, "How it went")
        self.assertContains(page, "In review for")

    def test_an_items_page_keeps_to_its_queries(self) -> None:
        self.sign_in(self.bob)
        for url in [self.url(key) for key in ("validate", "entry", "reset")]:
            with at_most(21):
                self.client.get(url)


class OrderTests(ChecklistCase):
    def test_the_order_is_in_the_address_and_stays_with_the_person(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:checklist", args=[self.plan.reference])
        reply = self.client.post(reverse("ircase:checklist_view", args=[self.plan.reference]), {"view": "csf"})
        assert reply.headers["Location"] == f"{url}?view=csf"
        self.assertContains(self.client.get(url), "Respond (RS)")
        self.assertNotContains(self.client.get(f"{url}?view=r2"), "Respond (RS)")
        self.bob.refresh_from_db()
        assert self.bob.checklist_view == "csf"
        bad = self.client.post(reverse("ircase:checklist_view", args=[self.plan.reference]), {"view": "x"})
        assert bad.status_code == 404

    def test_steps_of_an_asset_stand_under_its_name_with_their_count(self) -> None:
        asset, _ = findings.add_asset(
            case=self.plan, actor=self.bob, kind="device", name="ws-07", compromise="confirmed"
        )
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:checklist", args=[self.plan.reference])).content.decode()
        assert page.count("<h3>ws-07</h3>") == 2, "in detection and in containment"
        assert "Triage the device</a>" in page
        item = ChecklistItem.objects.get(asset=asset, repeat_of="each_triage")
        self.assertContains(
            self.client.get(reverse("ircase:checklist_item", args=[self.plan.reference, item.pk])), "ws-07"
        )


class GapTests(ChecklistCase):
    def test_outcomes_without_a_done_item_are_gaps(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:checklist_gaps", args=[self.plan.reference])
        self.assertContains(self.client.get(url), "28 of 28 outcomes")
        self.act("validate", "finish", result="Real")  # RS.MA-02
        self.act("watch", "skip", reason="Scrapped")  # DE.CM-09 is not of the profile
        with at_most(16):
            page = self.client.get(url)
        self.assertContains(page, "27 of 28 outcomes")
        states = {one.number: one.state for one in profile.coverage(self.plan.checklist.all())}
        assert states["RS.MA-02"] == "done"
        assert states["RS.AN-03"] == "open"
        assert states["RC.CO-04"] == "none", "the playbook asks for nothing there"
        self.act("priority", "skip", reason="One device only")  # RS.MA-03
        skipped = {one.number: one.state for one in profile.coverage(self.plan.checklist.all())}
        assert skipped["RS.MA-03"] == "skipped"

    def test_the_profile_names_outcomes_that_are_in_words(self) -> None:
        known = frameworks()
        assert set(known.profile) <= set(known.outcomes)
        assert len(known.profile) == len(set(known.profile)) == 28


class PhasePageTests(ChecklistCase):
    def test_the_move_form_names_what_holds_it_and_takes_a_reason_to_pass(self) -> None:
        url = reverse("ircase:case_phase", args=[self.plan.reference])
        self.sign_in(self.bob)
        assert self.client.get(url).status_code == 403
        self.sign_in(self.alice)
        page = self.client.get(url)
        self.assertContains(page, "To leave Detection and Analysis")
        self.assertContains(page, "Find how the attacker got in")
        self.assertContains(page, "Lacks a proof: evidence, a run, an event or a decision")
        values = {"phase": "containment", "reason": "It spreads"}
        held = self.client.post(url, values)
        self.assertContains(held, "required items are not done", status_code=422)
        assert self.client.post(url, values | {"despite": "No time"}).status_code == 302
        self.plan.refresh_from_db()
        assert self.plan.phase == "containment"
