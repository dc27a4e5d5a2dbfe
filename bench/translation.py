"""Twelve hunts over a wide table: what our translation costs beside the best SQL that a person would write.

Both run in one process on one connection, set up as a query's child process is, over the same Parquet files; the KQL's
time includes reading and translating its text. What a child process costs to start is measured in ``bench.hunts``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from bench.figures import Figure, best
from kql import Column, Table
from kql.schema import exposed
from kql.sql import quote_text, sandbox
from kql.tables import relation
from kql.translate.query import translate

_NOW = datetime(2026, 1, 8, tzinfo=UTC)
_PROGRAMS = (
    "powershell.exe", "cmd.exe", "svchost.exe", "chrome.exe", "rundll32.exe", "Teams.exe", "w3wp.exe", "conhost.exe",
    "msedge.exe", "OUTLOOK.EXE",
)  # fmt: skip
_COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("DeviceName", "string"),
    Column("AccountName", "string"),
    Column("ActionType", "string"),
    Column("FileName", "string"),
    Column("FolderPath", "string"),
    Column("ProcessCommandLine", "string"),
    Column("SHA256", "string"),
    Column("ProcessId", "long"),
    Column("InitiatingProcessFileName", "string"),
    Column("AdditionalFields", "dynamic"),
)
_NET_COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("DeviceName", "string"),
    Column("InitiatingProcessId", "long"),
    Column("RemoteIP", "string"),
    Column("RemotePort", "int"),
)
_TERMS = ("mimikatz", "sekurlsa", "procdump", "rubeus", "psexec", "certutil")
_EDGES = "(?:^|[^\\pL\\pN])", "(?:$|[^\\pL\\pN])"


class Hunt(NamedTuple):
    """One hunt in both languages. ``{P}`` and ``{N}`` are the tables in SQL."""

    name: str
    kql: str
    sql: str


HUNTS = (
    Hunt(
        "has",
        'DeviceProcessEvents | where ProcessCommandLine has "mimikatz" | project Timestamp, DeviceName',
        "SELECT Timestamp, DeviceName FROM {P} WHERE regexp_matches(ProcessCommandLine, '(?i)mimikatz')"
        f" AND regexp_matches(ProcessCommandLine, '(?i){_EDGES[0]}mimikatz{_EDGES[1]}')",
    ),
    Hunt(
        "has_any of six",
        f"DeviceProcessEvents | where ProcessCommandLine has_any ({', '.join(map(json.dumps, _TERMS))})"
        " | project Timestamp, DeviceName",
        "SELECT Timestamp, DeviceName FROM {P} WHERE regexp_matches(ProcessCommandLine,"
        f" '(?i){_EDGES[0]}(?:{'|'.join(_TERMS)}){_EDGES[1]}')",
    ),
    Hunt(
        "contains",
        'DeviceProcessEvents | where ProcessCommandLine contains "dumpcreds" | project Timestamp, DeviceName',
        "SELECT Timestamp, DeviceName FROM {P} WHERE regexp_matches(ProcessCommandLine, '(?i)dumpcreds')",
    ),
    Hunt(
        "=~ and a window of time",
        'DeviceProcessEvents | where Timestamp > ago(1d) and FileName =~ "powershell.exe"'
        ' and FolderPath startswith "c:" | summarize count() by DeviceName',
        "SELECT DeviceName, count(*) FROM {P} WHERE Timestamp > TIMESTAMP '2026-01-07' AND lower(FileName) ="
        " 'powershell.exe' AND starts_with(lower(FolderPath), 'c:') GROUP BY 1",
    ),
    Hunt(
        "count, dcount by device",
        "DeviceProcessEvents | summarize Events = count(), Accounts = dcount(AccountName), First = min(Timestamp)"
        " by DeviceName",
        "SELECT DeviceName, count(*), count(DISTINCT AccountName), min(Timestamp) FROM {P} GROUP BY 1",
    ),
    Hunt(
        "arg_max(Timestamp, *)",
        "DeviceProcessEvents | summarize arg_max(Timestamp, *) by DeviceName",
        "SELECT * FROM {P} QUALIFY row_number() OVER (PARTITION BY DeviceName ORDER BY Timestamp DESC) = 1",
    ),
    Hunt(
        "parse_json, one property",
        'DeviceProcessEvents | where tostring(parse_json(AdditionalFields).Protocol) == "Icmp"'
        " | summarize count() by DeviceName",
        "SELECT DeviceName, count(*) FROM {P} WHERE AdditionalFields->>'$.Protocol' = 'Icmp' GROUP BY 1",
    ),
    Hunt(
        "three properties of a dynamic",
        "DeviceProcessEvents | extend Protocol = tostring(AdditionalFields.Protocol),"
        " Port = toint(AdditionalFields.Port), Score = tolong(AdditionalFields.Nested.Score)"
        " | summarize max(Score), dcount(Port) by Protocol",
        "SELECT AdditionalFields->>'$.Protocol', max((AdditionalFields->'$.Nested.Score')::BIGINT),"
        " count(DISTINCT (AdditionalFields->'$.Port')::INTEGER) FROM {P} GROUP BY 1",
    ),
    Hunt(
        "bin by hour and file",
        "DeviceProcessEvents | summarize count() by bin(Timestamp, 1h), FileName",
        "SELECT time_bucket(INTERVAL 1 HOUR, Timestamp), FileName, count(*) FROM {P} GROUP BY 1, 2",
    ),
    Hunt(
        "join of processes and connections",
        'DeviceProcessEvents | where FileName == "powershell.exe" | join kind=inner (DeviceNetworkEvents'
        " | where RemotePort == 443) on $left.ProcessId == $right.InitiatingProcessId, DeviceName"
        " | summarize count() by RemoteIP | top 10 by count_",
        "SELECT RemoteIP, count(*) AS n FROM {P} p JOIN {N} n ON p.ProcessId = n.InitiatingProcessId AND p.DeviceName ="
        " n.DeviceName WHERE p.FileName = 'powershell.exe' AND n.RemotePort = 443 GROUP BY 1 ORDER BY n DESC LIMIT 10",
    ),
    Hunt(
        "top 100 by time",
        "DeviceProcessEvents | where ActionType == 'ProcessCreated' | top 100 by Timestamp desc",
        "SELECT * FROM {P} WHERE ActionType = 'ProcessCreated' ORDER BY Timestamp DESC LIMIT 100",
    ),
    Hunt(
        "make_set by account",
        "DeviceProcessEvents | summarize Files = make_set(FileName), Devices = make_set(DeviceName, 100)"
        " by AccountName",
        "SELECT AccountName, list(DISTINCT FileName), list(DISTINCT DeviceName)[1:100] FROM {P} GROUP BY 1",
    ),
)


def figures(folder: Path, *, rows: int, rounds: int) -> Iterator[Figure]:
    """Two lines a hunt: SQL by hand, and KQL."""
    processes, connections = folder / "DeviceProcessEvents.parquet", folder / "DeviceNetworkEvents.parquet"
    _write(processes, _COLUMNS, _processes(rows))
    _write(connections, _NET_COLUMNS, _connections(max(rows // 10, 1)))
    connection = sandbox(memory_mb=4096, threads=2, paths=(processes, connections))
    tables = [Table(path.stem, (path,)) for path in (processes, connections)]
    sources = {table.name: exposed(relation(connection, table), frozenset()) for table in tables}
    names = {"P": _file(processes), "N": _file(connections)}
    for hunt in HUNTS:
        sql = hunt.sql.replace("{P}", names["P"]).replace("{N}", names["N"])
        group = f"Hunt: {hunt.name}"
        yield Figure(group, "DuckDB, SQL by hand", rows, "rows", best(lambda s=sql: _fetch(connection, s), rounds))
        run = best(lambda k=hunt.kql: _fetch(connection, translate(k, sources, _NOW).sql), rounds)
        yield Figure(group, "KQL, translated and run", rows, "rows", run)


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    cursor = connection.execute(sql)
    found = 0
    while batch := cursor.fetchmany(10_000):
        found += len(batch)
    return found


def _file(path: Path) -> str:
    return f"read_parquet({quote_text(str(path))})"


def _write(path: Path, columns: tuple[Column, ...], select: str) -> None:
    known = quote_text(json.dumps([[c.name, c.type, c.name] for c in columns]))
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"COPY ({select}) TO {quote_text(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA"
            f" {{'kql.columns': {known}}})"
        )


def _pick(number: str) -> str:
    return f"{list(_PROGRAMS)}[({number} % {len(_PROGRAMS)})::BIGINT + 1]"


def _processes(rows: int) -> str:
    moment = f"make_timestamp({int(_NOW.timestamp() * 1_000_000)} - 604800000000 + i * (604800000000 // {rows}))"
    command = (
        "CASE WHEN i % 5000 = 7 THEN 'cmd /c Invoke-Mimikatz -DumpCreds' WHEN i % 997 = 3 THEN"
        " 'powershell.exe -NoProfile -EncodedCommand SQBFAFgA' || hash(i) ELSE"
        " '\"C:\\Program Files\\App' || hash(i) % 300 || '\\run.exe\" --type=renderer --id=' || hash(i) END"
    )
    fields = (
        "('{\"Protocol\":\"' || ['Tcp', 'Udp', 'Icmp'][i % 3 + 1] || '\",\"Port\":' || hash(i) % 65536 ||"
        ' \',"Tags":["a","b"],"Nested":{"Score":\' || i % 100 || \'}}\')::JSON'
    )
    return (
        f"SELECT {moment} AS Timestamp, 'ws-' || hash(i) % 500 || '.contoso.com' AS DeviceName,"
        " 'user' || hash(i + 1) % 800 AS AccountName,"
        " CASE WHEN i % 3 = 0 THEN 'ProcessCreated' ELSE 'OpenProcess' END AS ActionType,"
        f" {_pick('hash(i + 2)')} AS FileName, 'C:\\Windows\\' || {_pick('hash(i + 2)')} AS FolderPath,"
        f" {command} AS ProcessCommandLine, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS SHA256,"
        f" (hash(i) % 60000)::BIGINT AS ProcessId, {_pick('hash(i + 5)')} AS InitiatingProcessFileName,"
        f" {fields} AS AdditionalFields FROM range({rows}) AS t(i)"
    )


def _connections(rows: int) -> str:
    moment = f"make_timestamp({int(_NOW.timestamp() * 1_000_000)} - 604800000000 + i * (604800000000 // {rows}))"
    return (
        f"SELECT {moment} AS Timestamp, 'ws-' || hash(i) % 500 || '.contoso.com' AS DeviceName,"
        " (hash(i) % 60000)::BIGINT AS InitiatingProcessId, '10.' || hash(i) % 256 || '.0.' || hash(i + 1) % 256"
        f" AS RemoteIP, CASE WHEN i % 2 = 0 THEN 443 ELSE 80 END::INTEGER AS RemotePort FROM range({rows}) AS t(i)"
    )
