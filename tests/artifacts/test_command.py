"""``manage.py kql``."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.artifacts.conftest import DATA, RUN_KEYS, needs_data
from tests.artifacts.test_real_data import RUN_KEY_HUNT


def kql(*args: str | Path, **options: object) -> tuple[str, str]:
    out, errors = io.StringIO(), io.StringIO()
    call_command("kql", *map(str, args), stdout=out, stderr=errors, **options)
    return out.getvalue(), errors.getvalue()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "People.json"
    path.write_text(
        '{"Name": "=cmd|x", "Age": -7, "Born": "2001-02-03T04:05:06Z", "Tags": {"a": [1]}}\n'
        '{"Name": "O\\u001b[31m\\"Neil", "Age": 40}\n{"Name": "-3.5", "Age": 41}\n'
    )
    return path


@needs_data
def test_the_truth_is_found_from_the_command_line() -> None:
    out, _ = kql(RUN_KEY_HUNT, "--data", DATA / RUN_KEYS, "--now", "2020-09-04T12:00:00Z", "--format", "ndjson")
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["RegistryValueName"] == "Updater" and first["Timestamp"] == "2020-09-04T07:06:21.3110000Z"
    assert first["InitiatingProcessFileName"] == "powershell.exe"
    assert second["InitiatingProcessFileName"] == "msmpeng.exe"


def test_json_is_one_array(people: Path) -> None:
    out, _ = kql("People | sort by Age asc", "--data", people, "--format", "json")
    first = json.loads(out)[0]
    assert first == {"Name": "=cmd|x", "Age": -7, "Born": "2001-02-03T04:05:06.0000000Z", "Tags": {"a": [1]}}
    assert json.loads(kql("People | where Age == 0", "--data", people, "--format", "json")[0]) == []


def test_csv_cells_are_safe_in_a_spreadsheet(people: Path) -> None:
    out, _ = kql("People | sort by Age asc | project Name, Age, Tags", "--data", people, "--format", "csv")
    assert list(csv.reader(io.StringIO(out))) == [
        ["Name", "Age", "Tags"],
        ["'=cmd|x", "-7", '{"a": [1]}'],
        ['O\x1b[31m"Neil', "40", ""],
        ["-3.5", "41", ""],
    ]


def test_the_table_clips_and_shows_no_control_characters(people: Path) -> None:
    out, _ = kql('People | where Age == 40 | project Name, Long = strrep("x", 80)', "--data", people)
    head, rule, row = out.splitlines()
    assert head.split() == ["Name", "Long"] and set(rule) == {"-", " "}
    assert "\x1b" not in row and row.endswith("x…") and "O\ufffd[31m" in row


def test_a_query_from_a_file_and_a_given_moment(people: Path, tmp_path: Path) -> None:
    file = tmp_path / "q.kql"
    file.write_text("\ufeffPeople | take 1 | project Now = now()", encoding="utf-8")
    out, _ = kql("--file", file, "--data", people, "--now", "2020-01-01T02:00:00+02:00", "--format", "ndjson")
    assert json.loads(out) == {"Now": "2020-01-01T00:00:00.0000000Z"}


def test_a_cut_result_says_so(people: Path) -> None:
    out, errors = kql("People", "--data", people, "--format", "ndjson", "--rows", "2")
    assert len(out.splitlines()) == 2 and "cut at 2 rows" in errors


def test_a_known_table_without_rows_is_empty_and_said(people: Path) -> None:
    out, errors = kql("DeviceProcessEvents | count", "--data", people, "--format", "ndjson")
    assert json.loads(out) == {"Count": 0} and "DeviceProcessEvents: no rows of it in the data" in errors


def test_second_views_are_there_by_name_only(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text('{"EventID": 1, "Channel": "System", "Hostname": "h", "@timestamp": "2021-01-01T00:00:00Z"}')
    assert json.loads(kql("WindowsEvent | count", "--data", path, "--format", "ndjson")[0]) == {"Count": 1}
    assert json.loads(kql("union * | count", "--data", path, "--format", "ndjson")[0]) == {"Count": 1}


def test_what_cannot_be_read_is_said_and_the_rest_is_queried(people: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.evtx").write_text("no event log")
    out, errors = kql("People | count", "--data", people, tmp_path / "bad.evtx", "--format", "ndjson")
    assert json.loads(out) == {"Count": 3} and "bad.evtx" in errors and "[evtx.header]" in errors


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["People | wher x"], "line 1, column", 2),
        (["Peple | count"], "(?s)no table Peple.*The data holds: People", 2),
        (["People | where Nme == 1"], "Nme", 2),
        (["People", "--now", "yesterday"], "ISO 8601", 1),
        ([], "give the query", 1),
        (["People", "--file", "/nowhere.kql"], "one of the two", 1),
    ],
)
def test_errors_say_where_and_what_to_do(people: Path, arguments: list[str], message: str, status: int) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        kql(*arguments, "--data", people)
    assert caught.value.returncode == status


def test_data_that_is_not_there_or_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such file"):
        kql("x", "--data", tmp_path / "nothing")
    (tmp_path / "a.txt").write_text("prose")
    with pytest.raises(CommandError, match="no table"):
        kql("x", "--data", tmp_path / "a.txt")
