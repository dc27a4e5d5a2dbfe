"""Exhibits that lie elsewhere, in bulk: previewed, all or none, and never said to be what they are not."""

import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from ircase import tasks
from ircase.dossier import form, verify, write
from ircase.dossier.container import FolderWriter, ZipWriter
from ircase.models import CaseImport, CustodyEntry, Evidence, LogEntry
from ircase.report import data
from ircase.services import evidence
from ircase.services.analysis import tables
from ircase.services.transfer import caseimports
from ircase.services.vault import custody, registering, verification
from tests.cast import CastTestCase
from tests.ircase.test_api import ApiTestCase
from tests.ircase.test_report import as_markdown

HEADER = "Name,Description,Kind,Serial number,Source,Place,Acquired at,Acquired by,Holder,Seal,Purpose,SHA-256"
DIGEST = "ab" * 32
LAPTOP = "Laptop,Grey,computer,SN-1,Desk of Eve,Safe 2,2026-11-20 14:30:00+01:00,Dana,Evidence room,S-7,Seized,"
IMAGE = f"disk.e01,Image of it,file,,SN-1,\\\\nas\\cases,2026-11-20 18:00,Dana,,,,{DIGEST.upper()}"


def csv_of(*lines: str) -> bytes:
    return "\r\n".join([HEADER, *lines]).encode()


def both() -> registering.Reading:
    return registering.read(csv_of(LAPTOP, IMAGE), name="safe.csv", zone="Europe/Copenhagen", purpose="Imaging")


class ReadingTests(CastTestCase):
    def problems(self, *lines: str, zone: str = "UTC", purpose: str = "Why") -> list[str]:
        return registering.read(csv_of(*lines), name="x.csv", zone=zone, purpose=purpose).problems

    def test_what_a_line_says(self) -> None:
        laptop, image = both().lines
        assert (laptop.line, laptop.problem, laptop.thing.serial, laptop.thing.holder) == (
            2,
            "",
            "SN-1",
            "Evidence room",
        )
        assert laptop.said is not None
        assert image.said is not None
        assert laptop.said.happened_at is not None
        assert laptop.said.happened_at.isoformat() == "2026-11-20T13:30:00+00:00"
        assert (laptop.said.purpose, laptop.said.place, laptop.said.seal) == ("Seized", "Safe 2", "S-7")
        assert image.said.purpose == "Imaging"
        assert image.given == "2026-11-20 18:00 (Europe/Copenhagen)"

    def test_bad_lines_are_named_by_number(self) -> None:
        (zone,) = self.problems(LAPTOP, IMAGE, zone="")
        assert zone.startswith("Line 3: ")
        assert "names no zone" in zone
        wrong = [
            ",,,,,Safe,2026-11-20,,,,,",
            "Disk,,,,,,2026-11-20,,,,,",
            "Disk,,,,,Safe,,,,,,",
            "Disk,,,,,Safe,yesterday,,,,,",
            "Disk,,,,,Safe,2099-01-01,,,,,",
            "Disk,,spoon,,,Safe,2026-11-20,,,,,",
            "Disk,,,,,Safe,2026-11-20,,,,,abc",
            "Disk,,,,,Safe,2026-11-20,,,,,,one more",
            f"{'x' * 256},,,,,Safe,2026-11-20,,,,,",
            LAPTOP,
        ]
        said = self.problems(LAPTOP, *wrong)
        assert [one.split(":")[0] for one in said] == [f"Line {number}" for number in range(3, 13)]
        for one, words in zip(said, (
            "Say what it is", "why and where", "not when", "no time", "the future", "no kind of thing", "no SHA-256",
            "12", "255", "same as line 2",
        ), strict=True):  # fmt: skip
            assert words in one
        assert "why and where" in self.problems("Disk,,,,,Safe,2026-11-20,,,,,", purpose="")[0]

    def test_files_that_are_none(self) -> None:
        for content, words in (
            (b"", "no header"), (HEADER.encode(), "no line"), (b"a,b\n1,2", "no column name"),
            (b"name,place,where,acquired\n1,2,3,4", "Two columns"), (b"\x00" * 40, "no text"),
            (csv_of(*(f"Disk {n},,,,,Safe,2026-11-20,,,,," for n in range(301))), "more than 300"),
            (b"x" * (2**20 + 1), "1 MiB"),
        ):  # fmt: skip
            with pytest.raises(ValidationError) as refused:
                registering.read(content, name="x.csv", zone="UTC", purpose="Why")
            assert words in " ".join(refused.value.messages), words
        with pytest.raises(ValidationError, match="no time zone"):
            registering.read(csv_of(LAPTOP), name="x.csv", zone="Mars/Olympus")

    def test_columns_that_nobody_knows_are_said(self) -> None:
        found = registering.read(b"name;place;acquired;colour\nDisk;Safe;2026-11-20 10:00Z;red", name="x", zone="UTC")
        assert found.left_out == ("colour",)
        assert "why and where" in found.problems[0]


class RegisteringTests(CastTestCase):
    def register(self) -> list[Evidence]:
        return registering.register(case=self.case, actor=self.bob, reading=both())

    def test_each_line_is_an_exhibit_whose_custody_opens_with_it(self) -> None:
        laptop, image = self.register()
        assert (laptop.kind, laptop.exhibit, image.kind, image.exhibit) == ("physical", "E001", "elsewhere", "E002")
        first = CustodyEntry.objects.get(evidence=laptop, sequence=1)
        assert (first.action, first.actor) == ("registered", self.bob)
        held = custody.holding_of(laptop)
        assert (held.holder, held.place, held.seal) == ("Evidence room", "Safe 2", "S-7")
        assert custody.holding_of(image).holder == "Dana"
        assert laptop.manifest["line"] == 2
        assert laptop.manifest["acquired_as_written"] == "2026-11-20 14:30:00+01:00 (+01:00)"
        entry = LogEntry.objects.get(case=self.case, action="evidence.registered")
        assert (entry.detail["count"], entry.detail["title"]) == (2, "safe.csv")
        assert list(verification.verify_case(self.case)) == []
        custody.give_back(item=laptop, actor=self.bob, holder="Eve", said=custody.Said("Done", "Desk"))
        assert custody.holding_of(laptop).holder == "Eve"

    def test_none_where_one_is_wrong_and_never_twice(self) -> None:
        wrong = registering.read(csv_of(LAPTOP, "Disk,,,,,,2026-11-20,,,,,"), name="x", zone="UTC", purpose="Why")
        with pytest.raises(ValidationError, match="Line 3"):
            registering.register(case=self.case, actor=self.bob, reading=wrong)
        assert not Evidence.objects.filter(case=self.case).exists()
        with (
            mock.patch("ircase.services.vault.registering.log.record", side_effect=OSError),
            pytest.raises(OSError),  # noqa: PT011 what a full disk raises
        ):
            self.register()
        assert not Evidence.objects.filter(case=self.case).exists()
        self.register()
        with pytest.raises(ValidationError, match="registered already: E001 to E002"):
            self.register()
        assert Evidence.objects.filter(case=self.case).count() == 2

    def test_a_stated_hash_is_never_a_verified_one(self) -> None:
        _, image = self.register()
        assert image.stated_sha256 == DIGEST
        assert image.sha256 != DIGEST
        assert json.loads(b"".join(evidence.bytes_of(image)))["stated_sha256"] == DIGEST
        with pytest.raises(ValidationError, match="lies elsewhere"):
            tables.queue_parse(evidence=image, actor=self.bob)
        evidence.verify(image, actor=self.bob)
        self.sign_in(self.carol)
        page = self.client.get(reverse("ircase:evidence_item", args=[self.case.reference, image.uuid]))
        for words in ("Its bytes are not held here", "Stated, not verified", "Record verified", DIGEST):
            self.assertContains(page, words)
        self.assertNotContains(page, "Read into tables</button>")
        shown = self.client.get(reverse("ircase:evidence", args=[self.case.reference]), {"q": DIGEST[:12]})
        self.assertContains(shown, "No bytes held here")
        self.assertContains(shown, "disk.e01")

    def test_the_register_and_the_form_say_so(self) -> None:
        _, image = self.register()
        report = data.collect(self.case, now=timezone.now())
        assert "2 exhibits are records of things kept elsewhere" in report.integrity.verdict
        assert [(row.record, row.stated_sha256) for row in report.evidence] == [(True, ""), (True, DIGEST)]
        text = as_markdown(report)
        assert "Stated SHA-256, not verified" in text
        assert "Record: Verified" in text
        printed = form.data_of(image, "Bob")
        assert (printed["record"], printed["stated_sha256"], printed["acquired_by"]) == (True, DIGEST, "Dana")
        assert form.pdf_of(image, prepared_by="Bob")[:5] == b"%PDF-"

    def test_it_leaves_and_comes_back_as_what_it_is(self) -> None:
        self.register()
        with tempfile.TemporaryDirectory() as folder:
            wanted, path = write.Wanted(self.case, self.alice, "export", "Court", "Court"), Path(folder) / "x"
            write.write(wanted, FolderWriter(path), check=lambda: None)
            checked = verify.Verifier(str(path))
            assert checked.run() == []
            (note,) = [one for one in checked.notes if "disk.e01" in one]
            assert f"not checked (stated SHA-256: {DIGEST})" in note
            packed = Path(folder) / "x.zip"
            with packed.open("wb") as out:
                zipped = ZipWriter(out)
                write.write(wanted, zipped, check=lambda: None)
            job = caseimports.receive(actor=self.bob, wish=caseimports.Wish("x.zip"), chunks=[packed.read_bytes()])
        tasks.import_case(job.pk)
        job = CaseImport.objects.get(pk=job.pk)
        assert (job.state, job.faults) == ("done", [])
        assert job.case is not None
        image = job.case.evidence.get(number=2)
        assert (image.kind, image.stated_sha256, image.is_record) == ("elsewhere", DIGEST, True)
        assert not hasattr(image, "parse_job")


class PageTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)
        self.address = reverse("ircase:custody_register", args=[self.case.reference])

    def send(self, content: bytes, **more: str) -> Any:
        values = {"zone": "Europe/Copenhagen", "purpose": "Imaging", **more}
        return self.client.post(self.address, {"file": SimpleUploadedFile("safe.csv", content), **values})

    def again(self, values: dict[str, str], **more: Any) -> Any:
        """As the preview's form sends it back."""
        return self.client.post(
            self.address, urlencode(values), content_type="application/x-www-form-urlencoded", **more
        )

    def test_seen_first_then_registered(self) -> None:
        self.assertContains(self.client.get(self.address), "name,description,kind")
        page = self.send(csv_of(LAPTOP, IMAGE))
        self.assertContains(page, "Register 2 exhibits")
        self.assertContains(page, "written 2026-11-20 18:00 (Europe/Copenhagen)")
        assert not Evidence.objects.filter(case=self.case).exists()
        again = page.context["again_form"].initial
        done = self.again(again, follow=True)
        self.assertContains(done, "E001 to E002 are registered.")
        twice = self.again(again)
        self.assertContains(twice, "registered already", status_code=422)

    def test_bad_lines_cannot_be_registered(self) -> None:
        page = self.send(csv_of(LAPTOP, IMAGE), zone="")
        self.assertContains(page, "Line 3:", status_code=422)
        self.assertNotContains(page, "Register 2 exhibits", status_code=422)
        for sent in ({"content": "!"}, {"content": "", "zone": "UTC"}, {"content": "YQ=="}):
            assert self.again(sent).status_code == 422
        assert self.client.post(self.address, {"zone": "UTC"}).status_code == 422
        assert not Evidence.objects.filter(case=self.case).exists()

    def test_one_alone_states_its_hash_too(self) -> None:
        address = reverse("ircase:custody_take", args=[self.case.reference])
        facts = {"name": "disk.e01", "what": "file", "description": "x", "place": "NAS", "purpose": "Seized"}
        assert self.client.post(address, {**facts, "sha256": "abc"}).status_code == 422
        assert self.client.post(address, {**facts, "sha256": DIGEST}).status_code == 302
        item = Evidence.objects.get(case=self.case)
        assert (item.kind, item.stated_sha256) == ("elsewhere", DIGEST)


class DoorTests(ApiTestCase):
    def test_preview_and_registration_by_token(self) -> None:
        def send(rest: str, query: str = "?zone=UTC&purpose=Seized", content: bytes = b"") -> Any:
            file = SimpleUploadedFile("safe.csv", content or csv_of(LAPTOP, IMAGE))
            return self.call("post", self.case_path(f"/items/file{rest}{query}"), None, data={"file": file})

        seen = send("/preview", "?purpose=Seized")
        assert seen.status_code == 200, seen.content
        assert [(one["line"], bool(one["problem"])) for one in seen.json()["lines"]] == [(2, False), (3, True)]
        refused = send("", "?purpose=Seized")
        assert refused.status_code == 422
        assert "Line 3" in refused.content.decode()
        done = send("")
        assert done.status_code == 201, done.content
        assert [(one["exhibit"], one["record"], one["stated_sha256"]) for one in done.json()["exhibits"]] == [
            ("E001", True, ""), ("E002", True, DIGEST)
        ]  # fmt: skip
        assert send("").status_code == 422

    def test_one_item_says_as_much(self) -> None:
        body = {"name": "disk.e01", "kind": "file", "place": "NAS", "purpose": "Seized", "sha256": DIGEST}
        made = self.call("post", self.case_path("/items"), body)
        assert made.status_code == 201, made.content
        assert (made.json()["kind"], made.json()["stated_sha256"]) == ("elsewhere", DIGEST)
