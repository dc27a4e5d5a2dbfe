"""What the overview's card of clocks shows: what ends next, and what can soon no longer be had."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ircase.casehead import CLOCKS
from ircase.clocks import windows
from ircase.models import Case, Clock
from ircase.services.phases import clocks


def context(case: Case) -> dict[str, Any]:
    """`countdowns`: clocks and windows, what ends next first. Three queries, and what apps add."""
    return {"countdowns": among(list(clocks.running_of(case)[:CLOCKS]), windows_of(case)), "whole": True}


@dataclass(frozen=True)
class Countdown:
    """A clock that runs, or a window with the address where it is collected."""

    due_at: datetime
    clock: Clock | None = None
    window: windows.Window | None = None
    url: str = ""


def among(running: Iterable[Clock], found: Iterable[tuple[windows.Window, str]]) -> list[Countdown]:
    """All of them in one order: what ends next first."""
    rows = [Countdown(clock.due_at, clock=clock) for clock in running]
    rows += [Countdown(window.due_at, window=window, url=url) for window, url in found]
    return sorted(rows, key=lambda row: row.due_at)


def windows_of(case: Case) -> list[tuple[windows.Window, str]]:
    """What ends next first; a closed case has none."""
    return [(window, window.url(case)) for window in windows.of_cases([case])] if case.is_open else []
