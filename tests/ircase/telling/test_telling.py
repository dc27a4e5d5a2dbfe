"""What the services tell, to whom: approvals, ends, phases, members."""

import uuid
from datetime import timedelta

from django.utils import timezone

from ircase.models import Activity, Approval, CaseRole, Notice, NoticeCode, User
from ircase.services import activity, approvals, cases, notices
from tests.cast import CastTestCase, make_user
from tests.ircase.queries import at_most
from tests.ircase.telling.support import wants


class Telling(CastTestCase):
    def setUp(self) -> None:
        Notice.objects.all().delete()

    def told(self, person: User, code: str = "") -> list[str]:
        found = Notice.objects.filter(person=person).order_by("pk")
        return list((found.filter(code=code) if code else found).values_list("title", flat=True))

    def ask(self) -> Approval:
        return approvals.request(
            case=self.case, actor=self.bob, kind="liveresponse.script", subject=uuid.uuid4(), title="Run the triage",
            detail={}, digest="d" * 64, task="", reason="It spreads",
        )  # fmt: skip

    def test_an_approval_is_told_to_the_other_leads_and_its_answer_to_who_asked(self) -> None:
        asked = self.ask()
        assert self.told(self.alice) == ["Bob asks for your yes: Run the triage"]
        assert Notice.objects.get(person=self.alice).lines == ["It spreads"]
        assert (self.told(self.bob), self.told(self.carol)) == ([], [])
        approvals.decide(approval=asked, actor=self.alice, approve=False, comment="Not today")
        assert self.told(self.bob, "decided") == ["Alice has refused: Run the triage"]

    def test_a_question_that_nobody_answered(self) -> None:
        asked = self.ask()
        Approval.objects.filter(pk=asked.pk).update(expires_at=timezone.now())
        approvals.expire_old()
        assert self.told(self.bob) == ["Nobody answered in time: Run the triage"]

    def run_of_bob(self, minutes: int) -> Activity:
        made = activity.begin(case=self.case, kind=Activity.Kind.HUNT, title="Logons", subject=uuid.uuid4(),
                              url_name="hunting:run", actor=self.bob)  # fmt: skip
        Activity.objects.filter(pk=made.pk).update(requested_at=timezone.now() - timedelta(minutes=minutes))
        made.refresh_from_db()
        return made

    def test_a_long_run_is_told_when_it_ends_a_short_one_on_request(self) -> None:
        activity.end(self.run_of_bob(1), state="done", outcome="12 rows")
        assert self.told(self.bob) == []
        activity.end(self.run_of_bob(3), state="done", outcome="12 rows", partial=True)
        assert self.told(self.bob) == ["Hunt done, in part: Logons"]
        activity.end(self.run_of_bob(3), state="cancelled", outcome="Stopped", actor=self.bob)
        assert len(self.told(self.bob)) == 1  # by themselves
        wants(self.bob, every_run=True)
        activity.end(self.run_of_bob(0), state="failed", outcome="The tenant refused")
        assert self.told(self.bob)[1:] == ["Hunt failed: Logons"]

    def test_phases_are_told_to_the_cases_people_and_to_managers(self) -> None:
        cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason="Isolate", despite="Drill")
        title = f"{self.case.reference} is now in Containment, Eradication and Recovery: {self.case.title}"
        assert (self.told(self.bob), self.told(self.carol), self.told(self.alice)) == ([title], [title], [])
        wants(self.carol, every_case=False)
        nina = make_user("nina", User.SiteRole.ANALYST)
        wants(nina, every_case=True)
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        closed = cases.close_case(case=self.case, actor=self.alice, reason="Done")
        cases.reopen_case(case=closed, actor=self.alice, reason="Again")
        assert len(self.told(self.carol)) == 1
        assert [text.split(":")[0].split(" is ")[1] for text in self.told(nina, "phase")] == ["closed", "opened again"]

    def test_of_a_confidential_case_only_its_members_hear(self) -> None:
        wants(self.mallory, every_case=True)
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.bob, role=CaseRole.VIEWER)
        assert self.told(self.bob) == [f"Alice put you on {self.secret_case.reference} as viewer: Quiet one"]
        cases.move_phase(case=self.secret_case, actor=self.alice, phase="containment", reason="On", despite="Drill")
        assert len(self.told(self.bob, "phase")) == 1
        assert (self.told(self.carol), self.told(self.mallory)) == ([], [])

    def test_a_changed_role_is_no_new_member(self) -> None:
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.VIEWER)
        assert self.told(self.bob) == []

    def test_telling_many_takes_no_query_for_each(self) -> None:
        people = [make_user(f"p{n}", User.SiteRole.ANALYST) for n in range(30)]
        with at_most(11):
            told = notices.tell(
                code=NoticeCode.MENTION, people=people, case=self.case, subject=uuid.uuid4(), title="x", path="/"
            )
        assert told == 30
