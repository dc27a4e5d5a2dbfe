"""Exports: what is in them, who may have them, and that the stand-alone verifier finds every changed bit."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import pytest
import pyzipper
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase import tasks
from ircase.dossier import build, verify, write
from ircase.dossier.container import FolderWriter, ZipWriter
from ircase.models import CaseExport, CaseMember, CustodyEntry, LogEntry
from ircase.services import log
from ircase.services.transfer import caseexports
from ircase.services.vault import statements
from ircase.services.writing import notes
from ircase.store import StoreError
from tests.cast import CastTestCase, make_evidence

VERIFIER = Path(verify.__file__)


def bare(*arguments: str | Path, script: Path = VERIFIER) -> subprocess.CompletedProcess[str]:
    """The verifier as a stranger runs it: isolated, without site packages, with an empty environment."""
    command = [sys.executable, "-I", "-S", str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={}, cwd="/", check=False, timeout=120)


def faults_of(path: Path) -> list[str]:
    try:
        return [f"{place}: {problem}" for place, problem in verify.Verifier(str(path)).run()]
    except verify.Unreadable as error:
        return [str(error)]


class ExportTests(CastTestCase):
    def setUp(self) -> None:
        self.one = make_evidence(self.case, self.alice, b"first" * 500, name="résumé: \u202egpj.exe")
        self.two = make_evidence(self.case, self.alice, b"", name="../../CON")
        log.record_custody(self.one, "viewed", actor=self.bob, what="ünïcode \U0001f600 \u2028 x")
        notes.create_note(case=self.case, actor=self.bob, title="A note", body="Text")
        statements.make()
        log.record("case.edited", case=self.case, actor=self.alice, changes={"title": ["a", "b"]})
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def export(self, numbers: tuple[int, ...] = ()) -> tuple[CaseExport, Path]:
        export = caseexports.request_export(
            case=self.case, actor=self.alice, purpose="Court", receiver="P. Rosecutor", numbers=numbers
        )
        tasks.export_case(export.pk)
        export.refresh_from_db()
        return export, caseexports.path_of(export)

    def test_a_case_as_a_zip_verifies_with_nothing_but_python(self) -> None:
        export, path = self.export()
        assert (export.state, export.reason, export.problems) == ("done", "", [])
        done = bare(path)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "2 exhibits with their custody" in done.stdout
        assert "Everything holds." in done.stdout
        assert "Statement 1 of" in done.stdout

    def test_the_verifier_in_the_unpacked_folder_too(self) -> None:
        _, path = self.export()
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            archive.extractall(self.folder / "x")
        done = bare(script=self.folder / "x" / "verify.py")
        assert done.returncode == 0, done.stdout
        (self.folder / "x" / "evidence" / "more.txt").write_text("x")
        (self.folder / "x" / "README.txt").unlink()
        done = bare(script=self.folder / "x" / "verify.py")
        assert done.returncode == 1
        assert "FAULT evidence/more.txt: it is extra" in done.stdout
        assert "FAULT README.txt: it is missing" in done.stdout

    def test_what_is_in_it(self) -> None:
        _, path = self.export()
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            register = json.loads(archive.read("export.json"))
            notes = json.loads(archive.read("case/notes.json"))
            readme = archive.read("README.txt").decode()
            assert archive.read(register["exhibits"][0]["file"]) == b"first" * 500
            assert archive.read("verify.py") == VERIFIER.read_bytes()
        from_apps_above = {"case/hunt_runs.json", "case/notebook_cells.json", "case/collections.json"}
        assert from_apps_above <= names
        assert {"log.ndjson", "files.json", "signature.json", "case/checklist.json", "case/activities.json"} <= names
        assert [item["file"] for item in register["exhibits"]] == [
            "evidence/E001_r_sum_gpj.exe",
            "evidence/E002_CON",
        ]
        assert register["exhibits"][0]["name"] == self.one.name
        assert notes[0]["body"] == "Text"
        assert notes[0]["updated_by"] == {"username": "bob", "name": "Bob"}
        assert verify.sha256(VERIFIER.read_bytes()) in readme

    def test_chosen_exhibits_leave_the_rest_of_the_case_at_home(self) -> None:
        _, path = self.export((2,))
        with zipfile.ZipFile(path) as archive:
            register = json.loads(archive.read("export.json"))
            assert not [name for name in archive.namelist() if name.startswith(("case/", "log", "evidence/E001"))]
        assert [item["exhibit"] for item in register["exhibits"]] == ["E002"]
        assert self.case.title not in json.dumps(register)
        assert bare(path).returncode == 0

    def test_custody_hears_of_it_with_digest_purpose_and_receiver(self) -> None:
        export, path = self.export((1,))
        last = CustodyEntry.objects.filter(evidence=self.one).last()
        assert last is not None
        assert last.action == "exported"
        assert last.detail["sha256"] == export.sha256 == verify.sha256(path.read_bytes())
        assert (last.detail["purpose"], last.detail["receiver"]) == ("Court", "P. Rosecutor")
        assert not CustodyEntry.objects.filter(evidence=self.two, action="exported").exists()
        assert LogEntry.objects.filter(case=self.case, action="export.done").count() == 1

    def test_lost_and_altered_bytes_are_said_by_export_and_verifier(self) -> None:
        self.one.path.chmod(0o640)
        self.one.path.write_bytes(b"other")
        three = make_evidence(self.case, self.alice, b"third", name="three")
        three.path.unlink()
        export, path = self.export()
        assert export.problems == ["E001 was altered", "E003 was missing"]
        assert export.activity.__class__.objects.get(pk=export.activity_id).partial
        done = bare(path)
        assert done.returncode == 1
        assert "FAULT E001" in done.stdout
        assert "when it was exported its file was altered" in done.stdout
        assert "FAULT E003 (three): when it was exported its file was missing" in done.stdout

    def test_altered_bytes_of_an_encrypted_store_are_said_and_the_rest_leaves(self) -> None:
        keys = "k1:" + base64.b64encode(os.urandom(32)).decode()
        with override_settings(STORE_KEYS=keys):
            three = make_evidence(self.case, self.alice, b"third" * 50_000, name="three")
            four = make_evidence(self.case, self.alice, b"fourth" * 10, name="four")
            for item, place in ((three, -1), (four, 40)):
                path = item.path.with_name(f"{item.sha256}.enc")
                data = bytearray(path.read_bytes())
                data[place] ^= 1
                path.chmod(0o640)
                path.write_bytes(data)
            export, path = self.export()
        assert (export.state, export.problems) == ("done", ["E003 was altered", "E004 was altered"])
        done = bare(path)
        assert done.returncode == 1 and "2 FAULTS" in done.stdout, done.stdout
        assert "FAULT E003 (evidence/E003_three): when it was exported its file was altered" in done.stdout

    def test_a_store_that_is_away_is_named(self) -> None:
        with mock.patch("ircase.store.disk.DiskStore.read", side_effect=StoreError("The store does not answer.")):
            export, path = self.export()
        assert (export.state, export.reason) == ("failed", "The store does not answer.")
        assert not path.exists()

    def test_the_command_leaves_no_half_of_an_export(self) -> None:
        target = self.folder / "case.zip"
        words = {"to": target, "user": "alice", "purpose": "Court", "receiver": "Court"}
        away = mock.patch("ircase.store.disk.DiskStore.read", side_effect=StoreError("The store does not answer."))
        with away, pytest.raises(CommandError, match="does not answer"):
            call_command("export_case", self.case.reference, **words)
        assert list(self.folder.iterdir()) == []
        call_command("export_case", self.case.reference, **words, stdout=io.StringIO())
        assert target.exists()

    def test_a_zip_whose_export_ended_without_one_does_not_stay(self) -> None:
        export, path = self.export()
        CaseExport.objects.filter(pk=export.pk).update(state="running")
        build.clear_parts()
        assert path.exists()
        CaseExport.objects.filter(pk=export.pk).update(state="cancelled")
        build.clear_parts()
        assert not path.exists()

    def test_a_folder_is_the_same(self) -> None:
        folder = self.folder / "out"
        wanted = write.Wanted(self.case, self.alice, "x", "Court", "Court")
        write.write(wanted, FolderWriter(folder), check=lambda: None)
        assert bare(folder).returncode == 0
        with pytest.raises(FileExistsError):
            FolderWriter(folder)

    def test_another_key_is_refused_where_one_is_asked_for(self) -> None:
        _, path = self.export()
        done = bare(path, "--key", "ab" * 32)
        assert done.returncode == 1
        assert "it was signed with another key" in done.stdout

    def test_what_is_asked_wrongly_is_never_answered_with_everything_holds(self) -> None:
        export, path = self.export()
        for asked in ((path, "--key", ""), (path, "--key"), (path, "--key", "abc"), (path, "--kye", "ab" * 32)):
            done = bare(*asked)
            assert (done.returncode, done.stderr) == (2, ""), asked
            assert "Everything holds" not in done.stdout
        key = json.loads(zipfile.ZipFile(path).read("signature.json"))["public_key"]
        assert bare("--key", key.upper(), path).returncode == 0

    def test_what_is_no_export(self) -> None:
        assert bare(self.folder / "nothing.zip").returncode == 2
        junk = self.folder / "junk.zip"
        junk.write_bytes(b"PK" * 200)
        assert bare(junk).returncode == 1
        with zipfile.ZipFile(self.folder / "other.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("files.json", "{}")
        assert bare(self.folder / "other.zip").returncode == 1

    def test_every_file_named_when_a_bit_of_it_flips(self) -> None:
        """A bit of each file of the export, near its start, middle and end, in the folder: the file is named."""
        folder = self.folder / "out"
        write.write(
            write.Wanted(self.case, self.alice, "x", "Court", "Court"), FolderWriter(folder), check=lambda: None
        )
        assert faults_of(folder) == []
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or not path.stat().st_size:
                continue
            whole, name = path.read_bytes(), path.relative_to(folder).as_posix()
            for place in {0, len(whole) // 2, len(whole) - 1}:
                changed = bytearray(whole)
                changed[place] ^= 1 << place % 8
                path.write_bytes(changed)
                found = faults_of(folder)
                assert any(fault.startswith(name) for fault in found), (name, place, found)
            path.write_bytes(whole)

    def test_an_entry_is_named_even_where_the_hashes_were_made_anew(self) -> None:
        """Who forges hashes and signs with a key of their own is still held by the chains."""
        folder = self.folder / "out"
        write.write(
            write.Wanted(self.case, self.alice, "x", "Court", "Court"), FolderWriter(folder), check=lambda: None
        )
        custody = folder / "custody" / "E001.ndjson"
        custody.write_text(custody.read_text().replace('"viewed"', '"ignored"'))
        resign(folder)
        found = faults_of(folder)
        assert found == ["custody/E001.ndjson, entry 2: its content was changed after it was written (ignored)"]

    def test_a_chain_cut_before_the_export_is_found_by_the_statement_in_it(self) -> None:
        folder = self.folder / "out"
        write.write(
            write.Wanted(self.case, self.alice, "x", "Court", "Court"), FolderWriter(folder), check=lambda: None
        )
        custody, register = folder / "custody" / "E001.ndjson", folder / "export.json"
        lines = custody.read_text().splitlines(keepends=True)
        custody.write_text("".join(lines[:1]))
        content = json.loads(register.read_text())
        content["exhibits"][0].update(entries=1, last=json.loads(lines[0])["digest"])
        register.write_text(json.dumps(content))
        resign(folder)
        (fault,) = faults_of(folder)
        assert "it knew entry 2 of evidence:" in fault

    def test_the_sweep_ends_an_export_whose_worker_died_once(self) -> None:
        export = caseexports.request_export(case=self.case, actor=self.alice, purpose="Court", receiver="Court")
        with (
            mock.patch("ircase.dossier.build._finish", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            tasks.export_case(export.pk)
        assert not CustodyEntry.objects.filter(action="exported").exists()
        CaseExport.objects.filter(pk=export.pk).update(state="queued", owner="")
        tasks.export_case(export.pk)
        tasks.export_case(export.pk)
        export.refresh_from_db()
        assert (export.state, export.attempt) == ("done", 2)
        assert CustodyEntry.objects.filter(evidence=self.one, action="exported").count() == 1
        assert [path.name for path in caseexports.path_of(export).parent.glob(f"{export.uuid}*")] == [
            f"{export.uuid}.zip"
        ]

    def test_who_lost_the_right_meanwhile_gets_no_export(self) -> None:
        export = caseexports.request_export(case=self.case, actor=self.alice, purpose="Court", receiver="Court")
        CaseMember.objects.filter(case=self.case, user=self.alice).update(role="viewer")
        tasks.export_case(export.pk)
        export.refresh_from_db()
        assert export.state == "failed"
        assert not caseexports.path_of(export).exists()

    def test_exhibits_are_chosen_in_words(self) -> None:
        make_evidence(self.case, self.alice, b"3")
        assert caseexports.numbers_of(self.case, " e1-2, E003 ") == [1, 2, 3]
        for text, problem in (
            ("E004", "no E004"),
            ("all", "no exhibit"),
            ("E3-E1", "no range"),
            ("1-9999999", "range"),
        ):
            with pytest.raises(ValidationError, match=problem):
                caseexports.numbers_of(self.case, text)

    def test_the_pages(self) -> None:
        self.sign_in(self.bob)
        address = reverse("ircase:case_exports", args=[self.case.reference])
        assert self.client.post(address, {"purpose": "", "receiver": "x"}).status_code == 422
        reply = self.client.post(address, {"exhibits": "E001", "purpose": "Court", "receiver": "The court"})
        export = CaseExport.objects.get()
        page = reverse("ircase:case_export", args=[self.case.reference, export.uuid])
        assert reply.headers["Location"] == page
        assert "is being made" in self.client.post(address, {"purpose": "a", "receiver": "b"}).content.decode()
        tasks.export_case(export.pk)
        assert "The court" in self.client.get(page).content.decode()
        reply = self.client.get(reverse("ircase:case_export_file", args=[self.case.reference, export.uuid]))
        content = b"".join(reply.streaming_content)  # type: ignore[attr-defined]
        with pyzipper.AESZipFile(io.BytesIO(content)) as around:  # E001 is a program by its name
            around.setpassword(b"infected")
            assert verify.sha256(around.read(around.namelist()[0])) == CaseExport.objects.get().sha256
        assert LogEntry.objects.filter(case=self.case, action="export.downloaded").count() == 1
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post(reverse("ircase:case_export_remove", args=[self.case.reference, export.uuid]))
        assert not caseexports.path_of(export).exists()
        assert "was removed" in self.client.get(page).content.decode()

    def test_a_confidential_case_is_exported_by_its_members_alone(self) -> None:
        self.sign_in(self.bob)
        assert self.client.get(reverse("ircase:case_exports", args=[self.secret_case.reference])).status_code == 404


def resign(folder: Path) -> None:
    """As a forger with a key of their own would: new hashes, a new signature."""
    files = [
        [path.relative_to(folder).as_posix(), path.stat().st_size, verify.sha256(path.read_bytes())]
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("files.json", "signature.json")
    ]
    listed = verify.canonical({"format": "ircase-files/1", "files": files})
    key = Ed25519PrivateKey.generate()
    form = {
        "algorithm": "Ed25519",
        "file": "files.json",
        "public_key": key.public_key().public_bytes_raw().hex(),
        "signature": key.sign(listed).hex(),
    }
    (folder / "files.json").write_bytes(listed)
    (folder / "signature.json").write_bytes(verify.canonical(form))


# --- the zip, bit by bit ---------------------------------------------------------------------------------------------
def small_zip() -> bytes:
    """An export of nothing much, so that thousands of bits can be tried."""
    out = io.BytesIO()
    writer = ZipWriter(out)
    files = {"README.txt": b"Read me", "export.json": b'{"exhibits":[],"log":null,"statements":[],"keys":{}}'}
    rows = [[name, *writer.add(name, [content])] for name, content in files.items()]
    listed = verify.canonical({"format": "ircase-files/1", "files": rows})
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    form = {
        "algorithm": "Ed25519",
        "file": "files.json",
        "public_key": key.public_key().public_bytes_raw().hex(),
        "signature": key.sign(listed).hex(),
    }
    writer.add("files.json", [listed])
    writer.add("signature.json", [verify.canonical(form)])
    with mock.patch("os.fsync"), mock.patch.object(out, "fileno", return_value=0, create=True):
        writer.close()
    return out.getvalue()


SMALL = small_zip()


def test_the_small_zip_holds(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(SMALL)
    assert faults_of(tmp_path / "x.zip") == []
    assert zipfile.ZipFile(tmp_path / "x.zip").testzip() is None


@settings(max_examples=400)
@given(st.integers(0, len(SMALL) * 8 - 1))
def test_one_flipped_bit_anywhere_in_the_zip_is_found(bit: int) -> None:
    changed = bytearray(SMALL)
    changed[bit // 8] ^= 1 << bit % 8
    handle, name = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(changed)
        assert faults_of(Path(name)) != []
    finally:
        Path(name).unlink()


@settings(max_examples=60)
@given(st.integers(0, len(SMALL)), st.binary(min_size=1, max_size=40))
def test_bytes_put_in_or_cut_off_are_found(place: int, more: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for content in (SMALL[:place] + more + SMALL[place:], SMALL[:place]):
            path = Path(folder) / "x.zip"
            path.write_bytes(content)
            assert content == SMALL or faults_of(path) != []


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        # https://www.rfc-editor.org/rfc/rfc8032#section-7.1, tests 1, 2 and 3
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_the_signatures_of_rfc_8032(public: str, message: str, signature: str) -> None:
    key, text, value = bytes.fromhex(public), bytes.fromhex(message), bytearray.fromhex(signature)
    assert verify.signature_holds(key, text, bytes(value))
    assert not verify.signature_holds(key, text + b"\0", bytes(value))
    # s + order is the same number to a careless verifier.
    larger = int.from_bytes(value[32:], "little") + verify.ORDER
    assert not verify.signature_holds(key, text, bytes(value[:32]) + larger.to_bytes(32, "little"))


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_signatures_as_the_library_makes_them(seed: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, value = key.public_key().public_bytes_raw(), bytearray(key.sign(message))
    assert verify.signature_holds(public, message, bytes(value))
    value[bit // 8] ^= 1 << bit % 8
    assert not verify.signature_holds(public, message, bytes(value))
