"""The catalogue of Microsoft's tables."""

from pathlib import Path

import pytest

from kql import Column
from kql.catalogue import INFO, TABLES, CatalogueError, load_catalogue, recognise

HEAD = "references: {defender: 'd/{table}', sentinel: 's/{table}'}\ngroups: {g: 'A B:long'}\ntables:\n"


def test_the_tables_that_the_product_speaks_of_are_there() -> None:
    assert len(TABLES) == 40
    assert Column("InitiatingProcessId", "long") in TABLES["DeviceRegistryEvents"]
    assert Column("AdditionalFields", "dynamic") in TABLES["DeviceEvents"]
    assert Column("EventData", "string") in TABLES["SecurityEvent"]
    assert Column("EventData", "dynamic") in TABLES["WindowsEvent"]
    assert INFO["SigninLogs"].time_column == "TimeGenerated" and INFO["SigninLogs"].family == "sentinel"
    assert INFO["DeviceInfo"].time_column == "Timestamp" and INFO["DeviceInfo"].family == "both"
    assert INFO["DeviceTvmSoftwareInventory"].time_column is None
    assert INFO["EmailEvents"].reference.endswith("/advanced-hunting-emailevents-table")
    assert INFO["Syslog"].reference.endswith("/tables/syslog")


def test_no_table_has_two_columns_of_one_name_without_case() -> None:
    for name, columns in TABLES.items():
        assert len({column.name.casefold() for column in columns}) == len(columns), name


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("T: {family: both, time: null, meaning: m, columns: 'A:text'}", "KQL type"),
        ("T: {family: both, time: null, meaning: m, columns: '$h'}", "no group"),
        ("T: {family: both, time: null, meaning: m, columns: '$g a'}", "twice"),
        ("T: {family: both, time: A, meaning: m, columns: '$g'}", "not a datetime"),
        ("T: {family: other, time: null, meaning: m, columns: '$g'}", "family"),
    ],
)
def test_a_broken_catalogue_says_what_is_wrong(tmp_path: Path, table: str, message: str) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(f"{HEAD}  {table}\n")
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(path)


def test_rows_are_recognised_by_their_columns_and_words() -> None:
    device = {"Timestamp": "t", "DeviceId": "d", "DeviceName": "n", "ReportId_long": 1}
    assert recognise({**device, "ActionType": "LogonSuccess", "LogonType": "Network"}) == "DeviceLogonEvents"
    acting = dict.fromkeys(("InitiatingProcessFileName", "InitiatingProcessId", "AccountName", "AdditionalFields"), "x")
    assert recognise({**device, **acting, "ActionType": "ScheduledTaskCreated"}) == "DeviceEvents"
    assert recognise({"Timestamp": "t", "Colour": "red", "Size": 1, "Weight": 2}) is None
    assert recognise({"Name": "x", "Id": 1, "FileName": "f", "SHA1": "s"}) is None
