"""What hunting keeps: runs, sweeps, watches, notebooks, what sources hold, and the team's own library."""

from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.notebook import Cell, CellRevision, CellRun, Notebook, NotebookRun
from hunting.models.pushes import TablePush
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep
from hunting.models.schemas import SourceSchema
from hunting.models.watching import MOST_HOURS, Watch, WatchTurn

__all__ = [
    "MOST_HOURS",
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
    "SourceSchema",
    "Sweep",
    "TablePush",
    "Watch",
    "WatchTurn",
]
