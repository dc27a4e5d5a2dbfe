"""A cluster's client: addresses and audiences, frames made by hand, and a server over sockets."""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msapi import errors
from msapi.clients import clients_for
from msapi.endpoint import Audience, Endpoint
from msapi.kusto import (
    ROW,
    SOURCE,
    ClusterEndpoint,
    Ingestion,
    Kusto,
    KustoLimits,
    KustoResult,
    Parameter,
    Scope,
    cluster_problem,
    kusto_bucket,
    quoted_name,
)
from msapi.kusto.ingest import _chunks
from msapi.kusto.parameters import allowed_name, declared, text_literal
from msapi.results import Column
from msapi.tokens import TokenProvider
from tests.msapi.support import TENANT, Answer, Request, Server, answer, endpoint_for

QUERY, MGMT, INGEST = "/v2/rest/query", "/v1/rest/mgmt", "/v1/rest/ingest/"
HEADER = {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"}
END = {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}
COLUMNS = [
    {"ColumnName": "t", "ColumnType": "datetime"},
    {"ColumnName": "n", "ColumnType": "long"},
    {"ColumnName": "d", "ColumnType": "dynamic"},
]
ROWS = [["2026-01-01T00:00:00.1234567Z", 1, '{"x":1}'], [None, 2**60, {"y": [2]}]]
OTHER = {
    "FrameType": "DataTable", "TableId": 0, "TableKind": "QueryProperties", "TableName": "@ExtendedProperties",
    "Columns": [{"ColumnName": "Key", "ColumnType": "string"}], "Rows": [["not a result"], [["nested"]]],
}  # fmt: skip


def failure(text: str, code: str = "LimitsExceeded") -> dict[str, Any]:
    return {"error": {"code": code, "message": "Request aborted.", "@message": text, "@permanent": False}}


TOO_MANY = failure("Query result set has exceeded the internal record count limit 2 (E_QUERY_RESULT_SET_TOO_LARGE)")
TOO_LARGE = failure("Query result set has exceeded the internal data size limit 9 (E_QUERY_RESULT_SET_TOO_LARGE)")


def table(rows: list[Any], table_id: int = 1) -> dict[str, Any]:
    return {
        "FrameType": "DataTable", "TableId": table_id, "TableKind": "PrimaryResult", "TableName": "PrimaryResult",
        "Columns": COLUMNS, "Rows": rows,
    }  # fmt: skip


def frames(*rows: Any, end: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [HEADER, OTHER, table(list(rows)), end or END]


def read(document: Any) -> KustoResult:
    return KustoResult(io.BytesIO(json.dumps(document).encode()))


# --- frames


def test_rows_are_typed_and_other_tables_left_out() -> None:
    with read(frames(*ROWS)) as result:
        assert [(column.name, column.type) for column in result.columns] == [
            ("t", "datetime"), ("n", "long"), ("d", "dynamic"),
        ]  # fmt: skip
        wanted = [("2026-01-01T00:00:00.1234567Z", 1, {"x": 1}), (None, 2**60, {"y": [2]})]
        assert list(result.rows) == wanted == list(result.rows)
        assert (result.truncated, result.truncated_by, result.row_count) == (False, "", 2)


@pytest.mark.parametrize(
    ("document", "by"),
    [
        (frames(*ROWS, {"OneApiErrors": [TOO_MANY]}), "rows"),
        (frames(*ROWS, end={**END, "HasErrors": True, "OneApiErrors": [TOO_LARGE]}), "bytes"),
        (frames(*ROWS, {"OneApiErrors": [failure("a node was lost")]}), "a node was lost"),
        (frames(*ROWS, {"Exceptions": ["an older engine's words"]}), "an older engine's words"),
        (frames(*ROWS, end={**END, "HasErrors": True}), "The query had errors."),
        (frames(*ROWS, end={**END, "Cancelled": True}), "The query was cancelled."),
    ],
)
def test_what_cut_the_rows_is_said_and_the_rows_are_kept(document: Any, by: str) -> None:
    with read(document) as result:
        assert len(list(result.rows)) == 2
        assert (result.truncated, result.truncated_by) == (True, by)


def test_a_flood_of_failures_is_cut_short() -> None:
    flood = [{"OneApiErrors": [failure(f"reason {number}")]} for number in range(5000)]
    with read(frames(*ROWS, *flood)) as result:
        assert result.row_count == 2 and len(result.truncated_by) <= 1000 and "reason 21" not in result.truncated_by


def test_a_second_table_is_not_dropped_in_silence() -> None:
    with read([HEADER, table(ROWS[:1]), table(ROWS, 2), END]) as result:
        assert result.row_count == 1 and "several result tables" in result.truncated_by


@pytest.mark.parametrize(
    "document",
    [
        frames({"OneApiErrors": [failure("Query result set has exceeded (E_QUERY_RESULT_SET_TOO_LARGE)")]}),
        [HEADER, {**END, "HasErrors": True, "OneApiErrors": [failure("(E_QUERY_RESULT_SET_TOO_LARGE)")]}],
        failure("late: E_QUERY_RESULT_SET_TOO_LARGE"),
    ],
)
def test_an_error_without_rows_is_raised(document: Any) -> None:
    with pytest.raises(errors.ResultTooLarge):
        list(read(document).rows)


def progressive(*fragments: tuple[str, list[Any]]) -> list[dict[str, Any]]:
    begin = {
        "FrameType": "TableHeader", "TableId": 7, "TableKind": "PrimaryResult", "TableName": "x", "Columns": COLUMNS,
    }  # fmt: skip
    parts = [
        {"FrameType": "TableFragment", "TableId": 7, "FieldCount": 3, "TableFragmentType": kind, "Rows": rows}
        for kind, rows in fragments
    ]
    stray = {"FrameType": "TableFragment", "TableId": 8, "TableFragmentType": "DataReplace", "Rows": [ROWS[0]]}
    going = {"FrameType": "TableProgress", "TableId": 7, "TableProgress": 50.0}
    return [
        {**HEADER, "IsProgressive": True},
        OTHER,
        begin,
        stray,
        going,
        *parts,
        {"FrameType": "TableCompletion"},
        END,
    ]


def test_progressive_frames_keep_what_stands_at_the_end() -> None:
    first, second = ROWS
    rows = [[None, number, None] for number in range(4)]
    with read(progressive(("DataAppend", [first]), ("DataReplace", [second]), ("DataReplace", rows[:2]),
                          ("DataAppend", rows[2:]))) as result:  # fmt: skip
        assert [number for _, number, _ in result.rows] == [0, 1, 2, 3]
        assert not result.truncated
    with read(progressive(("DataAppend", [first]), ("DataAppend", [second]))) as result:
        assert result.row_count == 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"<html>", b"[1]", b"[{}]", json.dumps([HEADER, END]).encode(),
        json.dumps([HEADER, {**table([]), "Columns": "x"}, END]).encode(),
        json.dumps([HEADER, {**table([]), "Columns": [{"ColumnName": "a"}, {"ColumnName": "a"}]}, END]).encode(),
        b"[" * 300,
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(errors.BadReply):
        list(KustoResult(io.BytesIO(body)).rows)


@pytest.mark.parametrize("document", [frames(["too short"]), frames("no list"), [HEADER, table(ROWS)]])
def test_rows_that_do_not_fit_and_a_missing_end_are_said(document: Any) -> None:
    with read(document) as result, pytest.raises(errors.BadReply):
        list(result.rows)


@given(st.integers(0, 700))
def test_an_answer_cut_anywhere_never_passes_for_whole(cut: int) -> None:
    body = json.dumps(frames(*ROWS)).encode()
    with pytest.raises(errors.BadReply):
        list(KustoResult(io.BytesIO(body[: min(cut, len(body) - 1)])).rows)


# --- names, parameters, addresses


@given(st.text(max_size=40))
def test_names_and_texts_cannot_leave_their_quotes(text: str) -> None:
    taken: set[str] = set()
    assert quoted_name(allowed_name(text, taken)).count("'") == 2
    inside = text_literal(text)[1:-1]
    assert "'" not in inside.replace("\\\\", "").replace("\\'", "") and "\n" not in inside
    with suppress(errors.InvalidParameter):
        assert quoted_name(text) == f"['{text}']" and "'" not in text


def test_names_stay_apart() -> None:
    taken = {SOURCE, ROW}
    assert [allowed_name(name, taken) for name in ("a/b", "a:b", SOURCE, "")] == [
        "a_b",
        "a_b_2",
        f"{SOURCE}_2",
        "Column",
    ]


@pytest.mark.parametrize(
    ("value", "kind", "sent"),
    [
        ('x"; T', "string", 'x"; T'), (7, "long", 7), (True, "bool", "true"), ("1.5", "real", "real(1.5)"),
        ("2026-01-01T00:00:00Z", "datetime", "datetime(2026-01-01T00:00:00Z)"),
        ("1.02:03:04", "timespan", "timespan(1.02:03:04)"), ({"a": [1]}, "dynamic", 'dynamic({"a": [1]})'),
        ("12345678-1234-1234-1234-123456789abc", "guid", "guid(12345678-1234-1234-1234-123456789abc)"),
    ],
)  # fmt: skip
def test_parameters(value: Any, kind: str, sent: str | int) -> None:
    assert Parameter(value, kind).sent() == sent
    assert declared("T", {"p": Parameter(value, kind)}) == f"declare query_parameters(p:{kind}); T"


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", "long"), (2**63, "long"), (2**31, "int"), (True, "long"), (1, "string"), (float("nan"), "dynamic"),
     ("now()); drop", "datetime"), ("1) | x", "real"), ("x", "nothing")],
)  # fmt: skip
def test_values_of_another_type_are_refused(value: Any, kind: str) -> None:
    with pytest.raises(errors.InvalidParameter):
        Parameter(value, kind).sent()


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://help.kusto.windows.net", ""), ("https://c.westeurope.kusto.windows.net/", ""),
        ("https://c.kusto.usgovcloudapi.net", ""), ("https://c.kusto.chinacloudapi.cn", ""),
        ("https://ade.loganalytics.io/subscriptions/a/resourcegroups/b", ""), ("http://localhost:8080", ""),
        ("http://help.kusto.windows.net", "https"), ("https://evil.example", "not a host"),
        ("https://kusto.windows.net.evil.example", "not a host"), ("https://10.0.0.5", "not a host"),
        ("https://evilkusto.windows.net", "not a host"), ("https://u:p@help.kusto.windows.net", "scheme and a host"),
        ("https://169.254.169.254", "not a host"), ("https://[::1", "not a URL"), ("", "scheme and a host"),
    ],
)  # fmt: skip
def test_addresses(url: str, word: str) -> None:
    problem = cluster_problem(url)
    assert (problem == "") if not word else (word in problem)


def test_a_cluster_beside_a_tenants_services(endpoint: Endpoint) -> None:
    cluster = ClusterEndpoint.of(endpoint, "https://c.kusto.windows.net/")
    assert cluster.url(Audience.GRAPH) == endpoint.url(Audience.GRAPH)
    assert kusto_bucket(cluster).concurrency == 10 and "c.kusto.windows.net" in kusto_bucket(cluster).key
    clients = clients_for(endpoint)
    assert clients.cluster("https://c.kusto.windows.net") is clients.cluster("https://c.kusto.windows.net/")
    with pytest.raises(errors.InvalidParameter):
        clients.cluster("https://evil.example")


# --- over sockets


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def kusto(server: Server, endpoint: Endpoint, naps: list[float]) -> Iterator[Kusto]:
    metadata(server)
    limits = KustoLimits(chunk_bytes=200, settle=(0.5,))
    client = Kusto(
        ClusterEndpoint.of(endpoint, server.url, limits), TokenProvider(endpoint), sleep=naps.append, jitter=lambda: 0.0
    )
    yield client
    client.close()


def metadata(server: Server, **known: Any) -> None:
    cloud = {"LoginEndpoint": server.url, "KustoServiceResourceId": "https://kusto.kusto.windows.net", **known}
    server.on("GET", "/v1/rest/auth/metadata", answer({"AzureAD": cloud}))


def scopes(server: Server) -> list[str]:
    return [request.form["scope"] for request in server.seen(f"/{TENANT}/oauth2")]


def test_a_query_as_it_is_sent(server: Server, kusto: Kusto) -> None:
    server.on("POST", QUERY, answer(frames(*ROWS), x_ms_activity_id="act-1"))
    scope = Scope("Timestamp", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    given = {"Who": Parameter('a"b')}
    with kusto.query("DB", "T | where u == Who", parameters=given, scope=scope, server_timeout=90,
                     client_request_id="IRCase.Run;7") as result:  # fmt: skip
        assert (result.row_count, result.request_id, result.client_request_id) == (2, "act-1", "IRCase.Run;7")
    (request,) = server.seen(QUERY)
    assert request.json["db"] == "DB"
    assert request.json["csl"] == "declare query_parameters(Who:string); T | where u == Who"
    properties = json.loads(request.json["properties"])
    assert properties == {
        "Options": {
            "servertimeout": "00:01:30",
            "request_readonly": True,
            "results_progressive_enabled": False,
            "query_datetimescope_column": "Timestamp",
            "query_datetimescope_from": "2026-01-01T00:00:00.000000Z",
            "query_datetimescope_to": "2026-01-02T00:00:00.000000Z",
        },
        "Parameters": {"Who": 'a"b'},
        "ClientRequestId": "IRCase.Run;7",
    }
    assert request.headers["x-ms-client-request-id"] == "IRCase.Run;7" and request.headers["x-ms-readonly"] == "true"
    assert scopes(server) == ["https://kusto.kusto.windows.net/.default"]
    (asked,) = server.seen("/v1/rest/auth/metadata")
    assert "Authorization" not in asked.headers


def test_a_sovereign_cloud_names_its_audience(server: Server, kusto: Kusto) -> None:
    metadata(server, KustoServiceResourceId="https://kusto.kusto.usgovcloudapi.net/")
    server.on("POST", QUERY, answer(frames()))
    kusto.query("DB", "T").close()
    assert scopes(server) == ["https://kusto.kusto.usgovcloudapi.net/.default"]


def test_a_cluster_that_says_nothing_has_its_clouds_audience(server: Server, kusto: Kusto) -> None:
    server.on("GET", "/v1/rest/auth/metadata", Answer(404))
    server.on("POST", QUERY, answer(frames()))
    kusto.query("DB", "T").close()
    assert scopes(server) == ["https://kusto.kusto.windows.net/.default"]


@pytest.mark.parametrize(
    ("known", "code"),
    [
        ({"KustoServiceResourceId": "https://graph.microsoft.com"}, "ForeignAudience"),
        ({"KustoServiceResourceId": "https://kusto.windows.net.evil.example"}, "ForeignAudience"),
        ({"KustoServiceResourceId": "http://kusto.kusto.windows.net"}, "ForeignAudience"),
        ({"LoginEndpoint": "https://login.microsoftonline.us"}, "OtherCloud"),
    ],
)
def test_no_token_is_asked_for_a_foreign_audience(
    server: Server, kusto: Kusto, known: dict[str, str], code: str
) -> None:
    metadata(server, **known)
    with pytest.raises(errors.SignInFailed) as caught:
        kusto.query("DB", "T")
    assert caught.value.code == code and scopes(server) == [] and server.seen(QUERY) == []


@pytest.mark.parametrize("end", [Answer(302, headers={"Location": "/x"}), Answer(200, b"<html>"), Answer(503)])
def test_metadata_that_cannot_be_read(server: Server, kusto: Kusto, end: Answer) -> None:
    server.on("GET", "/v1/rest/auth/metadata", end)
    with pytest.raises((errors.BadReply, errors.Unavailable)):
        kusto.query("DB", "T")


def test_metadata_is_asked_again_after_a_broken_connection_and_then_kept(server: Server, kusto: Kusto) -> None:
    known = {"AzureAD": {"KustoServiceResourceId": "https://kusto.kusto.windows.net"}}
    server.on("GET", "/v1/rest/auth/metadata", Answer(drop=True), Answer(503), answer(known))
    server.on("POST", QUERY, answer(frames(*ROWS)))
    for _ in range(2):
        with kusto.query("DB", "T") as result:
            assert result.row_count == 2
    assert len(server.seen("/v1/rest/auth/metadata")) == 3


SEMANTIC = {
    "error": {
        "code": "General_BadRequest", "message": "Request is invalid and cannot be executed.",
        "@message": "Semantic error: SEM0100: no table named 'aaa'", "@permanent": True,
        "innererror": {"code": "SEM0100", "message": "A semantic error occurred.",
                       "@message": "no table named 'aaa'", "@line": 2, "@pos": 5},
    }
}  # fmt: skip


@pytest.mark.parametrize(
    ("end", "kind", "calls", "words"),
    [
        (answer(SEMANTIC, 400), errors.BadQuery, 1, "no table named 'aaa'"),
        (answer(failure("E_RUNAWAY_QUERY"), 400), errors.QueryTimeout, 1, "cost too much"),
        (answer(TOO_LARGE, 400), errors.ResultTooLarge, 1, "too large"),
        (Answer(401), errors.Unauthorized, 2, "belongs to this tenant"),
        (answer(failure("not authorized to read"), 403), errors.Forbidden, 1, "not authorized to read"),
        (Answer(404), errors.NotFound, 1, "Check its URL"),
        (answer(failure("queue"), 429, Retry_After="3600"), errors.Throttled, 1, "wait"),
        (answer(failure("queue"), 429), errors.Throttled, 3, "wait"),
        (Answer(503), errors.Unavailable, 3, "not available"),
        (answer(failure("time"), 504), errors.QueryTimeout, 1, "ran out of time"),
        (Answer(520), errors.Unavailable, 1, "520"),
        (Answer(302, headers={"Location": "https://evil.example"}), errors.BadReply, 1, "302"),
        (Answer(200, b""), errors.BadReply, 1, "not JSON"),
        (Answer(200, json.dumps(frames()).encode(), cut=30), errors.NetworkError, 3, "broke off"),
        (Answer(drop=True), errors.NetworkError, 3, "gave no answer"),
    ],
)
def test_failures(
    server: Server, kusto: Kusto, end: Answer, kind: type[errors.ApiError], calls: int, words: str
) -> None:
    server.on("POST", QUERY, end)
    with pytest.raises(kind, match=words) as caught:
        kusto.query("DB", "T\n| x")
    assert len(server.seen(QUERY)) == calls
    assert caught.value.service == "Azure Data Explorer" and "eyJ" not in str(caught.value)


def test_the_place_of_an_error(server: Server, kusto: Kusto) -> None:
    server.on("POST", QUERY, answer(SEMANTIC, 400, x_ms_activity_id="act-9"))
    with pytest.raises(errors.BadQuery) as caught:
        kusto.query("DB", "T")
    assert (caught.value.line, caught.value.position, caught.value.request_id) == (2, 5, "act-9")


def test_answers_are_capped(server: Server, endpoint: Endpoint) -> None:
    metadata(server)
    server.on("POST", QUERY, answer(frames(*ROWS)))
    small = ClusterEndpoint.of(endpoint, server.url, KustoLimits(reply_bytes=50))
    with pytest.raises(errors.ResultTooLarge):
        Kusto(small, TokenProvider(endpoint)).query("DB", "T")


def test_an_untrusted_certificate(server: Server, endpoint: Endpoint) -> None:
    bare = ClusterEndpoint.of(replace(endpoint, ca_pem=None), server.url)
    with pytest.raises(errors.NetworkError, match="not trusted"):
        Kusto(bare, TokenProvider(endpoint)).query("DB", "T")


@pytest.mark.parametrize(
    ("database", "query", "wait"),
    [("", "T", 10), ("DB", "  // only words", 10), ("DB", ".drop table T", 10), ("DB", "// x\n .show tables", 10),
     ("DB", "T", 3601)],
)  # fmt: skip
def test_refused_here(server: Server, kusto: Kusto, database: str, query: str, wait: int) -> None:
    with pytest.raises(errors.InvalidParameter):
        kusto.query(database, query, server_timeout=wait)
    assert server.requests == []


def test_the_schema(server: Server, kusto: Kusto) -> None:
    columns = [{"Name": "t", "Type": "System.DateTime", "CslType": "datetime"}, {"Name": "n", "Type": "System.Int32"}]
    known = {
        "Name": "DB",
        "Tables": {"T": {"Name": "T", "OrderedColumns": columns, "DocString": "what"}},
        "MaterializedViews": {"V": {"Name": "V", "OrderedColumns": columns[:1]}},
    }
    written = json.dumps({"Databases": {"DB": known}})
    reply = {"Tables": [{"TableName": "Table_0", "Columns": [{"ColumnName": "DatabaseSchema", "DataType": "String"}],
                         "Rows": [[written]]}]}  # fmt: skip
    server.on("POST", MGMT, answer(reply))
    database = kusto.schema("DB")
    assert server.seen(MGMT)[0].json["csl"] == ".show database ['DB'] schema as json"
    assert [(one.name, one.kind, one.description) for one in database.tables] == [
        ("T", "table", "what"),
        ("V", "view", ""),
    ]
    assert database.tables[0].columns == (Column("t", "datetime"), Column("n", "int"))
    with pytest.raises(errors.InvalidParameter):
        kusto.schema("DB'] | x")


@pytest.mark.parametrize("document", [None, [], {"Tables": []}, {"Tables": [{"Columns": [], "Rows": [[1]]}]}])
def test_a_command_that_is_not_answered(server: Server, kusto: Kusto, document: Any) -> None:
    server.on("POST", MGMT, answer(document))
    with pytest.raises(errors.BadReply):
        kusto.manage("DB", ".show tables")


# --- ingestion


class Cluster:
    """Holds what was streamed, as a table would."""

    def __init__(self, server: Server) -> None:
        self.rows: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.hidden = 0
        done = {"Tables": [{"Columns": [{"ColumnName": "x", "ColumnType": "string"}], "Rows": [["ok"]]}]}
        server.on("POST", MGMT, answer(done))
        server.on("POST", QUERY, self.query)
        server.on("POST", INGEST, self.take)

    def query(self, request: Request) -> Answer:
        source = json.loads(request.json["properties"])["Parameters"]["Source"]
        self.hidden -= 1
        found = [row["r"] for row in self.rows if row["s"] == source and self.hidden < 0]
        columns = [{"ColumnName": "Rows", "ColumnType": "long"}, {"ColumnName": "Last", "ColumnType": "long"}]
        return answer([HEADER, {**table([[len(found), max(found, default=None)]]), "Columns": columns}, END])

    def take(self, request: Request) -> Answer:
        assert request.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(request.body)
        self.sizes.append(len(body))
        self.rows += [json.loads(line) for line in body.splitlines()]
        return answer({"Tables": []})

    def take_and_drop(self, request: Request) -> Answer:
        self.take(request)
        return Answer(drop=True)


PUSHED = (Column("n", "long"), Column("it's", "string"))
RECORDS = [{"n": number, "it's": "x" * 20} for number in range(10)]


def test_preparing_a_table(server: Server, kusto: Kusto) -> None:
    Cluster(server)
    target = Ingestion(kusto).prepare("DB", "T 1", PUSHED)
    commands = [request.json["csl"] for request in server.seen(MGMT)]
    assert commands[0] == f".create-merge table ['T 1'] (['n']:long, ['it_s']:string, {SOURCE}:string, {ROW}:long)"
    assert commands[1] == ".alter table ['T 1'] policy streamingingestion enable"
    assert commands[2].startswith(".create-or-alter table ['T 1'] ingestion json mapping 'ircase_json' '[{")
    assert commands[3] == ".clear table ['T 1'] cache streamingingestion schema"
    assert target.renamed == {"it's": "it_s"}
    for columns in ((), (Column("a", "nothing"),), (Column("a", "long"), Column("a", "long"))):
        with pytest.raises(errors.InvalidParameter):
            Ingestion(kusto).prepare("DB", "T", columns)
    with pytest.raises(errors.InvalidParameter):
        Ingestion(kusto).prepare("DB", "T'] (x:long)", PUSHED)


def test_rows_go_in_order_in_chunks(server: Server, kusto: Kusto) -> None:
    cluster, ingestion = Cluster(server), Ingestion(kusto)
    target = ingestion.prepare("DB", "T", PUSHED)
    done = ingestion.push(target, RECORDS, "s")
    assert (done.rows, done.sent, done.chunks) == (10, 10, len(cluster.sizes)) and done.chunks > 1
    assert max(cluster.sizes) <= 200 and [row["r"] for row in cluster.rows] == list(range(10))
    assert cluster.rows[3] == {"s": "s", "r": 3, "c0": 3, "c1": "x" * 20}
    request = server.seen(INGEST)[0]
    assert request.path == "/v1/rest/ingest/DB/T"
    assert request.query == {"streamFormat": ["MultiJSON"], "mappingName": ["ircase_json"]}
    assert ingestion.push(target, RECORDS, "s").sent == 0
    with pytest.raises(errors.InvalidParameter, match="Row 0"):
        ingestion.push(target, [{"n": float("nan")}], "other")


def test_an_answer_that_was_lost_is_looked_for_first(server: Server, kusto: Kusto, naps: list[float]) -> None:
    cluster, ingestion = Cluster(server), Ingestion(kusto)
    target = ingestion.prepare("DB", "T", PUSHED)
    server.on("POST", INGEST, cluster.take_and_drop, Answer(drop=True), cluster.take)
    done = ingestion.push(target, RECORDS, "s")
    assert (done.rows, done.duplicates, done.missing) == (10, 0, 0)
    assert [row["r"] for row in cluster.rows] == list(range(10))
    assert 0.5 in naps


def test_rows_that_came_twice_or_are_not_seen_yet_are_said(server: Server, kusto: Kusto) -> None:
    cluster, ingestion = Cluster(server), Ingestion(kusto)
    target = ingestion.prepare("DB", "T", PUSHED)
    cluster.hidden = 99
    assert ingestion.push(target, RECORDS, "s").missing == 10
    assert ingestion.push(target, RECORDS, "s").sent == 10
    cluster.hidden = 0
    assert ingestion.push(target, RECORDS, "s").duplicates == 10
    assert target.unique == f"['T'] | summarize take_any(*) by {SOURCE}, {ROW}"


def test_throttled_ingestion_is_waited_out(server: Server, kusto: Kusto, naps: list[float]) -> None:
    cluster, ingestion = Cluster(server), Ingestion(kusto)
    target = ingestion.prepare("DB", "T", PUSHED)
    server.on("POST", INGEST, answer(failure("queue"), 429, Retry_After="4"), cluster.take)
    assert ingestion.push(target, RECORDS, "s").rows == 10
    assert naps == [4.0] and len(cluster.rows) == 10


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(50, 120))
def test_chunks_keep_order_and_size(sizes: list[int], limit: int) -> None:
    lines = [(number, b"x" * size) for number, size in enumerate(sizes)]
    found = list(_chunks(iter(lines), limit))
    assert [line for chunk in found for line in chunk] == lines
    assert all(sum(len(line) for _, line in chunk) <= limit for chunk in found)
    assert all(
        sum(len(line) for _, line in one) + len(after[0][1]) > limit
        for one, after in zip(found, found[1:], strict=False)
    )


def test_a_connections_other_settings_are_kept(server: Server, ca_pem: str) -> None:
    endpoint = endpoint_for(server, ca_pem)
    cluster = ClusterEndpoint.of(endpoint, "https://c.kusto.windows.net")
    assert (cluster.tenant_id, cluster.ca_pem, cluster.limits) == (endpoint.tenant_id, ca_pem, endpoint.limits)
    assert "secret" not in repr(cluster).replace("secret=Secret(***)", "")
