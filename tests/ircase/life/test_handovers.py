"""Hand-overs: what is frozen, who confirms, what goes over."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import Case, CaseMember, CaseRole, ChecklistItem, Evidence, HandOver, Notice
from ircase.services import cases, evidence
from ircase.services.casework import handovers
from ircase.services.phases import checklist, clocks
from ircase.services.vault import verification
from tests.cast import CastTestCase
from tests.ircase.queries import at_most


class HandOverTests(CastTestCase):
    def offer(self, **more: object) -> HandOver:
        values = {"receiver": self.bob, "situation": "Two hosts beacon.", "next_steps": "Isolate WS-09", **more}
        return handovers.offer(case=self.case, actor=self.alice, **values)

    def test_the_state_of_the_moment_is_frozen(self) -> None:
        due = timezone.now() + timedelta(hours=3)
        checklist.add_item(case=self.case, actor=self.alice, title="Call the bank", phase="detection", owner=self.alice,
                           due_at=due)  # fmt: skip
        clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="x")
        made = self.offer()
        held = made.snapshot
        assert [item["title"] for item in held["items"]] == ["Call the bank"]
        assert {clock["title"] for clock in held["clocks"]} >= {"GDPR notification of a personal data breach"}
        assert {entry["action"] for entry in held["changes"]} >= {"checklist.added", "clock.started"}
        checklist.add_item(case=self.case, actor=self.alice, title="Later", phase="detection")
        made.refresh_from_db()
        assert len(made.snapshot["items"]) == 1
        assert Notice.objects.filter(person=self.bob, code="assignment").count() == 1

    def test_what_changed_counts_from_the_readers_last_act(self) -> None:
        checklist.add_item(case=self.case, actor=self.alice, title="Before", phase="detection")
        checklist.add_item(case=self.case, actor=self.bob, title="Mine", phase="detection")
        checklist.add_item(case=self.case, actor=self.alice, title="After", phase="detection")
        titles = [entry["detail"].get("title") for entry in self.offer().snapshot["changes"]]
        assert titles == ["After"]

    def test_confirmed_it_is_sealed_and_what_was_ticked_goes_over(self) -> None:
        mine = checklist.add_item(case=self.case, actor=self.alice, title="Call", phase="detection", owner=self.alice)
        made = self.offer(moves_lead=True, moves_items=True)
        with pytest.raises(PermissionDenied):
            handovers.confirm(handover=made, actor=self.alice)
        done = handovers.confirm(handover=made, actor=self.bob, words="Understood")
        roles = dict(CaseMember.objects.filter(case=self.case).values_list("user__username", "role"))
        assert roles == {"alice": CaseRole.ANALYST, "bob": CaseRole.LEAD}
        assert ChecklistItem.objects.get(pk=mine.pk).owner == self.bob
        assert done.moved == "Bob leads the case. 1 open item went to Bob."
        assert done.evidence is not None
        record = json.loads(b"".join(evidence.bytes_of(done.evidence)))
        assert (record["receiver"], record["receiver_wrote"]) == ("Bob", "Understood")
        assert record["snapshot"] == made.snapshot
        assert list(verification.verify_case(self.case)) == []
        with pytest.raises(ValidationError, match="confirmed already"):
            handovers.confirm(handover=made, actor=self.bob)
        assert Evidence.objects.filter(case=self.case).count() <= 2

    def test_the_lead_stays_where_the_giver_lost_it(self) -> None:
        made = self.offer(moves_lead=True)
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)
        cases.set_member(case=self.case, actor=self.bob, user=self.alice, role=CaseRole.ANALYST)
        done = handovers.confirm(handover=made, actor=self.bob)
        assert "did not lead the case any more" in done.moved

    def test_refused_and_taken_back(self) -> None:
        made = self.offer()
        with pytest.raises(ValidationError, match="waits already"):
            self.offer()
        with pytest.raises(ValidationError, match="why"):
            handovers.refuse(handover=made, actor=self.bob, words=" ")
        handovers.refuse(handover=made, actor=self.bob, words="I am on leave")
        again = self.offer()
        with pytest.raises(PermissionDenied):
            handovers.withdraw(handover=again, actor=self.bob)
        handovers.withdraw(handover=again, actor=self.alice)
        assert set(HandOver.objects.values_list("state", flat=True)) == {"refused", "withdrawn"}

    def test_only_people_who_write_on_the_case_take_it(self) -> None:
        for person in (self.mallory, self.carol, self.alice):
            with pytest.raises(ValidationError, match="on the case"):
                self.offer(receiver=person)
        with pytest.raises(PermissionDenied):
            handovers.offer(case=self.case, actor=self.bob, receiver=self.alice, situation="x", next_steps="y",
                            moves_lead=True)  # fmt: skip

    def test_the_pages(self) -> None:
        self.sign_in(self.alice)
        page = reverse("ircase:handovers", args=[self.case.reference])
        values = {"receiver": self.bob.pk, "situation": "Two hosts beacon.", "next_steps": "Isolate"}
        assert self.client.post(page, values | {"situation": ""}).status_code == 422
        assert self.client.post(page, values).status_code == 302
        made = HandOver.objects.get()
        one = reverse("ircase:handover", args=[self.case.reference, made.uuid])
        with at_most(17):
            self.assertContains(self.client.get(page), "Alice to Bob")
        with at_most(19):
            self.assertContains(self.client.get(f"{page}?part=now"), "Open items")
        self.sign_in(self.bob)
        with at_most(17):
            self.assertContains(self.client.get(one), "I take it")
        assert self.client.post(one, {"act": "confirm", "words": "Yes"}).status_code == 302
        self.assertContains(self.client.get(one), "Sealed as")
        self.sign_in(self.carol)
        assert self.client.get(one).status_code == 200
        assert self.client.post(one, {"act": "confirm"}).status_code == 403
        Case.objects.filter(pk=self.case.pk).update(confidential=True)
        assert self.client.get(one).status_code == 404
