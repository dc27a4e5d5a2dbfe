"""What hunting keeps: runs and sweeps, and the team's own library."""

from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep

__all__ = [
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "PackVersion",
    "SavedHunt",
    "SavedPack",
    "Source",
    "Sweep",
]
