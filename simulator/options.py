"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from simulator.clock import parse_iso
from simulator.story.world import MINIMUM_DEVICES

MAXIMUM_DEVICES = 2_000
MAXIMUM_DAYS = 60


@dataclass(frozen=True)
class Options:
    """How a simulator is set up. `connections` is the number of network events per device on a working day."""

    state: Path
    port: int = 8443
    host: str = "127.0.0.1"
    speed: float = 1.0
    devices: int = 40
    days: int = 7
    seed: int = 1
    connections: int = 620
    telemetry: tuple[Path, ...] = ()
    shift: bool = False
    now: datetime | None = None
    quotas: bool = True


def _between(low: float, high: float, kind: type[int] | type[float]) -> type[int] | type[float]:
    def parse(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low:g} to {high:g}")
        return value

    parse.__name__ = kind.__name__
    return parse  # type: ignore[return-value]  # argparse takes any callable


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; exits with a message on a mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description="A Microsoft tenant on this machine. See docs/simulator.md."
    )
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="keeps CA, tenant, story and actions")
    parser.add_argument("--port", type=_between(0, 65_535, int), default=8443, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", choices=("127.0.0.1", "::1", "localhost"))
    parser.add_argument("--speed", type=_between(0.01, 10_000, float), default=1.0, help="of actions, quotas and links")
    parser.add_argument("--devices", type=_between(MINIMUM_DEVICES, MAXIMUM_DEVICES, int), default=40)
    parser.add_argument("--days", type=_between(1, MAXIMUM_DAYS, int), default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--connections", type=_between(4, 20_000, int), default=620,
        help="network events per device on a working day; the default makes more than 100,000 in all",
    )  # fmt: skip
    parser.add_argument("--telemetry", type=Path, nargs="+", default=[], metavar="PATH", help="real data to load")
    parser.add_argument("--shift", action="store_true", help="move the real data so that it ends now")
    parser.add_argument("--now", type=parse_iso, default=None, metavar="ISO8601", help="what the clock shows at start")
    parser.add_argument("--quotas", choices=("on", "off"), default="on")
    given = parser.parse_args(arguments)
    missing = [str(path) for path in given.telemetry if not path.exists()]
    if missing:
        parser.error(f"--telemetry: no such file or folder: {', '.join(missing)}")
    values = vars(given) | {"telemetry": tuple(given.telemetry), "quotas": given.quotas == "on"}
    return Options(**values)
