"""What could do harm leaves only in an encrypted zip; who may say otherwise, and what custody keeps of it."""

import hashlib
import io
from typing import Any
from unittest import mock

import pyzipper
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ircase import store
from ircase.models import Evidence, Handling, LogEntry, User
from ircase.services import evidence
from ircase.services.analysis import findings
from ircase.services.identity import people
from ircase.services.vault import delivery, handling, packing
from liveresponse.models import Lookup
from tests.cast import CastTestCase, make_evidence

PROGRAM = b"MZ" + b"\x90" * 5_000


def unpacked(data: bytes, password: str = "infected") -> dict[str, bytes]:
    with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
        archive.setpassword(password.encode())
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


class TestPacking:
    @given(st.lists(st.binary(max_size=300), max_size=5))
    def test_what_goes_in_comes_out(self, chunks: list[bytes]) -> None:
        data = b"".join(packing.packed(iter(chunks), name="a.bin", password="infected"))
        assert unpacked(data) == {"a.bin": b"".join(chunks)}

    def test_it_is_aes_256_and_nothing_of_it_stands_there_plain(self) -> None:
        data = b"".join(packing.packed(iter([b"a telling sentence " * 50]), name="a.bin", password="s3cret word"))
        assert b"telling" not in data
        with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
            entry = archive.infolist()[0]
            assert (entry.wz_aes_strength, entry.flag_bits & 1) == (3, 1)  # 3: 256 bits
        assert unpacked(data, "s3cret word")["a.bin"].startswith(b"a telling")

    def test_it_is_streamed(self) -> None:
        given_out = 0

        def chunks():  # type: ignore[no-untyped-def]
            nonlocal given_out
            for _ in range(64):
                given_out += 1
                yield bytes(1 << 20)

        stream = packing.packed(chunks(), name="a", password="infected")
        assert len(next(stream)) < 2 << 20 and given_out == 1
        assert max(len(piece) for piece in stream) < 2 << 20

    def test_passwords_that_programs_disagree_about_are_refused(self) -> None:
        assert packing.password_of("") == "infected"
        assert packing.password_of("a b c d") == "a b c d"
        for text in ("abc", "grün is it", " blank", "x" * 200, "tab\tinside"):
            try:
                packing.password_of(text)
            except ValidationError:
                continue
            raise AssertionError(text)


class HandlingTestCase(CastTestCase):
    def setUp(self) -> None:
        self.program = make_evidence(self.case, self.alice, PROGRAM, name="tool\u202egnp.exe")
        self.note = make_evidence(self.case, self.alice, b"plain words", name="note.txt")

    def url(self, item: Evidence, name: str = "evidence_download") -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, item.uuid])


class DownloadTests(HandlingTestCase):
    def test_a_program_leaves_in_a_zip_and_custody_says_so_before_the_first_byte(self) -> None:
        self.sign_in(self.carol)
        with mock.patch.object(store, "chunks", wraps=store.chunks) as chunks:
            reply = self.client.get(self.url(self.program))
            entry = self.program.custody.last()
            assert entry is not None
            assert (entry.action, entry.actor) == ("downloaded", self.carol)
            assert entry.detail == {"by": "browser", "form": "aes-256 zip", "password": "infected"}
            content = b"".join(reply.streaming_content)
            assert chunks.call_count == 1
        name = f"{self.case.reference}_{self.program.exhibit}.zip"
        assert reply.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert reply.headers["X-IRCase-Packed"] == "aes-256-zip"
        ((inner, data),) = unpacked(content).items()
        assert data == PROGRAM and "\u202e" not in inner and "/" not in inner
        assert hashlib.sha256(data).hexdigest() == self.program.sha256

    def test_plain_words_leave_as_they_are_or_packed_where_somebody_wants_it(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.get(self.url(self.note))
        assert b"".join(reply.streaming_content) == b"plain words"
        reply = self.client.post(self.url(self.note), {"password": "our own word"})
        assert list(unpacked(b"".join(reply.streaming_content), "our own word").values()) == [b"plain words"]
        entry = self.note.custody.last()
        assert entry is not None
        assert entry.detail == {"by": "browser", "form": "aes-256 zip", "password": "own"}
        assert "our own word" not in str(list(LogEntry.objects.values_list("detail", flat=True)))

    def test_a_password_that_is_none_hands_nothing_out(self) -> None:
        self.sign_in(self.bob)
        before = self.program.custody.count()
        reply = self.client.post(self.url(self.program), {"password": "abc"}, follow=True)
        assert "4 to 128" in reply.content.decode()
        assert self.program.custody.count() == before

    def test_strangers_learn_nothing(self) -> None:
        for person, status in ((self.carol, 200), (self.mallory, 404), (self.ada, 404)):
            self.sign_in(person)
            assert self.client.post(self.url(self.program), {"password": ""}).status_code == status

    def test_the_page_says_why_and_which_password(self) -> None:
        self.sign_in(self.carol)
        page = self.client.get(self.url(self.program, "evidence_item")).content.decode()
        assert "it is a program (Windows program (PE or DOS))" in page
        assert "<code>infected</code>" in page and "Download as a zip" in page
        assert "evidence_mark" not in page and "Keep the mark" not in page
        page = self.client.get(self.url(self.note, "evidence_item")).content.decode()
        assert "Nothing speaks against handing it out as it is: Text" in page


class RuleTests(HandlingTestCase):
    def mark(self, item: Evidence, mark: str) -> handling.Rule:
        handling.mark(item=item, actor=self.alice, mark=mark, reason="Known tool of the red team")
        return handling.rule_of(item)

    def test_a_verdict_on_its_hash_packs_it(self) -> None:
        indicator, _ = findings.add_indicator(
            case=self.case, actor=self.bob, kind="sha256", value=self.note.sha256, verdict="unknown"
        )
        assert not handling.rule_of(self.note).packed
        findings.judge_indicator(indicator=indicator, actor=self.bob, verdict="malicious", description="")
        assert handling.rule_of(self.note).sentence == "its hash is judged malicious on this case"

    def test_a_verdict_in_another_case_says_nothing_here(self) -> None:
        findings.add_indicator(
            case=self.secret_case, actor=self.alice, kind="sha256", value=self.note.sha256, verdict="malicious"
        )
        assert not handling.rule_of(self.note).packed

    def test_defenders_determination_packs_it(self) -> None:
        Lookup.objects.create(
            case=self.case, connection=self.connection, deadline=timezone.now(), kind="file",
                key=self.note.sha256, requested_by=self.bob,
            answers={"file": {"data": {"determination": "Malware", "threat": "Backdoor:Win64/Edgehelp.A"}}},
        )  # fmt: skip
        assert "Defender determined it as Malware Backdoor:Win64/Edgehelp.A" in handling.rule_of(self.note).sentence

    def test_clean_and_unknown_by_defender_say_nothing(self) -> None:
        for key, said in ((self.note.sha256, "Clean"), ("a" * 64, "Malware")):
            Lookup.objects.create(
                case=self.case, connection=self.connection, deadline=timezone.now(), kind="file",
                key=key, requested_by=self.bob,
                answers={"file": {"data": {"determination": said, "threat": None}}},
            )  # fmt: skip
        assert not handling.rule_of(self.note).packed

    def test_a_mark_packs_and_frees_and_is_taken_back(self) -> None:
        assert self.mark(self.note, "malicious").packed
        assert not self.mark(self.note, "").packed
        assert not self.mark(self.program, "safe").packed
        assert self.mark(self.program, "").packed
        said = [(e.action, e.detail["mark"]) for e in self.program.custody.filter(action="marked")]
        assert said == [("marked", "safe"), ("marked", "taken_back")]

    def test_safe_covers_only_what_was_known(self) -> None:
        assert not self.mark(self.program, "safe").packed
        findings.add_indicator(
            case=self.case, actor=self.bob, kind="sha256", value=self.program.sha256, verdict="malicious"
        )
        rule = handling.rule_of(self.program)
        assert [why.code for why in rule.open_whys] == ["verdict:malicious"] and len(rule.whys) == 2
        assert not self.mark(self.program, "safe").packed

    def test_only_a_lead_marks_and_not_without_a_reason(self) -> None:
        data = {"mark": "safe", "reason": "Known tool of the red team"}
        for person, status in ((self.bob, 403), (self.carol, 403), (self.mallory, 404)):
            self.sign_in(person)
            assert self.client.post(self.url(self.program, "evidence_mark"), data).status_code == status
        self.sign_in(self.alice)
        self.client.post(self.url(self.program, "evidence_mark"), {"mark": "safe", "reason": "ok"})
        assert not Handling.objects.exclude(mark="").exists()
        self.client.post(self.url(self.program, "evidence_mark"), data)
        assert b"".join(self.client.get(self.url(self.program)).streaming_content) == PROGRAM
        entry = LogEntry.objects.get(case=self.case, action="evidence.marked")
        assert entry.detail == {"exhibit": self.program.exhibit, "mark": "safe", "reason": data["reason"]}

    def test_what_cannot_be_looked_at_leaves_packed(self) -> None:
        with mock.patch.object(evidence, "opened", side_effect=store.StoreError("it is away")):
            assert handling.rule_of(self.note).sentence == "its bytes could not be looked at yet"
        assert not handling.rule_of(self.note).packed

    def test_our_own_report_is_no_strangers_pdf(self) -> None:
        stored = evidence.put(iter([b"%PDF-1.7 report"]))
        ours = evidence.seal(
            case=self.case, stored=stored, kind=Evidence.Kind.REPORT, name="r.pdf", manifest={}, actor=self.alice
        )
        brought = evidence.seal(
            case=self.case, stored=stored, kind=Evidence.Kind.REPORT, name="r.pdf", manifest={}, actor=self.alice,
            act="imported",
        )  # fmt: skip
        assert not handling.rule_of(ours).packed
        assert handling.rule_of(brought).packed
        assert handling.rule_of(make_evidence(self.case, self.alice, b"%PDF-1.7 report", name="r.pdf")).packed

    def test_bytes_are_looked_at_once(self) -> None:
        handling.rule_of(self.program)
        with mock.patch.object(evidence, "opened") as opened:
            handling.rule_of(self.program)
        opened.assert_not_called()

    def test_a_destroyed_exhibit_is_neither_handed_out_nor_marked(self) -> None:
        Evidence.objects.filter(pk=self.note.pk).update(integrity="destroyed")
        self.note.refresh_from_db()
        with self.assertRaises(delivery.FileGone):
            delivery.response(self.note, actor=self.alice, password="infected")
        with self.assertRaises(ValidationError):
            handling.mark(item=self.note, actor=self.alice, mark="safe", reason="It is gone after all")


class ApiTests(HandlingTestCase):
    def call(self, item: Evidence, what: str, person: User, body: object = None) -> Any:
        _, token = people.create_token(user=person, name="test")
        headers = {"Authorization": f"Bearer {token}"}
        url = f"/api/v1/cases/{self.case.reference}/evidence/{item.uuid}/{what}"
        if body is None:
            return self.client.get(url, headers=headers)
        return self.client.post(url, body, content_type="application/json", headers=headers)

    def test_the_api_packs_as_the_pages_do(self) -> None:
        reply = self.call(self.program, "download", self.bob)
        assert reply.headers["X-IRCase-Packed"] == "aes-256-zip"
        assert list(unpacked(b"".join(reply.streaming_content)).values()) == [PROGRAM]
        reply = self.call(self.note, "download", self.bob, {"password": "our own word"})
        assert list(unpacked(b"".join(reply.streaming_content), "our own word").values()) == [b"plain words"]
        assert self.call(self.note, "download", self.bob, {"password": "abc"}).status_code == 422
        said = [entry.detail for entry in self.note.custody.filter(action="downloaded")]
        assert said == [{"by": "api", "form": "aes-256 zip", "password": "own"}]

    def test_how_it_leaves_is_told_and_marked_by_leads(self) -> None:
        told = self.call(self.program, "handling", self.bob).json()
        assert told["packed"] and told["whys"] == ["it is a program (Windows program (PE or DOS))"]
        body = {"mark": "safe", "reason": "Known tool of the red team"}
        assert self.call(self.program, "handling", self.bob, body).status_code == 403
        assert not self.call(self.program, "handling", self.alice, body).json()["packed"]
        assert self.call(self.program, "handling", self.alice, {"mark": "safe", "reason": ""}).status_code == 422
