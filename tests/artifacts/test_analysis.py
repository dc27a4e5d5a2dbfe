"""File analyses: the shape that was seen, and every way in which it may be another."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts import analysis
from artifacts.analysis import Entity, NotAnAnalysis, Scan

WHOLE = {
    "report": {
        "reports": [
            {"status": "not_found", "scan_time": "2023-09-20T16:28:04.3376221Z", "source": "Static", "report": None},
            {"status": "Malicious", "source": "Cloud", "report": {"family": "X"}, "score": 9},
        ],
        "rescan": None,
        "threat_type": "Trojan",
        "behavior": {
            "networkTcpIps": ["203.0.113.7:443", "[2001:db8::1]:80", "ff02::1:3", "203.0.113.7:443"],
            "files": {"Created": ["C:\\a.exe"], "Modified": None, "Deleted": []},
            "registryKeys": {"Set": [{"key": "HKLM\\Run", "value": "x"}]},
            "processes": [{"path": "C:\\b.exe", "commandLine": "b.exe /q", "pid": 4}],
            "dnsQueries": ["evil.example:53", 17],
        },
        "has_file": False,
    },
    "scan_status": "clean",
}


def test_the_shape_that_was_seen() -> None:
    found = analysis.read(json.dumps(WHOLE))
    assert (found.scan_status, found.threat_type, found.has_file, found.cut) == ("clean", "Trojan", False, 0)
    assert found.scans == (
        Scan("not_found", "Static", "2023-09-20T16:28:04.3376221Z"),
        Scan("Malicious", "Cloud", "", '{"family": "X"}\n{"score": 9}'),
    )
    assert found.entities == (
        Entity("Network tcp ips", "network", "203.0.113.7", "port 443"),
        Entity("Network tcp ips", "network", "2001:db8::1", "port 80"),
        Entity("Network tcp ips", "network", "ff02::1:3"),
        Entity("Files: created", "file", "C:\\a.exe"),
        Entity("Registry keys: set", "registry", "HKLM\\Run", "value x"),
        Entity("Processes", "process", "C:\\b.exe", "commandLine b.exe /q, pid 4"),
        Entity("Dns queries", "domain", "evil.example", "port 53"),
        Entity("Dns queries", "domain", "17"),
    )


def test_unknown_keys_are_kept_as_they_are() -> None:
    found = analysis.read(json.dumps({"scan_status": "x", "behavior": {"odd": [{"z": [1]}]}, "graph": [1], "score": 3}))
    assert found.facts == {"score": "3"}
    assert found.rest == {"Odd": '{"z": [1]}', "graph": "[1]"}


def test_console_output_stands_around_it() -> None:
    text = "C:\\> analyze file x [wait] {nothing}\r\n" + json.dumps(WHOLE) + "\r\nC:\\>"
    assert analysis.read(text).scan_status == "clean"


def test_a_list_of_documents_is_one_analysis() -> None:
    found = analysis.read(json.dumps([WHOLE, {"scan_status": "other", "behavior": {"files": {"Deleted": ["C:\\z"]}}}]))
    assert found.scan_status == "clean" and found.entities[-1] == Entity("Files: deleted", "file", "C:\\z")


def test_backslashes_that_were_not_escaped() -> None:
    text = '{"scan_status": "clean", "behavior": {"files": {"Created": ["c:\\users\\[[u]]\\temp\\tar.tmp"]}}}'
    found = analysis.read(text)
    assert [one.value for one in found.entities] == [r"c:\users\[[u]]\temp\tar.tmp"] and found.notes


@pytest.mark.parametrize("text", ["", "no json", "{}", "[1, 2]", '{"a": 1}', "[" * 100_000, '{"scan_status": '])
def test_what_is_no_analysis(text: str) -> None:
    with pytest.raises(NotAnAnalysis):
        analysis.read(text)


def test_a_list_without_end_is_cut_and_counted() -> None:
    many = [f"C:\\{number}" for number in range(analysis.MOST_ENTITIES + 5)]
    found = analysis.read(json.dumps({"behavior": {"files": many}}))
    assert len(found.entities) == analysis.MOST_ENTITIES and found.cut == 5


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=25,
)
KEYS = st.sampled_from(["behavior", "reports", "scan_status", "threat_type", "has_file", "files", "networkTcpIps"])


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, ANYTHING, max_size=7))
def test_wrong_types_never_break_it(document: dict[str, Any]) -> None:
    found = analysis.read(json.dumps({**document, "behavior": document.get("behavior"), "scan_status": "x"}))
    assert json.loads(json.dumps(found.to_json()))["scan_status"]
    for entity in found.entities:
        entity.value.encode("utf-8")


def test_deep_nesting_is_survived() -> None:
    deep: Any = "C:\\deep.exe"
    for _ in range(300):
        deep = {"x": deep}
    found = analysis.read(json.dumps({"scan_status": "x", "behavior": {"files": deep}}))
    assert found.entities == () and found.rest
