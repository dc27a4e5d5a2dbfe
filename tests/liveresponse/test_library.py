"""The tenant's script library: asked for here, done by a worker, and what changed there without us."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from ircase.models import Connection, LogEntry
from ircase.services import approvals, cases
from liveresponse import runner
from liveresponse.models import LibraryChange, LibraryScript
from liveresponse.ownscripts import own_scripts
from liveresponse.services import library
from msapi.errors import Ambiguous, ApiError, Forbidden, NotFound
from msapi.machines import LibraryFile
from tests.cast import CastTestCase

FOLDER = "IRCase-Get-Folder.ps1"


@dataclass
class Library:
    """A tenant's library. `faults` are raised by the next writes; `late` ones after the write was done."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[ApiError] = field(default_factory=list)
    late: list[ApiError] = field(default_factory=list)
    writes: int = 0

    def library_files(self) -> Iterator[LibraryFile]:
        return iter([self._file(name) for name in self.files])

    def _file(self, name: str) -> LibraryFile:
        digest = hashlib.sha256(self.files[name]).hexdigest()
        return LibraryFile(name, digest.upper(), "", "", "", "app", None, "", {})

    def _write(self) -> None:
        self.writes += 1
        if self.faults:
            raise self.faults.pop(0)

    def upload_library_file(self, name: str, content: bytes, **more: object) -> LibraryFile:
        self._write()
        assert more["override"] == (name in self.files)
        self.files[name] = content
        if self.late:
            raise self.late.pop(0)
        return self._file(name)

    def delete_library_file(self, name: str) -> None:
        self._write()
        if self.files.pop(name, None) is None:
            raise NotFound("There is no such file.", status=404, permanent=True)

    @contextmanager
    def __call__(self, connection: Connection) -> Iterator["Library"]:
        yield self


class LibraryTestCase(CastTestCase):
    def setUp(self) -> None:
        self.tenant = Library({"Old.ps1": b"old"})
        runner.sync_library(self.connection, self.tenant)

    def work(self, change: LibraryChange) -> LibraryChange:
        LibraryChange.objects.filter(pk=change.pk).update(lease_until=None)
        runner.change_library(change.pk, self.tenant)
        return LibraryChange.objects.get(pk=change.pk)

    def upload(self, name: str = "New.ps1", content: bytes = b"new", **more: object) -> LibraryChange:
        return library.upload(
            connection=self.connection, actor=self.alice, name=name, content=content, **more
        )  # type: ignore[arg-type]  # fmt: skip

    def row(self, name: str) -> library.Held:
        return next(row for row in library.held(self.connection) if row.name == name)


class ChangingTests(LibraryTestCase):
    def test_ours_goes_up_with_one_click_and_is_the_same_as_shipped(self) -> None:
        assert self.row(FOLDER).shipped == "missing"
        change = self.work(library.upload_own(connection=self.connection, actor=self.alice, name=FOLDER))
        assert (change.state, change.content) == ("done", None)
        assert self.tenant.files[FOLDER] == own_scripts()[FOLDER.lower()].content
        assert self.row(FOLDER).shipped == "same"
        self.tenant.files[FOLDER] = b"another"
        runner.sync_library(self.connection, self.tenant)
        assert self.row(FOLDER).shipped == "differs"

    def test_replacing_must_be_said_and_keeps_both_hashes(self) -> None:
        with pytest.raises(ValidationError, match="holds Old.ps1 already"):
            self.upload("old.ps1")
        change = self.work(self.upload("old.ps1", replace=True, reason="mended"))
        assert (change.kind, change.state, change.name) == ("replaced", "done", "Old.ps1")
        assert change.before_sha256 == hashlib.sha256(b"old").hexdigest()
        assert change.after_sha256 == hashlib.sha256(b"new").hexdigest()
        entry = LogEntry.objects.get(action="script.replaced_done")
        assert (entry.detail["before"], entry.actor_name) == (change.before_sha256, "Alice")

    def test_deleting_asks_for_the_name(self) -> None:
        script = LibraryScript.objects.get(name="Old.ps1")
        with pytest.raises(ValidationError, match="Type Old.ps1"):
            library.delete(script=script, actor=self.alice, typed_name="old")
        assert self.work(library.delete(script=script, actor=self.alice, typed_name="Old.ps1")).state == "done"
        assert self.tenant.files == {} and not LibraryScript.objects.exists()

    def test_what_is_refused_at_once(self) -> None:
        for name, content in (("a b.ps1", b"x"), ("../x.ps1", b"x"), ("x.ps1", b""), ("x.ps1", b"x" * 20_000_001)):
            with pytest.raises(ValidationError):
                self.upload(name, content)
        with pytest.raises(PermissionDenied):
            library.upload(connection=self.connection, actor=self.bob, name="x.ps1", content=b"x")
        self.upload()
        with pytest.raises(ValidationError, match="under way"):
            self.upload()
        self.connection.read_only = True
        with pytest.raises(ValidationError, match="hunting only"):
            self.upload("other.ps1")

    def test_an_upload_that_may_have_happened_is_looked_for_not_repeated(self) -> None:
        self.tenant.late = [Ambiguous("The connection broke.")]
        change = self.work(self.upload())
        assert change.state == "waiting"
        assert self.work(change).state == "done"
        assert self.tenant.writes == 1

    def test_a_change_in_the_tenant_meanwhile_is_not_overwritten(self) -> None:
        change = self.upload("Old.ps1", replace=True)
        self.tenant.files["Old.ps1"] = b"somebody else's"
        change = self.work(change)
        assert change.state == "failed" and "meanwhile" in change.failure
        assert self.tenant.files["Old.ps1"] == b"somebody else's"

    def test_a_missing_role_is_told(self) -> None:
        self.tenant.faults = [Forbidden("The app lacks Library.Manage.", status=403, permanent=True)]
        change = self.work(self.upload())
        assert change.state == "failed" and "Library.Manage" in change.failure and change.content is None

    def test_who_may_no_longer_keep_the_library_changes_nothing(self) -> None:
        change = self.upload()
        cases.set_member(case=self.case, actor=self.alice, user=self.ada, role="lead")
        cases.set_member(case=self.case, actor=self.ada, user=self.alice, role="analyst")
        change = self.work(change)
        assert change.state == "failed" and "Alice may no longer change" in change.failure
        assert self.tenant.writes == 0

    def test_a_second_worker_finds_nothing_to_do(self) -> None:
        change = self.upload()
        assert library.take(change.pk) is not None
        runner.change_library(change.pk, self.tenant)
        assert self.tenant.writes == 0


class SeenTests(LibraryTestCase):
    def test_the_first_reading_tells_of_no_change(self) -> None:
        assert not LibraryChange.objects.exists()

    def test_changes_made_elsewhere_are_kept_and_end_the_standing_approval(self) -> None:
        before = hashlib.sha256(b"old").hexdigest()
        approvals.grant_standing(
            case=self.case, actor=self.alice, connection=self.connection, script_name="Old.ps1", script_sha256=before,
            reason="read", days=3,
        )  # fmt: skip
        assert self.row("Old.ps1").standing
        self.tenant.files = {"Old.ps1": b"changed", "Added.ps1": b"x"}
        runner.sync_library(self.connection, self.tenant)
        seen = {(c.name, c.kind, c.state) for c in LibraryChange.objects.all()}
        assert seen == {("Old.ps1", "replaced", "seen"), ("Added.ps1", "uploaded", "seen")}
        assert not self.row("Old.ps1").standing
        entry = LogEntry.objects.get(action="script.replaced_seen")
        assert entry.detail["standing_approval_lapsed"] is True
        self.tenant.files = {}
        runner.sync_library(self.connection, self.tenant)
        assert LibraryChange.objects.filter(kind="deleted", state="seen").count() == 2

    def test_our_own_changes_are_not_told_twice(self) -> None:
        change = self.upload()
        self.tenant.files["New.ps1"] = b"new"  # the tenant has it, the worker has not written so yet
        runner.sync_library(self.connection, self.tenant)
        self.work(change)
        runner.sync_library(self.connection, self.tenant)
        assert [c.state for c in LibraryChange.objects.all()] == ["done"]


class PageTests(LibraryTestCase):
    def test_who_may_read_and_who_may_change(self) -> None:
        base, script = f"/tenant-scripts/{self.connection.pk}/", LibraryScript.objects.get()
        for person, read, write in (
            (self.alice, 200, 200), (self.bob, 200, 403), (self.carol, 200, 403), (self.mallory, 404, 404),
            (self.ada, 200, 200),
        ):  # fmt: skip
            self.sign_in(person)
            for path in ("", "?part=1", f"files/{script.pk}/"):
                assert self.client.get(base + path).status_code == read, (person, path)
            for path in ("upload/", f"files/{script.pk}/delete/"):
                assert self.client.get(base + path).status_code == write, (person, path)

    def test_upload_and_delete_in_the_browser(self) -> None:
        self.sign_in(self.alice)
        base = f"/tenant-scripts/{self.connection.pk}/"
        file = SimpleUploadedFile("Mine.ps1", b"Write-Output 1")
        reply = self.client.post(f"{base}upload/", {"file": file, "parameters": "none"})
        assert reply.status_code == 302, reply.context["form"].errors
        change = LibraryChange.objects.get()
        assert bytes(change.content or b"") == b"Write-Output 1"
        assert "Uploading" in self.client.get(base).content.decode()
        self.work(change)
        script = LibraryScript.objects.get(name="Mine.ps1")
        wrong = self.client.post(f"{base}files/{script.pk}/delete/", {"typed_name": "x"})
        assert wrong.status_code == 422
        assert self.client.post(f"{base}files/{script.pk}/delete/", {"typed_name": "Mine.ps1"}).status_code == 302
        assert self.client.post(f"{base}own/{FOLDER}/").status_code == 302
        assert LibraryChange.objects.count() == 3

    def test_others_scripts_are_named_with_their_source(self) -> None:
        self.sign_in(self.bob)
        text = self.client.get(f"/tenant-scripts/{self.connection.pk}/").content.decode()
        assert "DFIR-Script.ps1" in text and "bc97ec9" in text and "Missing" in text
