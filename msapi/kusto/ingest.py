"""Rows pushed to a cluster by streaming ingestion, each once however often the push is begun again.

Extents that were streamed carry no tags, so `ingest-by:` cannot tell what is there. Every row therefore carries its
source and its number in it. Rows are sent in order; before a push, and after an outcome in doubt, the cluster is asked
for the last number it holds, and the push goes on from there.
https://learn.microsoft.com/azure/data-explorer/ingest-data-streaming
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.errors import Ambiguous, Cancelled, InvalidParameter, Unavailable
from msapi.kusto.client import Kusto
from msapi.kusto.cluster import SERVICE
from msapi.kusto.parameters import Parameter, allowed_name, quoted_name, text_literal
from msapi.results import Column

SOURCE: Final = "IRCaseSource"
ROW: Final = "IRCaseRow"
_MAPPING: Final = "ircase_json"
_TYPES: Final = frozenset(
    {"bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "guid", "dynamic"}
)
_COLUMNS: Final = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is ready to take rows. `names` gives each column's name on the cluster by its own."""

    database: str
    table: str
    columns: tuple[Column, ...]
    names: Mapping[str, str]

    @property
    def renamed(self) -> dict[str, str]:
        """The columns whose names the cluster does not take, with the names they have there."""
        return {ours: theirs for ours, theirs in self.names.items() if ours != theirs}

    @property
    def unique(self) -> str:
        """The table in KQL with every row once, should a row have arrived twice."""
        return f"{quoted_name(self.table)} | summarize take_any(*) by {SOURCE}, {ROW}"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a push left behind. `rows` are on the cluster for this source, `sent` went this time.

    `too_large`: rows longer than a request may be, which were left out. `cut_values`: values longer than the cluster
    keeps. `missing` were taken but cannot be seen yet; `duplicates` came twice (read `Target.unique` then).
    """

    rows: int
    sent: int
    chunks: int
    too_large: int = 0
    cut_values: int = 0
    missing: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _Progress:
    """Counted while rows are read."""

    expected: int = 0
    sent: int = 0
    chunks: int = 0
    too_large: int = 0
    cut_values: int = 0


Line = tuple[int, bytes]


class Ingestion:
    """Pushes to one cluster. Methods raise an `ApiError`."""

    def __init__(self, kusto: Kusto) -> None:
        self._kusto = kusto
        self._limits = kusto.endpoint.kusto

    def prepare(self, database: str, table: str, columns: Iterable[Column]) -> Target:
        """Make the table, its mapping and its policy, or add what they lack; harmless to repeat.

        The app must be Admin of the database (or of the table). A column whose type differs from the cluster's is
        refused by the cluster.
        """
        target = _target(database, table, tuple(columns))
        name = quoted_name(table)
        written = text_literal(json.dumps(_mapping(target)))
        for command in (
            f".create-merge table {name} ({_columns(target)})",
            f".alter table {name} policy streamingingestion enable",
            f".create-or-alter table {name} ingestion json mapping '{_MAPPING}' {written}",
            # Nodes keep a schema for minutes, and would drop what a new column holds.
            # https://learn.microsoft.com/kusto/management/clear-schema-cache-command
            f".clear table {name} cache streamingingestion schema",
        ):
            self._kusto.manage(database, command, idempotent=True)
        return target

    def push(
        self,
        target: Target,
        rows: Iterable[Mapping[str, Any]],
        source: str,
        *,
        cancel: threading.Event | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> Ingested:
        """Send rows, keyed by column name, in the form of the record. `source` names them for good (an evidence's
        hash): the same source must give the same rows in the same order. `on_sent` hears how many went so far.

        Raises Cancelled once `cancel` is set; a later push goes on from there.
        """
        if not source or len(source) > 200:
            raise InvalidParameter("A push needs the name of its source, 200 characters at most.", service=SERVICE)
        progress = _Progress()
        _, last = self._present(target, source)
        lines = self._lines(target, rows, source, progress)
        for chunk in _chunks((line for line in lines if line[0] > last), self._limits.chunk_bytes):
            if cancel is not None and cancel.is_set():
                raise Cancelled("The push was stopped; begun again, it goes on where it is.", service=SERVICE)
            self._deliver(target, source, chunk)
            progress.sent += len(chunk)
            progress.chunks += 1
            if on_sent is not None:
                on_sent(progress.sent)
        return self._counted(target, source, progress)

    def _deliver(self, target: Target, source: str, chunk: list[Line]) -> None:
        """Send one chunk; after an outcome in doubt, look first and send again only what is not there."""
        for _ in range(max(1, self._kusto.endpoint.limits.attempts)):
            try:
                body = gzip.compress(b"".join(line for _, line in chunk), 6)
                return self._kusto.send(target.database, target.table, _MAPPING, body)
            except Ambiguous:
                last = self._settled(target, source, chunk[-1][0])
                chunk = [line for line in chunk if line[0] > last]
                if not chunk:
                    return None
        raise Unavailable(
            "The cluster does not say whether it took the rows. Begin the push again; it goes on where it is.",
            service=SERVICE,
        )

    def _settled(self, target: Target, source: str, awaited: int) -> int:
        """The last row there, once the awaited one is or the time for it is over."""
        _, last = self._present(target, source)
        for pause in self._limits.settle:
            if last >= awaited:
                break
            self._kusto.sleep(pause)
            _, last = self._present(target, source)
        return last

    def _present(self, target: Target, source: str) -> tuple[int, int]:
        """How many rows of the source the cluster holds, and the number of the last one (-1 without any)."""
        query = f"{quoted_name(target.table)} | where {SOURCE} == Source | summarize Rows = count(), Last = max({ROW})"
        with self._kusto.query(target.database, query, parameters={"Source": Parameter(source)}) as result:
            count, last = next(result.rows, (0, None))
        return (count if isinstance(count, int) else 0), (last if isinstance(last, int) else -1)

    def _counted(self, target: Target, source: str, progress: _Progress) -> Ingested:
        there, _ = self._present(target, source)
        for pause in self._limits.settle:
            if there >= progress.expected:
                break
            self._kusto.sleep(pause)
            there, _ = self._present(target, source)
        return Ingested(
            rows=there,
            sent=progress.sent,
            chunks=progress.chunks,
            too_large=progress.too_large,
            cut_values=progress.cut_values,
            missing=max(0, progress.expected - there),
            duplicates=max(0, there - progress.expected),
        )

    def _lines(
        self, target: Target, rows: Iterable[Mapping[str, Any]], source: str, progress: _Progress
    ) -> Iterator[Line]:
        names = [column.name for column in target.columns]
        for number, row in enumerate(rows):
            document = {"s": source, "r": number}
            for index, name in enumerate(names):
                value = row.get(name)
                if value is not None:
                    document[f"c{index}"] = value
            line = _encoded(document)
            if len(line) > self._limits.chunk_bytes:
                progress.too_large += 1
                continue
            if len(line) > self._limits.value_bytes:
                progress.cut_values += _long_values(document, self._limits.value_bytes)
            progress.expected += 1
            yield number, line


def _target(database: str, table: str, columns: tuple[Column, ...]) -> Target:
    quoted_name(database)
    quoted_name(table)
    unknown = sorted({column.type for column in columns} - _TYPES)
    if unknown or not 1 <= len(columns) <= _COLUMNS:
        problem = f"the type {unknown[0]}" if unknown else f"{len(columns)} columns; it takes 1 to {_COLUMNS}"
        raise InvalidParameter(f"The cluster does not take {problem}.", service=SERVICE)
    taken = {SOURCE, ROW}
    names = {column.name: allowed_name(column.name, taken) for column in columns}
    if len(names) != len(columns):
        raise InvalidParameter("Two columns have the same name.", service=SERVICE)
    return Target(database, table, columns, names)


def _columns(target: Target) -> str:
    """The columns as `.create-merge table` takes them.
    https://learn.microsoft.com/kusto/management/create-merge-table-command"""
    own = [f"{quoted_name(target.names[column.name])}:{column.type}" for column in target.columns]
    return ", ".join([*own, f"{SOURCE}:string", f"{ROW}:long"])


def _mapping(target: Target) -> list[dict[str, Any]]:
    """The JSON mapping: rows travel under short keys, so that no column name has to be written as a path.
    https://learn.microsoft.com/kusto/management/json-mapping"""
    paths = {target.names[column.name]: f"$.c{index}" for index, column in enumerate(target.columns)}
    everything = {**paths, SOURCE: "$.s", ROW: "$.r"}
    return [{"column": name, "Properties": {"Path": path}} for name, path in everything.items()]


def _chunks(lines: Iterable[Line], limit: int) -> Iterator[list[Line]]:
    """Lines in order, as many together as fit the limit before compression."""
    chunk: list[Line] = []
    size = 0
    for line in lines:
        if chunk and size + len(line[1]) > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line[1])
    if chunk:
        yield chunk


def _encoded(document: Mapping[str, Any]) -> bytes:
    try:
        written = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise InvalidParameter(f"Row {document['r']} holds a value that JSON cannot say.", service=SERVICE) from None
    return written.encode("utf-8", "replace") + b"\n"


def _long_values(document: Mapping[str, Any], limit: int) -> int:
    """How many values of a row are longer than the cluster keeps.
    https://learn.microsoft.com/kusto/management/encoding-policy"""
    texts = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in document.values())
    return sum(len(text.encode("utf-8", "replace")) > limit for text in texts)
