"""Work across cases: what is whose, the filters, and planning many at once."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase import worklist
from ircase.models import ChecklistItem, LogEntry, Notice
from ircase.services import cases
from ircase.services.phases import checklist
from tests.cast import CastTestCase, make_case
from tests.ircase.queries import at_most

PAGE = reverse("ircase:work")


class WorkTests(CastTestCase):
    def setUp(self) -> None:
        self.plan = make_case(self.alice, playbook="phishing", title="Phishing wave", analysts=(self.bob,))
        self.plan.checklist.update(due_at=None)

    def keys(self, user: object, **filters: str) -> list[str]:
        found = worklist.find(user, worklist.Filters(**filters))  # type: ignore[arg-type]
        return [item.key for item in found]

    def item(self, key: str) -> ChecklistItem:
        return ChecklistItem.objects.get(case=self.plan, key=key)

    def test_mine_nobodys_and_reviews(self) -> None:
        checklist.plan_item(item=self.item("watch"), actor=self.bob, owner=self.bob, due_at=None)
        checklist.plan_item(item=self.item("validate"), actor=self.bob, owner=self.bob, due_at=timezone.now())
        assert self.keys(self.bob) == ["validate", "watch"], "what has a date comes first"
        assert "record" in self.keys(self.bob, whose="nobody")
        assert "watch" not in self.keys(self.bob, whose="nobody")
        assert self.keys(self.carol, whose="nobody") == [], "a reader takes nothing"
        checklist.ask_review(item=self.item("watch"), actor=self.bob, reviewer=None)
        assert self.keys(self.alice, whose="review") == ["watch"]
        assert self.keys(self.bob, whose="review") == []
        self.sign_in(self.alice)
        self.assertContains(self.client.get(reverse("ircase:my_work")), "Waits for your review")

    def test_filters(self) -> None:
        now = timezone.now()
        for key, days in (("watch", -1), ("validate", 3), ("record", 30)):
            checklist.plan_item(item=self.item(key), actor=self.bob, owner=self.bob, due_at=now + timedelta(days=days))
        assert self.keys(self.bob, due="late") == ["watch"]
        assert self.keys(self.bob, due="week") == ["watch", "validate"]
        assert self.keys(self.bob, phase="containment") == ["watch"]
        assert self.keys(self.bob, q="phishing wave record") == ["record"]
        assert self.keys(self.bob, q="nothing like it") == []
        checklist.start_item(item=self.item("validate"), actor=self.bob)
        assert self.keys(self.bob, state="in_work") == ["validate"]
        self.sign_in(self.bob)
        assert self.client.get(PAGE, {"due": "never", "whose": "x", "page": "9"}).status_code == 200

    def test_a_closed_or_hidden_case_is_not_there(self) -> None:
        hidden = checklist.add_item(case=self.secret_case, actor=self.alice, title="Quiet work", phase="detection")
        ChecklistItem.objects.filter(pk=hidden.pk).update(owner=self.bob)
        assert hidden.key not in self.keys(self.bob)
        self.sign_in(self.bob)
        self.assertNotContains(self.client.get(PAGE), "Quiet work")
        reply = self.client.post(reverse("ircase:work_plan"), {"item": [hidden.pk], "act": "take"}, follow=True)
        self.assertContains(reply, "Choose items first")
        checklist.plan_item(item=self.item("watch"), actor=self.bob, owner=self.bob, due_at=None)
        cases.edit_case(case=self.plan, actor=self.alice, classification="falsePositive")
        cases.close_case(case=self.plan, actor=self.alice, reason="No more")
        assert self.keys(self.bob) == []

    def test_many_are_taken_or_given_at_once(self) -> None:
        self.sign_in(self.bob)
        pks = [self.item(key).pk for key in ("validate", "record")]
        url = reverse("ircase:work_plan")
        back = self.client.post(url, {"item": pks, "act": "take", "kept-whose": "nobody", "kept-q": "a&b"})
        assert back.headers["Location"] == f"{PAGE}?q=a%26b&whose=nobody"
        assert {item.owner for item in self.plan.checklist.filter(pk__in=pks)} == {self.bob}
        self.client.post(url, {"item": pks, "act": "plan", "owner": self.alice.pk, "due_at": "2027-01-05T10:00:00"})
        assert {item.owner for item in self.plan.checklist.filter(pk__in=pks)} == {self.alice}
        assert LogEntry.objects.filter(case=self.plan, action="checklist.planned").count() == 4
        assert Notice.objects.filter(person=self.alice, title__startswith="Bob gave you").count() == 2
        assert self.client.post(url, {"item": pks, "act": "plan", "due_at": "soon"}).status_code == 422
        self.sign_in(self.carol)
        refused = self.client.post(url, {"item": pks, "act": "take"}, follow=True)
        self.assertContains(refused, "You may not plan items of")

    def test_a_full_page_costs_no_more_queries(self) -> None:
        self.plan.checklist.update(owner=self.bob)
        self.sign_in(self.bob)
        self.client.get(PAGE)
        with at_most(12):
            self.client.get(PAGE)
        with at_most(12):
            self.client.get(PAGE, {"whose": "cases"})
