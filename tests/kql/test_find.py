"""``find``, by answers computed by hand from Microsoft's page."""

from __future__ import annotations

import pytest

from kql import KqlSchemaError, Table
from tests.kql.support import names, run, table

Tables = tuple[Table, ...]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables of Microsoft's page, and one that shares no column with them."""
    folder = tmp_path_factory.mktemp("find")
    common: dict[str, str] = {"Session": "string", "Level": "string", "Text": "string"}
    first = table(
        folder,
        "Table1",
        {**common, "Version": "string", "Id": "long"},  # type: ignore[arg-type]
        [
            ("a", "Information", "Text1", "v1.0.0", 1),
            ("a", "Error", "Text2", "v1.0.0", 2),
            ("b", "Error", "T3", "v2", 3),
        ],
    )
    second = table(
        folder,
        "Table2",
        {**common, "Event": "string", "Id": "string"},  # type: ignore[arg-type]
        [("f", "Information", "Other1", "E1", "7"), ("a", "Error", "Other3", "E3", "8")],
    )
    return first, second, table(folder, "Else", {"Far": "string"}, [("Green",)])


def test_columns_asked_for_and_the_rest_in_a_bag(tables: Tables) -> None:
    text = 'find in (Table1, Table2) where Session == "a" and Level == "Error" project Text, Version, Event, pack_all()'
    assert names(text, *tables) == ["source_", "Text", "Version", "Event", "pack_"]
    assert sorted(run(text, *tables)) == [
        ("Table1", "Text2", "v1.0.0", "", {"Session": "a", "Level": "Error", "Id": 2}),
        ("Table2", "Other3", "", "E3", {"Session": "a", "Level": "Error", "Id": "8"}),
    ]


def test_project_smart(tables: Tables) -> None:
    text = 'find in (Table*) where Session == "a" and Version == "v1.0.0" or Event == "E1"'
    assert names(text, *tables) == [
        "source_", "Session", "Level", "Text", "Id_long", "Id_string", "Version", "Event",
    ]  # fmt: skip
    assert sorted(row[:4] for row in run(text, *tables)) == [
        ("Table1", "a", "Error", "Text2"),
        ("Table1", "a", "Information", "Text1"),
        ("Table2", "f", "Information", "Other1"),
    ]


def test_tables_without_a_column_asked_for_are_left_out(tables: Tables) -> None:
    text = 'find Session == "a" project Session, Text'
    assert sorted(run(text, *tables)) == [
        ("Table1", "a", "Text1"),
        ("Table1", "a", "Text2"),
        ("Table2", "a", "Other3"),
    ]
    assert names('find Far == "Green"', *tables) == ["source_", "Far"]


def test_a_text_is_looked_for_everywhere(tables: Tables) -> None:
    assert run('find "green" project pack_all()', *tables) == [("Else", {"Far": "Green"})]
    assert sorted(run('find in (Table1, Table2) where * has "v2" or "other1" project Text', *tables)) == [
        ("Table1", "T3"),
        ("Table2", "Other1"),
    ]


def test_sources_and_types(tables: Tables) -> None:
    text = 'find withsource=From in (Table1, (Table2 | where Id == "8")) where Session == "a" project Id: string'
    assert names(text, *tables) == ["From", "Id"]
    assert sorted(run(text, *tables)) == [("Table1", "1"), ("Table1", "2"), ("find_arg1", "8")]
    away = 'find in (Table1) where Session == "b" project-away L*, Id'
    assert run(away, *tables) == [("Table1", "b", "T3", "v2")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('find Session == "a" project Id', "Id is long and string"),
        ('find Nope == "a"', "no column Nope"),
        ('find Session == "a" project Nope', "no column Nope"),
        ('find in (Gamma) where Session == "a"', "no table Gamma"),
        ("find 1 == 1", "asks for no column"),
    ],
)
def test_what_is_refused(tables: Tables, text: str, message: str) -> None:
    with pytest.raises(KqlSchemaError, match=message):
        run(text, *tables)
