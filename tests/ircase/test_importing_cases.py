"""A case of another IRCase comes in: everything is kept, faults are said, hostile files are refused."""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from ircase import tasks
from ircase.dossier import verify, write
from ircase.dossier.container import FolderWriter, ZipWriter
from ircase.models import (
    Case,
    CaseImport,
    ChecklistItem,
    CustodyBefore,
    CustodyEntry,
    Evidence,
    LogEntry,
    NoteRevision,
    RecordBefore,
)
from ircase.services import evidence, log
from ircase.services.analysis import findings
from ircase.services.transfer import caseimports
from ircase.services.vault import statements, verification
from ircase.services.writing import notes
from tests.cast import CastTestCase, make_evidence
from tests.ircase.test_exporting import resign


class ImportTests(CastTestCase):
    def setUp(self) -> None:
        self.one = make_evidence(self.case, self.alice, b"a,b\n1,2\n", name="rows.csv")
        self.two = make_evidence(self.case, self.bob, b"two", name="two.bin")
        log.record_custody(self.one, "viewed", actor=self.bob, what="table x")
        note = notes.create_note(case=self.case, actor=self.bob, title="Note", body="First")
        notes.save_note(note=note, actor=self.alice, title="Note", body="Second", version=1)
        asset = findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws-07")
        findings.add_event(
            case=self.case,
            actor=self.bob,
            at=self.case.opened_at,
            title="It began",
            assets=[asset[0] if isinstance(asset, tuple) else asset],
        )
        findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value="192.0.2.7")
        statements.make()
        self.folder = Path(tempfile.mkdtemp()) / "x"
        wanted = write.Wanted(self.case, self.alice, "export", "Court", "Court")
        write.write(wanted, FolderWriter(self.folder), check=lambda: None)

    def packed(self) -> bytes:
        out = io.BytesIO()
        writer = ZipWriter(out)
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                writer.add(path.relative_to(self.folder).as_posix(), [path.read_bytes()])
        with mock.patch("os.fsync"), mock.patch.object(out, "fileno", return_value=0, create=True):
            writer.close()
        return out.getvalue()

    def bring(self, content: bytes, **more: str) -> CaseImport:
        job = caseimports.receive(actor=self.bob, wish=caseimports.Wish("x.zip", **more), chunks=[content])  # type: ignore[arg-type]
        tasks.import_case(job.pk)
        return CaseImport.objects.get(pk=job.pk)

    def test_everything_is_kept_and_marked(self) -> None:
        job = self.bring(self.packed())
        assert (job.state, job.reason, job.faults) == ("done", "", [])
        case = job.case
        assert case is not None
        assert (case.confidential, case.title, job.reference) == (True, self.case.title, self.case.reference)
        assert case.reference != self.case.reference
        item = Evidence.objects.get(case=case, number=1)
        assert (item.sha256, item.manifest, item.name) == (self.one.sha256, self.one.manifest, "rows.csv")
        before = [row.entry for row in CustodyBefore.objects.filter(evidence=item)]
        assert [entry["action"] for entry in before] == ["sealed", "viewed"]
        assert before[1]["actor"] == "Bob"
        first = CustodyEntry.objects.get(evidence=item, sequence=1)
        assert first.action == "imported"
        assert first.detail["last_digest"] == before[-1]["digest"]
        assert first.detail["from_exhibit"] == "E001"
        assert Evidence.objects.filter(case=case).last().name.endswith("_before_import.zip")  # type: ignore[union-attr]
        assert list(verification.verify_case(case)) == []
        assert LogEntry.objects.get(case=case, action="case.brought_in").detail["reference"] == self.case.reference

    def test_the_content_is_rebuilt_with_people_as_text(self) -> None:
        case = self.bring(self.packed()).case
        assert case is not None
        assert [note.body for note in case.notes.all()] == ["Second"]
        texts = NoteRevision.objects.filter(note__case=case).order_by("version")
        assert [(row.body, row.author_name) for row in texts] == [
            ("First", "Bob (bob), elsewhere"),
            ("Second", "Alice (alice), elsewhere"),
        ]
        event = case.events.get()
        assert (event.title, [asset.name for asset in event.assets.all()]) == ("It began", ["ws-07"])
        assert event.provenance["by_name"] == "Bob (bob)"
        assert case.indicators.get().value == "192.0.2.7"
        assert set(case.milestones.values_list("kind", "at")) == set(self.case.milestones.values_list("kind", "at"))
        there = ChecklistItem.objects.filter(case=self.case).values_list("key", "title")
        assert list(ChecklistItem.objects.filter(case=case).values_list("key", "title")) == list(there)
        assert case.evidence.get(number=1).parse_job is not None

    def test_its_own_export_verifies(self) -> None:
        case = self.bring(self.packed()).case
        assert case is not None
        folder = self.folder.parent / "again"
        write.write(write.Wanted(case, self.bob, "x", "a", "b"), FolderWriter(folder), check=lambda: None)
        assert verify.Verifier(str(folder)).run() == []

    def test_custody_before_import_cannot_be_changed_unseen(self) -> None:
        case = self.bring(self.packed()).case
        assert case is not None
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("UPDATE ircase_custodybefore SET line = replace(line, 'viewed', 'ignored')")
        assert [fault.code for fault in verification.verify_case(case)] == ["before_altered"]

    def test_a_failed_verification_is_said_and_taken_over_only_with_a_reason(self) -> None:
        register = json.loads((self.folder / "export.json").read_text())
        (self.folder / register["exhibits"][1]["file"]).write_bytes(b"TWO")
        job = self.bring(self.packed())
        assert (job.state, job.case) == ("failed", None)
        assert any(fault["place"] == register["exhibits"][1]["file"] for fault in job.faults)
        assert not Case.objects.filter(brought_in=job).exists()
        with pytest.raises(ValidationError, match="Say why"):
            caseimports.accept(job=job, actor=self.bob, reason=" ")
        caseimports.accept(job=job, actor=self.bob, reason="The only copy")
        tasks.import_case(job.pk)
        job = CaseImport.objects.get(pk=job.pk)
        assert (job.state, job.reason) == ("done", "")
        assert job.case is not None
        item = Evidence.objects.get(case=job.case, number=2)
        assert "ALTERED before import" in item.description
        assert LogEntry.objects.get(case=job.case, action="case.brought_in").detail["reason"] == "The only copy"
        assert list(verification.verify_case(job.case)) == []

    def test_another_key_than_the_sender_told_is_a_fault(self) -> None:
        job = self.bring(self.packed(), expected_key="ab" * 32)
        assert [fault["place"] for fault in job.faults] == ["signature.json"]

    def test_a_bomb_a_twin_a_path_and_junk(self) -> None:
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("export.json", b"0" * 10_000_000)
        for content in (bomb.getvalue(), b"", b"PK", self.packed()[:-5]):
            job = self.bring(content)
            assert (job.state, job.case, job.faults) == ("failed", None, [])
            with pytest.raises(ValidationError, match="nothing to take over"):
                caseimports.accept(job=job, actor=self.bob, reason="x")
        out = io.BytesIO()
        writer = ZipWriter(out)
        for name in ("../evil", "a", "a", "/etc/x", "evidence/..", "a\x00b"):
            writer.add(name, [b"x"])
        with mock.patch("os.fsync"), mock.patch.object(out, "fileno", return_value=0, create=True):
            writer.close()
        job = self.bring(out.getvalue())
        assert (job.state, job.case) == ("failed", None)
        assert {"a", "export.json"} <= {fault["place"] for fault in job.faults}

    def test_a_register_with_odd_shapes_makes_no_case(self) -> None:
        path = self.folder / "export.json"
        whole = json.loads(path.read_text())
        for change in (
            {"exhibits": [[]]},
            {"exhibits": [{"exhibit": "../E1"}]},
            {"exhibits": whole["exhibits"] * 2},
            {"case": 7},
        ):
            path.write_text(json.dumps({**whole, **change}))
            resign(self.folder)
            job = self.bring(self.packed())
            assert (job.state, job.case) == ("failed", None), change
            if job.reference and job.faults:
                caseimports.accept(job=job, actor=self.bob, reason="Try")
                tasks.import_case(job.pk)
                job.refresh_from_db()
                assert (job.state, job.case) == ("failed", None), change

    def test_hostile_values_are_bounded(self) -> None:
        path = self.folder / "case" / "notes.json"
        path.write_text(
            json.dumps([{"_id": "x", "title": "\ud800" * 900, "body": "a\0b", "version": "seven"}, {"title": 3}])
        )
        events = self.folder / "case" / "timeline.json"
        events.write_text(
            json.dumps([{"at": "yesterday"}, {"at": "2026-01-01T00:00:00Z", "title": [1], "assets": [{}, 4]}])
        )
        resign(self.folder)
        case = self.bring(self.packed()).case
        assert case is not None
        assert [(len(note.title), note.body, note.version) for note in case.notes.all()] == [(200, "ab", 1)]
        assert case.events.count() == 1
        kept = RecordBefore.objects.filter(case=case).exclude(reason="").values_list("area", "reason")
        assert ("notes", "its title is missing or not readable") in kept
        assert "timeline" in {area for area, _ in kept}

    def test_a_full_store_is_tried_again(self) -> None:
        job = caseimports.receive(actor=self.bob, wish=caseimports.Wish("x.zip"), chunks=[self.packed()])
        with mock.patch.object(evidence, "put", side_effect=evidence.StoreError("The disk is full.")):
            tasks.import_case(job.pk)
        job.refresh_from_db()
        assert (job.state, job.reason, Case.objects.filter(brought_in=job).count()) == (
            "queued",
            "The disk is full.",
            0,
        )
        CaseImport.objects.filter(pk=job.pk).update(not_before=None)
        tasks.import_case(job.pk)
        job.refresh_from_db()
        assert job.state == "done"
        caseimports.sweep()
        assert not caseimports.path_of(job).exists()

    def test_only_who_opens_cases_brings_one_in(self) -> None:
        with pytest.raises(PermissionDenied):
            caseimports.receive(actor=self.carol, wish=caseimports.Wish("x"), chunks=[b""])
        self.sign_in(self.bob)
        reply = self.client.post(
            reverse("ircase:case_imports"),
            {"file": SimpleUploadedFile("x.zip", self.packed()), "confidential": "on", "expected_key": ""},
        )
        job = CaseImport.objects.get()
        address = reverse("ircase:case_import", args=[job.uuid])
        assert reply.headers["Location"] == address
        tasks.import_case(job.pk)
        page = self.client.get(address).content.decode()
        job.refresh_from_db()
        assert job.case is not None
        assert f"Open {job.case.reference}" in page
        item = job.case.evidence.get(number=1)
        assert (
            "Custody before import"
            in self.client.get(reverse("ircase:custody", args=[job.case.reference, item.uuid])).content.decode()
        )
        self.sign_in(self.alice)
        assert self.client.get(address).status_code == 404

    def test_the_commands(self) -> None:
        target = self.folder.parent / "out.zip"
        words = {"user": "alice", "purpose": "Court", "receiver": "The court", "verbosity": 0}
        call_command("export_case", self.case.reference, to=target, **words)
        assert CustodyEntry.objects.filter(action="exported").count() == 2
        call_command("import_case", target, user="bob")
        assert CaseImport.objects.get().case is not None
