"""What hunting keeps: runs and sweeps, what sources hold, and the team's own library."""

from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.pushes import TablePush
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep
from hunting.models.schemas import SourceSchema

__all__ = [
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "PackVersion",
    "SavedHunt",
    "SavedPack",
    "Source",
    "SourceSchema",
    "Sweep",
    "TablePush",
]
