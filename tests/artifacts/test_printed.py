"""What a script printed: out of transcripts as hosts leave them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts import load, printed, snapshots
from artifacts.printed import BEGIN, END
from tests.artifacts.conftest import codes, counts, rows

SNAPSHOT: dict[str, Any] = {
    "format": "ircase-snapshot", "version": 1, "device": "WS-07.contoso.com", "snapshot_time": "2026-11-20T10:00:00Z",
    "tables": {
        "DeviceAutorunSnapshot": [{"Kind": "RunKey", "Location": "HKLM\\Run", "Name": "a", "Command": "c:\\a.exe"}],
        "DeviceUserSnapshot": {"AccountName": "u", "Groups": "Administrators", "Enabled": True},
        "Elsewhere": [{"x": 1}],
    },
    "errors": [{"section": "WMI", "error": "Access denied"}], "cut": {"DeviceTaskSnapshot": 3},
}  # fmt: skip


def block(text: str, end: bool = True) -> str:
    return f"Transcript started\r\n{BEGIN}\r\n{text}\r\n" + (f"{END}\r\nbye" if end else "")


def fault_codes(found: printed.Printed) -> list[str]:
    return [fault.code for fault in found.faults]


def test_json_between_the_lines() -> None:
    found = printed.read(block('{"a": 1}'))
    assert (found.value, found.faults, found.is_complete) == ({"a": 1}, (), True)


def test_colour_codes_control_characters_and_an_echo() -> None:
    text = f"PS> Write-Output '{BEGIN}'\n\x1b[0m\x00" + block('\x1b[32m{"a":\x07 "b"}\x1b[0m')
    assert printed.read(text).value == {"a": "b"}


def test_lines_that_the_host_wrapped() -> None:
    whole = json.dumps({"path": "C:\\\\Program Files\\\\x", "n": list(range(50))})
    wrapped = "\r\n".join(whole[at : at + 40] for at in range(0, len(whole), 40))
    assert printed.read(block(wrapped)).value == json.loads(whole)


def test_a_transcript_that_ends_in_the_middle_keeps_whole_rows() -> None:
    text = json.dumps({"tables": {"T": [{"n": number, "s": "}]"} for number in range(100)]}})
    found = printed.read(block(text[:1000], end=False))
    assert fault_codes(found) == ["printed.cut"] and not found.is_complete
    kept = found.value["tables"]["T"]
    assert [row["n"] for row in kept] == list(range(len(kept))) and 20 < len(kept) < 100


@pytest.mark.parametrize(
    ("text", "code"),
    [("nothing", "printed.none"), (block("no json"), "printed.broken"), (block("{}", end=False), "printed.end"),
     (block("[1]") + "\n" + block("[2]"), "printed.several")],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, code: str) -> None:
    assert code in fault_codes(printed.read(text))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.integers(0, 400))
def test_no_text_breaks_the_reader(noise: str, cut: int) -> None:
    printed.read(block(json.dumps(SNAPSHOT))[:cut] + noise)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_json_becomes_rows_or_faults(value: Any) -> None:
    snapshots.tables_of(value, "T")
    snapshots.tables_of({"format": snapshots.FORMAT, "tables": value, "errors": value, "cut": value})


@pytest.mark.parametrize("name", ["snapshot.json", "transcript.txt", "result.json"])
def test_every_form_of_it_becomes_the_tables(tmp_path: Path, name: str) -> None:
    text = json.dumps(SNAPSHOT)
    if name == "transcript.txt":
        text = block(text)
    elif name == "result.json":
        escaped = block(text).replace("\\", "\\\\").replace('"', '\\"')
        text = f'{{"exit_code":0,"script_output":"{escaped}","script_errors":""}}'
    (tmp_path / name).write_text(text, encoding="utf-8")
    report = load([tmp_path / name], tmp_path / "out")
    assert counts(report) == {"DeviceAutorunSnapshot": 1, "DeviceUserSnapshot": 1}
    assert codes(report) == ["snapshot.section", "snapshot.table", "snapshot.cut"]
    (user,) = rows(report, "DeviceUserSnapshot")
    assert (user["DeviceName"], user["AccountName"], user["Groups"]) == ("ws-07.contoso.com", "u", '["Administrators"]')
