"""What one load may cost: caps on entries, bytes, expansion, depth, rows and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """Caps of one load. Sizes are bytes really written, never sizes that an archive claims."""

    entries: int = 150_000  # members of all archives and files of all folders together
    member_bytes: int = 4 * GIB  # one unpacked member
    total_bytes: int = 8 * GIB  # all unpacked members together
    ratio: int = 200  # unpacked to packed bytes of one member, beyond the first MiB
    depth: int = 3  # archives within archives; a gzip counts as one
    rows: int = 50_000_000  # rows written to tables, derived ones included
    seconds: float = 3600.0
    tables: int = 1_000
    columns: int = 2_000  # columns of one table that is not in the catalogue

    def to_json(self) -> dict[str, int | float]:
        return asdict(self)


class ArtifactError(Exception):
    """Something in the input cannot be read; ``code`` is stable, the text is for people."""

    code = "artifact.error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class MemberRefused(ArtifactError):
    """One member is left out and named; the load goes on."""

    code = "member.refused"


class LoadStopped(ArtifactError):
    """A cap on the whole load was reached: what was read until then is kept, the rest is named as left out."""

    code = "load.stopped"


@dataclass
class Budget:
    """What is left of the limits of one load. Raises when a cap is reached; ``cancelled`` is asked now and then."""

    limits: Limits
    cancelled: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    entries: int = 0
    total_bytes: int = 0
    rows: int = 0
    started: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def take_entry(self) -> None:
        self.entries += 1
        if self.entries > self.limits.entries:
            raise LoadStopped(
                f"more than {self.limits.entries:,} files: the rest is left out; load them in parts",
                code="limit.entries",
            )

    def take_bytes(self, count: int) -> None:
        self.total_bytes += count
        if self.total_bytes > self.limits.total_bytes:
            raise LoadStopped(
                f"more than {self.limits.total_bytes:,} bytes unpacked: the rest is left out; load the files in parts",
                code="limit.total_bytes",
            )

    def take_rows(self, count: int) -> None:
        self.rows += count
        if self.rows > self.limits.rows:
            raise LoadStopped(
                f"more than {self.limits.rows:,} rows: the rest is left out; load the files in parts",
                code="limit.rows",
            )
        self.check_time()

    def check_time(self) -> None:
        if self.clock() - self.started > self.limits.seconds:
            raise LoadStopped(
                f"not finished after {self.limits.seconds:,.0f} s: the rest is left out; load the files in parts",
                code="limit.seconds",
            )
        if self.cancelled():
            raise LoadStopped("cancelled: what had been read until then is kept", code="load.cancelled")
