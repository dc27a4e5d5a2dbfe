"""What hunting keeps: runs, sweeps and watches, and the team's own library."""

from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep
from hunting.models.watching import MOST_HOURS, Watch, WatchTurn

__all__ = [
    "MOST_HOURS",
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "PackVersion",
    "SavedHunt",
    "SavedPack",
    "Source",
    "Sweep",
    "Watch",
    "WatchTurn",
]
