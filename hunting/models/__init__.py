"""What hunting keeps: runs and sweeps, notebooks, and the team's own library."""

from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.notebook import Cell, CellRevision, CellRun, Notebook, NotebookRun
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep

__all__ = [
    "Cell",
    "CellRevision",
    "CellRun",
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "Notebook",
    "NotebookRun",
    "PackVersion",
    "SavedHunt",
    "SavedPack",
    "Source",
    "Sweep",
]
