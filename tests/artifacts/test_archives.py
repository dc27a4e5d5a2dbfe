"""Hostile and damaged archives: what is refused is named, what can be read is kept, nothing is written outside."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from artifacts import Limits, load
from tests.artifacts.conftest import Loaded, codes, counts, rows, zipped

ROW = '{"A": 1}\n'


def tarred(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_names_that_climb_out_are_refused_and_named(run: Loaded, tmp_path: Path) -> None:
    bad = ["../../evil.json", "/abs.json", "C:\\x.json", "a\\..\\..\\b.json", "NUL.json"]
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    report = run({"x.zip": zipped({**dict.fromkeys(bad, ROW), "good.json": ROW})})
    assert codes(report) == ["archive.name"] * 5
    assert [problem.member for problem in report.problems][0] == "x.zip!../../evil.json"
    assert counts(report) == {"good": 1}
    after = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} - before
    assert after == {"in/x.zip", "out/good.parquet"}


def test_a_bomb_is_stopped_by_real_bytes(run: Loaded) -> None:
    report = run({"x.zip": zipped({"bomb.csv": b"0" * (8 << 20), "good.json": ROW})})
    assert codes(report) == ["archive.bomb"]
    assert counts(report) == {"good": 1}


def test_a_bomb_that_lies_about_its_size_is_stopped(run: Loaded) -> None:
    raw = bytearray(zipped({"bomb.csv": b"0" * (8 << 20)}))
    at = raw.find(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (100).to_bytes(4, "little")
    report = run({"x.zip": bytes(raw)})
    assert codes(report) == ["archive.cut", "csv.header"]
    assert report.problems[0].message.startswith("damaged or cut short: 100 bytes unpacked")


def test_a_gzip_bomb_is_stopped(run: Loaded) -> None:
    assert codes(run({"x.json.gz": gzip.compress(b" " * (8 << 20))})) == ["archive.bomb"]


def test_caps_on_member_and_total_bytes(run: Loaded) -> None:
    big = "".join(f'{{"A": {n}, "B": "{n * 7919}"}}\n' for n in range(5_000))
    report = run({"x.zip": zipped({"big.json": big, "good.json": ROW})}, Limits(member_bytes=10_000))
    assert codes(report) == ["limit.member_bytes"] and counts(report) == {"good": 1} and report.complete
    report = run({"y.zip": zipped({"first.json": ROW, "big.json": big})}, Limits(total_bytes=10_000))
    assert codes(report) == ["limit.total_bytes"] and counts(report) == {"first": 1} and not report.complete


def test_caps_on_entries_rows_and_tables(run: Loaded) -> None:
    many = zipped({f"t{n}.json": ROW for n in range(6)})
    report = run({"x.zip": many}, Limits(entries=5))
    assert codes(report) == ["limit.entries"] and report.tables == ()
    report = run({"x.zip": many}, Limits(entries=6))
    assert codes(report) == ["limit.entries"] and len(report.tables) == 5 and not report.complete
    report = run({"x.zip": many}, Limits(tables=3))
    assert codes(report) == ["limit.tables"] and len(report.tables) == 3
    report = run({"r.json": ROW * 10}, Limits(rows=4))
    assert codes(report) == ["limit.rows"] and not report.complete and counts(report)["r"] <= 5


def test_a_directory_larger_than_the_cap_is_not_even_read(run: Loaded) -> None:
    raw = bytearray(zipped({"a.json": ROW}))
    at = raw.rfind(b"PK\x05\x06")
    raw[at + 8 : at + 12] = (60_000).to_bytes(2, "little") * 2
    report = run({"x.zip": bytes(raw)}, Limits(entries=50_000))
    assert codes(report) == ["limit.entries"] and "60,000" in report.problems[0].message


def test_archives_within_archives_to_a_depth(run: Loaded) -> None:
    three = zipped({"b.zip": zipped({"c.json.gz": gzip.compress(ROW.encode())})})
    assert counts(run({"a.zip": three})) == {"c": 1}
    report = run({"z.zip": zipped({"a.zip": three})})
    assert codes(report) == ["archive.depth"] and report.tables == ()
    assert report.problems[0].member == "z.zip!a.zip!b.zip!c.json.gz"


def test_gzip_around_zip_and_tar(run: Loaded) -> None:
    assert counts(run({"evidence": gzip.compress(zipped({"a.json": ROW}))})) == {"a": 1}
    packed = gzip.compress(tarred((entry("d/a.json"), ROW.encode())))
    assert counts(run({"x.tgz": packed})) == {"a": 1}


def test_links_and_devices_in_a_tar_are_refused(run: Loaded) -> None:
    report = run(
        {
            "x.tar": tarred(
                (entry("link.json", tarfile.SYMTYPE, "/etc/passwd"), b""),
                (entry("hard.json", tarfile.LNKTYPE, "/etc/passwd"), b""),
                (entry("dev.json", tarfile.CHRTYPE), b""),
                (entry("../up.json"), ROW.encode()),
                (entry("good.json"), ROW.encode()),
            )
        }
    )
    assert codes(report) == ["archive.link"] * 3 + ["archive.name"]
    assert counts(report) == {"good": 1}


def test_a_symbolic_link_in_a_zip_is_refused(run: Loaded) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link.json")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert codes(run({"x.zip": out.getvalue()})) == ["archive.link"]


@pytest.mark.parametrize("name", ["x.zip", "x.xlsx"])
def test_a_zip_of_a_later_version_is_named(run: Loaded, name: str) -> None:
    packed = bytearray(zipped({"a.json": ROW}))
    packed[packed.rindex(b"PK\x01\x02") + 6] = 99  # the version needed, in the directory
    report = run({name: bytes(packed), "good.json": ROW})
    assert counts(report) == {"good": 1}
    assert codes(report) == (["archive.broken"] if name == "x.zip" else [])


def test_an_encrypted_entry_is_named_and_the_rest_kept(run: Loaded) -> None:
    raw = bytearray(zipped({"a.json": ROW, "b.json": ROW}))
    raw[raw.find(b"PK\x03\x04") + 6] |= 1
    raw[raw.find(b"PK\x01\x02") + 8] |= 1
    report = run({"x.zip": bytes(raw)})
    assert codes(report) == ["archive.encrypted"] and "password" in report.problems[0].message
    assert counts(report) == {"b": 1}


def test_a_wrong_checksum_keeps_every_byte(run: Loaded) -> None:
    raw = bytearray(zipped({"a.json": ROW * 50}))
    at = raw.find(b"PK\x01\x02")
    raw[at + 16] ^= 0xFF
    report = run({"x.zip": bytes(raw)})
    assert codes(report) == ["archive.cut"] and counts(report) == {"a": 50}


def test_a_cut_gzip_keeps_what_could_be_unpacked(run: Loaded) -> None:
    text = "".join(f'{{"A": {n * 7919 % 10007}}}\n' for n in range(20_000))
    packed = gzip.compress(text.encode())
    report = run({"x.json.gz": packed[: len(packed) // 2]})
    assert "archive.cut" in codes(report)
    assert 5_000 < counts(report)["x"] < 15_000


def test_gzip_members_in_a_row_and_what_follows_them(run: Loaded) -> None:
    two = gzip.compress(ROW.encode()) + gzip.compress(ROW.encode())
    report = run({"x.json.gz": two + b"\n"})
    assert counts(report) == {"x": 2} and not report.problems


def test_a_cut_zip_is_named(run: Loaded) -> None:
    report = run({"x.zip": zipped({"a.json": ROW * 1000})[:60], "good.json": ROW})
    assert codes(report) == ["archive.broken"] and counts(report) == {"good": 1}


@pytest.mark.parametrize("name", ["notes.ZIP", "notes.tar", "notes.tgz", "notes.json.gz"])
def test_an_archive_in_name_only_is_said_to_be_none(run: Loaded, name: str) -> None:
    loaded = run({name: b"This is neither gzip nor zip.\r\n", "notes.txt": b"Plain text.\r\n"})
    assert [(problem.member, problem.code) for problem in loaded.problems] == [(name, "archive.none")]


def test_a_cut_tar_keeps_what_is_whole(run: Loaded) -> None:
    packed = tarred((entry("a.json"), ROW.encode()), (entry("b.json"), ROW.encode() * 1000))
    report = run({"x.tar": packed[:2_500]})
    assert counts(report)["a"] == 1 and "archive.cut" in codes(report)


def test_a_tar_that_ends_at_a_damaged_header_says_so(run: Loaded) -> None:
    packed = bytearray(tarred(*((entry(name), ROW.encode()) for name in ("a.json", "b.json", "c.json"))))
    packed[1024] ^= 0xFF
    report = run({"x.tar": bytes(packed)})
    assert counts(report) == {"a": 1}
    assert [(problem.member, problem.code) for problem in report.problems] == [("x.tar", "archive.broken")]
    assert "header is damaged" in report.problems[0].message


@pytest.mark.parametrize("size", [1024, 1024 + 100])
def test_a_tar_cut_between_entries_says_so(run: Loaded, size: int) -> None:
    packed = tarred((entry("a.json"), ROW.encode()), (entry("b.json"), ROW.encode()))
    report = run({"x.tar": packed[:size]})
    assert counts(report) == {"a": 1} and codes(report) == ["archive.cut"]


def test_a_tar_header_that_asks_for_all_memory_is_stopped(run: Loaded) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 * 2**30
    report = run({"x.tar": info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096})
    assert codes(report) == ["archive.broken"]


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"\xfd7zXZ\x00", b"BZh9"])
def test_archives_that_are_not_read_say_what_to_do(run: Loaded, magic: bytes) -> None:
    report = run({"x.bin": magic + b"rest"})
    assert codes(report) == ["archive.unsupported"] and "unpack it" in report.problems[0].message


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.json").write_text(ROW)
    (folder / "passwd.csv").symlink_to("/etc/passwd")
    report = load([folder], tmp_path / "out")
    assert codes(report) == ["file.link"] and counts(report) == {"a": 1}


def test_a_name_with_control_characters_is_shown_safely(run: Loaded) -> None:
    report = run({"x.zip": zipped({"a\x1b[31m\u202e.json": ROW})})
    assert report.files[0].name == "x.zip!a\ufffd[31m\ufffd.json"
    assert rows(report, report.tables[0].name) == [{"A": 1}]


def test_the_name_given_for_a_stored_file_is_the_one_shown_and_used(tmp_path: Path) -> None:
    stored = tmp_path / "5feceb66ffc86f38"
    stored.write_text("X,Y\na,b\n")
    report = load([stored], tmp_path / "out", names={stored: "Users.csv"})
    assert counts(report) == {"Users": 1} and report.files[0].name == "Users.csv"


def test_cancelling_keeps_what_was_read(tmp_path: Path) -> None:
    paths = []
    for n in range(3):
        paths.append(tmp_path / f"t{n}.json")
        paths[-1].write_text(ROW)
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 3

    report = load(paths, tmp_path / "out", cancelled=cancelled)
    assert codes(report) == ["load.cancelled"] and not report.complete and 0 < len(report.tables) < 3


def test_a_path_that_is_not_there_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load([tmp_path / "nothing.csv"], tmp_path / "out")
