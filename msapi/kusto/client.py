"""One cluster: queries, management commands, the schema.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/
"""

import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from msapi.errors import BadReply, InvalidParameter, NetworkError, Unavailable
from msapi.kusto.cloud import Cloud, cloud_of
from msapi.kusto.cluster import SERVICE, ClusterEndpoint, KustoAudience
from msapi.kusto.frames import first_table
from msapi.kusto.parameters import Parameter, declared, quoted_name
from msapi.kusto.results import KustoResult
from msapi.kusto.transport import ClusterTransport
from msapi.reading import mapping, objects, text
from msapi.results import Column, kql_type
from msapi.tokens import TokenProvider
from msapi.transport import Call, CallRecord

_APP: Final = "IRCase"
_COMMENTS: Final = re.compile(r"(?:\s+|//[^\n]*(?:\n|$))*")
_OWN_IDS: Final = re.compile(r"[\w.;:-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """A window that the engine puts on every table that has the column, both ends included.
    https://learn.microsoft.com/kusto/api/rest/request-properties (query_datetimescope_*)"""

    column: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class KustoTable:
    """A table, materialised view or external table of a database: `kind` is "table", "view" or "external"."""

    name: str
    columns: tuple[Column, ...]
    kind: str = "table"
    folder: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """A database as the editor and the check of a hunt's tables need it."""

    name: str
    tables: tuple[KustoTable, ...]


class Kusto:
    """One cluster, safe to share between threads. Methods raise an `ApiError`."""

    def __init__(
        self,
        endpoint: ClusterEndpoint,
        tokens: TokenProvider,
        *,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.sleep = sleep
        self._transport = ClusterTransport(endpoint, tokens, sleep=sleep, jitter=jitter, on_call=on_call)
        self._lock = threading.Lock()
        self._known: Cloud | None = None

    def query(
        self,
        database: str,
        query: str,
        *,
        parameters: Mapping[str, Parameter] | None = None,
        scope: Scope | None = None,
        server_timeout: int | None = None,
        client_request_id: str = "",
    ) -> KustoResult:
        """Run KQL in a database, read-only; close the result when done with it.

        `server_timeout` is in seconds, 3,600 at most. `parameters` travel beside the text, never in it.
        """
        wait = server_timeout or self.endpoint.kusto.server_timeout
        self._check(database, query, wait)
        given = parameters or {}
        own_id = _request_id("Query", client_request_id)
        properties = {
            "Options": {
                "servertimeout": str(timedelta(seconds=wait)).zfill(8),
                "request_readonly": True,
                "results_progressive_enabled": False,
                **(_scope_options(scope) if scope else {}),
            },
            "Parameters": {name: parameter.sent() for name, parameter in given.items()},
            "ClientRequestId": own_id,
        }
        reply = self._transport.spool(
            Call(
                self._audience(),
                "POST",
                "/v2/rest/query",
                body={"db": database, "csl": declared(query, given), "properties": json.dumps(properties)},
                headers={**_headers(own_id), "x-ms-readonly": "true"},
                is_query=True,
                cap=self.endpoint.kusto.reply_bytes,
                read_timeout=float(wait) + 30.0,
            )
        )
        try:
            activity = reply.headers.get("x-ms-activity-id", "") or reply.request_id or own_id
            return KustoResult(reply.body, request_id=activity, client_request_id=own_id)
        except BaseException:
            reply.close()
            raise

    def manage(self, database: str, command: str, *, idempotent: bool = False) -> list[dict[str, Any]]:
        """Run a management command; its first table, a dictionary per row. Only an `idempotent` one is repeated after
        an outcome in doubt, else `Ambiguous` is raised."""
        if not command.lstrip().startswith("."):
            raise InvalidParameter("A management command begins with a dot.", service=SERVICE)
        own_id = _request_id("Command", "")
        document = self._transport.json(
            Call(
                self._audience(),
                "POST",
                "/v1/rest/mgmt",
                body={"db": database, "csl": command, "properties": json.dumps({"ClientRequestId": own_id})},
                headers=_headers(own_id),
                idempotent=idempotent,
                read_timeout=float(self.endpoint.kusto.server_timeout) + 30.0,
            )
        )
        columns, rows = first_table(document)
        names = [column.name for column in columns]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def databases(self) -> tuple[str, ...]:
        """The databases that the app may see."""
        rows = self.manage("", ".show databases", idempotent=True)
        return tuple(name for row in rows if (name := text(row, "DatabaseName")))

    def schema(self, database: str) -> Database:
        """Tables and columns of a database.
        https://learn.microsoft.com/kusto/management/show-schema-database"""
        command = f".show database {quoted_name(database)} schema as json"
        rows = self.manage(database, command, idempotent=True)
        written = next((value for row in rows for value in row.values()), None)
        try:
            document = json.loads(written) if isinstance(written, str) else written
        except (ValueError, RecursionError):
            document = None
        known = mapping(mapping(document, "Databases"), database) or _only(mapping(document, "Databases"))
        if not known:
            raise BadReply(f"{SERVICE} sent no readable schema of {database}.", service=SERVICE)
        return Database(text(known, "Name") or database, _tables(known))

    def send(self, database: str, table: str, mapping_name: str, body: bytes) -> None:
        """Stream one gzip-compressed body of JSON rows into a table; Ambiguous where its outcome is unknown.
        https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/streaming-ingest"""
        path = f"/v1/rest/ingest/{quote(database, safe='')}/{quote(table, safe='')}"
        call = Call(
            self._audience(),
            "POST",
            path,
            params={"streamFormat": "MultiJSON", "mappingName": mapping_name},
            content=body,
            headers={**_headers(_request_id("Ingest", "")), "Content-Encoding": "gzip"},
            idempotent=False,
            read_timeout=max(self.endpoint.limits.read_timeout, 120.0),
        )
        # What a success says is not read: the rows are counted in the end.
        self._transport.spool(call).close()

    def cloud(self) -> Cloud:
        """For whom the cluster's tokens are issued; asked once."""
        with self._lock:
            attempt = 1
            while self._known is None:
                try:
                    self._known = cloud_of(self.endpoint, self._transport.session)
                except (NetworkError, Unavailable) as error:
                    if error.permanent or attempt >= self.endpoint.limits.attempts:
                        raise
                    self.sleep(self.endpoint.limits.backoff * attempt)
                    attempt += 1
            return self._known

    def close(self) -> None:
        """Close the connections held open."""
        self._transport.close()

    def _audience(self) -> KustoAudience:
        return self.cloud().audience

    def _check(self, database: str, query: str, wait: int) -> None:
        longest = self.endpoint.kusto.longest
        if not database.strip() or len(database) > 1024:
            raise InvalidParameter("A query needs the name of a database.", service=SERVICE)
        begin = _COMMENTS.match(query)
        rest = query[begin.end() :] if begin else query
        if not rest:
            raise InvalidParameter("The query is empty.", service=SERVICE)
        if rest.startswith("."):
            raise InvalidParameter("This is a management command, not a query; a hunt only reads.", service=SERVICE)
        if not 1 <= wait <= longest:
            raise InvalidParameter(f"The time limit is 1 to {longest} seconds.", service=SERVICE)


def _headers(own_id: str) -> dict[str, str]:
    return {"x-ms-client-request-id": own_id, "x-ms-app": _APP, "x-ms-client-version": _APP}


def _request_id(kind: str, given: str) -> str:
    if given and not _OWN_IDS.fullmatch(given):
        raise InvalidParameter("A client request id is letters, digits and . ; : - _, 200 at most.", service=SERVICE)
    return given or f"{_APP}.{kind};{uuid.uuid4()}"


def _scope_options(scope: Scope) -> dict[str, str]:
    quoted_name(scope.column)
    return {
        "query_datetimescope_column": scope.column,
        "query_datetimescope_from": _moment(scope.start),
        "query_datetimescope_to": _moment(scope.end),
    }


def _moment(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _only(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one database of an answer: names are matched without regard to case by the service, not by us."""
    values = [value for value in known.values() if isinstance(value, Mapping)]
    return values[0] if len(values) == 1 else {}


def _tables(known: Mapping[str, Any]) -> tuple[KustoTable, ...]:
    kinds = (("Tables", "table"), ("MaterializedViews", "view"), ("ExternalTables", "external"))
    found = [
        KustoTable(
            name=text(raw, "Name") or name,
            columns=tuple(
                Column(text(column, "Name"), kql_type(text(column, "CslType", "Type")))
                for column in objects(raw, "OrderedColumns")
                if text(column, "Name")
            ),
            kind=kind,
            folder=text(raw, "Folder"),
            description=text(raw, "DocString"),
        )
        for key, kind in kinds
        for name, raw in mapping(known, key).items()
    ]
    return tuple(sorted(found, key=lambda table: table.name.lower()))
