"""The team's own library: versions, review, what a person may do, and that no text is altered on the way."""

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as PropertyTestCase

from hunting import access, catalogue, shelf
from hunting.binding import attach
from hunting.catalogue import Review
from hunting.importing import read
from hunting.importing.model import Outcome
from hunting.models import HuntRun, HuntVersion, SavedHunt, Source
from hunting.services import library, runs
from hunting.views.library import as_yaml
from ircase.models import JobState, LogEntry, User
from tests.cast import CastTestCase, make_user
from tests.hunting.stage import NOW, make_table, work

TEXT = "DeviceProcessEvents\n| where DeviceName == TargetDevice\n| project Timestamp, DeviceName, FileName"
PARAMETER = {"name": "TargetDevice", "type": "device_name", "required": True, "fill": "asset.device.name"}


def content(**more: Any) -> dict[str, Any]:
    return {
        "title": "Ours", "entity": "device", "sources": ["defender", "case"], "kql": TEXT, "parameters": [PARAMETER],
        **more,
    }  # fmt: skip


class LibraryTestCase(CastTestCase):
    def save(self, slug: str = "ours", by: User | None = None, edited_from: int = 0, **more: Any) -> HuntVersion:
        return library.save_hunt(
            actor=by or self.bob, slug=slug, content=content(**more), edited_from=edited_from
        )  # fmt: skip


class SavingTests(LibraryTestCase):
    def test_a_saved_hunt_stands_beside_the_shipped_ones(self) -> None:
        version = self.save()
        found = shelf.hunts()["ours"]
        assert (version.number, found.version, found.review, found.saved) == (1, 1, Review.DRAFT, True)
        assert found.tables == ("DeviceProcessEvents",), "the tables are those that the query reads"
        assert found.parameters[0].fill == "asset.device.name"
        assert len(shelf.hunts()) == len(catalogue.hunts()) + 1
        assert not shelf.hunts()["device-logons"].saved
        entry = LogEntry.objects.get(action="library.hunt_saved")
        assert (entry.actor, entry.detail["hunt"], entry.detail["version"]) == (self.bob, "ours", 1)

    def test_a_second_save_is_a_second_version_and_the_first_stays(self) -> None:
        self.save()
        second = self.save(edited_from=1, by=self.alice, title="Ours, better")
        assert second.number == 2
        assert shelf.hunts()["ours"].title == "Ours, better"
        first = shelf.hunt_version("ours", 1)
        assert first is not None
        assert first.title == "Ours"
        assert shelf.hunt_version("ours", 3) is None

    def test_the_same_again_is_no_version(self) -> None:
        assert self.save().pk == self.save(edited_from=1).pk
        assert HuntVersion.objects.count() == 1

    def test_who_was_slower_is_told_and_nothing_is_overwritten(self) -> None:
        self.save()
        theirs = self.save(edited_from=1, by=self.alice, title="By Alice")
        with pytest.raises(library.Conflict) as conflict:
            self.save(edited_from=1, title="By Bob")
        assert conflict.value.newest == theirs
        assert "Alice saved version 2" in conflict.value.messages[0]
        assert [v.content["title"] for v in HuntVersion.objects.all()] == ["By Alice", "Ours"]
        assert self.save(edited_from=2, title="By Bob").number == 3

    def test_an_id_that_is_taken_is_refused(self) -> None:
        self.save()
        with pytest.raises(library.Conflict, match="already"):
            self.save(title="Another")
        for slug, words in (("device-logons", "ships"), ("new", "own addresses"), ("Ours!", "does not match")):
            with pytest.raises(ValidationError) as error:
                self.save(slug=slug)
            assert words in error.value.message_dict["id"][0]
        with pytest.raises(ValidationError, match="no saved hunt"):
            self.save(slug="nothing", edited_from=1)
        assert SavedHunt.objects.count() == 1

    def test_what_is_wrong_is_said_at_its_key(self) -> None:
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("entity", {"entity": "planet"}),
            ("sources", {"sources": []}),
            ("parameters", {"parameters": [{"name": "DeviceName", "type": "string"}]}),
            ("parameters", {"parameters": [{"name": "Unused", "type": "string"}]}),
            ("parameters", {"parameters": [{**PARAMETER, "default": "not a device!"}]}),
            ("parameters", {"parameters": [PARAMETER, PARAMETER]}),
            ("techniques", {"techniques": ["T1"]}),
            ("references", {"references": ["javascript:alert(1)"]}),
            ("require_any", {"require_any": ["TargetDevice", "Nobody"]}),
            ("kql", {"kql": "A\x00B"}),
            ("meaning", {"meaning": "half \ud800"}),
        ]
        for key, more in wrong:
            with pytest.raises(ValidationError) as error:
                self.save(**more)
            assert key in error.value.message_dict, (key, error.value)
        assert not SavedHunt.objects.exists()

    def test_a_table_of_the_tenants_own_is_accepted(self) -> None:
        self.save(kql="Ours_CL | take 10", parameters=[], sources=["loganalytics"])
        assert shelf.hunts()["ours"].tables == ("Ours_CL",)

    def test_only_who_writes_cases_writes_the_library(self) -> None:
        for person in (self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                self.save(by=person)
        assert self.save(by=self.ada).author == self.ada

    def test_an_import_leaves_its_origin(self) -> None:
        library.save_hunt(
            actor=self.alice, slug="ours", content=content(), origin={"source": "a repository"}, licence="MIT"
        )
        found = shelf.hunts()["ours"]
        assert (found.origin, found.licence) == ("a repository", "MIT")
        assert [hunt.id for hunt in shelf.search(origin="a repository")] == ["ours"]
        assert shelf.search(origin="-") == []


class ReviewTests(LibraryTestCase):
    def test_another_person_approves_and_a_new_version_is_a_draft_again(self) -> None:
        version = self.save()
        with pytest.raises(PermissionDenied):
            library.approve(version=version, actor=self.bob)  # leads no case
        library.approve(version=version, actor=self.alice)
        assert shelf.hunts()["ours"].review is Review.APPROVED
        with pytest.raises(ValidationError, match="approved already"):
            library.approve(version=version, actor=self.ada)
        self.save(edited_from=1, title="Other")
        assert shelf.hunts()["ours"].review is Review.DRAFT
        first = shelf.hunt_version("ours", 1)
        assert first is not None
        assert first.review is Review.APPROVED

    def test_nobody_approves_their_own_or_an_old_version(self) -> None:
        version = self.save(by=self.alice)
        with pytest.raises(ValidationError, match="their own"):
            library.approve(version=version, actor=self.alice)
        self.save(edited_from=1, by=self.bob, title="Other")
        with pytest.raises(ValidationError, match="newer version"):
            library.approve(version=version, actor=self.ada)

    def test_a_retired_hunt_is_found_by_id_alone_and_not_run_anew(self) -> None:
        saved = self.save().saved
        make_table(self.case, self.alice, "DeviceProcessEvents", [{"Timestamp": "2026-11-20T17:00:00Z"}])
        run = self.queue()
        library.retire(saved=saved, actor=self.bob, reason="noise")  # his own
        assert "ours" not in shelf.hunts()
        hunt = shelf.hunt("ours")
        assert hunt is not None
        assert hunt.retired
        assert [h.id for h in shelf.search(review="retired")] == ["ours"]
        with pytest.raises(ValidationError, match="retired"):
            self.queue()
        assert work(run).state == JobState.DONE, "what was asked before is still answered"
        assert runs.retry(run=HuntRun.objects.get(pk=run.pk), actor=self.bob).hunt_id == "ours"
        library.restore(saved=saved, actor=self.alice)
        assert shelf.hunts()["ours"].review is Review.DRAFT
        with pytest.raises(ValidationError):
            library.restore(saved=saved, actor=self.alice)

    def queue(self) -> HuntRun:
        hunt = shelf.hunt("ours")
        assert hunt is not None
        frozen = attach(hunt=hunt, given={"TargetDevice": "ws-07"}, now=NOW)
        return runs.queue_run(case=self.case, actor=self.bob, frozen=frozen, source=Source.CASE)

    def test_others_drafts_are_retired_by_reviewers_only(self) -> None:
        saved = self.save(by=self.alice).saved
        with pytest.raises(PermissionDenied):
            library.retire(saved=saved, actor=self.bob)
        library.retire(saved=saved, actor=self.ada)
        assert LogEntry.objects.filter(action="library.hunt_retired", actor=self.ada).exists()

    def test_who_leads_a_case_reviews(self) -> None:
        assert [access.may_review(u) for u in (self.alice, self.bob, self.carol, self.mallory, self.ada)] == [
            True, False, False, False, True,
        ]  # fmt: skip
        gone = make_user("gone", User.SiteRole.ADMINISTRATOR, is_active=False)
        assert not access.may_save(gone)
        assert not access.may_review(gone)

    def test_a_run_of_a_draft_says_so_and_names_its_version(self) -> None:
        self.save()
        make_table(self.case, self.alice, "DeviceProcessEvents", [{"Timestamp": "2026-11-20T17:00:00Z"}])
        run = self.queue()
        self.save(edited_from=1, title="Later", kql=TEXT + "\n| take 1")
        done = work(run)
        assert done.evidence is not None
        assert done.evidence.manifest["hunt"] == {"id": "ours", "version": 1, "review": "draft", "pack": ""}
        assert done.is_draft
        again = runs.retry(run=done, actor=self.bob)
        assert (again.hunt_id, again.hunt_version, again.kql) == ("ours", 1, TEXT), "the version it was made from"


class DuplicateTests(LibraryTestCase):
    def test_the_same_question_in_another_coat_is_found(self) -> None:
        self.save()
        coat = content(kql=TEXT.replace("TargetDevice", "Host").replace("\n", "   \n// why\n"), title="Other words")
        coat["parameters"] = [{**PARAMETER, "name": "Host"}]
        twin = library.find_duplicate(coat)
        assert twin is not None
        assert twin.id == "ours"
        assert library.find_duplicate(coat, other_than="ours") is None
        assert library.find_duplicate(content(kql="DeviceEvents | take 1", parameters=[])) is None

    def test_a_shipped_hunt_is_found_too(self) -> None:
        shipped = catalogue.hunts()["device-logons"]
        from_file = as_yaml(shipped)
        (candidate,) = _candidates(from_file)
        assert library.known_fingerprints()[candidate.content_hash] == "device-logons"


class OneQueryTests(LibraryTestCase):
    def test_a_request_asks_once_however_often_it_looks(self) -> None:
        for number in range(5):
            self.save(slug=f"ours-{number}", title=f"Ours {number}")
        shelf.hunts()  # the texts are read by now
        with (
            CaptureQueriesContext(connection) as asked,
            shelf.held(),
        ):
            for _ in range(4):
                assert len(shelf.hunts()) == len(catalogue.hunts()) + 5
                assert shelf.hunt("ours-3") is not None
                assert shelf.search("Ours 4")
        assert len(asked) == 1

    def test_texts_are_read_once_and_a_save_is_seen_at_once(self) -> None:
        with shelf.held():
            before = len(shelf.hunts())
            self.save()
            assert len(shelf.hunts()) == before + 1
            with mock.patch.object(catalogue, "hunt_of", side_effect=AssertionError):
                assert shelf.hunts()["ours"].kql == TEXT

    def test_a_shipped_hunt_costs_no_query(self) -> None:
        with CaptureQueriesContext(connection) as asked:
            assert shelf.hunt("device-logons") is not None
        assert len(asked) == 0


def _candidates(text: str) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        preview = read(path)
    assert preview.counts[Outcome.REFUSED.value] == 0, preview.members
    return list(preview.candidates())


class ExportTests(LibraryTestCase):
    def test_every_shipped_hunt_and_a_saved_one_come_back_as_they_were(self) -> None:
        self.save(
            meaning="A line\nand: another", false_positives=["- a dash", "#not a comment"], techniques=["T1059.001"],
            kql=TEXT + "   \n\n// it's \"quoted\": 'yes'\n| take 5\n",
        )  # fmt: skip
        for hunt in shelf.hunts().values():
            (candidate,) = _candidates(as_yaml(hunt))
            assert candidate.slug == hunt.id
            assert candidate.kql == hunt.kql
            assert candidate.tables == tuple(sorted(hunt.tables)) or set(candidate.tables) == set(hunt.tables)
            assert [p.name for p in candidate.parameters] == [p.name for p in hunt.parameters]
            assert [str(p.kind) for p in candidate.parameters] == [str(p.kind) for p in hunt.parameters]
            assert candidate.techniques == hunt.techniques


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=300)


class AnyTextTests(PropertyTestCase):
    @settings(max_examples=60, deadline=None)
    @given(TEXTS)
    @example("\x85")
    @example("a\u2028b\n\u2029")
    def test_what_is_saved_comes_back_byte_for_byte(self, text: str) -> None:
        author = User(username="any", site_role=User.SiteRole.ANALYST)
        author.save()
        saved = library.save_hunt(
            actor=author, slug="any-text", content=content(kql=text, parameters=[], sources=["defender"])
        )  # fmt: skip
        kept = HuntVersion.objects.get(pk=saved.pk)
        found = shelf.hunt("any-text")
        assert found is not None
        assert kept.content["kql"] == found.kql == text
        assert library.fingerprint_of(kept.content) == kept.content_hash
        assert yaml.safe_load(as_yaml(found))["kql"] == text
