"""The catalogue of Microsoft's tables."""

from pathlib import Path

import pytest

from kql import Column, KqlType
from kql.catalogue import INFO, TABLES, CatalogueError, load_catalogue, recognise

HEAD = "references: {defender: 'd/{table}', sentinel: 's/{table}'}\ngroups: {g: 'A B:long'}\ntables:\n"


def test_the_tables_that_the_product_speaks_of_are_there() -> None:
    assert len(TABLES) == 63
    assert Column("InitiatingProcessId", "long") in TABLES["DeviceRegistryEvents"]
    assert Column("AdditionalFields", "dynamic") in TABLES["DeviceEvents"]
    assert Column("EventData", "string") in TABLES["SecurityEvent"]
    assert Column("EventData", "dynamic") in TABLES["WindowsEvent"]
    assert INFO["SigninLogs"].time_column == "TimeGenerated" and INFO["SigninLogs"].family == "sentinel"
    assert INFO["DeviceInfo"].time_column == "Timestamp" and INFO["DeviceInfo"].family == "both"
    assert INFO["DeviceTvmSoftwareInventory"].time_column is None
    assert INFO["EmailEvents"].reference.endswith("/advanced-hunting-emailevents-table")
    assert INFO["Syslog"].reference.endswith("/tables/syslog")


def test_two_columns_of_one_name_without_case_are_an_exception() -> None:
    both = {name for name, columns in TABLES.items() if len({c.name.casefold() for c in columns}) < len(columns)}
    assert both == {"AzureDiagnostics", "FileMaliciousContentInfo", "IdentityInfo"}
    assert {"AccountUpn", "AccountUPN"} <= {column.name for column in TABLES["IdentityInfo"]}


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("AADServicePrincipalSignInLogs", "ServicePrincipalId", "string"),
        ("AADManagedIdentitySignInLogs", "ManagedServiceIdentity", "string"),
        ("AADUserRiskEvents", "Location", "dynamic"),
        ("MicrosoftGraphActivityLogs", "ResponseStatusCode", "int"),
        ("GraphAPIAuditEvents", "Timestamp", "datetime"),
        ("AzureDiagnostics", "httpStatusCode_d", "real"),
        ("DnsEvents", "ClientIP", "string"),
        ("ThreatIntelIndicators", "Data", "dynamic"),
        ("BehaviorAnalytics", "ActivityInsights", "dynamic"),
        ("ExposureGraphEdges", "EdgeProperties", "dynamic"),
    ],
)
def test_tables_of_sentinel_and_entra_have_their_columns(table: str, column: str, kind: KqlType) -> None:
    assert Column(column, kind) in TABLES[table]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("T: {family: both, time: null, meaning: m, columns: 'A:text'}", "KQL type"),
        ("T: {family: both, time: null, meaning: m, columns: '$h'}", "no group"),
        ("T: {family: both, time: null, meaning: m, columns: '$g A'}", "twice"),
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
