"""What could do harm leaves in an export only inside an encrypted zip, and comes in with it."""

import io
import struct
import tempfile
import zipfile
from pathlib import Path

import pytest
import pyzipper
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.urls import reverse

from ircase import tasks
from ircase.dossier import locked, verify
from ircase.models import CaseExport, CaseImport, Evidence, Indicator, LogEntry
from ircase.services.analysis import findings
from ircase.services.transfer import caseexports, caseimports
from ircase.services.vault import handling, packing
from tests.cast import CastTestCase, make_evidence

PROGRAM = b"MZ" + bytes(62) + b"a program"


def within(content: bytes, password: str = "infected") -> bytes:
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        archive.setpassword(password.encode())
        (name,) = archive.namelist()
        return archive.read(name)


def aes_zip(content: bytes, password: str = "infected", **more: int) -> bytes:
    out = io.BytesIO()
    with pyzipper.AESZipFile(out, "w", encryption=pyzipper.WZ_AES, **more) as archive:
        archive.setpassword(password.encode())
        archive.writestr("export.zip", content)
    return out.getvalue()


class LeavingTests(CastTestCase):
    def setUp(self) -> None:
        self.note = make_evidence(self.case, self.alice, b"just words\n", name="note.txt")
        self.sign_in(self.bob)
        self.list = reverse("ircase:case_exports", args=[self.case.reference])

    def export(self, numbers: tuple[int, ...] = ()) -> CaseExport:
        asked = caseexports.request_export(
            case=self.case, actor=self.bob, purpose="Court", receiver="P. Rosecutor", numbers=numbers
        )
        tasks.export_case(asked.pk)
        asked.refresh_from_db()
        assert (asked.state, asked.reason) == ("done", "")
        return asked

    def fetched(self, export: CaseExport, password: str | None = None) -> tuple[bytes, str | None]:
        address = reverse("ircase:case_export_file", args=[self.case.reference, export.uuid])
        reply = self.client.get(address) if password is None else self.client.post(address, {"password": password})
        return b"".join(reply.streaming_content), reply.get("X-IRCase-Packed")  # type: ignore[attr-defined]

    def test_harmless_things_leave_as_they_are(self) -> None:
        export = self.export()
        content, packed = self.fetched(export)
        assert packed is None
        assert verify.sha256(content) == export.sha256
        assert "could do harm: it leaves" not in self.client.get(self.list).content.decode()
        assert LogEntry.objects.get(action="export.downloaded").detail["form"] == "plain"

    def test_a_program_leaves_only_in_an_encrypted_zip_that_holds_the_export(self) -> None:
        make_evidence(self.case, self.alice, PROGRAM, name="tool.exe")
        export = self.export()
        content, packed = self.fetched(export)
        assert packed == "aes-256-zip"
        assert PROGRAM not in content
        inner = within(content)
        assert verify.sha256(inner) == export.sha256
        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(io.BytesIO(inner)).extractall(folder)
            assert verify.Verifier(folder).run() == []
        page = self.client.get(reverse("ircase:case_export", args=[self.case.reference, export.uuid])).content.decode()
        assert "Only in an encrypted zip" in page and "<code>infected</code>" in page
        detail = LogEntry.objects.get(action="export.downloaded").detail
        assert (detail["form"], detail["password"]) == ("aes-256 zip", "infected")

    def test_the_page_says_so_beforehand(self) -> None:
        item = make_evidence(self.case, self.alice, PROGRAM, name="tool.exe")
        page = self.client.get(self.list).content.decode()
        assert "2 exhibits were not looked at yet" in page
        handling.rule_of(item)
        page = self.client.get(self.list).content.decode()
        assert "leaves only in an encrypted zip" in page and "E002" in page and "<code>infected</code>" in page

    def test_a_password_of_ones_own(self) -> None:
        export = self.export()
        content, packed = self.fetched(export, "long and winding")
        assert packed == "aes-256-zip"
        assert verify.sha256(within(content, "long and winding")) == export.sha256
        detail = LogEntry.objects.get(action="export.downloaded").detail
        assert detail["password"] == "own" and "winding" not in str(detail)
        refused = self.client.post(
            reverse("ircase:case_export_file", args=[self.case.reference, export.uuid]), {"password": "é" * 5}
        )
        assert refused.status_code == 302

    def test_a_verdict_that_comes_later_locks_it(self) -> None:
        export = self.export()
        findings.add_indicator(
            case=self.case, actor=self.bob, kind="sha256", value=self.note.sha256,
            verdict=Indicator.Verdict.MALICIOUS,
        )  # fmt: skip
        assert self.fetched(export)[1] == "aes-256-zip"

    def test_only_what_is_in_it_counts(self) -> None:
        make_evidence(self.case, self.alice, PROGRAM, name="tool.exe")
        assert self.fetched(self.export((1,)))[1] is None
        assert self.fetched(self.export((2,)))[1] == "aes-256-zip"

    def test_what_came_after_the_export_does_not_lock_it(self) -> None:
        export = self.export()
        make_evidence(self.case, self.alice, PROGRAM, name="tool.exe")
        assert self.fetched(export)[1] is None

    def test_many_exhibits_are_judged_with_few_queries(self) -> None:
        for number in range(5):
            make_evidence(self.case, self.alice, f"text {number}".encode(), name=f"{number}.txt")
        items = list(Evidence.objects.filter(case=self.case).select_related("case"))
        handling.rules_of(items)
        with self.assertNumQueries(4):
            rules = handling.rules_of(items)
        assert not any(rule.packed for rule in rules.values())

    def test_the_command_locks_too_and_refuses_a_folder(self) -> None:
        make_evidence(self.case, self.alice, PROGRAM, name="tool.exe")
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "out.zip"
            words = {"user": "alice", "purpose": "Court", "receiver": "The court", "verbosity": 0}
            with pytest.raises(CommandError, match="E002 could do harm"):
                call_command("export_case", self.case.reference, to=Path(folder) / "x", **words)
            call_command("export_case", self.case.reference, to=target, password="a word", **words)
            target_in = Path(folder) / "in.zip"
            target_in.write_bytes(within(target.read_bytes(), "a word"))
            assert verify.Verifier(str(target_in)).run() == []
            assert sorted(path.name for path in Path(folder).iterdir()) == ["in.zip", "out.zip"]
            call_command("import_case", target, user="bob", password="a word")
        assert CaseImport.objects.get().case is not None


class ComingTests(CastTestCase):
    def setUp(self) -> None:
        make_evidence(self.case, self.alice, PROGRAM, name="tool.exe")
        asked = caseexports.request_export(case=self.case, actor=self.bob, purpose="Court", receiver="Court")
        tasks.export_case(asked.pk)
        asked.refresh_from_db()
        self.export = asked
        self.plain = caseexports.path_of(asked).read_bytes()

    def bring(self, content: bytes, password: str = "") -> CaseImport:
        job = caseimports.receive(actor=self.bob, wish=caseimports.Wish("x.zip", password=password), chunks=[content])
        tasks.import_case(job.pk)
        job.refresh_from_db()
        return job

    def test_the_usual_word_needs_not_be_said(self) -> None:
        packed = b"".join(packing.packed([self.plain], name="e.zip", password=packing.PASSWORD))
        job = self.bring(packed)
        assert (job.state, job.reason, job.faults) == ("done", "", [])
        assert job.sha256 == self.export.sha256

    def test_a_wrong_password_is_said_and_another_opens_what_was_sent(self) -> None:
        job = self.bring(aes_zip(self.plain, "their own word"), "not it")
        assert (job.state, job.locked, job.case) == ("failed", True, None)
        assert job.reason == "The password does not open this zip."
        assert "not it" not in job.password
        self.sign_in(self.bob)
        address = reverse("ircase:case_import", args=[job.uuid])
        assert "Open it with this password" in self.client.get(address).content.decode()
        self.client.post(address, {"password": "their own word"})
        tasks.import_case(job.pk)
        job.refresh_from_db()
        assert (job.state, job.locked, job.password) == ("done", False, "")
        with pytest.raises(ValidationError, match="waits for no password"):
            caseimports.open_again(job=job, actor=self.bob, password="x")

    def test_a_flipped_bit_under_the_lock_is_found(self) -> None:
        packed = bytearray(aes_zip(self.plain))
        packed[len(packed) // 2] ^= 1
        job = self.bring(bytes(packed))
        assert job.state == "failed" and job.case is None
        assert "damaged, or the password is another" in job.reason

    def test_a_repacked_zip_that_is_deflated_comes_in(self) -> None:
        assert self.bring(aes_zip(self.plain, compression=pyzipper.ZIP_DEFLATED)).state == "done"

    def test_hostile_zips_are_refused(self) -> None:
        two = io.BytesIO()
        with pyzipper.AESZipFile(two, "w", encryption=pyzipper.WZ_AES) as archive:
            archive.setpassword(b"infected")
            archive.writestr("a", b"1")
            archive.writestr("b", b"2")
        assert "holds one file" in self.bring(two.getvalue()).reason
        assert "end is missing" in self.bring(aes_zip(self.plain)[:-30]).reason
        old = bytearray(aes_zip(b"text"))
        with override_settings(UPLOAD_RESUMABLE_MAX_BYTES=1000):
            bomb = aes_zip(bytes(100_000), compression=pyzipper.ZIP_DEFLATED)
            assert "may not be so large" in self.bring(bomb).reason
        place = old.rfind(b"PK\x05\x06")
        struct.pack_into("<H", old, place + 10, 0xFFFF)
        assert "contradicts itself" in self.bring(bytes(old)).reason
        assert self.bring(aes_zip(b"PK\x03\x04 nothing")).state == "failed"
        assert not any(path.suffix == ".unlocked" for path in caseimports.path_of(self.bring(b"x")).parent.iterdir())

    def test_no_more_is_written_than_the_directory_says(self) -> None:
        packed = bytearray(aes_zip(bytes(5000), compression=pyzipper.ZIP_DEFLATED))
        place = packed.rfind(b"PK\x01\x02")
        struct.pack_into("<I", packed, place + 24, 10)
        with tempfile.TemporaryDirectory() as folder:
            path, target = Path(folder) / "x.zip", Path(folder) / "out"
            path.write_bytes(bytes(packed))
            locked.unlock(path, "infected", target, check=lambda: None)
            assert target.stat().st_size == 10
