"""Uploads in parts: offsets, two at once, checksums, whose they are, expiry, and what is sealed in the end."""

import base64
import hashlib
import io
import os
import shutil
import tempfile
import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.http import HttpResponse, UnreadablePostError
from django.test import override_settings
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase import incoming
from ircase.models import CaseRole, Evidence, LogEntry, ParseJob, Upload, UploadState
from ircase.services import cases
from ircase.services.evidence import StoreError
from ircase.services.transfer import resumable
from ircase.tasks import seal_upload
from tests.cast import CastTestCase, make_user

PART = "application/offset+octet-stream"
CONTENT = b"Timestamp,DeviceName\n2026-11-20T10:00:00Z,ws-07\n" * 20


def encoded(**said: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())


def checksum(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


class ResumableTestCase(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)
        self.url = f"/cases/{self.case.reference}/uploads/"

    def create(self, size: int = len(CONTENT), **said: str) -> HttpResponse:
        named = {"filename": "logons.csv", "filetype": "text/csv", **said}
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size), "Upload-Metadata": encoded(**named)}
        return self.client.generic("POST", self.url, headers=headers)

    def begin(self, size: int = len(CONTENT), **said: str) -> str:
        reply = self.create(size, **said)
        assert reply.status_code == 201, reply.content
        return reply["Location"].removeprefix("http://testserver")

    def patch(self, url: str, at: int, content: bytes, **more: str) -> HttpResponse:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(at), **more}
        return self.client.generic("PATCH", url, content, content_type=PART, headers=headers)

    def offset(self, url: str) -> int:
        reply = self.client.head(url, headers={"Tus-Resumable": "1.0.0"})
        assert reply.status_code == 200, reply.status_code
        assert reply["Cache-Control"] == "no-store"
        return int(reply["Upload-Offset"])

    def row(self, url: str) -> Upload:
        return Upload.objects.get(uuid=url.rstrip("/").rsplit("/", 1)[1])

    def finish(self, url: str) -> Upload:
        seal_upload(self.row(url).pk)
        return self.row(url)


class ProtocolTests(ResumableTestCase):
    def test_a_file_in_three_parts_becomes_evidence_as_a_form_upload_does(self) -> None:
        with mock.patch("ircase.jobs.send") as sent, self.captureOnCommitCallbacks(execute=True):
            url = self.begin(description="From the firewall", read="1")
            assert self.patch(url, 0, CONTENT[:100])["Upload-Offset"] == "100"
            assert self.offset(url) == 100
            assert self.patch(url, 100, CONTENT[100:101]).status_code == 204
            assert self.patch(url, 101, CONTENT[101:])["Upload-Offset"] == str(len(CONTENT))
        assert [call.args[0] for call in sent.call_args_list] == ["ircase.seal_upload"]
        done = self.finish(url)
        item = done.evidence
        assert item is not None
        assert (done.state, item.kind, item.name) == (UploadState.DONE, Evidence.Kind.UPLOAD, "logons.csv")
        assert (item.sha256, item.size) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
        assert (item.sealed_by, item.description) == (self.bob, "From the firewall")
        assert item.path.read_bytes() == CONTENT
        expected = {"origin", "name", "declared_type", "size", "sha256", "uploaded_by", "received_at", "begun_at"}
        assert set(item.manifest) == expected
        assert [entry.action for entry in item.custody.all()] == ["sealed"]
        assert ParseJob.objects.filter(evidence=item).exists()
        assert not incoming.path_of(done.uuid).exists()
        assert self.offset(url) == len(CONTENT)

    def test_it_is_read_only_where_that_was_asked(self) -> None:
        url = self.begin(read="0")
        self.patch(url, 0, CONTENT)
        assert not ParseJob.objects.filter(evidence=self.finish(url).evidence).exists()

    def test_an_empty_file_is_whole_at_once(self) -> None:
        item = self.finish(self.begin(0)).evidence
        assert item is not None
        assert item.size == 0

    def test_a_wrong_offset_is_409_and_writes_nothing(self) -> None:
        url = self.begin()
        self.patch(url, 0, CONTENT[:50])
        for wrong in (0, 49, 51):
            reply = self.patch(url, wrong, b"x" * 10)
            assert (reply.status_code, reply["Upload-Offset"]) == (409, "50")
        assert incoming.path_of(self.row(url).uuid).read_bytes() == CONTENT[:50]

    def test_no_part_reaches_beyond_the_announced_size(self) -> None:
        url = self.begin(10)
        assert self.patch(url, 0, b"x" * 11).status_code == 413
        assert self.offset(url) == 0

    def test_what_is_no_tus_is_refused_with_the_protocols_status(self) -> None:
        url, tus = self.begin(), {"Tus-Resumable": "1.0.0"}
        old = self.client.head(url, headers={"Tus-Resumable": "0.2.2"})
        assert (old.status_code, old["Tus-Version"]) == (412, "1.0.0")
        assert self.client.head(url).status_code == 400
        reply = self.client.generic(
            "PATCH", url, b"x", content_type="text/plain", headers={**tus, "Upload-Offset": "0"}
        )
        assert reply.status_code == 415
        for wrong in ("", "-1", "1e3", "٣", "9" * 30):
            assert self.client.generic("POST", self.url, headers={**tus, "Upload-Length": wrong}).status_code == 400
        broken = {**tus, "Upload-Length": "5", "Upload-Metadata": "filename ä!"}
        assert self.client.generic("POST", self.url, headers=broken).status_code == 400

    def test_the_capabilities_are_told(self) -> None:
        reply = self.client.options(self.url)
        assert reply.status_code == 204
        assert reply["Tus-Extension"] == "creation,termination,checksum,expiration"
        assert "sha1" in reply["Tus-Checksum-Algorithm"].split(",")

    def test_a_name_from_outside_is_no_path(self) -> None:
        url = self.begin(filename="../../etc/pass\x00wd")
        self.patch(url, 0, CONTENT)
        item = self.finish(url).evidence
        assert item is not None
        assert item.name == "../../etc/passwd"
        assert item.path.name == hashlib.sha256(CONTENT).hexdigest()

    def test_the_page_is_told_what_is_unfinished(self) -> None:
        url = self.begin(fingerprint="abc")
        self.patch(url, 0, CONTENT[:30])
        found = self.client.get(self.url).json()["uploads"]
        assert [(one["url"], one["offset"], one["fingerprint"], one["state"]) for one in found] == [
            (url, 30, "abc", "receiving")
        ]
        self.sign_in(self.alice)
        assert self.client.get(self.url).json()["uploads"] == []


class ChecksumTests(ResumableTestCase):
    def test_a_right_checksum_is_taken(self) -> None:
        url = self.begin()
        assert self.patch(url, 0, CONTENT[:60], **{"Upload-Checksum": checksum(CONTENT[:60])}).status_code == 204
        sha1 = {"Upload-Checksum": checksum(CONTENT[60:90], "sha1")}
        assert self.patch(url, 60, CONTENT[60:90], **sha1)["Upload-Offset"] == "90"

    def test_a_mismatch_is_460_and_none_of_the_part_counts(self) -> None:
        url = self.begin()
        self.patch(url, 0, CONTENT[:10])
        reply = self.patch(url, 10, CONTENT[10:60], **{"Upload-Checksum": checksum(b"something else")})
        assert reply.status_code == 460
        assert self.offset(url) == 10

    def test_an_unknown_algorithm_and_broken_base64_are_refused(self) -> None:
        url = self.begin()
        for said in ("md5 AAAA", "sha256 !!!", "sha256"):
            assert self.patch(url, 0, b"x", **{"Upload-Checksum": said}).status_code in (422, 460)
        assert self.offset(url) == 0

    def test_a_part_that_is_cut_counts_only_without_a_checksum(self) -> None:
        row = self.row(self.begin())
        with pytest.raises(resumable.PartCutShort) as cut:
            resumable.receive(upload=row, at=0, body=io.BytesIO(CONTENT[:40]), length=100)
        assert cut.value.offset == 40
        wanted = resumable.Checksum("sha256", hashlib.sha256(CONTENT[40:140]).digest())
        with pytest.raises(resumable.PartCutShort) as cut:
            resumable.receive(upload=row, at=40, body=io.BytesIO(CONTENT[40:90]), length=100, checksum=wanted)
        assert cut.value.offset == 40

    def test_a_line_that_breaks_keeps_what_came_before(self) -> None:
        row = self.row(self.begin())

        class Breaking:
            left = [CONTENT[:7], CONTENT[7:20]]

            def read(self, size: int, /) -> bytes:
                if not self.left:
                    raise UnreadablePostError("reset by peer")
                return self.left.pop(0)

        with pytest.raises(resumable.PartCutShort):
            resumable.receive(upload=row, at=0, body=Breaking(), length=100)
        assert incoming.path_of(row.uuid).read_bytes() == CONTENT[:20]


class AccessTests(ResumableTestCase):
    def knock(self, url: str) -> list[int]:
        tus = {"Tus-Resumable": "1.0.0"}
        return [
            self.client.head(url, headers=tus).status_code,
            self.client.get(url).status_code,
            self.patch(url, 0, b"x").status_code,
            self.client.delete(url, headers=tus).status_code,
        ]

    def test_it_belongs_to_who_began_it(self) -> None:
        url = self.begin()
        for other in (self.alice, self.mallory, self.carol, self.ada):
            self.sign_in(other)
            assert self.knock(url) == [404, 404, 404, 404], other
        assert self.row(url).state == UploadState.RECEIVING

    def test_who_is_no_member_any_more_goes_no_further_and_nothing_is_sealed(self) -> None:
        guest = make_user("gus", "guest")
        cases.set_member(case=self.case, actor=self.alice, user=guest, role=CaseRole.ANALYST)
        self.sign_in(guest)
        url, whole = self.begin(), self.begin(3)
        self.patch(whole, 0, b"abc")
        cases.remove_member(case=self.case, actor=self.alice, user=guest)
        assert self.knock(url) == [404, 404, 404, 404]
        row = self.finish(whole)
        assert (row.state, row.evidence) == (UploadState.FAILED, None)
        assert "may no longer" in row.reason

    def test_a_closed_case_takes_no_part(self) -> None:
        url = self.begin()
        self.case.__class__.objects.filter(pk=self.case.pk).update(closed_at=timezone.now())
        assert self.patch(url, 0, CONTENT).status_code == 403

    def test_readers_begin_nothing(self) -> None:
        self.sign_in(self.carol)
        assert self.create().status_code == 403
        self.sign_in(self.mallory)
        assert self.create().status_code == 404

    def test_a_forged_request_is_refused(self) -> None:
        url = self.begin()
        self.client.handler.enforce_csrf_checks = True
        assert self.patch(url, 0, CONTENT).status_code == 403
        assert self.create().status_code == 403


class QuotaTests(ResumableTestCase):
    @override_settings(UPLOAD_RESUMABLE_MAX_BYTES=1000)
    def test_a_file_beyond_the_cap_is_refused_before_it_is_sent(self) -> None:
        reply = self.create(1001)
        assert reply.status_code == 413
        assert b"IRCASE_UPLOAD_RESUMABLE_MAX_BYTES" in reply.content
        assert self.create(1000).status_code == 201

    @override_settings(UPLOAD_RESERVE_BYTES=100)
    def test_the_disk_must_hold_all_that_was_promised(self) -> None:
        before = set(incoming.files())
        with mock.patch("ircase.incoming.free_bytes", return_value=2 * 1000 + 100):
            assert self.create(1001).status_code == 507
            assert self.create(600).status_code == 201
            assert self.create(401).status_code == 507
            assert self.create(400).status_code == 201
        assert len(set(incoming.files()) - before) == 2

    def test_a_person_has_no_more_than_so_many_open(self) -> None:
        with mock.patch("ircase.services.transfer.resumable.MAX_OPEN", 2):
            assert [self.create(1).status_code for _ in range(3)] == [201, 201, 422]


class EndTests(ResumableTestCase):
    def actions(self) -> list[str]:
        return list(LogEntry.objects.filter(case=self.case).values_list("action", flat=True))

    def test_its_owner_discards_it(self) -> None:
        url, tus = self.begin(), {"Tus-Resumable": "1.0.0"}
        path = incoming.path_of(self.row(url).uuid)
        with self.captureOnCommitCallbacks(execute=True):
            assert self.client.delete(url, headers=tus).status_code == 204
        assert not path.exists()
        assert "upload.discarded" in self.actions()
        assert self.client.head(url, headers=tus).status_code == 410
        assert self.patch(url, 0, CONTENT).status_code == 410

    def test_what_is_whole_is_not_discarded(self) -> None:
        url = self.begin()
        self.patch(url, 0, CONTENT)
        assert self.client.delete(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 409
        assert self.finish(url).state == UploadState.DONE

    def test_one_that_is_silent_for_long_expires_and_the_log_says_so(self) -> None:
        silent, fed = self.begin(), self.begin()
        Upload.objects.filter(case=self.case).update(expires_at=timezone.now() - timedelta(seconds=1))
        self.patch(fed, 0, CONTENT[:10])
        with self.captureOnCommitCallbacks(execute=True):
            resumable.tidy()
        assert (self.row(silent).state, self.row(fed).state) == (UploadState.CANCELLED, UploadState.RECEIVING)
        assert not incoming.path_of(self.row(silent).uuid).exists()
        assert self.actions().count("upload.expired") == 1

    def test_one_whose_last_answer_was_lost_is_handed_on(self) -> None:
        """The server died after the last byte and before it said so: asking for the offset is enough."""
        url = self.begin()
        incoming.append(self.row(url).uuid, 0, [CONTENT], len(CONTENT))
        assert self.row(url).state == UploadState.RECEIVING
        assert self.offset(url) == len(CONTENT)
        assert self.row(url).state == UploadState.QUEUED
        forgotten = self.begin()
        incoming.append(self.row(forgotten).uuid, 0, [CONTENT], len(CONTENT))
        with mock.patch("ircase.jobs.send") as sent:
            resumable.tidy()
        assert {call.args[1] for call in sent.call_args_list} == {self.row(url).pk, self.row(forgotten).pk}

    def test_a_worker_that_dies_while_it_seals_is_replaced(self) -> None:
        url = self.begin()
        self.patch(url, 0, CONTENT)
        claimed = Upload.objects.claim(self.row(url).pk, "dead")
        assert claimed is not None
        Upload.objects.filter(pk=claimed.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
        resumable.tidy()
        assert self.finish(url).state == UploadState.DONE
        assert Evidence.objects.filter(case=self.case, name="logons.csv").count() == 1

    def test_a_full_store_is_tried_again_with_the_bytes_kept(self) -> None:
        url = self.begin()
        self.patch(url, 0, CONTENT)
        with mock.patch("ircase.services.evidence.put_file", side_effect=StoreError("The disk is full.")):
            row = self.finish(url)
        assert (row.state, row.reason) == (UploadState.QUEUED, "The disk is full.")
        Upload.objects.filter(pk=row.pk).update(not_before=None)
        assert self.finish(url).state == UploadState.DONE

    def test_files_that_nobody_claims_are_removed_when_they_are_old(self) -> None:
        young, old, claimed = uuid.uuid4(), uuid.uuid4(), self.row(self.begin()).uuid
        for identifier in (young, old):
            incoming.create(identifier)
        for identifier in (old, claimed):
            os.utime(incoming.path_of(identifier), (1, 1))
        resumable.tidy()
        assert [incoming.path_of(one).exists() for one in (young, old, claimed)] == [True, False, True]


class TwoAtOnceTests(ResumableTestCase):
    def test_of_two_parts_for_one_place_exactly_one_is_kept_whole(self) -> None:
        identifier, size = uuid.uuid4(), 2**20
        incoming.create(identifier)
        lettered: dict[str, Any] = {}
        gate = threading.Barrier(2)

        def write(letter: bytes) -> None:
            gate.wait()
            try:
                lettered[letter.decode()] = incoming.append(identifier, 0, [letter * 4096] * (size // 4096), size)
            except incoming.WrongOffset as error:
                lettered[letter.decode()] = error

        threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lost = [found for found in lettered.values() if isinstance(found, incoming.WrongOffset)]
        content = incoming.path_of(identifier).read_bytes()
        assert len(lost) in (1, 2)
        # Each byte was written once and at its place: the file is as long as what the two together had accepted.
        assert len(content) % 4096 == 0
        assert len(content) == (size if len(lost) == 1 else max(error.actual for error in lost))

    def test_one_that_was_overtaken_adds_nothing_more(self) -> None:
        identifier = uuid.uuid4()
        incoming.create(identifier)

        def slowly() -> Any:
            yield b"abc"
            incoming.append(identifier, 3, [b"XYZ"], 9)  # the same person went on over another line
            yield b"def"

        with pytest.raises(incoming.WrongOffset):
            incoming.append(identifier, 0, slowly(), 9)
        assert incoming.path_of(identifier).read_bytes() == b"abcXYZ"


@given(st.binary(max_size=3000), st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.integers(-5, 5))))
@settings(max_examples=80, deadline=None)
def test_whatever_the_parts_the_bytes_are_those_that_were_sent(
    content: bytes, parts: list[tuple[int, bool, int]]
) -> None:
    """Random parts, some cut short, some at a wrong offset: the file is always a beginning of what was sent."""
    folder = Path(tempfile.mkdtemp())
    identifier, at = uuid.uuid4(), 0
    with override_settings(UPLOADS_DIR=folder):
        incoming.create(identifier)
        for length, cut, shift in [*parts, (len(content), False, 0)]:
            start, chunk = at + shift, content[at : at + length]
            sent = chunk[: len(chunk) // 2] if cut else chunk
            if shift:
                with pytest.raises(incoming.WrongOffset):
                    incoming.append(identifier, start, [sent], len(content))
            else:
                at = incoming.append(identifier, at, [sent[:7], sent[7:]], len(content))
            assert incoming.offset_of(identifier) == at
            assert incoming.path_of(identifier).read_bytes() == content[:at]
        assert at == len(content)
    shutil.rmtree(folder)
