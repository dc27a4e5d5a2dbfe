"""The grid over a table of 30 columns: pages, sorting, filters, statistics, search; p50 and p95 of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from bench.figures import Absent, Figure, Took
from ircase import grid
from kql.parquet import read_columns

_GROUP = 47_000
_COLUMNS = (
    "TIMESTAMP '2026-11-01' + to_microseconds((i * 2592000 + hash(i) % 1000000)::BIGINT) AS Timestamp",
    "'ws-' || lpad((hash(i, 1) % 2000)::VARCHAR, 4, '0') || '.contoso.com' AS DeviceName",
    "sha256(i::VARCHAR) AS SHA256",
    "(hash(i, 2) % 65536)::BIGINT AS RemotePort",
    "concat_ws('.', 10, hash(i, 3) % 256, hash(i, 4) % 256, hash(i, 5) % 256) AS RemoteIP",
    "'C:\\Windows\\System32\\svc' || (hash(i, 6) % 500) || '.exe -k ' || md5((i % 9000)::VARCHAR)"
    " AS ProcessCommandLine",
)
_MORE = (
    "'user' || (hash(i, {0} + 10) % {1}) AS Text{0}",
    "(hash(i, {0} + 10) % {1})::BIGINT AS Number{0}",
    "(hash(i, {0} + 10) % 100000) / 7.0 AS Real{0}",
)


def figures(folder: Path, *, rows: int, rounds: int) -> Iterator[Figure | Absent]:
    """Median and 95th percentile of ten times `rounds` pages of each kind, over a table of so many rows."""
    parquet = folder / "rows.parquet"
    _write(parquet, rows)
    columns = read_columns(parquet)
    group = f"Grid: {rows:,} rows x {len(columns)} columns"

    def page(**asked: object) -> Callable[[], object]:
        return lambda: grid.page(parquet, columns, **asked)  # type: ignore[arg-type]

    works = {
        "first page": page(),
        "last page": page(offset=rows - 50),
        "sorted by time": page(sort="-Timestamp"),
        "sorted by time, middle": page(sort="Timestamp", offset=rows // 2),
        "sorted by a number, deep": page(sort="Number1", offset=rows * 7 // 10),
        "sorted by SHA256": page(sort="SHA256"),
        "sorted by SHA256, deep": page(sort="SHA256", offset=rows * 7 // 10),
        "one device": page(filters=[grid.Filter("DeviceName", "ws-0007.contoso.com", "equals")]),
        "command line contains": page(filters=[grid.Filter("ProcessCommandLine", "svc17.exe")], sort="-Timestamp"),
        "all pass, sorted": page(filters=[grid.Filter("DeviceName", "contoso")], sort="Number1"),
        "one row in full": lambda: grid.row(parquet, columns, rows * 3 // 4),
        "statistics of a text": lambda: grid.statistics(parquet, columns, "DeviceName"),
        "statistics of a time": lambda: grid.statistics(parquet, columns, "Timestamp"),
        "an address in every column": lambda: grid.find(parquet, columns, "10.1.2.3"),
    }
    for name, work in works.items():
        took = sorted(_each(work) for _ in range(10 * rounds))
        yield Figure(group, f"{name}, p50", 1, "pages", took[len(took) // 2])
        yield Figure(group, f"{name}, p95", 1, "pages", took[int(len(took) * 0.95)])


def _each(work: Callable[[], object]) -> Took:
    start, used = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - start, time.process_time() - used)


def _write(parquet: Path, rows: int) -> None:
    more = [_MORE[n % 3].format(n, (50 if n % 3 == 0 else 1000) * (n + 1)) for n in range(30 - len(_COLUMNS))]
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT {', '.join([*_COLUMNS, *more])} FROM range({rows}) r(i)) TO '{parquet}'"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_GROUP})"
        )
