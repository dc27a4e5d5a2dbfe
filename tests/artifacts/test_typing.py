"""Types guessed from texts, corrected by people, and times placed in the zone where the clock stood."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import LoadReport, load
from artifacts.choices import TYPES, Choice, ColumnChoice, Dialect
from artifacts.fitting import BadZone, Fitting, LocalTimes, Misfit
from artifacts.guessing import TextGuess, culture_moment
from artifacts.process import load_in_child
from artifacts.shapes import Shape


def guessed(*values: str) -> Any:
    guess = TextGuess()
    for value in values:
        guess.see(value)
    return guess.result()


def read(folder: Path, content: bytes | str, name: str = "log.csv", **more: Any) -> LoadReport:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load([path], folder / "out", survey=True, **more)


def rows(report: LoadReport, table: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"SELECT * FROM '{report.table(table).path}'").fetchall()


def types(report: LoadReport, table: str) -> dict[str, str]:
    return {column.name: column.type for column in report.table(table).columns}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "-20", "0"), "long"),
        (("007", "12"), "string"),
        (("+1",), "string"),
        (("9223372036854775808",), "string"),
        (("1", "2.5", "1e3"), "real"),
        (("1.1.1.1",), "string"),
        (("true", "False"), "bool"),
        (("1", "true"), "string"),
        (("8b1b3b8e-8d2c-4c6e-9f0a-0123456789ab",), "guid"),
        (("1.02:03:04.5", "00:00:01"), "timespan"),
        (("2026-11-20T10:00:00Z", "2026-11-20 10:00:00.5+01:00"), "datetime"),
        (("2026-11-20T10:00:00Z", "2026-11-20T10:00:00"), "string"),
        (("1", "x"), "string"),
        (("١",), "string"),
        ((), "string"),
    ],
)
def test_a_type_is_what_every_value_can_be(values: tuple[str, ...], kind: str) -> None:
    assert guessed(*values).type == kind


def test_times_without_a_zone_are_texts_that_ask_for_one() -> None:
    found = guessed("2026-11-20 10:00:00", "2026-11-20")
    assert (found.type, found.naive, found.orders) == ("string", True, ())


@pytest.mark.parametrize(
    ("values", "orders"),
    [
        (("03/04/2026 10:00",), ("mdy", "dmy")),
        (("03/04/2026", "13/04/2026"), ("dmy",)),
        (("03/04/2026 1:00:00 PM", "03/14/2026 1:00:00 AM"), ("mdy",)),
        (("2026/11/20 10:00:00",), ("ymd",)),
    ],
)
def test_the_order_of_day_and_month_is_asked_where_the_values_leave_it_open(
    values: tuple[str, ...], orders: tuple[str, ...]
) -> None:
    found = guessed(*values)
    assert (found.type, found.naive, found.orders) == ("string", True, orders)


def test_twelve_at_night_and_at_noon() -> None:
    noon, night = culture_moment("1/2/2026 12:05 PM", "mdy"), culture_moment("1/2/2026 12:05 AM", "mdy")
    assert noon is not None and night is not None
    assert (noon.hour, night.hour, noon.month) == (12, 0, 1)
    assert culture_moment("1/2/26 12:05", "mdy") is None


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-15 12:00:00", "2026-01-15T11:00:00.0000000Z"),
        ("2026-07-15 12:00:00.1234567", "2026-07-15T10:00:00.1234567Z"),
        ("2026-07-15", "2026-07-14T22:00:00.0000000Z"),
        ("2026-07-15T12:00:00+09:00", "2026-07-15T03:00:00.0000000Z"),
        ("2026-07-15T12:00Z", "2026-07-15T12:00:00.0000000Z"),
        ("15/07/2026 12:00:01 PM", "2026-07-15T10:00:01.0000000Z"),
        ("1784116800", "2026-07-15T12:00:00.0000000Z"),
        ("1784116800250", "2026-07-15T12:00:00.2500000Z"),
    ],
)
def test_times_of_berlin_in_utc(text: str, utc: str) -> None:
    assert LocalTimes("Europe/Berlin", "dmy").utc(text) == utc


def test_an_hour_that_never_was_fits_nothing_and_one_that_was_twice_is_taken_early() -> None:
    times = LocalTimes("Europe/Berlin", None)
    with pytest.raises(Misfit):
        times.utc("2026-03-29 02:30:00")
    assert times.utc("2026-10-25 02:30:00") == "2026-10-25T00:30:00.0000000Z"
    assert times.folded
    assert times.utc("2026-10-25 03:30:00") == "2026-10-25T02:30:00.0000000Z"
    assert not times.folded


def test_no_zone_is_never_taken_for_utc() -> None:
    with pytest.raises(Misfit):
        LocalTimes("", None).utc("2026-07-15 12:00:00")
    with pytest.raises(BadZone):
        LocalTimes("../etc/passwd", None)


@given(
    st.datetimes().filter(lambda moment: 1900 < moment.year < 2100),
    st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Kolkata"]),
)
def test_what_was_placed_shows_the_same_wall_clock_again(moment: datetime, zone: str) -> None:
    times = LocalTimes(zone, None)
    try:
        placed = times.utc(moment.isoformat(sep=" ", timespec="microseconds"))
    except Misfit:
        return  # a gap
    back = datetime.fromisoformat(placed[:26] + "+00:00").astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert back == moment.replace(fold=0)


CSV = "When;Host;Count;Id\n2026-07-15 12:00:00;ws-1;5;007\n2026-07-15 12:00:01;ws-2;n/a;008\n"
COLUMNS = (
    ColumnChoice("When", "When", "datetime"),
    ColumnChoice("Host", "DeviceName", "string"),
    ColumnChoice("Count", "Count", "int"),
    ColumnChoice("Id", "Id", "string", keep=False),
)


def choice(**more: Any) -> Choice:
    values: dict[str, Any] = {"member": "log.csv", "table": "Firewall", "columns": COLUMNS, "zone": "Europe/Berlin"}
    return Choice(**{**values, **more})


def test_the_first_reading_guesses_and_says_what_it_found(tmp_path: Path) -> None:
    report = read(tmp_path, CSV)
    assert types(report, "log") == {"When": "string", "Host": "string", "Count": "string", "Id": "string"}
    (shape,) = report.shapes
    assert (shape.member, shape.kind, shape.table, shape.rows) == ("log.csv", "csv", "log", 2)
    assert (shape.dialect.delimiter, shape.dialect.encoding, shape.dialect.header) == (";", "utf-8", True)
    assert [column.source for column in shape.columns if column.naive] == ["When"]
    assert shape.sample[0] == ("2026-07-15 12:00:00", "ws-1", "5", "007")
    assert shape.asks_zone
    assert Shape.from_json(json.loads(json.dumps(shape.to_json()))) == shape


def test_guessed_types_are_the_tables_types(tmp_path: Path) -> None:
    report = read(tmp_path, "a,b,c\n1,2.5,2026-07-15T12:00:00Z\n2,3,2026-07-15T13:00:00Z\n")
    assert types(report, "log") == {"a": "long", "b": "real", "c": "datetime"}
    assert [row[:2] for row in rows(report, "log")] == [(1, 2.5), (2, 3.0)]


def test_without_a_survey_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    report = load([tmp_path / "log.csv"], tmp_path / "out")
    assert types(report, "log") == {"a": "string", "b": "string"}
    assert report.shapes == ()


def test_what_a_person_chose_is_done_and_what_does_not_fit_is_kept_as_text(tmp_path: Path) -> None:
    report = read(tmp_path, CSV, choices=[choice(time_column="When")])
    assert types(report, "Firewall") == {
        "Timestamp": "datetime", "When": "datetime", "DeviceName": "string", "Count": "int", "Count_text": "string",
    }  # fmt: skip
    table = report.table("Firewall")
    assert table.first_time == "2026-07-15T10:00:00Z"
    found = duckdb.sql(f"""SELECT DeviceName, Count, Count_text, "When"::VARCHAR FROM '{table.path}'""").fetchall()
    assert found == [("ws-1", 5, "", "2026-07-15 10:00:00"), ("ws-2", None, "n/a", "2026-07-15 10:00:01")]
    assert [(p.code, p.member) for p in report.problems] == [("typed.misfit", "log.csv")]
    assert report.problems[0].message.startswith("1 value of Count cannot be read as int:")


def test_gaps_and_folds_are_counted_and_their_text_is_kept(tmp_path: Path) -> None:
    content = "When;Host\n2026-03-29 02:30:00;a\n2026-10-25 02:30:00;b\n2026-10-25 12:00:00;c\n"
    report = read(tmp_path, content, choices=[choice(columns=COLUMNS[:2])])
    assert sorted(p.code for p in report.problems) == ["typed.fold", "typed.gap"]
    found = duckdb.sql(
        f"""SELECT DeviceName, "When"::VARCHAR, When_text FROM '{report.table("Firewall").path}' ORDER BY 1"""
    ).fetchall()
    assert found == [
        ("a", None, "2026-03-29 02:30:00"),
        ("b", "2026-10-25 00:30:00", "2026-10-25 02:30:00"),
        ("c", "2026-10-25 11:00:00", ""),
    ]


def test_a_layout_is_done(tmp_path: Path) -> None:
    content = "made by a tool\n'a;b';1\n'c';2\n".encode("cp1252")
    dialect = Dialect(";", "'", "cp1252", header=False, skip=1)
    report = read(tmp_path, content, choices=[Choice("log.csv", dialect=dialect)])
    assert rows(report, "log") == [("a;b", 1), ("c", 2)]
    assert report.shapes[0].dialect == dialect


def test_rows_of_a_microsoft_table_take_the_chosen_zone(tmp_path: Path) -> None:
    content = "Timestamp,DeviceName,ActionType\n2026-07-15 12:00:00,ws-1,LogonSuccess\n"
    columns = tuple(
        ColumnChoice(n, n, t)
        for n, t in (("Timestamp", "datetime"), ("DeviceName", "string"), ("ActionType", "string"))
    )  # type: ignore[arg-type]
    first = read(tmp_path, content, "DeviceLogonEvents.csv")
    assert first.shapes[0].asks_zone
    assert first.shapes[0].known == ("DeviceLogonEvents",)
    chosen = Choice("DeviceLogonEvents.csv", "DeviceLogonEvents", columns=columns, zone="Asia/Tokyo")
    report = read(tmp_path, content, "DeviceLogonEvents.csv", choices=[chosen])
    assert report.table("DeviceLogonEvents").first_time == "2026-07-15T03:00:00Z"


def test_json_keeps_its_own_types_and_its_texts(tmp_path: Path) -> None:
    content = (
        '{"n": 1, "t": "007", "at": "2026-07-15 12:00:00", "d": {"a": 1}}\n{"n": 2, "t": "12", "at": "2026-07-15"}\n'
    )
    report = read(tmp_path, content, "x.ndjson")
    assert types(report, "x") == {"n": "long", "t": "string", "at": "string", "d": "dynamic"}
    assert [(c.source, c.type, c.naive) for c in report.shapes[0].columns] == [
        ("n", "long", False), ("t", "string", False), ("at", "string", True), ("d", "dynamic", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("long", "9223372036854775807", 9223372036854775807), ("int", "2147483647", 2147483647),
        ("real", "1e3", 1000.0),
        ("decimal", "1.10", "1.10"), ("bool", "Yes", True), ("guid", "{8B1B3B8E-8D2C-4C6E-9F0A-0123456789AB}",
        "8b1b3b8e-8d2c-4c6e-9f0a-0123456789ab"), ("timespan", "1.02:03:04", "1.02:03:04"), ("dynamic", '{"a": [1]}',
        {"a": [1]}), ("string", 5, "5"), ("datetime", "2026-07-15 12:00", "2026-07-15T10:00:00.0000000Z"),
    ],
)  # fmt: skip
def test_each_type_takes_what_it_can_hold(kind: Any, value: Any, kept: Any) -> None:
    fitting = Fitting(choice(columns=(ColumnChoice("x", "x", kind),)))
    assert fitting.fit({"x": value}) == {"x": kept}
    assert list(fitting.problems()) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("long", "9223372036854775808"), ("int", "2147483648"), ("long", "1_000"), ("real", "nan"), ("real", "1_0"),
        ("decimal", "1e30"), ("decimal", "0.1234567890123456"), ("bool", "maybe"), ("guid", "x"), ("timespan", "1 h"),
        ("dynamic", "{"), ("datetime", "yesterday"), ("datetime", "2026-02-30"),
    ],
)  # fmt: skip
def test_what_does_not_fit_stands_beside_as_text(kind: Any, value: str) -> None:
    fitting = Fitting(choice(columns=(ColumnChoice("x", "x", kind), ColumnChoice("y", "x_text", "string"))))
    assert fitting.fit({"x": value}) == {"x_text_2": value}
    assert [code for code, _ in fitting.problems()] == ["typed.misfit"]


@given(st.text(), st.sampled_from([kind for kind in TYPES if kind != "string"]))
def test_no_text_is_lost_and_none_breaks_the_reading(text: str, kind: Any) -> None:
    fitting = Fitting(choice(columns=(ColumnChoice("x", "x", kind),)))
    out = fitting.fit({"x": text})
    assert out == {} if not text else "x" in out or out["x_text"] == text


def test_in_a_child_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV)
    report = load_in_child([path], tmp_path / "out", survey=True, choices=[choice()])
    assert types(report, "Firewall")["Count"] == "int"
    assert report.shapes[0].member == "log.csv"
