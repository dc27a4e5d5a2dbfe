"""The grid: pages over Parquet, for every type, and against whoever types SQL into it."""

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ircase import grid
from kql.parquet import write_parquet
from kql.types import Column

COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("DeviceName", "string"),
    Column("devicename", "string"),
    Column("Count", "long"),
    Column("Score", "real"),
    Column("Gap", "timespan"),
    Column("Id", "guid"),
    Column("Fields", "dynamic"),
    Column("Local", "bool"),
    Column('odd"; DROP TABLE x --', "string"),
)
GUID = "12345678-1234-1234-1234-1234567890ab"
ROWS: list[dict[str, Any]] = [
    {"Timestamp": "2026-11-20T10:00:00.5Z", "DeviceName": "ws-07", "devicename": "low", "Count": 3, "Score": 1.5,
     "Gap": "-1.02:03:04.5000000", "Id": GUID, "Fields": {"a": [1, "x"]}, "Local": True, COLUMNS[-1].name: "quote'd"},
    {"Timestamp": None, "DeviceName": "WS-08", "Count": None, "Score": 2.0, "Gap": "00:00:01"},
    {"Timestamp": "2026-11-20T09:00:00Z", "DeviceName": "100%_sure", "Count": 1, "Fields": "text", "Local": False},
]  # fmt: skip


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("grid")
    source = folder / "rows.ndjson"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    write_parquet(source, COLUMNS, folder / "rows.parquet")
    yield folder / "rows.parquet"


def numbers(parquet: Path, **asked: Any) -> list[int]:
    return [row.number for row in grid.page(parquet, COLUMNS, **asked).rows]


def test_a_page_has_the_rows_in_the_order_of_the_file_and_the_totals(parquet: Path) -> None:
    page = grid.page(parquet, COLUMNS, offset=1, limit=1)
    assert (page.total, page.matched, [r.number for r in page.rows]) == (3, 3, [2])


def test_cells_are_kqls_own_json_and_texts(parquet: Path) -> None:
    row = grid.page(parquet, COLUMNS).rows[0]
    assert row.texts == (
        "2026-11-20T10:00:00.5000000Z", "ws-07", "low", "3", "1.5", "-1.02:03:04.5000000", GUID, '{"a":[1,"x"]}',
        "true", "quote'd",
    )  # fmt: skip
    assert row.cells[7] == {"a": [1, "x"]}


def test_a_whole_row_is_found_by_its_number(parquet: Path) -> None:
    found = grid.row(parquet, COLUMNS, 3)
    assert found is not None
    assert (found["DeviceName"], found["Count"], found["Timestamp"]) == ("100%_sure", 1, "2026-11-20T09:00:00.0000000Z")
    assert grid.row(parquet, COLUMNS, 4) is None
    assert grid.row(parquet, COLUMNS, -1) is None


def test_sorting_puts_nulls_last_both_ways(parquet: Path) -> None:
    assert numbers(parquet, sort="Count") == [3, 1, 2]
    assert numbers(parquet, sort="-Count") == [1, 3, 2]
    assert numbers(parquet, sort="Timestamp") == [3, 1, 2]
    assert numbers(parquet, sort="-Timestamp") == [1, 3, 2]


@pytest.mark.parametrize(
    ("column", "operator", "text", "found"),
    [
        ("DeviceName", "contains", "ws-", [1, 2]),
        ("DeviceName", "contains", "%_", [3]),  # no wildcards: a percent sign is a percent sign
        ("DeviceName", "equals", "ws-07", [1]),
        ("devicename", "equals", "low", [1]),  # two columns whose names differ by case alone are two columns
        ("DeviceName", "not", "ws-07", [2, 3]),
        ("Count", "equals", " 3 ", [1]),
        ("Count", "empty", "", [2]),
        ("Count", "present", "", [1, 3]),
        ("Score", "equals", "2", [2]),
        ("Gap", "equals", "-1.02:03:04.5", [1]),
        ("Gap", "contains", "-1.02:03:04.5", [1]),
        ("Gap", "equals", "00:00:01", [2]),
        ("Id", "equals", GUID.upper(), [1]),
        ("Local", "equals", "true", [1]),
        ("Timestamp", "equals", "2026-11-20T11:00:00.5+01:00", [1]),
        ("Timestamp", "contains", "T09:", [3]),
        ("Fields", "contains", '"a":[1', [1]),
    ],
)
def test_conditions(parquet: Path, column: str, operator: grid.Operator, text: str, found: list[int]) -> None:
    assert numbers(parquet, filters=[grid.Filter(column, text, operator)]) == found


def test_matched_counts_what_passes_all_conditions(parquet: Path) -> None:
    page = grid.page(parquet, COLUMNS, filters=[grid.Filter("DeviceName", "ws"), grid.Filter("Score", "2", "equals")])
    assert (page.total, page.matched) == (3, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"sort": "Nothing"}, "no column 'Nothing'"),
        ({"filters": [grid.Filter("Nothing", "x")]}, "no column"),
        ({"filters": [grid.Filter("Count", "three", "equals")]}, "'three' is no long"),
        ({"filters": [grid.Filter("Count", "x", "like")]}, "is no condition"),  # type: ignore[arg-type]
        ({"filters": [grid.Filter("DeviceName", "x" * 3000)]}, "at most 2000 characters"),
        ({"filters": [grid.Filter("DeviceName", "x")] * 21}, "At most 20"),
    ],
)
def test_what_cannot_be_asked_says_so(parquet: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(grid.GridError, match=message):
        grid.page(parquet, COLUMNS, **asked)


def test_a_file_that_is_gone_or_damaged_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(grid.GridError, match="Read the evidence into tables again"):
        grid.page(tmp_path / "gone.parquet", COLUMNS)
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(grid.GridError, match="Read the evidence into tables again"):
        grid.page(tmp_path / "cut.parquet", COLUMNS)


def test_a_column_the_file_lacks_is_null(parquet: Path) -> None:
    page = grid.page(parquet, [*COLUMNS, Column("New", "string")], sort="New")
    assert [row.cells[-1] for row in page.rows] == [None, None, None]


def test_a_stream_has_every_row_once(parquet: Path) -> None:
    assert [row.number for row in grid.stream(parquet, COLUMNS, sort="-Score")] == [2, 1, 3]


hostile = st.text(min_size=0, max_size=60) | st.sampled_from(
    ["'; DROP TABLE x; --", '" OR 1=1 --', "') OR true --", "read_csv('/etc/passwd')", "\x00", "\ud800", "%", "\\", "*"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text="\ud800", column=next(column for column in COLUMNS if column.type == "guid"), operator="equals")
@given(text=hostile, column=st.sampled_from(COLUMNS), operator=st.sampled_from(grid.OPERATORS))
def test_no_value_becomes_sql(parquet: Path, text: str, column: Column, operator: grid.Operator) -> None:
    """Whatever is typed, the answer is a subset of the rows or a sentence, and `contains` means what it says."""
    try:
        page = grid.page(parquet, COLUMNS, filters=[grid.Filter(column.name, text, operator)])
    except grid.GridError as error:
        assert "is no " in str(error)
        return
    assert page.matched == len(page.rows) <= 3
    if operator == "contains" and column.name == "DeviceName" and text.isascii():
        assert [r.number for r in page.rows] == [
            i for i, r in enumerate(ROWS, 1) if text.lower() in r["DeviceName"].lower()
        ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=hostile | st.text(alphabet=string.punctuation, min_size=1, max_size=20))
def test_no_name_becomes_sql(parquet: Path, name: str) -> None:
    if name and name.removeprefix("-") not in {column.name for column in COLUMNS}:
        with pytest.raises(grid.GridError, match="no column"):
            grid.page(parquet, COLUMNS, sort=name)
    with pytest.raises(grid.GridError, match="no column"):
        grid.page(parquet, COLUMNS, filters=[grid.Filter(f"x{name}", "1")])


def test_a_column_with_a_name_like_sql_is_a_column(parquet: Path) -> None:
    assert numbers(parquet, filters=[grid.Filter(COLUMNS[-1].name, "quote'd", "equals")]) == [1]
    assert len(numbers(parquet, sort=f"-{COLUMNS[-1].name}")) == 3
