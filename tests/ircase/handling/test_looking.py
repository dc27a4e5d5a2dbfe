"""Looks at exhibits in the browser: custody first, made once by a worker, nothing of the bytes but what is shown."""

import io
import json
import zipfile
from unittest import mock

from django.urls import reverse
from PIL import Image

from ircase import destroyer, looker, store
from ircase.models import Evidence, Indicator, Preview
from ircase.services.vault import looking
from ircase.tasks import make_preview
from tests.cast import CastTestCase, make_evidence

LOADER = (
    b"MZ\x00\x00http://evil.example.com/a?b=1\x00\x01\x02C:\\Users\\Public\\run me.exe\x00System.Text\x00\x00"
    + "198.51.100.7 loader.ps1".encode("utf-16-le")
    + b"\x00\x00"
)


class LookTestCase(CastTestCase):
    def setUp(self) -> None:
        self.item = make_evidence(self.case, self.alice, LOADER, name="loader.bin")
        self.sign_in(self.bob)

    def url(self, kind: str, item: Evidence | None = None) -> str:
        return reverse("ircase:evidence_preview", args=[self.case.reference, (item or self.item).uuid, kind])

    def shown(self, kind: str, item: Evidence | None = None, **asked: str) -> str:
        """The page of a look that was asked for and made."""
        self.client.get(self.url(kind, item))
        job = Preview.objects.filter(evidence=item or self.item, kind=kind).first()
        if job is not None:
            make_preview(job.pk)
        return self.client.get(self.url(kind, item), asked).content.decode()


class PageTests(LookTestCase):
    def test_it_is_queued_made_once_and_kept(self) -> None:
        with self.captureOnCommitCallbacks() as queued:
            page = self.client.get(self.url("strings")).content.decode()
        assert len(queued) == 1 and "every 1s" in page
        self.client.get(self.url("strings"))
        part = self.client.get(self.url("strings"), {"part": "1"}, headers={"HX-Request": "true"}).content.decode()
        assert f'hx-get="{self.url("strings")}?part=1"' in part and "<html" not in part
        job = Preview.objects.get()
        make_preview(job.pk)
        with mock.patch.object(looker, "look_in_child") as child:
            make_preview(job.pk)
            page = self.client.get(self.url("strings")).content.decode()
        child.assert_not_called()
        assert "evil.example.com" in page and "every 1s" not in page

    def test_custody_knows_before_anything_is_read_once_an_hour(self) -> None:
        stop = mock.patch.object(looking, "ask", side_effect=RuntimeError("stopped here"))
        with stop, self.assertRaises(RuntimeError):
            self.client.get(self.url("text"))
        stop = mock.patch.object(store, "chunks", side_effect=RuntimeError("stopped here"))
        with stop, self.assertRaises(RuntimeError):
            self.client.get(self.url("hex"))
        self.client.get(self.url("text"))
        self.client.get(self.url("text"), {"part": "1"}, headers={"HX-Request": "true"})
        viewed = [(e.actor, e.detail) for e in self.item.custody.filter(action="viewed")]
        assert viewed == [(self.bob, {"what": "preview: text"}), (self.bob, {"what": "preview: hex"})]

    def test_a_look_that_fails_says_why_and_the_others_work(self) -> None:
        page = self.shown("image")
        assert "It is no picture" in page and "Try again" in page
        assert "Windows program" in self.shown("metadata")
        job = Preview.objects.get(kind="image")
        self.client.post(reverse("ircase:evidence_preview_again", args=[self.case.reference, self.item.uuid, "image"]))
        job.refresh_from_db()
        assert job.state == "queued"

    def test_a_file_that_is_gone_is_said_and_a_store_that_is_away_is_asked_again(self) -> None:
        self.client.get(self.url("text"))
        job = Preview.objects.get()
        with mock.patch.object(looker.evidence, "local", side_effect=store.StoreError("The store is away.")):
            make_preview(job.pk)
        job.refresh_from_db()
        assert (job.state, job.reason) == ("queued", "The store is away.")
        Preview.objects.update(not_before=None)
        self.item.path.unlink()
        make_preview(job.pk)
        job.refresh_from_db()
        assert job.state == "failed"

    def test_looks_that_were_lost_are_made_again(self) -> None:
        self.shown("text")
        job = Preview.objects.get()
        (job.path / "look.json").unlink()
        self.client.get(self.url("text"))
        job.refresh_from_db()
        assert job.state == "queued"

    def test_no_look_outlives_the_exhibit(self) -> None:
        self.shown("text")
        job = Preview.objects.get()
        assert job.path.is_dir()
        looking.forget(self.item)
        assert not job.path.exists()
        Preview.objects.update(state="queued", cancel_requested=False)
        with mock.patch.object(
            looker,
            "_look",
            side_effect=lambda *_: Evidence.objects.filter(pk=self.item.pk).update(integrity="destroyed"),
        ):
            make_preview(job.pk)
        assert not job.path.exists()
        assert self.client.get(self.url("text")).status_code == 302
        assert destroyer.looking is looking

    def test_who_may_look(self) -> None:
        for person, status in ((self.carol, 200), (self.mallory, 404), (self.ada, 404)):
            self.sign_in(person)
            for kind in ("text", "hex", "metadata"):
                assert self.client.get(self.url(kind)).status_code == status
        self.sign_in(self.bob)
        assert self.client.get(self.url("everything")).status_code == 404
        other = make_evidence(self.secret_case, self.alice, b"secret")
        assert self.client.get(self.url("hex", other)).status_code == 404
        assert not Preview.objects.filter(evidence=other).exists()


class KindTests(LookTestCase):
    def test_text_is_shown_and_never_run(self) -> None:
        item = make_evidence(self.case, self.alice, b"<script>alert(1)</script>\n\x1b[2J")
        page = self.shown("text", item)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page
        assert "␛[2J" in page and "Encoding: " in page

    def test_hex_pages_a_sparse_gigabyte_without_reading_it(self) -> None:
        sha256 = "ab" * 32
        path = self.item.path.parents[2] / "ab" / "ab" / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(1 << 30)
            file.seek((1 << 30) - 4)
            file.write(b"END!")
        Evidence.objects.filter(pk=self.item.pk).update(sha256=sha256, size=1 << 30)
        read = []
        real = store.chunks

        def counted(sha: str, start: int = 0, end: int | None = None):  # type: ignore[no-untyped-def]
            for chunk in real(sha, start, end):
                read.append(len(chunk))
                yield chunk

        with mock.patch.object(store, "chunks", counted):
            page = self.client.get(self.url("hex"), {"at": "100%"}).content.decode()
        path.unlink()
        assert "END!" in page and "3ffffff0" in page
        assert sum(read) <= 4096

    def test_hex_says_what_is_no_offset(self) -> None:
        page = self.client.get(self.url("hex"), {"at": "<b>x"}).content.decode()
        assert "Write an offset as in" in page and "<b>x" not in page
        assert "4d 5a 00 00" in page
        assert (
            "It is empty"
            in self.client.get(self.url("hex", make_evidence(self.case, self.alice, b"", name="none"))).content.decode()
        )

    def test_strings_are_filtered(self) -> None:
        page = self.shown("strings", q="EVIL", least="10")
        assert "evil.example.com/a?b=1" in page.split('aria-label="Strings found"')[1]
        assert "run me.exe" not in page.split('aria-label="Strings found"')[1]
        assert (
            "UTF-16"
            in self.client.get(self.url("strings"), {"kind": "w"})
            .content.decode()
            .split('aria-label="Strings found"')[1]
        )
        assert "No string matches" in self.shown("strings", q="nowhere", page="99999")

    def test_what_strings_name_is_ticked_into_the_case(self) -> None:
        self.shown("strings")
        job = Preview.objects.get(kind="strings")
        seen = {(one.kind, one.value): one.number for one in looking.recognised(job, self.case)}
        assert set(seen) == {
            ("url", "http://evil.example.com/a?b=1"), ("ip", "198.51.100.7"),
            ("file_path", "C:\\Users\\Public\\run me.exe"), ("file_name", "loader.ps1"),
        }  # fmt: skip
        url = reverse("ircase:evidence_strings_take", args=[self.case.reference, self.item.uuid])
        numbers = [seen["url", "http://evil.example.com/a?b=1"], seen["ip", "198.51.100.7"]]
        reply = self.client.post(url, {"number": numbers, "verdict": "suspicious"}, follow=True)
        assert "2 added to the case." in reply.content.decode()
        made = Indicator.objects.get(case=self.case, kind="ip")
        assert (made.value, made.verdict, made.provenance["exhibit"]) == (
            "198.51.100.7", "suspicious", self.item.exhibit
        )  # fmt: skip
        assert "Tick at least one" in self.client.post(url, {"verdict": "x"}, follow=True).content.decode()
        self.sign_in(self.carol)
        assert self.client.post(url, {"number": numbers, "verdict": "unknown"}).status_code == 403

    def test_a_picture_is_ours_and_no_byte_of_theirs(self) -> None:
        source = io.BytesIO()
        Image.new("RGB", (30, 20), "blue").save(source, "GIF")
        item = make_evidence(self.case, self.alice, source.getvalue() + b"<script>", name="x.gif")
        assert "30 × 20 pixels" in self.shown("image", item)
        reply = self.client.get(reverse("ircase:evidence_picture", args=[self.case.reference, item.uuid]))
        assert reply.content.startswith(b"\x89PNG") and b"<script>" not in reply.content
        assert (reply.headers["Content-Type"], reply.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"

    def test_an_archive_lists_names_that_cannot_turn_the_line(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("inv\u202ecod.exe", b"x")
        page = self.shown("archive", make_evidence(self.case, self.alice, packed.getvalue(), name="a.zip"))
        assert "inv⟨U+202E⟩cod.exe" in page and "\u202e" not in page and "hidden letters" in page

    def test_json_and_table(self) -> None:
        item = make_evidence(self.case, self.alice, b'[{"a": "<i>", "b": 1}]', name="rows.json")
        assert "&lt;i&gt;" in self.shown("json", item)
        page = self.shown("table", item)
        assert "&lt;i&gt;" in page and "First rows of rows" in page

    def test_records_are_filtered_and_one_is_shown_whole(self) -> None:
        self.client.get(self.url("events"))
        job = Preview.objects.get()
        job.path.mkdir(parents=True)
        records = [
            {"Event": {"System": {"EventID": event, "Provider": {"#attributes": {"Name": "P"}}},
                       "EventData": {"User": f"<u{event}>"}}} for event in (4624, 4625, 1102)
        ]  # fmt: skip
        at, index, whole = 0, "", b""
        for number, record in enumerate(records):
            line = json.dumps(record).encode() + b"\n"
            event, time = record["Event"]["System"]["EventID"], f"2026-11-20T10:0{number}:00.5Z"
            index += json.dumps([number, time, event, number, "P", "Security", "ws", at, len(line)]) + "\n"
            whole, at = whole + line, at + len(line)
        (job.path / "index.ndjson").write_text(index)
        (job.path / "records.ndjson").write_bytes(whole)
        (job.path / "look.json").write_text(json.dumps({"count": 3}))
        Preview.objects.update(state="done")
        for asked, found in (
            ({"ids": "4624, 1102"}, {4624, 1102}), ({"level": "1"}, {4625}), ({"provider": "q"}, set()),
            ({"since": "2026-11-20 10:01"}, {4625, 1102}), ({"until": "2026-11-20T10:01"}, {4624, 4625}),
            ({"since": "2026-11-2"}, {4624, 4625, 1102}), ({"ids": "abc"}, {4624, 4625, 1102}),
            ({}, {4624, 4625, 1102}),
        ):  # fmt: skip
            reply = self.client.get(self.url("events"), asked)
            assert {row["event"] for row in reply.context["rows"]} == found, asked
        second = json.loads(index.splitlines()[1])[7]
        page = self.client.get(self.url("events"), {"record": str(second)}).content.decode()
        assert "EventData/User" in page and "&lt;u4625&gt;" in page
        assert "There is no such record" in self.client.get(self.url("events"), {"record": "3"}).content.decode()
