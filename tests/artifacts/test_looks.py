"""Looks at hostile files: what they show, what they refuse, and that a child which falls takes nobody along."""

import gzip
import io
import json
import math
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from artifacts.limits import ArtifactError
from artifacts.looks import facts, hexes, kinds, listings, pictures, shapes, texts, trees
from artifacts.looks.process import NoLook, look_in_child
from artifacts.looks.shown import visible
from artifacts.process import LoadFailed, LoadTimedOut

SAMPLE = Path(__file__).resolve().parents[2] / "../shared/data/evtx/DE_EventLog_Service_Crashed.evtx"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look has a process of its own, of which it makes its own world; here it has ours."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", ImageFile.LOAD_TRUNCATED_IMAGES)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


def quiet(note: dict[str, Any]) -> None:
    """Progress that nobody watches."""


def made(kind: str, path: Path, out: Path, name: str = "") -> dict[str, Any]:
    """A look in this process. Raises NoLook as the child's parent does."""
    out.mkdir(exist_ok=True)
    report = kinds.look(kind, path, name or path.name, out, quiet)
    if "failed" in report:
        raise NoLook(report["failed"])
    found: dict[str, Any] = json.loads((out / "look.json").read_text())
    return found


def written(folder: Path, content: bytes, name: str = "file.bin") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def zipped(**entries: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return made.getvalue()


class TestShapes:
    @pytest.mark.parametrize(
        ("content", "name", "danger"),
        [
            (b"MZ\x90\x00", "report.txt", "program"),
            (b"\x7fELF\x02", "x", "program"),
            (b"#!/bin/sh\nid\n", "notes", "script"),
            (b"Get-Process", "x.ps1", "script"),
            (b"Get-Process", "x.ps1 . .", "script"),
            (b"Get-Process", "x.p\u200bs1", "script"),
            (b"a,b\n1,2\n", "a.csv", ""),
            (b'{"a": 1}', "a.json", ""),
            (b'{"html": "<script>"}', "a.ndjson", ""),
            (b"<html><script>alert(1)</script>", "a.txt", "active"),
            ("<html>".encode("utf-16"), "a.txt", "active"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.doc", "macro"),
            (b"%PDF-1.7\n", "a.pdf", "document"),
            (b"PK\x03\x04" + bytes(30), "a.bin", "archive"),
            (b"\x1f\x8b\x08" + bytes(20), "a.log", "archive"),
            (b"plain words" + zipped(a=b"x"), "a.txt", "archive"),
            (b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(70), "a", "shortcut"),
            (b"ElfFile\x00" + bytes(4096), "a.evtx", ""),
            (b"words", "a.txt", ""),
            (b"", "a.txt", ""),
            (b"", "a.exe", "program"),
        ],
    )
    def test_what_could_do_harm(self, content: bytes, name: str, danger: str) -> None:
        assert shapes.shape_of(io.BytesIO(content), len(content), name).danger == danger

    def test_an_office_document_is_plain_until_it_holds_what_runs(self) -> None:
        plain = zipped(word__document_DOT_xml=b"<w/>")
        armed = zipped(word__document_DOT_xml=b"<w/>", word__vbaProject_DOT_bin=b"x")
        assert shapes.shape_of(io.BytesIO(plain), len(plain), "a.docx").danger == ""
        assert shapes.shape_of(io.BytesIO(armed), len(armed), "a.docx").danger == "macro"
        assert shapes.shape_of(io.BytesIO(plain), len(plain), "a.docm").danger != ""
        assert shapes.shape_of(io.BytesIO(plain[:-30]), len(plain) - 30, "a.docx").danger == "macro"

    @given(st.binary(max_size=600), st.text(max_size=30))
    def test_nothing_raises(self, content: bytes, name: str) -> None:
        shape = shapes.shape_of(io.BytesIO(content), len(content), name)
        assert set(shape.looks) <= set(shapes.KINDS)


class TestShown:
    def test_nothing_hides_and_nothing_turns_the_line(self) -> None:
        assert visible("a\x00b\x1b[31m\u202egnp.exe\x7f\tz") == "a␀b␛[31m⟨U+202E⟩gnp.exe␡\tz"

    @given(st.text())
    def test_no_control_or_direction_letter_is_left(self, text: str) -> None:
        assert not set(visible(text)) & {*map(chr, range(9)), *map(chr, range(10, 32)), "\u202e", "\u2066", "\u200b"}


class TestHex:
    @given(st.binary(max_size=200), st.integers(0, 2**40))
    def test_the_bytes_come_back(self, data: bytes, start: int) -> None:
        lines = hexes.lines(data, start)
        assert bytes.fromhex("".join(line.digits for line in lines)) == data
        assert [int(line.offset, 16) for line in lines] == [start + at for at in range(0, len(data), 16)]
        assert all(len(line.text) == len(bytes.fromhex(line.digits)) for line in lines)

    @pytest.mark.parametrize(
        ("text", "offset"),
        [("0", 0), ("", 0), ("17", 16), ("0x20", 32), ("20h", 32), ("50%", 496), ("999999", 992), ("-5", 0)],
    )
    def test_offsets_as_people_write_them(self, text: str, offset: int) -> None:
        assert hexes.offset_of(text, 1_000) == offset

    @given(st.text(max_size=30), st.integers(0, 2**50))
    def test_an_offset_is_inside_or_refused(self, text: str, size: int) -> None:
        try:
            offset = hexes.offset_of(text, size)
        except (ValueError, OverflowError):
            return
        assert 0 <= offset <= max(0, size - 1)


class TestText:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("grün".encode(), "UTF-8"),
            ("grün".encode("utf-8-sig"), "UTF-8 with a byte order mark"),
            ("grün".encode("utf-16"), "UTF-16LE, by its byte order mark"),
            (("word " * 20).encode("utf-16-le"), "UTF-16LE, by its pattern of zeros"),
            ("grün".encode("cp1252"), "Windows-1252, assumed: it is no UTF-8"),
            (b"green", "ASCII"),
        ],
    )
    def test_the_encoding_is_told(self, tmp_path: Path, content: bytes, words: str) -> None:
        found = made("text", written(tmp_path, content), tmp_path / "out")
        assert found["encoding"] == words
        assert found["lines"][0] in ("grün", "green", "word " * 20)

    def test_a_line_that_never_ends_and_too_many_lines(self, tmp_path: Path) -> None:
        found = made("text", written(tmp_path, b"x" * 3_000_000), tmp_path / "out")
        assert found["cut"] and len(found["lines"]) == 1 and len(found["lines"][0]) < 2_100
        found = made("text", written(tmp_path, b"\n" * 10_000), tmp_path / "out")
        assert found["cut"] and len(found["lines"]) == texts.MOST_LINES


class TestStrings:
    @given(st.lists(st.sampled_from([b"evil.example", b"\x00\x01", b"abc", b"w\x00i\x00d\x00e\x00!\x00", b"\xff"])))
    def test_each_string_stands_where_it_is_said_to_stand(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            found = list(texts.found_strings(Path(file.name), len(data)))
        for at, kind, text, length in found:
            raw = text.encode() if kind == "a" else text.encode("utf-16-le")
            assert data[at : at + len(raw)] == raw and length >= texts.SHORTEST
        assert [row[0] for row in found] == sorted(row[0] for row in found)

    def test_a_gigantic_string_is_cut_and_counted(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"\x00" + b"A" * 5_000_000 + b"\x00evil")
        made("strings", path, tmp_path / "out")
        rows = [json.loads(line) for line in (tmp_path / "out" / "lines.ndjson").open()]
        assert [(row[0], len(row[2]), row[3]) for row in rows] == [(1, 1_000, 5_000_000), (5_000_002, 4, 4)]


class TestTrees:
    def test_deep_wide_and_numerous(self, tmp_path: Path) -> None:
        with pytest.raises(NoLook, match="nested too deep"):
            made("json", written(tmp_path, b"[" * 200_000 + b"]" * 200_000), tmp_path / "out")
        deep = made("json", written(tmp_path, b"[" * 40 + b"]" * 40), tmp_path / "out")
        assert "nested too deep to show" in json.dumps(deep)
        wide = made("json", written(tmp_path, json.dumps(list(range(50_000))).encode()), tmp_path / "out")
        assert wide["cut"] and len(wide["value"]) <= trees.MOST_NODES + 1
        long = made("json", written(tmp_path, b"[" + b"9" * 100_000 + b"]"), tmp_path / "out")
        assert long["value"][0].startswith("999")

    def test_lines_of_documents_and_what_is_none(self, tmp_path: Path) -> None:
        found = made("json", written(tmp_path, b'{"a": 1}\n{"a": 2}\n'), tmp_path / "out")
        assert found["value"] == [{"a": 1}, {"a": 2}] and not found["cut"]
        with pytest.raises(NoLook, match="no JSON"):
            made("json", written(tmp_path, b"hello"), tmp_path / "out")


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1_000))) + chunk(b"IEND", b"")
    )


class TestPictures:
    def test_it_is_drawn_anew_without_what_it_carried(self, tmp_path: Path) -> None:
        source = io.BytesIO()
        exif = Image.Exif()
        exif[0x010F] = "Secret camera"
        Image.new("RGB", (4_000, 1_000), "red").save(source, "JPEG", exif=exif)
        path = written(tmp_path, source.getvalue() + b"<script>alert(1)</script>", "x.jpg")
        found = made("image", path, tmp_path / "out")
        assert (found["width"], found["height"], found["shown_width"]) == (4_000, 1_000, 1_600)
        png = (tmp_path / "out" / "picture.png").read_bytes()
        assert png.startswith(b"\x89PNG") and b"Secret camera" not in png and b"<script>" not in png
        rows = [row for group in facts.facts(path, "x.jpg", tmp_path, quiet)["groups"] for row in group["rows"]]
        assert ["Make", "Secret camera"] in rows

    @pytest.mark.parametrize("side", [8_000, 60_000, 2**31 - 1])
    def test_a_bomb_is_refused_before_it_goes_off(self, tmp_path: Path, side: int) -> None:
        with pytest.raises(NoLook, match="pixels"):
            made("image", written(tmp_path, _png_header(side, side), "x.png"), tmp_path / "out")

    @given(st.binary(max_size=300))
    def test_broken_pictures_end_in_a_sentence(self, tail: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = written(Path(folder), _png_header(20, 20)[:40] + tail, "x.png")
            try:
                pictures.picture(path, "x.png", Path(folder), quiet)
            except ArtifactError as error:
                assert str(error)


class TestListings:
    def test_a_zip_that_leaves_its_folder_and_a_bomb(self, tmp_path: Path) -> None:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.comment = b"hello \x1b"
            archive.writestr("../../etc/passwd", b"x")
            archive.writestr("inv\u202ecod.exe", b"x")
            archive.writestr("bomb", bytes(5_000_000))
        found = made("archive", path, tmp_path / "out")
        odd = {entry["name"]: entry["odd"] for entry in found["entries"]}
        assert odd == {"../../etc/passwd": ["leaves its folder"], "inv⟨U+202E⟩cod.exe": ["hidden letters"],
                       "bomb": ["may be a bomb"]}  # fmt: skip
        assert found["comment"] == "hello ␛" and found["total"] == 5_000_002
        assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["look.json"]

    def test_a_tar_with_a_link_and_a_device_and_one_cut_off(self, tmp_path: Path) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, kind in (("a", tarfile.REGTYPE), ("b", tarfile.SYMTYPE), ("c", tarfile.CHRTYPE)):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = kind, "/etc/passwd"
                archive.addfile(entry)
        found = made("archive", written(tmp_path, packed.getvalue(), "x.tgz"), tmp_path / "out")
        assert [entry["odd"] for entry in found["entries"]] == [[], ["a link"], ["a device"]]
        cut = gzip.decompress(packed.getvalue())[:700]
        assert made("archive", written(tmp_path, cut, "x.tar"), tmp_path / "out")["count"] == 1

    def test_gzip_and_what_is_no_archive(self, tmp_path: Path) -> None:
        found = made("archive", written(tmp_path, gzip.compress(bytes(1_000_000)), "x.gz"), tmp_path / "out")
        assert (found["form"], found["total"], found["entries"][0]["odd"]) == ("gzip", 1_000_000, ["may be a bomb"])
        with pytest.raises(NoLook, match="no archive"):
            made("archive", written(tmp_path, b"words"), tmp_path / "out")

    @given(st.binary(max_size=400))
    def test_broken_zips_end_in_a_sentence(self, middle: bytes) -> None:
        whole = zipped(a=b"x" * 50)
        with tempfile.TemporaryDirectory() as folder:
            path = written(Path(folder), whole[:40] + middle + whole[-60:], "x.zip")
            try:
                listings.listing(path, "x.zip", Path(folder), quiet)
            except ArtifactError as error:
                assert str(error)


class TestFacts:
    def test_entropy_by_hand(self) -> None:
        assert facts.entropy_of(Counter(b"aaaa")) == 0
        assert facts.entropy_of(Counter(b"aabb")) == 1
        assert math.isclose(facts.entropy_of(Counter(bytes(range(256)))), 8)

    def test_hashes_and_a_program_that_is_none(self, tmp_path: Path) -> None:
        found = made("metadata", written(tmp_path, b"MZ" + bytes(100), "x.exe"), tmp_path / "out")
        rows = dict(found["groups"][0]["rows"])
        assert rows["Could do harm as"] == "a program" and len(rows["SHA-256"]) == 64
        assert found["problems"][0].startswith("Program: it could not be read (PEFormatError")

    def test_an_office_document_says_who_wrote_it(self, tmp_path: Path) -> None:
        core = b'<cp:p xmlns:cp="x"><dc:creator>Mallory</dc:creator><cp:lastModifiedBy>Eve</cp:lastModifiedBy></cp:p>'
        content = zipped(docProps__core_DOT_xml=core, word__vbaProject_DOT_bin=b"x")
        rows = made("metadata", written(tmp_path, content, "x.docm"), tmp_path / "out")["groups"][1]["rows"]
        assert ["Creator", "Mallory"] in rows and ["Last modified by", "Eve"] in rows
        assert ["Macros or embedded objects", "word/vbaProject.bin"] in rows

    @given(st.binary(max_size=500), st.sampled_from([b"MZ", b"%PDF-1.4", b"PK\x03\x04", b"\xff\xd8\xff", b""]))
    def test_any_bytes_give_facts(self, tail: bytes, head: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = facts.facts(written(Path(folder), head + tail), "x", Path(folder), quiet)
        assert found["groups"][0]["rows"][2][1] == f"{len(head + tail):,} bytes"


class TestInAChild:
    def test_the_child_makes_it(self, tmp_path: Path) -> None:
        look_in_child("text", written(tmp_path, b"hello"), "a.txt", tmp_path)
        assert json.loads((tmp_path / "look.json").read_text())["lines"] == ["hello"]

    def test_what_does_not_fit_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(NoLook, match="It is no picture"):
            look_in_child("image", written(tmp_path, b"hello"), "a.png", tmp_path)
        with pytest.raises(NoLook):
            look_in_child("nothing", tmp_path, "a", tmp_path)

    def test_a_child_over_its_time_is_ended(self, tmp_path: Path) -> None:
        path = tmp_path / "large"
        with path.open("wb") as file:
            file.truncate(4 << 30)
        with pytest.raises(LoadTimedOut):
            look_in_child("metadata", path, "large", tmp_path, timeout=0.2)

    def test_an_event_log_that_is_cut_or_none(self, tmp_path: Path) -> None:
        with pytest.raises((NoLook, LoadFailed)):
            look_in_child("events", written(tmp_path, b"ElfFile\x00" + bytes(100)), "a.evtx", tmp_path)

    @pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample event logs are not here")
    def test_a_truncated_event_log_keeps_what_is_whole(self, tmp_path: Path) -> None:
        whole = SAMPLE.read_bytes()
        look_in_child("events", written(tmp_path, whole, "whole.evtx"), "a.evtx", tmp_path)
        assert json.loads((tmp_path / "look.json").read_text())["count"] == 4
        row = json.loads((tmp_path / "index.ndjson").read_text().splitlines()[1])
        with (tmp_path / "records.ndjson").open("rb") as records:
            records.seek(row[7])
            assert json.loads(records.read(row[8]))["Event"]["System"]["EventRecordID"] == row[0]
        look_in_child("events", written(tmp_path, whole[: 4096 + 30_000], "cut.evtx"), "a.evtx", tmp_path)
        cut = json.loads((tmp_path / "look.json").read_text())
        assert cut["cut_short"] or cut["bad_chunks"] or cut["missing_chunks"]

    def test_the_first_rows_of_a_table(self, tmp_path: Path) -> None:
        content = "a,b\n" + "".join(f"{n},x\u202e{n}\n" for n in range(1_000))
        look_in_child("table", written(tmp_path, content.encode(), "rows.csv"), "rows.csv", tmp_path)
        table = json.loads((tmp_path / "look.json").read_text())["tables"][0]
        assert [name for name, _ in table["columns"]] == ["a", "b"]
        assert (table["count"], len(table["rows"])) == (1_000, 200)
        assert table["rows"][1] == ["1", "x⟨U+202E⟩1"]
        assert not (tmp_path / "tables").exists()
