"""A case is split: what goes along, what stays, who sees what of it, and back again."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import (
    Asset,
    Case,
    CaseLink,
    ChecklistItem,
    Comment,
    CustodyEntry,
    Event,
    EventTechnique,
    Evidence,
    FindingTag,
    Indicator,
    LogEntry,
    Note,
)
from ircase.search import index
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.casework import casemerging, casesplitting, linking
from ircase.services.casework.casesplitting import Chosen
from ircase.services.identity import people
from ircase.services.phases import checklist
from ircase.services.writing import notes
from tests.cast import CastTestCase, make_case, make_evidence


class Splitting(CastTestCase):
    def setUp(self) -> None:
        fields = {"case": self.case, "actor": self.alice}
        self.asset, _ = findings.add_asset(**fields, kind="device", name="ws-08", description="The other one")
        self.beside, _ = findings.add_asset(**fields, kind="device", name="ws-09")
        self.indicator, _ = findings.add_indicator(**fields, kind="ip", value="203.0.113.9")
        Indicator.objects.filter(pk=self.indicator.pk).update(verdict="malicious", verdict_reason="Seen", pap="red")
        self.event = findings.add_event(**fields, at=timezone.now() - timedelta(hours=1), title="A second intruder")
        self.event.assets.add(self.asset)
        self.event.indicators.add(self.indicator)
        EventTechnique.objects.create(event=self.event, technique="T1078", tactic="Persistence")
        tag = FindingTag.objects.create(case=self.case, name="wave-2")
        self.event.tags.add(tag)
        self.indicator.tags.add(tag)
        self.exhibit = make_evidence(self.case, self.alice, name="second.evtx")
        self.note = notes.create_note(**fields, title="Who is it", body="Another one.")
        self.item = self.case.checklist.exclude(phase="preparation").first() or ChecklistItem.objects.create(
            case=self.case, key="own_1", phase="detection", title="Look at ws-08"
        )

    def split(self, **more: Any) -> CaseLink:
        chosen = Chosen(
            events=[self.event.uuid], evidence=[self.exhibit.uuid], notes=[self.note.uuid], items=[self.item.key]
        )
        given = {"case": self.case, "actor": self.alice, "chosen": chosen, "title": "The second", "reason": "Not him"}
        return casesplitting.split(**{**given, **more})


class ServiceTests(Splitting):
    def test_copies_go_along_and_originals_stay(self) -> None:
        custody = CustodyEntry.objects.count()
        link = self.split()
        made = link.case
        assert (made.title, made.severity, made.tlp, made.confidential) == ("The second", "high", self.case.tlp, False)
        event = made.events.get()
        assert (event.title, event.at) == (self.event.title, self.event.at)
        assert event.provenance == {"split": str(link.uuid), "finding": str(self.event.uuid)}
        assert [one.name for one in event.assets.all()] == ["ws-08"]
        assert [one.technique for one in event.techniques.all()] == ["T1078"]
        assert [tag.name for tag in event.tags.all()] == ["wave-2"] and event.tags.get().case == made
        indicator = made.indicators.get()
        assert (indicator.value, indicator.verdict, indicator.pap) == ("203.0.113.9", "malicious", "red")
        assert [tag.name for tag in indicator.tags.all()] == ["wave-2"]
        assert made.assets.get().description == "The other one"
        assert made.notes.get().body == "Another one."
        copied = made.checklist.get(key="split_1")
        assert (copied.title, copied.state) == (self.item.title, "open")
        assert self.case.events.count() == self.case.indicators.count() == 1 and self.case.assets.count() == 2
        # Exhibits and their custody are where they were.
        assert not Evidence.objects.filter(case=made).exists() and CustodyEntry.objects.count() == custody
        assert link.split == {
            "exhibits": [{"uuid": str(self.exhibit.uuid), "number": self.exhibit.number, "name": "second.evtx"}]
        }

    def test_both_logs_say_so_and_neither_names_the_other(self) -> None:
        link = self.split()
        off = LogEntry.objects.get(action="case.split_off", case=self.case)
        came = LogEntry.objects.get(action="case.split_from", case=link.case)
        assert off.detail["exhibits"] == [self.exhibit.number] and came.detail["exhibits"] == 1
        assert link.case.reference not in json.dumps(off.detail)
        assert self.case.reference not in json.dumps(came.detail)

    def test_leads_alone_of_an_open_case_and_of_its_own_things(self) -> None:
        with pytest.raises(PermissionDenied):
            self.split(actor=self.bob)
        with pytest.raises(ValidationError, match="Choose what"):
            self.split(chosen=Chosen())
        with pytest.raises(ValidationError, match="Say why"):
            self.split(reason=" ")
        other = make_case(self.alice)
        theirs, _ = findings.add_asset(case=other, actor=self.alice, kind="device", name="elsewhere")
        exhibit = make_evidence(other, self.alice)
        for chosen in (Chosen(assets=[theirs.uuid]), Chosen(evidence=[exhibit.uuid]), Chosen(items=["nothing"])):
            with pytest.raises(ValidationError, match="no such"):
                self.split(chosen=chosen)
        before = Case.objects.count()
        with pytest.raises(ValidationError):
            self.split(title="")
        assert Case.objects.count() == before

    def test_from_a_confidential_case_comes_one_and_outsiders_see_no_link(self) -> None:
        cases.set_confidential(case=self.case, actor=self.alice, confidential=True, reason="Grave")
        link = self.split()
        assert link.case.confidential
        cases.set_confidential(case=link.case, actor=self.alice, confidential=False, reason="Not so grave")
        assert linking.seen_by(link.case, self.carol) == []
        words = {one.words for one in linking.seen_by(link.case, self.alice)}
        assert words == {"Split from"}
        assert {one.words for one in linking.seen_by(self.case, self.alice)} == {"Had split off"}

    def test_merged_back_it_is_one_case_again_without_doubles(self) -> None:
        made = self.split(chosen=Chosen(events=[self.event.uuid])).case
        findings.add_indicator(case=made, actor=self.alice, kind="ip", value="203.0.113.10")
        made.classification, made.determination = "truePositive", "malware"
        made.save()
        made.checklist.update(state="done")
        plan = casemerging.plan(made, self.case, self.alice)
        assert (plan.new_events, plan.joined_events, plan.new_assets, plan.new_indicators) == (0, 1, 0, 1), plan.hold
        if not plan.hold:
            casemerging.merge(case=made, into=self.case, actor=self.alice, reason="One after all")
            made.refresh_from_db()
            assert not made.is_open and self.case.events.count() == 1 and self.case.indicators.count() == 2
        assert plan.hold == ()

    def test_the_link_is_neither_made_by_hand_nor_removed(self) -> None:
        link = self.split()
        with pytest.raises(ValidationError, match="merge the case back"):
            linking.unlink(made=link, actor=self.alice, case=self.case)
        with pytest.raises(ValidationError, match="by splitting"):
            linking.link(case=self.case, actor=self.alice, other=make_case(self.alice), kind="split", reason="So")


class DoorTests(Splitting):
    def test_the_page_from_ticks_to_the_link(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:split", args=[self.case.reference])
        shown = self.client.get(url)
        for words in ("A second intruder", "203.0.113.9", "ws-09", "second.evtx", "Who is it", self.item.title[:20]):
            self.assertContains(shown, words)
        form = {"title": "The second", "severity": "low", "reason": "Not him"}
        self.assertContains(self.client.post(url, {**form, "assets": ["x"]}), "no such thing", status_code=422)
        reply = self.client.post(url, {**form, "events": [str(self.event.uuid)], "evidence": [str(self.exhibit.uuid)]})
        link = CaseLink.objects.get(kind="split")
        assert reply["Location"] == reverse("ircase:links", args=[link.case.reference])
        page = self.client.get(reply["Location"])
        address = reverse("ircase:evidence_item", args=[self.case.reference, self.exhibit.uuid])
        self.assertContains(page, address)
        self.assertContains(page, "Merge back")
        origin = self.client.get(reverse("ircase:links", args=[self.case.reference]))
        self.assertContains(origin, "Had split off")
        self.assertContains(origin, address)

    def test_the_page_asks_no_more_for_more(self) -> None:
        self.sign_in(self.alice)
        for number in range(5):
            findings.add_asset(case=self.case, actor=self.alice, kind="device", name=f"more-{number}")
            findings.add_event(case=self.case, actor=self.alice, at=timezone.now(), title=f"More {number}")
        url = reverse("ircase:split", args=[self.case.reference])
        self.client.get(url)  # that she looked is noted once an hour
        with self.assertNumQueries(13):
            self.client.get(url)

    def test_the_api(self) -> None:
        _, token = people.create_token(user=self.alice, name="test", scopes=["read", "write"])
        headers = {"Authorization": f"Bearer {token}"}
        body = {
            "title": "The second", "reason": "Not him", "indicators": [str(self.indicator.uuid)],
            "evidence": [str(self.exhibit.uuid)], "items": [self.item.key],
        }  # fmt: skip
        path = f"/api/v1/cases/{self.case.reference}"
        made = self.client.post(f"{path}/split", json.dumps(body), content_type="application/json", headers=headers)
        assert made.status_code == 201, made.content
        got = self.client.get(f"/api/v1/cases/{made.json()['reference']}/links", headers=headers).json()["items"]
        assert [(one["words"], one["split"], one["exhibits"][0]["name"]) for one in got] == [
            ("Split from", True, "second.evtx")
        ]
        empty = {"title": "None", "reason": "None"}
        again = self.client.post(f"{path}/split", json.dumps(empty), content_type="application/json", headers=headers)
        assert again.status_code == 422
        assert Note.objects.filter(case__reference=made.json()["reference"]).count() == 0
        assert Asset.objects.filter(case__reference=made.json()["reference"]).count() == 0
        assert Event.objects.filter(case__reference=made.json()["reference"]).count() == 0


class BackAgainTests(Splitting):
    """What a case that was split off has become goes back with it, once."""

    def back(self, made: Case) -> CaseLink:
        cases.edit_case(case=made, actor=self.alice, classification="truePositive")
        return casemerging.merge(case=made, into=self.case, actor=self.alice, reason="One after all")

    def test_notes_that_are_there_already_are_not_doubled_and_others_come(self) -> None:
        made = self.split().case
        notes.create_note(case=made, actor=self.alice, title="Found since", body="On ws-10, too.", folder="hosts")
        gone = notes.create_note(case=made, actor=self.alice, title="Nonsense", body="x")
        notes.archive_note(note=gone, actor=self.alice)
        plan = casemerging.plan(made, self.case, self.alice)
        assert (plan.notes, plan.new_notes) == (3, 1)
        self.back(made)
        pages = list(self.case.notes.order_by("pk").values_list("title", "body", "folder"))
        assert pages == [("Who is it", "Another one.", ""), ("Found since", "On ws-10, too.", "hosts")]
        assert index.compare("note", mend=False).is_sound

    def test_a_page_that_both_went_on_with_is_there_twice_under_two_names(self) -> None:
        made = self.split().case
        theirs = made.notes.get()
        notes.save_note(note=theirs, actor=self.alice, title=theirs.title, body="Another one. Eve.", version=1)
        self.back(made)
        pages = dict(self.case.notes.values_list("title", "body"))
        assert pages == {"Who is it": "Another one.", "Who is it (merged)": "Another one. Eve."}

    def test_exhibits_that_a_page_names_are_said_to_be_elsewhere(self) -> None:
        made = self.split().case
        body = "See E-1. ![the tree](E-1)"
        notes.create_note(case=made, actor=self.alice, title="Seen", body=body)
        self.back(made)
        page = self.case.notes.get(title="Seen").body
        assert page.startswith("> Written in a case that was merged into this one")
        assert page.endswith("See E-1. (picture: the tree, E-1 of the merged case)")

    def test_items_that_were_added_or_begun_come_and_what_ended_is_told(self) -> None:
        made = self.split().case
        fields = {"case": made, "actor": self.alice}
        due = timezone.now() + timedelta(days=2)
        own = checklist.add_item(**fields, title="Call the bank", phase="containment", required=True, due_at=due)
        checklist.plan_item(item=own, actor=self.alice, owner=self.alice, due_at=due)
        checklist.note_result(item=own, actor=self.alice, result="Rang once")
        copied = made.checklist.get(key="split_1")
        checklist.add_proof(item=copied, actor=self.alice, decision="Seen")
        checklist.finish_item(item=copied, actor=self.alice, result="It was clean")
        self.back(made)
        items = self.case.checklist.exclude(phase="preparation")
        came = items.get(title="Call the bank")
        assert (came.state, came.required, came.owner, came.due_at, came.result) == (
            "open", True, self.alice, due, "Rang once",
        )  # fmt: skip
        assert items.filter(title=self.item.title).count() == 1
        assert items.get(title=self.item.title).state == "open"
        told = Comment.objects.get(case=self.case, kind="checklist", subject=str(self.item.pk))
        assert told.body.startswith("Done by Alice on ") and told.body.endswith("It was clean")
        assert made.reference not in told.body
        assert index.compare("item", mend=False).is_sound

    def test_undone_and_merged_again_nothing_is_doubled(self) -> None:
        made = self.split().case
        for title in ("One", "Two"):
            notes.create_note(case=made, actor=self.alice, title=title, body=title)
            checklist.add_item(case=made, actor=self.alice, title=title, phase="detection")
        link = self.back(made)
        worked = self.case.notes.get(title="Two")
        notes.save_note(note=worked, actor=self.alice, title="Two", body="Two and more", version=1)
        checklist.start_item(item=self.case.checklist.get(title="Two"), actor=self.alice)
        casemerging.undo(made=link, actor=self.alice, reason="Two after all")
        assert set(self.case.notes.there().values_list("title", flat=True)) == {"Who is it", "Two"}
        states = dict(self.case.checklist.filter(title__in=("One", "Two")).values_list("title", "state"))
        assert states == {"One": "skipped", "Two": "in_work"}
        self.back(Case.objects.get(pk=made.pk))
        pages = self.case.notes.there().values_list("title", "body")
        assert set(pages) == {
            ("Who is it", "Another one."), ("One", "One"), ("Two", "Two and more"), ("Two (merged)", "Two"),
        }  # fmt: skip
        assert self.case.checklist.filter(title="One").exclude(state="skipped").count() == 1
        assert self.case.checklist.filter(title="Two").count() == 1

    def test_events_keep_all_that_they_say(self) -> None:
        made = self.split(chosen=Chosen(notes=[self.note.uuid])).case
        shared, _ = findings.add_asset(case=made, actor=self.alice, kind="device", name="ws-08")
        added = findings.add_event(
            case=made, actor=self.alice, at=timezone.now() - timedelta(days=1), title="Some time that day",
            precision="day", zone="Europe/Copenhagen", given="yesterday", techniques=["T1078", "T1547.001"],
            tags=["wave-3"], assets=[shared],
        )  # fmt: skip
        self.back(made)
        event = self.case.events.get(title="Some time that day")
        assert (event.precision, event.zone, event.given) == ("day", "Europe/Copenhagen", "yesterday")
        assert [one.technique for one in event.techniques.all()] == ["T1078", "T1547.001"]
        assert [tag.name for tag in event.tags.all()] == ["wave-3"]
        assert [one.pk for one in event.assets.all()] == [self.asset.pk], "the device that was there already"
        assert added.provenance == {"by": "hand"} and event.provenance["finding"] == str(added.uuid)
        for kind in ("event", "asset", "indicator"):
            assert index.compare(kind, mend=False).missing == 0

    def test_the_pages_say_what_comes_and_lead_to_what_stays(self) -> None:
        made = self.split().case
        notes.create_note(case=made, actor=self.alice, title="Found since", body="x")
        self.sign_in(self.alice)
        page = self.client.get(reverse("ircase:merge", args=[made.reference]), {"into": self.case.reference})
        self.assertContains(page, "1 of its 2 notes and 0 of its 1 open item come over")
        self.back(made)
        origin = self.client.get(reverse("ircase:links", args=[self.case.reference]))
        self.assertContains(origin, "Its exhibits, finished items, decisions and comments are there.")
