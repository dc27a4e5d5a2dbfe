"""My work: what is mine, what waits for me, what runs for me; and nothing else."""

import uuid
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase.models import Activity
from ircase.services import activity, approvals, cases, notices
from ircase.services.phases import checklist
from tests.cast import CastTestCase, make_user
from tests.ircase.queries import at_most


class MyWorkTests(CastTestCase):
    def page(self) -> str:
        return self.client.get(reverse("ircase:my_work")).content.decode()

    def test_a_newcomer_is_told_what_to_do(self) -> None:
        self.sign_in(make_user("nina", "analyst"))
        assert "New case" in self.page()
        self.sign_in(self.mallory)
        page = self.page()
        assert "Nothing waits for you" in page
        assert "New case" not in page

    def test_my_items_due_first_with_what_is_late(self) -> None:
        now = timezone.now()
        for title, due in (("No date", None), ("Tomorrow", now + timedelta(days=1)), ("Late", now - timedelta(days=1))):
            checklist.add_item(
                case=self.case, actor=self.alice, title=title, phase="detection", owner=self.bob, due_at=due
            )
        checklist.add_item(case=self.case, actor=self.alice, title="Of Alice", phase="detection", owner=self.alice)
        self.sign_in(self.bob)
        page = self.page()
        assert page.index("Late") < page.index("Tomorrow") < page.index("No date")
        assert "Overdue since" in page
        assert "Of Alice" not in page

    def test_items_of_a_case_i_left_or_that_is_closed_are_gone(self) -> None:
        checklist.add_item(
            case=self.secret_case, actor=self.alice, title="Secret thing", phase="detection", owner=self.bob
        )
        item = checklist.add_item(
            case=self.case, actor=self.alice, title="Open thing", phase="detection", owner=self.bob
        )
        self.sign_in(self.bob)
        assert "Secret thing" not in self.page()
        assert item.title in self.page()
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="done")
        notices.mark_read(person=self.bob)
        assert item.title not in self.page()

    def test_what_waits_for_a_lead_waits_for_no_one_else(self) -> None:
        approvals.request(
            case=self.case, actor=self.bob, kind="liveresponse.script", subject=uuid.uuid4(), title="Run the triage",
            detail={}, digest="d" * 64, task="",
        )  # fmt: skip
        for user, sees in ((self.alice, True), (self.bob, False), (self.carol, False)):
            self.sign_in(user)
            assert ("Run the triage" in self.page()) is sees

    def test_what_runs_for_me(self) -> None:
        made = activity.begin(
            case=self.case, kind=Activity.Kind.HUNT, title="Device logons", subject=uuid.uuid4(),
            url_name="hunting:run", actor=self.bob,
        )  # fmt: skip
        self.sign_in(self.bob)
        page = self.page()
        assert "Device logons" in page
        assert reverse("hunting:run", args=[self.case.reference, made.subject]) in page
        activity.end(made, state="done", outcome="3 rows")
        assert "Device logons" not in self.page()

    def test_queries_are_bounded(self) -> None:
        for number in range(15):
            checklist.add_item(
                case=self.case, actor=self.alice, title=f"Item {number}", phase="detection", owner=self.bob
            )
        self.sign_in(self.bob)
        with at_most(17):
            self.page()
