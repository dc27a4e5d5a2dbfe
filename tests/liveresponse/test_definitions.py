"""The team's own collections: versions, review, the form, import and export, and who may."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ircase.models import LogEntry
from ircase.services.transfer import uploads
from liveresponse import shelf
from liveresponse.catalogue import parse_yaml
from liveresponse.models import CollectionVersion, SavedCollection
from liveresponse.services import definitions
from tests.cast import CastTestCase
from tests.liveresponse.test_steps import PRINT, own

FETCH = {"key": "get", "title": "Get", "get_file": "C:\\a.txt", "output": True}


class SavingTests(CastTestCase):
    def save(self, content: dict[str, Any], actor: Any = None, **more: Any) -> CollectionVersion:
        return definitions.save_collection(actor=actor or self.bob, slug="own", content=content, **more)

    def test_one_that_runs_a_script_waits_for_a_second_person(self) -> None:
        version = self.save(own(PRINT))
        assert shelf.definition("own") is None
        with pytest.raises(ValidationError, match="Nobody approves their own"):
            definitions.approve(version=self.save(own(PRINT, title="Mine"), actor=self.alice, edited_from=1),
                                actor=self.alice)  # fmt: skip
        with pytest.raises(ValidationError, match="newer version"):
            definitions.approve(version=version, actor=self.alice)
        newest = self.save(own(PRINT, title="Newest"), edited_from=2)
        definitions.approve(version=newest, actor=self.alice)
        used = shelf.definition("own")
        assert used is not None and (used.version, used.title) == (3, "Newest")

    def test_an_edit_leaves_the_approved_version_in_use(self) -> None:
        definitions.approve(version=self.save(own(PRINT)), actor=self.alice)
        self.save(own(PRINT, title="Changed"), edited_from=1, change="Another title")
        entry = shelf.entry("own")
        assert entry is not None and entry.used is not None and entry.newest is not None
        assert (entry.used.version, entry.newest.version, entry.waits) == (1, 2, True)

    def test_one_that_runs_nothing_may_be_used_at_once(self) -> None:
        self.save(own(FETCH, approval="none"))
        assert shelf.definition("own") is not None

    def test_the_same_content_is_no_new_version(self) -> None:
        assert self.save(own(PRINT)) == self.save(own(PRINT), edited_from=1)

    def test_a_late_save_is_a_conflict_and_writes_nothing(self) -> None:
        self.save(own(PRINT))
        self.save(own(PRINT, title="Two"), edited_from=1)
        with pytest.raises(definitions.Conflict, match="saved version 2"):
            self.save(own(PRINT, title="Late"), edited_from=1)
        with pytest.raises(definitions.Conflict, match="already"):
            self.save(own(PRINT, title="Again"))
        assert CollectionVersion.objects.count() == 2

    def test_ids_of_shipped_ones_and_of_pages_are_taken(self) -> None:
        for slug in ("dfir-triage", "new", "import"):
            with pytest.raises(ValidationError):
                definitions.save_collection(actor=self.bob, slug=slug, content=own(PRINT))

    def test_retired_ones_are_not_offered_and_come_back(self) -> None:
        definitions.approve(version=self.save(own(PRINT)), actor=self.alice)
        saved = SavedCollection.objects.get()
        definitions.retire(saved=saved, actor=self.bob)
        assert shelf.definition("own") is None and "own" not in {e.id for e in shelf.entries()}
        definitions.restore(saved=saved, actor=self.alice)
        assert shelf.definition("own") is not None
        actions = [entry.action for entry in LogEntry.objects.filter(action__startswith="library.collection")]
        assert sorted(actions) == [f"library.collection_{w}" for w in ("approved", "restored", "retired", "saved")]

    def test_managers_and_outsiders_write_nothing(self) -> None:
        for person in (self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                self.save(own(PRINT), actor=person)
        version = self.save(own(PRINT))
        with pytest.raises(PermissionDenied):
            definitions.approve(version=version, actor=self.carol)

    def test_the_shelf_asks_three_questions_however_many_there_are(self) -> None:
        for number in range(5):
            definitions.save_collection(actor=self.bob, slug=f"own-{number}", content=own(FETCH, approval="none"))
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert len(shelf.definitions()) >= 11
        assert len(seen) <= 3


def form(steps: list[dict[str, str]], parameters: list[dict[str, str]] = [], **changes: str) -> dict[str, Any]:  # noqa: B006
    data: dict[str, Any] = {
        "title": "From the form", "changes": "Nothing.", "platforms": ["Windows"], "approval": "script",
        "time_limit": "72h", "parse": "on", "act": "save", **changes,
    }  # fmt: skip
    for prefix, rows in (("p", parameters), ("s", steps)):
        data |= {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": "0"}
        data |= {f"{prefix}-{n}-{key}": value for n, row in enumerate(rows) for key, value in row.items()}
    return data


RUN = {"title": "Run it", "kind": "run_script", "file": "Own.ps1", "args": '-Path "{Path}"',
       "find": r"zip = Written to (?P<path>[^\r\n]+?\.zip)\s*$"}  # fmt: skip
GET = {"title": "Fetch it", "kind": "get_file", "path": "{zip}"}
PATH = {"name": "Path", "type": "path", "title": "Folder", "required": "on"}


class PageTests(CastTestCase):
    def test_a_collection_is_made_in_the_form(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post("/collections/new/", form([RUN, GET], [PATH]))
        assert reply.status_code == 302, reply.content.decode()[:3000]
        version = CollectionVersion.objects.get()
        assert version.saved.slug == "from-the-form"
        assert [step["key"] for step in version.content["steps"]] == ["run_it", "fetch_it"]
        assert version.content["steps"][1] == {
            "key": "fetch_it", "title": "Fetch it", "get_file": "{zip}", "output": True
        }  # fmt: skip
        page = self.client.get("/collections/from-the-form/").content.decode()
        assert "Nobody can use it yet" in page and "as in" not in page.split("<h1")[0]
        edited = self.client.get("/collections/from-the-form/edit/").content.decode()
        assert "Own.ps1" in edited and 'name="s-1-path"' in edited

    def test_what_is_wrong_is_said_and_what_was_written_stays(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post("/collections/new/", form([{**RUN, "args": "-P {Path}"}, GET], [PATH]))
        assert reply.status_code == 422
        text = reply.content.decode()
        assert "must stand in double quotes" in text and "Fetch it" in text
        assert not CollectionVersion.objects.exists()

    def test_rows_are_added_moved_and_taken_out_without_saving(self) -> None:
        self.sign_in(self.bob)
        for act, first, count in (("add:s", "Run it", 3), ("up:s:1", "Fetch it", 2), ("remove:s:0", "Fetch it", 1)):
            reply = self.client.post("/collections/new/", form([RUN, GET], [PATH], act=act))
            rows = reply.context["editing"].steps
            assert (rows[0]["title"].value(), len(rows.forms)) == (first, count), act

    def test_the_preview_shows_exactly_what_is_sent(self) -> None:
        self.sign_in(self.bob)
        text = self.client.post("/collections/new/", form([RUN, GET], [PATH], act="preview")).content.decode()
        assert "runliveresponse" in text and "run_script: Own.ps1" in text
        assert not CollectionVersion.objects.exists()

    def test_export_and_import(self) -> None:
        self.sign_in(self.bob)
        text = self.client.get("/collections/dfir-triage/export/").content.decode()
        assert parse_yaml(text)["id"] == "dfir-triage"
        refused = self.client.post("/collections/import/", {"text": text})
        assert refused.status_code == 422 and "ships a collection" in refused.content.decode()
        mine = text.replace("id: dfir-triage", "id: triage-of-ours")
        assert self.client.post("/collections/import/", {"text": mine}).status_code == 302
        again = self.client.post("/collections/import/", {"text": mine.replace("DFIR triage", "Ours")})
        assert again.status_code == 422
        data = {"text": mine.replace("DFIR triage", "Ours"), "next_version": "on"}
        assert self.client.post("/collections/import/", data).status_code == 302
        assert CollectionVersion.objects.filter(saved__slug="triage-of-ours").count() == 2
        bomb = self.client.post("/collections/import/", {"text": "a: &x [1]\nb: *x"})
        assert bomb.status_code == 422 and "aliases" in bomb.content.decode()

    def test_an_upload_that_was_refused_is_not_passed_over_for_the_text(self) -> None:
        self.sign_in(self.bob)
        text = self.client.get("/collections/dfir-triage/export/").content.decode()
        mine = text.replace("id: dfir-triage", "id: triage-of-ours")
        files = [SimpleUploadedFile(f"{number}.yaml", b"x") for number in range(uploads.MAX_FILES + 1)]
        refused = self.client.post("/collections/import/", {"text": mine, "file": files})
        assert refused.status_code == 422 and "At most 50 files at a time" in refused.content.decode()
        assert not SavedCollection.objects.exists()
        # Pasted alone, it is no fault that no file came.
        assert self.client.post("/collections/import/", {"text": mine}).status_code == 302
        assert SavedCollection.objects.get().slug == "triage-of-ours"

    def test_a_second_person_approves_on_the_page(self) -> None:
        definitions.save_collection(actor=self.bob, slug="own", content=own(PRINT))
        self.sign_in(self.bob)
        assert self.client.post("/collections/own/approve/", {"version": 1}).status_code == 403
        self.sign_in(self.alice)
        assert "Approve version 1" in self.client.get("/collections/own/").content.decode()
        self.client.post("/collections/own/approve/", {"version": 1})
        assert shelf.definition("own") is not None

    def test_every_shipped_page_opens_for_everybody_signed_in(self) -> None:
        for person in (self.carol, self.mallory):
            self.sign_in(person)
            for path in ("", "get-folder/", "investigation-package/", "dfir-triage/export/"):
                assert self.client.get(f"/collections/{path}").status_code == 200, path
            assert self.client.get("/collections/new/").status_code == 403
