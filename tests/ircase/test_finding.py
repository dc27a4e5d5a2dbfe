"""Saved views, tags, the list of cases, the command palette and keys."""

import csv
import io
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase import caselist
from ircase.models import Case, CaseTag, LogEntry, SavedView, User
from ircase.palette import commands
from ircase.services import savedviews
from ircase.services.casework import tags
from ircase.services.identity import people
from tests.cast import CastTestCase
from tests.ircase.queries import at_most


class SavedViewTests(CastTestCase):
    def save(self, person: User, **more: object) -> SavedView:
        values = {"page": "cases", "name": "Hot", "asked": "severity=high&page=3&state=open&csrfmiddlewaretoken=x"}
        return savedviews.save(person=person, **{**values, **more})

    def test_a_view_keeps_words_and_no_place_in_the_list(self) -> None:
        view = self.save(self.alice)
        assert view.asked == "severity=high&state=open"
        again = self.save(self.alice, asked="state=closed", pinned=True)
        assert again.pk == view.pk
        assert [(one.asked, one.pinned) for one in savedviews.of(self.alice, "cases")] == [("state=closed", True)]

    def test_others_see_the_shared_ones_and_pin_them_for_themselves(self) -> None:
        self.save(self.alice)
        shared = self.save(self.alice, name="Ours", shared=True)
        assert [view.name for view in savedviews.of(self.bob, "cases")] == ["Ours"]
        savedviews.pin(view=shared, person=self.bob, pinned=True)
        assert [view.pinned for view in savedviews.of(self.bob, "cases")] == [True]
        assert not any(view.pinned for view in savedviews.of(self.alice, "cases"))
        with self.assertRaises(ValidationError):
            savedviews.remove(view=shared, person=self.bob)
        savedviews.remove(view=shared, person=self.alice)
        assert savedviews.of(self.bob, "cases") == []

    def test_from_the_page_and_back(self) -> None:
        self.sign_in(self.alice)
        reply = self.client.post(
            reverse("ircase:view_save"),
            {"page": "cases", "name": "Mine", "asked": "mine=on&phase=detection", "pinned": "on"},
        )
        assert reply.headers["Location"] == reverse("ircase:case_list") + "?mine=on&phase=detection"
        page = self.client.get(reply.headers["Location"]).content.decode()
        assert 'aria-current="page"' in page
        assert "Mine</a>" in page
        view = SavedView.objects.get()
        change = reverse("ircase:view_change", args=[view.uuid])
        self.client.post(change, {"act": "unpin"})
        assert not view.pinned_by.exists()
        self.client.post(change, {"act": "remove"})
        assert not SavedView.objects.exists()

    def test_a_private_view_is_not_there_for_others(self) -> None:
        view = self.save(self.alice)
        self.sign_in(self.bob)
        assert self.client.post(reverse("ircase:view_change", args=[view.uuid]), {"act": "remove"}).status_code == 404

    def test_by_the_api(self) -> None:
        _, token = people.create_token(user=self.alice, name="t")
        headers = {"Authorization": f"Bearer {token}"}
        body = {"page": "search", "name": "Zebras", "asked": "q=zebra", "shared": True}
        made = self.client.post("/api/v1/views", body, content_type="application/json", headers=headers)
        assert made.status_code == 201, made.content
        listed = self.client.get("/api/v1/views", headers=headers).json()["items"]
        assert [(one["name"], one["person"]) for one in listed] == [("Zebras", "alice")]
        assert self.client.delete(f"/api/v1/views/{listed[0]['uuid']}", headers=headers).status_code == 204
        found = self.client.get("/api/v1/search?q=kind:case", headers=headers).json()
        assert {one["case"] for one in found["items"]} == {self.case.reference, self.secret_case.reference}
        wrong = self.client.get("/api/v1/search?q=kind:bird", headers=headers)
        assert wrong.status_code == 422
        assert "none of" in wrong.content.decode()


class TagTests(CastTestCase):
    def test_tags_are_set_logged_and_shown(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:case_tags", args=[self.case.reference])
        assert self.client.post(url, {"names": "VIP, mail  vip"}).status_code == 302
        assert list(CaseTag.objects.filter(case=self.case).values_list("name", flat=True)) == ["mail", "vip"]
        entry = LogEntry.objects.filter(action="case.tagged").get()
        assert (entry.detail["added"], entry.detail["removed"]) == (["vip", "mail"], [])
        assert 'value="mail, vip"' in self.client.get(url).content.decode()
        assert "?tag=vip" in self.client.get(reverse("ircase:case", args=[self.case.reference])).content.decode()
        assert self.client.post(url, {"names": "no/slash"}).status_code == 422
        tags.set_tags(case=self.case, actor=self.bob, names=["vip"])
        assert LogEntry.objects.filter(action="case.tagged").latest("pk").detail["removed"] == ["mail"]

    def test_common_tags_are_of_cases_that_one_sees(self) -> None:
        tags.set_tags(case=self.case, actor=self.alice, names=["open-one"])
        tags.set_tags(case=self.secret_case, actor=self.alice, names=["hidden-one"])
        assert tags.common(self.carol) == ["open-one"]
        assert tags.common(self.mallory) == []
        self.sign_in(self.carol)
        assert "hidden-one" not in self.client.get(reverse("ircase:case_list")).content.decode()


class CaseListTests(CastTestCase):
    def test_filters(self) -> None:
        tags.set_tags(case=self.case, actor=self.alice, names=["vip"])
        Case.objects.filter(pk=self.case.pk).update(opened_at=timezone.now() - timedelta(days=40))
        for given, expected in (
            ({"tag": "vip"}, [self.case]),
            ({"tag": "none"}, []),
            ({"owner": "ALICE"}, [self.case, self.secret_case]),
            ({"owner": "bob"}, []),
            ({"connection": "Contoso"}, [self.case]),
            ({"age": -30}, [self.case]),
            ({"age": 30}, [self.secret_case]),
        ):
            found = set(caselist.find(self.alice, caselist.Filters(**given)))
            assert found == set(expected), given

    def test_columns_and_csv_follow_the_filters(self) -> None:
        tags.set_tags(case=self.case, actor=self.alice, names=["vip"])
        Case.objects.filter(pk=self.case.pk).update(title="=1+1")
        self.sign_in(self.alice)
        page = self.client.get(reverse("ircase:case_list"), {"show": ["tags", "tenant"], "tag": "vip"}).content.decode()
        assert ">Tenant</th>" in page
        assert ">Tags</th>" in page
        reply = self.client.get(reverse("ircase:case_list_csv"), {"tag": "vip"})
        rows = list(csv.DictReader(io.StringIO(b"".join(reply).decode("utf-8-sig"))))
        assert [(row["reference"], row["leads"], row["tags"]) for row in rows] == [
            (self.case.reference, "Alice", "vip")
        ]
        assert rows[0]["title"].startswith("'=")
        self.sign_in(self.carol)
        everything = b"".join(self.client.get(reverse("ircase:case_list_csv"), {"state": "all"})).decode()
        assert self.secret_case.reference not in everything

    def test_queries_are_bounded(self) -> None:
        self.sign_in(self.alice)
        with at_most(12):
            self.client.get(reverse("ircase:case_list"), {"show": ["tags", "tenant", "updated", "tlp"]})
        with at_most(15):
            self.client.get(reverse("ircase:case", args=[self.case.reference]), headers={"HX-Request": "true"})
        with at_most(8):
            self.client.get(reverse("ircase:palette"), {"q": "odd"}, headers={"HX-Request": "true"})


class PaletteTests(CastTestCase):
    def labels(self, user: User, text: str, reference: str = "") -> dict[str, list[str]]:
        return {group.title: [line.label for line in group.lines] for group in commands(user, text, reference)}

    def test_cases_pages_and_acts_by_words(self) -> None:
        found = self.labels(self.bob, "note", self.case.reference)
        assert "Write a note" in found[f"In {self.case.reference}"]
        assert f"{self.case.reference} {self.case.title}" in self.labels(self.bob, "odd logons")["Cases"]
        assert self.labels(self.bob, "my work")["Pages"] == ["My work"]
        assert "Find “note” everywhere" in found["Search"]

    def test_nobody_is_shown_what_they_may_not_do_or_see(self) -> None:
        assert "Pages" not in self.labels(self.bob, "administration")
        assert self.labels(self.ada, "administration")["Pages"] == ["Administration"]
        assert "Pages" not in self.labels(self.carol, "open a case")
        hidden = self.labels(self.carol, "quiet", self.secret_case.reference)
        assert set(hidden) == {"Search"}
        assert self.secret_case.reference not in str(hidden)
        assert "Write a note" not in str(self.labels(self.carol, "note", self.case.reference))

    def test_the_page_and_its_lines(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:palette")
        assert "<h1" in self.client.get(url).content.decode()
        part = self.client.get(url, {"q": "cases"}, headers={"HX-Request": "true"}).content.decode()
        assert "<h1" not in part
        assert 'role="option"' in part

    def test_single_keys_are_a_persons_choice(self) -> None:
        self.sign_in(self.alice)
        assert 'data-keys="off"' not in self.client.get("/").content.decode()
        self.client.post(reverse("ircase:profile_keys"), {})
        assert 'data-keys="off"' in self.client.get("/").content.decode()
        self.client.post(reverse("ircase:profile_keys"), {"on": "on"})
        self.alice.refresh_from_db()
        assert self.alice.single_keys
