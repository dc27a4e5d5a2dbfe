"""The decision log is written once; improvements live on."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import AppendOnlyError, Case, Decision, Improvement, LogEntry, Notice
from ircase.services.casework import decisions, improvements
from ircase.services.phases import checklist
from ircase.tasks import remind
from tests.cast import CastTestCase, make_evidence
from tests.ircase.queries import at_most


class DecisionTests(CastTestCase):
    def record(self, **more: object) -> Decision:
        values = {"what": "Pull the plug of SRV-02", "why": "It spreads", **more}
        return decisions.record(case=self.case, actor=self.alice, **values)

    def test_numbers_count_on_and_the_log_knows(self) -> None:
        first, second = self.record(), self.record(decided_by="The board", alternatives="Wait", told="The CIO")
        assert [first.label, second.label] == ["D01", "D02"]
        assert (first.decided_by, second.decided_by) == ("Alice", "The board")
        assert LogEntry.objects.filter(case=self.case, action="decision.recorded").count() == 2

    def test_it_is_never_changed_nor_deleted(self) -> None:
        made = self.record()
        made.what = "Something else"
        with pytest.raises(AppendOnlyError):
            made.save()
        for act in (made.delete, Decision.objects.all().delete, lambda: Decision.objects.update(what="x")):
            with pytest.raises(AppendOnlyError):
                act()
        assert Decision.objects.get().what == "Pull the plug of SRV-02"

    def test_a_later_one_takes_its_place_once(self) -> None:
        first = self.record()
        second = self.record(what="Leave it on", supersedes=first)
        assert list(decisions.standing(self.case)) == [second]
        with pytest.raises(ValidationError, match="superseded already"):
            self.record(supersedes=first)
        elsewhere = decisions.record(case=self.secret_case, actor=self.alice, what="x", why="y")
        with pytest.raises(ValidationError, match="another case"):
            self.record(supersedes=elsewhere)

    def test_it_proves_the_items_it_is_linked_to(self) -> None:
        item = checklist.add_item(case=self.case, actor=self.alice, title="Decide", phase="detection", required=True)
        made = self.record(items=[item], evidence=[make_evidence(self.case, self.alice)])
        assert item.proofs.get().decided == made
        checklist.finish_item(item=item, actor=self.alice, result="")
        with pytest.raises(ValidationError, match="same case"):
            decisions.record(case=self.secret_case, actor=self.alice, what="x", why="y", items=[item])

    def test_what_is_missing_or_ahead_is_refused(self) -> None:
        for wrong in ({"what": " "}, {"why": ""}, {"decided_at": timezone.now() + timedelta(hours=1)}):
            with pytest.raises(ValidationError):
                self.record(**wrong)

    def test_the_pages(self) -> None:
        self.sign_in(self.alice)
        item = checklist.add_item(case=self.case, actor=self.alice, title="Decide", phase="detection")
        new = reverse("ircase:decision_new", args=[self.case.reference])
        assert self.client.post(new, {"what": "Isolate"}).status_code == 422
        self.client.post(new, {"what": "Isolate", "why": "It spreads", "items": [item.key]})
        made = Decision.objects.get()
        one = reverse("ircase:decision", args=[self.case.reference, made.uuid])
        self.client.post(new, {"what": "Release", "why": "Clean", "supersedes": str(made.uuid)})
        page = reverse("ircase:decisions", args=[self.case.reference])
        for address, words in ((one, "This decision was superseded"), (page, "Release")):
            with at_most(19):
                self.assertContains(self.client.get(address), words)
        proof = reverse("ircase:checklist_item", args=[self.case.reference, item.pk])
        self.assertContains(self.client.get(proof), "D01 Isolate")
        self.sign_in(self.carol)
        assert self.client.get(one).status_code == 200
        assert self.client.post(new, {"what": "x", "why": "y"}).status_code == 403


class ImprovementTests(CastTestCase):
    def add(self, **more: object) -> Improvement:
        values = {"title": "Block RDP from outside", "owner": self.bob, "due_on": date(2027, 1, 31), **more}
        return improvements.add(case=self.case, actor=self.alice, **values)

    def test_it_is_given_done_and_lives_on_after_the_close(self) -> None:
        item = self.add()
        assert Notice.objects.get(person=self.bob).code == "assignment"
        Case.objects.filter(pk=self.case.pk).update(closed_at=timezone.now())
        with pytest.raises(ValidationError, match="what came of it"):
            improvements.move(item=item, actor=self.bob, state="done")
        improvements.move(item=item, actor=self.bob, state="done", result="Rule 12 is in force")
        item.refresh_from_db()
        assert (item.state, item.is_open, item.ended_at is not None) == ("done", False, True)
        assert LogEntry.objects.filter(case=self.case, action="improvement.moved").count() == 1
        self.add(title="Another, after the close")

    def test_its_owner_and_who_writes_on_the_case_change_it(self) -> None:
        item = self.add()
        for person in (self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                improvements.change(item=item, actor=person, title="x")
        with pytest.raises(ValidationError, match="may not see the case"):
            improvements.change(item=item, actor=self.bob, owner=self.mallory)
        improvements.change(item=item, actor=self.bob, title="Block RDP everywhere")
        with pytest.raises(ValidationError, match="Choose one of"):
            improvements.change(item=item, actor=self.bob, outcome="PR.AA-01")

    def test_the_owner_is_reminded_once_for_a_date(self) -> None:
        item = self.add(due_on=timezone.localdate() + timedelta(days=2))
        Notice.objects.all().delete()
        remind()
        remind()
        assert Notice.objects.filter(person=self.bob, code="due").count() == 1
        improvements.change(item=item, actor=self.alice, due_on=timezone.localdate() + timedelta(days=3))
        remind()
        assert Notice.objects.filter(person=self.bob, code="due").count() == 2

    def test_the_page_of_all_cases_shows_only_those_one_may_see(self) -> None:
        self.add()
        improvements.add(case=self.secret_case, actor=self.alice, title="Watch the insider")
        page = reverse("ircase:improvements")
        for user, sees_first, sees_second in ((self.alice, 1, 1), (self.carol, 1, 0), (self.mallory, 0, 0)):
            self.sign_in(user)
            with at_most(15):
                body = self.client.get(page, {"state": "all"}).content.decode()
            assert (("Block RDP" in body), ("Watch the insider" in body)) == (bool(sees_first), bool(sees_second))
        hidden = Improvement.objects.get(case=self.secret_case)
        self.sign_in(self.carol)
        assert self.client.get(reverse("ircase:improvement", args=[hidden.uuid])).status_code == 404

    def test_the_pages_change_it(self) -> None:
        self.sign_in(self.alice)
        page = reverse("ircase:case_improvements", args=[self.case.reference])
        values = {"title": "Patch", "outcome": "ID.IM-01", "owner": self.bob.pk, "due_on": "2027-02-01"}
        assert self.client.post(page, values | {"title": ""}).status_code == 422
        assert self.client.post(page, values).status_code == 302
        item = Improvement.objects.get()
        one = reverse("ircase:improvement", args=[item.uuid])
        assert self.client.post(one, {"act": "move", "state": "done", "result": ""}).status_code == 422
        assert self.client.post(one, {"act": "move", "state": "done", "result": "Patched"}).status_code == 302
        self.assertContains(self.client.get(one), "Patched")
        self.sign_in(self.carol)
        assert self.client.post(one, {"act": "move", "state": "open"}).status_code == 403
