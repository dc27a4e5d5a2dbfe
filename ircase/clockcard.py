"""What the overview's card of clocks shows: what ends next, and what can soon no longer be had."""

from typing import Any

from ircase.casehead import CLOCKS
from ircase.clocks import windows
from ircase.models import Case
from ircase.services.phases import clocks


def context(case: Case) -> dict[str, Any]:
    """`clocks` and `windows`, each window with the address where it is collected. Three queries, and what apps add."""
    return {"clocks": list(clocks.running_of(case)[:CLOCKS]), "windows": windows_of(case), "whole": True}


def windows_of(case: Case) -> list[tuple[windows.Window, str]]:
    """What ends next first; a closed case has none."""
    return [(window, window.url(case)) for window in windows.of_cases([case])] if case.is_open else []
