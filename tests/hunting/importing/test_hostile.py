"""What must not hurt the reader: each refusal is listed with its reason, and all beside it is kept."""

import io
import json
import os
import re
import socket
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunting.importing import LIMITS, Candidate, ImportRefused, Member, Outcome, Preview, read, suggest_parameters
from hunting.values import parse as parse_value
from hunting.values import parse_type
from kql.catalogue import TABLES
from kql.syntax.parser import parse

GOOD = "DeviceEvents | take 5"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("the importer opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield


def one(data: str | bytes, name: str) -> Member:
    (found,) = read(data.encode() if isinstance(data, str) else data, name=name).members
    return found


def refused(data: str | bytes, name: str) -> str:
    found = one(data, name)
    assert found.outcome is Outcome.REFUSED and found.candidates == ()
    return found.reason


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def by_path(preview: Preview) -> dict[str, Member]:
    return {m.path: m for m in preview.members}


# --- YAML and JSON


def test_a_billion_laughs() -> None:
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "stands for more than" in refused("\n".join([*rows, "name: x", "query: y"]), "a.yaml")


def test_merge_keys_do_not_multiply() -> None:
    rows = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    assert "stands for more than" in refused("\n".join(rows), "a.yaml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [*a]", "names nothing before it"),
        ("[" * 5000, "nested more than"),
        ("{a: " * 5000, "nested more than"),
        ("!!python/object/apply:os.system ['true']", "no YAML"),
        ("name: x\nquery: [1, 2]", "holds no text"),
        ("name: a: b: c\nquery: x", "no YAML"),
        ("- 1\n- 2", "none of the kinds"),
        ("just words", "none of the kinds"),
        ("x: 99999999999" + "9" * 5000, "no YAML"),
        ("%YAML 9.9\n---\nx", "no YAML"),
        ("x: \x01", "no YAML"),
        ("--- 1\n" * 300, "more than 200 documents"),
    ],
)
def test_yaml_that_is_none(text: str, reason: str) -> None:
    assert reason in refused(text, "a.yaml")


def test_a_fault_of_yaml_has_its_line() -> None:
    assert one("name: x\nquery: |\n  a\n bad\n", "a.yaml").line == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested more than"),
        ('{"a":' * 100_000, "nested more than"),
        ("[" + "1," * 300_000 + "1]", "stands for more than"),
        ('[{"Name": "x", "Query": "y"', "no JSON"),
        ('{"name": 1}', "no pack"),
        ("[NaN]", "no JSON"),
        (f"[{'9' * 5000}]", "no JSON"),
        ('"' + "\\" * 100_001, "no JSON"),
        ("[]", "no pack"),
    ],
)
def test_json_that_is_none(text: str, reason: str) -> None:
    assert reason in refused(text, "a.json")


# --- Markdown


def test_a_hundred_thousand_fences() -> None:
    found = one(f"# T\n```kql\n{GOOD}\n```\n" + "```\nx y\n```\n" * 100_000, "a.md")
    assert len(found.parts) == LIMITS.blocks + 1
    assert "99,501 more blocks were not read" in found.parts[-1].reason
    assert len(found.candidates) == 1


def test_a_hundred_thousand_open_fences() -> None:
    assert "more blocks were not read" in one("```kql\n" * 100_000, "a.md").parts[-1].reason


def test_html_and_script_around_a_query() -> None:
    text = f"# <img src=x onerror=alert(1)>Title\n<script>steal()</script>\n<!-- ``` -->\n\n```kql\n{GOOD}\n```\n"
    (hunt,) = one(text, "a.md").candidates
    assert (hunt.title, hunt.kql) == ("Title", f"{GOOD}\n")
    assert "script" not in hunt.description and "steal" not in hunt.description


def test_a_title_that_turns_its_text() -> None:
    (hunt,) = one(f"# Good\u202eexe.daB\x07\n```kql\n{GOOD}\n```\n", "a.md").candidates
    assert hunt.title == "Goodexe.daB"


def test_long_lines_of_one_character_are_quick() -> None:
    for row in (
        "`" * 500_000,
        "#" * 500_000,
        " " * 500_000,
        "<" * 500_000,
        "[" * 500_000,
        "*_" * 250_000,
        "|" * 500_000,
    ):
        found = one(f"{row}\n\n```kql\n{GOOD}\n```\n", "a.md")
        assert found.outcome in (Outcome.KEPT, Outcome.CHANGED, Outcome.REFUSED)


@pytest.mark.parametrize(
    "piece", ["{", "<", "{a ", "<a ", '"', "let a = ", "(", "//", "dynamic([", "a.", "'{x} ", "in ("]
)
def test_long_runs_in_a_query_are_quick(piece: str) -> None:
    found = one(f"T | where x == {piece * (90_000 // len(piece))}", "a.kql")
    # Texts that stand beside each other are one text; of nothing else here is a query made.
    assert found.outcome is (Outcome.KEPT if piece == '"' else Outcome.REFUSED)
    suggest_parameters(piece * (90_000 // len(piece)))


def test_many_queries_without_a_blank_line_are_bounded() -> None:
    rows = [f"DeviceEvents | where ProcessId == {n}" for n in range(3000)]
    assert len(one("\n".join(rows[:50]), "a.kql").candidates) == 50
    refused("\n".join(rows), "a.kql")
    refused("\n\n".join(f"{row} |" for row in rows[:99]), "a.kql")


# --- bytes


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_marks_of_byte_order(codec: str) -> None:
    found = one(f"// Grüße\n{GOOD}".encode(codec), "a.kql")
    assert found.outcome is Outcome.CHANGED and "Grüße" in found.candidates[0].kql


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (GOOD.encode("utf-16-le"), "binary, or UTF-16"),
        (b"\xff\xfeabc", "its bytes do not"),
        (bytes(range(1, 256)), "neither UTF-8"),
        (b"", "empty"),
        (b" \n\t ", "empty"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, reason: str) -> None:
    assert reason in refused(data, "a.kql")


def test_windows_1252_is_read_and_said() -> None:
    found = one(b"// Gr\xfc\xdfe\nDeviceEvents | take 5", "a.kql")
    assert found.outcome is Outcome.CHANGED and "Windows-1252" in found.reason


def test_a_file_of_fifty_megabytes_is_not_read_whole(tmp_path: Path) -> None:
    big = tmp_path / "big.md"
    with big.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    (tmp_path / "good.kql").write_text(GOOD)
    found = by_path(read(tmp_path))
    assert "larger than 8 MB" in found["big.md"].reason
    assert found["good.kql"].outcome is Outcome.KEPT


def test_a_query_that_is_too_long() -> None:
    long = "DeviceEvents | where x == '" + "a" * 100_001 + "'"
    assert "at most 100,000" in refused(long, "a.kql")
    assert "at most 100,000" in refused(json.dumps([{"Name": "a", "Query": long}]), "a.json")


def test_zero_width_and_typographic_marks_go_only_where_they_are_in_the_way() -> None:
    (hunt,) = one("DeviceEvents\u200b | where ActionType == “a”", "a.kql").candidates
    assert hunt.kql == 'DeviceEvents | where ActionType == "a"\n'
    assert len(hunt.changes) == 2
    kept = one("DeviceEvents | where ActionType == 'it’s \u200b“so”' // “x”", "a.kql")
    assert kept.outcome is Outcome.KEPT and "“so”" in kept.candidates[0].kql


# --- zips


def test_a_zip_with_everything_in_it() -> None:
    link = zipfile.ZipInfo("link.kql")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = zipped(
        (
            "repo/LICENSE",
            b"Permission is hereby granted, free of charge, to any person obtaining a copy of this software",
        ),
        ("good.kql", GOOD.encode()),
        ("../up.kql", GOOD.encode()),
        ("/root.kql", GOOD.encode()),
        ("C:\\win.kql", GOOD.encode()),
        ("a\\..\\..\\b.kql", GOOD.encode()),
        (link, b"/etc/passwd"),
        ("inner.zip", zipped(("x.kql", GOOD.encode()))),
        ("bomb.md", b"a" * (7 * 1024 * 1024)),
        ("tool.exe", b"MZ"),
        ("bad.kql", b"DeviceEvents\nwhere x"),
    )
    preview = read(data, name="hunts.zip")
    found = by_path(preview)
    assert (preview.kind, preview.licence.name) == ("zip", "MIT")
    assert found["good.kql"].outcome is Outcome.KEPT
    assert found["good.kql"].candidates[0].licence.name == "MIT"
    for name in ("../up.kql", "/root.kql", "C:/win.kql", "a/../../b.kql"):
        assert "leads out of the zip" in found[name].reason
    assert "link" in found["link.kql"].reason
    assert "archive inside" in found["inner.zip"].reason
    assert "times its size" in found["bomb.md"].reason
    assert ".exe" in found["tool.exe"].reason
    assert "pipe seems to be missing" in found["bad.kql"].reason
    assert preview.counts == {"kept": 1, "changed": 0, "refused": 9, "duplicate": 0}


def test_an_encrypted_member_and_a_false_sum() -> None:
    data = bytearray(zipped(("a.kql", GOOD.encode()), method=zipfile.ZIP_STORED))
    at = data.index(b"PK\x01\x02") + 8
    data[at] |= 1
    assert read(bytes(data), name="a.zip").members[0].reason == "It is encrypted."
    plain = zipped(("a.kql", GOOD.encode()), method=zipfile.ZIP_STORED).replace(b"DeviceEvents", b"DeviceXvents")
    assert "cannot be unpacked" in read(plain, name="a.zip").members[0].reason


def test_zips_that_are_none() -> None:
    for data in (b"PK\x03\x04", b"PK\x05\x06", b"not a zip", b""):
        with pytest.raises(ImportRefused, match="damaged"):
            read(data, name="a.zip")


def test_a_false_size_in_the_zip_is_not_believed() -> None:
    small = replace(LIMITS, member_bytes=1000)
    data = bytearray(zipped(("a.kql", b"x" * 5000), method=zipfile.ZIP_STORED))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    (found,) = read(bytes(data), name="a.zip", limits=small).members
    assert found.outcome is Outcome.REFUSED


def test_caps_on_number_and_total() -> None:
    data = zipped(*((f"{n}.kql", f"DeviceEvents | take {n}".encode()) for n in range(10)))
    few = read(data, name="a.zip", limits=replace(LIMITS, members=3))
    assert [m.outcome.value for m in few.members] == ["kept", "kept", "kept", "refused"]
    assert "more than 3 members" in few.members[-1].reason
    total = read(data, name="a.zip", limits=replace(LIMITS, total_bytes=45))
    assert total.counts["kept"] == 2 and total.counts["refused"] == 8
    full = read(data, name="a.zip", limits=replace(LIMITS, candidates=4))
    assert full.counts["kept"] == 4 and "import is full" in full.members[-1].reason


def test_a_list_of_members_that_is_too_long_is_not_read() -> None:
    data = zipped(*((f"{n}{'x' * 200}.kql", b"x") for n in range(100)), method=zipfile.ZIP_STORED)
    with pytest.raises(ImportRefused, match="list of members is larger"):
        read(data, name="a.zip", limits=replace(LIMITS, zip_directory_bytes=1000))


# --- folders


def test_links_pipes_and_strange_names_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "good.kql").write_text(GOOD)
    (tmp_path / "link.kql").symlink_to("/etc/passwd")
    (tmp_path / "around").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.kql")
    (tmp_path / "odd\n\u202ename.kql").write_text(GOOD.replace("5", "6"))
    found = by_path(read(tmp_path))
    assert "link" in found["link.kql"].reason and "link" in found["around"].reason
    assert found["pipe.kql"].reason == "It is no plain file."
    assert found["odd\ufffd\ufffdname.kql"].outcome is Outcome.KEPT


# --- anything


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(lambda t: t.encode("utf-8", "surrogatepass"))),
    suffix=st.sampled_from([".md", ".yaml", ".json", ".kql", ".zip", ".txt", ""]),
)
def test_any_bytes_are_read_or_refused(data: bytes, suffix: str) -> None:
    try:
        preview = read(data, name=f"a{suffix}")
    except ImportRefused:
        return
    for found in preview.members:
        assert found.reason or found.outcome is Outcome.KEPT
        for candidate in found.candidates:
            parse(candidate.kql)


def _check(candidate: Candidate) -> None:
    """What the library asks of a hunt's parameters (hunting/catalogue.py)."""
    names = [p.name for p in candidate.parameters]
    assert len(set(names)) == len(names)
    columns = {c.name.casefold() for t in candidate.tables for c in TABLES.get(t, ())}
    for parameter in candidate.parameters:
        assert re.fullmatch("[A-Z][A-Za-z0-9]{1,63}", parameter.name)
        assert re.search(rf"\b{parameter.name}\b", candidate.kql)
        assert parameter.name.casefold() not in columns
        default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        assert default is None or parse_value(parse_type(str(parameter.kind)), default)


WORDS = st.sampled_from([
    "DeviceEvents", "SigninLogs", "|", "where", "take", "5", "5d", "let", "x", "=", ";", "\n", "\n\n", "(", ")", "{",
    "}", "<", ">", "[", "]", ",", '"', "'", "\u201c", "\u201d", "\u200b", "//", "{DeviceId}", "<DeviceName>", '"{X}"',
    "ago", "ago({T})", "==", "in", "has", "dynamic([", "])", "union", "join", "Timestamp", "name:", "query:", "-",
    "title:", "kql:", "hunts:", "```", "```kql", "#", "---", "detection:", "logsource:", "condition:", "\t", "&a", "*a",
    "[{", '"Name":', '"Query":', "let x = 5;", "let DeviceId = '{DeviceId}';", "| where DeviceId ==",
])  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=60), suffix=st.sampled_from([".md", ".yaml", ".json", ".kql"]))
def test_any_words_are_read_or_refused(words: list[str], suffix: str) -> None:
    text = " ".join(words)
    for found in read(text.encode(), name=f"a{suffix}").members:
        assert found.reason or found.outcome is Outcome.KEPT
        for candidate in found.candidates:
            parse(candidate.kql)
            _check(candidate)
    suggest_parameters(text)
