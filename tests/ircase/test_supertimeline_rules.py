"""What an event is: the mappings by hand-computed examples, and rows that mean harm."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ircase import attack
from ircase.supertimeline import reading, rules, store
from ircase.supertimeline.model import Asked, Place, TimelineError, TimelineEvent
from kql.catalogue import TABLES
from kql.parquet import write_parquet
from kql.types import Column

EVENT = {"Timestamp": "datetime", "ActionType": "string", "DeviceName": "string", "FileName": "string"}


def view_of(folder: Path, name: str, columns: dict[str, Any], rows: Sequence[dict[str, Any]]) -> reading.View:
    """A store of one table."""
    folder.mkdir(parents=True, exist_ok=True)
    source, out = folder / "rows.ndjson", folder / f"{uuid.uuid4()}.parquet"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    typed = [Column(column, kind) for column, kind in columns.items()]
    write_parquet(source, typed, out)
    rule = rules.load().of(name, typed)
    assert rule is not None
    wanted = store.Wanted(str(uuid.uuid4()), out, tuple(typed), rule)
    found = list(store.build(store.read(folder / "store"), [wanted], folder / "spill"))
    assert [problem for _, _, problem in found] == [""]
    return reading.View(store.read(folder / "store"), {wanted.uuid: name})


def events(tmp_path: Path, name: str, columns: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[TimelineEvent]:
    return reading.page(view_of(tmp_path, name, columns, rows), Asked())


def test_every_mapping_is_sound() -> None:
    known = rules.load()
    for name, rule in known.tables.items():
        assert all(one in attack.techniques() for part in rule.techniques for one in part.add), name
        if name in TABLES:
            columns = {column.name: column.type for column in TABLES[name]}
            assert any(columns.get(column) == "datetime" for times, _ in rule.times for column in times.split("|")), (
                name
            )
            assert any(hole in columns for piece in rule.message for one in rules.HOLE.findall(piece)
                       for hole in one.split("|")), name  # fmt: skip


def test_a_mapping_that_breaks_the_rules_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tables: {T: {times: {A: x}, message: [a], colour: red}}")
    with pytest.raises(rules.RuleError, match=r"a.yaml T: unknown key 'colour'"):
        rules.load(tmp_path)


def test_pieces_without_a_value_are_left_out(tmp_path: Path) -> None:
    columns = {**EVENT, "ProcessCommandLine": "string", "AccountName": "string", "InitiatingProcessFileName": "string"}
    row = {"Timestamp": "2026-11-20T10:00:00.5Z", "ActionType": "ProcessCreated", "FileName": "CMD.exe"}
    (found,) = events(tmp_path, "DeviceProcessEvents", columns, [row | {"InitiatingProcessFileName": "explorer.exe"}])
    assert found.message == "ProcessCreated CMD.exe by explorer.exe"
    assert found.at == datetime(2026, 11, 20, 10, 0, 0, 500_000, UTC)
    assert found.techniques == ("T1059.003",) and found.device == found.account == "" and found.row == 1


def test_techniques_by_what_a_column_holds(tmp_path: Path) -> None:
    columns = {"Timestamp": "datetime", "ActionType": "string", "RegistryKey": "string"}
    key = r"HKEY_CURRENT_USER\SOFTWARE\Microsoft\Windows\CurrentVersion\RUN"
    rows = [
        {"Timestamp": "2026-11-20T10:00:00Z", "ActionType": "RegistryValueSet", "RegistryKey": one}
        for one in (key, "x")
    ]
    found = events(tmp_path, "DeviceRegistryEvents", columns, rows)
    assert [one.techniques for one in found] == [("T1547.001",), ()]


@pytest.mark.parametrize(
    ("source", "number", "techniques"),
    [
        ("Microsoft-Windows-Eventlog", 104, ("T1070.001",)),
        ("Microsoft-Windows-TaskScheduler", 104, ()),
        ("ESENT", 104, ()),
        ("Service Control Manager", 7045, ("T1543.003",)),
        ("Other", 7045, ()),
        ("Microsoft-Windows-PowerShell", 4104, ("T1059.001",)),
        ("PowerShellCore", 4104, ("T1059.001",)),
        ("MSDTC Client 2", 4104, ()),
    ],
)
def test_an_event_number_is_one_of_its_source(
    tmp_path: Path, source: str, number: int, techniques: tuple[str, ...]
) -> None:
    columns = {"TimeGenerated": "datetime", "Computer": "string", "Source": "string", "EventID": "int"}
    row = {"TimeGenerated": "2026-11-20T10:00:00Z", "Computer": "ws-01", "Source": source, "EventID": number}
    (found,) = events(tmp_path, "Event", columns, [row])
    assert found.techniques == techniques


def test_techniques_that_the_row_names(tmp_path: Path) -> None:
    columns = {"Timestamp": "datetime", "Title": "string", "AttackTechniques": "string"}
    said = '["PowerShell (T1059.001)", "LSASS Memory (T1003.001)"]'
    rows = [{"Timestamp": "2026-11-20T10:00:00Z", "Title": "Credential theft", "AttackTechniques": said}]
    (found,) = events(tmp_path, "AlertInfo", columns, rows)
    assert found.techniques == ("T1003.001", "T1059.001") and found.message == "Alert: Credential theft"


def test_the_techniques_of_a_hunt_are_those_of_its_rows() -> None:
    rule = rules.load().of("Hunt_x", [Column("Timestamp", "datetime")], ["T1105"])
    assert rule is not None and rule.always == ("T1105",) and rule.guessed


def test_a_row_with_several_times_is_several_events(tmp_path: Path) -> None:
    columns = {"Name": "string", "Created": "datetime", "LastAccessTime": "datetime", "Size": "long"}
    row = {"Name": "a.txt", "Created": "2026-11-01T00:00:00Z", "LastAccessTime": "2026-11-02T00:00:00Z", "Size": 7}
    found = events(tmp_path, "Files", columns, [row])
    assert [(one.what_time, one.message) for one in found] == [
        ("Created", "a.txt Size: 7"), ("Last access time", "a.txt Size: 7"),
    ]  # fmt: skip
    same = row | {"LastAccessTime": row["Created"]}
    assert len(events(tmp_path / "2", "Files", columns, [same])) == 1, "the row's first time once more is no event"


def test_zeros_and_nevers_are_no_times(tmp_path: Path) -> None:
    columns = {"Timestamp": "datetime", "Name": "string"}
    times = ["1601-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", None]
    rows = [{"Timestamp": one, "Name": "x"} for one in [*times, "2026-11-20T10:00:00Z"]]
    view = view_of(tmp_path, "T", columns, rows)
    assert [one.row for one in reading.page(view, Asked())] == [6]
    assert view.parts[0].unusable == 4, "null is no time at all"


def test_a_timeline_of_another_tool_is_known_by_its_columns(tmp_path: Path) -> None:
    columns = {"message": "string", "datetime": "datetime", "timestamp_desc": "string", "hostname": "string"}
    row = {"message": "File x", "datetime": "2026-11-20T10:00:00Z", "timestamp_desc": "Content Modification Time"}
    (found,) = events(tmp_path, "plaso", columns, [row | {"hostname": "WS-9"}])
    assert (found.message, found.what_time, found.device) == ("File x", "Content Modification Time", "ws-9")


def test_no_time_no_rule() -> None:
    assert rules.load().of("T", [Column("Name", "string")]) is None


def test_the_digest_changes_with_the_rule() -> None:
    known, columns = rules.load(), [Column("Timestamp", "datetime"), Column("Name", "string")]
    one, other = known.of("T", columns), known.of("T", columns, ["T1105"])
    assert one is not None and other is not None and one.digest() != other.digest()
    assert one.digest() == known.of("T", columns).digest()  # type: ignore[union-attr]


def test_walking_by_place_meets_every_event_once(tmp_path: Path) -> None:
    rows = [{"Timestamp": f"2026-11-20T10:00:{n // 7:02d}Z", "ActionType": f"a{n}"} for n in range(50)]
    view, seen, place = view_of(tmp_path, "DeviceEvents", EVENT, rows), [], None
    while found := reading.page(view, Asked(), after=place, limit=7):
        seen += found
        place = found[-1].place
    assert [one.row for one in seen] == list(range(1, 51))
    back = reading.page(view, Asked(), before=seen[20].place, limit=7)
    assert back == seen[13:20]
    filtered = reading.page(view, Asked(words=("a4",)), after=seen[3].place)
    assert [one.row for one in filtered] == [5, *range(41, 51)]
    assert list(reading.stream(view, Asked())) == seen


def test_counts_by_hand(tmp_path: Path) -> None:
    rows = [{"Timestamp": f"2026-11-20T{h:02d}:00:00Z", "ActionType": "a"} for h in (0, 0, 6, 23)]
    counts = reading.counts(view_of(tmp_path, "DeviceEvents", EVENT, rows), Asked())
    assert counts.total == 4 and counts.step == 900 * 1_000_000
    assert {place: n for place, n in enumerate(counts.bins) if n} == {0: 2, 24: 1, 92: 1}


@pytest.mark.parametrize("text", ["1", "a.b.c.d", "1.2.3.4.5", "99999999999999999999.1.1.1", "1.-1.1.1", "1.1.1.1e3"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TimelineError):
        Place.read(text)


HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "\x00",
        "\x1b[31m",
        "‮evil",
        "'; DROP TABLE x; --",
        "{FileName}",
        "A" * 100_000,
        "\r\n\r\n",
        "%s%n",
        " ",
        "T1059.001",
    ]
)
TIMES = st.none() | st.sampled_from(["", "never", "2026-13-45T00:00:00Z", "0000-00-00", "infinity"]) | st.datetimes(
    min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)
).map(lambda at: at.isoformat() + "Z")  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries({"Timestamp": TIMES, "Other": TIMES, "ActionType": HOSTILE, "DeviceName": HOSTILE}),
        max_size=12,
    )
)
def test_no_row_stops_the_building(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    columns = {"Timestamp": "datetime", "Other": "datetime", "ActionType": "string", "DeviceName": "string"}
    folder = tmp_path / uuid.uuid4().hex
    clean = json.loads(json.dumps(rows).encode("utf-8", "replace"))
    view = view_of(folder, "Odd", columns, clean)
    found = list(reading.stream(view, Asked()))
    assert [one.place for one in found] == sorted(
        (one.place for one in found), key=lambda p: (p.at, p.part, p.row, p.nth)
    )
    for one in found:
        assert 0 < one.row <= len(rows) and 1970 <= one.at.year < 2200
        assert one.message and len(one.message) <= 1_000 and len(one.device) <= 200
        assert not any(ord(letter) < 32 or letter in "‮‭⁦" for letter in one.message + one.device)
    if found:
        word = found[0].message.split()[0] if found[0].message.split() else ""
        if word and len(word) < 300:
            assert found[0] in reading.page(view, Asked(words=(word,)))
    reading.forget()


def test_the_local_clock_of_a_device_is_said(tmp_path: Path) -> None:
    columns = {"Name": "string", "Enabled": "bool", "LastLogon": "string", "LastLogon_Local": "datetime"}
    row = {
        "Name": "Admin",
        "Enabled": True,
        "LastLogon": "20/11/2026 10:00:00",
        "LastLogon_Local": "2026-11-20T10:00:00Z",
    }
    (found,) = events(tmp_path, "DFIR_LocalUsers", columns, [row])
    assert (found.what_time, found.message) == ("Last logon (local clock)", "Local user Admin enabled true")
    assert found.account == "admin"
