"""Checking a query without running it, and the words of its errors."""

from __future__ import annotations

import pytest

from kql import Column, Diagnostic, Table, TypedValue, prelude, used_tables, validate
from kql.catalogue import TABLES

SCHEMA = {"T": (Column("Timestamp", "datetime"), Column("Name", "string"), Column("Size", "long"))}


def only(text: str, before: str = "") -> Diagnostic:
    (found,) = validate(text, SCHEMA, prelude=before)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "T",
        "T | where TimeGenerated > ago(1d) | project TimeGenerated",
        "let A = T | take 1; union A, (T | sort by Size | serialize | extend n = next(Name))",
        "T | summarize count() by bin(Timestamp, 1h) | render timechart",
        "DeviceProcessEvents | where Timestamp > ago(1d) and FileName in~ ('a.exe') | project-reorder Timestamp, File*",
    ],
)
def test_good_queries(text: str) -> None:
    assert validate(text, {**SCHEMA, **TABLES}) == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "length", "code", "message"),
    [
        ("T | where Nam == 'x'", 1, 11, 3, "kql.schema", "There is no column Nam here."),
        ("T\n| where Name == 'x'\n| where\n  name == 'y'", 4, 3, 4, "kql.schema", "There is no column name here."),
        ("T | project Size | where Name == ''", 1, 26, 4, "kql.schema", "There is no column Name here."),
        ("TT | take 1", 1, 1, 2, "kql.schema", "There is no table TT here."),
        ("T | where Name == ", 1, 18, 1, "kql.syntax", "The query ends too early."),
        ("T | where Name == 'x", 1, 19, 1, "kql.syntax", "A text is opened here and not closed."),
        ("T | frobnicate Name", 1, 5, 10, "kql.syntax", "frobnicate is no operator."),
        ("T | sumarize count()", 1, 5, 8, "kql.syntax", "sumarize is no operator."),
        ("T | where", 1, 5, 5, "kql.syntax", "The operator where is not complete."),
        ("T\n| facet by Name", 2, 3, 5, "kql.unsupported", "facet is not supported here."),
        ("T | extend x = frob(Name)", 1, 16, 4, "kql.unsupported", "frob() is not supported here."),
        ("T | summarize make_bag(Name)", 1, 24, 4, "kql.schema", "Argument 1 of make_bag() is a string"),
        ("T | evaluate basket()", 1, 14, 6, "kql.unsupported", "The plugin basket is not run here."),
        ("T | where Size has 'x'", 1, 11, 4, "kql.schema", "has does not take a long."),
        ("T | project x = 1, x = 2", 1, 20, 5, "kql.schema", "project names two columns x."),
    ],
)
def test_faults_and_their_places(text: str, line: int, column: int, length: int, code: str, message: str) -> None:
    found = only(text)
    assert message in found.message
    assert (found.line, found.column, found.length, found.code) == (line, column, length, code)
    assert found.severity == "error"
    assert found.hint


def test_places_do_not_count_the_prelude() -> None:
    lines = prelude({"A": TypedValue("x", "string"), "B": TypedValue(1, "long")})
    assert validate("T | where Name == A and Size > B", SCHEMA, prelude=lines) == ()
    found = only("T | where Nam == A", lines)
    assert (found.line, found.column) == (1, 11)


def test_tables_can_be_given_as_tables() -> None:
    assert validate("U | where a == 1", [Table("U", (), columns=(Column("a", "long"),))]) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T | join (U) on x | lookup V on y", {"T", "U", "V"}),
        ("let A = T | take 1; union isfuzzy=true A, (B | where x == 1), C", {"T", "B", "C"}),
        ("T | where x in ((U | project x)) and y == toscalar(V | count)", {"T", "U", "V"}),
        ("print 1", set()),
        ("DeviceEvents | evaluate bag_unpack(x) | join (AlertInfo) on y", {"DeviceEvents", "AlertInfo"}),
        ("broken |", set()),
        (".show tables", set()),
    ],
)
def test_tables_that_a_query_uses(text: str, expected: set[str]) -> None:
    assert used_tables(text) == expected


def test_a_pattern_stands_for_the_catalogue() -> None:
    found = used_tables("union Device*, SecurityEvent | take 1")
    assert {"DeviceEvents", "DeviceProcessEvents", "SecurityEvent"} <= found
    assert "AlertInfo" not in found


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("_GetWatchlist('Admins') | take 1", "upload its CSV"),
        ("DeviceEvents | join (_GetWatchlist('Admins')) on DeviceName", "upload its CSV"),
        ("_Im_Dns(starttime=ago(1d))", "DnsEvents"),
        ("imProcessCreate | take 1", "DeviceProcessEvents"),
        ("union imFileEvent, vimFileEventMicrosoft365D", "DeviceFileEvents"),
        ("_ASim_Authentication", "SigninLogs"),
        ("DeviceInfo | invoke SeenBy()", "Defender knows"),
        ("DeviceInfo | where SeenBy() has 'x'", "Defender knows"),
        ("AssignedIPAddresses('ws1')", "DeviceNetworkInfo"),
        ("workspace('other').SigninLogs", "SigninLogs alone"),
        ("app('other').requests | take 1", "requests alone"),
        ("cluster('c').database('d').T", "T alone"),
        ("database('d').T | take 1", "T alone"),
        ("union workspace('other').SigninLogs, SigninLogs", "SigninLogs alone"),
        ("arg('').Resources", "Resources alone"),
        ("Image | take 1", "There is:"),
    ],
)
def test_what_lives_in_a_tenant_has_a_way_round(text: str, hint: str) -> None:
    (found,) = validate(text, TABLES)
    assert found.severity == "error"
    assert hint in found.hint


def test_a_watchlist_may_be_a_table_of_the_case() -> None:
    text = "let _GetWatchlist = (Name: string) { table(Name) }; _GetWatchlist('SigninLogs') | project UserPrincipalName"
    assert validate(text, TABLES) == ()


@pytest.mark.parametrize(
    "text",
    [
        "union * | where TimeGenerated > ago(1d) | take 1",
        "union withsource=T * | where AccountName has 'x' | extend n = strlen(AccountName) | summarize count() by T",
        "search 'x' | project-away A*",
        "find where AccountName == 'x' project AccountName, pack(*)",
    ],
)
def test_a_pattern_over_all_tables_is_checked_over_few_columns(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = []
    monkeypatch.setattr("kql.validation.sandbox", lambda **_: _Bound(longest))
    assert validate(text, TABLES) == ()
    assert max(longest) < 250_000


class _Bound:
    """A connection that notes how long what it is told to bind is."""

    def __init__(self, lengths: list[int]) -> None:
        self._lengths = lengths

    def execute(self, sql: str) -> None:
        self._lengths.append(len(sql))

    def close(self) -> None:
        self._lengths.append(0)


def test_a_fault_in_a_pattern_over_all_tables_is_found() -> None:
    (found,) = validate("union * | where strlen(AccountName, 2) > 1", TABLES)
    assert found.message.startswith("strlen() takes 1 argument")
