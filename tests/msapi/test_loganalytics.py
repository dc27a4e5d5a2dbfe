"""Log Analytics through Microsoft's client, over sockets."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import certifi
import pytest

from msapi import errors
from msapi.endpoint import Endpoint
from msapi.loganalytics import LogAnalytics
from msapi.tokens import TokenProvider
from tests.msapi.support import TENANT, Answer, Request, Server, answer, endpoint_for, error

WORKSPACE = "99999999-8888-7777-6666-555555555555"
PATH = f"/v1/workspaces/{WORKSPACE}/query"
COLUMNS = [
    {"name": "TimeGenerated", "type": "datetime"},
    {"name": "n", "type": "long"},
    {"name": "d", "type": "dynamic"},
    {"name": "r", "type": "real"},
]
ROWS = [["2026-01-01T00:00:00.1234567Z", 1, '{"x":1}', "NaN"], [None, None, None, 1.5]]
TABLES = {"tables": [{"name": "PrimaryResult", "columns": COLUMNS, "rows": ROWS}]}


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def logs(endpoint: Endpoint, naps: list[float]) -> Iterator[LogAnalytics]:
    client = LogAnalytics(endpoint, TokenProvider(endpoint), sleep=naps.append, jitter=lambda: 0.0)
    yield client
    client.close()


def test_a_query(server: Server, logs: LogAnalytics) -> None:
    server.on("POST", PATH, answer(TABLES, x_ms_request_id="r-9"))
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    with logs.query(WORKSPACE, "T | take 2", (start, end), server_timeout=120) as result:
        assert [(column.name, column.type) for column in result.columns] == [
            ("TimeGenerated", "datetime"), ("n", "long"), ("d", "dynamic"), ("r", "real"),
        ]  # fmt: skip
        assert list(result.rows) == [("2026-01-01T00:00:00.1234567Z", 1, {"x": 1}, "NaN"), (None, None, None, 1.5)]
        assert (result.truncated, result.row_count, result.request_id) == (False, 2, "r-9")
    request = server.seen(PATH)[0]
    assert request.json["query"] == "T | take 2"
    assert request.json["timespan"] == "2026-01-01T00:00:00.000Z/2026-01-02T00:00:00.000Z"
    assert request.headers["Prefer"] == "wait=120"
    assert request.headers["Authorization"].startswith("Bearer eyJ")
    scope = server.seen(f"/{TENANT}/oauth2")[0].form["scope"]
    assert scope == "https://api.loganalytics.io/.default"


def test_own_authority_wins_over_the_environment(
    server: Server, logs: LogAnalytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    server.on("POST", PATH, answer(TABLES))
    assert logs.query(WORKSPACE, "T", timedelta(days=1)).row_count == 2
    assert server.seen(PATH)[0].json["timespan"] == "PT86400.0S"


def test_plain_http_on_this_machine(server: Server, ca_pem: str) -> None:
    plain = Server()
    plain.on("POST", PATH, answer(TABLES))
    endpoint = endpoint_for(server, ca_pem, loganalytics_url=plain.url)
    assert LogAnalytics(endpoint, TokenProvider(endpoint)).query(WORKSPACE, "T").row_count == 2
    plain.close()


def test_a_partial_result_is_truncated_with_the_reason(server: Server, logs: LogAnalytics) -> None:
    reason = "The results exceeded 500000 rows (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)"
    detail = {"code": "EngineError", "message": "engine", "innererror": {"code": "-2133196797", "message": reason}}
    partial = {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [detail],
    }
    server.on("POST", PATH, answer({**TABLES, "error": partial}))
    with logs.query(WORKSPACE, "T") as result:
        assert result.truncated and reason in result.notice
        assert len(list(result.rows)) == 2


def test_only_the_first_table_counts(server: Server, logs: LogAnalytics) -> None:
    other = {"rows": [["x"]], "name": "Stats", "columns": [{"name": "s", "type": "string"}]}
    first = {"rows": [[1]], "columns": [{"name": "n", "type": "int"}], "name": "PrimaryResult"}
    server.on("POST", PATH, answer({"tables": [first, other]}))
    with logs.query(WORKSPACE, "T") as result:
        assert (list(result.rows), result.columns[0].name) == ([(1,)], "n")


def test_an_error_in_the_query_has_its_place(server: Server, logs: LogAnalytics) -> None:
    inner = {"code": "SYN0002", "message": "A recognition error occurred", "line": 1, "pos": 5, "token": "x"}
    nest = {"code": "SyntaxError", "message": "A recognition error", "innererror": inner}
    body = {
        "error": {"message": "The request had some invalid properties", "code": "BadArgumentError", "innererror": nest}
    }
    server.on("POST", PATH, answer(body, 400))
    with pytest.raises(errors.BadQuery) as caught:
        logs.query(WORKSPACE, "T x")
    assert (caught.value.line, caught.value.position) == (1, 5)


@pytest.mark.parametrize(
    ("end", "kind", "calls"),
    [
        (error(403, "InsufficientAccessError", "no"), errors.Forbidden, 1),
        (error(404, "PathNotFoundError", "no"), errors.NotFound, 1),
        (error(400, "FailedToResolveResource", "no"), errors.NotFound, 1),
        (error(401, "AuthenticationFailed", "no"), errors.Unauthorized, 2),
        (error(429, "ThrottledError", "no", Retry_After="3600"), errors.Throttled, 1),
        (error(429, "ThrottledError", "no"), errors.Throttled, 3),
        (error(502, "x"), errors.Unavailable, 3),
        (error(503, "x"), errors.Unavailable, 3),
        (error(504, "GatewayTimeout"), errors.QueryTimeout, 1),
        (Answer(200, b""), errors.BadReply, 1),
        (Answer(204, b""), errors.ApiError, 1),
        (Answer(200, b"<html>"), errors.BadReply, 1),
        (Answer(200, b'{"tables": []}'), errors.BadReply, 1),
        (Answer(200, json.dumps(TABLES).encode(), cut=30), errors.NetworkError, 3),
        (Answer(drop=True), errors.NetworkError, 3),
    ],
)
def test_failures(
    server: Server, logs: LogAnalytics, naps: list[float], end: Answer, kind: type[errors.ApiError], calls: int
) -> None:
    server.on("POST", PATH, end)
    with pytest.raises(kind) as caught:
        logs.query(WORKSPACE, "T")
    assert len(server.seen(PATH)) == calls
    assert caught.value.service == "Log Analytics" and "eyJ" not in str(caught.value)


def test_throttling_is_waited_out(server: Server, logs: LogAnalytics, naps: list[float]) -> None:
    server.on("POST", PATH, error(429, "ThrottledError", "no", Retry_After="4"), answer(TABLES))
    assert logs.query(WORKSPACE, "T").row_count == 2
    assert naps == [4.0]


def test_a_refused_token_is_renewed(server: Server, logs: LogAnalytics) -> None:
    server.on("POST", PATH, error(401, "AuthenticationFailed"), answer(TABLES))
    assert logs.query(WORKSPACE, "T").row_count == 2
    first, second = (request.headers["Authorization"] for request in server.seen(PATH))
    assert first != second


def test_answers_are_capped(server: Server, ca_pem: str) -> None:
    small = endpoint_for(server, ca_pem)
    small = replace(small, limits=replace(small.limits, hunting_bytes=50))
    server.on("POST", PATH, answer(TABLES))
    with pytest.raises(errors.ResultTooLarge):
        LogAnalytics(small, TokenProvider(small)).query(WORKSPACE, "T")


def test_rows_that_do_not_fit_are_said(server: Server, logs: LogAnalytics) -> None:
    server.on("POST", PATH, answer({"tables": [{"name": "P", "columns": COLUMNS, "rows": [[1]]}]}))
    with logs.query(WORKSPACE, "T") as result, pytest.raises(errors.BadReply, match="fit its schema"):
        list(result.rows)


@pytest.mark.parametrize(
    ("workspace", "query", "wait"), [("name", "T", 10), (WORKSPACE, " ", 10), (WORKSPACE, "T", 601)]
)
def test_refused_here(server: Server, logs: LogAnalytics, workspace: str, query: str, wait: int) -> None:
    with pytest.raises(errors.InvalidParameter):
        logs.query(workspace, query, server_timeout=wait)
    assert server.requests == []


def test_without_the_authority_the_host_is_not_trusted(server: Server, endpoint: Endpoint) -> None:
    bare = endpoint_for(server, None)
    with pytest.raises(errors.NetworkError, match="not trusted"):
        LogAnalytics(bare, TokenProvider(endpoint)).query(WORKSPACE, "T")


def test_many_at_once_do_not_mix(server: Server, logs: LogAnalytics) -> None:
    together = threading.Barrier(5)

    def echo(request: Request) -> Answer:
        name = request.json["query"]
        together.wait(5)
        return answer({"tables": [{"name": "P", "columns": [{"name": "q", "type": "string"}], "rows": [[name]]}]})

    server.on("POST", PATH, echo)
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda name: next(logs.query(WORKSPACE, name).rows)[0], [f"q{n}" for n in range(30)]))
    assert found == [f"q{n}" for n in range(30)]
