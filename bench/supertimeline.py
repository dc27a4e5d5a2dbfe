"""A case's super-timeline of a million events: building it, and what its page asks of the server; p50 and p95.

The page in a browser is measured by `python -m bench.timelinepage`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from bench.figures import Absent, Figure, Took
from ircase.supertimeline import reading, rules, store
from ircase.supertimeline.model import EPOCH, Asked, Place, moment
from kql.parquet import read_columns

DAYS = 30
_START = 20_758 * 86_400 * 1_000_000  # 2026-11-01
TABLES = {
    "DeviceProcessEvents": (
        0.5,
        "'ProcessCreated' AS ActionType, CASE WHEN hash(i, 3) % 50 = 0 THEN 'powershell.exe' ELSE"
        " 'svc' || (hash(i, 6) % 500) || '.exe' END AS FileName,"
        " 'C:\\Windows\\System32\\svc' || (hash(i, 6) % 500) || '.exe -k ' || md5((i % 90000)::VARCHAR)"
        " AS ProcessCommandLine, 'explorer.exe' AS InitiatingProcessFileName",
    ),
    "DeviceNetworkEvents": (
        0.3,
        "'ConnectionSuccess' AS ActionType, concat_ws('.', 10, hash(i, 3) % 256, hash(i, 4) % 256, hash(i, 5) % 256)"
        " AS RemoteIP, (hash(i, 2) % 65536)::INTEGER AS RemotePort, 'chrome.exe' AS InitiatingProcessFileName",
    ),
    "DeviceLogonEvents": (
        0.2,
        "CASE WHEN hash(i, 3) % 9 = 0 THEN 'LogonFailed' ELSE 'LogonSuccess' END AS ActionType, 'Network' AS LogonType",
    ),
}


def figures(folder: Path, *, rows: int, rounds: int) -> Iterator[Figure | Absent]:
    """Median and 95th percentile of ten times `rounds` questions of each kind, over so many events of three tables."""
    group = f"Super-timeline: {rows:,} events"
    wanted = [_table(folder, name, round(rows * share), columns) for name, (share, columns) in TABLES.items()]
    start, used = time.perf_counter(), time.process_time()
    for _, _, problem in store.build(store.read(folder / "store"), wanted, folder / "spill"):
        assert not problem, problem
    yield Figure(group, "building", rows, "rows", Took(time.perf_counter() - start, time.process_time() - used))
    view = reading.View(
        store.read(folder / "store"), {one.uuid: name for one, name in zip(wanted, TABLES, strict=True)}
    )
    yield from _asked(group, view, 10 * rounds)


def _asked(group: str, view: reading.View, times: int) -> Iterator[Figure]:
    count = iter(range(10**9))

    def both(asked: Asked, place: Place | None = None) -> object:
        return reading.page(view, asked, after=place), reading.counts(view, asked)

    def deep() -> object:
        at = _START + next(count) * 7919 * 60_000_000 % (DAYS * 86_400_000_000)
        return reading.page(view, Asked(), after=Place(at, 0, 0, 0))

    def span() -> object:
        at = moment(_START + next(count) % DAYS * 86_400_000_000)
        return both(Asked(since=at, until=at + (moment(86_400_000_000) - EPOCH)))

    def cold() -> object:
        reading.forget()
        return both(Asked())

    # Each filter is one that was not asked before, but where the name says again.
    works: dict[str, Callable[[], object]] = {
        "first page and bars, cold": cold,
        "first page and bars, again": lambda: both(Asked()),
        "scroll to any place": deep,
        "a day": span,
        "one device": lambda: both(Asked(devices=(f"ws-{next(count) % 200}.contoso.com",))),
        "one source": lambda: both(Asked(sources=("DeviceLogonEvents",), accounts=(f"user{next(count) % 300}",))),
        "a technique": lambda: both(Asked(techniques=("T1059",), since=moment(_START + next(count)))),
        "a word": lambda: both(Asked(words=(f"svc{next(count) % 500}.exe",))),
        "a word that all have": lambda: both(Asked(words=("user",), since=moment(_START + next(count)))),
        "two words": lambda: both(Asked(words=(f"svc{next(count) % 500}.exe", "powershell"))),
        "scroll within a word": lambda: reading.page(
            view, Asked(words=("powershell",)), after=Place(_START + next(count) * 1_000_000, 0, 0, 0)
        ),
    }
    for name, work in works.items():
        took = sorted(_each(work) for _ in range(times))
        yield Figure(group, f"{name}, p50", 1, "pages", took[len(took) // 2])
        yield Figure(group, f"{name}, p95", 1, "pages", took[int(len(took) * 0.95)])
    reading.forget()


def _each(work: Callable[[], object]) -> Took:
    start, used = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - start, time.process_time() - used)


def _table(folder: Path, name: str, rows: int, columns: str) -> store.Wanted:
    parquet = folder / f"{name}.parquet"
    write_rows(parquet, rows, columns)
    typed = read_columns(parquet)
    rule = rules.load().of(name, typed)
    assert rule is not None
    return store.Wanted(str(uuid.uuid4()), parquet, typed, rule)


def write_rows(parquet: Path, rows: int, columns: str) -> None:
    """Rows of one table, in no order of time."""
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT TIMESTAMP '2026-11-01' + to_microseconds((hash(i) % {DAYS * 86_400_000_000})::BIGINT)"
            " AS Timestamp, 'ws-' || (hash(i, 1) % 200) || '.contoso.com' AS DeviceName,"
            f" 'user' || (hash(i, 2) % 300) AS AccountName, {columns} FROM range({rows}) r(i)) TO '{parquet}'"
            " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 47000)"
        )
