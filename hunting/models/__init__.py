"""What hunting keeps: runs, sweeps, packs, watches, notebooks, sources, supplies, and the team's own library."""

from hunting.models.importing import HuntImport, ImportItem
from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.notebook import Cell, CellRevision, CellRun, Notebook, NotebookRun
from hunting.models.packs import PackRun, PackStep
from hunting.models.pushes import TablePush
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep, Usage
from hunting.models.schemas import SourceSchema
from hunting.models.supplies import Feed, FeedFetch, KnownFile, PlacesFile, ProfilesFile
from hunting.models.tablechecks import TableCheck
from hunting.models.watching import MOST_HOURS, Watch, WatchTurn

__all__ = [
    "MOST_HOURS",
    "Cell",
    "CellRevision",
    "CellRun",
    "Feed",
    "FeedFetch",
    "HuntImport",
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "ImportItem",
    "KnownFile",
    "Notebook",
    "NotebookRun",
    "PackRun",
    "PackStep",
    "PackVersion",
    "PlacesFile",
    "ProfilesFile",
    "SavedHunt",
    "SavedPack",
    "Source",
    "SourceSchema",
    "Sweep",
    "TableCheck",
    "TablePush",
    "Usage",
    "Watch",
    "WatchTurn",
]
