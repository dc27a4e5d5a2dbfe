"""Writes the story into a folder: one Parquet per table, plus `alerts.json`. Cached by its parameters."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kql.catalogue import TABLES
from kql.tables import write_parquet
from simulator.story.alerts import Accusation, as_json, benign_alert, incidents, record_alerts
from simulator.story.cloud import Cloud
from simulator.story.intrusion import Intrusion
from simulator.story.inventory import record_inventory
from simulator.story.lateral import Lateral
from simulator.story.noise import Noise
from simulator.story.recorder import Recorder
from simulator.story.world import World

VERSION = 3
"""Raise it when the story changes, so that a cache of the old one is not used."""


@dataclass(frozen=True)
class Story:
    """A told story: the world, where its tables are (name -> Parquet), its alerts and incidents as JSON."""

    world: World
    tables: dict[str, Path]
    alerts: list[dict[str, Any]]
    incidents: list[dict[str, Any]]
    rows: dict[str, int]


def story_key(world: World, connections_per_day: int) -> str:
    """What the content of a story depends on, as a folder name."""
    week = world.week
    parts = (VERSION, world.seed, week.now, week.days, len(world.devices), world.tenant_id, connections_per_day)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def tell(world: World, folder: Path, connections_per_day: int) -> Story:
    """The story below `folder`; written if it is not there yet. Older stories in `folder` are removed then."""
    home = folder / story_key(world, connections_per_day)
    if not (home / "alerts.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".telling-", dir=folder) as draft:
            _write(world, Path(draft), connections_per_day)
            Path(draft).rename(home)
            Path(draft).mkdir()  # for the context manager to remove
    told = json.loads((home / "alerts.json").read_text(encoding="utf-8"))
    tables = {path.stem: path for path in sorted(home.glob("*.parquet"))}
    return Story(world, tables, told["alerts"], told["incidents"], told["rows"])


def _write(world: World, home: Path, connections_per_day: int) -> None:
    with Recorder(world, home / "spool") as recorder:
        summary = record(recorder, world, connections_per_day)

    def convert(table: str) -> None:
        write_parquet(recorder.path(table), TABLES[table], home / f"{table}.parquet")

    with ThreadPoolExecutor(max_workers=2) as pool:
        for _ in pool.map(convert, sorted(recorder.counts, key=lambda name: -recorder.counts[name])):
            pass
    shutil.rmtree(home / "spool")
    summary["rows"] = dict(recorder.counts)
    (home / "alerts.json").write_text(json.dumps(summary), encoding="utf-8")


def record(recorder: Recorder, world: World, connections_per_day: int) -> dict[str, Any]:
    """Write all rows of the story; returns its alerts and incidents as JSON."""
    services = Noise(recorder, world, connections_per_day).run()
    record_inventory(recorder, world)
    foothold = Intrusion(recorder, world, services[world.patient_zero.host]).run()
    spread = Lateral(recorder, world, services, foothold.implant).run()
    cloud = Cloud(recorder, world)
    cloud.directory()
    message = cloud.run()
    alerts = (*Accusation(world, foothold, spread, message).alerts(), benign_alert(world))
    record_alerts(recorder, alerts)
    return as_json(alerts, incidents(world, alerts))
