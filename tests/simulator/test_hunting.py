"""Advanced hunting and the Log Analytics workspace."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

import kql
from kql.errors import KqlInternalError, KqlResourceError, KqlTimeout
from simulator.app import Application
from simulator.core import build
from simulator.graph import hunting
from simulator.options import Options
from simulator.queries import TimespanError, Window, parse_timespan
from tests.simulator.conftest import NOW, Tenant

DAY = timedelta(days=1)


def test_schema_types_and_values(tenant: Tenant) -> None:
    body = tenant.hunt(
        "print t = datetime(2026-01-02T03:04:05.1234567Z), n = 5, s = 'x', b = true, r = 1.5, span = 90m, "
        "d = dynamic({'a': [1]}), g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), nothing = real(nan)"
    )
    assert {entry["name"]: entry["type"] for entry in body["schema"]} == {
        "t": "DateTime", "n": "Int64", "s": "String", "b": "SByte", "r": "Double", "span": "TimeSpan", "d": "Object",
        "g": "Guid", "nothing": "Double",
    }  # fmt: skip
    assert [entry["name"] for entry in body["schema"]] == ["t", "n", "s", "b", "r", "span", "d", "g", "nothing"]
    assert body["results"] == [
        {
            "t": "2026-01-02T03:04:05.1234560Z", "n": 5, "n@odata.type": "#Int64", "s": "x", "b": True, "r": 1.5,
            "span": "01:30:00", "d": '{"a":[1]}', "g": "74be27de-1e4e-49d9-b579-fe0b331d3642", "nothing": "NaN",
        }
    ]  # fmt: skip


def test_rows_are_open_dictionaries_in_another_order(tenant: Tenant) -> None:
    body = tenant.hunt("print zebra = 1, apple = 2")
    assert list(body["results"][0])[:2] == ["apple", "zebra"]
    assert [entry["name"] for entry in body["schema"]] == ["zebra", "apple"]


def test_hunting_lacks_the_columns_of_the_mirror(tenant: Tenant) -> None:
    names = {entry["name"] for entry in tenant.hunt("DeviceLogonEvents | take 1")["schema"]}
    assert "Timestamp" in names and not names & {"TimeGenerated", "TenantId", "SourceSystem", "Type"}
    answer = tenant.workspace("DeviceLogonEvents | take 1").json
    columns = {column["name"] for column in answer["tables"][0]["columns"]}
    assert {"Timestamp", "TimeGenerated", "TenantId", "Type"} <= columns


def test_sentinel_tables_are_not_hunted_and_defender_tables_not_in_the_workspace(tenant: Tenant) -> None:
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": "SigninLogs | take 1"})
    assert answer.status_code == 400 and "SigninLogs" in answer.json["error"]["message"]
    answer = tenant.workspace("EntraIdSignInEvents | take 1")
    assert answer.status_code == 400 and "EntraIdSignInEvents" in json.dumps(answer.json)


def test_timespan_cuts_what_the_query_sees(tenant: Tenant) -> None:
    query = "DeviceNetworkEvents | summarize First = min(Timestamp), Last = max(Timestamp)"
    whole = tenant.rows(query)[0]
    assert whole["First"] < "2026-05-09"
    cut = tenant.rows(query, "2026-05-13T00:00:00Z/2026-05-14T00:00:00Z")[0]
    assert "2026-05-13T00" <= cut["First"] < cut["Last"] <= "2026-05-14T00:00:00.0000000Z"
    inside = tenant.rows(
        "DeviceNetworkEvents | where Timestamp < datetime(2026-05-13T06:00:00Z) | summarize Last = max(Timestamp)",
        "2026-05-13T00:00:00Z/P1D",
    )[0]
    assert "2026-05-13T05" <= inside["Last"] < "2026-05-13T06"
    assert tenant.rows("DeviceNetworkEvents | count", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z") == [{"Count": 0}]


def test_now_is_the_simulators_clock(tenant: Tenant) -> None:
    shown = datetime.fromisoformat(tenant.rows("print now()")[0]["print_0"])
    assert NOW <= shown < NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("DeviceEvents | whre x", "A recognition error occurred"),
        ("DeviceEvents | where Nowhere == 1", "Nowhere"),
        ("NoSuchTable | take 1", "NoSuchTable"),
    ],
)
def test_a_wrong_query_is_a_400_that_says_where(tenant: Tenant, query: str, text: str) -> None:
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": query})
    assert answer.status_code == 400
    error = answer.json["error"]
    assert error["code"] == "BadRequest" and text in error["message"] and "Line: 1" in error["message"]
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"Query": 5}', b'{"Query": "  "}', b"\xff", b'{"Query":"x","Timespan":7}']
)
def test_a_body_that_is_no_query_is_a_400(tenant: Tenant, body: bytes) -> None:
    answer = tenant.graph("POST", "/runHuntingQuery", data=body, content_type="application/json")
    assert answer.status_code == 400


def test_keys_are_taken_in_either_case(tenant: Tenant) -> None:
    assert tenant.graph("POST", "/runHuntingQuery", json={"query": "print 1", "timespan": "P1D"}).status_code == 200


def test_a_result_stops_at_the_row_limit(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "ROWS", 7)
    assert len(tenant.rows("DeviceNetworkEvents | project Timestamp")) == 7


def test_a_result_over_the_byte_limit_is_refused(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "BYTES", 2000)
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": "DeviceNetworkEvents"})
    assert answer.status_code == 400 and "Result size limit exceeded" in answer.json["error"]["message"]


def test_a_query_over_the_time_limit_is_stopped(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "SECONDS", 0.2)
    query = (
        "range a from 1 to 100000 step 1 | extend k = 1 "
        "| join kind=inner (range b from 1 to 100000 step 1 | extend k = 1) on k | summarize sum(a * b)"
    )
    answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": query})
    assert answer.status_code == 504 and "timeout" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (KqlTimeout("t"), 504, "timeout"),
        (KqlResourceError("m"), 400, "resource"),
        (KqlInternalError("i"), 500, "unexpected"),
    ],
)
def test_failures_of_the_engine_have_the_services_words(error: kql.KqlError, status: int, text: str) -> None:
    fault = hunting.hunting_fault(error)
    assert fault.status == status and text in fault.message


def test_the_workspace_gives_typed_columns_and_only_what_was_asked(tenant: Tenant) -> None:
    answer = tenant.workspace("print a = 1, d = dynamic([1,2]), t = 36h").json
    assert answer == {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [
                    {"name": "a", "type": "long"}, {"name": "d", "type": "dynamic"}, {"name": "t", "type": "timespan"},
                ],
                "rows": [[1, "[1,2]", "1.12:00:00"]],
            }
        ]
    }  # fmt: skip
    prefer = {"Prefer": "wait=60, include-statistics=true, include-render=true"}
    more = tenant.workspace("SigninLogs | summarize count() by ResultType | render barchart", headers=prefer).json
    assert more["statistics"]["query"]["executionTime"] > 0
    assert more["render"]["visualization"] == "barchart"


def test_the_workspace_says_partial(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.loganalytics.ROWS", 3)
    answer = tenant.workspace("SigninLogs | project TimeGenerated")
    assert answer.status_code == 200
    assert len(answer.json["tables"][0]["rows"]) == 3
    error = answer.json["error"]
    assert error["code"] == "PartialError"
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in error["details"][0]["innererror"]["message"]


def test_errors_of_the_workspace_are_nested(tenant: Tenant) -> None:
    error = tenant.workspace("SigninLogs | wher x").json["error"]
    assert (error["code"], error["innererror"]["code"]) == ("BadArgumentError", "SyntaxError")
    assert error["innererror"]["innererror"]["line"] == 1
    error = tenant.workspace("SigninLogs | where Nowhere == 1").json["error"]
    assert error["innererror"]["code"] == "SemanticError"


def test_the_workspace_window_is_the_intersection(tenant: Tenant) -> None:
    path = f"/v1/workspaces/{tenant.simulator.tenant.workspace}/query?timespan=2026-05-13T00:00:00Z/P3D"
    body = {"query": "SigninLogs | summarize min(TimeGenerated), max(TimeGenerated)", "timespan": "2026-05-10/P5D"}
    headers = tenant.token("https://api.loganalytics.io/.default")
    row = tenant.client.post(path, json=body, headers=headers).json["tables"][0]["rows"][0]
    assert "2026-05-13" <= row[0] < row[1] <= "2026-05-15"


def test_an_unknown_workspace_and_an_empty_body(tenant: Tenant) -> None:
    headers = tenant.token("https://api.loganalytics.io/.default")
    answer = tenant.client.post("/v1/workspaces/nowhere/query", json={"query": "print 1"}, headers=headers)
    assert answer.status_code == 400 and answer.json["error"]["innererror"]["code"] == "FailedToResolveResource"
    path = f"/v1/workspaces/{tenant.simulator.tenant.workspace}/query"
    answer = tenant.client.post(path, data=b"", headers=headers)
    assert (answer.status_code, answer.data) == (200, b"")


FIRST, SECOND = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("P7D", Window(NOW - 7 * DAY, NOW)),
        ("PT86400.0S", Window(NOW - DAY, NOW)),
        ("2026-05-01T00:00:00.000Z/PT7200.0S", Window(FIRST, FIRST + timedelta(hours=2))),
        ("P1D/2026-05-02T00:00:00Z", Window(FIRST, SECOND)),
        ("2026-05-01", Window(FIRST, NOW)),
        ("2026-05-01T02:00:00+02:00/2026-05-02", Window(FIRST, SECOND)),
    ],
)
def test_timespans(text: str, window: Window) -> None:
    assert parse_timespan(text, NOW) == window


@given(st.text(max_size=60) | st.from_regex(r"P[0-9.DTHMSYW/]{0,20}", fullmatch=True))
def test_a_timespan_is_read_or_refused(text: str) -> None:
    try:
        window = parse_timespan(text, NOW)
    except TimespanError:
        return
    assert window.start.tzinfo is not None and window.end.tzinfo is not None


def test_hostile_query_text_reaches_nothing(tenant: Tenant) -> None:
    for query in ("externaldata(a:string)[h'file:///etc/passwd']", "print 1; .drop table X", "read_csv('/etc/passwd')"):
        answer = tenant.graph("POST", "/runHuntingQuery", json={"Query": query})
        assert answer.status_code == 400, query
        assert "root:" not in answer.text


def real_data() -> Path:
    folder = Path(__file__).resolve().parents[2] / "../shared/data/security-datasets"
    if not folder.is_dir():
        pytest.skip("the shared data folder is absent")
    return folder


@pytest.fixture(scope="module")
def with_real_data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = real_data() / "psh_mshta_html_application_execution.zip"
    now = datetime(2026, 5, 15, 16, 30, tzinfo=UTC)
    notes: list[str] = []
    options = Options(
        state=tmp_path_factory.mktemp("real"), devices=10, days=1, connections=4, now=now, telemetry=(path,), shift=True
    )
    simulator = build(options, notes.append)
    yield Tenant(simulator, Client(Application(simulator)))
    simulator.state.close()


def test_real_telemetry_stands_beside_the_story_and_ends_now(with_real_data: Tenant) -> None:
    rows = with_real_data.rows(
        "DeviceProcessEvents | extend Real = DeviceName !endswith '.northwharf.example' "
        "| summarize Rows = count(), Last = max(Timestamp), First = min(Timestamp) by Real"
    )
    found = {row["Real"]: row for row in rows}
    assert found[True]["Rows"] > 0 and found[False]["Rows"] > 0
    assert "2026-05-15T16:2" <= found[True]["Last"] <= "2026-05-15T16:30:00.0000000Z"
    answer = with_real_data.workspace("SecurityEvent | where Computer startswith 'WORKSTATION5' | count").json
    assert answer["tables"][0]["rows"][0][0] > 0
