"""What a person waits for: `python -m bench.journey`. Prints seconds and judges nothing.

Starts the embedded stack, by the code of `make demo`, in a temporary folder on free ports: Redis, the simulated tenant,
web, worker and beat, with the demo's own story (more than 100,000 network events). The virtual environment and the
built front end are there already, so a start is what `make demo` does after them. Beside the seconds that passed stand
those that the stack's own processes computed: on a machine that does other things too, they are what can be compared.
"""

import argparse
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from config import demo
from config.stack import Stack, free_port
from tests.journeys.client import RUNS, Api, ended

ROWS = 100_000
QUERY = f"DeviceNetworkEvents | take {ROWS}"
LOOK = 0.2
"""Seconds between two questions whether it is done: the error of every figure that waits for a background job."""
PAGE = {"limit": 100}
EVENTS = """
from datetime import UTC, datetime, timedelta
from ircase.models import Case, User
from ircase.services import findings
case, bob = Case.objects.get(reference={reference!r}), User.objects.get(username="bob")
start = datetime(2026, 1, 2, 9, tzinfo=UTC)
for number in range({count}):
    findings.add_event(
        case=case, actor=bob, at=start + timedelta(seconds=17 * number), technique="T1059.001",
        title=f"powershell.exe started by winword.exe on ws-fin-{{number % 40:02d}} ({{number}})",
        description="powershell.exe -NoProfile -EncodedCommand SQBFAFgA, signed by Microsoft Windows.",
    )
"""


@dataclass(frozen=True)
class Take:
    """Seconds that passed, and processor seconds of the stack meanwhile (None where it is not up afterwards)."""

    passed: float
    computed: float | None

    def __str__(self) -> str:
        return f"{self.passed:.2f} s" + ("" if self.computed is None else f", {self.computed:.2f} s of processor")


class Figures:
    """What was measured, by name, printed as it comes."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.takes: dict[str, list[Take]] = {}

    @contextmanager
    def taking(self, name: str) -> Iterator[None]:
        """Measure the block."""
        started, before = time.perf_counter(), computed(self.stack) if self.stack.is_running else 0.0
        yield
        passed = time.perf_counter() - started
        take = Take(passed, computed(self.stack) - before if self.stack.is_running else None)
        self.takes.setdefault(name, []).append(take)
        print(f"  {name}: {take}", flush=True)

    def table(self) -> str:
        """A line per name: the medians of its takes."""
        width = max(map(len, self.takes))
        lines = [f"{'':<{width}}  {'seconds':>9}  {'processor':>9}  takes"]
        for name, takes in self.takes.items():
            passed = statistics.median(take.passed for take in takes)
            known = [take.computed for take in takes if take.computed is not None]
            processor = f"{statistics.median(known):9.2f}" if known else f"{'-':>9}"
            lines.append(f"{name:<{width}}  {passed:9.2f}  {processor}  {len(takes):5}")
        return "\n".join(lines)


def computed(stack: Stack) -> float:
    """Processor seconds so far of the stack's processes and of those of their children that have ended."""
    supervisor = (stack.root / "supervisord.pid").read_text(encoding="ascii").strip()
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        # After the name: state, parent, group, session, …; https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        if fields[3] == supervisor:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def until(api: Api, path: str, done: Callable[[Any], bool] = ended, seconds: float = 600.0) -> Any:
    """Ask often until `done` says so. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not done(answer := api.get(path)):
        if time.monotonic() > end:
            raise TimeoutError(f"{path}: not over in {seconds:.0f} s: {str(answer)[:500]}")
        time.sleep(LOOK)
    return answer


def finished(api: Api, path: str) -> Any:
    """The job once it is done. Raises RuntimeError where it ended in another way."""
    row = until(api, path)
    if row["state"] != "done":
        raise RuntimeError(f"{path}: {row['state']}: {row['reason']}")
    return row


def start_twice(figures: Figures, stack: Stack) -> None:
    """From nothing to `IRCase is ready`, and once more in the same folder. It is up afterwards."""
    with figures.taking("start, cold, to ready"):
        demo.start(stack)
    with figures.taking("stop"):
        stack.stop()
    with figures.taking("start, second, to ready"):
        demo.start(stack)


def hunt(figures: Figures, api: Api, reference: str, source: str) -> Any:
    """Queue the hunt, wait, and show the first page of its grid; the run."""
    with figures.taking(f"hunt of {ROWS:,} rows, {source}: queue to first page"):
        with figures.taking(f"hunt of {ROWS:,} rows, {source}: queue to sealed"):
            queued = api.post(RUNS.format(reference), {"source": source, "kql": QUERY, "span": "30d"})
            path = f"{RUNS.format(reference)}/{queued['uuid']}"
            run = finished(api, path)
        page = api.get(f"{path}/rows", params=PAGE)
    cut = f", cut by {run['truncated_by']}" if run["truncated"] else ""
    print(f"  {run['row_count']:,} rows{cut}; {len(page['rows'])} on the page")
    with figures.taking(f"grid page sorted by one column, {source}"):
        api.get(f"{path}/rows", params={**PAGE, "sort": "-RemoteIP"})
    return run


def hunts(figures: Figures, api: Api, times: int) -> None:
    """The same rows from the tenant and, read in again as the case's own evidence, from its tables."""
    case = api.post("/cases", {"title": "Bench: a large hunt", "connection": "Simulated tenant"})
    reference = case["reference"]
    runs = [hunt(figures, api, reference, "defender") for _ in range(times)]
    record = api.get(f"/cases/{reference}/evidence/{runs[0]['evidence']}/download")
    print(f"  one record: {len(record) / 2**20:.1f} MiB")
    with figures.taking(f"upload of {ROWS:,} rows as NDJSON, to sealed"):
        item = api.upload(reference, "DeviceNetworkEvents.ndjson", record)
    with figures.taking(f"then, to tables of {ROWS:,} rows"):
        finished(api, f"/cases/{reference}/evidence/{item['uuid']}/import")
    for _ in range(times):
        hunt(figures, api, reference, "case")


def report(figures: Figures, stack: Stack, api: Api, events: int, times: int) -> None:
    """A report of a case with many events on its timeline: asked for, until PDF, Markdown and JSON are there."""
    reference = api.post("/cases", {"title": "Bench: a long timeline"})["reference"]
    stack.manage("shell", "-c", EVENTS.format(reference=reference, count=events))
    for _ in range(times):
        with figures.taking(f"report of {events:,} events, PDF, Markdown and JSON"):
            build = api.post(f"/cases/{reference}/reports", {"seal": False})
            path = f"/cases/{reference}/reports/{build['uuid']}"
            finished(api, path)
    pdf = api.get(f"{path}/pdf")
    print(f"  the PDF: {len(PdfReader(io.BytesIO(pdf)).pages)} pages, {len(pdf) / 2**20:.1f} MiB")


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.journey", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3, metavar="N", help="how often each hunt and report runs (3)")
    parser.add_argument("--events", type=int, default=5000, metavar="N", help="events in the report's case (5000)")
    parser.add_argument("--folder", type=Path, help="keep the stack's folder here instead of a temporary one")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    given = parsed(arguments)
    root = given.folder or Path(tempfile.mkdtemp(prefix="ircase-bench-"))
    stack = Stack(root=root, port=free_port(), simulator_port=free_port(), speed=10.0)
    figures = Figures(stack)
    try:
        start_twice(figures, stack)
        bob = Api(stack, "bob")
        hunts(figures, bob, given.times)
        report(figures, stack, bob, given.events, given.times)
    finally:
        stack.stop()
        if given.folder is None:
            shutil.rmtree(root, ignore_errors=True)
    print(f"\n{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, medians\n{figures.table()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
