"""The child that parses: it reports, and it dies when it should."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from artifacts import Limits, ProgressNote
from artifacts.process import LoadCancelled, LoadFailed, LoadTimedOut, load_in_child
from tests.artifacts.conftest import codes, counts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough rows to keep a child busy for many seconds."""
    path = tmp_path_factory.mktemp("large") / "large.json"
    line = json.dumps({"A": 1, "B": "x" * 50}) + "\n"
    path.write_text(line * 1_500_000)
    return path


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_report_and_the_progress_come_back(tmp_path: Path) -> None:
    stored = tmp_path / "abc"
    stored.write_text('{"A": 1}\nbad\n')
    notes: list[ProgressNote] = []
    report = load_in_child([stored], tmp_path / "out", on_progress=notes.append, names={stored: "rows.json"})
    assert counts(report) == {"rows": 1} and codes(report) == ["json.line"]
    assert report.table("rows").path == tmp_path / "out" / "rows.parquet"
    assert notes and notes[-1].stage == "writing" and notes[-1].name == "rows"


def test_limits_reach_the_child(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"A": 1}\n' * 10)
    report = load_in_child([path], tmp_path / "out", Limits(rows=3))
    assert codes(report) == ["limit.rows"] and not report.complete


def test_the_deadline_kills_and_leaves_no_scratch(tmp_path: Path, large: Path) -> None:
    with pytest.raises(LoadTimedOut, match="load the files in parts"):
        load_in_child([large], tmp_path / "out", timeout=1.5)
    assert not list(tmp_path.glob("out/*"))  # on a busy machine the child has not even made the folder


def test_cancelling_kills(tmp_path: Path, large: Path) -> None:
    cancel = threading.Event()
    threading.Timer(1.0, cancel.set).start()
    with pytest.raises(LoadCancelled):
        load_in_child([large], tmp_path / "out", cancel=cancel)
    assert not list(tmp_path.glob("out/*"))  # on a busy machine the child has not even made the folder


@pytest.mark.parametrize("memory_mb", [100, 140, 180])
def test_too_little_memory_is_a_failure_that_says_so(tmp_path: Path, memory_mb: int) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"A": 1}\n')
    with pytest.raises(LoadFailed, match="memory|read or write"):
        load_in_child([path], tmp_path / "out", memory_mb=memory_mb, stall_seconds=4)


def test_a_missing_file_is_a_failure_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="No such file"):
        load_in_child([tmp_path / "nothing.csv"], tmp_path / "out")


def test_the_child_gets_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    real = subprocess.Popen

    def spy(*args: object, **options: object) -> object:
        seen.append(options["env"])  # type: ignore[arg-type]
        return real(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setenv("IRCASE_SECRET_KEY", "hush")
    monkeypatch.setattr("artifacts.process.subprocess.Popen", spy)
    path = tmp_path / "rows.json"
    path.write_text('{"A": 1}\n')
    load_in_child([path], tmp_path / "out")
    assert "IRCASE_SECRET_KEY" not in seen[0] and "PATH" in seen[0]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_dies_with_its_parent(tmp_path: Path, large: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from artifacts.process import load_in_child\n"
        f"load_in_child([Path({str(large)!r})], Path({str(tmp_path / 'out')!r}))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    children: list[int] = []
    end = time.monotonic() + 30
    while not children and time.monotonic() < end:
        task = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        children = [int(pid) for pid in task.read_text().split()] if task.exists() else []
        time.sleep(0.05)
    assert children
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    while any(alive(pid) for pid in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in children)
