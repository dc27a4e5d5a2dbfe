"""The simulator as one object: everything that handlers need."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request

from simulator.clock import Clock, iso, parse_iso
from simulator.faults import Faults
from simulator.options import Options
from simulator.quotas import Quotas
from simulator.state import State
from simulator.story.telling import Story, tell
from simulator.story.timeline import Week, moment_of
from simulator.story.world import Device, build_world
from simulator.telemetry import Telemetry, grown, load_telemetry
from simulator.tenant import Tenant, load_tenant

ANCHOR_LIFE = timedelta(hours=12)
"""How old the end of a cached story may be before a start tells it anew, so that it still ends "now"."""
_RECORDED = 10_000


@dataclass
class Simulator:
    """One tenant with its telemetry, clock, faults and memory."""

    options: Options
    state: State
    clock: Clock
    tenant: Tenant
    story: Story
    telemetry: Telemetry
    faults: Faults = field(default_factory=Faults)
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_RECORDED))
    quotas: Quotas = field(init=False)
    lock: threading.RLock = field(default_factory=threading.RLock)
    public_url: str = ""
    reported: set[str] = field(default_factory=set)
    codes: dict[str, Any] = field(default_factory=dict)
    roles_given: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.quotas = Quotas(self.clock, on=self.options.quotas)
        self.grown = self.options.state / "grown"
        shutil.rmtree(self.grown, ignore_errors=True)

    def base_url(self, request: Request) -> str:
        """The URL under which the client reached the simulator (its own name for the host, always https)."""
        return f"https://{request.host}"

    def device(self, key: str) -> Device | None:
        """The device by id, fully qualified name or host name; None if there is none."""
        wanted = key.lower()
        for device in self.story.world.devices:
            if wanted in {device.id, device.name, device.host}:
                return device
        return None

    def advance(self, seconds: float) -> float:
        """Push actions, links and quota windows forward; kept over a restart."""
        total = self.clock.advance(seconds)
        self.state.put("clock", "clock", {"advanced": total})
        return total

    def grow(self, table: str, rows: list[dict[str, Any]]) -> int:
        """More rows of a table, from now on until the next start; how many there are. Raises KeyError, ValueError."""
        with self.lock:
            self.telemetry = grown(self.telemetry, self.grown, table, rows)
        return len(rows)


def _anchor(state: State, options: Options) -> datetime:
    """When the story ends: the moment asked for, else the one of the cached story while it is fresh, else now."""
    if options.now is not None:
        return options.now
    known = state.get("clock", "anchor")
    now = datetime.now(UTC).replace(microsecond=0)
    if known is not None:
        anchor = parse_iso(known["now"])
        if timedelta(0) <= now - anchor < ANCHOR_LIFE:
            return anchor
    state.put("clock", "anchor", {"now": iso(now)})
    return now


def build(options: Options, note: Callable[[str], None] = lambda line: None) -> Simulator:
    """Everything but the socket. `note` gets a line where something of the real telemetry could not be read."""
    folder: Path = options.state
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for leftover in folder.glob("hunt-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    state = State(folder / "simulator.sqlite")
    tenant = load_tenant(state)
    anchor = _anchor(state, options)
    advanced = float((state.get("clock", "clock") or {"advanced": 0.0})["advanced"])
    week = Week(moment_of(anchor), options.days)
    world = build_world(options.seed, week, options.devices, tenant.id)
    story = tell(world, folder / "story", options.connections)
    telemetry = load_telemetry(story, folder / "telemetry", options.telemetry, anchor if options.shift else None, note)
    clock = Clock(options.speed, options.now, advanced)
    return Simulator(options, state, clock, tenant, story, telemetry)
