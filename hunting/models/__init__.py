"""What hunting keeps: runs, sweeps, watches, notebooks, what sources hold, and the team's own library."""
"""What hunting keeps: runs, sweeps and packs at work, the team's own library, and what was brought into it."""

from hunting.models.importing import HuntImport, ImportItem
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
from hunting.models.packs import PackRun, PackStep
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep, Usage

__all__ = [
    "HuntImport",
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "ImportItem",
    "PackRun",
    "PackStep",
    "PackVersion",
    "SavedHunt",
    "SavedPack",
    "Source",
    "SourceSchema",
    "Sweep",
    "TablePush",
    "Watch",
    "WatchTurn",
    "Usage",
]
