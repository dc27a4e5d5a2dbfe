"""Evidence in the browser: handed in, looked at, handed out, verified; and who may."""

import hashlib
from datetime import timedelta
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone

from ircase.models import Activity, CustodyEntry, Evidence, LogEntry, ParseJob
from ircase.services import cases
from ircase.services.analysis import tables
from ircase.services.transfer import uploads
from ircase.tasks import verify_evidence
from tests.cast import CastTestCase, make_evidence
from tests.world import make_table


class EvidenceTestCase(CastTestCase):
    def setUp(self) -> None:
        # In every test anew: files are not rolled back, and some tests harm theirs.
        self.item = make_evidence(self.case, self.alice, b"the bytes", name="triage <b>.csv")

    def url(self, name: str, *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *more])

    def item_url(self, name: str = "evidence_item") -> str:
        return self.url(name, self.item.uuid)


class UploadTests(EvidenceTestCase):
    def send(self, *files: SimpleUploadedFile, **more: str) -> None:
        self.sign_in(self.bob)
        self.client.post(self.url("evidence"), {"file": list(files), **more})

    def test_each_file_is_sealed_under_its_own_hash_with_its_manifest(self) -> None:
        one, two = SimpleUploadedFile("a.csv", b"a,b\n1,2\n"), SimpleUploadedFile("b.evtx", b"\x00" * 3)
        with self.captureOnCommitCallbacks(execute=False) as queued:
            self.send(one, two, description="From the laptop", read="on")
        first, second = Evidence.objects.filter(case=self.case, kind="upload").exclude(pk=self.item.pk)
        assert (first.name, first.size, second.size) == ("a.csv", 8, 3)
        assert first.sha256 == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
        assert first.path.read_bytes() == b"a,b\n1,2\n"
        assert (first.manifest["origin"], first.manifest["uploaded_by"]) == ("upload", "bob")
        assert first.description == "From the laptop"
        assert ParseJob.objects.filter(evidence__in=[first, second]).count() == 2
        assert len(queued) == 2

    def test_it_is_read_into_tables_only_where_asked(self) -> None:
        self.send(SimpleUploadedFile("a.csv", b"a\n1\n"))
        assert Evidence.objects.filter(name="a.csv").exists()
        assert not ParseJob.objects.exists()

    def test_a_name_is_never_a_path(self) -> None:
        self.send(SimpleUploadedFile("..\\..\\etc\\passwd", b"x"))
        item = Evidence.objects.latest("pk")
        assert "/" not in item.name
        assert item.path.name == item.sha256

    def test_an_empty_file_is_sealed_and_said_to_be_empty(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post(self.url("evidence"), {"file": SimpleUploadedFile("none.txt", b"")}, follow=True)
        assert "It is empty: 0 bytes arrived." in reply.content.decode()
        assert Evidence.objects.get(name="none.txt").size == 0

    @override_settings(UPLOAD_MAX_BYTES=1000)
    def test_too_much_is_refused_before_it_is_read(self) -> None:
        self.sign_in(self.bob)
        big = SimpleUploadedFile("big.bin", b"x" * (2**20 + 2000))
        reply = self.client.post(self.url("evidence"), {"file": big})
        assert reply.status_code == 422
        assert "IRCASE_UPLOAD_MAX_BYTES" in reply.content.decode()
        assert not Evidence.objects.filter(name="big.bin").exists()

    def test_a_body_cut_short_seals_nothing(self) -> None:
        whole = self._body(b"y" * 5000)
        request = RequestFactory().generic("POST", "/x", whole[:-2000], content_type="multipart/form-data; boundary=BB")
        request.META["CONTENT_LENGTH"] = str(len(whole))
        with self.assertRaises(uploads.UploadCutShort):
            uploads.receive(request)
        request = RequestFactory().generic("POST", "/x", whole, content_type="multipart/form-data; boundary=BB")
        assert [file.size for file in uploads.receive(request)] == [5000]

    @staticmethod
    def _body(content: bytes) -> bytes:
        head = b'--BB\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n\r\n'
        return head + content + b"\r\n--BB--\r\n"

    def test_nothing_is_left_in_the_spool(self) -> None:
        with self.settings(SPOOL_DIR=self.item.path.parent / "spool"):
            self.send(SimpleUploadedFile("a.bin", b"x" * 100))
            assert list((self.item.path.parent / "spool").iterdir()) == []

    def test_a_full_disk_loses_nothing_and_says_so(self) -> None:
        self.sign_in(self.bob)
        with mock.patch("ircase.store.disk.os.fsync", side_effect=OSError(28, "No space left on device")):
            reply = self.client.post(self.url("evidence"), {"file": SimpleUploadedFile("a.bin", b"x")}, follow=True)
        assert "No space left on device" in reply.content.decode()
        assert not Evidence.objects.filter(name="a.bin").exists()

    def test_readers_strangers_and_closed_cases(self) -> None:
        for person, status in ((self.mallory, 404), (self.ada, 404), (self.carol, 403)):
            self.sign_in(person)
            file = SimpleUploadedFile("a.bin", b"x")
            assert self.client.post(self.url("evidence"), {"file": file}).status_code == status
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="over")
        self.sign_in(self.bob)
        assert self.client.post(self.url("evidence"), {"file": SimpleUploadedFile("a", b"x")}).status_code == 403

    def test_an_upload_needs_the_csrf_token(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.bob)
        reply = client.post(self.url("evidence"), {"file": SimpleUploadedFile("a.bin", b"x")})
        assert reply.status_code == 403
        assert not Evidence.objects.filter(name="a.bin").exists()


class DownloadTests(EvidenceTestCase):
    def test_evidence_is_never_shown_only_saved(self) -> None:
        for name in ("page.html", "drawing.svg", "script.js", "image.png"):
            item = make_evidence(self.case, self.alice, b"<script>alert(1)</script>", name=name, media_type="text/html")
            self.sign_in(self.bob)
            reply = self.client.get(self.url("evidence_download", item.uuid))
            assert reply.headers["Content-Disposition"].startswith("attachment")
            assert reply.headers["Content-Type"] == "application/octet-stream"
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
            assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
            assert reply.headers["Cache-Control"] == "private, no-store"

    def test_the_custody_entry_comes_before_the_first_byte(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.get(self.item_url("evidence_download"))
        entry = self.item.custody.last()
        assert entry is not None
        assert (entry.action, entry.actor, entry.detail) == ("downloaded", self.bob, {"by": "browser", "form": "plain"})
        assert b"".join(reply.streaming_content) == b"the bytes"

    def test_names_from_outside_are_made_harmless(self) -> None:
        hostile = 'a"\r\nSet-Cookie: x=1\u202egnp.exe/../日本.csv'
        item = make_evidence(self.case, self.alice, b"x", name=hostile)
        self.sign_in(self.bob)
        header = self.client.get(self.url("evidence_download", item.uuid)).headers["Content-Disposition"]
        assert "\n" not in header and "\u202e" not in header and "/" not in header
        assert header.startswith("attachment; filename*=utf-8''IR-")
        assert "%E6%97%A5%E6%9C%AC.csv" in header

    def test_a_file_that_is_gone_is_marked_and_said(self) -> None:
        self.item.path.unlink()
        self.sign_in(self.bob)
        reply = self.client.get(self.item_url("evidence_download"), follow=True)
        assert "is not in the evidence store" in reply.content.decode()
        self.item.refresh_from_db()
        assert self.item.integrity == "missing"
        assert LogEntry.objects.filter(case=self.case, action="evidence.missing").exists()

    def test_a_reader_may_a_stranger_may_not(self) -> None:
        for person, status in ((self.carol, 200), (self.mallory, 404), (self.ada, 404)):
            self.sign_in(person)
            assert self.client.get(self.item_url("evidence_download")).status_code == status

    def test_evidence_of_another_case_is_not_found_below_this_one(self) -> None:
        other = make_evidence(self.secret_case, self.alice, b"secret")
        self.sign_in(self.bob)
        assert self.client.get(self.url("evidence_download", other.uuid)).status_code == 404


class VerifyTests(EvidenceTestCase):
    def verify(self) -> str:
        self.sign_in(self.bob)
        return self.client.post(self.item_url("evidence_verify"), follow=True).content.decode()

    def test_sound(self) -> None:
        assert "is verified" in self.verify()
        entry = self.item.custody.last()
        assert entry is not None
        assert (entry.action, entry.actor) == ("verified", self.bob)

    def test_one_changed_byte_is_loud(self) -> None:
        self.item.path.chmod(0o640)
        self.item.path.write_bytes(b"the bytEs")
        self.verify()
        assert f"{self.item.exhibit} is ALTERED" in self.client.get(self.item_url()).content.decode()
        for page in (self.url("evidence"), self.url("timeline")):
            assert "Evidence of this case is no longer what was sealed" in self.client.get(page).content.decode()

    def test_a_large_file_is_hashed_by_a_worker_while_the_page_waits(self) -> None:
        self.sign_in(self.bob)
        with mock.patch("ircase.views.evidence.HASH_AT_ONCE", 1), self.captureOnCommitCallbacks() as queued:
            reply = self.client.post(self.item_url("evidence_verify"))
        assert len(queued) == 1
        fragment = self.client.get(reply.headers["Location"], headers={"HX-Request": "true"}).content.decode()
        assert "every 2s" in fragment
        verify_evidence(self.item.pk, self.bob.pk)
        fragment = self.client.get(reply.headers["Location"], headers={"HX-Request": "true"}).content.decode()
        assert "every 2s" not in fragment
        assert "Verified" in fragment

    def test_the_worker_checks_the_right_again(self) -> None:
        verify_evidence(self.item.pk, self.carol.pk)
        self.item.refresh_from_db()
        assert self.item.checked_at is None


class ItemTests(EvidenceTestCase):
    def test_the_page_shows_manifest_custody_and_hash(self) -> None:
        self.sign_in(self.carol)
        page = self.client.get(self.item_url()).content.decode()
        assert self.item.sha256 in page
        assert "Chain intact" in page
        assert "triage &lt;b&gt;.csv" in page
        assert "<b>.csv" not in page

    def test_a_rewritten_custody_entry_is_said(self) -> None:
        with connection.cursor() as cursor:  # the ORM refuses, so the row is changed beneath it
            cursor.execute(
                "UPDATE ircase_custodyentry SET actor_name = 'Nobody' WHERE evidence_id = %s", [self.item.pk]
            )
        self.sign_in(self.bob)
        page = self.client.get(self.item_url()).content.decode()
        assert "Chain broken" in page
        assert "its content was changed after it was written" in page

    def test_looking_at_lists_changes_nothing(self) -> None:
        before = CustodyEntry.objects.count()
        self.sign_in(self.carol)
        self.client.get(self.url("evidence"))
        self.client.get(self.item_url())
        assert CustodyEntry.objects.count() == before

    def test_the_list_finds_by_name_and_by_hash(self) -> None:
        other = make_evidence(self.case, self.alice, b"other", name="other.log")
        self.sign_in(self.bob)
        for text, found in (("other", {other}), (self.item.sha256[:12].upper(), {self.item}), ("zzz", set())):
            page = self.client.get(self.url("evidence"), {"q": text}).context["page"]
            assert set(page.object_list) == found

    def test_queries_do_not_grow_with_the_exhibits(self) -> None:
        for number in range(12):
            make_evidence(self.case, self.alice, f"more {number}".encode())
        self.sign_in(self.bob)
        with self.assertNumQueries(FewerThan(28)):
            self.client.get(self.url("evidence"))


class FewerThan(int):
    """`assertNumQueries` with an upper bound."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and other < int(self)

    def __hash__(self) -> int:
        return int(self)


class ImportTests(EvidenceTestCase):
    def queue(self) -> ParseJob:
        return tables.queue_parse(evidence=self.item, actor=self.bob)

    def test_reading_is_queued_once_and_seen_on_its_page(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post(self.item_url("evidence_read"))
        job = ParseJob.objects.get(evidence=self.item)
        assert reply.headers["Location"] == self.url("import", job.uuid)
        self.client.post(self.item_url("evidence_read"))
        assert ParseJob.objects.count() == Activity.objects.filter(kind="import").count() == 1

    def test_the_fragment_polls_until_the_job_is_final(self) -> None:
        job = self.queue()
        self.sign_in(self.carol)
        address = f"{self.url('import', job.uuid)}?part=1"
        assert "every 2s" in self.client.get(address, headers={"HX-Request": "true"}).content.decode()
        problems = [{"member": "x<y>.evtx", "code": "cut", "message": "cut in half"}]
        ParseJob.objects.filter(pk=job.pk).update(state="done", problems=problems)
        final = self.client.get(address, headers={"HX-Request": "true"}).content.decode()
        assert "hx-trigger" not in final
        assert "x&lt;y&gt;.evtx" in final and "cut in half" in final

    def test_cancel(self) -> None:
        job = self.queue()
        self.sign_in(self.bob)
        self.client.post(self.url("import_cancel", job.uuid))
        job.refresh_from_db()
        assert job.state == "cancelled"

    def test_who_may(self) -> None:
        job = self.queue()
        for person, reads, writes in ((self.carol, 200, 403), (self.mallory, 404, 404)):
            self.sign_in(person)
            assert self.client.get(self.url("import", job.uuid)).status_code == reads
            assert self.client.post(self.url("import_cancel", job.uuid)).status_code == writes
            assert self.client.post(self.item_url("evidence_read")).status_code == writes


class TableTests(EvidenceTestCase):
    def setUp(self) -> None:
        super().setUp()
        rows = [{"Timestamp": f"2026-11-20T10:{n % 60:02}:00Z", "DeviceName": f"ws-{n:03}"} for n in range(120)]
        self.table = make_table(self.item, rows)

    def test_rows_are_paged_sorted_and_filtered(self) -> None:
        self.sign_in(self.carol)
        reply = self.client.get(self.url("table", self.table.uuid), {"sort": "-DeviceName", "page": "3"})
        assert [row.cells[1] for row in reply.context["rows"]][-1] == "ws-000"
        reply = self.client.get(self.url("table", self.table.uuid), {"c": "DeviceName", "o": "equals", "v": "ws-007"})
        assert [row.number for row in reply.context["rows"]] == [8]

    def test_a_wrong_question_is_answered_with_a_sentence(self) -> None:
        self.sign_in(self.bob)
        for query in ({"sort": "x' OR 1=1"}, {"c": "Nope", "o": "equals", "v": "1"}, {"c": "DeviceName"}):
            reply = self.client.get(self.url("table", self.table.uuid), query)
            assert reply.status_code == 422
        assert self.client.get(self.url("table", self.table.uuid), {"page": "9" * 40}).status_code == 200

    def test_looking_is_noted_once_an_hour_per_person(self) -> None:
        self.sign_in(self.bob)
        for _ in range(3):
            self.client.get(self.url("table", self.table.uuid))
        viewed = CustodyEntry.objects.filter(evidence=self.item, action="viewed")
        assert [(entry.actor, entry.detail) for entry in viewed] == [(self.bob, {"what": "table DeviceEvents"})]
        later = timezone.now() + timedelta(hours=2)
        with mock.patch("ircase.services.vault.previews.timezone.now", return_value=later):
            assert self.client.get(self.url("table", self.table.uuid)).status_code == 200
        assert viewed.all().count() == 2

    def test_one_row_in_full(self) -> None:
        self.sign_in(self.bob)
        assert "ws-004" in self.client.get(self.url("table_row", self.table.uuid, 5)).content.decode()
        assert self.client.get(self.url("table_row", self.table.uuid, 500)).status_code == 404

    def test_strangers(self) -> None:
        self.sign_in(self.mallory)
        assert self.client.get(self.url("table", self.table.uuid)).status_code == 404
        assert self.client.get(self.url("table_row", self.table.uuid, 1)).status_code == 404
