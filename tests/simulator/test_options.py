"""Command line, clock, state, cache of real telemetry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kql.tables import read_columns, write_parquet
from kql.types import Column
from simulator import core
from simulator.clock import Clock, iso, parse_iso
from simulator.options import Options, parse_options
from simulator.state import State
from simulator.telemetry import shift_parquet
from tests.simulator.conftest import NOW


def test_defaults_and_choices(tmp_path: Path) -> None:
    given = parse_options(["--state", str(tmp_path)])
    assert (given.port, given.devices, given.days, given.quotas, given.now) == (8443, 40, 7, True, None)
    given = parse_options(
        ["--state", str(tmp_path), "--quotas", "off", "--now", "2020-09-04T12:00:00Z", "--speed", "60", "--shift"]
    )
    assert (given.quotas, given.speed, given.shift) == (False, 60.0, True)
    assert given.now == datetime(2020, 9, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--devices", "9"],
        ["--port", "70000"],
        ["--now", "soon"],
        ["--telemetry", "/no/such/path"],
        ["--host", "0.0.0.0"],
    ],
)
def test_mistakes_end_with_a_message(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(["--state", str(tmp_path), *arguments])
    assert caught.value.code == 2 and arguments[0] in capsys.readouterr().err


def test_ages_run_by_speed_and_can_be_pushed() -> None:
    clock = Clock(speed=60, start=NOW)
    born = NOW - timedelta(seconds=10)
    assert 600 <= clock.age(born, 0.0) < 660
    clock.advance(1000)
    assert 1600 <= clock.age(born, 0.0) < 1660
    assert clock.real_seconds(1800) == 30
    assert clock.when(NOW - timedelta(hours=1), 120) == NOW - timedelta(hours=1) + timedelta(seconds=2)


def test_times_round_trip() -> None:
    assert iso(NOW) == "2026-05-15T16:30:00.0000000Z"
    assert parse_iso(iso(NOW)) == NOW
    assert parse_iso("2026-05-15T16:30:00") == NOW


def test_documents_keep_their_order(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    for key in ("b", "a"):
        state.put("kind", key, {"key": key})
    state.put("kind", "b", {"key": "b", "again": True})
    assert [entry["key"] for entry in state.all("kind")] == ["b", "a"]
    assert state.delete("kind", "a") and not state.delete("kind", "a")
    state.put_blob("x", b"\x00\xff")
    state.close()
    again = State(tmp_path / "state.sqlite")
    assert again.get_blob("x") == b"\x00\xff" and again.get("kind", "b") == {"key": "b", "again": True}
    again.close()


def test_a_fresh_story_is_kept_and_an_old_one_told_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path / "state.sqlite")
    options = Options(state=tmp_path)
    first = core._anchor(state, options)
    assert core._anchor(state, options) == first
    state.put("clock", "anchor", {"now": iso(first - core.ANCHOR_LIFE - timedelta(hours=1))})
    assert core._anchor(state, options) >= first
    assert core._anchor(state, Options(state=tmp_path, now=NOW)) == NOW
    state.close()


def test_shifting_moves_times_and_keeps_types(tmp_path: Path) -> None:
    columns = (Column("Timestamp", "datetime"), Column("Name", "string"), Column("Extra", "dynamic"))
    source, target = tmp_path / "rows.ndjson", tmp_path / "rows.parquet"
    source.write_text('{"Timestamp":"2020-01-01T00:00:00.0000000Z","Name":"a","Extra":{"x":1}}\n', encoding="utf-8")
    write_parquet(source, columns, target)
    shift_parquet(target, columns, timedelta(days=1, seconds=1))
    assert read_columns(target) == columns
    assert write_parquet(source, columns, tmp_path / "again.parquet").first_time == datetime(2020, 1, 1, tzinfo=UTC)
    import duckdb

    with duckdb.connect(":memory:") as connection:
        row = connection.execute(f"SELECT * FROM read_parquet('{target}')").fetchone()
    assert row is not None and row[0] == datetime(2020, 1, 2, 0, 0, 1) and row[2] == '{"x":1}'
