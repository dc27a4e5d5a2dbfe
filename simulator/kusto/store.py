"""The tables of the cluster's databases: the telemetry, and what was made and ingested here. Both outlive a restart."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kql import Column, write_parquet
from simulator.core import Simulator
from simulator.kusto.access import CASES, TELEMETRY
from simulator.kusto.errors import fault
from simulator.telemetry import Source

_KIND = "kusto_table"


@dataclass(frozen=True)
class Made:
    """A table that was made by a command. `files` hold its rows, in the order of ingestion."""

    name: str
    columns: tuple[Column, ...]
    mappings: dict[str, dict[str, str]] = field(default_factory=dict)
    """By name: the key of a row's JSON that fills each column."""
    streaming: bool = False
    files: tuple[str, ...] = ()


def made_tables(simulator: Simulator) -> dict[str, Made]:
    """The tables of the database for cases, by name."""
    return {made.name: made for made in map(_read, simulator.state.all(_KIND))}


def sources(simulator: Simulator, database: str) -> dict[str, Source]:
    """The tables of a database as a query sees them."""
    if database == TELEMETRY:
        return {**simulator.telemetry.workspace, **simulator.telemetry.hunting}
    folder = _folder(simulator)
    return {
        name: Source(name, tuple(folder / file for file in made.files), made.columns, None, None)
        for name, made in made_tables(simulator).items()
    }


def table(simulator: Simulator, database: str, name: str) -> Made:
    """A made table; ApiFault 400 where there is none."""
    found = made_tables(simulator).get(name) if database == CASES else None
    if found is None:
        raise fault(400, "BadRequest_EntityNotFound", f"Entity ID '{name[:80]}' of kind 'Table' was not found.")
    return found


def save(simulator: Simulator, made: Made) -> None:
    """Keep a table's definition."""
    simulator.state.put(_KIND, made.name, asdict(made))


def drop(simulator: Simulator, made: Made) -> None:
    """Forget a table and its rows."""
    simulator.state.delete(_KIND, made.name)
    for file in made.files:
        (_folder(simulator) / file).unlink(missing_ok=True)


def append(simulator: Simulator, name: str, lines: bytes) -> int:
    """Add rows, newline-delimited JSON by column name, all or none; how many. Values that do not fit become null."""
    folder = _folder(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    stem = uuid.uuid4().hex
    draft = folder / f"{stem}.ndjson"
    draft.write_bytes(lines)
    try:
        with simulator.lock:
            made = table(simulator, CASES, name)
            info = write_parquet(draft, made.columns, folder / f"{stem}.parquet")
            save(simulator, replace(made, files=(*made.files, f"{stem}.parquet")))
    finally:
        draft.unlink(missing_ok=True)
    return info.rows


def _folder(simulator: Simulator) -> Path:
    return simulator.options.state / "kusto"


def _read(document: dict[str, Any]) -> Made:
    columns = tuple(Column(**column) for column in document["columns"])
    return Made(document["name"], columns, document["mappings"], document["streaming"], tuple(document["files"]))
