"""Drafts: one's own, kept until the form was saved, told to the browser, shown to nobody else."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from ircase import access
from ircase.models import Case, CaseMember, Draft, User
from ircase.services.writing import drafts, notes
from tests.cast import CastTestCase


class DraftTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.note = notes.create_note(case=cls.case, actor=cls.bob, title="Findings", body="one")
        cls.place = f"note.{cls.note.uuid}"

    def url(self, place: str = "") -> str:
        return reverse("ircase:draft", args=[self.case.reference, place or self.place])

    def put(self, fields: object, version: object = 1) -> int:
        body = json.dumps({"version": version, "fields": fields})
        return self.client.put(self.url(), body, content_type="application/json").status_code

    def test_kept_read_and_thrown_away_by_its_owner_alone(self) -> None:
        self.sign_in(self.bob)
        assert self.client.get(self.url()).json() == {"draft": None}
        assert self.put({"title": "Findings", "body": "one, and m"}) == 200
        assert self.put({"title": "Findings", "body": "one, and more"}) == 200
        found = self.client.get(self.url())
        assert found.json()["draft"]["fields"]["body"] == "one, and more"
        assert found.headers["Cache-Control"] == "private, no-store"
        self.sign_in(self.alice)
        assert self.client.get(self.url()).json() == {"draft": None}
        self.client.delete(self.url())
        assert Draft.objects.count() == 1
        self.sign_in(self.bob)
        self.client.delete(self.url())
        assert Draft.objects.count() == 0

    def test_who_lost_sight_of_the_case_finds_no_draft(self) -> None:
        self.sign_in(self.bob)
        self.put({"body": "x"})
        Case.objects.filter(pk=self.case.pk).update(confidential=True)
        CaseMember.objects.filter(user=self.bob).delete()
        assert self.client.get(self.url()).status_code == 404

    def test_what_no_form_of_ours_holds_is_refused(self) -> None:
        self.sign_in(self.bob)
        assert self.client.put(self.url(), "no json", content_type="application/json").status_code == 422
        assert self.client.put(self.url(), "[1]", content_type="application/json").status_code == 422
        for fields, version in (({"body": 1}, 1), ([], 1), ({"body": "x"}, "1"), ({"body": "x"}, -1), ({"A b": "x"}, 1),
                                ({"body": "a\x00"}, 1), ({f"f{n}": "x" for n in range(13)}, 1),
                                ({"body": "x" * 600_001}, 1)):  # fmt: skip
            assert self.put(fields, version) == 422, fields
        assert self.client.get(self.url("No Place")).status_code == 404
        with pytest.raises(ValidationError):
            drafts.keep(person=self.bob, case=self.case, place="../x", version=1, fields={})

    def test_saving_ends_it_and_an_error_does_not(self) -> None:
        self.sign_in(self.bob)
        edit = reverse("ircase:note_edit", args=[self.case.reference, self.note.uuid])
        form = {"title": "", "body": "two", "version": "1", "draft": self.place}
        self.put({"body": "two"})
        assert self.client.post(edit, form).status_code == 422
        assert Draft.objects.count() == 1
        reply = self.client.post(edit, {**form, "title": "Findings"})
        assert reply.cookies["ircase_saved"].value == self.place
        assert Draft.objects.count() == 0

    def test_an_error_told_on_the_next_page_is_an_error(self) -> None:
        self.sign_in(self.bob)
        self.put({"body": "two"})
        first = self.note.revisions.get()
        restore = reverse("ircase:note_restore", args=[self.case.reference, self.note.uuid, first.pk])
        reply = self.client.post(restore, {"version": "9", "draft": self.place})
        assert "ircase_saved" not in reply.cookies
        assert Draft.objects.count() == 1
        self.assertContains(self.client.get(reply.headers["Location"]), "saved meanwhile")

    def test_there_is_a_most(self) -> None:
        for number in range(drafts.MOST_DRAFTS + 3):
            drafts.keep(person=self.bob, case=self.case, place=f"note.{number}", version=1, fields={"body": "x"})
        assert Draft.objects.count() == drafts.MOST_DRAFTS
        assert drafts.find(self.bob, self.case, "note.0") is None

    def test_places_hold_no_word_of_the_case(self) -> None:
        place = drafts.place_of("comment", "device", "finance-dc01.contoso.example")
        assert "finance" not in place and drafts.PLACE.fullmatch(place)
        self.sign_in(self.bob)
        edit = reverse("ircase:note_edit", args=[self.case.reference, self.note.uuid])
        page = self.client.get(edit).content.decode()
        assert f'data-draft="{self.place}" data-draft-version="1" data-draft-person="{drafts.key_of(self.bob)}"' in page
        assert drafts.key_of(self.bob) != drafts.key_of(self.alice)

    def test_the_session_says_who_is_there(self) -> None:
        url = reverse("ircase:session")
        assert self.client.get(url).json() == {"person": "", "csrf": ""}
        self.sign_in(self.bob)
        said = self.client.get(url).json()
        assert said["person"] == drafts.key_of(self.bob)
        assert len(said["csrf"]) == 64


class WhoSeesTests(CastTestCase):
    def test_people_who_see_is_what_visible_to_says(self) -> None:
        User.objects.create_user("gone", site_role="analyst", is_active=False)
        for case in (self.case, self.secret_case):
            seen = set(access.people_who_see(case).values_list("username", flat=True))
            everybody = User.objects.all()
            assert seen == {one.username for one in everybody if access.still_may(one, case, access.VIEWER)}
