"""The simulated cluster: tokens, frames, commands, ingestion, limits and faults."""

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from msapi import errors
from msapi.endpoint import ApiLimits, Endpoint, Secret
from msapi.kusto import ClusterEndpoint, Ingestion, Kusto, KustoLimits, Parameter, Scope
from msapi.results import Column
from msapi.tokens import TokenProvider
from simulator.clock import parse_iso
from simulator.kusto.store import made_tables
from simulator.state import State
from tests.simulator.conftest import GRAPH, Running, Tenant

KUSTO = "https://kusto.kusto.windows.net/.default"
COLUMNS = "(When:datetime, ['User Name']:string, Count:long, Detail:dynamic)"
MAPPING = json.dumps(
    [
        {"column": name, "Properties": {"Path": f"$.{key}"}}
        for name, key in (("When", "w"), ("User Name", "u"), ("Count", "n"), ("Detail", "d"))
    ]
)


def query(tenant: Tenant, text: str, database: str = "Telemetry", app: str = "ircase", **properties: Any) -> Any:
    body = {"db": database, "csl": text, "properties": json.dumps(properties)}
    return tenant.client.post("/v2/rest/query", json=body, headers=tenant.token(KUSTO, app))


def rows(tenant: Tenant, text: str, database: str = "Telemetry", **properties: Any) -> list[list[Any]]:
    answer = query(tenant, text, database, **properties)
    assert answer.status_code == 200, answer.text
    return primary(answer)["Rows"]


def primary(answer: Any) -> dict[str, Any]:
    return next(frame for frame in json.loads(answer.data) if frame.get("TableKind") == "PrimaryResult")


def command(tenant: Tenant, text: str, database: str = "Cases", app: str = "ircase", **options: Any) -> Any:
    body = {"db": database, "csl": text, "properties": {"Options": options}}
    return tenant.client.post("/v1/rest/mgmt", json=body, headers=tenant.token(KUSTO, app))


def ingest(tenant: Tenant, body: bytes, table: str = "Pushed", app: str = "ircase", **query: str) -> Any:
    asked = {"streamFormat": "MultiJSON", "mappingName": "m", **query}
    headers = {**tenant.token(KUSTO, app), "Content-Encoding": "gzip"}
    return tenant.client.post(
        f"/v1/rest/ingest/Cases/{table}", data=gzip.compress(body), query_string=asked, headers=headers
    )


@pytest.fixture
def pushed(tenant: Tenant) -> Tenant:
    for text in (
        ".drop table Pushed ifexists",
        f".create-merge table Pushed {COLUMNS}",
        ".alter table Pushed policy streamingingestion enable",
        f".create-or-alter table ['Pushed'] ingestion json mapping 'm' '{MAPPING}'",
        ".clear table Pushed cache streamingingestion schema",
    ):
        assert command(tenant, text).status_code == 200, text
    return tenant


def test_metadata_needs_no_token_and_names_the_audience(tenant: Tenant) -> None:
    known = tenant.client.get("/v1/rest/auth/metadata").json["AzureAD"]
    assert known["KustoServiceResourceId"] + "/.default" == KUSTO
    assert known["LoginEndpoint"].startswith("https://")


def test_only_a_token_for_the_cluster_is_taken(tenant: Tenant) -> None:
    body = {"db": "Telemetry", "csl": "print 1"}
    for headers in ({}, tenant.token(GRAPH), {"Authorization": "Bearer x.y.z"}):
        answer = tenant.client.post("/v2/rest/query", json=body, headers=headers)
        assert (answer.status_code, answer.data) == (401, b"")
    assert tenant.client.get("/v1.0/security/incidents", headers=tenant.token(KUSTO)).status_code == 401


def test_an_answer_is_frames_with_typed_columns(tenant: Tenant) -> None:
    answer = query(tenant, "print n = 1, t = datetime(2026-01-02), s = 'x', d = dynamic({'a': [1]}), z = 1.5")
    frames = json.loads(answer.data)
    assert [frame["FrameType"] for frame in frames] == ["DataSetHeader", *["DataTable"] * 3, "DataSetCompletion"]
    assert [(one["ColumnName"], one["ColumnType"]) for one in frames[2]["Columns"]] == [
        ("n", "long"), ("t", "datetime"), ("s", "string"), ("d", "dynamic"), ("z", "real"),
    ]  # fmt: skip
    assert frames[2]["Rows"] == [[1, "2026-01-02T00:00:00.0000000Z", "x", '{"a":[1]}', 1.5]]
    assert frames[-1] == {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}
    assert answer.headers["x-ms-activity-id"] and answer.headers["x-ms-client-request-id"]


def test_the_telemetry_is_there(tenant: Tenant) -> None:
    counted = tenant.rows("DeviceInfo | where DeviceName != '' | count")[0]["Count"]
    ((here,),) = rows(tenant, "DeviceInfo | where DeviceName != '' | count")
    assert here >= counted > 0


def test_parameters_are_bound_beside_the_text(tenant: Tenant) -> None:
    text = "declare query_parameters(who:string, least:long, at:datetime); print who, least, at"
    hostile = 'x"; .drop table T //'
    values = {"who": hostile, "least": 7, "at": "datetime(2026-01-02T03:04:05Z)"}
    assert rows(tenant, text, Parameters=values) == [[hostile, 7, "2026-01-02T03:04:05.0000000Z"]]
    refused = query(tenant, text, Parameters={"who": "x"})
    assert refused.status_code == 400 and "least" in refused.text


def test_a_window_is_put_on_tables_that_have_the_column(tenant: Tenant) -> None:
    everything = rows(tenant, "DeviceInfo | summarize min(Timestamp), max(Timestamp), count()")[0]
    options = {"query_datetimescope_column": "Timestamp", "query_datetimescope_from": everything[1]}
    (inside,) = rows(tenant, "DeviceInfo | summarize min(Timestamp), count()", Options=options)
    assert inside[0] == everything[1] and 0 < inside[1] < everything[2]


def test_truncation_is_said_in_the_rows_and_at_the_end(tenant: Tenant) -> None:
    answer = query(tenant, "range x from 1 to 10 step 1", Options={"truncationmaxrecords": 3})
    found = primary(answer)["Rows"]
    assert found[:3] == [[1], [2], [3]]
    (error,) = found[3]["OneApiErrors"]
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in error["error"]["@message"] and "record count limit 3" in str(error)
    end = json.loads(answer.data)[-1]
    assert end["HasErrors"] and end["OneApiErrors"] == [error]
    by_text = query(tenant, "set truncationmaxrecords = 4; range x from 1 to 10 step 1")
    assert len(primary(by_text)["Rows"]) == 5
    free = {"truncationmaxrecords": 10**9}
    assert len(rows(tenant, "set notruncation; range x from 1 to 10 step 1", Options=free)) == 10


def test_a_progressive_answer_takes_its_first_rows_back(tenant: Tenant) -> None:
    answer = query(tenant, "range x from 1 to 3 step 1", Options={"results_progressive_enabled": True})
    frames = json.loads(answer.data)
    assert frames[0]["IsProgressive"] is True
    kinds = [(one["TableFragmentType"], one["Rows"]) for one in frames if one["FrameType"] == "TableFragment"]
    assert kinds == [("DataAppend", [[1]]), ("DataReplace", [[1], [2], [3]])]


@pytest.mark.parametrize(
    ("text", "code", "word"), [("T |", "SYN0002", "Syntax"), ("NoSuchTable | take 1", "SEM0100", "Semantic")]
)
def test_query_errors_are_nested(tenant: Tenant, text: str, code: str, word: str) -> None:
    answer = query(tenant, text)
    error = answer.json["error"]
    assert answer.status_code == 400 and error["innererror"]["code"] == code
    assert error["@message"].startswith(f"{word} error") and error["@permanent"] is True


def test_rights_are_by_database(tenant: Tenant) -> None:
    assert query(tenant, "print 1", app="ircase-readonly").status_code == 200
    assert query(tenant, "print 1", "Cases", app="ircase-readonly").status_code == 403
    assert query(tenant, "print 1", "Nowhere").status_code == 400
    assert command(tenant, ".create table X (a:string)", "Telemetry").status_code == 403
    assert command(tenant, ".create table X (a:string)", request_readonly=True).status_code == 400
    assert command(tenant, ".show databases", app="ircase-readonly").json["Tables"][0]["Rows"] == [["Telemetry", ""]]


def test_rows_ingested_are_seen_by_queries(pushed: Tenant) -> None:
    body = b'{"w":"2026-01-01T00:00:00Z","u":"a","n":1,"d":{"x":[1]}}\n{"u":"b","n":"no number"}'
    assert ingest(pushed, body).json["Tables"][0]["Rows"] == [[2, "Inactive"]]
    assert ingest(pushed, b'[{"u":"c","n":3}]').status_code == 200
    assert rows(pushed, "Pushed | order by ['User Name'] asc", "Cases") == [
        ["2026-01-01T00:00:00.0000000Z", "a", 1, '{"x":[1]}'],
        [None, "b", None, None],
        [None, "c", 3, None],
    ]


def test_a_table_made_and_its_schema(pushed: Tenant) -> None:
    written = command(pushed, ".show database ['Cases'] schema as json").json["Tables"][0]["Rows"][0][0]
    columns = json.loads(written)["Databases"]["Cases"]["Tables"]["Pushed"]["OrderedColumns"]
    assert columns[1] == {"Name": "User Name", "Type": "System.String", "CslType": "string"}
    assert rows(pushed, "Pushed | count", "Cases") == [[0]]
    widened = command(pushed, ".create-merge table Pushed (Extra:bool)")
    assert widened.json["Tables"][0]["Rows"][0][1].endswith("Extra:bool")
    assert command(pushed, ".create-merge table Pushed (Count:string)").status_code == 400
    assert command(pushed, ".create table Pushed (a:string)").status_code == 400


@pytest.mark.parametrize(
    ("body", "asked", "status"),
    [
        (b"{broken", {}, 400),
        (b"[1]", {}, 400),
        (b"\xff", {}, 400),
        (b'{"u":"a"}', {"mappingName": "other"}, 400),
        (b'{"u":"a"}', {"streamFormat": "Avro"}, 400),
        (b'{"u":"' + b"x" * (4 * 2**20) + b'"}', {}, 413),
    ],
)
def test_a_bad_body_leaves_nothing(pushed: Tenant, body: bytes, asked: dict[str, str], status: int) -> None:
    assert ingest(pushed, body, **asked).status_code == status
    assert rows(pushed, "Pushed | count", "Cases") == [[0]]


def test_a_body_that_breaks_off_is_refused(pushed: Tenant) -> None:
    headers = {**pushed.token(KUSTO), "Content-Encoding": "gzip"}
    asked = {"streamFormat": "MultiJSON", "mappingName": "m"}
    for body in (gzip.compress(b'{"u":"a"}')[:-9], b"not gzip"):
        answer = pushed.client.post("/v1/rest/ingest/Cases/Pushed", data=body, query_string=asked, headers=headers)
        assert answer.status_code == 400
    assert rows(pushed, "Pushed | count", "Cases") == [[0]]


def test_streaming_must_be_switched_on(pushed: Tenant) -> None:
    assert command(pushed, ".alter table Pushed policy streamingingestion disable").status_code == 200
    assert "StreamingIngestionPolicyNotEnabled" in ingest(pushed, b'{"u":"a"}').text
    assert ingest(pushed, b'{"u":"a"}', app="ircase-readonly").status_code == 403


@pytest.mark.parametrize(
    "text",
    [".drop database Cases", ".show", ".create table (", ".create table T (a:nothing)", "print 1", ".ingest inline"],
)
def test_unknown_commands_are_syntax_errors(tenant: Tenant, text: str) -> None:
    answer = command(tenant, text)
    assert answer.status_code == 400 and "SYN0002" in answer.text


def test_faults_strike_in_the_clusters_shape(tenant: Tenant) -> None:
    tenant.fault(match="/v2/rest/query", fault="429", retry_after=3)
    throttled = query(tenant, "print 1")
    assert throttled.status_code == 429 and throttled.headers["Retry-After"] == "3"
    assert throttled.json["error"]["@permanent"] is False
    tenant.fault(match="/v2/rest/query", fault="401")
    assert query(tenant, "print 1").data == b""
    tenant.fault(match="/v2/rest/query", fault="partial", where="completion")
    answer = query(tenant, "print 1")
    assert primary(answer)["Rows"] == [[1]] and json.loads(answer.data)[-1]["HasErrors"]
    recorded = tenant.client.get("/_sim/requests?path=/v2/rest").json["requests"]
    assert {entry["service"] for entry in recorded} == {"kusto"}


def test_tables_outlive_the_process(pushed: Tenant) -> None:
    ingest(pushed, b'{"u":"a","n":1}')
    simulator = pushed.simulator
    again = State(simulator.options.state / "simulator.sqlite")
    known = made_tables(replace(simulator, state=again))["Pushed"]
    again.close()
    assert known.streaming and known.mappings["m"]["User Name"] == "u"
    assert all((simulator.options.state / "kusto" / file).exists() for file in known.files) and known.files


# --- our own client, over https


@pytest.fixture
def kusto(running: Running) -> Iterator[Kusto]:
    yield from connected(running, "ircase")


@pytest.fixture
def reader(running: Running) -> Iterator[Kusto]:
    yield from connected(running, "ircase-readonly")


def connected(running: Running, app: str, **limits: Any) -> Iterator[Kusto]:
    running.session().delete(f"{running.url}/_sim/faults", timeout=10)
    known = running.ready["apps"][app]
    endpoint = Endpoint(
        running.ready["tenant_id"],
        known["client_id"],
        Secret(known["client_secret"]),
        login_url=running.url,
        graph_url=running.url,
        defender_url=running.url,
        loganalytics_url=running.url,
        ca_pem=Path(running.ready["ca"]).read_text(encoding="utf-8"),
        limits=ApiLimits(backoff=0.0),
    )
    settings = KustoLimits(**{"chunk_bytes": 40_000, "settle": (0.0,), **limits})
    client = Kusto(ClusterEndpoint.of(endpoint, running.url, settings), TokenProvider(endpoint), sleep=lambda _: None)
    yield client
    client.close()


def fault(running: Running, **body: Any) -> None:
    assert running.session().post(f"{running.url}/_sim/faults", json=body, timeout=10).status_code == 201


def test_client_queries_with_parameters_and_a_window(kusto: Kusto) -> None:
    text = "print who = Who, moment = datetime(2026-01-02T03:04:05.1234567Z), d = dynamic({'a':1})"
    with kusto.query("Telemetry", text, parameters={"Who": Parameter('a"; drop')}) as result:
        ((who, moment, dynamic),) = list(result.rows)
        assert (who, dynamic, result.truncated_by) == ('a"; drop', {"a": 1}, "")
        assert moment.startswith("2026-01-02T03:04:05.123456")
    spans = "DeviceInfo | summarize Rows = count(), First = min(Timestamp), Last = max(Timestamp)"
    with kusto.query("Telemetry", spans) as result:
        ((everything, _, last),) = list(result.rows)
    end = parse_iso(last)
    with kusto.query("Telemetry", spans, scope=Scope("Timestamp", end - timedelta(seconds=1), end)) as result:
        ((inside, _, _),) = list(result.rows)
    assert 0 < inside < everything


def test_client_reads_truncation_and_partial_failure(kusto: Kusto, running: Running) -> None:
    with kusto.query("Telemetry", "set truncationmaxrecords = 3; range x from 1 to 9 step 1") as result:
        assert [row for (row,) in result.rows] == [1, 2, 3]
        assert result.truncated and result.truncated_by == "rows"
    with kusto.query("Telemetry", "set truncationmaxsize = 40; range x from 1 to 99 step 1") as result:
        assert 0 < result.row_count < 99 and result.truncated_by == "bytes"
    for where in ("rows", "completion"):
        fault(running, match="/v2/rest/query", fault="partial", where=where)
        with kusto.query("Telemetry", "print 1") as result:
            assert list(result.rows) == [(1,)] and "Low memory" in result.truncated_by


def test_client_errors(kusto: Kusto, reader: Kusto, running: Running) -> None:
    with pytest.raises(errors.BadQuery, match="NoSuch"):
        kusto.query("Telemetry", "NoSuch | take 1")
    with pytest.raises(errors.Forbidden, match="not authorized to read database 'Cases'"):
        reader.query("Cases", "print 1")
    with pytest.raises(errors.BadRequest, match="Nowhere"):
        kusto.manage("Nowhere", ".show tables")
    fault(running, match="/v2/rest/query", fault="429", times=1, retry_after=0)
    with kusto.query("Telemetry", "print 1") as result:
        assert result.row_count == 1
    fault(running, match="/v2/rest/query", fault="401", times=1)
    with kusto.query("Telemetry", "print 1") as result:
        assert result.row_count == 1
    assert set(reader.databases()) == {"Telemetry"}


COLUMNS_OF_A_CASE = (
    Column("Timestamp", "datetime"), Column("Nom d'hôte", "string"), Column("n", "long"), Column("d", "dynamic"),
)  # fmt: skip
RECORDS = [
    {"Timestamp": "2026-01-01T00:00:00.1234567Z", "Nom d'hôte": f"ws{number} \u00e9", "n": number, "d": {"k": [number]}}
    for number in range(1000)
]


def emptied(kusto: Kusto, table: str) -> Any:
    kusto.manage("Cases", f".drop table {table} ifexists")
    return Ingestion(kusto).prepare("Cases", table, COLUMNS_OF_A_CASE)


def test_a_push_is_made_once_however_often_it_is_begun(kusto: Kusto) -> None:
    target = emptied(kusto, "Once")
    assert target.renamed == {"Nom d'hôte": "Nom d_h_te"}
    first = Ingestion(kusto).push(target, RECORDS[:400], "sha256:a")
    assert (first.rows, first.sent, first.duplicates, first.missing) == (400, 400, 0, 0) and first.chunks > 1
    second = Ingestion(kusto).push(Ingestion(kusto).prepare("Cases", "Once", COLUMNS_OF_A_CASE), RECORDS, "sha256:a")
    assert (second.rows, second.sent) == (1000, 600)
    third = Ingestion(kusto).push(target, RECORDS, "sha256:a")
    assert (third.rows, third.sent, third.chunks) == (1000, 0, 0)
    other = Ingestion(kusto).push(target, RECORDS[:5], "sha256:b")
    assert other.rows == 5
    with kusto.query("Cases", "Once | where n == 7 | project Timestamp, ['Nom d_h_te'], d | take 1") as result:
        ((moment, name, dynamic),) = list(result.rows)
    assert moment.startswith("2026-01-01T00:00:00.123456") and (name, dynamic) == ("ws7 é", {"k": [7]})
    tables = {table.name: table for table in kusto.schema("Cases").tables}
    assert [column.type for column in tables["Once"].columns] == [
        "datetime", "string", "long", "dynamic", "string", "long",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["reset", "reset_after", "503", "truncated_reply"])
def test_a_push_whose_outcome_is_in_doubt_loses_and_doubles_nothing(kusto: Kusto, running: Running, kind: str) -> None:
    target = emptied(kusto, "Doubt")
    fault(running, match="/v1/rest/ingest", fault=kind, times=2)
    done = Ingestion(kusto).push(target, RECORDS, "sha256:a")
    assert (done.rows, done.duplicates, done.missing) == (1000, 0, 0)
    with kusto.query("Cases", "Doubt | summarize count(), sum(n), max(IRCaseRow)") as result:
        assert list(result.rows) == [(1000, 499_500, 999)]


def test_a_push_given_up_goes_on_later(kusto: Kusto, running: Running) -> None:
    target = emptied(kusto, "Later")
    fault(running, match="/v1/rest/ingest", fault="reset", times=3)
    with pytest.raises(errors.Unavailable, match="goes on where it is"):
        Ingestion(kusto).push(target, RECORDS[:10], "s")
    fault(running, match="/v1/rest/ingest", fault="not_json", times=1)
    assert Ingestion(kusto).push(target, RECORDS[:10], "s").rows == 10


def test_a_push_says_what_it_leaves_out_and_can_be_stopped(kusto: Kusto) -> None:
    target = emptied(kusto, "Large")
    rows_of_two_sizes = [RECORDS[0], {**RECORDS[1], "Nom d'hôte": "x" * 50_000}, RECORDS[2]]
    done = Ingestion(kusto).push(target, rows_of_two_sizes, "s")
    assert (done.rows, done.too_large) == (2, 1)
    sent: list[int] = []
    stop = threading.Event()
    with pytest.raises(errors.Cancelled):
        Ingestion(kusto).push(target, RECORDS, "t", cancel=stop, on_sent=lambda n: (sent.append(n), stop.set()))
    assert len(sent) == 1
    assert Ingestion(kusto).push(target, RECORDS, "t").rows == 1000


def test_a_reader_cannot_push(reader: Kusto) -> None:
    with pytest.raises(errors.Forbidden, match="Admin"):
        Ingestion(reader).prepare("Cases", "No", COLUMNS_OF_A_CASE)
