"""The child process: streaming, limits, deadline, cancellation, and that it never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kql import (
    KqlCancelled,
    KqlResourceError,
    KqlSchemaError,
    KqlSyntaxError,
    KqlTimeout,
    KqlUnsupported,
    Limits,
    Table,
    TypedValue,
    prelude,
    query,
    spawner,
)
from tests.kql.support import NOW

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = (
    "range x from 1 to 1000000 step 1 | extend k = 1"
    " | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | summarize sum(x % 7 + y)"
)


def children(pid: int) -> set[int]:
    """The workers that a process started, from /proc."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z" and b"kql.worker" in command:
            found.add(int(stat.parent.name))
    return found


def busy() -> set[int]:
    """This process's workers, save the one that waits for a query."""
    return children(os.getpid()) - spawner.idle()


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether a condition comes true before long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def test_rows_columns_and_facts(tables: tuple[Table, ...]) -> None:
    with query("Events | sort by Id asc | project Id, Name", tables, now=NOW) as result:
        assert [(c.name, c.type) for c in result.columns] == [("Id", "long"), ("Name", "string")]
        assert list(result) == [(1, "Alpha Beta"), (2, ""), (3, "powershell.exe"), (4, "alpha")]
    assert (result.row_count, result.truncated, result.truncated_by) == (4, False, None)
    assert result.elapsed > 0
    assert result.sql.startswith("SELECT")
    assert eventually(lambda: not busy())


def test_a_result_without_rows_has_columns(tables: tuple[Table, ...]) -> None:
    with query("Events | where Id > 99 | project Id", tables) as result:
        assert [c.name for c in result.columns] == ["Id"]
        assert list(result) == []


def test_a_cut_result_says_so() -> None:
    for wanted, cut in ((10, None), (11, "rows"), (50_000, "rows")):
        with query(f"range x from 1 to {wanted} step 1", (), limits=Limits(rows=10)) as result:
            assert list(result) == [(x,) for x in range(1, 11)]
        assert (result.row_count, result.truncated_by) == (10, cut)


def test_a_result_too_large_in_bytes_is_cut_between_rows() -> None:
    text = "range x from 1 to 1000 step 1 | project t = strrep('ab', 50)"
    with query(text, (), limits=Limits(bytes=1040)) as result:
        # Each row travels as ["abab…"]: 104 bytes.
        assert list(result) == [("ab" * 50,)] * 10
    assert (result.truncated, result.truncated_by) == (True, "bytes")


def test_the_deadline_ends_the_query_and_the_process() -> None:
    with (
        pytest.raises(KqlTimeout, match="longer than 1.5 seconds"),
        query(ENDLESS, (), limits=Limits(seconds=1.5)) as r,
    ):
        list(r)
    assert eventually(lambda: not busy())


def test_cancelling_ends_the_query_and_the_process() -> None:
    cancel = threading.Event()
    timer = threading.Timer(1.0, cancel.set)
    timer.start()
    with pytest.raises(KqlCancelled), query(ENDLESS, (), cancel=cancel) as result:
        list(result)
    timer.join()
    assert eventually(lambda: not busy())
    with pytest.raises(KqlCancelled):
        query("print 1", (), cancel=cancel)


def test_too_much_memory_is_told() -> None:
    text = "range x from 1 to 40000000 step 1 | summarize make_list(x, 40000000)"
    with pytest.raises(KqlResourceError, match="memory"), query(text, (), limits=Limits(memory_mb=64)) as result:
        list(result)


def test_leaving_early_ends_the_process() -> None:
    with query("range x from 1 to 90000 step 1", ()) as result:
        assert next(iter(result)) == (1,)
    assert eventually(lambda: not busy())


def test_errors_have_their_place_in_the_text_after_the_prelude(tables: tuple[Table, ...]) -> None:
    lines = prelude({"A": TypedValue("x", "string"), "B": TypedValue(["y"], "string", many=True)})
    with pytest.raises(KqlSchemaError) as unknown:
        query("Events\n| where Nme in (B)", tables, prelude=lines)
    assert (unknown.value.line, unknown.value.column, unknown.value.length) == (2, 9, 3)
    with pytest.raises(KqlSyntaxError) as broken:
        query("Events | where Name = = 'x'", tables, prelude=lines)
    assert (broken.value.line, broken.value.column) == (1, 21)


def test_a_parameter_is_a_value_in_the_query(tables: tuple[Table, ...]) -> None:
    lines = prelude({"Wanted": TypedValue('alpha"; print 1 //', "string")})
    with query("Events | where Name == Wanted | count", tables, prelude=lines) as result:
        assert list(result) == [(0,)]


@pytest.mark.parametrize(
    "text",
    ["", "  // nothing", "print " + "(" * 150 + "1" + ")" * 150, "print '" + "x" * 200_000 + "'", ".show tables"],
)
def test_texts_that_are_not_even_parsed(text: str) -> None:
    with pytest.raises(KqlUnsupported):
        query(text, ())


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "Broken.parquet"
    broken.write_bytes(b"PAR1 not really")
    with pytest.raises(KqlSchemaError, match="Broken cannot be read"):
        query("Broken", (Table("Broken", (broken,)),))
    with pytest.raises(KqlSchemaError, match="Gone cannot be read"):
        query("Gone", (Table("Gone", (tmp_path / "gone.parquet",)),))


def test_a_query_outlives_the_thread_that_began_it() -> None:
    found = []

    def begin() -> None:
        found.append(query("range x from 1 to 60000 step 1 | extend t = strrep('x', 40)", ()))

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    with found[0] as result:
        assert sum(1 for _ in result) == 60_000


def test_queries_run_side_by_side() -> None:
    found: dict[int, list[tuple[int, ...]]] = {}

    def work(number: int) -> None:
        with query(f"print x = {number}", ()) as result:
            found[number] = list(result)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [(n,)] for n in range(4)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only Linux signals a parent's death")
def test_the_child_dies_with_a_parent_that_is_killed() -> None:
    program = f"from kql import query\nwith query({ENDLESS!r}, ()) as r: list(r)"
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        assert eventually(lambda: bool(children(parent.pid)))
        workers = children(parent.pid)
        time.sleep(1)
        assert children(parent.pid) == workers
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_a_child_without_a_request_ends() -> None:
    done = subprocess.run([sys.executable, "-m", "kql.worker"], stdin=subprocess.DEVNULL, cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")
