"""Script results in every state, and gzip as a stream."""

import gzip
import hashlib
import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msapi.commands import GetFile, PutFile, RunScript, check_order
from msapi.errors import ApiError, BadReply, InvalidParameter, ResultTooLarge
from msapi.scripts import ScriptResult, Wrapping, gunzip, parse_script_result, sniff

GOOD = {"script_name": "x.ps1", "exit_code": 0, "script_output": "line 1\nline 2", "script_errors": ""}
EXPECTED = ScriptResult("x.ps1", 0, "line 1\nline 2", "")


def zipped(**entries: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return sink.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(GOOD).encode(),
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b"\xff\xfe" + json.dumps(GOOD).encode("utf-16-le"),
        gzip.compress(json.dumps(GOOD).encode(), mtime=0),
        json.dumps({key.title(): value for key, value in GOOD.items()}).encode(),
        json.dumps({**GOOD, "exit_code": "0", "script_errors": None}).encode(),
        json.dumps({**GOOD, "script_output": ["line 1", "line 2"]}).encode(),
        json.dumps({**GOOD, "script_output": "li\x00ne 1\nline 2"}).encode(),
    ],
    ids=("plain", "bom", "utf-16", "gzip", "title-keys", "code-as-text", "lines", "nul"),
)
def test_the_documented_result_in_its_variants(content: bytes) -> None:
    assert parse_script_result(content) == EXPECTED


def test_raw_control_characters_inside_strings() -> None:
    content = (
        b'{"script_name":"x.ps1","exit_code":1,"script_output":"a\nb\x00\x07c\tC:\\\\x","script_errors":"bad\r\n"}'
    )
    result = parse_script_result(content)
    assert (result.exit_code, result.output, result.errors) == (1, "a\nb\x07c\tC:\\x", "bad\r\n")


def test_text_that_is_no_json_is_kept_whole() -> None:
    result = parse_script_result(b'{"script_name":"x.ps1","script_output":"cut of')
    assert not result.is_complete and result.exit_code is None
    assert result.output == '{"script_name":"x.ps1","script_output":"cut of'


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b'{"other": 1}', b"[" * 100_000, b"9" * 5000])
def test_other_documents_are_text(content: bytes) -> None:
    result = parse_script_result(content)
    assert not result.is_complete and result.output == content.decode()


def test_the_zip_of_other_systems() -> None:
    result = parse_script_result(zipped(**{"out/stdout": "grüße".encode(), "out/stderr": b"e"}))
    assert (result.output, result.errors, result.is_complete) == ("grüße", "e", True)
    assert not parse_script_result(zipped(other=b"x")).is_complete


def test_bombs_are_capped() -> None:
    with pytest.raises(ResultTooLarge):
        parse_script_result(gzip.compress(b"a" * 2_000_000), cap=1_000_000)
    with pytest.raises(ResultTooLarge):
        parse_script_result(zipped(stdout=b"a" * 2_000_000), cap=1_000_000)
    with pytest.raises(ResultTooLarge):
        parse_script_result(b"a" * 11, cap=10)


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda data: b"PK\x03\x04" + data)
    | st.binary(max_size=300).map(lambda data: b"\x1f\x8b" + data)
)
def test_any_bytes_give_a_result_or_an_api_error(content: bytes) -> None:
    try:
        result = parse_script_result(content)
    except ApiError:
        return
    assert "\x00" not in result.output
    result.output.encode()


@given(
    st.dictionaries(
        st.sampled_from(sorted(GOOD)), st.recursive(st.none() | st.integers() | st.text(), st.lists), min_size=1
    )
)
def test_any_value_under_the_known_keys(document: dict[str, object]) -> None:
    result = parse_script_result(json.dumps(document).encode())
    assert result.is_complete
    (result.output + result.errors + result.script_name).encode()


@given(
    st.lists(st.binary(max_size=2000), min_size=1, max_size=4), st.binary(max_size=3).map(lambda data: b"\x00" + data)
)
def test_gunzip_undoes_gzip_member_by_member(parts: list[bytes], tail: bytes) -> None:
    sink = io.BytesIO()
    packed = b"".join(gzip.compress(part) for part in parts)
    unpacked = gunzip(io.BytesIO(packed + tail), sink, cap=10_000)
    whole = b"".join(parts)
    assert sink.getvalue() == whole
    assert (unpacked.bytes, unpacked.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert unpacked.trailing == len(tail)


def test_gunzip_over_many_buffers() -> None:
    content = bytes(range(256)) * 20_000
    sink = io.BytesIO()
    assert gunzip(io.BytesIO(gzip.compress(content)), sink, cap=len(content)).bytes == len(content)
    assert sink.getvalue() == content
    with pytest.raises(ResultTooLarge):
        gunzip(io.BytesIO(gzip.compress(content)), io.BytesIO(), cap=len(content) - 1)


def test_gunzip_says_what_is_cut_or_damaged() -> None:
    packed = gzip.compress(bytes(range(256)) * 1000)
    sink = io.BytesIO()
    with pytest.raises(BadReply, match="cut off"):
        gunzip(io.BytesIO(packed[:-20]), sink, cap=10**6)
    assert sink.getvalue()
    with pytest.raises(BadReply, match="damaged"):
        gunzip(io.BytesIO(packed[:-8] + b"\x00" * 8), io.BytesIO(), cap=10**6)
    with pytest.raises(BadReply):
        gunzip(io.BytesIO(b""), io.BytesIO(), cap=10**6)


def test_sniffing() -> None:
    found = [sniff(head) for head in (b"\x1f\x8b\x08", b"PK\x03\x04", b"MZ", b"")]
    assert found == [Wrapping.GZIP, Wrapping.ZIP, Wrapping.RAW, Wrapping.RAW]


def test_commands_in_the_apis_words() -> None:
    assert RunScript("DFIR-Script.ps1", "-sw 10").as_json() == {
        "type": "RunScript",
        "params": [{"key": "ScriptName", "value": "DFIR-Script.ps1"}, {"key": "Args", "value": "-sw 10"}],
    }
    assert RunScript("a.ps1").as_json()["params"] == [{"key": "ScriptName", "value": "a.ps1"}]
    assert PutFile("t.exe").as_json() == {"type": "PutFile", "params": [{"key": "FileName", "value": "t.exe"}]}
    path = "C:\\ProgramData\\Out put (1).zip"
    assert GetFile(path).as_json() == {"type": "GetFile", "params": [{"key": "Path", "value": path}]}


@pytest.mark.parametrize("bad", [*";&|!$", "\n", "\r", "\x00", "\u2028"])
def test_forbidden_characters(bad: str) -> None:
    for make in (lambda: RunScript("a.ps1", f"x{bad}y"), lambda: GetFile(f"C:\\a{bad}b"), lambda: PutFile(f"a{bad}b")):
        with pytest.raises(InvalidParameter):
            make()


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "a b.ps1", "ä.ps1", "a" * 300])
def test_library_names(name: str) -> None:
    with pytest.raises(InvalidParameter):
        PutFile(name)


def test_the_order_of_commands() -> None:
    put, run, get = PutFile("t.exe"), RunScript("a.ps1"), GetFile("C:\\a")
    check_order([put, put, run, get, get])
    for wrong in ([], [run, put], [get, run]):
        with pytest.raises(InvalidParameter):
            check_order(wrong)
