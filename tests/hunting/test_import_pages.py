"""Importing through the pages: handed in, read in a child process, chosen from over several pages, kept as drafts."""

import csv
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from hunting import catalogue, importer, shelf
from hunting.catalogue import Review
from hunting.importing import read
from hunting.importing.written import lines
from hunting.models import HuntImport, HuntRun, HuntVersion, ImportItem, SavedHunt
from hunting.services import importing, library, packbook
from hunting.tasks import bring_in
from ircase.models import JobState, LogEntry, User
from tests.cast import CastTestCase
from tests.hunting.stage import quiet_heart

SET = Path(__file__).parent / "importing_set"
HUNT = """// Encoded commands
let Since = 7d;
DeviceProcessEvents
| where Timestamp > ago(Since)
| where ProcessCommandLine has "{Words}"
| project Timestamp, DeviceName, ProcessCommandLine
"""
PACK = """id: spreading
version: 1
title: Spreading
description: In order.
entity: device
hunts:
  - encoded
  - {hunt: device-logons, only_if: encoded}
"""


def zipped(files: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def the_set() -> bytes:
    return zipped({p.relative_to(SET).as_posix(): p.read_bytes() for p in sorted(SET.rglob("*")) if p.is_file()})


class ImportCase(CastTestCase):
    def upload(self, *files: tuple[str, bytes], user: User | None = None, **data: str) -> Any:
        self.sign_in(user or self.alice)
        sent = [SimpleUploadedFile(name, content) for name, content in files]
        return self.client.post("/hunt-imports/", {"file": sent, **data})

    def work(self, found: HuntImport) -> HuntImport:
        with quiet_heart():
            bring_in(found.pk)
        return HuntImport.objects.get(pk=found.pk)

    def bring(self, name: str, content: bytes, **data: str) -> HuntImport:
        reply = self.upload((name, content), **data)
        assert reply.status_code == 302, reply.content.decode()[:2000]
        return self.work(HuntImport.objects.get(uuid=UUID(reply.headers["Location"].split("/")[2])))

    def choose(self, found: HuntImport, act: str, *, shown: str = "", item: tuple[int, ...] = ()) -> Any:
        return self.client.post(f"/hunt-imports/{found.uuid}/choose/", {"act": act, "shown": shown, "item": item})

    def keep(self, found: HuntImport) -> HuntImport:
        reply = self.choose(found, "keep")
        assert reply.status_code == 302
        return self.work(HuntImport.objects.get(pk=found.pk))


class SetTests(ImportCase):
    def test_the_set_comes_in_through_the_page(self) -> None:
        found = self.bring("set.zip", the_set())
        assert (found.state, found.kind, found.reason) == ("done", "zip", "")
        files = sum(1 for p in SET.rglob("*") if p.is_file())
        assert sum(found.counts.values()) == files
        page = self.client.get(f"/hunt-imports/{found.uuid}/")
        text = page.content.decode()
        assert page.status_code == 200 and "What is not kept (CSV)" in text
        items = found.items
        # Every part that is a candidate can be kept, and all but duplicates are ticked.
        assert not items.filter(outcome="refused").exclude(slug="").exists()
        assert not items.filter(outcome="duplicate", is_wanted=True).exists()
        assert not items.filter(outcome__in=("kept", "changed"), kind="hunt", is_wanted=False).exists()
        assert all(item.reason for item in items.filter(outcome="refused"))
        wanted = items.filter(is_wanted=True).count()
        assert f"Keep {wanted} hunts" in text
        self.keep(found)
        assert items.exclude(problem="").count() == 0
        kept = items.exclude(kept_hunt=None)
        assert kept.count() + items.exclude(kept_pack=None).count() == wanted
        assert SavedHunt.objects.count() == kept.count()
        assert not HuntRun.objects.exists()
        assert {hunt.review for hunt in shelf.hunts().values() if hunt.saved} == {Review.DRAFT}
        # The same source again has nothing new.
        again = self.bring("set.zip", the_set())
        items = again.items.filter(kind="hunt")
        assert set(items.values_list("outcome", flat=True)) <= {"duplicate", "refused"}
        assert not items.filter(is_wanted=True).exists()


class ChoosingTests(ImportCase):
    def test_ticks_survive_paging_and_only_they_are_kept(self) -> None:
        files: dict[str, str | bytes] = {
            f"h{n:03}.kql": f"DeviceEvents | where ActionType == 'kind{n}' | project Timestamp, DeviceName"
            for n in range(1, 61)
        }
        found = self.bring("many.zip", zipped(files))
        first = self.client.get(f"/hunt-imports/{found.uuid}/").content.decode()
        assert "1–50 of 60" in first and "Keep 60 hunts" in first
        shown = ",".join(map(str, range(1, 51)))
        reply = self.choose(found, "page:2", shown=shown, item=(3, 7))
        assert reply.headers["Location"].endswith("?show=&page=2#found")
        second = self.client.get(reply.headers["Location"].split("#")[0]).content.decode()
        assert "Keep 12 hunts" in second
        self.choose(found, "none")
        saved = self.choose(found, "save", shown=shown, item=(3, 7))
        assert saved.status_code == 302
        found = self.keep(found)
        assert sorted(found.items.exclude(kept_hunt=None).values_list("number", flat=True)) == [3, 7]
        assert LogEntry.objects.filter(action="library.imported").get().detail["kept"] == 2

    def test_a_tick_with_script_is_kept_at_once_and_says_how_many(self) -> None:
        found = self.bring("one.kql", HUNT.encode())
        reply = self.client.post(
            f"/hunt-imports/{found.uuid}/choose/", {"shown": "1", "item": []}, headers={"HX-Request": "true"}
        )
        assert "Keep 0 hunts" in reply.content.decode() and "disabled" in reply.content.decode()
        nothing = self.choose(found, "keep")
        assert nothing.status_code == 302
        assert "Tick at least one" in self.client.get(f"/hunt-imports/{found.uuid}/").content.decode()

    def test_origin_licence_parameters_and_the_text_as_it_came_are_shown_and_kept(self) -> None:
        found = self.bring("encoded.kql", HUNT.encode(), licence="MIT")
        item = found.items.get()
        page = self.client.get(f"/hunt-imports/{found.uuid}/items/{item.number}/").content.decode()
        assert "Words" in page and "MIT" in page and "encoded.kql" in page
        assert "{Words}" in page  # the left side of the diff
        self.keep(found)
        saved = SavedHunt.objects.get()
        assert (saved.licence, saved.origin["source"], saved.origin["member"]) == ("MIT", "encoded.kql", "encoded.kql")
        assert saved.origin["sha256"] == found.files[0]["sha256"]
        version = saved.versions.get()
        assert version.author == self.alice and version.change == "Imported from encoded.kql"
        assert "Words" in [p["name"] for p in version.content["parameters"]]

    def test_hostile_text_is_only_text(self) -> None:
        bad = "| where x == '<script>alert(1)</script>'"
        content = f"DeviceEvents {bad}\n| project Timestamp"
        found = self.bring("<img src=x>.kql", content.encode())
        for page in (f"/hunt-imports/{found.uuid}/", f"/hunt-imports/{found.uuid}/items/1/"):
            text = self.client.get(page).content.decode()
            assert "<script>alert" not in text and "<img src=x" not in text


class DuplicateTests(ImportCase):
    def test_a_hunt_that_the_library_has_is_named_with_a_link_and_not_ticked(self) -> None:
        own = (catalogue.LIBRARY / "device-logons.yaml").read_bytes()
        found = self.bring("device-logons.yaml", own)
        item = found.items.get()
        assert (item.outcome, item.target, item.is_wanted) == ("duplicate", "device-logons", False)
        assert 'href="/hunts/device-logons/"' in self.client.get(f"/hunt-imports/{found.uuid}/").content.decode()
        # A person may want it all the same; it then gets an id of its own.
        self.choose(found, "save", shown="1", item=(1,))
        self.keep(found)
        assert SavedHunt.objects.get().slug == "device-logons-2"

    def test_a_changed_source_becomes_a_new_version_previewed_as_such(self) -> None:
        self.keep(self.bring("encoded.kql", HUNT.encode()))
        slug = SavedHunt.objects.get().slug
        found = self.bring("encoded.kql", HUNT.replace("ProcessCommandLine has", "FileName has").encode())
        item = found.items.get()
        assert (item.becomes, item.target, item.is_wanted) == ("version", slug, True)
        assert "New version" in self.client.get(f"/hunt-imports/{found.uuid}/").content.decode()
        page = self.client.get(f"/hunt-imports/{found.uuid}/items/1/").content.decode()
        assert "What the new version would change" in page
        self.keep(found)
        assert [v.number for v in HuntVersion.objects.filter(saved__slug=slug)] == [2, 1]

    def test_what_the_team_changed_since_is_not_overwritten_unasked(self) -> None:
        self.keep(self.bring("encoded.kql", HUNT.encode()))
        version = HuntVersion.objects.get()
        library.save_hunt(
            actor=self.bob, slug=version.saved.slug, content={**version.content, "title": "Ours"}, edited_from=1
        )
        item = self.bring("encoded.kql", HUNT.replace("7d", "8d").encode()).items.get()
        assert (item.becomes, item.is_wanted) == ("version", False)
        assert "The team changed it here" in item.facts["notes"][-1]

    def test_the_same_name_from_elsewhere_takes_another_id(self) -> None:
        self.keep(self.bring("encoded.kql", HUNT.encode()))
        first = SavedHunt.objects.get().slug
        found = self.bring(
            "other.zip", zipped({"a/encoded.kql": HUNT.replace("ProcessCommandLine has", "FileName has")})
        )
        self.keep(found)
        assert sorted(SavedHunt.objects.values_list("slug", flat=True)) == [first, f"{first}-2"]


class PackImportTests(ImportCase):
    def test_a_pack_is_kept_with_its_conditions_under_the_ids_that_its_hunts_get(self) -> None:
        own = (catalogue.LIBRARY / "device-powershell.yaml").read_text(encoding="utf-8")
        hunt = own.replace("id: device-powershell", "id: encoded").replace("| where", "| where 1 == 1 and", 1)
        found = self.bring("mine.zip", zipped({"encoded.yaml": hunt, "spreading.yaml": PACK}))
        assert [(i.kind, i.outcome) for i in found.items.all()] == [("hunt", "kept"), ("pack", "kept")]
        self.keep(found)
        pack = shelf.packs()["spreading"]
        assert [(s.hunt.id, s.only_if) for s in pack.steps] == [("encoded", ""), ("device-logons", "encoded")]

    def test_a_pack_without_its_hunt_says_so(self) -> None:
        own = (catalogue.LIBRARY / "device-powershell.yaml").read_text(encoding="utf-8")
        hunt = own.replace("id: device-powershell", "id: encoded").replace("| where", "| where 1 == 1 and", 1)
        found = self.bring("mine.zip", zipped({"encoded.yaml": hunt, "spreading.yaml": PACK}))
        self.choose(found, "save", shown="1,2", item=(2,))
        self.keep(found)
        assert "Keep that one too" in found.items.get(number=2).problem
        assert "could not be kept" in self.client.get(f"/hunt-imports/{found.uuid}/").content.decode()
        # The other is ticked as well, and both come.
        self.choose(found, "save", shown="1,2", item=(1, 2))
        self.keep(found)
        assert found.items.get(number=2).problem == "" and "spreading" in shelf.packs()

    def test_a_pack_of_unknown_hunts_is_refused(self) -> None:
        item = self.bring("p.yaml", PACK.encode()).items.get()
        assert item.outcome == "refused" and "encoded" in item.reason


class RefusalTests(ImportCase):
    def test_what_is_not_kept_comes_as_csv_that_no_spreadsheet_runs(self) -> None:
        found = self.bring("bad.zip", zipped({"=cmd|' /C calc'!A0.kql": "no query", "b.yaml": "a: [", "c.exe": b"MZ"}))
        reply = self.client.get(f"/hunt-imports/{found.uuid}/refused/")
        text = b"".join(reply.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == 3 and all(row["Reason"] for row in rows)
        assert rows[0]["Member"].startswith("'=cmd")

    def test_a_source_that_cannot_be_read_fails_with_its_reason(self) -> None:
        found = self.bring("broken.zip", b"PK\x03\x04 nothing more")
        assert found.state == JobState.FAILED and "damaged" in found.reason
        text = self.client.get(f"/hunt-imports/{found.uuid}/").content.decode()
        assert "The source could not be read" in text and 'hx-trigger="every' not in text

    def test_too_much_is_said_before_anything_is_kept(self) -> None:
        with mock.patch.object(importing, "MOST_BYTES", 10):
            reply = self.upload(("a.kql", HUNT.encode()))
        assert reply.status_code == 422 and not HuntImport.objects.exists()
        assert self.upload().status_code == 422

    def test_several_files_are_one_import_and_a_zip_is_one_of_its_own(self) -> None:
        reply = self.upload(
            ("a.kql", HUNT.encode()), ("b.kql", b"DeviceEvents | take 5"), ("c.zip", zipped({"c.kql": HUNT}))
        )
        assert reply.headers["Location"] == "/hunt-imports/"
        zip_import, rest = HuntImport.objects.order_by("pk")
        assert (zip_import.source, rest.source) == ("c.zip", "a.kql and 1 more")
        rest = self.work(rest)
        assert sorted(rest.items.values_list("member", flat=True)) == ["a.kql", "b.kql"]

    def test_a_child_that_dies_is_a_failed_import_with_advice(self) -> None:
        with mock.patch.object(importer, "MEGABYTES", 40):
            found = self.bring("one.kql", HUNT.encode())
        assert found.state == JobState.FAILED and "Split the source" in found.reason


class WorkerTests(ImportCase):
    def test_a_worker_that_dies_while_keeping_loses_nothing_and_keeps_nothing_twice(self) -> None:
        files: dict[str, str | bytes] = {f"h{n}.kql": f"DeviceEvents | where ActionType == 'k{n}'" for n in range(4)}
        found = self.bring("four.zip", zipped(files))
        self.choose(found, "keep")
        done = []

        def dies(item: ImportItem, actor: User) -> bool:
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(item.number)
            return kept(item, actor)

        kept = importer.keeping.keep_item
        with mock.patch.object(importer.keeping, "keep_item", dies), pytest.raises(KeyboardInterrupt):
            self.work(found)
        HuntImport.objects.filter(pk=found.pk).update(heartbeat_at="2026-01-01T00:00:00Z")
        with mock.patch("ircase.jobs.current_app.send_task") as send:
            importing.sweep()
        assert send.call_args == mock.call("hunting.bring_in", args=[found.pk])
        found = self.work(found)
        assert found.state == JobState.DONE and SavedHunt.objects.count() == HuntVersion.objects.count() == 4

    def test_cancelled_while_it_waits_it_is_never_read(self) -> None:
        self.upload(("a.kql", HUNT.encode()))
        found = HuntImport.objects.get()
        assert self.client.post(f"/hunt-imports/{found.uuid}/cancel/").status_code == 302
        found = self.work(found)
        assert found.state == JobState.CANCELLED and not found.items.exists()

    def test_cancelled_while_keeping_the_preview_is_there_still(self) -> None:
        found = self.bring("a.kql", HUNT.encode())
        self.choose(found, "keep")
        importing.cancel(found=HuntImport.objects.get(pk=found.pk), actor=self.alice)
        found = self.work(found)
        assert found.state == JobState.DONE and not SavedHunt.objects.exists()
        self.keep(found)
        assert SavedHunt.objects.count() == 1

    def test_who_lost_the_right_meanwhile_keeps_nothing(self) -> None:
        found = self.bring("a.kql", HUNT.encode())
        self.choose(found, "keep")
        User.objects.filter(pk=self.alice.pk).update(is_active=False)
        found = self.work(found)
        assert found.state == JobState.FAILED and not SavedHunt.objects.exists()


class PathTests(ImportCase):
    def send(self, path: str, user: User | None = None) -> Any:
        self.sign_in(user or self.ada)
        return self.client.post("/hunt-imports/path/", {"path": path})

    def test_without_a_root_no_folder_is_read(self) -> None:
        assert self.send(str(SET)).status_code == 422
        assert "IRCASE_IMPORT_ROOTS" in self.client.get("/hunt-imports/").content.decode()

    def test_a_folder_below_a_root_is_read_and_nothing_beside_it(self) -> None:
        with override_settings(HUNT_IMPORT_ROOTS=[str(SET)]):
            reply = self.send(str(SET / "plain"))
            found = self.work(HuntImport.objects.get(uuid=UUID(reply.headers["Location"].split("/")[2])))
            assert (found.state, found.kind, found.source) == ("done", "folder", "plain")
            for bad in ("/etc", str(SET.parent), f"{SET}/plain/../..", "plain", f"{SET}/missing", f"{SET}-x"):
                reply = self.send(bad)
                assert reply.status_code == 422 and "below the allowed folders" in reply.content.decode(), bad

    def test_a_link_out_of_the_root_is_refused_when_it_is_read_too(self) -> None:
        with tempfile.TemporaryDirectory() as root, override_settings(HUNT_IMPORT_ROOTS=[root]):
            folder = Path(root) / "hunts"
            folder.mkdir()
            self.send(str(folder))
            folder.rmdir()
            folder.symlink_to("/etc")
            found = self.work(HuntImport.objects.get())
        assert found.state == JobState.FAILED and "below the allowed folders" in found.reason

    def test_a_lead_may_not(self) -> None:
        assert self.send(str(SET), self.alice).status_code == 403
        with pytest.raises(PermissionDenied):
            importing.queue_path(actor=self.alice, path=str(SET))


class RightTests(ImportCase):
    def test_who_reviews_nothing_sees_and_does_nothing(self) -> None:
        found = self.bring("a.kql", HUNT.encode())
        for user in (self.bob, self.carol, self.mallory):
            self.sign_in(user)
            assert self.client.get(f"/hunt-imports/{found.uuid}/").status_code == 403
            assert self.upload(("a.kql", b"x"), user=user).status_code == 403
            with pytest.raises(PermissionDenied):
                importing.keep(found=found, actor=user)

    def test_a_post_without_its_token_is_refused(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.alice)
        reply = client.post("/hunt-imports/", {"file": SimpleUploadedFile("a.kql", b"x")})
        assert reply.status_code == 403 and not HuntImport.objects.exists()


class EditorTests(ImportCase):
    def form(self, act: str, *steps: tuple[str, str], **more: str) -> Any:
        self.sign_in(self.alice)
        return self.client.post(
            "/hunt-packs/new/",
            {
                "act": act, "title": "Mine", "slug": "mine", "entity": "device", "description": "", "edited_from": "0",
                "hunt": [hunt for hunt, _ in steps], "only_if": [only_if for _, only_if in steps], **more,
            },
        )  # fmt: skip

    def test_a_pack_is_put_together_and_kept(self) -> None:
        added = self.form("add", add="device-logons").content.decode()
        assert 'name="hunt" value="device-logons"' in added and "Added" in added and 'value="Mine"' in added
        two = (("device-logons", ""), ("lsass-access", "device-logons"))
        turned = self.form("up:1", *two).content.decode()
        assert turned.index('value="lsass-access"') < turned.index('value="device-logons"')
        assert "has no condition any more" in turned
        gone = self.form("remove:0", *two).content.decode()
        assert 'name="hunt" value="device-logons"' not in gone
        reply = self.form("save", *two)
        assert reply.headers["Location"] == "/hunt-packs/mine/"
        page = self.client.get("/hunt-packs/mine/").content.decode()
        assert "only if" in page
        yaml = self.client.get("/hunt-packs/mine/export/").content.decode()
        assert "only_if: device-logons" in yaml

    def test_what_was_typed_is_not_lost_on_an_error(self) -> None:
        reply = self.form("save", ("device-logons", "lsass-access"))
        text = reply.content.decode()
        assert reply.status_code == 422 and "does not stand before" in text and 'value="Mine"' in text
        assert 'name="hunt" value="device-logons"' in text

    def test_somebody_who_was_faster_is_named_and_the_second_save_goes_on_top(self) -> None:
        self.form("save", ("device-logons", ""))
        data = {"act": "save", "title": "Mine", "entity": "device", "hunt": ["lsass-access"], "only_if": [""]}
        packbook.save_pack(
            actor=self.ada, slug="mine", edited_from=1,
            content={"title": "Hers", "description": "", "entity": "device", "hunts": ["device-logons"]},
        )  # fmt: skip
        reply = self.client.post("/hunt-packs/mine/edit/", {**data, "edited_from": "1"})
        assert reply.status_code == 422 and "saved version 2" in reply.content.decode()
        assert 'name="edited_from" value="2"' in reply.content.decode()
        assert self.client.post("/hunt-packs/mine/edit/", {**data, "edited_from": "2"}).status_code == 302
        assert shelf.packs()["mine"].version == 3


def test_the_lines_of_the_child_are_json_whatever_a_name_holds(tmp_path: Path) -> None:
    preview = read(zipped({"\u202eevil\ud83d.kql".encode("utf-8", "replace").decode(): HUNT}), name="x.zip")
    whole, *items = [json.loads(json.dumps(line)) for line in lines(preview)]
    assert whole["kind"] == "zip" and items[0]["kind"] == "hunt"
    with pytest.raises(ValidationError):
        importing.allowed_path("relative")
