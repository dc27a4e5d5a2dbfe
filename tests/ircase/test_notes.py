"""Notes: two people, one page, no word lost."""

from django.urls import reverse

from ircase.models import Note, NoteRevision
from ircase.services.writing import notes
from tests.cast import CastTestCase


class NotesTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.note = notes.create_note(case=cls.case, actor=cls.bob, title="Findings", body="**One** beacon")

    def url(self, name: str = "note", *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, self.note.uuid, *more])

    def test_who_may(self) -> None:
        new = reverse("ircase:note_new", args=[self.case.reference])
        listed = reverse("ircase:notes", args=[self.case.reference])
        for user, reads, writes in ((self.mallory, 404, 404), (self.carol, 200, 403)):
            self.sign_in(user)
            for url in (listed, self.url()):
                assert self.client.get(url).status_code == reads
            for url in (new, self.url("note_edit")):
                assert self.client.get(url).status_code == writes
                assert self.client.post(url, {"title": "x"}).status_code == writes
        self.sign_in(self.alice)
        elsewhere = reverse("ircase:note", args=[self.secret_case.reference, self.note.uuid])
        assert self.client.get(elsewhere).status_code == 404

    def test_write_and_read(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post(
            reverse("ircase:note_new", args=[self.case.reference]), {"title": "Call", "body": "# Minutes\n- first"}
        )
        made = Note.objects.get(case=self.case, title="Call")
        assert reply.headers["Location"] == reverse("ircase:note", args=[self.case.reference, made.uuid])
        self.assertContains(self.client.get(reply.headers["Location"]), '<h2 id="text-minutes">Minutes</h2>')

    def test_a_save_against_the_version_on_screen(self) -> None:
        self.sign_in(self.alice)
        assert 'value="1"' in self.client.get(self.url("note_edit")).content.decode()
        values = {"title": "Findings", "body": "Two beacons", "version": "1"}
        assert self.client.post(self.url("note_edit"), values).status_code == 302
        self.note.refresh_from_db()
        assert (self.note.body, self.note.version) == ("Two beacons", 2)

    def test_a_late_save_shows_both_texts_and_the_merged_one_goes_through(self) -> None:
        self.sign_in(self.alice)
        self.client.post(self.url("note_edit"), {"title": "Findings", "body": "Alice's text", "version": "1"})
        self.sign_in(self.bob)
        late = self.client.post(self.url("note_edit"), {"title": "Findings", "body": "Bob's text", "version": "1"})
        assert late.status_code == 409
        page = late.content.decode()
        assert "Alice&#x27;s text" in page
        assert "Bob&#x27;s text\n&gt;&gt;&gt;&gt;&gt;&gt;&gt; Bob</textarea>" in page
        assert 'name="version" value="2"' in page
        merged = {"title": "Findings", "body": "Both texts", "version": "2"}
        assert self.client.post(self.url("note_edit"), merged).status_code == 302
        self.note.refresh_from_db()
        assert self.note.body == "Both texts"
        kept = NoteRevision.objects.get(note=self.note, rejected=True)
        assert kept.body == "Bob's text"
        self.assertContains(self.client.get(self.url("note_revision", kept.pk)), "Came late")

    def test_a_save_without_a_version_overwrites_nothing(self) -> None:
        self.sign_in(self.alice)
        reply = self.client.post(self.url("note_edit"), {"title": "Findings", "body": "blind"})
        assert reply.status_code == 409
        self.note.refresh_from_db()
        assert self.note.body == "**One** beacon"
