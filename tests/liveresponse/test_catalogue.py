"""Definitions: what is taken, what is refused and how it is said, whatever the YAML holds."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts.printed import BEGIN, END
from ircase.catalogue import CatalogueError
from liveresponse.catalogue import (
    Definition,
    DefinitionError,
    ParameterError,
    definition_from,
    definitions,
    last_path,
    parse_yaml,
    platform_of,
    to_yaml,
)
from liveresponse.catalogue.finding import PatternError, compiled
from liveresponse.ownscripts import own_scripts, third_party
from liveresponse.runner.printed import PrintedError, read_printed, write_printed
from msapi.commands import GetFile, PutFile, RunScript
from msapi.errors import InvalidParameter

FIND = r"Written to (?P<path>[^\r\n]+?\.zip)\s*$"


def content(**changes: Any) -> dict[str, Any]:
    return {
        "id": "own", "version": 3, "title": "Own", "description": "", "platforms": ["Windows"],
        "parameters": [
            {"name": "Path", "type": "path", "title": "Folder", "required": True},
            {"name": "Days", "type": "int", "title": "Days", "default": 2, "minimum": 1, "maximum": 9},
            {"name": "Mode", "type": "choice", "title": "Mode", "choices": ["Quick", "Full"], "default": "Quick"},
            {"name": "Deep", "type": "bool", "title": "Deep", "if_yes": "-Deep", "if_no": ""},
            {"name": "Label", "type": "string", "title": "Label", "max_length": 10},
        ],
        "steps": [
            {"key": "put", "title": "Put", "put_file": "tool.exe"},
            {"key": "run", "title": "Run", "run_script": "Own.ps1", "find": {"zip": FIND},
             "args": '-Path "{Path}" -Days {Days} -Mode {Mode} {Deep} -Label "{Label}"'},
            {"key": "fetch", "title": "Fetch", "get_file": "{zip}", "output": True},
        ],
        "changes": "Nothing.", "approval": "script", "time_limit": "72h", **changes,
    }  # fmt: skip


def plan(**changes: Any) -> Definition:
    return definition_from(content(**changes))


def fault(**changes: Any) -> str:
    with pytest.raises(DefinitionError) as error:
        plan(**changes)
    return str(error.value)


def steps(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": f"k{'x' * number}", "title": "S", **one} for number, one in enumerate(more)]


def test_the_shipped_collections_are_what_the_issue_names() -> None:
    assert {"dfir-triage", "windows-security-events", "windows-events", "investigation-package", "get-file",
            "get-folder"} <= set(definitions())  # fmt: skip
    assert definitions()["investigation-package"].steps[0].kind == "package"
    for each in definitions().values():
        assert each.needs_approval == bool(each.files), each.id


def test_our_script_is_there_and_others_are_named_with_their_source() -> None:
    own = own_scripts()["ircase-get-folder.ps1"]
    assert (len(own.sha256), own.content[:2]) == (64, b"<#")
    assert "-MaxFiles" in own.parameters
    assert own.content.isascii()
    other = third_party()["dfir-script.ps1"]
    assert (other.source, other.commit) == ("https://github.com/Bert-JanP/Incident-Response-Powershell", "bc97ec9")


def test_what_is_sent_is_what_the_steps_say() -> None:
    made = plan()
    values = made.clean({"Path": "C:\\Data\\", "Deep": "yes", "Label": "x y"})
    assert values == {"Path": "C:\\Data\\", "Days": 2, "Mode": "Quick", "Deep": True, "Label": "x y"}
    sent = made.preview(values, machine="m1")
    assert [one.path for one in sent] == ["/api/machines/m1/runliveresponse"] * 3
    assert sent[1].body["Commands"][0]["params"][1]["value"] == (
        '-Path "C:\\Data\\\\" -Days 2 -Mode Quick -Deep -Label "x y"'
    ), "the last backslash must not escape the quote"
    assert [made.steps[n].command({**made.placed(values), "zip": "C:\\a.zip"}) for n in (0, 2)] == [
        PutFile("tool.exe"), GetFile("C:\\a.zip")
    ]  # fmt: skip
    assert made.files == ("tool.exe", "Own.ps1")
    assert "{zip}" in json.dumps(dict(sent[2].body))


def test_a_package_is_sent_as_such() -> None:
    made = plan(parameters=[], steps=steps({"package": True, "output": True}), approval="none")
    assert [one.path for one in made.preview({}, machine="m")] == ["/api/machines/m/collectInvestigationPackage"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Folder is needed"),
        ({"Path": "C:\\x; del"}, "must not hold ;"),
        ({"Path": "C:\\$x"}, "must not hold"),
        ({"Path": 'C:\\"x'}, "double quotes"),
        ({"Path": "C:\\\u201dx"}, "double quotes"),
        ({"Path": "C:\\`x"}, "backticks"),
        ({"Path": "C:\\x\ny"}, "one line"),
        ({"Path": "C:\\x", "Days": 10}, "from 1 to 9"),
        ({"Path": "C:\\x", "Days": "two"}, "whole number"),
        ({"Path": "C:\\x", "Mode": "Slow"}, "one of Quick, Full"),
        ({"Path": "C:\\x", "Deep": "perhaps"}, "yes or no"),
        ({"Path": "C:\\x", "Label": "x" * 11}, "longer than 10"),
        ({"Path": "C:\\x", "Label": "a & b"}, "Label must not hold &"),
        ({"Path": "C:\\x", "Other": 1}, "no parameter Other"),
    ],
)
def test_values_that_do_not_fit_are_refused_in_words(given: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        plan().clean(given)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20))
def test_no_value_leaves_its_quotes(path: str, label: str) -> None:
    """Whatever a person types: either it is refused, or every argument is still one argument."""
    made = plan()
    try:
        values = made.clean({"Path": path, "Label": label})
        command = made.steps[1].command(made.placed(values))
    except (ParameterError, InvalidParameter):
        return
    assert isinstance(command, RunScript)
    assert command.args.count('"') == 4
    assert not set(command.args) & set(";&|!$`\u201c\u201d\u201e")
    before = command.args.split('" -Days')[0]
    assert (len(before) - len(before.rstrip("\\"))) % 2 == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"approval": "none"}, "needs approval: script or person"),
        ({"approval": "maybe"}, "approval"),
        ({"steps": []}, "steps"),
        ({"steps": steps({"get_file": "C:\\x"})}, "give it `output: true`"),
        ({"steps": steps({"get_file": "{Nowhere}", "output": True})}, "which nothing before it gives"),
        ({"steps": steps({"get_file": "C:\\a;b", "output": True})}, "Live Response refuses"),
        ({"steps": steps({"get_file": "C:\\x", "run_script": "a.ps1", "output": True})}, "exactly one of"),
        ({"steps": steps({"run_script": "a.ps1", "output": True})}, "output is `printed`"),
        ({"steps": steps({"run_script": "a.ps1", "output": "printed"})}, "belong together"),
        ({"steps": steps({"get_file": "C:\\x", "output": "printed", "table": "T1"})}, "Only a script prints"),
        ({"steps": steps({"run_script": "../a.ps1", "output": "printed", "table": "T1"})}, "run_script"),
        ({"steps": steps({"run_script": "a.ps1", "args": "-P {Path}", "output": "printed", "table": "T1"})},
         "must stand in double quotes"),
        ({"steps": steps({"get_file": "C:\\a", "output": True}, {"get_file": "C:\\b", "output": True})},
         "Only the last step"),
        ({"steps": [*content()["steps"][:2], {**content()["steps"][2], "key": "run"}]}, "stands there twice"),
        ({"parameters": [{"name": "A", "type": "int", "title": "x"}]}, "parameters"),
        ({"parameters": [{"name": "Ab", "type": "choice", "title": "x"}]}, "needs its `choices`"),
        ({"parameters": [{"name": "Ab", "type": "int", "title": "x", "default": 0, "minimum": 1}]}, "does not fit"),
        ({"parameters": [{"name": "Ab", "type": "bool", "title": "x", "if_yes": "a;b"}]}, "must not hold ;"),
        ({"platforms": ["Amiga"]}, "platforms"),
        ({"extra": 1}, "extra"),
        ({"source": "javascript:alert(1)"}, "source"),
        ({"time_limit": "0h"}, "time_limit"),
    ],
)  # fmt: skip
def test_what_a_definition_must_not_be_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in fault(**changes)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "no regular expression"),
        ("Written to (.+)", "group named path"),
        ("(?P<path>.+)", "four plain characters"),
        ("Written (?P<path>(a+)+)x", "repeats a group"),
        ("Written (?P<path>a+b+c+)", "more than 2 repeats"),
        (r"Written (?P<path>.+) \1", "refers back"),
        ("Written (?=x)(?P<path>.+)", "group of a kind"),
    ],
)
def test_patterns_that_could_run_for_ever_are_refused(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=said):
        compiled(pattern)


def test_the_last_path_is_taken_and_long_lines_are_cut() -> None:
    pattern = compiled(FIND)
    text = "Written to C:\\a.zip\r\nnoise\nWritten to C:\\b.zip  \r\n" + "Written to " + "x" * 100_000 + ".zip\n"
    assert last_path(pattern, text) == "C:\\b.zip"
    assert last_path(pattern, "nothing") == ""


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="Writen to.zp \\C:\r\n\x00\u2028", max_size=3000))
def test_no_transcript_breaks_the_search(text: str) -> None:
    found = last_path(compiled(FIND), text)
    assert found == found.strip()


def test_platforms_as_defender_writes_them() -> None:
    names = ("Windows11", "WindowsServer2022", "Ubuntu", "Linux", "macOS", "iOS", "")
    assert [platform_of(name) for name in names] == ["Windows", "Windows", "Linux", "Linux", "macOS", "", ""]


# --- YAML from outside


def test_an_export_is_read_again_as_it_was() -> None:
    for each in (plan(), *definitions().values()):
        assert parse_yaml(to_yaml(each.content)) == dict(each.content)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: 1\na: 2", "stands there twice"),
        ("1: x", "keys must be words"),
        ("- a", "no definition"),
        ("a: " + "[" * 50 + "]" * 50, "nested deeper"),
        ("a: " + "[" * 20_000, "nested deeper"),
        ("a: !!python/object/apply:os.system ['true']", "not readable YAML"),
        ("x" * 200_000, "no longer than"),
        ('a: "\\0"', "NUL"),
        ("a: [", "not readable YAML"),
        ("{a: 1}: 2", "keys must be words"),
    ],
)
def test_hostile_yaml_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        parse_yaml(text)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
def test_any_bytes_are_a_definition_or_refused(text: str | bytes) -> None:
    try:
        definition_from(parse_yaml(text))
    except CatalogueError as error:
        assert str(error)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(content())), _VALUES)
def test_any_value_in_any_place_is_taken_or_refused(key: str, value: Any) -> None:
    try:
        made = definition_from({**content(), key: value})
    except DefinitionError as error:
        assert error.faults
        return
    assert yaml.safe_load(to_yaml(made.content))[key] == value


# --- what a script printed


def test_printed_rows_are_found_in_a_noisy_transcript() -> None:
    text = f"Transcript started\n{BEGIN}\n" + '[{"Name": "a\nb"}, 7]' + f"\n{END}\nbye"
    printed = read_printed(text, "T")
    # JSON writes a line end within a text as \\n: a bare one is where the console wrapped the line.
    assert dict(printed.tables) == {"T": [{"Name": "ab"}, {"Value": 7}]}


def test_json_that_a_console_wrapped_is_joined() -> None:
    printed = read_printed(f'{BEGIN}\r\n[{{"Na\r\nme": tr\r\nue}}]\r\n{END}', "T")
    assert dict(printed.tables) == {"T": [{"Name": True}]}


def test_several_tables_and_errors(tmp_path: Any) -> None:
    document = {"tables": {"One": [{"a": 1}], "Two": [], "bad name": [1]}, "errors": ["WMI failed"]}
    printed = read_printed(f"{BEGIN}\n{json.dumps(document)}\n{END}", "T")
    assert (set(printed.tables), printed.row_count) == ({"One", "Two"}, 1)
    assert printed.problems[0] == "WMI failed" and "'bad name'" in printed.problems[1]
    assert write_printed(printed, tmp_path).name == "tables.zip"


def test_what_was_printed_before_it_breaks_off_is_kept_and_said() -> None:
    printed = read_printed(f'{BEGIN}\n[{{"Name": 1}}, {{"Na', "T")
    assert dict(printed.tables) == {"T": [{"Name": 1}]}
    assert "breaks off" in printed.problems[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", "no line"),
        (f"{BEGIN}\n[1", "no JSON"),
        (f"{BEGIN}\n[1\n{END}", "no JSON"),
        (f"{BEGIN}\n7\n{END}", "neither"),
        (f"{BEGIN}\n{'[' * 100_000}\n{END}", "no JSON"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(PrintedError, match=said):
        read_printed(text, "T")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_between_the_lines_is_rows_or_named(text: str) -> None:
    try:
        printed = read_printed(f"{BEGIN}\n{text}\n{END}", "T")
    except PrintedError as error:
        assert str(error)
        return
    assert all(isinstance(row, dict) for rows in printed.tables.values() for row in rows)
