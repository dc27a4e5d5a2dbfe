"""Every parser beside what the bare library does with the same file, and the memory of the child that parses 2 GB."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import openpyxl

from artifacts import Limits, load
from artifacts.process import load_in_child
from bench.eventlogs import write_log
from bench.figures import Absent, Figure, Took, best, took
from kql.tables import write_parquet
from kql.types import Column

GROUP = "Parsers"
MEMORY = "Memory of the parsing child, peak less idle"
_HEADER = ("Timestamp", "DeviceName", "Account", "Process", "CommandLine", "Bytes")
_POLL = 0.02


def figures(folder: Path, *, rows: int) -> Iterator[Figure]:
    """For each format: the bare library walking the file, then ``artifacts.load`` making a table of it."""
    for name, write, bare in _FORMATS:
        path = folder / name
        write(path, rows)
        yield Figure(GROUP, f"{path.suffix[1:]}, bare", rows, "rows", best(partial(bare, path), 2))
        out = folder / f"out-{path.suffix[1:]}"
        yield Figure(GROUP, f"{path.suffix[1:]}, artifacts.load", rows, "rows", took(partial(load, [path], out)))


def memory(folder: Path, recordings: Path, *, gigabytes: float) -> Iterator[Figure | Absent]:
    """A CSV and an event log of this size, each loaded in the child, whose memory is watched. MiB."""
    size = int(gigabytes * 1e9)
    large = folder / "large.csv"
    _large_csv(large, size)
    yield _watched("CSV", large, folder / "csv-out", size)
    large.unlink()
    found = sorted(recordings.glob("*.evtx"))
    if not found:
        yield Absent(MEMORY, f"no event logs in {recordings}; see --data")
        return
    logs = folder / "logs"
    logs.mkdir()
    for number in range(max(1, size // (4000 * 65536))):
        write_log(logs / f"{number}.evtx", found, 4000)
    yield _watched("event logs", logs, folder / "evtx-out", size)


def _watched(name: str, path: Path, out: Path, size: int) -> Figure:
    idle = _peak(lambda: load_in_child([_empty(out.parent)], out.with_suffix(".idle")))
    start = time.perf_counter()
    peak = _peak(lambda: load_in_child([path], out, Limits(seconds=7200, total_bytes=2 * size)))
    spent = time.perf_counter() - start
    extra = (peak - idle) / 1024
    return Figure(
        MEMORY, f"{name}: {extra:,.0f} MiB over {idle / 1024:,.0f} idle", size / 1e6, "MB", Took(spent, spent)
    )


def _empty(folder: Path) -> Path:
    path = folder / "idle.csv"
    path.write_text("A\n1\n")
    return path


def _peak(work: Callable[[], object]) -> int:
    """KiB of resident memory that any child of this process has at most, while the work is done."""
    seen = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            seen[0] = max([seen[0], *(_resident(child) for child in _children())])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return seen[0]


def _children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def _resident(pid: int) -> int:
    """The high-water mark of a process without the pages of files that it has mapped; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _cells(number: int) -> tuple[str, ...]:
    return (
        f"2026-01-{number % 28 + 1:02}T{number % 24:02}:00:{number % 60:02}Z", f"pc{number % 500}.contoso.com",
        f"user{number % 90}", "powershell.exe", f"powershell.exe -File C:\\Scripts\\job{number}.ps1", str(number),
    )  # fmt: skip


def _large_csv(path: Path, size: int) -> None:
    block = "".join(",".join(_cells(number)) + "\n" for number in range(20_000))
    with path.open("w") as out:
        out.write(",".join(_HEADER) + "\n")
        for _ in range(size // len(block) + 1):
            out.write(block)


def _write_csv(path: Path, rows: int) -> None:
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([_HEADER, *(_cells(number) for number in range(rows))])


def _write_json(path: Path, rows: int) -> None:
    with path.open("w") as out:
        out.writelines(json.dumps(dict(zip(_HEADER, _cells(number), strict=True))) + "\n" for number in range(rows))


def _write_sqlite(path: Path, rows: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE t ({', '.join(f'{name} TEXT' for name in _HEADER)})")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", map(_cells, range(rows)))
    connection.commit()
    connection.close()


def _write_xlsx(path: Path, rows: int) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("t")
    sheet.append(_HEADER)
    for number in range(rows):
        sheet.append(_cells(number))
    book.save(path)


def _write_parquet(path: Path, rows: int) -> None:
    lines = path.with_suffix(".tmp")
    _write_json(lines, rows)
    write_parquet(lines, [Column(name, "string") for name in _HEADER], path)
    lines.unlink()


def _write_log(path: Path, rows: int) -> None:
    stamp = "2026-01-18T15:35:24.123Z"
    line = f"{stamp} ProcessImageName: x.exe, Pid: 7, Count: 2, MaxTimeFile: \\a, EstimatedImpact: 1%\r\n"
    path.write_bytes(b"\xff\xfe" + (line * rows).encode("utf-16-le"))


def _walk_csv(path: Path) -> None:
    with path.open(newline="") as raw:
        for _ in csv.reader(raw):
            pass


def _walk_json(path: Path) -> None:
    with path.open() as raw:
        for line in raw:
            json.loads(line)


def _walk_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    for _ in connection.execute("SELECT * FROM t"):
        pass
    connection.close()


def _walk_xlsx(path: Path) -> None:
    book = openpyxl.load_workbook(path, read_only=True)
    for _ in book.active.iter_rows(values_only=True):
        pass
    book.close()


def _walk_parquet(path: Path) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


def _walk_text(path: Path) -> None:
    with path.open(encoding="utf-16") as raw:
        for _ in raw:
            pass


def _write_zip(path: Path, rows: int) -> None:
    inner = path.with_suffix(".csv.tmp")
    _write_csv(inner, rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "rows.csv")
    inner.unlink()


def _walk_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive, archive.open("rows.csv") as raw:
        while raw.read(1 << 20):
            pass


_FORMATS: tuple[tuple[str, Callable[[Path, int], None], Callable[[Path], None]], ...] = (
    ("rows.csv", _write_csv, _walk_csv),
    ("rows.json", _write_json, _walk_json),
    ("rows.db", _write_sqlite, _walk_sqlite),
    ("rows.xlsx", _write_xlsx, _walk_xlsx),
    ("rows.parquet", _write_parquet, _walk_parquet),
    ("MPLog-1.log", _write_log, _walk_text),
    ("rows.zip", _write_zip, _walk_zip),
)
