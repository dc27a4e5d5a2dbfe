"""A million rows through a door that lets a hundred thousand pass: whole, in order, each once, the slices counted."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from config import demo
from config.stack import Stack
from tests.journeys.client import RUNS, Api, ended
from tests.journeys.conftest import make_stack

ROWS = 1_000_000
DAYS = 5
TABLE = "DeviceImageLoadEvents"


def write_telemetry(folder: Path) -> None:
    """A million rows of one table over five days, half of them in six busy hours; ReportId counts them by time."""
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    busy = end - timedelta(days=2)
    at = (
        f"CASE WHEN n % 2 = 0 THEN {end.timestamp()!r} - n * {DAYS * 86_400 / ROWS!r} "
        f"ELSE {busy.timestamp()!r} - n * {6 * 3600 / ROWS!r} END"
    )
    with duckdb.connect(config={"memory_limit": "1GB", "threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT strftime(make_timestamp(t), '%Y-%m-%dT%H:%M:%S.%fZ') AS Timestamp, "
            f"'ws' || (n % 40) AS DeviceName, 'module.dll' AS FileName, row_number() OVER (ORDER BY t, n) AS ReportId "
            f"FROM (SELECT range AS n, CAST(({at}) * 1e6 AS BIGINT) AS t FROM range({ROWS}) s(range), "
            f"LATERAL (SELECT range AS n)) ORDER BY t) "
            f"TO '{folder / f'{TABLE}.csv'}' (HEADER, DELIMITER ',')"
        )


@pytest.fixture(scope="module")
def busy_tenant() -> Iterator[Stack]:
    """A stack of its own, whose tenant has the million rows. Its quota is on, at sixty times the speed."""
    root = Path(tempfile.mkdtemp(prefix="ircase-slices-"))
    telemetry = root / "telemetry"
    telemetry.mkdir()
    write_telemetry(telemetry)
    stack = make_stack(root, "--devices", "20", "--days", "2", "--telemetry", str(telemetry))
    try:
        demo.start(stack)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.timeout(1800)
def test_a_million_rows_come_home(busy_tenant: Stack) -> None:
    api = Api(busy_tenant, "bob")
    case = api.post("/cases", {"title": "A million rows", "connection": "Simulated tenant"})["reference"]
    kql = f"{TABLE} | where FileName == 'module.dll' and Timestamp > ago(7d) | project Timestamp, DeviceName, ReportId"
    started = api.post(RUNS.format(case), {"source": "defender", "kql": kql, "span": "7d"})
    run = api.until(f"{RUNS.format(case)}/{started['uuid']}", ended, timeout=1500)
    assert run["state"] == "done", run["reason"]
    assert (run["row_count"], run["truncated"], run["truncated_by"]) == (ROWS, False, "")

    record = api.get(f"/cases/{case}/evidence/{run['evidence']}/download")
    numbers = [json.loads(line)["ReportId"] for line in record.splitlines()]
    assert len(numbers) == ROWS and len(set(numbers)) == ROWS
    times = [json.loads(line)["Timestamp"] for line in record.splitlines()]
    assert times == sorted(times)

    item = api.get(f"/cases/{case}/evidence/{run['evidence']}")
    slicing = item["manifest"]["slicing"]
    whole = [one for one in slicing["slices"] if one["outcome"] == "whole"]
    assert run["slices"] == len(whole) == slicing["kept"]
    assert f"1,000,000 rows in {len(whole)} time slices" in run["outcome"]
    assert sum(one["rows"] for one in whole) == ROWS
    assert [one["from"] for one in whole[1:]] == [one["to"] for one in whole[:-1]]
    # Eleven is the least that a hundred thousand a call allows; the walk finds its width as it goes.
    assert len(whole) >= 11 and slicing["calls"] <= 60, slicing["calls"]
