"""Notes at depth: merged, compared, brought back, in folders, archived; the API's If-Match."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from ircase.models import CustodyEntry, JobState, LogEntry, Note, NoteRevision, Notice, Preview
from ircase.services.identity import people
from ircase.services.writing import notes
from tests.cast import CastTestCase, make_evidence

BASE = "one\ntwo\nthree"


class DepthTestCase(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.note = notes.create_note(case=cls.case, actor=cls.bob, title="Findings", body=BASE)

    def url(self, name: str, *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, self.note.uuid, *more])

    def late(self, theirs: str, mine: str) -> NoteRevision:
        notes.save_note(note=self.note, actor=self.alice, title="Findings", body=theirs, version=1)
        with pytest.raises(notes.NoteConflict) as late:
            notes.save_note(note=self.note, actor=self.bob, title="Findings", body=mine, version=1)
        return late.value.revision


class MergingTests(DepthTestCase):
    def test_texts_that_do_not_touch_are_merged_for_the_person(self) -> None:
        late = self.late("ONE\ntwo\nthree", "one\ntwo\nTHREE")
        self.sign_in(self.bob)
        page = self.client.get(self.url("note_merge", late.pk)).content.decode()
        assert "ONE\ntwo\nTHREE</textarea>" in page
        assert "Nobody wrote where the other did" in page

    def test_a_version_that_never_was_loses_no_text(self) -> None:
        for claimed in (-5, 2**40):
            with pytest.raises(notes.NoteConflict) as late:
                notes.save_note(note=self.note, actor=self.bob, title="Findings", body=f"by {claimed}", version=claimed)
            assert late.value.revision.body == f"by {claimed}"

    def test_a_late_save_is_told_of_and_both_texts_are_kept(self) -> None:
        self.sign_in(self.bob)
        notes.save_note(note=self.note, actor=self.alice, title="Findings", body="ONE\ntwo\nthree", version=1)
        form = {"title": "Findings", "body": "uno\r\ntwo\r\nthree", "version": "1", "draft": f"note.{self.note.uuid}"}
        reply = self.client.post(self.url("note_edit"), form)
        assert reply.status_code == 409
        self.assertContains(reply, "Alice saved this note meanwhile", status_code=409)
        assert reply.cookies["ircase_saved"].value == f"note.{self.note.uuid}"
        self.note.refresh_from_db()
        assert (self.note.body, self.note.version) == ("ONE\ntwo\nthree", 2)
        kept = NoteRevision.objects.get(note=self.note, rejected=True)
        assert (kept.body, kept.version, kept.settled_at) == ("uno\ntwo\nthree", 1, None)
        self.assertContains(self.client.get(self.url("note")), "came late and is not merged yet")

    def test_sides_are_chosen_without_script(self) -> None:
        late = self.late("ONE\ntwo\nthree", "uno\ntwo\nthree")
        self.sign_in(self.bob)
        url = self.url("note_merge", late.pk)
        assert "&lt;&lt;&lt;&lt;&lt;&lt;&lt; Alice" in self.client.get(url).content.decode()
        chosen = self.client.post(url, {"act": "choose", "side-1": "both"}).content.decode()
        assert "ONE\nuno\ntwo\nthree</textarea>" in chosen

    def test_marks_that_were_left_are_not_saved(self) -> None:
        late = self.late("ONE\ntwo\nthree", "uno\ntwo\nthree")
        self.sign_in(self.bob)
        url = self.url("note_merge", late.pk)
        marked = "<<<<<<< Alice\nONE\n=======\nuno\n>>>>>>> Bob\ntwo"
        reply = self.client.post(url, {"title": "Findings", "body": marked, "version": "2"})
        self.assertContains(reply, "still holds both texts", status_code=422)
        reply = self.client.post(url, {"title": "Findings", "body": "ONE uno\ntwo", "version": "2"})
        assert reply.headers["Location"] == self.url("note")
        self.note.refresh_from_db()
        late.refresh_from_db()
        assert (self.note.body, self.note.version) == ("ONE uno\ntwo", 3)
        assert late.settled_at is not None
        self.assertNotContains(self.client.get(self.url("note")), "is not merged yet")

    def test_a_merge_that_comes_late_itself_is_merged_again(self) -> None:
        late = self.late("ONE\ntwo\nthree", "uno\ntwo\nthree")
        notes.save_note(note=self.note, actor=self.alice, title="Findings", body="ONE\ntwo\n3", version=2)
        self.sign_in(self.bob)
        form = {"title": "Findings", "body": "ONE uno\ntwo\nthree", "version": "2"}
        reply = self.client.post(self.url("note_merge", late.pk), form)
        assert reply.status_code == 409
        assert "ONE uno\ntwo\n3</textarea>" in reply.content.decode()
        bodies = set(NoteRevision.objects.filter(note=self.note).values_list("body", flat=True))
        assert {"uno\ntwo\nthree", "ONE uno\ntwo\nthree", "ONE\ntwo\n3"} <= bodies

    def test_the_page_may_be_left_as_it_is(self) -> None:
        late = self.late("theirs", "mine")
        self.sign_in(self.bob)
        self.client.post(self.url("note_merge", late.pk), {"act": "leave"})
        self.note.refresh_from_db()
        assert self.note.body == "theirs"
        assert LogEntry.objects.filter(case=self.case, action="note.late_left").exists()
        assert NoteRevision.objects.get(pk=late.pk).body == "mine"

    def test_texts_that_were_pages_are_not_merged(self) -> None:
        self.sign_in(self.bob)
        assert self.client.get(self.url("note_merge", self.note.revisions.get().pk)).status_code == 404


class RevisionTests(DepthTestCase):
    def test_compare_and_bring_back(self) -> None:
        notes.save_note(note=self.note, actor=self.alice, title="Findings", body="one\n2\nthree", version=1)
        self.sign_in(self.bob)
        self.assertContains(self.client.get(self.url("note_compare")), "<del>two</del>")
        first = self.note.revisions.get(version=1)
        stale = self.client.post(self.url("note_restore", first.pk), {"version": "1"}, follow=True)
        self.assertContains(stale, "saved meanwhile")
        self.client.post(self.url("note_restore", first.pk), {"version": "2"})
        self.note.refresh_from_db()
        assert (self.note.body, self.note.version) == (BASE, 3)
        assert LogEntry.objects.filter(case=self.case, action="note.restored").count() == 1

    def test_pages_keep_to_few_queries(self) -> None:
        for version in range(1, 30):
            notes.save_note(note=self.note, actor=self.bob, title="Findings", body=f"text {version}", version=version)
        for number in range(20):
            notes.create_note(case=self.case, actor=self.bob, title=f"Note {number}", body="[[Findings]]")
        self.sign_in(self.bob)
        for name, most in (("note", 26), ("note_compare", 26)):
            with self.assertNumQueries(FewerThan(most)):
                self.client.get(self.url(name))
            with self.assertNumQueries(FewerThan(16)):
                self.client.get(self.url(name), headers={"HX-Request": "true"})
        with self.assertNumQueries(FewerThan(16)):
            self.client.get(reverse("ircase:notes", args=[self.case.reference]), headers={"HX-Request": "true"})


class FewerThan(int):
    """Equal to every smaller number, for assertNumQueries."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and other < int(self)

    __hash__ = int.__hash__


class PlaceTests(DepthTestCase):
    def test_folders_order_and_pins(self) -> None:
        second = notes.create_note(case=self.case, actor=self.bob, title="A second", folder=" Calls / Day 1 ")
        third = notes.create_note(case=self.case, actor=self.bob, title="B third", folder="Calls/Day 1")
        assert second.folder == "Calls/Day 1"
        self.sign_in(self.bob)
        url = reverse("ircase:note_place", args=[self.case.reference, third.uuid])
        self.client.post(url, {"step": "-1"})
        titles = list(Note.objects.filter(case=self.case).values_list("title", flat=True))
        assert titles == ["Findings", "B third", "A second"]
        notes.place_note(note=second, actor=self.bob, pinned=True)
        assert list(Note.objects.filter(folder="Calls/Day 1").values_list("title", flat=True)) == [
            "A second",
            "B third",
        ]
        page = self.client.get(reverse("ircase:notes", args=[self.case.reference])).content.decode()
        assert page.index("Calls/Day 1") < page.index("A second") < page.index("B third")
        with pytest.raises(ValidationError):
            notes.place_note(note=second, actor=self.bob, folder="a/b/c/d/e")

    def test_only_a_lead_archives_and_nothing_is_deleted(self) -> None:
        self.sign_in(self.bob)
        assert self.client.post(self.url("note_archive")).status_code == 403
        self.sign_in(self.alice)
        self.client.post(self.url("note_archive"))
        listed = reverse("ircase:notes", args=[self.case.reference])
        self.assertNotContains(self.client.get(listed), "Findings")
        self.assertContains(self.client.get(f"{listed}?archived=1"), "Findings")
        self.assertContains(self.client.get(self.url("note")), "This note is archived")
        self.client.post(self.url("note_archive"), {"back": "1"})
        self.assertContains(self.client.get(listed), "Findings")
        actions = LogEntry.objects.filter(case=self.case, action__startswith="note.").values_list("action", flat=True)
        assert {"note.archived", "note.unarchived"} <= set(actions)


class NoteApiTests(DepthTestCase):
    def setUp(self) -> None:
        _, self.token = people.create_token(user=self.alice, name="test")

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        url = f"/api/v1/cases/{self.case.reference}/notes{path}"
        data = "" if body is None else json.dumps(body)
        return self.client.generic(method, url, data, content_type="application/json", headers=headers)

    def test_etag_and_if_match(self) -> None:
        read = self.call("GET", f"/{self.note.uuid}")
        assert read.headers["ETag"] == '"1"'
        new = {"title": "Findings", "body": "two"}
        assert self.call("PUT", f"/{self.note.uuid}", new).status_code == 428
        assert self.call("PUT", f"/{self.note.uuid}", new, If_Match="x").status_code == 400
        saved = self.call("PUT", f"/{self.note.uuid}", new, If_Match='"1"')
        assert (saved.status_code, saved.headers["ETag"]) == (200, '"2"')
        late = self.call("PUT", f"/{self.note.uuid}", {"title": "Findings", "body": "late"}, If_Match='"1"')
        assert late.status_code == 412
        problem = late.json()
        assert (problem["version"], problem["body"]) == (2, "two")
        merged = self.call("GET", f"/{self.note.uuid}/revisions/{problem['revision']}/merge").json()
        assert (merged["version"], merged["conflicts"]) == (2, 1)
        texts = [row["body"] for row in self.call("GET", f"/{self.note.uuid}/revisions").json()["items"]]
        assert sorted(texts) == sorted([BASE, "two", "late"])

    def test_folder_archive_and_back(self) -> None:
        assert self.call("PATCH", f"/{self.note.uuid}", {"folder": "Calls", "pinned": True}).json()["pinned"]
        assert self.call("DELETE", f"/{self.note.uuid}").status_code == 204
        assert self.call("GET", "").json()["total"] == 0
        assert self.call("GET", "?archived=true").json()["total"] == 1
        assert self.call("POST", f"/{self.note.uuid}/restore").json()["archived_at"] is None
        first = self.note.revisions.get()
        again = self.call("POST", f"/{self.note.uuid}/revisions/{first.pk}/restore", {}, If_Match='"9"')
        assert again.status_code == 412


class MentionTests(DepthTestCase):
    def told(self) -> set[str]:
        return set(Notice.objects.filter(code="mention").values_list("person__username", flat=True))

    def test_who_is_named_is_told_once_and_outsiders_never(self) -> None:
        text = "@alice and @mallory, look. `@carol` is code; bob@example.com is an address."
        notes.save_note(note=self.note, actor=self.bob, title="Findings", body=text, version=1)
        assert self.told() == {"alice"}
        notes.save_note(note=self.note, actor=self.bob, title="Findings", body=f"{text} More.", version=2)
        assert Notice.objects.filter(code="mention").count() == 1

    def test_on_a_confidential_case_only_members_are_told_or_offered(self) -> None:
        notes.create_note(case=self.secret_case, actor=self.alice, title="x", body="@bob @carol @ada @mallory")
        assert self.told() == set()
        self.sign_in(self.alice)
        for reference, expected in ((self.secret_case.reference, []), (self.case.reference, ["bob"])):
            url = reverse("ircase:people_to_name", args=[reference])
            found = self.client.get(url, {"q": "bo"}).json()["people"]
            assert [one["username"] for one in found] == expected
        url = reverse("ircase:people_to_name", args=[self.case.reference])
        assert self.client.get(url, {"q": "mal"}).json()["people"] == []


class PictureTests(DepthTestCase):
    def test_a_worker_draws_what_a_note_shows_and_only_its_picture_is_shown(self) -> None:
        item = make_evidence(self.case, self.alice, b"\x89PNG...", name="screen.png")
        make_evidence(self.secret_case, self.alice, b"other", name="other.png")
        text = "![The screen](E-1) and ![another](E-2) and ![outside](https://stranger.example/x.png)"
        notes.save_note(note=self.note, actor=self.bob, title="Findings", body=text, version=1)
        drawn = Preview.objects.get(kind="image")
        assert drawn.evidence == item
        self.sign_in(self.bob)
        page = self.client.get(self.url("note")).content.decode()
        assert "[picture of E001: The screen]" in page and "<img" not in page.split('class="body prose"')[1]
        Preview.objects.filter(pk=drawn.pk).update(state=JobState.DONE)
        page = self.client.get(self.url("note")).content.decode().split('class="body prose"')[1]
        picture = reverse("ircase:evidence_picture", args=[self.case.reference, item.uuid])
        assert f'<img class="exhibit" src="{picture}" alt="The screen" loading="lazy">' in page
        assert page.count("<img") == 1 and "stranger" not in page
        before = CustodyEntry.objects.filter(evidence=item, action="viewed").count()
        self.client.get(picture)
        assert CustodyEntry.objects.filter(evidence=item, action="viewed").count() == before + 1

    def test_a_preview_shows_nothing_that_the_reader_may_not_see(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:preview", args=[self.case.reference])
        text = f"{self.secret_case.reference} {self.case.reference} <script>alert(1)</script>"
        page = self.client.post(url, {"text": text}).content.decode()
        assert self.case.reference in page and f"/cases/{self.secret_case.reference}/" not in page
        assert "<script>" not in page
