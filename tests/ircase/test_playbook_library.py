"""Playbooks of the team's own: saved in versions, reviewed, approved, compared, brought back; given to cases."""

from typing import Any

import pytest
import yaml
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase import catalogue, shelf
from ircase.models import Case, CasePlaybook, ChecklistItem, LogEntry, PlaybookVersion
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.casework import caseplan
from ircase.services.phases import checklist, playbooks
from ircase.views.playbooks import differences
from tests.cast import CastTestCase, make_case
from tests.ircase.queries import at_most

CONTENT: dict[str, Any] = {
    "title": "Lost laptop",
    "description": "A device is gone.",
    "roles": ["Lead", "Analyst"],
    "items": [
        {"key": "validate", "phase": "detection", "title": "Confirm the loss", "r2": "1.1", "csf": "RS.MA-02"},
        {"key": "wipe", "phase": "containment", "title": "Wipe it", "r2": "5", "csf": "RS.MI-01",
         "required": True, "depends_on": ["validate"]},
    ],
}  # fmt: skip
MORE = {"key": "tell", "phase": "containment", "title": "Tell its owner", "r2": "3", "csf": "RS.CO-02"}


class PlaybookCase(CastTestCase):
    def save(self, content: dict[str, Any] = CONTENT, edited_from: int = 0, **more: Any) -> PlaybookVersion:
        values = {"actor": self.bob, "slug": "lost-laptop", "content": content, "edited_from": edited_from, **more}
        return playbooks.save_playbook(**values)

    def approved(self, content: dict[str, Any] = CONTENT, edited_from: int = 0) -> PlaybookVersion:
        version = self.save(content, edited_from)
        playbooks.review(version=version, actor=self.alice, words="Read it all")
        return playbooks.approve(version=version, actor=self.alice)


class VersionTests(PlaybookCase):
    def test_draft_then_reviewed_by_a_second_person_then_approved(self) -> None:
        version = self.save()
        assert version.stage == "draft"
        assert shelf.playbook("lost-laptop") is None, "no case can be given a draft"
        with pytest.raises(ValidationError, match="review it first"):
            playbooks.approve(version=version, actor=self.alice)
        with pytest.raises(ValidationError, match="their own version"):
            playbooks.review(version=version, actor=self.bob, words="Fine")
        with pytest.raises(ValidationError, match="Say what"):
            playbooks.review(version=version, actor=self.alice, words=" ")
        reviewed = playbooks.review(version=version, actor=self.alice, words="The order is right")
        assert reviewed.stage == "reviewed"
        with pytest.raises(PermissionDenied):
            playbooks.approve(version=version, actor=self.carol)
        assert playbooks.approve(version=version, actor=self.ada).stage == "approved"
        plan = shelf.playbook("lost-laptop")
        assert plan is not None
        assert (plan.version, [item.key for item in plan.items]) == (1, ["validate", "wipe"])
        actions = list(LogEntry.objects.filter(case=None).values_list("action", flat=True))
        assert {f"library.playbook_{act}" for act in ("saved", "reviewed", "approved")} <= set(actions)

    def test_a_newer_draft_leaves_the_approved_one_in_use(self) -> None:
        self.approved()
        self.save({**CONTENT, "items": [*CONTENT["items"], MORE]}, edited_from=1)
        assert shelf.playbook("lost-laptop").version == 1  # type: ignore[union-attr]
        (entry,) = [one for one in shelf.entries() if one.slug == "lost-laptop"]
        assert (entry.used, entry.newest.number, entry.stage) == (1, 2, "draft")  # type: ignore[union-attr]

    def test_the_later_save_does_not_overwrite(self) -> None:
        self.save()
        self.save({**CONTENT, "title": "Lost device"}, edited_from=1)
        with pytest.raises(playbooks.Conflict, match="saved version 2 while you worked on version 1"):
            self.save({**CONTENT, "title": "Mine"}, edited_from=1, actor=self.alice)
        assert PlaybookVersion.objects.count() == 2
        again = self.save({**CONTENT, "title": "Lost device"}, edited_from=2)
        assert again.number == 2, "what says the same is no new version"

    def test_a_version_is_brought_back_as_the_newest(self) -> None:
        first = self.save()
        self.save({**CONTENT, "title": "Lost device"}, edited_from=1)
        back = playbooks.bring_back(version=first, actor=self.alice)
        assert (back.number, back.content["title"], back.stage) == (3, "Lost laptop", "draft")

    def test_a_retired_one_is_not_given_and_comes_back(self) -> None:
        saved = self.approved().saved
        playbooks.retire(saved=saved, actor=self.alice)
        assert "lost-laptop" not in {plan.id for plan in shelf.usable()}
        with pytest.raises(ValidationError, match="no playbook"):
            cases.open_case(actor=self.alice, title="x", playbook="lost-laptop")
        playbooks.restore(saved=saved, actor=self.bob)
        assert "lost-laptop" in {plan.id for plan in shelf.usable()}

    def test_what_is_refused(self) -> None:
        for slug, content, words in (
            ("phishing", CONTENT, "ships a playbook"),
            ("new", CONTENT, "own addresses"),
            ("x y", CONTENT, "id"),
            ("lost-laptop", {**CONTENT, "items": [CONTENT["items"][1]]}, "not above it"),
            ("lost-laptop", {**CONTENT, "items": CONTENT["items"] * 60}, "too long|at most"),
            ("lost-laptop", {**CONTENT, "title": "a\x00b"}, "NUL"),
            ("lost-laptop", {**CONTENT, "secret": 1}, "secret"),
        ):
            with pytest.raises(ValidationError, match=words):
                playbooks.save_playbook(actor=self.bob, slug=slug, content=content)
        with pytest.raises(PermissionDenied):
            self.save(actor=self.carol)

    def test_items_are_put_in_renamed_moved_and_taken_out(self) -> None:
        added = playbooks.with_item(CONTENT, {**MORE, "phase": "detection"})
        assert [item["key"] for item in added["items"]] == ["validate", "tell", "wipe"]
        renamed = playbooks.with_item(CONTENT, {**CONTENT["items"][0], "key": "confirm"}, replaces="validate")
        assert renamed["items"][1]["depends_on"] == ["confirm"]
        assert "depends_on" not in playbooks.without_item(CONTENT, "validate")["items"][0]
        assert [item["key"] for item in playbooks.moved(CONTENT, "wipe", -1)["items"]] == ["wipe", "validate"]
        with pytest.raises(ValidationError):
            playbooks.moved(CONTENT, "wipe", 1)

    def test_differences_are_by_item(self) -> None:
        after = {**CONTENT, "title": "Lost", "items": [CONTENT["items"][0], MORE]}
        assert [(part["label"], part["kind"]) for part in differences(CONTENT, after)] == [
            ("What it is for", "changed"), ("Item tell", "added"), ("Item wipe", "removed"),
        ]  # fmt: skip
        assert differences(CONTENT, dict(CONTENT)) == []


class CaseTests(PlaybookCase):
    def test_a_case_keeps_the_version_it_was_given_and_a_newer_one_adds_what_is_missing(self) -> None:
        self.approved()
        case = make_case(self.alice, playbook="lost-laptop", analysts=(self.bob,))
        wipe = ChecklistItem.objects.get(case=case, key="wipe")
        checklist.skip_item(item=wipe, actor=self.bob, reason="It is encrypted")
        changed = {**CONTENT["items"][1], "title": "Wipe it remotely", "required": False}
        each = {**MORE, "key": "each_lock", "repeat_per": "device", "title": "Lock the device"}
        self.approved({**CONTENT, "items": [CONTENT["items"][0], changed, MORE, each]}, edited_from=1)
        plan = CasePlaybook.objects.get(case=case)
        assert (plan.number, len(plan.content["items"])) == (1, 2)
        found = caseplan.newer(case)
        assert found is not None
        assert [item.key for item in found.missing] == ["tell", "each_lock"]
        findings.add_asset(case=case, actor=self.bob, kind="device", name="ws-07", compromise="confirmed")
        assert caseplan.apply(case=case, actor=self.bob, slug="lost-laptop", version=2) == ["tell", "each_lock"]
        titles = list(
            ChecklistItem.objects.filter(case=case).exclude(phase="preparation").values_list("title", flat=True)
        )
        assert titles == ["Confirm the loss", "Wipe it", "Tell its owner", "Lock the device (ws-07)"]
        assert ChecklistItem.objects.get(case=case, key="wipe").state == "skipped"
        case.refresh_from_db()
        assert case.playbook_version == CasePlaybook.objects.get(case=case).number == 2
        assert caseplan.newer(case) is None
        with pytest.raises(ValidationError, match="already"):
            caseplan.apply(case=case, actor=self.bob, slug="lost-laptop", version=2)

    def test_a_case_without_a_playbook_is_given_one_and_keeps_its_own_items(self) -> None:
        own = checklist.add_item(case=self.case, actor=self.bob, title="Call the plant", phase="detection")
        with pytest.raises(ValidationError, match="may be used"):
            caseplan.apply(case=self.case, actor=self.bob, slug="lost-laptop", version=1)
        self.approved()
        with pytest.raises(ValidationError, match="Version 1 is in use now"):
            caseplan.apply(case=self.case, actor=self.bob, slug="lost-laptop", version=7)
        caseplan.apply(case=self.case, actor=self.bob, slug="lost-laptop", version=1)
        assert set(self.case.checklist.exclude(phase="preparation").values_list("key", flat=True)) == {
            own.key, "validate", "wipe",
        }  # fmt: skip
        with pytest.raises(ValidationError, match="another playbook"):
            caseplan.apply(case=self.case, actor=self.bob, slug="phishing", version=2)

    def test_the_page_shows_what_is_added_before_it_is(self) -> None:
        self.approved()
        url = reverse("ircase:checklist_playbook", args=[self.case.reference])
        for user, status in ((self.mallory, 404), (self.carol, 403), (self.bob, 200)):
            self.sign_in(user)
            assert self.client.get(url).status_code == status
        self.assertContains(self.client.get(url), "Lost laptop")
        self.assertContains(self.client.get(url + "?playbook=lost-laptop"), "Confirm the loss")
        assert self.client.get(url + "?playbook=nothing").status_code == 404
        assert self.client.post(url, {"playbook": "lost-laptop", "version": "1"}).status_code == 302
        assert Case.objects.get(pk=self.case.pk).playbook == "lost-laptop"


class PageTests(PlaybookCase):
    def page(self, name: str, *args: Any) -> str:
        return reverse(f"ircase:{name}", args=["lost-laptop", *args])

    def test_it_is_written_reviewed_and_approved_in_the_browser(self) -> None:
        self.sign_in(self.bob)
        text = catalogue.to_yaml("lost-laptop", 1, CONTENT)
        assert self.client.post(reverse("ircase:playbook_new"), {"text": "a: &x [1]\nb: *x"}).status_code == 422
        reply = self.client.post(reverse("ircase:playbook_new"), {"text": text})
        assert reply.headers["Location"] == self.page("playbook")
        item = {
            "key": "wipe", "phase": "containment", "title": "Wipe it <now>", "r2": "5", "csf": "RS.MI-01",
            "proof": "link", "due_within": "4h", "due_after": "declared", "depends_on": ["validate"],
            "edited_from": "1", "required": "on", "hunts": "device-logons, device-alerts", "role": "Analyst",
        }  # fmt: skip
        assert self.client.post(self.page("playbook_item", "wipe"), {**item, "due_within": "soon"}).status_code == 422
        assert self.client.post(self.page("playbook_item", "wipe"), item).status_code == 302
        kept = PlaybookVersion.objects.get(number=2).content["items"][1]
        assert kept["due"] == {"after": "declared", "within": "4h"}
        assert kept["suggests"] == {"hunts": ["device-logons", "device-alerts"]}
        self.assertContains(self.client.get(self.page("playbook")), "Wipe it &lt;now&gt;")
        head = {"title": "Gone", "description": "x", "roles": "Lead, Scribe", "edited_from": "2"}
        assert self.client.post(self.page("playbook_edit"), head).status_code == 422, "the item's duty is still named"
        assert self.client.post(self.page("playbook_edit"), {**head, "roles": "Lead, Analyst"}).status_code == 302
        self.client.post(self.page("playbook_item_new"), {**item, "key": "tell", "edited_from": "3"})
        self.client.post(self.page("playbook_item", "tell"), {"act": "up", "edited_from": "4"})
        assert [one["key"] for one in PlaybookVersion.objects.get(number=5).content["items"]] == [
            "validate", "tell", "wipe",
        ]  # fmt: skip
        self.assertContains(self.client.get(self.page("playbook_compare") + "?before=1&after=5"), "Item tell")
        self.sign_in(self.alice)
        self.client.post(self.page("playbook_review"), {"version": "5", "words": "Good"})
        self.client.post(self.page("playbook_approve"), {"version": "5"})
        assert PlaybookVersion.objects.get(number=5).stage == "approved"
        with at_most(15):
            self.assertContains(self.client.get(self.page("playbook")), "Approved")
        with at_most(15):
            self.client.get(reverse("ircase:playbooks"))

    def test_two_browsers_edit_one_item(self) -> None:
        self.save()
        self.sign_in(self.alice)
        item = {"key": "wipe", "phase": "containment", "title": "Mine of wiping", "r2": "5", "csf": "RS.MI-01"}
        item["proof"] = "link"
        self.save({**CONTENT, "title": "Theirs"}, edited_from=1)
        late = self.client.post(
            self.page("playbook_item", "wipe"), {**item, "title": "Mine of wiping", "edited_from": "1"}
        )
        self.assertContains(late, "saved version 2 while you worked", status_code=422)
        self.assertContains(late, 'name="edited_from" value="2"', status_code=422)
        self.client.post(self.page("playbook_item", "wipe"), {**item, "edited_from": "2"})
        newest = PlaybookVersion.objects.get(number=3).content
        assert (newest["title"], newest["items"][1]["title"]) == ("Theirs", "Mine of wiping")

    def test_an_export_is_imported_again(self) -> None:
        self.sign_in(self.bob)
        text = self.client.get(reverse("ircase:playbook_export", args=["phishing"])).content.decode()
        assert yaml.safe_load(text)["id"] == "phishing"
        values = {"text": text, "slug": "our-phishing"}
        assert self.client.post(reverse("ircase:playbook_new"), values).status_code == 302
        kept = PlaybookVersion.objects.get(saved__slug="our-phishing").content
        assert kept == dict(catalogue.playbooks()["phishing"].content)
        copied = self.client.get(reverse("ircase:playbook_new") + "?copy=phishing")
        self.assertContains(copied, "phishing-copy")


@given(
    st.text(max_size=300)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda part: (
            st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just("items"), part, max_size=4)
        ),
        max_leaves=12,
    ).map(yaml.safe_dump)
)
@settings(max_examples=60, deadline=None)
def test_no_text_makes_anything_but_a_playbook_or_a_sentence(text: str) -> None:
    try:
        catalogue.playbook_from({**catalogue.parse_yaml(text), "id": "x-y", "version": 1})
    except catalogue.CatalogueError as error:
        assert str(error)
