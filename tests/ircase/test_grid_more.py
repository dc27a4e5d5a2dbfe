"""Statistics, search, comparison and files of the grid, against answers counted by hand; deep pages against sorting."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ircase import grid
from kql.parquet import read_columns, write_parquet
from kql.types import Column

COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("Device", "string"),
    Column("Count", "long"),
    Column("Score", "real"),
    Column("Id", "guid"),
    Column("Fields", "dynamic"),
)
GUID = "12345678-1234-1234-1234-1234567890ab"
ROWS: list[dict[str, Any]] = [
    {"Timestamp": "2026-11-20T10:00:00Z", "Device": "ws-07", "Count": 1, "Score": 0.5, "Id": GUID,
     "Fields": {"a": "Evil"}},
    {"Timestamp": "2026-11-20T11:00:00Z", "Device": "WS-07", "Count": 1, "Score": "NaN"},
    {"Timestamp": "2026-11-20T12:00:00Z", "Device": "", "Count": 48, "Score": 1.5},
    {"Timestamp": None, "Device": "evil.exe", "Count": None, "Fields": ["evil", "x"]},
]  # fmt: skip


def written(folder: Path, rows: Sequence[dict[str, Any]], columns: Sequence[Column] = COLUMNS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_parquet(folder / "rows.ndjson", columns, folder / "rows.parquet")
    return folder / "rows.parquet"


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield written(tmp_path_factory.mktemp("more"), ROWS)


def test_statistics_count_nulls_and_empty_texts_apart(parquet: Path) -> None:
    found = grid.statistics(parquet, COLUMNS, "Device")
    assert (found.rows, found.nulls, found.empty, found.distinct) == (4, 0, 1, 4)
    assert (found.least, found.most, found.bins) == ("", "ws-07", ())
    found = grid.statistics(parquet, COLUMNS, "Count")
    assert (found.rows, found.nulls, found.distinct, found.least, found.most) == (4, 1, 2, "1", "48")
    assert [(one.text, one.count) for one in found.top] == [("1", 2), ("48", 1), (None, 1)]


def test_bins_are_half_open_and_lose_no_row(parquet: Path) -> None:
    found = grid.statistics(parquet, COLUMNS, "Count")
    # 1 to 48 in 24 bins of two whole numbers.
    assert (found.bins[0].low, found.bins[0].high, found.bins[0].count) == ("1", "3", 2)
    assert (found.bins[-1].low, found.bins[-1].high, found.bins[-1].count) == ("47", "49", 1)
    for name, held in (("Count", 3), ("Timestamp", 3), ("Score", 2)):
        bins = grid.statistics(parquet, COLUMNS, name).bins
        asked = [(grid.Filter(name, b.low, "least"), grid.Filter(name, b.high, "below")) for b in bins]
        counted = [grid.page(parquet, COLUMNS, filters=pair).matched for pair in asked]
        assert counted == [b.count for b in bins]
        assert sum(counted) == held
    assert grid.statistics(parquet, COLUMNS, "Score").unbound == 1


def test_statistics_are_of_the_rows_that_pass(parquet: Path) -> None:
    found = grid.statistics(parquet, COLUMNS, "Count", filters=[grid.Filter("Device", "ws")])
    assert (found.rows, found.distinct, found.bins) == (2, 1, ())
    with pytest.raises(grid.GridError, match="no column"):
        grid.statistics(parquet, COLUMNS, "Nope")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("EVIL", {"Device": 1, "Fields": 2}),
        ("ws-07", {"Device": 2}),
        ("48", {"Count": 1}),  # a number is there or not: 48 is no part of 148
        ("4", {}),
        (GUID.upper(), {"Id": 1}),
        ("%", {}),
    ],
)
def test_a_value_is_found_in_every_column_as_the_grid_would_count_it(
    parquet: Path, text: str, found: dict[str, int]
) -> None:
    seen = grid.find(parquet, COLUMNS, text)
    assert {one.column: one.rows for one in seen} == found
    for one in seen:
        assert grid.page(parquet, COLUMNS, filters=[grid.Filter(one.column, text, one.operator)]).matched == one.rows


def test_deep_and_backward_pages_are_those_of_a_sorted_list(tmp_path: Path) -> None:
    columns = (Column("N", "long"), Column("T", "string"))
    rows = [{"N": None if number % 7 == 0 else number * 37 % 11, "T": f"t{number % 3}"} for number in range(60)]
    parquet = written(tmp_path / "deep", rows, columns)
    for sort, sign in (("N", 1), ("-N", -1)):
        order = sorted(range(60), key=lambda n: (rows[n]["N"] is None, sign * (rows[n]["N"] or 0), n))
        for filters, kept in (((), order), ((grid.Filter("T", "t1"),), [n for n in order if n % 3 == 1])):
            pages = [
                grid.page(parquet, columns, offset=offset, limit=7, sort=sort, filters=filters)
                for offset in range(0, 70, 7)
            ]
            assert [row.number - 1 for page in pages for row in page.rows] == kept
    assert grid.page(parquet, columns, offset=10**9).rows == ()
    assert [row.number for row in grid.rows(parquet, columns, [9, 2, 9, 0, 61, -1])] == [9, 2]


def test_a_file_of_the_rows_that_pass_keeps_names_and_types(parquet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    grid.write(parquet, COLUMNS, out, sort="-Count", filters=[grid.Filter("Device", "", "present")])
    assert read_columns(out) == COLUMNS
    assert [row.cells[1] for row in grid.page(out, COLUMNS).rows] == ["ws-07", "WS-07", "evil.exe"]
    grid.write(parquet, COLUMNS, out, only=COLUMNS[1:3])
    assert read_columns(out) == COLUMNS[1:3]


WAS = [("a", 1, "x"), ("b", 2, "x"), ("c", 3, None), ("d", 4, "x"), ("d", 5, "y"), ("e", 1, "x"), ("e", 1, "x")]
NOW = [("d", 5, "y"), ("a", 1, "x"), ("b", 2, ""), ("n", 9, "x"), ("d", 4, "x"), ("e", 1, "x"), ("c", 3, None)]
TABLE = (Column("K", "string"), Column("N", "long"), Column("V", "dynamic"))


def test_runs_are_compared_by_key(tmp_path: Path) -> None:
    """`d` has the same two rows in another order; `e` has lost one of two equal rows."""
    sides = [
        (written(tmp_path / name, [dict(zip("KNV", row, strict=True)) for row in rows], TABLE), TABLE)
        for name, rows in (("was", WAS), ("now", NOW))
    ]
    found = grid.compare(sides[0], sides[1], key=["K"], compared=["N", "V"])
    assert (found.new, found.gone, found.changed, found.same, found.repeated) == (1, 0, 2, 3, 2)
    assert [(one.kind, one.key, one.rows) for one in found.changes] == [
        ("new", ("n",), (0, 1)), ("changed", ("b",), (1, 1)), ("changed", ("e",), (2, 1)),
    ]  # fmt: skip
    assert [one.cells for one in found.changes] == [(), (("V", '"x"', '""'),), ()]
    assert [(one.before, one.after) for one in found.changes] == [(None, 4), (2, 3), (6, 6)]
    back = grid.compare(sides[1], sides[0], key=["K"], compared=["N", "V"], kind="gone")
    assert [(one.kind, one.key) for one in back.changes] == [("gone", ("n",))]
    with pytest.raises(grid.GridError, match="at least one column"):
        grid.compare(sides[0], sides[1], key=[], compared=[])


def test_a_key_of_two_columns_is_not_glued_together(tmp_path: Path) -> None:
    columns = (Column("A", "string"), Column("B", "string"))
    sides = [
        (written(tmp_path / str(n), [row], columns), columns)
        for n, row in enumerate(({"A": "x,", "B": "y"}, {"A": "x", "B": ",y"}))
    ]
    found = grid.compare(sides[0], sides[1], key=["A", "B"], compared=[])
    assert (found.new, found.gone, found.same) == (1, 1, 0)
