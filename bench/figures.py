"""A measured figure, how it is taken, and how figures are printed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Took:
    """Seconds of wall time, and of all processors, child processes that have ended included."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Figure:
    """One line of the table: an amount of ``unit`` done in ``took``, the best of the rounds."""

    group: str
    name: str
    amount: float
    unit: str
    took: Took


@dataclass(frozen=True)
class Absent:
    """A group that cannot be measured here, and why."""

    group: str
    reason: str


def best(work: Callable[[], object], rounds: int) -> Took:
    """What the fastest of some rounds took."""
    return min(took(work) for _ in range(rounds))


def took(work: Callable[[], object]) -> Took:
    """What one call takes."""
    start, used = time.perf_counter(), _processor()
    work()
    return Took(time.perf_counter() - start, _processor() - used)


def _processor() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def lines(found: Iterable[Figure | Absent]) -> Iterable[str]:
    """The table; ``of first`` is the speed as a share of the group's first line's."""
    yield f"{'':42} {'seconds':>9} {'processor':>9} {'per second':>20} {'of first':>9}"
    group, first = "", 0.0
    for figure in found:
        if figure.group != group:
            group, first = figure.group, 0.0
            yield group
        if isinstance(figure, Absent):
            yield f"  not measured: {figure.reason}"
            continue
        speed = figure.amount / figure.took.wall
        first = first or speed
        wall, processor = f"{figure.took.wall:9.3f}", f"{figure.took.processor:9.3f}"
        yield f"  {figure.name:40} {wall} {processor} {f'{speed:,.0f} {figure.unit}':>20} {speed / first:9.1%}"
