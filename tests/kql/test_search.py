"""``search``, by answers computed by hand from Microsoft's page."""

from __future__ import annotations

from pathlib import Path

import pytest

from kql import KqlSchemaError, KqlUnsupported, Table, used_tables
from tests.kql.support import names, run, table

Tables = tuple[Table, ...]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Two tables of which one column has two types."""
    folder: Path = tmp_path_factory.mktemp("search")
    first = table(
        folder,
        "AlphaEvents",
        {"Name": "string", "Note": "string", "Id": "long", "More": "dynamic"},
        [
            ("one", "Green apple", 1, None),
            ("two", "lab7PC is down", 22, {"k": "needle"}),
            ("three", "greenhouse", 3, None),
        ],
    )
    second = table(
        folder,
        "BetaEvents",
        {"Name": "string", "Id": "string", "Extra": "string"},
        [("four", "x-1", "GREEN"), ("five", "22", "")],
    )
    return first, second


def found(text: str, tables: Tables) -> list[str]:
    """The names of the rows found."""
    return sorted(row[0] for row in run(f"{text} | project Name", *tables))


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ('"green"', ["four", "one"]),
        ('"green*"', ["four", "one", "three"]),
        ('"*house"', ["three"]),
        ('"*enh*"', ["three"]),
        ('"lab*pc"', ["two"]),
        ('"gre*e"', ["one", "three"]),
        ('"gre*se"', ["three"]),
        ('"needle"', ["two"]),
        ('"22"', ["five", "two"]),
        ("*", ["five", "four", "one", "three", "two"]),
        ('Note:"green"', ["one"]),
        ('Note:"green*"', ["one", "three"]),
        ('Name=="one" or Extra=="GREEN"', ["four", "one"]),
        ('"green" and not("apple")', ["four"]),
        ('"apple" or ("needle" and Id_long > 20)', ["one", "two"]),
        ('Note matches regex "^lab[0-9]"', ["two"]),
        ('"nothing of this"', []),
    ],
)
def test_predicates(tables: Tables, predicate: str, expected: list[str]) -> None:
    assert found(f"search {predicate}", tables) == expected


def test_case(tables: Tables) -> None:
    assert found('search kind=case_sensitive "GREEN"', tables) == ["four"]
    assert found('search kind=case_sensitive Note:"Green"', tables) == ["one"]
    assert found('search kind=case_insensitive "GREEN"', tables) == ["four", "one"]
    with pytest.raises(KqlUnsupported, match="case-sensitive"):
        run('search kind=case_sensitive Name =~ "x"', *tables)


def test_the_table_comes_first_and_columns_are_united(tables: Tables) -> None:
    assert names('search "green"', *tables) == ["$table", "Name", "Note", "Id_long", "Id_string", "More", "Extra"]
    rows = run('search "green" | project T = column_ifexists("$table", ""), Id_long, Id_string, Note', *tables)
    assert sorted(rows) == [("AlphaEvents", 1, "", "Green apple"), ("BetaEvents", None, "x-1", "")]


def test_some_tables(tables: Tables) -> None:
    assert found('search in (AlphaEvents) "green*"', tables) == ["one", "three"]
    assert found('search in (Beta*, AlphaEvents) "22"', tables) == ["five", "two"]
    assert names('search in (BetaEvents) "22"', *tables) == ["$table", "Name", "Id", "Extra"]
    with pytest.raises(KqlSchemaError, match="no table Gamma"):
        run('search in (Gamma) "x"', *tables)


def test_after_a_pipe(tables: Tables) -> None:
    assert run('AlphaEvents | where Id < 10 | search "green" | project-away More', *tables) == [
        ("AlphaEvents", "one", "Green apple", 1)
    ]
    text = 'let T = BetaEvents | extend Id = 1; T | search "green"'
    assert names(text, *tables)[0] == "$table"
    with pytest.raises(KqlSchemaError, match="begins a query"):
        run('AlphaEvents | search in (BetaEvents) "x"', *tables)


def test_an_unknown_column_is_named(tables: Tables) -> None:
    with pytest.raises(KqlSchemaError, match="no column Nme") as caught:
        run('search Nme:"x"', *tables)
    assert (caught.value.line, caught.value.column) == (1, 8)


def test_all_tables_are_read(tables: Tables) -> None:
    assert used_tables("search in (Alpha, Beta) 'x'") == {"Alpha", "Beta"}
